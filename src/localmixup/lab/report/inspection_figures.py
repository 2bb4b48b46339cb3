"""The figures of an inspection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch

from localmixup.geometry.intrusion import Rate, graph_with
from localmixup.geometry.suggestion import PARAMETERS
from localmixup.graphs.base import ExponentialGraph
from localmixup.graphs.fit import describe
from localmixup.lab.inspection import Inspection, class_name, percent
from localmixup.lab.report.figures import COLORS, Figure, finished

PUBLISHED_DECAYS = {1e-3: "Fashion-MNIST", 3e-3: "CIFAR-10"}
"""The paper's decays (section 5.2), for images normalised by channel."""

_TOLD_BY = 20
_UNKNOWN = Rate(np.nan, np.nan, np.nan)

AXES = {"radius": "radius", "decay": "decay (one over the unit of distance)", "n_neighbors": "n_neighbors"}
_LINES = (("within", "intrusion", "solid"), ("within", "contradiction", "dot"), ("between", "intrusion", "solid"),
          ("between", "contradiction", "dot"))  # fmt: skip


def rates(found: Inspection) -> list[Figure]:
    """Rates of intrusion and contradiction against each parameter.

    Args:
        found: an inspection with classes.
    """
    return [_rates(found, parameter) for parameter in PARAMETERS]


def _rates(found: Inspection, parameter: str) -> Figure:
    assert found.report is not None
    assert found.suggestion is not None
    values = _axis(found, parameter)
    curves = found.report.curve(parameter, [float(v) for v in values])
    figure = go.Figure()
    for kind, what, dash in _LINES:
        color = COLORS[0] if kind == "within" else COLORS[1]
        # what hardly any sample tells is not drawn
        points = [getattr(r[kind], what) if r[kind].effective_samples >= _TOLD_BY else _UNKNOWN for r in curves]
        if what == "intrusion" and not found.report.exhaustive:
            edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
            figure.add_scatter(x=values, y=[100 * p.high for p in points], **edge)
            figure.add_scatter(
                x=values, y=[100 * p.low for p in points], fill="tonexty", fillcolor=_faint(color), **edge
            )
        figure.add_scatter(
            x=values, y=[100 * p.value for p in points], mode="lines", name=f"{what}, {kind}-class pairs",
            line={"color": color, "dash": dash, "width": 2.5},
        )  # fmt: skip
    figure.add_scatter(
        x=[values[0], values[-1]], y=[100 * found.report.overlap.value] * 2, mode="lines",
        name="overlap of the real samples", line={"color": COLORS[7], "dash": "dash", "width": 1.5},
    )  # fmt: skip
    if parameter in found.suggestion.choices:
        chosen = found.suggestion.choices[parameter].value
        _mark(figure, chosen, "suggested", COLORS[2], log=parameter != "radius")
    figure.update_layout(
        height=380, xaxis_title=AXES[parameter], yaxis_title="virtual samples (%)", yaxis_rangemode="tozero"
    )
    figure.update_xaxes(type="linear" if parameter == "radius" else "log")
    rows = [[f"{values[k]:.4g}", *(percent(getattr(curves[k][kind], what).value) for kind, what, _ in _LINES)]
            for k in np.unique(np.linspace(0, len(values) - 1, 8).astype(int))]  # fmt: skip
    head = [parameter, *(f"{what}, {kind}-class" for kind, what, _ in _LINES)]
    return finished(f"rates-{parameter}", figure, head, rows, f"Intrusion against {parameter}")


def _axis(found: Inspection, parameter: str) -> np.ndarray:
    sample = found.sample
    if parameter == "radius":
        return np.linspace(sample.quantile(0.0005), float(sample.distances[-1]), 60)
    if parameter == "decay":
        low = min(1e-3 / _scale(found), min(PUBLISHED_DECAYS)) if found.data.kind == "image" else 1e-2 / _scale(found)
        return np.geomspace(low, 60 / _scale(found), 60)
    return np.unique(np.round(np.geomspace(1, len(found.features) - 1, 60)))


