"""The nearest of a few random candidates: locality by rank at a cost that is linear in their number."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from localmixup._distances import (
    Metric,
    as_features,
    can_ask,
    check_metric,
    distance_matrix,
    distances_of_pairs,
    full_precision,
    norm_scale,
    with_diagonal,
)
from localmixup._shapes import Bool, Float, Int
from localmixup._validate import check_integer, suggests
from localmixup.graphs.base import LocalityGraph

_BLOCK_BYTES = 2**20  # of the differences that are held at a time, so that they stay in the cache of a CPU
_GPU_BLOCK_BYTES = 2**26  # where each block costs some launches of kernels, which take longer than the work in them


@suggests(m="n_candidates", k="n_candidates", n="n_candidates")
@dataclass(frozen=True)
class NearestOfGraph(LocalityGraph):
    """The partner is the nearest of a few random candidates.

    Each sample draws `n_candidates` of the other samples, with replacement, and takes the nearest. The weight falls
    with the rank of the distance. Of N other samples, the one of rank r (the nearest has rank 1) has weight

        W = ((N - r + 1)^c - (N - r)^c) / (N^c - (N - 1)^c),    c = n_candidates,

    which is the probability that it is the nearest of the candidates, divided by that of the nearest of all. The mean
    rank is about N / (c + 1). There is no unit, nothing is sorted, and the cost does not grow with the square of the
    batch. Meant for `pairing="neighbors"`, which draws the candidates instead of computing W.

    Args:
        n_candidates: number of candidates, >= 1. 1 is classical mixup.
        metric: `"euclidean"`, `"rms"`, `"cosine"`, or a function of two batches.

    Raises:
        ValueError: `n_candidates` is out of range, or `metric` is unknown.

    >>> NearestOfGraph(n_candidates=2).matrix(torch.tensor([[0.0], [1.0], [3.0]]))
    tensor([[1.0000, 1.0000, 0.3333],
            [1.0000, 1.0000, 0.3333],
            [0.3333, 1.0000, 1.0000]])
    """

    name: ClassVar[str] = "nearest-of"
    parameter: ClassVar[str] = "n_candidates"

    n_candidates: int
    metric: Metric = field(default="euclidean", kw_only=True)

    def __post_init__(self) -> None:
        check_integer("n_candidates", self.n_candidates, low=1, meaning="1 is classical mixup")
        check_metric(self.metric)

    @property
    def n_uniform(self) -> int:
        """Uniform draws that each sample needs: one for each candidate, and one for itself."""
        return self.n_candidates + 1

    def is_mixup(self, n: int) -> bool:
        """Return whether this is classical mixup: with a single candidate, or a single other sample."""
        return self.n_candidates == 1 or n < 3

    def rank_weights(self, others: int) -> Float[Tensor, "r"]:
        """Return the weight of each rank among `others` samples, nearest first, shape `(others,)`, float64.

        Args:
            others: number of other samples present, >= 1.

        >>> NearestOfGraph(2).rank_weights(3)
        tensor([1.0000, 0.6000, 0.2000], dtype=torch.float64)
        """
        # the powers of shares, as those of counts would overflow
        tail = torch.arange(others, -1, -1, dtype=torch.float64).div_(max(others, 1)).pow_(self.n_candidates)
        steps = tail[:-1] - tail[1:]
        return steps / steps[:1]

    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """Return the whole weight matrix W, shape `(n, n)`. Ties go to the lower index."""
        n = features.shape[0]
        if self.is_mixup(n):
            return as_features(features).new_ones(n, n)
        distances = distance_matrix(features, self.metric)
        order = with_diagonal(distances, -1.0).sort(dim=1, stable=True).indices
        by_rank = torch.cat([torch.ones(1, dtype=torch.float64), self.rank_weights(n - 1)]).to(distances)
        weights = torch.zeros_like(distances).scatter_(1, order, by_rank.expand(n, n))
        return torch.where(distances.isnan(), distances, weights)  # so that features that diverged are noticed

    def draw_partners(
        self, features: Float[Tensor, "n ..."], uniform: Float[Tensor, "..."], rows: Int[Tensor, "r"] | None = None
    ) -> Int[Tensor, "..."]:
        """Draw a partner for each sample, itself included with its share of the row of W; see `LocalityGraph`."""
        n = features.shape[0]
        itself = torch.arange(n, device=features.device) if rows is None else rows
        if n < 2:
            return itself
        nearest = self.nearest(features, itself, self.candidates(uniform, itself, n))
        return torch.where(self.stays(uniform, n), itself, nearest)

    def stays(self, uniform: Float[Tensor, "r k"], n: int) -> Bool[Tensor, "r"]:
        """Return which samples are drawn as their own partners, with the weight of 1 that they have in their row.

        Args:
            uniform: uniform draws in [0, 1), float64, shape `(r, n_candidates + 1)`.
            n: number of samples present, >= 2.
        """
        first = 1 - (1 - 1 / (n - 1)) ** self.n_candidates  # probability of the nearest of all
        return uniform[:, 0] < first / (1 + first)

    def candidates(self, uniform: Float[Tensor, "r k"], itself: Int[Tensor, "r"], n: int) -> Int[Tensor, "r c"]:
        """Return the candidates of samples.

        Args:
            uniform: uniform draws in [0, 1), float64, shape `(r, n_candidates + 1)`.
            itself: index of each sample, shape `(r,)`.
            n: number of samples present, >= 2.
        """
        own = itself[:, None]
        places = (uniform[:, 1:] * (n - 1)).long()  # below n - 1, as uniform draws lie at most 2^-53 below 1
        return places.add_(places >= own)

    def nearest(self, features: Tensor, first: Int[Tensor, "r"], candidates: Int[Tensor, "r c"]) -> Int[Tensor, "r"]:
        """Return the nearest candidate of each sample; ties go to the lower index.

        Args:
            features: shape `(n, ...)`.
            first: index of each sample, shape `(r,)`.
            candidates: indices, shape `(r, c)`.
        """
        if self.n_candidates == 1:
            return candidates[:, 0]
        distances = self._distances(features, first, candidates)
        farther = distances > distances.amin(dim=1, keepdim=True)
        return candidates.masked_fill(farther, features.shape[0]).amin(dim=1)

    def _distances(self, features: Tensor, first: Tensor, candidates: Tensor) -> Tensor:
        """Return distances, or squares of them, in the order of the distances; shape `(r, c)`."""
        flat = as_features(features)
        count = candidates.shape[1]
        if callable(self.metric) or norm_scale(self.metric, 1) is None:
            pairs = distances_of_pairs(features, first.repeat_interleave(count), candidates.flatten(), self.metric)
            return pairs.view(-1, count)
        squares = _squares(flat, first, candidates)
        if flat.dtype == torch.float32 and can_ask(flat) and not math.isfinite(squares.sum()):  # overflow, or NaN
            return _squares(flat.double(), first, candidates)
        return squares

    def weights_of_distances(self, distances: Tensor, *, population: int) -> Tensor:
        """Return the weights of distances in ascending order, as those of evenly spread ranks."""
        by_rank = self.rank_weights(max(1, population - 1)).to(distances.dtype)
        place = torch.arange(len(distances), dtype=torch.float64) / max(1, len(distances)) * len(by_rank)
        return by_rank[place.long()]


def _squares(flat: Tensor, first: Tensor, candidates: Tensor) -> Tensor:
    """Return the squared distances of samples to their candidates, shape `(r, c)`."""
    r, c = candidates.shape
    places = candidates.flatten()
    held = _BLOCK_BYTES if flat.device.type == "cpu" else _GPU_BLOCK_BYTES
    width = max(64, held // max(1, flat.element_size() * r * c))
    parts = [flat] if flat.shape[1] <= width else torch.split(flat, width, dim=1)
    squares: Tensor | None = None
    with full_precision(flat.device):
        for part in parts:
            of_part = part.index_select(0, places).view(r, c, part.shape[1])
            difference = of_part.sub_(part.index_select(0, first)[:, None])
            found = torch.linalg.vecdot(difference, difference)
            squares = found if squares is None else squares.add_(found)
    return flat.new_zeros(r, c) if squares is None else squares
