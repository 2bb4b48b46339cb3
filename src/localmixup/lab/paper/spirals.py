"""Figures 1 and 3: the spirals themselves, and how mixing along no, near and all segments labels the plane."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree

from localmixup import CompleteGraph, LocalityGraph, PairSampler, ThresholdGraph
from localmixup.lab.data.generators import spirals
from localmixup.lab.paper.bench import Bench, Loaded
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.reading import Reading
from localmixup.lab.paper.section import Section, Still
from localmixup.lab.report.pictures import CLASS_COLORS
from localmixup.lab.runs.spec import FindingSpec

READINGS = {"spirals": "published", "spirals-gaussian": "paper"}
RADII = {"none": 0.0, "local, radius 0.5": 0.5, "all pairs": math.inf}
_SIDE = 80
_VIRTUAL = 400_000
_SEGMENTS = 600


class Figure1(Item):
    """What mixing labels on the plane."""

    name = "figure1"
    title = "Figure 1: segments and the labels along them"
    claim = (
        "along all pairs virtual samples leave their class and cross the other one; local pairs keep to the manifold"
    )
    size = "1000 points a spiral"
    protocols = ("paper",)
    default = "paper"

    def run(self, bench: Bench) -> None:
        """Both readings of the spirals, with none, local and all pairs."""
        for panel in READINGS:
            for name, radius in RADII.items():
                spec = FindingSpec(
                    item=self.name, protocol=bench.protocol, scale="full", panel=panel, data=bench.data(panel).spec,
                    settings=(("pairs", name),),
                )  # fmt: skip
                bench.find(spec, lambda panel=panel, radius=radius: labels(bench.data(panel), radius))  # type: ignore[misc]

    def section(self, reading: Reading) -> Section:
        """The pictures, and the shares."""
        stills, sentences = [], []
        found = reading.found(self.name)
        for panel in READINGS:
            mine = {str(dict(f.spec.settings)["pairs"]): f.value for f in found if f.spec.panel == panel}
            if not mine:
                continue
            words = ", ".join(
                f"{name} {100 * mine[name]['mislabelled']:.1f} % "
                f"({100 * mine[name]['contradicting']:.1f} % of the virtual samples)"
                for name in RADII
                if name in mine
            )
            sentences.append(
                f"{panel}: share of the plane (of {_SIDE} x {_SIDE} cells over the data) whose thresholded label is "
                f"not the class of the nearest sample: {words}."
            )
            stills.append(Still(f"figure1-{panel}", _drawn(mine), f"{panel}: segments and thresholded labels"))
        return Section(
            self.name, self.title, self.claim, [], [], stills, sentences, [] if found else ["paper: not run"]
        )


class Figure3(Item):
    """The two spirals."""

    name = "figure3"
    title = "Figure 3: the two spirals, in both readings of their generator"
    claim = "1000 points a class with Gaussian noise of 1.5, so large that no solution is trivial"
    size = "1000 points a spiral"
    protocols = ("paper",)
    default = "paper"

    def run(self, bench: Bench) -> None:
        """The error of the nearest neighbour on both readings: how hard each is."""
        for panel in READINGS:
            spec = FindingSpec(
                item=self.name, protocol=bench.protocol, scale="full", panel=panel, data=bench.data(panel).spec
            )
            bench.find(spec, lambda panel=panel: hardness(bench.data(panel)))  # type: ignore[misc]

    def section(self, reading: Reading) -> Section:
        """Both draws, and how hard they are."""
        sentences = [
            f"{f.spec.panel}: the nearest training sample tells the class of {100 * f.value['nearest']:.1f} % of the "
            f"test samples; {100 * f.value['mirrored']:.0f} % of them have their exact mirror image, of the other "
            "class, in the training set."
            for f in reading.found(self.name)
        ]
        if sentences:
            sentences.append(
                "The arrays in the authors' repository fit uniform noise of 0.5 and a mirrored second spiral, not the "
                "noise that the paper states; on them the problem is trivial."
            )
        stills = (
            [Still("figure3", _both(), "left: as the code draws them; right: as the text says")] if sentences else []
        )
        return Section(
            self.name, self.title, self.claim, [], [], stills, sentences, [] if sentences else ["paper: not run"]
        )


def labels(loaded: Loaded, radius: float) -> dict[str, Any]:
    """How mixing along the pairs within a radius labels the plane.

    Args:
        loaded: one reading of the spirals.
        radius: of the threshold graph; 0 for no mixing, infinity for all pairs.
    """
    x, y = loaded.prepared.x, loaded.prepared.y
    generator = torch.Generator().manual_seed(0)
    first = second = torch.arange(len(x))
    if radius > 0:
        graph: LocalityGraph = CompleteGraph() if math.isinf(radius) else ThresholdGraph(radius)
        first, second = PairSampler(x, graph, 1, generator, mixed_share=1.0).sample(_VIRTUAL)
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
    """How well the nearest training sample tells the class, and how many test samples have a mirror image there."""
    p = loaded.prepared
    tree = cKDTree(p.x.numpy())
    _, index = tree.query(p.x_test.numpy())
    centre = (p.mean * p.scale).numpy()  # the mirror is at the origin of the data as they were before standardising
    mirror, _ = tree.query(-p.x_test.numpy() - 2 * centre)
    return {
        "nearest": float((p.y.numpy()[index] == p.y_test.numpy()).mean()),
        "mirrored": float((mirror < 1e-4).mean()),
    }


def _canvas(columns: int) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(3.6 * columns, 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(1, columns))
    for one in axes:
        one.set_xticks([])
        one.set_yticks([])
        one.set_aspect("equal")
    return figure, axes


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _drawn(found: dict[str, Any]) -> bytes:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    figure, axes = _canvas(len(found))
    colors = np.array([to_rgb(c) for c in CLASS_COLORS[:2]])
    for one, name in zip(axes, [n for n in RADII if n in found], strict=True):
        value = found[name]
        grid = np.array(value["labels"]).reshape(_SIDE, _SIDE)
        shade = np.where((grid < 0)[..., None], 1.0, 0.55 * colors[(grid > 50).astype(int)] + 0.45)
        low_x, low_y, high_x, high_y = value["box"]
        one.imshow(shade.swapaxes(0, 1), extent=(low_x, high_x, low_y, high_y), origin="lower")
        if value["segments"]:
            lines = np.array(value["segments"]).reshape(-1, 2, 2)
            shades = [colors[a] if a == b else (0.25, 0.25, 0.25) for a, b in value["segment_classes"]]
            one.add_collection(LineCollection(list(lines), colors=shades, linewidths=0.4, alpha=0.45))
        one.set_title(f"{name}: {100 * value['mislabelled']:.1f} % mislabelled", fontsize=10)
    return _png(figure)


def _both() -> bytes:
    figure, axes = _canvas(2)
    for one, (name, reading) in zip(axes, READINGS.items(), strict=True):
        points, classes = spirals(reading=reading)
        for c in (0, 1):
            part = points[classes == c]
            one.scatter(part[:, 0], part[:, 1], s=4, color=CLASS_COLORS[c])
        one.set_title(f"{name} ({reading})", fontsize=10)
    return _png(figure)