def class_matrix(found: Inspection) -> Figure | None:
    """Rate of contradiction by the classes of the two ends, for mixup of all pairs.

    Args:
        found: an inspection with classes.
    """
    assert found.report is not None
    names = [found.data.class_names[int(c)] for c in found.report.classes]
    if len(names) > 30:
        return None
    matrix = 100 * found.report.class_matrix(graph_with("decay", 0.0))
    text = [["" if v != v else f"{v:.0f}" for v in row] for row in matrix]
    figure = go.Figure(
        go.Heatmap(
            z=matrix, x=names, y=names, text=text, texttemplate="%{text}", colorscale="Cividis_r", zmin=0,
            colorbar={"title": "%"}, hovertemplate="%{y} with %{x}: %{z:.1f} %<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(height=140 + 34 * max(3, len(names)), yaxis={"autorange": "reversed"})
    return finished(
        "classes", figure, ["", *names], [[n, *row] for n, row in zip(names, text, strict=True)], "By class"
    )


def distances(found: Inspection) -> Figure:
    """Histogram of distances within and between classes, with the weight of the suggested graphs over it.

    Args:
        found: an inspection.
    """
    sample = found.sample
    values, top = sample.distances.numpy(), float(sample.quantile(0.999)) * 1.05 or 1.0
    edges = np.linspace(0, top, 61)
    figure, table = go.Figure(), []
    for (name, mask), color in zip(_groups(found), COLORS[:2], strict=False):
        counts = np.histogram(values[mask], edges)[0] / max(1, mask.sum())
        figure.add_bar(
            x=(edges[1:] + edges[:-1]) / 2, y=counts, name=name, marker_color=color, opacity=0.55, width=edges[1]
        )
        quantiles = np.quantile(values[mask], [0.01, 0.25, 0.5, 0.75, 0.99]) if mask.any() else [np.nan] * 5
        table.append([name, *(f"{q:.4g}" for q in quantiles)])
    axis = torch.linspace(0, top, 240, dtype=torch.float64)
    for k, (label, weights) in enumerate(_weights(found, axis)):
        figure.add_scatter(
            x=axis.numpy(), y=weights, yaxis="y2", name=label, mode="lines", line={"color": COLORS[2 + k], "width": 3}
        )
    weight_axis = {"overlaying": "y", "side": "right", "range": [0, 1.05], "title": "weight W", "showgrid": False}
    figure.update_layout(
        height=380, barmode="overlay", xaxis_title="distance of two samples",
        yaxis_title="share of the pairs of each kind", yaxis2={**weight_axis, "tickvals": [0, 0.5, 1]},
    )  # fmt: skip
    return finished("distances", figure, ["pairs", "1 %", "25 %", "50 %", "75 %", "99 % quantile"], table, "Distances")


def _scale(found: Inspection) -> float:
    """The median distance, or where most samples coincide the mean one; never zero."""
    return found.sample.median or float(found.sample.distances.mean()) or 1.0


def _groups(found: Inspection) -> Sequence[tuple[str, np.ndarray]]:
    if found.sample.same_class is None:
        return [("all pairs", np.ones(found.sample.n_pairs, dtype=bool))]
    same = found.sample.same_class.numpy()
    return [("pairs of one class", same), ("pairs of two classes", ~same)]


def _weights(found: Inspection, axis: torch.Tensor) -> list[tuple[str, np.ndarray]]:
    if found.suggestion is None:
        return [("decay of one over the median", torch.exp(-axis / _scale(found)).numpy())]
    told = []
    for choice in found.suggestion.choices.values():
        if choice.parameter == "n_neighbors":
            reach = found.sample.quantile(min(1.0, choice.value / (len(found.features) - 1)))
            told.append((f"n_neighbors {choice.value:g}, on average", (axis <= reach).double().numpy()))
        else:
            graph = graph_with(choice.parameter, choice.value)
            weights = graph.weights_of_distances(axis, population=2).numpy()
            told.append((f"{choice.parameter} {choice.value:.3g}", weights))
    return told


def strength(found: Inspection) -> list[Figure]:
    """How evenly a decay weighs pairs, and what a radius or a number of neighbours keeps.

    Args:
        found: an inspection.
    """
    sample = found.sample
    low = min(1e-3 / _scale(found), min(PUBLISHED_DECAYS) / 3)
    decays = np.geomspace(low, 60 / _scale(found), 80)
    told = [describe(ExponentialGraph(float(d)), sample) for d in decays]
    figure = go.Figure()
    for k, (name, values) in enumerate(
        (
            ("effective sample size", [t.effective_sample_size for t in told]),
            ("mean weight", [t.mean_weight for t in told]),
        )
    ):
        figure.add_scatter(x=decays, y=values, mode="lines", name=name, line={"color": COLORS[k], "width": 2.5})
    rows = []
    for decay, where in PUBLISHED_DECAYS.items():
        _mark(figure, decay, f"paper, {where}", COLORS[7], log=True, height=0.95 if decay < 2e-3 else 0.8)
        t = describe(ExponentialGraph(decay), sample)
        rows.append([f"{decay:g} (paper, {where})", f"{t.effective_sample_size:.4f}", f"{t.mean_weight:.4f}"])
    rows += [
        [f"{decays[k]:.3g}", f"{told[k].effective_sample_size:.4f}", f"{told[k].mean_weight:.4f}"]
        for k in np.linspace(0, len(decays) - 1, 6).astype(int)
    ]
    figure.update_layout(height=340, xaxis_title=AXES["decay"], yaxis_title="share", yaxis_range=[0, 1.05])
    figure.update_xaxes(type="log")
    first = finished("ess", figure, ["decay", "effective sample size", "mean weight"], rows, "Evenness of the weights")
    figure = go.Figure()
    radii = np.linspace(0, float(sample.distances[-1]), 120)
    kept = np.searchsorted(sample.distances.numpy(), radii, side="right") / sample.n_pairs
    figure.add_scatter(x=radii, y=kept, mode="lines", line={"color": COLORS[0], "width": 2.5}, showlegend=False)
    figure.update_layout(height=300, xaxis_title="radius", yaxis_title="share of the pairs kept", yaxis_range=[0, 1.05])
    m = len(found.features)
    rows = [[f"{100 * q:g} % of the pairs", f"{sample.quantile(q):.4g}", f"{max(1, round(q * (m - 1))):,}"]
            for q in (0.001, 0.01, 0.05, 0.2, 0.5, 1.0)]  # fmt: skip
    return [first, finished("kept", figure, ["kept", "radius", "n_neighbors"], rows, "Kept share against the radius")]


def lipschitz(found: Inspection) -> Figure | None:
    """Q(D) against the radius.

    Args:
        found: an inspection.
    """
    if found.curve is None:
        return None
    curve = found.curve
    finite = np.isfinite(curve.value)
    end = 1.1 * max(float(curve.radius[-1]), _scale(found))
    x, y = np.append(curve.radius[finite], end), curve.value[finite]
    figure = go.Figure()
    if finite.any():
        y = np.append(y, y[-1]) if finite.all() else np.append(y, np.nan)
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"shape": "hv", "color": COLORS[0], "width": 2.5}, showlegend=False
        )
    figure.update_layout(height=320, xaxis_title="radius", yaxis_title="Q(D)", yaxis_rangemode="tozero")
    if finite.any() and curve.value[finite][-1] > 100 * curve.value[0]:
        figure.update_yaxes(type="log")
    rows = [[f"{r:.4g}", f"{v:.4g}"] for r, v in zip(curve.radius, curve.value, strict=True)]
    return finished("lipschitz", figure, ["from radius", "Q"], rows[:12] + rows[-1:] * (len(rows) > 12), "Q(D)")


