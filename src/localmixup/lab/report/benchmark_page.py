"""Write what the benchmark found: a page, and the same tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from localmixup.lab.analysis.benchmark_words import (
    REFERENCE,
    UNTOUCHED,
    Table,
    arms_in_rank,
    primary_sentence,
    tables,
)
from localmixup.lab.analysis.benchmarked import SetResult
from localmixup.lab.analysis.over_sets import Ranks, in_margins
from localmixup.lab.files import write_file
from localmixup.lab.report.figure import COLORS, GREY, Figure
from localmixup.lab.report.page import write_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def write_benchmark(page: Path, text: Path, results: Sequence[SetResult], size: int, resamples: int) -> None:
    """Write the page and the text.

    Args:
        page: path of the HTML file.
        text: path of the Markdown file.
        results: of the sets.
        size: rows that a run trained on at most.
        resamples: number of resamples that judge.
    """
    sentence, found = primary_sentence(results), tables(results)
    trainings = sum(result.trainings for result in results)
    about = (
        f"{len(results)} data sets, at most {size:,} training rows, {resamples} resamples, {trainings:,} trainings. "
        "The protocol was fixed before the first run; docs/benchmark.md lists what was changed afterwards."
    )
    figures = [forest(results)]
    if (ranks := arms_in_rank(results)) is not None:
        figures.append(rank_diagram(ranks))
    write_page(page, "benchmark.html.j2", sentence=sentence, about=about, tables=found, figures=figures)
    write_file(text, as_markdown(sentence, about, found))


def as_markdown(sentence: str, about: str, found: Sequence[Table]) -> str:
    """Return the tables as Markdown."""
    lines = [sentence, "", about, ""]
    for table in found:
        lines += [f"### {table.title}", "", table.remark, ""]
        lines += ["| " + " | ".join(row) + " |" for row in [table.head, ["---"] * len(table.head), *table.rows]]
        lines.append("")
    return "\n".join(lines)


def forest(results: Sequence[SetResult]) -> Figure:
    """Return the primary contrast of every set, with its interval, in margins.

    Args:
        results: of the sets.
    """
    names, means, _ = in_margins(results, UNTOUCHED, "reference")
    order = sorted(range(len(names)), key=lambda k: means[k])
    effects = {result.name: result.effect(UNTOUCHED, result.reference) for result in results}
    bounds = []
    for k in order:
        effect = effects[names[k]]
        assert effect is not None
        low, high = effect.interval()
        bounds.append((low / effect.margin, high / effect.margin))

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.axvspan(-1, 1, color=GREY, alpha=0.2)
        axes.axvline(0, color=GREY, linewidth=1)
        for place, (k, (low, high)) in enumerate(zip(order, bounds, strict=True)):
            axes.plot([low, high], [place, place], color=COLORS[0], linewidth=1.5)
            axes.plot([means[k]], [place], "o", color=COLORS[0], markersize=5)
        axes.set_yticks(range(len(order)), [names[k] for k in order], fontsize=9)
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.set_xlabel("difference in margins; left of zero LocalMixup() is better")

    rows = [
        [names[k], f"{means[k]:+.2f}", f"{low:+.2f} to {high:+.2f}"]
        for k, (low, high) in zip(order, bounds, strict=True)
    ]
    return Figure(
        "primary", f"LocalMixup() against {REFERENCE}",
        "One line for each data set, with its 95 % interval. In the grey band the two count as equal.",
        draw, ["set", "difference in margins", "95 % interval"], rows, size=(6.4, 1.2 + 0.26 * len(order)),
    )  # fmt: skip


def rank_diagram(ranks: Ranks) -> Figure:
    """Return the critical-difference diagram.

    Args:
        ranks: of the arms.
    """

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        best = ranks.means[0]
        axes.axvspan(best, best + ranks.critical, color=GREY, alpha=0.2)
        colors = [COLORS[1] if label == UNTOUCHED else COLORS[0] for label in ranks.labels]
        axes.scatter(ranks.means, range(len(ranks.labels)), c=colors, s=30, zorder=3)
        axes.set_yticks(range(len(ranks.labels)), ranks.labels, fontsize=9)
        axes.set_ylim(len(ranks.labels) - 0.5, -0.5)
        axes.set_xlabel("mean rank over the sets; 1 is the lowest error")

    rows = [[label, f"{mean:.2f}"] for label, mean in zip(ranks.labels, ranks.means, strict=True)]
    return Figure(
        "ranks", "Mean rank of every arm",
        f"Arms in the grey band are not shown to differ from the first (critical difference {ranks.critical:.2f}, "
        f"Nemenyi, 5 %; Friedman's test that all are alike: p = {ranks.p:.2g}).",
        draw, ["arm", "mean rank"], rows, size=(6.4, 1.2 + 0.28 * len(rows)),
    )  # fmt: skip
