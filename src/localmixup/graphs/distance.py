"""Graphs whose weight is a function of the distance: exponential and threshold (section 4.1 of the paper)."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from localmixup._distances import Metric, check_metric, distance_matrix, pair_distances
from localmixup._nearest import fast_distance_matrix
from localmixup._shapes import Float, Int
from localmixup._validate import ArgumentError, check_number, suggests
from localmixup.graphs.base import LocalityGraph, draw_from_rows
from localmixup.graphs.distance_sample import DistanceSample, Wish

_LARGEST = 3e38  # about the largest float32


class DistanceGraph(LocalityGraph):
    """A graph whose weight depends on nothing but the distance of the two ends, `W[i, j] = phi(D[i, j])`."""

    @property
    def mixes_duplicates(self) -> bool:
        """Whether `phi(0) = 1`, so that two samples at the same place have weight 1."""
        return True

    @abstractmethod
    def of_distance(self, distances: Tensor) -> Tensor:
        """Return the weights phi(d), in the shape and dtype of `distances`."""

    def weights_of_distances(self, distances: Tensor, *, population: int) -> Tensor:
        """Return the weights phi(d); the population does not matter."""
        return self.of_distance(distances)

    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """Return the whole weight matrix W, shape `(n, n)`."""
        return _with_ones(self.of_distance(distance_matrix(features, self.metric)))

    def pair_weights(self, features: Float[Tensor, "n ..."], partner: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Return the weight of each sample with its partner, shape `(n,)`."""
        return self.weights_of_pairs(pair_distances(features, partner, self.metric), partner)

    def weights_of_pairs(self, distances: Float[Tensor, "n"], partner: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Return the weight of each sample with its partner, from their distances.

        Args:
            distances: distance of each sample to its partner, 0 if that is itself, shape `(n,)`.
            partner: index of each sample's partner, shape `(n,)`.
        """
        weights = self.of_distance(distances)
        if self.mixes_duplicates:
            return weights
        return weights.masked_fill(partner == torch.arange(len(partner), device=partner.device), 1.0)

    def draw_partners(
        self, features: Float[Tensor, "n ..."], uniform: Float[Tensor, "r"], rows: Int[Tensor, "r"] | None = None
    ) -> Int[Tensor, "r"]:
        """Draw a partner for each sample with probability proportional to its row of W; see `LocalityGraph`."""
        weights = _with_ones(self.of_distance(fast_distance_matrix(features, self.metric)))
        return draw_from_rows(weights if rows is None else weights.index_select(0, rows), uniform)


def _with_ones(weights: Tensor) -> Tensor:
    weights.diagonal().fill_(1.0)
    return weights


@suggests(alpha="decay", gamma="decay", rate="decay")
@dataclass(frozen=True)
class ExponentialGraph(DistanceGraph):
    """Smooth decreasing graph, `W[i, j] = exp(-decay d(x_i, x_j))` (section 4.1).

    Args:
        decay: the paper's alpha, in one over the unit of the distance, >= 0. 0 is classical mixup, `inf` vanilla
            training. Fit it to the data: at the paper's values the weights are almost constant.
        metric: `"euclidean"`, `"rms"`, `"cosine"`, or a function of two batches.

    Raises:
        ValueError: `decay` is negative or not a number, or `metric` is unknown.

    >>> ExponentialGraph(decay=1.0).pair_weights(torch.tensor([[0.0], [2.0]]), torch.tensor([1, 1]))
    tensor([0.1353, 1.0000])
    """

    name: ClassVar[str] = "exponential"
    parameter: ClassVar[str] = "decay"

    decay: float
    metric: Metric = field(default="euclidean", kw_only=True)

    def __post_init__(self) -> None:
        check_number("decay", self.decay, low=0, meaning="0 is classical mixup, inf vanilla training")
        check_metric(self.metric)

    def of_distance(self, distances: Tensor) -> Tensor:
        """Return `exp(-decay d)`; at `decay=inf` zero for every pair of distinct samples, duplicates included."""
        if self.decay == 0:
            return torch.ones_like(distances)
        if self.decay > _LARGEST and self.decay > torch.finfo(distances.dtype).max:  # 0 * decay would be NaN
            weights = torch.zeros_like(distances)
            return weights if self.decay == math.inf else weights.masked_fill(distances == 0, 1.0)
        return (distances * -self.decay).exp_()

    @property
    def mixes_duplicates(self) -> bool:
        """Whether two samples at the same place have weight 1: not at `decay=inf`."""
        return self.decay != math.inf

    def is_vanilla(self, n: int) -> bool:
        """Return whether this is vanilla training: at `decay=inf`."""
        return self.decay == math.inf or n < 2

    def is_mixup(self, n: int) -> bool:
        """Return whether this is classical mixup: at `decay=0`."""
        return self.decay == 0 or n < 2

    @classmethod
    def from_sample(cls, sample: DistanceSample, wish: Wish, *, metric: Metric) -> ExponentialGraph:
        """Return the graph that fulfils a wish on a sample of distances; see `LocalityGraph.fit`."""
        return cls(decay_of_wish(sample, wish), metric=metric)


@suggests(eps="radius", epsilon="radius", r="radius", threshold="radius")
@dataclass(frozen=True)
class ThresholdGraph(DistanceGraph):
    """Thresholded graph, `W[i, j] = 1[d(x_i, x_j) <= radius]` (section 4.1).

    Args:
        radius: the paper's epsilon, a distance >= 0. 0 is vanilla training (if no two samples coincide), `inf`
            classical mixup.
        metric: `"euclidean"`, `"rms"`, `"cosine"`, or a function of two batches.

    Raises:
        ValueError: `radius` is negative or not a number, or `metric` is unknown.

    >>> ThresholdGraph(radius=2.0).pair_weights(torch.tensor([[0.0], [2.0], [5.0]]), torch.tensor([1, 2, 2]))
    tensor([1., 0., 1.])
    """

    name: ClassVar[str] = "threshold"
    parameter: ClassVar[str] = "radius"

    radius: float
    metric: Metric = field(default="euclidean", kw_only=True)

    def __post_init__(self) -> None:
        check_number("radius", self.radius, low=0, meaning="0 is vanilla training, inf classical mixup")
        check_metric(self.metric)

    def of_distance(self, distances: Tensor) -> Tensor:
        """Return `1[d <= radius]`; NaN for NaN, so that features that diverged are noticed."""
        return torch.where(distances.isnan(), distances, (distances <= float(self.radius)).to(distances.dtype))

    def is_vanilla(self, n: int) -> bool:
        """Return whether this is vanilla training among distinct samples: at `radius=0`."""
        return self.radius == 0 or n < 2

    def is_mixup(self, n: int) -> bool:
        """Return whether this is classical mixup: at `radius=inf`."""
        return self.radius == math.inf or n < 2

    @classmethod
    def from_sample(cls, sample: DistanceSample, wish: Wish, *, metric: Metric) -> ThresholdGraph:
        """Return the graph that fulfils a wish on a sample of distances; see `LocalityGraph.fit`."""
        return cls(sample.quantile(wish.mean_weight()), metric=metric)


def decay_of_wish(sample: DistanceSample, wish: Wish) -> float:
    """Return the decay at which an exponential graph fulfils a wish, by bisection in float64.

    Args:
        sample: distances of the data.
        wish: any wish.

    Raises:
        ValueError: no decay fulfils it (duplicated samples keep weight 1 at every decay).
    """
    if wish.name == "times_median":
        if sample.median == 0:
            raise ArgumentError("times_median needs a median distance above 0: half of the pairs are duplicates")
        return wish.value / sample.median
    by_size = wish.name == "ess_ratio"
    wanted = wish.value if by_size else wish.mean_weight()
    if wanted == 1:
        return 0.0
    distances = sample.distances
    nearest = float(distances[0])

    def reached(decay: float) -> float:
        # a common factor cancels in the effective sample size, and without it nothing underflows
        weights = torch.exp(-decay * (distances - nearest if by_size else distances))
        mean = float(weights.mean())
        return mean * mean / float(weights.square().mean()) if by_size else mean

    low, high = 0.0, 1.0 / max(sample.median, float(distances[-1]) * 1e-12, 1e-300)
    for _ in range(200):
        if reached(high) <= wanted:
            break
        low, high = high, high * 2
    else:
        raise ArgumentError(
            f"{wish.name} must be larger than what duplicated samples keep at every decay, got {wish.value:g}"
        )
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if reached(middle) > wanted else (low, middle)
    return high
