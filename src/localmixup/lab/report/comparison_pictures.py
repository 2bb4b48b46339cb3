"""What the methods of a comparison do to the data: decision regions with mixed segments (Fig. 1), mixed images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from localmixup import LocalMixup
from localmixup._distances import distances_of_pairs
from localmixup.lab.analysis.comparison import ComparedArm, Comparison
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.methods.recipe import config_of
from localmixup.lab.report.figure import COLORS, Figure
from localmixup.lab.report.images import drawable, fill, image_figure
from localmixup.lab.runs.evaluate import region_box, unpack_regions
from localmixup.lab.runs.store import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SEGMENTS = 500
"""How many mixed segments are drawn at most."""

STRIP_SAMPLES = 400
"""Among how many images the mixed pairs are looked for."""

_STRIP = 7
_BETWEEN = (0.25, 0.25, 0.25)


def region_figures(comparison: Comparison, records: Mapping[str, Record], prepared: Prepared) -> list[Figure]:
    """Return, for two-dimensional data, what each method learned and the segments that it mixes along.

    Args:
        comparison: what was found.
        records: the records of its rows, by key.
        prepared: the data.
    """
    if tuple(prepared.x.shape[1:]) != (2,) or prepared.task != "classification":
        return []
    found = [(row, records[row.keys[0]].outcome.regions) for row in comparison.rows if row.kind != "control"]
    size = comparison.training.batch_size
    return [
        _region_figure(f"regions-{k}", row, unpack_regions(packed), prepared, size)
        for k, (row, packed) in enumerate(found)
        if packed is not None
    ]


def _region_figure(name: str, row: ComparedArm, regions: np.ndarray, prepared: Prepared, size: int) -> Figure:
    def draw(canvas: Canvas) -> None:
        from matplotlib.collections import LineCollection
        from matplotlib.colors import to_rgb

        colors = np.array([to_rgb(COLORS[c % 6]) for c in range(prepared.outputs)])
        (left, bottom), (right, top) = region_box(prepared.x)
        axes = canvas.subplots()
        axes.set_axis_off()
        fill(canvas)
        axes.set_rasterization_zorder(10)
        axes.imshow(0.45 * colors[regions.T] + 0.55, extent=(left, right, bottom, top), origin="lower", aspect="auto")
        if row.spec.method == "recipe":
            first, second = _pairs(prepared, LocalMixup.from_config(config_of(row.spec)), size)
            ends = torch.stack([prepared.x[first], prepared.x[second]], dim=1).numpy()
            classes = prepared.y[torch.stack([first, second], dim=1)].tolist()
            shades = [tuple(colors[a]) if a == b else _BETWEEN for a, b in classes]
            axes.add_collection(LineCollection(list(ends), colors=shades, linewidths=0.5, alpha=0.5))
        x, y = (part.numpy() for part in ((prepared.x_test, prepared.y_test) if len(prepared.x_test) else prepared[:2]))
        axes.scatter(x[:, 0], x[:, 1], c=colors[y], s=5, edgecolors="white", linewidths=0.2, zorder=3)
        axes.set(xlim=(left, right), ylim=(bottom, top))

    caption = f"{row.label}: {row.error.mean:.2f} % error ({row.settings})"
    return Figure(name, f"decision regions of {row.label}", caption, draw, [], [], size=(3.4, 3.4))


def _pairs(prepared: Prepared, mix: LocalMixup, size: int) -> tuple[Tensor, Tensor]:
    """Draw pairs of batches as the recipe does, without the samples that it leaves unmixed."""
    generator = torch.Generator().manual_seed(0)
    mix.generator = generator
    first, second = [], []
    for _ in range(-(-SEGMENTS // size)):
        rows = torch.randperm(len(prepared.x), generator=generator)[:size]
        plan = mix.plan(prepared.x[rows], prepared.y[rows])
        moved = (plan.partner != torch.arange(len(rows))) & (plan.lam < 1) & (plan.weights > 0)
        first.append(rows[moved])
        second.append(rows[plan.partner[moved]])
    return torch.cat(first), torch.cat(second)


def strip_figures(data: DataSet, prepared: Prepared) -> list[Figure]:
    """Return, for images, mixed pairs from near to far, half of each.

    Args:
        data: the images as they were read.
        prepared: the images as distances are measured on them.
    """
    if not drawable(data):
        return []
    generator = torch.Generator().manual_seed(0)
    x = prepared.x[torch.randperm(len(prepared.x), generator=generator)[:STRIP_SAMPLES]]
    first, second = torch.triu_indices(len(x), len(x), offset=1)
    distances, order = distances_of_pairs(x, first, second).double().sort()
    figures = []
    for k, place in enumerate(torch.linspace(0, len(order) - 1, _STRIP).long().tolist()):
        a, b = x[first[order[place]]], x[second[order[place]]]
        caption = (
            f"distance {distances[place]:.3g}: {100 * place / max(1, len(order) - 1):.0f} % of the pairs are nearer"
        )
        image = torch.cat([a, (a + b) / 2, b], dim=2)
        figures.append(image_figure(f"strip-{k}", f"two images and their mean, {caption}", caption, image))
    return figures
