"""Write what the benchmark found: a page, and the same tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from localmixup.lab.analysis.benchmark_contrasts import Table
from localmixup.lab.analysis.benchmark_labels import REFERENCE, UNTOUCHED
from localmixup.lab.analysis.benchmark_words import arms_in_rank, labels_of, primary_sentence, tables
from localmixup.lab.analysis.benchmarked import SetResult
from localmixup.lab.analysis.over_sets import Ranks, effects_of, regrets
from localmixup.lab.files import make_folder, write_file
from localmixup.lab.report.figure import COLORS, GREY, Figure
from localmixup.lab.report.page import write_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def write_benchmark(page: Path, text: Path, results: Sequence[SetResult], size: int, resamples: int) -> None:
    """Write the page and the text, and the figures into a folder beside the page.

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
    figures = [forest(results), regret_figure(results)]
    if (ranks := arms_in_rank(results)) is not None:
        figures.append(rank_diagram(ranks))
    folder = make_folder(page.parent / "figures")
    for figure in figures:
        write_file(folder / f"{figure.name}.png", figure.png())
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
    found = []
    for result in results:
        for effect in effects_of([result], UNTOUCHED, "reference"):
            low, high = effect.interval()
            found.append((effect.mean / effect.margin, low / effect.margin, high / effect.margin, result.name))
    found.sort()

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.axvspan(-1, 1, color=GREY, alpha=0.2)
        axes.axvline(0, color=GREY, linewidth=1)
        for place, (mean, low, high, _) in enumerate(found):
            axes.plot([low, high], [place, place], color=COLORS[0], linewidth=1.5)
            axes.plot([mean], [place], "o", color=COLORS[0], markersize=5)
        axes.set_yticks(range(len(found)), [name for *_, name in found], fontsize=9)
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_xlabel("difference in margins; left of zero LocalMixup() is better")

    rows = [[name, f"{mean:+.2f}", f"{low:+.2f} to {high:+.2f}"] for mean, low, high, name in found]
    return Figure(
        "primary", f"LocalMixup() against {REFERENCE}",
        "One line for each data set, with its 95 % interval. In the grey band the two count as equal.",
        draw, ["set", "difference in margins", "95 % interval"], rows, size=(6.4, 1.2 + 0.26 * len(found)),
    )  # fmt: skip


def regret_figure(results: Sequence[SetResult]) -> Figure:
    """Return the regret of `LocalMixup()` on every set, and on how many sets it is at most so large.

    Args:
        results: of the sets.
    """
    found = sorted(regrets(results, UNTOUCHED, labels_of(results)), key=lambda one: one.margins)
    shares = [100 * (place + 1) / len(found) for place in range(len(found))]

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.axvspan(0, 1, color=GREY, alpha=0.2)
        axes.step([0, *(one.margins for one in found)], [0, *shares], where="post", color=COLORS[0])
        for one, share in list(zip(found, shares, strict=True))[-3:]:
            axes.annotate(one.name, (one.margins, share), xytext=(4, -10), textcoords="offset points", fontsize=9)
        axes.set_xlim(0, 1.2 * found[-1].margins or 1.0)
        axes.set_ylim(0, 103)
        axes.set_xlabel("regret in margins")
        axes.set_ylabel("sets with at most this regret, %")

    rows = [[one.name, one.best, f"{one.margins:.2f}"] for one in found]
    return Figure(
        "regret", f"Regret of {UNTOUCHED}",
        "Against the arm that turned out best on the set, which favours that arm. In the grey band the two count as "
        "equal. The three sets with the largest regret are named.",
        draw, ["set", "the best arm", "regret in margins"], rows, size=(6.4, 3.6),
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
