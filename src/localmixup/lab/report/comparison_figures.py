"""The figures of a comparison."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from localmixup.graphs.fit import DistanceSample
from localmixup.lab.analysis.comparison import Comparison
from localmixup.lab.analysis.table import Row
from localmixup.lab.methods import LOCAL
from localmixup.lab.methods.graphs import describe_spec, graph_of
from localmixup.lab.report.distance_figures import distance_figure
from localmixup.lab.report.figure import COLORS, GREY, Figure, Series, chart
from localmixup.lab.runs.store import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_WIDTH = 6.0
_LABEL_CHARACTERS = 26


def error_figure(comparison: Comparison) -> Figure:
    """Return the test errors by method: every run as a dot, and the mean with its interval.

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
            if not math.isnan(row.error.low):
                axes.plot([max(0.0, row.error.low), row.error.high], [k, k], color=color)
        _name_rows(axes, [row.label for row in rows])
        axes.set_xlabel(f"test {_measure(comparison)}")
        axes.set_xlim(left=max(0.0, axes.get_xlim()[0]))

    table = [
        [
            row.label,
            f"{row.error.mean:.4g}",
            "" if math.isnan(row.error.low) else f"{max(0.0, row.error.low):.4g} to {row.error.high:.4g}",
            ", ".join(f"{error:.4g}" for error in row.errors),
        ]
        for row in rows
    ]
    return Figure(
        "errors",
        "Test error by method",
        "Dots are single runs, ticks are means, and lines are 95 % intervals of the means (Student's t), cut at 0. "
        "Controls are grey.",
        draw,
        ["method", f"mean {_measure(comparison)}", "95 % interval", "every run"],
        table,
        size=(_WIDTH, 1.0 + 0.42 * len(rows)),
    )


def curve_figure(comparison: Comparison, records: Mapping[str, Record]) -> Figure:
    """Return the validation error during training, as the mean over the seeds.

    Args:
        comparison: what was found.
        records: the records of its rows, by key.
    """
    series, table = [], []
    for row in comparison.rows:
        if row.control_of is None:
            points = np.array([records[key].outcome.curve for key in row.keys])
            updates, means = points[0, :, 0], points[:, :, 2].mean(axis=0)
            series.append(Series(row.label, updates.tolist(), means.tolist()))
            marks = np.unique(np.linspace(0, len(updates) - 1, 5).astype(int))
            table += [[row.label, f"{updates[k]:,.0f}", f"{means[k]:.4g}"] for k in marks]
    label = f"validation {_measure(comparison)}"
    caption = "Mean over the seeds. Controls are left out."
    figure = chart("curves", "Learning curves", "updates", label, series, caption=caption, at_least=0.0)
    return dataclasses.replace(figure, head=["method", "updates", label], rows=table)


def choice_figures(comparison: Comparison) -> list[Figure]:
    """Return for every local method what the validation split chose from.

    Args:
        comparison: what was found.
    """
    return [
        _choice_figure(comparison, method)
        for method, grid in comparison.grid.items()
        if method in LOCAL and len(grid) > 1
    ]


def _choice_figure(comparison: Comparison, method: str) -> Figure:
    names = [describe_spec(spec) for spec in comparison.grid[method]]
    found = comparison.grid_errors[method]
    best = int(np.argmin(found))

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        colors = [COLORS[1] if k == best else GREY for k in range(len(names))]
        axes.barh(range(len(names)), [error if math.isfinite(error) else math.nan for error in found], color=colors)
        _name_rows(axes, names)
        axes.set_xlabel(f"mean validation {_measure(comparison)}")
        axes.set_xlim(left=0)

    return Figure(
        f"choice-{method}",
        f"Candidates of {method}",
        "Mean validation error of every candidate over the seeds. The one in colour was chosen. The test set plays no "
        "part in the choice.",
        draw,
        ["candidate", f"mean validation {_measure(comparison)}"],
        [
            [f"{name} (chosen)" if k == best else name, f"{error:.4g}"]
            for k, (name, error) in enumerate(zip(names, found, strict=True))
        ],
        size=(_WIDTH, 0.9 + 0.36 * len(names)),
    )


def comparison_distances(comparison: Comparison, sample: DistanceSample) -> Figure:
    """Return the histogram of distances, with the weights of the chosen graphs over it.

    Args:
        comparison: what was found.
        sample: distances of the standardised training data.
    """
    chosen = {f"weight, {row.label}": row for row in local_rows(comparison)}
    figure = distance_figure(sample, {label: graph_of(row.spec) for label, row in chosen.items()})
    notes = [f"Chosen for {row.label}: {row.chosen}." for row in chosen.values()]
    return dataclasses.replace(figure, caption=" ".join([figure.caption, *notes]))


def local_rows(comparison: Comparison) -> list[Row]:
    """Return the rows of methods with a local graph.

    Args:
        comparison: what was found.
    """
    return [row for row in comparison.rows if row.spec.method in LOCAL]


def _color(comparison: Comparison, row: Row) -> str:
    labels = [other.label for other in comparison.rows if other.control_of is None]
    return GREY if row.control_of else COLORS[labels.index(row.label) % (len(COLORS) - 1)]


def _measure(comparison: Comparison) -> str:
    return "error (%)" if comparison.unit == "%" else "RMSE"


def _name_rows(axes: Axes, names: list[str]) -> None:
    """Put names at the rows of a horizontal chart, the first at the top."""
    axes.set_yticks(range(len(names)), [textwrap.fill(name, _LABEL_CHARACTERS) for name in names], fontsize=9)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
