"""From data to a concrete graph, and what that graph keeps.

The paper chose its parameters on the test error and names the histogram of distances as the way to do better
(section 5.3). A share of pairs, a mean weight or an effective sample size says how local a graph is, in units that
carry over from one data set to another.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from localmixup._distances import Metric, check_metric
from localmixup._validate import ArgumentError
from localmixup.graphs.base import LocalityGraph
from localmixup.graphs.distance import DistanceGraph
from localmixup.graphs.distance_sample import WISHES as WISHES
from localmixup.graphs.distance_sample import DistanceSample as DistanceSample
from localmixup.graphs.distance_sample import make_wish
from localmixup.graphs.distance_sample import sample_distances as sample_distances


class FittedGraph(NamedTuple):
    """A graph and what it does to the pairs on which it was fitted.

    Attributes:
        graph: the graph, ready for `LocalMixup` or `PairSampler`.
        n_pairs: number of measured pairs.
        n_rows: number of rows of the data.
        median_distance: median distance of two distinct samples.
        mean_weight: mean of W over the pairs.
        ess_ratio: `(sum w)^2 / (p sum w^2)` over the pairs.
        mixed_share: share of counted samples whose two ends differ, if each of `population` samples meets all others
            and itself.
        mean_weight_within_class: mean of W over pairs of one class; NaN without labels, and for a neighbour graph.
        mean_weight_between_class: the same over pairs of two classes.
    """

    graph: Any
    n_pairs: int
    n_rows: int
    median_distance: float
    mean_weight: float
    ess_ratio: float
    mixed_share: float
    mean_weight_within_class: float
    mean_weight_between_class: float


def fit_graph(
    data: Any,
    graph_type: type[LocalityGraph],
    labels: Any = None,
    *,
    batch_size: int | None = None,
    metric: Metric = "euclidean",
    max_pairs: int = 200_000,
    max_rows: int = 4096,
    seed: int = 0,
    **wish: float | None,
) -> FittedGraph:
    """Fit a graph to data and say what it keeps.

    Args:
        data: see `LocalityGraph.fit`.
        graph_type: `ExponentialGraph`, `ThresholdGraph` or `KNNGraph`.
        labels: class of each row, to learn what the graph keeps within and between classes.
        batch_size: number of samples among which partners are drawn; for the returned `mixed_share` the number of
            rows if it is None.
        metric: `"euclidean"`, `"rms"`, `"cosine"`, or a function of two batches.
        max_pairs: largest number of pairs to measure.
        max_rows: largest number of rows to keep from a stream.
        seed: seed of the sample.
        **wish: exactly one of `kept_share`, `mean_weight`, `ess_ratio`, `mixed_share`, `times_median`; see
            `LocalityGraph.fit`.

    Raises:
        ValueError: no wish or several, a wish out of range, or one that no parameter fulfils on these data.

    >>> import torch
    >>> from localmixup import ThresholdGraph
    >>> fit_graph(torch.arange(5.0)[:, None], ThresholdGraph, kept_share=0.4).mean_weight
    0.4
    """
    if not (isinstance(graph_type, type) and issubclass(graph_type, LocalityGraph)):
        raise ArgumentError(_no_graph_type(graph_type, data))
    if unknown := sorted(set(wish) - set(WISHES)):
        raise ArgumentError(f"give exactly one of {', '.join(WISHES)}, got {', '.join(unknown)}")
    chosen = make_wish({name: wish.get(name) for name in WISHES}, batch_size)
    sample = sample_distances(
        data, labels, metric=check_metric(metric), max_pairs=max_pairs, max_rows=max_rows, seed=seed
    )
    return describe_graph(graph_type.from_sample(sample, chosen, metric=metric), sample, population=batch_size)


def _no_graph_type(given: Any, data: Any) -> str:
    shape = getattr(given, "shape", None)
    got = f"{given!r:.80}" if shape is None else f"{type(given).__name__} of shape {tuple(shape)}"
    order = ": the order is fit_graph(data, graph_type)" if isinstance(data, type) else ""
    return f"graph_type must be ExponentialGraph, ThresholdGraph or KNNGraph, got {got}{order}"


def describe_graph(graph: LocalityGraph, sample: DistanceSample, *, population: int | None = None) -> FittedGraph:
    """Say what a graph does to a sample of distances.

    Args:
        graph: one of `localmixup.graphs`.
        sample: from `sample_distances`.
        population: number of samples among which partners are drawn. Default: the number of rows.
    """
    among = sample.n_rows if population is None else population
    weights = graph.weights_of_distances(sample.distances, population=among)
    mean = float(weights.mean())
    squares = float(weights.square().mean())
    within = between = math.nan
    # a neighbour graph keeps the nearest pairs of each row, not of all pairs: their classes cannot be counted here
    if sample.same_class is not None and isinstance(graph, DistanceGraph):
        within = float(weights[sample.same_class].mean())
        between = float(weights[~sample.same_class].mean())
    others = (among - 1) * mean
    return FittedGraph(
        graph=graph,
        n_pairs=sample.n_pairs,
        n_rows=sample.n_rows,
        median_distance=sample.median,
        mean_weight=mean,
        ess_ratio=mean * mean / squares if squares > 0 else 0.0,
        mixed_share=others / (1 + others),
        mean_weight_within_class=within,
        mean_weight_between_class=between,
    )
