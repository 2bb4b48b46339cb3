"""Pairs of a data set, and how often a graph or a recipe mixes each of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from localmixup import LocalMixup
from localmixup._distances import distances_of_pairs
from localmixup._validate import ArgumentError
from localmixup.geometry.batch_ranks import mean_weight_in_batch, weights_by_rank
from localmixup.graphs import DistanceGraph, KNNGraph, LocalityGraph, NearestOfGraph

_MATRIX_ROWS = 5000
_PAIRINGS = ("neighbors", "permutation", "flip", "roll")


class Mixing(NamedTuple):
    """How a recipe mixes.

    Attributes:
        frequency: how often a sample of a batch is mixed with a partner, for each pair; the sum over the pairs of a
            sample is the share of its appearances in which it is mixed, shape `(q,)`.
        mixed_share: share of the samples of a batch that are mixed with another one.
        coverage: share of the samples that are ever mixed as first end.
    """

    frequency: np.ndarray
    mixed_share: float
    coverage: float


class PairsOfData(NamedTuple):
    """Ordered pairs of samples, all of them or some that stand for all.

    Attributes:
        features: what distances are measured on, shape `(m, d)`.
        first: index i, shape `(q,)`.
        second: index j, shape `(q,)`.
        distance: Euclidean distance of i and j, shape `(q,)`.
        rank: rank of j among the neighbours of i (1 = nearest), shape `(q,)`.
        share: how many ordered pairs of the data the row stands for, up to a common factor, shape `(q,)`.
    """

    features: Tensor
    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    rank: np.ndarray
    share: np.ndarray

    def weights(self, graph: LocalityGraph, *, batch_size: int | None = None) -> np.ndarray:
        """Return W of each pair, shape `(q,)`.

        Args:
            graph: any graph for at most 5,000 samples. For more, a graph whose weight depends on the distance alone, or
                a `NearestOfGraph` or directed `KNNGraph` with a Euclidean or RMS metric.
            batch_size: number of samples of the random batch within which the graph is built; the weight is then the
                mean over the batches that hold the pair. None for a graph over the whole data set. It matters for
                graphs that rank distances only.

        Raises:
            ArgumentError: another graph and more samples; or, with a batch size, a graph that ranks distances in
                another way, of which only a graph over the whole data set is known.
        """
        m = len(self.features)
        by_rank = weights_by_rank(graph, min(batch_size or m, m) - 1)
        if by_rank is not None and graph.metric in ("euclidean", "rms"):
            return by_rank[self.rank - 1] if len(by_rank) == m - 1 else mean_weight_in_batch(self.rank, m, by_rank)
        if isinstance(graph, DistanceGraph):
            distance = torch.from_numpy(self.distance)
            if graph.metric != "euclidean":
                ends = torch.from_numpy(self.first), torch.from_numpy(self.second)
                distance = distances_of_pairs(self.features, *ends, graph.metric).double()
            return np.asarray(graph.of_distance(distance).numpy(), dtype=float)
        if batch_size is not None and batch_size < m and isinstance(graph, KNNGraph | NearestOfGraph):
            raise ArgumentError(
                "graph must rank Euclidean distances, and not be symmetric, to be looked at in batches of "
                f"{batch_size} of {m:,} samples, got {graph!r}"
            )
        if m > _MATRIX_ROWS:
            raise ArgumentError(
                f"graph must be a distance graph or a directed rank graph for more than {_MATRIX_ROWS:,} samples, "
                f"got {graph!r} and {m:,} samples"
            )
        return np.asarray(graph.matrix(self.features).numpy()[self.first, self.second], dtype=float)

    def mixing(self, mix: LocalMixup, *, batch_size: int) -> Mixing:
        """Return how often a recipe mixes each pair, in random batches of the data.

        Args:
            mix: a recipe that draws partners (`pairing="neighbors"`), or that mixes random pairs.
            batch_size: number of samples of a batch of the training loop.

        Raises:
            ArgumentError: its pairs depend on the classes.
        """
        if mix.pairing not in _PAIRINGS:
            raise ArgumentError(f"mix must draw partners or mix random pairs, got pairing={mix.pairing!r}")
        m = len(self.features)
        size = min(batch_size, m)
        W = self.weights(mix.graph, batch_size=size)
        each = np.bincount(self.first, self.share, m)
        there = each > 0
        mean_weight = np.divide(np.bincount(self.first, self.share * W, m), each, out=np.zeros(m), where=there)
        by_rank = weights_by_rank(mix.graph, size - 1)
        if mix.pairing != "neighbors":
            W = W / size
        elif by_rank is not None:
            W = W / (1 + by_rank.sum())  # the sample itself is in its row, too
        else:
            W = W * _mean_inverse_row(mean_weight[self.first], size - 2)
        frequency = mix.prob * (size - 1) * self.share * W / each[self.first]
        coverage = float((mean_weight[there] > 0).mean()) if mix.prob > 0 else 0.0
        return Mixing(frequency, float(frequency.sum()) / int(there.sum()), coverage)


def _mean_inverse_row(mean_weight: np.ndarray, others: int) -> np.ndarray:
    """Return the mean of `1 / (2 + X)`, with X binomial: neighbours of a sample in a batch beside one, and itself."""
    p = np.maximum(mean_weight, 1e-6)
    inverse: np.ndarray = ((others + 2) * p - 1 + (1 - p) ** (others + 2)) / ((others + 1) * (others + 2) * p**2)
    return np.where(mean_weight > 1e-4, inverse, 0.5 - others * mean_weight / 6)
