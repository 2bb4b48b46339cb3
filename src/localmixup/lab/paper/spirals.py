"""Figures 1 and 3: the spirals themselves, and how mixing along no, near and all segments labels the plane."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.spatial import cKDTree

from localmixup import CompleteGraph, LocalityGraph, PairSampler, ThresholdGraph
from localmixup.lab.data.generators import spirals
from localmixup.lab.paper.bench import Bench, Loaded
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.reading import Reading
from localmixup.lab.paper.section import Answer, Section
from localmixup.lab.report.figure import COLORS, Figure
from localmixup.lab.runs.events import Event

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

READINGS = {"spirals": "published", "spirals-gaussian": "paper"}
RADII = {"none": 0.0, "local, radius 0.5": 0.5, "all pairs": math.inf}
_SIDE = 80
_VIRTUAL = 400_000
_SEGMENTS = 600
_TRIVIAL = 0.99  # of the test samples that the nearest training sample classifies: nothing is left to learn


class Figure1(Item):
    """What mixing labels on the plane."""

    name = "figure1"
    title = "Figure 1: segments and the labels along them"
    claim = (
        "along all pairs virtual samples leave their class and cross the other one; local pairs keep to the manifold"
    )
    size = "1000 points per spiral"
    protocols = ("paper",)
    default = "paper"

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Compute both readings of the spirals, with no, local and all pairs."""
        for panel in READINGS:
            loaded = bench.data(panel)
            for name, radius in RADII.items():
                yield from bench.find(
                    self.name, loaded, lambda loaded=loaded, radius=radius: labels(loaded, radius),  # type: ignore[misc]
                    scale="full", settings=(("pairs", name),),
                )  # fmt: skip

    def section(self, reading: Reading) -> Section:
        """Return the pictures and the shares."""
        figures, sentences, answers = [], [], []
        found = reading.found(self.name)
        for panel in READINGS:
            mine = {str(dict(f.spec.settings)["pairs"]): f.value for f in found if f.spec.panel == panel}
            mine = {name: mine[name] for name in RADII if name in mine}
            if not mine:
                continue
            words = ", ".join(
                f"{name} {100 * value['mislabelled']:.1f} % "
                f"({100 * value['contradicting']:.1f} % of the virtual samples)"
                for name, value in mine.items()
            )
            sentences.append(
                f"{panel}: share of the plane (of {_SIDE} x {_SIDE} cells over the data) whose thresholded label is "
                f"not the class of the nearest sample: {words}."
            )
            figures.append(_labels_figure(panel, mine))
            if len(mine) == len(RADII):
                answers.append(_crossing(panel, mine))
        missing = [] if found else ["paper: not run"]
        return self.reported(reading, sentences, figures=figures, missing=missing, answers=answers)


