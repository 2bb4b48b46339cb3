"""The histogram of distances, which the pages of a comparison and of an inspection share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from localmixup import LocalityGraph
from localmixup.geometry.plots import draw_distances, pair_groups
from localmixup.graphs.fit import DistanceSample
from localmixup.lab.report.figure import Figure, on_axes


def distance_figure(sample: DistanceSample, graphs: Mapping[str, LocalityGraph]) -> Figure:
    """Return a histogram of distances within and between classes, with the weights of graphs over it.

    Args:
        sample: distances of pairs of samples.
        graphs: graphs by the label of their curve.
    """
    rows = []
    for name, mask in pair_groups(sample):
        distances = sample.distances.numpy()[mask]
        quantiles = np.quantile(distances, [0.01, 0.25, 0.5, 0.75, 0.99]) if len(distances) else [np.nan] * 5
        rows.append([name, *(f"{q:.4g}" for q in quantiles)])
    caption = "Bars show the share of the pairs of each kind (left axis)."
    if graphs:
        caption += " Lines show the weight that a graph gives to a pair (right axis)."
    return Figure(
        "distances",
        "Distances of pairs",
        caption,
        on_axes(lambda axes: draw_distances(axes, sample, graphs)),
        ["pairs", "1 % quantile", "25 %", "50 %", "75 %", "99 %"],
        rows,
    )
