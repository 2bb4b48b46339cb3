"""The figures of an inspection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from localmixup import CompleteGraph, ExponentialGraph, KNNGraph, LocalityGraph, ThresholdGraph
from localmixup.geometry import plots
from localmixup.graphs.fit import describe_graph
from localmixup.lab.inspection import Inspection, class_name, percent
from localmixup.lab.report.distance_figures import distance_figure
from localmixup.lab.report.figure import Figure, on_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PUBLISHED_DECAYS = {"paper, Fashion-MNIST": 1e-3, "paper, CIFAR-10": 3e-3}
"""The paper's decays (section 5.2), for images normalised by channel."""

SHARES = np.array([0.02, 0.03, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0])
"""Shares of the nearest samples of a batch on the axis of the main figure."""

SHAPE_HEAD = [
    "class", "samples (used)", "half joined at", "99 % joined at", "one piece at", "longest loop (appears, filled)",
]  # fmt: skip
_MOST_CLASSES = 30
_VIRTUAL = 1500
_NAME_CHARACTERS = 16


def share_figure(found: Inspection) -> Figure | None:
    """Return how often mixtures look like another class against how far partners may be; None without classes.

    Args:
        found: an inspection.
    """
    regions = found.regions
    if regions is None:
        return None
    size = int(found.settings["batch_size"])
    lines = {
        label: [regions.rates(KNNGraph(share=float(share)), batch_size=size)[kind].value for share in SHARES]
        for label, kind in (("mixtures within a class", "within"), ("all mixtures", "all"))
    }
    rows = [
        [f"{100 * share:g} %", percent(within), percent(every)]
        for share, within, every in zip(SHARES, *lines.values(), strict=True)
    ]
    taken = {"the recipe to take": (mean_reach(found), found.taken.error)}

    levels = {"samples themselves": regions.error.value, "accepted within a class": regions.accepted_within}

    def draw(axes: Axes) -> None:
        plots.draw_shares(axes, SHARES, lines, levels, taken)

    caption = (
        "The farther away the partners may be, the more mixtures look like another class. The line within a class "
        "should stay below the accepted level, which is what the samples themselves show, with room for chance. The "
        "star is the recipe to take, at the mean rank of its partners."
    )
    head = ["nearest share of the batch", "mixtures within a class", "all mixtures"]
    return Figure("shares", "How often mixtures look like another class", caption, on_axes(draw), head, rows)


def mean_reach(found: Inspection) -> float:
    """Return the mean rank of the partners of the recipe to take, as a share of the other samples.

    Args:
        found: an inspection of data with classes.
    """
    assert found.report is not None
    pairs = found.report.pairs
    frequency = pairs.mixing(found.taken.mix, batch_size=int(found.settings["batch_size"])).frequency
    return float(np.average(pairs.rank, weights=frequency)) / max(1, len(found.features) - 1)


def radius_figure(found: Inspection) -> Figure | None:
    """Return the rates of intrusion and contradiction against the radius; None without classes.

    Args:
        found: an inspection.
    """
    report = found.report
    if report is None:
        return None
    curves = plots.rate_curves(report, "threshold")
    radii = [one.mix.graph.radius for one in found.suggestions if isinstance(one.mix.graph, ThresholdGraph)]
    caption = (
        "Solid lines show intrusion: the nearest real sample is of a class with no part in the label. Dotted lines "
    )
    caption += "show contradiction: another class has the larger part. Nothing is drawn where too few mixtures count."
    rows = [
        [f"{curves.values[k]:.4g}", *(percent(rates[k].value) for rates in curves.lines.values())]
        for k in np.unique(np.linspace(0, len(curves.values) - 1, 8).astype(int))
    ]
    draw = on_axes(lambda axes: plots.draw_rates(axes, report, curves, suggested=radii[0] if radii else None))
    return Figure("rates-radius", "Intrusion against the radius", caption, draw, ["radius", *curves.lines], rows)


def class_figure(found: Inspection) -> Figure | None:
    """Return the rate of contradiction by the classes of the two ends, for mixup of all pairs; None for many classes.

    Args:
        found: an inspection of data with classes.
    """
    report = found.report
    if report is None or len(report.classes) > _MOST_CLASSES:
        return None
    names = [found.data.class_names[int(c)] for c in report.classes]
    matrix = 100 * report.class_matrix(CompleteGraph())
    rows = [[name, *("" if v != v else f"{v:.0f}" for v in row)] for name, row in zip(names, matrix, strict=True)]

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.grid(visible=False)
        plots.draw_class_matrix(axes, report, [_short(name) for name in names], graph=CompleteGraph())

    caption = (
        "Percent of the mixtures of a class (row) with a class (column), of all pairs, whose nearest real sample is of "
        "a class with less part in the label than another one. Darker is worse."
    )
    side = 1.4 + 0.42 * max(3, len(names))
    return Figure(
        "classes",
        "Wrong labels by class, for mixup of all samples",
        caption,
        draw,
        ["", *names],
        rows,
        size=(side + 0.8, side),
    )


def _short(name: str) -> str:
    """A class name that leaves room for the drawing; the table has it in full."""
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"


def inspection_distances(found: Inspection) -> Figure:
    """Return the histogram of distances, with the weights of a suggested radius over it.

    Args:
        found: an inspection.
    """
    graphs: dict[str, LocalityGraph] = {
        f"weight, radius {one.mix.graph.radius:.4g}": one.mix.graph
        for one in found.suggestions
        if isinstance(one.mix.graph, ThresholdGraph)
    }
    return distance_figure(found.sample, graphs)


