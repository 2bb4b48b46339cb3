"""Pictures of what mixup does to a data set. Each function draws onto matplotlib axes that the caller made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from localmixup._plotting import COLORS
from localmixup.geometry.rates import Rate
from localmixup.graphs import DistanceGraph, ExponentialGraph, LocalityGraph
from localmixup.graphs.fit import DistanceSample, describe_graph
from localmixup.graphs.registry import GRAPHS, make_graph

if TYPE_CHECKING:
    from localmixup.geometry.intrusion_report import IntrusionReport
    from localmixup.geometry.lipschitz.curve import LipschitzCurve
    from localmixup.geometry.shapes import ClassShape

AXIS_LABELS = {"radius": "radius", "decay": "decay (one over the unit of distance)", "n_neighbors": "n_neighbors"}
"""Label of the axis of each graph's parameter."""

_FEWEST = 20  # rates of fewer effective samples are not drawn
_AS_LIGHT_AS_DARK = (1.05 * 0.05) ** 0.5 - 0.05  # luminance at which WCAG's contrast to black is that to white
_UNKNOWN = Rate(np.nan, np.nan, np.nan)
_LINES = (
    ("within", "intrusion", "-"), ("within", "contradiction", ":"),
    ("between", "intrusion", "-"), ("between", "contradiction", ":"),
)  # fmt: skip


class RateCurves(NamedTuple):
    """Rates of intrusion and contradiction against a graph's parameter.

    Attributes:
        name: short name of the graph, as in `localmixup.graphs.registry`.
        values: values of its parameter, shape `(v,)`.
        lines: the rates at each value, by the label of the line; NaN where too few virtual samples count.
    """

    name: str
    values: np.ndarray
    lines: dict[str, list[Rate]]


def parameter_values(report: IntrusionReport, name: str) -> np.ndarray:
    """Return values of a graph's parameter that cover its range on the data.

    Args:
        report: its virtual samples hold the distances.
        name: `"threshold"`, `"exponential"` or `"knn"`.
    """
    distance = report.samples.distance
    if name == "threshold":
        return np.linspace(float(np.quantile(distance, 0.01)), float(distance.max()), 60)
    if name == "exponential":
        scale = float(np.median(distance)) or float(distance.mean()) or 1.0
        return np.geomspace(1e-2, 60, 60) / scale
    return np.unique(np.round(np.geomspace(1, len(report.labels) - 1, 60)))


def rate_curves(report: IntrusionReport, name: str, values: Sequence[float] | np.ndarray | None = None) -> RateCurves:
    """Compute what `draw_rates` draws.

    Args:
        report: the virtual samples.
        name: `"threshold"`, `"exponential"` or `"knn"`.
        values: values of the parameter; by default those of `parameter_values`.
    """
    axis = np.asarray(parameter_values(report, name) if values is None else values, dtype=float)
    found = [report.rates(make_graph(name, float(value))) for value in axis]
    lines = {
        f"{what}, {kind}-class pairs": [
            getattr(rates[kind], what) if rates[kind].n_effective >= _FEWEST else _UNKNOWN for rates in found
        ]
        for kind, what, _ in _LINES
    }
    return RateCurves(name, axis, lines)


def draw_shares(
    axes: Any,
    shares: np.ndarray,
    lines: Mapping[str, Sequence[float]],
    levels: Mapping[str, float],
    marked: Mapping[str, tuple[float, float]],
) -> None:
    """Draw how often mixtures intrude against the share of the nearest samples of a batch that may be partners.

    Args:
        axes: matplotlib axes.
        shares: shares of `KNNGraph(share=...)`, ascending, in (0, 1].
        lines: rates at each share, by label.
        levels: rates to draw as horizontal lines, by label.
        marked: points to mark, a share and a rate each, by label.
    """
    for (label, values), color in zip(lines.items(), COLORS, strict=False):
        axes.plot(100 * shares, 100 * np.asarray(values), color=color, marker="o", markersize=4, label=label)
    for (label, level), color, style in zip(levels.items(), (COLORS[7], COLORS[2]), ("--", "-."), strict=False):
        axes.axhline(100 * level, color=color, lw=1.2, ls=style, label=label)
    for (label, (share, rate)), color in zip(marked.items(), COLORS[3:], strict=False):
        axes.plot([100 * share], [100 * rate], ls="", marker="*", ms=13, color=color, label=label)
    axes.set_xscale("log")
    axes.set(xlabel="how far partners may be (nearest % of the batch)", ylabel="look like another class (%)")
    least = min([float(shares[0]), *(share for share, _ in marked.values())])
    axes.set(ylim=(0, None), xlim=(80 * least, 110 * shares[-1]))
    axes.legend(fontsize="small")