class Figure3(Item):
    """The two spirals."""

    name = "figure3"
    title = "Figure 3: the two spirals, in both readings of their generator"
    claim = "1000 points per class with Gaussian noise of 1.5, so large that no solution is trivial"
    size = "1000 points per spiral"
    protocols = ("paper",)
    default = "paper"

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Compute how hard each reading is."""
        for panel in READINGS:
            loaded = bench.data(panel)
            yield from bench.find(self.name, loaded, lambda loaded=loaded: hardness(loaded), scale="full")  # type: ignore[misc]

    def section(self, reading: Reading) -> Section:
        """Return both draws, and how hard they are."""
        sentences = [
            f"{f.spec.panel}: the nearest training sample tells the class of {100 * f.value['nearest']:.1f} % of the "
            f"test samples; {100 * f.value['mirrored']:.0f} % of them have their exact mirror image, of the other "
            "class, in the training set."
            for f in reading.found(self.name)
        ]
        if not sentences:
            return self.reported(reading, [], missing=["paper: not run"])
        answers = [
            Answer(
                f"no solution is trivial: {f.spec.panel}",
                "not trivial",
                f"the nearest sample is right for {100 * f.value['nearest']:.1f} %",
                "does not hold" if f.value["nearest"] > _TRIVIAL else "holds",
            )
            for f in reading.found(self.name)
        ]
        sentences.append(
            "The arrays in the authors' repository fit uniform noise of 0.5 and a mirrored second spiral, not the "
            "noise that the paper states; on them the problem is trivial."
        )
        title = "left: as the code draws them; right: as the text says"
        both = Figure("figure3", title, "", _draw_spirals, [], [], size=(7.2, 3.8))
        return self.reported(reading, sentences, figures=[both], missing=[], answers=answers)


def _crossing(panel: str, found: dict[str, dict[str, Any]]) -> Answer:
    """Whether fewer labels are wrong with local pairs than with all."""
    _, near, far = (found[name]["mislabelled"] for name in RADII)
    ours = f"{100 * near:.1f} % of the plane instead of {100 * far:.1f} %"
    claim = f"fewer wrong labels along local pairs: {panel}"
    return Answer(claim, "less", ours, "holds" if near < far else "does not hold")


def labels(loaded: Loaded, radius: float) -> dict[str, Any]:
    """Return how mixing along the pairs within a radius labels the plane.

    Args:
        loaded: one reading of the spirals.
        radius: of the threshold graph; 0 for no mixing, infinity for all pairs.
    """
    x, y = loaded.prepared.x, loaded.prepared.y
    generator = torch.Generator().manual_seed(0)
    first = second = torch.arange(len(x))
    if radius > 0:
        graph: LocalityGraph = CompleteGraph() if math.isinf(radius) else ThresholdGraph(radius)
        first, second = PairSampler(x, graph, 1, generator, mixed_share=1.0, first_ends="row sums").sample(_VIRTUAL)
    lam = torch.rand(len(first), generator=generator, dtype=torch.float64)
    points = (lam[:, None] * x[first] + (1 - lam)[:, None] * x[second]).numpy()
    label = (lam * y[first] + (1 - lam) * y[second]).numpy()
    low, high = x.numpy().min(axis=0), x.numpy().max(axis=0)
    cell = ((points - low) / (high - low) * (_SIDE - 1e-9)).astype(int).clip(0, _SIDE - 1)
    flat = cell[:, 0] * _SIDE + cell[:, 1]
    hits, sums = np.bincount(flat, minlength=_SIDE**2), np.bincount(flat, weights=label, minlength=_SIDE**2)
    hit = hits > 0
    mean = np.divide(sums, hits, out=np.full(_SIDE**2, -1.0), where=hit)
    centres = (np.indices((_SIDE, _SIDE)).reshape(2, -1).T + 0.5) / _SIDE * (high - low) + low
    tree, classes = cKDTree(x.numpy()), y.numpy()
    truth = classes[tree.query(centres)[1]]
    wrong = (mean > 0.5) != (truth == 1)
    virtual_wrong = (label > 0.5) != (classes[tree.query(points)[1]] == 1)
    keep = torch.randperm(len(first), generator=generator)[:_SEGMENTS]
    ends = torch.cat([x[first[keep]], x[second[keep]]], dim=1)
    return {
        "mislabelled": float((wrong & hit).mean()),
        "contradicting": float(virtual_wrong.mean()),
        "labels": np.where(hit, np.round(100 * mean), -1).astype(int).tolist(),
        "box": [*low.tolist(), *high.tolist()],
        "segments": np.round(ends.numpy(), 3).tolist() if radius > 0 else [],
        "segment_classes": [[int(y[a]), int(y[b])] for a, b in zip(first[keep], second[keep], strict=True)],
    }


def hardness(loaded: Loaded) -> dict[str, Any]:
    """Return how well the nearest training sample tells the class, and how many test samples have a mirror image."""
    p = loaded.prepared
    tree = cKDTree(p.x.numpy())
    _, index = tree.query(p.x_test.numpy())
    centre = (p.mean * p.scale).numpy()  # the mirror is at the origin of the data before they were standardised
    mirror, _ = tree.query(-p.x_test.numpy() - 2 * centre)
    return {
        "nearest": float((p.y.numpy()[index] == p.y_test.numpy()).mean()),
        "mirrored": float((mirror < 1e-4).mean()),
    }


def _panes(canvas: Canvas, titles: Sequence[str]) -> list[Axes]:
    axes: list[Axes] = list(np.atleast_1d(canvas.subplots(1, len(titles))))
    for one, title in zip(axes, titles, strict=True):
        one.set_axis_off()
        one.set_aspect("equal")
        one.set_title(title, fontsize=9)
    return axes


def _labels_figure(panel: str, found: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The thresholded labels of the plane, and some of the segments, one pane for each kind of pairs."""
    head = ["pairs", "mislabelled plane, %", "contradicting virtual samples, %"]
    rows = [[name, f"{100 * v['mislabelled']:.1f}", f"{100 * v['contradicting']:.1f}"] for name, v in found.items()]
    titles = [f"{name}: {100 * value['mislabelled']:.1f} % mislabelled" for name, value in found.items()]

    def draw(canvas: Canvas) -> None:
        from matplotlib.collections import LineCollection
        from matplotlib.colors import to_rgb

        colors = np.array([to_rgb(color) for color in COLORS[:2]])
        for one, value in zip(_panes(canvas, titles), found.values(), strict=True):
            grid = np.array(value["labels"]).reshape(_SIDE, _SIDE)
            shade = np.where((grid < 0)[..., None], 1.0, 0.55 * colors[(grid > 50).astype(int)] + 0.45)
            low_x, low_y, high_x, high_y = value["box"]
            one.imshow(shade.swapaxes(0, 1), extent=(low_x, high_x, low_y, high_y), origin="lower")
            one.set(xlim=(low_x, high_x), ylim=(low_y, high_y))
            if value["segments"]:
                lines = np.array(value["segments"]).reshape(-1, 2, 2)
                shades = [colors[a] if a == b else (0.25, 0.25, 0.25) for a, b in value["segment_classes"]]
                one.add_collection(
                    LineCollection(list(lines), colors=shades, linewidths=0.4, alpha=0.45, rasterized=True)
                )

    title = f"{panel}: segments and thresholded labels"
    return Figure(f"figure1-{panel}", title, "", draw, head, rows, size=(3.6 * len(found), 3.8))


def _draw_spirals(canvas: Canvas) -> None:
    titles = [f"{name} ({reading})" for name, reading in READINGS.items()]
    for one, reading in zip(_panes(canvas, titles), READINGS.values(), strict=True):
        points, classes = spirals(reading=reading)
        for c in (0, 1):
            part = points[classes == c]
            one.scatter(part[:, 0], part[:, 1], s=4, color=COLORS[c], rasterized=True)