def _scale(found: Inspection) -> float:
    """The median distance, or the mean one if most samples coincide; never zero."""
    return found.sample.median or float(found.sample.distances.mean()) or 1.0


def evenness_figure(found: Inspection) -> Figure:
    """Return how evenly a decay weights the pairs.

    Args:
        found: an inspection.
    """
    marks = PUBLISHED_DECAYS if found.data.x.dtype == np.uint8 else {}
    low = min([1e-3 / _scale(found), *(value / 3 for value in marks.values())])
    decays = np.geomspace(low, 60 / _scale(found), 40)
    shown = {f"{value:g} ({name})": value for name, value in marks.items()}
    shown |= {f"{decays[k]:.3g}": float(decays[k]) for k in np.linspace(0, len(decays) - 1, 6).astype(int)}
    rows = []
    for name, decay in shown.items():
        described = describe_graph(ExponentialGraph(decay), found.sample)
        rows.append([name, f"{described.ess_ratio:.4f}", f"{described.mean_weight:.4f}"])
    return Figure(
        "evenness",
        "Evenness of the weights against the decay",
        "Dotted lines mark the paper's decays, for images normalised by channel." if marks else "",
        on_axes(lambda axes: plots.draw_evenness(axes, found.sample, decays, marks)),
        ["decay", "effective share of the pairs", "mean weight"],
        rows,
        size=(6.0, 3.4),
    )


def kept_figure(found: Inspection) -> Figure:
    """Return the share of the pairs that a radius keeps.

    Args:
        found: an inspection.
    """
    others = len(found.features) - 1
    rows = [
        [f"{100 * share:g} % of the pairs", f"{found.sample.quantile(share):.4g}", f"{max(1, round(share * others)):,}"]
        for share in (0.001, 0.01, 0.05, 0.2, 0.5, 1.0)
    ]
    draw = on_axes(lambda axes: plots.draw_kept(axes, found.sample))
    head = ["kept", "radius", "n_neighbors"]
    return Figure("kept", "Share of the pairs kept against the radius", "", draw, head, rows, size=(6.0, 3.0))


def lipschitz_figure(found: Inspection) -> Figure | None:
    """Return Q(D) against the radius; None without classes.

    Args:
        found: an inspection.
    """
    curve = found.curve
    if curve is None:
        return None
    end = 1.1 * max(float(curve.radius[-1]), _scale(found))
    steps = [[f"{radius:.4g}", f"{value:.4g}"] for radius, value in zip(curve.radius, curve.value, strict=True)]
    caption = "" if len(steps) <= 13 else f"The table holds the first 12 of {len(steps)} steps and the last."
    rows = steps if len(steps) <= 13 else [*steps[:12], steps[-1]]
    draw = on_axes(lambda axes: plots.draw_lipschitz(axes, curve, end=end))
    return Figure("lipschitz", "Q(D) against the radius", caption, draw, ["from radius", "Q"], rows, size=(6.0, 3.2))


def shape_figure(found: Inspection) -> Figure:
    """Return into how many pieces each class falls at each radius.

    Args:
        found: an inspection.
    """
    names = [class_name(found, shape) for shape in found.shapes]
    draw = on_axes(lambda axes: plots.draw_shapes(axes, found.shapes, [_short(name) for name in names]))
    caption = "Only the first 12 classes are drawn." if len(names) > 12 else ""
    return Figure("shape", "Pieces of each class against the radius", caption, draw, SHAPE_HEAD, shape_rows(found))


def shape_rows(found: Inspection) -> list[list[str]]:
    """Return the table of shapes, one row per class.

    Args:
        found: an inspection.
    """
    rows = []
    for shape in found.shapes:
        loop = "-"
        if shape.loops is not None and len(shape.loops):
            loop = f"{shape.loops[0, 0]:.3g}, {shape.loops[0, 1]:.3g}"
        joined = [f"{np.quantile(shape.merges, q):.3g}" if len(shape.merges) else "-" for q in (0.5, 0.99, 1.0)]
        rows.append([class_name(found, shape), f"{shape.n_samples:,} ({shape.n_used:,})", *joined, loop])
    return rows


def plane_figure(found: Inspection) -> Figure | None:
    """Return, for two-dimensional data, where the virtual samples lie; None for other data.

    Args:
        found: an inspection.
    """
    report = found.report
    if report is None or found.features.shape[1] != 2:
        return None
    graphs: dict[str, LocalityGraph] = {"mixup, all pairs": CompleteGraph()}
    graphs["the recipe to take"] = found.taken.mix.graph

    def draw(canvas: Canvas) -> None:
        for axes, (title, graph) in zip(canvas.subplots(1, len(graphs), squeeze=False)[0], graphs.items(), strict=True):
            plots.draw_virtual_samples(axes, report, graph)
            axes.set_title(title, fontsize=10)
            axes.set_axis_off()

    caption = (
        f"Real samples are coloured by class, {_VIRTUAL:,} mixtures are grey. A cross marks a mixture "
        "that falls in the region of a class with no part in its label."
    )
    return Figure("plane", "Mixtures in the plane", caption, draw, [], [], size=(3.6 * len(graphs), 3.8))