def draw_rates(axes: Any, report: IntrusionReport, curves: RateCurves, *, suggested: float | None = None) -> None:
    """Draw the rates of intrusion and contradiction against a graph's parameter, with the overlap of the classes.

    Where both rates are the same at every value, one line stands for both, and its label says so.

    Args:
        axes: matplotlib axes.
        report: the report that the curves belong to.
        curves: from `rate_curves`.
        suggested: a value to mark.
    """
    values = curves.values
    drawn: dict[str, Any] = {}
    for (kind, what, style), (label, rates) in zip(_LINES, curves.lines.items(), strict=True):
        color = COLORS[0] if kind == "within" else COLORS[1]
        percents = [100 * r.value for r in rates]
        same = drawn.get(kind)
        if same is not None and np.allclose(same.get_ydata(), percents, equal_nan=True):
            same.set_label(f"intrusion and {label}")  # the second line would hide below the first
            continue
        (drawn[kind],) = axes.plot(values, percents, style, color=color, label=label)
        if what == "intrusion" and not report.exhaustive:
            low, high = [100 * r.low for r in rates], [100 * r.high for r in rates]
            axes.fill_between(values, low, high, color=color, alpha=0.15, lw=0)
    axes.axhline(100 * report.overlap.value, color=COLORS[7], lw=1, ls="--", label="overlap of the real samples")
    if curves.name != "threshold":
        axes.set_xscale("log")
    if suggested is not None and suggested > 0:
        axes.axvline(suggested, color=COLORS[2], lw=1.5, ls="-.", label="suggested")
    parameter = str(GRAPHS[curves.name].parameter)
    axes.set(xlabel=AXIS_LABELS[parameter], ylabel="virtual samples (%)", ylim=(0, None), xlim=(values[0], values[-1]))
    axes.legend(fontsize="small")


def draw_lipschitz(axes: Any, curve: LipschitzCurve, *, end: float | None = None, label: str | None = None) -> None:
    """Draw Q(D) against the radius, on a logarithmic axis if it grows a hundredfold. Infinite steps are left out.

    Args:
        axes: matplotlib axes.
        curve: from `lipschitz_lower_bound`.
        end: largest radius to draw; by default a little beyond the last step.
        label: for the legend.
    """
    radius, value = np.asarray(curve.radius, dtype=float), np.asarray(curve.value, dtype=float)
    end = max(1.15 * float(radius[-1]), 1e-9) if end is None else end
    finite = np.isfinite(value)
    if finite.any():
        last = value[-1] if finite.all() else np.nan
        axes.step([*radius[finite], end], [*value[finite], last], where="post", label=label)
        if value[finite][-1] > 100 * value[0]:
            axes.set_yscale("log")
    axes.set(xlabel="radius", ylabel="Q(D)", xlim=(0, end))
    if axes.get_yscale() == "linear":
        axes.set_ylim(0, None)


def draw_shapes(axes: Any, shapes: Sequence[ClassShape], names: Sequence[str] | None = None) -> None:
    """Draw into how many pieces each class falls at each radius; at most 12 classes.

    Args:
        axes: matplotlib axes.
        shapes: from `class_shapes`.
        names: a name per shape for the legend; by default the labels.
    """
    labels = [str(shape.label) for shape in shapes] if names is None else list(names)
    for k, (shape, label) in enumerate(zip(shapes[:12], labels, strict=False)):
        if len(shape.merges):
            pieces = 100 * (1 - np.arange(1, len(shape.merges) + 1) / shape.n_used)
            style = "-" if k < len(COLORS) else ":"
            axes.step(shape.merges, pieces, style, where="post", color=COLORS[k % len(COLORS)], label=label)
    axes.set(xlabel="radius", ylabel="pieces per 100 samples", ylim=(0, None))
    if len(shapes) > 1:
        axes.legend(fontsize="small")


def draw_class_matrix(
    axes: Any, report: IntrusionReport, names: Sequence[str] | None = None, *, graph: LocalityGraph | None = None
) -> None:
    """Draw the rate of contradiction for pairs of two classes as a coloured table, in percent.

    Args:
        axes: matplotlib axes.
        report: the virtual samples.
        names: names of the classes; by default the labels.
        graph: see `IntrusionReport.weights`.
    """
    labels = [str(c) for c in report.classes] if names is None else list(names)
    matrix = 100 * report.class_matrix(graph)
    darkest = max(1.0, float(np.nanmax(matrix, initial=0.0)))
    image = axes.imshow(matrix, cmap="OrRd", vmin=0, vmax=darkest)
    for (row, column), value in np.ndenumerate(matrix):
        if value == value:
            color = "white" if _luminance(image.to_rgba(value)) < _AS_LIGHT_AS_DARK else "black"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=color, fontsize="small")
    axes.set_xticks(range(len(labels)), labels, rotation=45 if len(labels) > 4 else 0)
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="class of one end", ylabel="class of the other end")


