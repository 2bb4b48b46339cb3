"""From ranks in a whole data set to ranks in a random batch of it."""

from __future__ import annotations

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.graphs import KNNGraph, LocalityGraph, NearestOfGraph


def weights_by_rank(graph: LocalityGraph, others: int) -> np.ndarray | None:
    """Return the weight of each rank among the other samples present; None for a graph that does not rank.

    Args:
        graph: any graph.
        others: number of other samples, >= 1.

    Returns:
        Weights from the nearest to the farthest, shape `(others,)`.

    >>> weights_by_rank(KNNGraph(2), 4)
    array([1., 1., 0., 0.])
    """
    if isinstance(graph, NearestOfGraph):
        return np.asarray(graph.rank_weights(others).numpy(), dtype=float)
    if isinstance(graph, KNNGraph) and not graph.symmetric:
        return (np.arange(others) < graph.count(others + 1)).astype(float)
    return None


def mean_weight_in_batch(rank: np.ndarray, population: int, weights: np.ndarray) -> np.ndarray:
    """Return the mean weight of a neighbour over the random batches that hold it.

    Let j be the neighbour of rank r of i in the data set. A batch of n samples that holds both has n - 2 others, a
    random part of the other `population - 2`, of which `r - 1` are nearer to i than j is. So the number of nearer
    samples in the batch, and with it the rank of j there, is hypergeometric.

    Args:
        rank: rank of j among the neighbours of i in the data set (1 = nearest), any shape.
        population: number of samples of the data set.
        weights: weight of each rank in the batch, shape `(n - 1,)`.

    Returns:
        In the shape of `rank`.

    Raises:
        ArgumentError: a batch of fewer than two samples, or of more than there are.

    >>> mean_weight_in_batch(np.array([1, 2, 4]), population=5, weights=np.array([1.0, 0.0])).round(3)
    array([1.   , 0.667, 0.   ])
    """
    if not 1 <= len(weights) < population:
        raise ArgumentError(f"weights must be those of 1 to {population - 1} other samples, got {len(weights)}")
    ranks, place = np.unique(rank, return_inverse=True)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, population + 1)))])

    def log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
        possible = (k >= 0) & (k <= n)
        k = np.where(possible, k, 0)
        return np.where(possible, log_factorial[n] - log_factorial[k] - log_factorial[n - k], -np.inf)

    drawn = len(weights) - 1
    nearer, ahead = (ranks - 1)[:, None], np.arange(len(weights))[None]
    every = log_choose(np.array(population - 2), np.array(drawn))
    chance = np.exp(log_choose(nearer, ahead) + log_choose(population - 2 - nearer, drawn - ahead) - every)
    found: np.ndarray = np.clip(chance @ weights, 0.0, 1.0)[place].reshape(np.shape(rank))
    return found
