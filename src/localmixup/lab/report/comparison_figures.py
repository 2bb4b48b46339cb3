"""The figures of a comparison."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from localmixup.lab.analysis.comparison import Candidate, ComparedArm, Comparison
from localmixup.lab.analysis.statistics import mean_of
from localmixup.lab.report.figure import COLORS, GREY, Figure, Series, chart
from localmixup.lab.runs.store import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_WIDTH = 6.0
_LABEL_CHARACTERS = 34


def error_figure(comparison: Comparison) -> Figure:
    """Return the test errors by method: every resample as a dot, and the mean.

    Args:
        comparison: what was found.
    """
    rows = comparison.rows

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for k, row in enumerate(rows):
            color = _color(comparison, row)
            axes.plot(row.errors, [k] * len(row.errors), "o", color=color, alpha=0.45, markersize=6, linewidth=0)
            axes.plot(row.error.mean, k, "|", color=color, markersize=16, markeredgewidth=2.5)
        _name_rows(axes, [row.label for row in rows])
        axes.set_xlabel(f"test {_measure(comparison)}")
        axes.set_xlim(left=max(0.0, axes.get_xlim()[0]))

    table = [[row.label, f"{row.error.mean:.4g}", ", ".join(f"{error:.4g}" for error in row.errors)] for row in rows]
    return Figure(
        "errors",
        "Test error by method",
        "Each dot is one resample, the tick is their mean. All methods have the same resamples, so that two methods "
        "differ by less than the dots scatter.",
        draw,
        ["method", f"mean {_measure(comparison)}", "every resample"],
        table,
        size=(_WIDTH, 1.0 + 0.42 * len(rows)),
    )


def curve_figure(comparison: Comparison, records: Mapping[str, Record]) -> Figure:
    """Return the error on the rows that choose during training, for what was chosen.

    Args:
        comparison: what was found.
        records: the records behind it, by key.
    """
    series, table = [], []
    for candidate in comparison.candidates:
        if candidate.chosen:
            points = np.array([records[key].outcome.curve for key in candidate.keys])
            updates, means = points[0, :, 0], points[:, :, 2].mean(axis=0)
            series.append(Series(candidate.label, updates.tolist(), means.tolist()))
            marks = np.unique(np.linspace(0, len(updates) - 1, 5).astype(int))
            table += [[candidate.label, f"{updates[k]:,.0f}", f"{means[k]:.4g}"] for k in marks]
    label = _measure(comparison)
    caption = "Mean over the trainings that choose, on the rows that choose."
    figure = chart("curves", "Learning curves", "updates", label, series, caption=caption, at_least=0.0)
    return dataclasses.replace(figure, head=["method", "updates", label], rows=table)


def choice_figures(comparison: Comparison, records: Mapping[str, Record]) -> list[Figure]:
    """Return for every method with several candidates how they did on the rows that choose.

    Args:
        comparison: what was found.
        records: the records behind it, by key.
    """
    by_label: dict[str, list[Candidate]] = {}
    for candidate in comparison.candidates:
        by_label.setdefault(candidate.label, []).append(candidate)
    return [
        _choice_figure(comparison, label, sorted(of, key=lambda c: (c.validation_error, not c.chosen)), records)
        for label, of in by_label.items()
        if len(of) > 1
    ]


def _choice_figure(
    comparison: Comparison, label: str, candidates: list[Candidate], records: Mapping[str, Record]
) -> Figure:
    names, found = [c.settings for c in candidates], [c.validation_error for c in candidates]
    intervals = [_interval([records[key].outcome.validation_error for key in c.keys]) for c in candidates]

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        colors = [COLORS[1] if c.chosen else GREY for c in candidates]
        lengths = [e if math.isfinite(e) else math.nan for e in found]
        below = [max(0.0, e - low) for e, (low, _) in zip(lengths, intervals, strict=True)]
        above = [max(0.0, high - e) for e, (_, high) in zip(lengths, intervals, strict=True)]
        ends = {"ecolor": GREY, "capsize": 3}
        bars = axes.barh(range(len(names)), lengths, color=colors, xerr=[below, above], error_kw=ends)
        axes.bar_label(bars, [f"{error:.3g}" for error in found], padding=3, fontsize=9)
        _name_rows(axes, names)
        axes.set_xlabel(f"{_measure(comparison)} on the rows that choose")
        axes.set_xlim(left=0)
        axes.margins(x=0.12)

    return Figure(
        f"choice-{label.replace(' ', '-').replace(',', '')}",
        f"Candidates for {label}",
        "Mean over the trainings that choose, with its 95 % interval. The one in colour was chosen; of equal ones, the "
        "milder. None of these rows judges.",
        draw,
        ["candidate", f"{_measure(comparison)} on the rows that choose", "95 % interval"],
        [
            [f"{c.settings} (chosen)" if c.chosen else c.settings, f"{error:.4g}", _between(low, high)]
            for c, error, (low, high) in zip(candidates, found, intervals, strict=True)
        ],
        size=(_WIDTH, 0.9 + 0.4 * len(names)),
    )


def _interval(errors: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of a mean error, cut off at 0; NaN where there is none."""
    if not all(math.isfinite(error) for error in errors):
        return math.nan, math.nan
    mean = mean_of(errors)
    return max(0.0, mean.low) if math.isfinite(mean.low) else math.nan, mean.high


def _between(low: float, high: float) -> str:
    return f"{low:.4g} to {high:.4g}" if math.isfinite(low) else ""


def _color(comparison: Comparison, row: ComparedArm) -> str:
    labels = [other.label for other in comparison.rows if other.kind != "control"]
    return GREY if row.kind == "control" else COLORS[labels.index(row.label) % (len(COLORS) - 1)]


def _measure(comparison: Comparison) -> str:
    return "error (%)" if comparison.unit == "%" else "error (root mean square)"


def _name_rows(axes: Axes, names: list[str]) -> None:
    """Put names at the rows of a horizontal chart, the first at the top."""
    axes.set_yticks(range(len(names)), [textwrap.fill(name, _LABEL_CHARACTERS) for name in names], fontsize=9)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
