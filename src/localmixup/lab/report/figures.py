"""The interactive figures of a report, as plain data for Plotly, each with the table that stands in without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import torch

from localmixup.graphs.base import KNNGraph
from localmixup.graphs.fit import DistanceSample
from localmixup.lab.analysis.comparison import Comparison, Row
from localmixup.lab.methods import LOCAL
from localmixup.lab.methods.graphs import describe_spec, graph_of
from localmixup.lab.runs.store import Record

# told apart by people who see few colours too (Okabe and Ito)
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7F7F7F")


class Figure(NamedTuple):
    """A figure and its stand-in.

    Attributes:
        name: of its place in the page.
        json: what Plotly draws.
        head: column names of the stand-in table.
        table: its rows.
        alt: what there is to see, in a sentence.
    """

    name: str
    json: str
    head: list[str]
    table: list[list[str]]
    alt: str


def errors(comparison: Comparison) -> Figure:
    """Test error by method: every run a point, and the mean with its interval.

    Args:
        comparison: what was found.
    """
    figure = go.Figure()
    rows = list(reversed(comparison.rows))
    for row in rows:
        color = _color(comparison, row)
        figure.add_scatter(
            x=row.errors, y=[row.label] * len(row.errors), mode="markers", showlegend=False, name=row.label,
            marker={"color": color, "size": 8, "opacity": 0.45}, hovertemplate="%{x:.3g}<extra>%{y}</extra>",
        )  # fmt: skip
        half = 0.0 if row.error.high != row.error.high else row.error.high - row.error.mean
        figure.add_scatter(
            x=[row.error.mean], y=[row.label], mode="markers", showlegend=False, name=row.label,
            marker={"color": color, "size": 12, "symbol": "line-ns", "line": {"width": 3, "color": color}},
            error_x={"type": "data", "array": [half], "color": color, "thickness": 2},
            hovertemplate="mean %{x:.3g}<extra>%{y}</extra>",
        )  # fmt: skip
    figure.update_layout(height=110 + 34 * len(rows), xaxis_title=_axis(comparison))
    table = [[row.label, ", ".join(f"{e:.3g}" for e in row.errors)] for row in comparison.rows]
    return finished(
        "errors", figure, ["method", f"test error of every run ({comparison.unit})"], table, "Test error by method"
    )


def curves(comparison: Comparison, records: dict[str, Record]) -> Figure:
    """Validation error while training, the mean over the seeds.

    Args:
        comparison: what was found.
        records: of its rows, by key.
    """
    figure = go.Figure()
    table = []
    for row in comparison.rows:
        if row.control_of:
            continue
        points = np.array([records[key].outcome.curve for key in row.keys])
        updates, means = points[0, :, 0], points[:, :, 2].mean(axis=0)
        figure.add_scatter(x=updates, y=means, mode="lines", name=row.label, line={"color": _color(comparison, row)})
        marks = sorted({0, len(updates) // 4, len(updates) // 2, 3 * len(updates) // 4, len(updates) - 1})
        table.append([row.label, ", ".join(f"{updates[k]:.0f}: {means[k]:.3g}" for k in marks)])
    figure.update_layout(
        height=360, xaxis_title="updates", yaxis_title=f"validation error ({comparison.unit})", yaxis_rangemode="tozero"
    )
    return finished("curves", figure, ["method", "validation error after so many updates"], table, "Learning curves")


def choice(comparison: Comparison, method: str) -> Figure:
    """What the validation split chose from: the mean error of every candidate of one method.

    Args:
        comparison: what was found.
        method: a local method.
    """
    grid, found = comparison.grid[method], comparison.grid_errors[method]
    names = [describe_spec(spec) for spec in grid]
    best = int(np.argmin(found))
    colors = ["#D55E00" if k == best else "#7F7F7F" for k in range(len(names))]
    figure = go.Figure(go.Bar(x=found[::-1], y=names[::-1], orientation="h", marker_color=colors[::-1]))
    figure.update_layout(height=110 + 30 * len(names), xaxis_title=f"mean validation error ({comparison.unit})")
    table = [
        [n + (" (chosen)" if k == best else ""), f"{e:.3g}"] for k, (n, e) in enumerate(zip(names, found, strict=True))
    ]
    return finished(f"choice-{method}", figure, ["candidate", "mean validation error"], table, "The grid of candidates")


def distances(comparison: Comparison, sample: DistanceSample) -> Figure:
    """Histogram of distances within and between classes, with the weight of each chosen graph over it.

    Args:
        comparison: what was found.
        sample: distances of the standardised training data.
    """
    values, top = sample.distances.numpy(), float(sample.quantile(0.999)) * 1.05 or 1.0
    edges = np.linspace(0, top, 61)
    centres, table = (edges[1:] + edges[:-1]) / 2, []
    figure = go.Figure()
    groups: list[tuple[str, np.ndarray]] = [("all pairs", np.ones(len(values), dtype=bool))]
    if sample.same_class is not None:
        same = sample.same_class.numpy()
        groups = [("pairs of one class", same), ("pairs of two classes", ~same)]
    for (name, mask), color in zip(groups, COLORS[:2], strict=False):
        counts = np.histogram(values[mask], edges)[0] / max(1, mask.sum())
        figure.add_bar(x=centres, y=counts, name=name, marker_color=color, opacity=0.55, width=edges[1] - edges[0])
        quantiles = np.quantile(values[mask], [0.01, 0.25, 0.5, 0.75, 0.99]) if mask.any() else []
        table.append([name, ", ".join(f"{q:.3g}" for q in quantiles)])
    axis = torch.linspace(0, top, 240, dtype=torch.float64)
    for k, row in enumerate(local_rows(comparison)):
        graph = graph_of(row.spec)
        if isinstance(graph, KNNGraph):
            share = graph.n_neighbors / max(1, sum(comparison.sizes[p] for p in ("train", "validation")) - 1)
            weights = (axis <= sample.quantile(min(1.0, share))).double()
        else:
            weights = graph.weights_of_distances(axis, population=2)
        figure.add_scatter(
            x=axis.numpy(), y=weights.numpy(), yaxis="y2", name=f"weight, {row.label}", mode="lines",
            line={"color": COLORS[2 + k % 6], "width": 3},
        )  # fmt: skip
        table.append([f"chosen: {row.label}", row.chosen])
    weight_axis = {"overlaying": "y", "side": "right", "range": [0, 1.05], "title": "weight W", "showgrid": False}
    figure.update_layout(
        height=380,
        barmode="overlay",
        xaxis_title="distance of two training samples",
        yaxis_title="share of the pairs of each kind",
        yaxis2={**weight_axis, "tickvals": [0, 0.5, 1]},
    )
    return finished("distances", figure, ["pairs", "1, 25, 50, 75, 99 % quantile of the distance"], table, "Distances")


def local_rows(comparison: Comparison) -> list[Row]:
    """The rows whose choice is a local graph.

    Args:
        comparison: what was found.
    """
    return [row for row in comparison.rows if row.spec.method in LOCAL]


def _color(comparison: Comparison, row: Row) -> str:
    labels: Sequence[str] = [r.label for r in comparison.rows if r.control_of is None]
    return "#7F7F7F" if row.control_of else COLORS[labels.index(row.label) % len(COLORS)]


def _axis(comparison: Comparison) -> str:
    return "test error (%)" if comparison.unit == "%" else "test RMSE"


def finished(name: str, figure: go.Figure, head: list[str], table: list[list[str]], alt: str) -> Figure:
    """A figure in the style of the page.

    Args:
        name: of its place in the page.
        figure: as drawn.
        head: column names of the stand-in table.
        table: its rows.
        alt: what there is to see.
    """
    figure.update_layout(
        template="none",
        margin={"l": 10, "r": 10, "t": 30, "b": 50},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        autosize=True,
    )
    figure.update_xaxes(automargin=True, exponentformat="power")
    figure.update_yaxes(automargin=True)
    return Figure(name, figure.to_json(), head, table, alt)