def _luminance(color: Sequence[float]) -> float:
    """Return the relative luminance of WCAG 2 of a colour of sRGB, whose channels are in [0, 1]."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def draw_virtual_samples(
    axes: Any, report: IntrusionReport, graph: LocalityGraph | None = None, *, count: int = 1500, seed: int = 0
) -> None:
    """Draw two-dimensional data: real samples in colour, virtual ones in grey, and crosses where they intrude.

    Args:
        axes: matplotlib axes.
        report: of data with two features.
        graph: see `IntrusionReport.weights`; virtual samples are drawn in proportion to their weight.
        count: number of virtual samples.
        seed: seed of the draw.
    """
    x, s = report.features.numpy(), report.samples
    counted = s.share * report.weights(graph)
    if counted.sum() > 0:
        some = np.random.default_rng(seed).choice(len(counted), size=count, p=counted / counted.sum())
        mixed = s.lam[some, None] * x[s.first[some]] + (1 - s.lam[some, None]) * x[s.second[some]]
        intrudes = s.intrudes[some] > 0
        axes.scatter(*mixed[~intrudes].T, c=COLORS[7], s=4, alpha=0.5, linewidths=0, zorder=2, rasterized=True)
        axes.scatter(*mixed[intrudes].T, color=axes.xaxis.label.get_color(), s=12, marker="x", linewidths=0.9, zorder=3)
    colors = np.array(COLORS[:6])[report.labels % 6]
    axes.scatter(*x.T, c=colors, s=5, alpha=0.5, linewidths=0, zorder=1, rasterized=True)
    axes.set_xticks([])
    axes.set_yticks([])


def pair_groups(sample: DistanceSample) -> list[tuple[str, np.ndarray]]:
    """Return the pairs within and between classes as labelled masks, or all pairs if there are no classes.

    Args:
        sample: from `localmixup.graphs.fit.sample_distances`.
    """
    if sample.same_class is None:
        return [("all pairs", np.ones(sample.n_pairs, dtype=bool))]
    same = sample.same_class.numpy()
    return [("pairs within a class", same), ("pairs between classes", ~same)]


def draw_distances(axes: Any, sample: DistanceSample, graphs: Mapping[str, LocalityGraph] | None = None) -> None:
    """Draw a histogram of the distances within and between classes, with the weights of graphs over it.

    Args:
        axes: matplotlib axes; a second y axis is added for the weights.
        sample: from `localmixup.graphs.fit.sample_distances`.
        graphs: graphs by label. A neighbour graph is drawn as it is on average.
    """
    values, top = sample.distances.numpy(), sample.quantile(0.999) * 1.05 or 1.0
    edges = np.linspace(0, top, 61)
    for (label, mask), color in zip(pair_groups(sample), COLORS, strict=False):
        shares = np.histogram(values[mask], edges)[0] / max(1, mask.sum())
        axes.bar((edges[1:] + edges[:-1]) / 2, shares, width=edges[1], color=color, alpha=0.5, label=label)
    axes.set(xlabel="distance of two samples", ylabel="share of the pairs of each kind", xlim=(0, top))
    if graphs:
        right = axes.twinx()
        axis = torch.linspace(0, top, 240, dtype=torch.float64)
        for k, (label, graph) in enumerate(graphs.items()):
            # a neighbour graph ranks the distances that it is given, so it gets those of the sample
            if isinstance(graph, DistanceGraph):
                x, weights = axis, graph.of_distance(axis)
            else:
                x, weights = sample.distances, graph.weights_of_distances(sample.distances, population=sample.n_rows)
            right.plot(x.numpy(), weights.numpy(), color=COLORS[2 + k % 6], lw=2, label=label)
        right.set(ylabel="weight W", ylim=(0, 1.05))
        right.legend(fontsize="small", loc="center right")
    axes.legend(fontsize="small", loc="upper right")


def draw_evenness(
    axes: Any, sample: DistanceSample, decays: Sequence[float] | np.ndarray, marks: Mapping[str, float] | None = None
) -> None:
    """Draw how evenly an exponential graph weights the pairs: the ESS ratio and the mean weight against the decay.

    Args:
        axes: matplotlib axes.
        sample: from `localmixup.graphs.fit.sample_distances`.
        decays: values of the decay, > 0.
        marks: decays to mark, by label.
    """
    described = [describe_graph(ExponentialGraph(float(decay)), sample) for decay in decays]
    axes.plot(decays, [d.ess_ratio for d in described], color=COLORS[0], label="effective share of the pairs")
    axes.plot(decays, [d.mean_weight for d in described], color=COLORS[1], label="mean weight")
    for k, (label, decay) in enumerate((marks or {}).items()):
        axes.axvline(decay, color=COLORS[7], ls=":", lw=1)
        axes.annotate(label, (decay, 0.22 - 0.12 * k), xytext=(4, 0), textcoords="offset points", fontsize="small")
    axes.set_xscale("log")
    axes.set(xlabel=AXIS_LABELS["decay"], ylabel="share", ylim=(0, 1.05))
    axes.legend(fontsize="small")


def draw_kept(axes: Any, sample: DistanceSample) -> None:
    """Draw the share of the pairs that a radius keeps.

    Args:
        axes: matplotlib axes.
        sample: from `localmixup.graphs.fit.sample_distances`.
    """
    radii = np.linspace(0, float(sample.distances[-1]), 120)
    kept = np.searchsorted(sample.distances.numpy(), radii, side="right") / sample.n_pairs
    axes.plot(radii, kept, color=COLORS[0])
    axes.set(xlabel="radius", ylabel="share of the pairs kept", ylim=(0, 1.05), xlim=(0, max(float(radii[-1]), 1e-9)))
