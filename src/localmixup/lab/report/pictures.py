"""The still pictures of a report: decision regions with the kept segments (the paper's Fig. 1), and mixed images."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from localmixup import CompleteGraph, LocalityGraph, PairSampler
from localmixup._distances import distances_of_pairs
from localmixup.graphs.base import DistanceGraph, KNNGraph
from localmixup.lab.analysis.comparison import Comparison
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.methods.graphs import graph_of
from localmixup.lab.report.figures import local_rows
from localmixup.lab.runs.evaluate import region_box, unpack_regions
from localmixup.lab.runs.store import Record

_SEGMENTS = 500
_STRIP = 7
CLASS_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


class Picture(NamedTuple):
    """A picture in the page.

    Attributes:
        uri: the picture itself, as a data URI.
        caption: below it.
        alt: what there is to see.
    """

    uri: str
    caption: str
    alt: str


def decision_regions(comparison: Comparison, records: dict[str, Record], prepared: Prepared) -> list[Picture]:
    """For two-dimensional data: what each method learned, and the segments that it mixes along.

    Args:
        comparison: what was found.
        records: of its rows, by key.
        prepared: the data.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure as Canvas

    if tuple(prepared.x.shape[1:]) != (2,) or prepared.task != "classification":
        return []
    low, high = region_box(prepared.x)
    colors = np.array([to_rgb(CLASS_COLORS[c % len(CLASS_COLORS)]) for c in range(prepared.outputs)])
    pictures = []
    for row in comparison.rows:
        packed = records[row.keys[0]].outcome.regions
        if row.control_of or packed is None:
            continue
        regions = unpack_regions(packed)
        figure = Canvas(figsize=(4.2, 4.2), dpi=110)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.imshow(
            0.45 * colors[regions.T] + 0.55, extent=(low[0], high[0], low[1], high[1]), origin="lower", aspect="auto"
        )
        graph = graph_of(row.spec)
        if row.spec.method != "vanilla" and row.method not in ("within-class", "between-class"):
            first, second = _pairs(prepared.x, graph)
            same = prepared.y[first] == prepared.y[second]
            strokes = torch.stack([prepared.x[first], prepared.x[second]], dim=1).numpy()
            shades = [colors[int(c)] if s else (0.25, 0.25, 0.25) for c, s in zip(prepared.y[first], same, strict=True)]
            axes.add_collection(LineCollection(list(strokes), colors=shades, linewidths=0.5, alpha=0.5))
        points = prepared.x_test.numpy()
        axes.scatter(
            points[:, 0],
            points[:, 1],
            c=colors[prepared.y_test.numpy()],
            s=5,
            edgecolors="white",
            linewidths=0.2,
            zorder=3,
        )
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
        buffer = io.BytesIO()
        with mpl.rc_context():
            figure.savefig(buffer, format="png")
        caption = f"{row.label}: {row.error.mean:.2f} % error" + (f" ({row.chosen})" if row.chosen else "")
        pictures.append(Picture(png_uri(buffer.getvalue()), caption, f"decision regions of {row.label}"))
    return pictures


def strip(comparison: Comparison, data: DataSet, prepared: Prepared, *, seed: int = 0) -> list[Picture]:
    """For images: mixed pairs from near to far, half of each, with the weight that the chosen graph gives them.

    Args:
        comparison: what was found.
        data: the images as they were read.
        prepared: the images as distances are measured on them.
        seed: of the pairs.
    """
    if data.kind != "image" or data.shape[0] not in (1, 3):
        return []
    generator = torch.Generator().manual_seed(seed)
    x = prepared.x[torch.randperm(len(prepared.x), generator=generator)[:400]]
    first, second = torch.triu_indices(len(x), len(x), offset=1)
    far = distances_of_pairs(x, first, second)
    chosen = local_rows(comparison)
    graph = graph_of(chosen[0].spec) if chosen else CompleteGraph()
    order, pictures = far.argsort(), []
    for k in torch.linspace(0, len(order) - 1, _STRIP).long():
        pair = order[k]
        a, b = x[first[pair]], x[second[pair]]
        tiles = torch.cat([a, (a + b) / 2, b], dim=2)
        weight = _weight(graph, far, float(far[pair]), prepared)
        told = f", weight {weight}" if chosen else ""
        caption = f"distance {float(far[pair]):.3g}{told}"
        pictures.append(Picture(image_uri(tiles, data), caption, f"two images and their mean, {caption}"))
    return pictures


def _weight(graph: LocalityGraph, far: Tensor, distance: float, prepared: Prepared) -> str:
    if isinstance(graph, KNNGraph):
        share = float((far <= distance).double().mean())
        return "1" if share <= graph.n_neighbors / max(1, len(prepared.x) - 1) else "0"
    assert isinstance(graph, DistanceGraph)
    return f"{float(graph.of_distance(torch.tensor([distance], dtype=torch.float64))[0]):.2g}"


def _pairs(x: Tensor, graph: LocalityGraph) -> tuple[Tensor, Tensor]:
    sampler = PairSampler(x, graph, 1, torch.Generator().manual_seed(0))
    share = None if sampler.mixed_share == 0 else 1.0
    return PairSampler(x, graph, 1, torch.Generator().manual_seed(0), mixed_share=share).sample(_SEGMENTS)


def image_uri(tiles: Tensor, data: DataSet) -> str:
    """An image as a data URI, its values stretched to the full range.

    Args:
        tiles: shape `(channels, height, width)`.
        data: tells the channels and the size of one image.
    """
    low, high = tiles.min(), tiles.max()
    pixels = ((tiles - low) / (high - low).clamp_min(1e-6) * 255).round().to(torch.uint8).movedim(0, -1).numpy()
    image = Image.fromarray(pixels[..., 0] if data.shape[0] == 1 else pixels)
    factor = max(1, round(64 / data.shape[1]))
    buffer = io.BytesIO()
    image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST).save(buffer, format="PNG")
    return png_uri(buffer.getvalue())


def png_uri(png: bytes) -> str:
    """A picture as a data URI.

    Args:
        png: its bytes.
    """
    return "data:image/png;base64," + base64.b64encode(png).decode()