def shapes(found: Inspection) -> Figure:
    """At which radii the clusters of each class join: the number of pieces left.

    Args:
        found: an inspection.
    """
    figure = go.Figure()
    for k, shape in enumerate(found.shapes[:12]):
        if not len(shape.merges):
            continue
        pieces = 1 - np.arange(1, len(shape.merges) + 1) / shape.n_used
        figure.add_scatter(
            x=shape.merges, y=100 * pieces, mode="lines", name=class_name(found, shape),
            line={"shape": "hv", "color": COLORS[k % len(COLORS)], "dash": "solid" if k < len(COLORS) else "dot"},
        )  # fmt: skip
    figure.update_layout(
        height=340, xaxis_title="radius", yaxis_title="pieces per 100 samples", yaxis_rangemode="tozero"
    )
    return finished("shape", figure, SHAPE_HEAD, shape_rows(found), "Pieces of each class against the radius")


SHAPE_HEAD = [
    "class",
    "samples (used)",
    "half joined at",
    "99 % joined at",
    "one piece at",
    "longest loop (born, filled)",
]


def shape_rows(found: Inspection) -> list[list[str]]:
    """A line of the table of shapes for each class.

    Args:
        found: an inspection.
    """
    rows = []
    for s in found.shapes:
        loop = "-"
        if s.loops is not None and len(s.loops):
            loop = f"{s.loops[0, 0]:.3g}, {s.loops[0, 1]:.3g}"
        joined = [f"{np.quantile(s.merges, q):.3g}" if len(s.merges) else "-" for q in (0.5, 0.99, 1.0)]
        rows.append([class_name(found, s), f"{s.n_samples:,} ({s.n_used:,})", *joined, loop])
    return rows


def _mark(figure: go.Figure, x: float, text: str, color: str, *, log: bool, height: float = 1.0) -> None:
    """A vertical line with a word on it; Plotly wants logarithms for words and not for lines."""
    if log and x <= 0:
        return  # mixup itself, which a logarithmic axis does not hold
    figure.add_vline(x=x, line={"color": color, "width": 2, "dash": "dot"})
    figure.add_annotation(
        x=float(np.log10(x)) if log else x, y=height, yref="paper", text=text, showarrow=False, xanchor="left", xshift=4
    )


def _faint(color: str) -> str:
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"
