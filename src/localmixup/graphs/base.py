"""Locality graphs: from features to the weight matrix W of eq. (3) (section 4.1 of the paper).

Every graph gives weights in [0, 1], and 1 to a sample with itself. Each has a parameter at whose ends Local Mixup is
vanilla training and classical mixup; `CompleteGraph` and `IdentityGraph` are those ends themselves.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from localmixup._distances import Metric, as_features, check_metric, distance_matrix, pair_distances
from localmixup._shapes import Float, Int
from localmixup._validate import check_integer, check_number
from localmixup.graphs.fit import DistanceSample, Target, calibrate, decay_of_target, share_of_target

_Graph = TypeVar("_Graph")


class LocalityGraph(ABC):
    """A rule from features to weights.

    A graph of one's own derives from this class and defines `matrix`; `pair_weights` follows from it, and is worth
    defining where the weights of a few pairs cost less than all of them.
    """

    metric: Metric = "euclidean"

    @abstractmethod
    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """The whole weight matrix W.

        Args:
            features: what distances are measured on, shape `(n, ...)`.

        Returns:
            Weights in [0, 1], ones on the diagonal, shape `(n, n)`; float32, or float64 for float64 features.
        """

    def pair_weights(self, features: Float[Tensor, "n ..."], partner: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The weight of every sample with its partner, `W[i, partner[i]]`.

        Args:
            features: what distances are measured on, shape `(n, ...)`.
            partner: index of each sample's partner, shape `(n,)`.

        Returns:
            Weights in [0, 1], shape `(n,)`; float32, or float64 for float64 features.
        """
        return self.matrix(features).gather(1, partner[:, None]).squeeze(1)

    def weights_of_distances(self, distances: Tensor, *, population: int) -> Tensor:
        """Weight of pairs of distinct samples as a function of their distance, any shape.

        Args:
            distances: >= 0; for a neighbour graph all distances of the sample, in ascending order.
            population: among how many samples partners are looked for.

        Raises:
            TypeError: this graph is no function of the distance.
        """
        raise TypeError(f"{type(self).__name__} does not give its weights as a function of the distance")


class DistanceGraph(LocalityGraph):
    """A graph whose weight depends on nothing but the distance of the two ends: `W[i, j] = phi(D[i, j])`."""

    @property
    def mixes_duplicates(self) -> bool:
        """Whether `phi(0) = 1`, so that two samples at the same place have weight 1."""
        return True

    @abstractmethod
    def of_distance(self, distances: Tensor) -> Tensor:
        """The weights phi(d), in the shape and dtype of `distances`."""

    def weights_of_distances(self, distances: Tensor, *, population: int) -> Tensor:
        """The weights phi(d); the population does not matter."""
        return self.of_distance(distances)

    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """The whole weight matrix W, shape `(n, n)`."""
        weights = self.of_distance(distance_matrix(features, self.metric))
        return weights.masked_fill(torch.eye(len(weights), dtype=torch.bool, device=weights.device), 1.0)

    def pair_weights(self, features: Float[Tensor, "n ..."], partner: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The weight of every sample with its partner, shape `(n,)`."""
        weights = self.of_distance(pair_distances(features, partner, self.metric))
        return weights.masked_fill(partner == torch.arange(len(partner), device=partner.device), 1.0)


class _Calibrated:
    """The constructor from data, for graphs whose parameter can be chosen."""

    @classmethod
    def calibrated(cls: type[_Graph], data: Any, labels: Any = None, **wish: Any) -> _Graph:
        """The graph that has a wanted effect on the data: `ExponentialGraph.calibrated(x, mean_weight=0.5)`.

        Args:
            data: features, shape `(m, ...)`, or a stream of batches.
            labels: class of each row; only `localmixup.graphs.fit.calibrate` tells what they show.
            **wish: one of `kept_share`, `mean_weight`, `effective_sample_size`, `mixed_share`, `times_median`, and the
                options of `localmixup.graphs.fit.calibrate`, which also tells what the graph keeps.

        Raises:
            ValueError: as `localmixup.graphs.fit.calibrate`.
        """
        graph: _Graph = calibrate(data, cls, labels, **wish).graph  # type: ignore[arg-type]
        return graph


@dataclass(frozen=True)
class ExponentialGraph(DistanceGraph, _Calibrated):
    """Smooth decreasing graph, `W[i, j] = exp(-decay d(x_i, x_j))` (section 4.1).

    Args:
        decay: the paper's alpha, in one over the unit of the distance, >= 0. 0 is classical mixup, `inf` vanilla
            training. Calibrate it: at the paper's values the weights hardly differ from one another.
        metric: see `localmixup._distances`.

    Raises:
        ValueError: `decay` is negative or not a number, or `metric` is not known.

    >>> ExponentialGraph(decay=1.0).pair_weights(torch.tensor([[0.0], [2.0]]), torch.tensor([1, 1]))
    tensor([0.1353, 1.0000])
    """

    decay: float
    metric: Metric = field(default="euclidean", kw_only=True)

    def __post_init__(self) -> None:
        check_number("decay", self.decay, low=0, meaning="0 is classical mixup, inf vanilla training")
        check_metric(self.metric)

    def of_distance(self, distances: Tensor) -> Tensor:
        """The weights `exp(-decay d)`; at `decay=inf` zero for every pair of distinct samples, duplicates too."""
        if self.decay == 0:
            return torch.ones_like(distances)
        if self.decay == math.inf:
            return torch.zeros_like(distances)
        return (distances * -self.decay).exp_()

    @property
    def mixes_duplicates(self) -> bool:
        """Whether two samples at the same place have weight 1: not at `decay=inf`."""
        return self.decay != math.inf

    @classmethod
    def from_distances(
        cls, sample: DistanceSample, target: Target, *, metric: Metric, population: int
    ) -> ExponentialGraph:
        """The graph that reaches `target` on a sample of distances; see `localmixup.graphs.fit.calibrate`."""
        return cls(decay_of_target(sample, target, population), metric=metric)


@dataclass(frozen=True)
class ThresholdGraph(DistanceGraph, _Calibrated):
    """Thresholded graph, `W[i, j] = 1[d(x_i, x_j) <= radius]` (section 4.1).

    Args:
        radius: the paper's epsilon, a distance >= 0. 0 is vanilla training (where no two samples coincide), `inf`
            classical mixup.
        metric: see `localmixup._distances`.

    Raises:
        ValueError: `radius` is negative or not a number, or `metric` is not known.

    >>> ThresholdGraph(radius=2.0).pair_weights(torch.tensor([[0.0], [2.0], [5.0]]), torch.tensor([1, 2, 2]))
    tensor([1., 0., 1.])
    """

    radius: float
    metric: Metric = field(default="euclidean", kw_only=True)

    def __post_init__(self) -> None:
        check_number("radius", self.radius, low=0, meaning="0 is vanilla training, inf classical mixup")
        check_metric(self.metric)

    def of_distance(self, distances: Tensor) -> Tensor:
        """The weights `1[d <= radius]`; NaN for NaN, so that features that diverged do not go unseen."""
        return torch.where(distances.isnan(), distances, (distances <= self.radius).to(distances.dtype))

    @classmethod
    def from_distances(
        cls, sample: DistanceSample, target: Target, *, metric: Metric, population: int
    ) -> ThresholdGraph:
        """The graph that reaches `target` on a sample of distances; see `localmixup.graphs.fit.calibrate`."""
        return cls(sample.quantile(share_of_target(target, population)), metric=metric)


@dataclass(frozen=True)
class KNNGraph(LocalityGraph, _Calibrated):
    """K-nearest-neighbour graph: 1 if the partner is among the nearest of the sample (section 4.1).

    Directed as in the paper: `W[i, j]` says that j is near i, seen from i. Ties go to the lower index.

    Args:
        n_neighbors: the paper's K, the sample itself not counted, >= 0. 0 is vanilla training, `n - 1` and more
            classical mixup.
        symmetric: take the union with the reversed edges, so that W is symmetric, as section 4.1 calls it.
        metric: see `localmixup._distances`.

    Raises:
        ValueError: `n_neighbors` is negative or not a whole number, or `metric` is not known.

    >>> KNNGraph(n_neighbors=1).matrix(torch.tensor([[0.0], [1.0], [3.0]]))
    tensor([[1., 1., 0.],
            [1., 1., 0.],
            [0., 1., 1.]])
    """

    n_neighbors: int
    symmetric: bool = field(default=False, kw_only=True)
    metric: Metric = field(default="euclidean", kw_only=True)

    def __post_init__(self) -> None:
        check_integer("n_neighbors", self.n_neighbors, low=0, meaning="0 is vanilla training, n - 1 classical mixup")
        check_metric(self.metric)

    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """The whole weight matrix W, shape `(n, n)`."""
        n = features.shape[0]
        if self.n_neighbors >= n - 1:
            return as_features(features).new_ones(n, n)
        distances = distance_matrix(features, self.metric)
        # below every distance, so that the sample itself comes first and is not counted
        order = distances.fill_diagonal_(-1.0).sort(dim=1, stable=True).indices
        weights = torch.zeros_like(distances).scatter_(1, order[:, : self.n_neighbors + 1], 1.0)
        weights = torch.where(distances.isnan(), distances, weights)  # else features that diverged would go unseen
        return torch.maximum(weights, weights.T) if self.symmetric else weights

    def weights_of_distances(self, distances: Tensor, *, population: int) -> Tensor:
        """The weights as they are on average: the nearest `n_neighbors / (population - 1)` of the pairs are kept."""
        kept = min(1.0, self.n_neighbors / max(1, population - 1))
        weights = torch.zeros_like(distances)
        weights[: round(kept * len(distances))] = 1.0
        return weights

    @classmethod
    def from_distances(cls, sample: DistanceSample, target: Target, *, metric: Metric, population: int) -> KNNGraph:
        """The graph that reaches `target` among `population` samples, to the nearest whole neighbour."""
        share = share_of_target(target, population)
        return cls(max(1, round(share * (population - 1))), metric=metric)


@dataclass(frozen=True)
class CompleteGraph(DistanceGraph):
    """Every pair with weight 1: classical mixup (definition 2.1).

    >>> CompleteGraph().pair_weights(torch.zeros(2, 1), torch.tensor([1, 0]))
    tensor([1., 1.])
    """

    def of_distance(self, distances: Tensor) -> Tensor:
        """Ones."""
        return torch.ones_like(distances)

    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """Ones, shape `(n, n)`; no distance is computed."""
        return as_features(features).new_ones(features.shape[0], features.shape[0])

    def pair_weights(self, features: Float[Tensor, "n ..."], partner: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Ones, shape `(n,)`; no distance is computed."""
        return as_features(features).new_ones(features.shape[0])


@dataclass(frozen=True)
class IdentityGraph(DistanceGraph):
    """No pair but a sample with itself: vanilla training.

    >>> IdentityGraph().pair_weights(torch.zeros(2, 1), torch.tensor([1, 1]))
    tensor([0., 1.])
    """

    def of_distance(self, distances: Tensor) -> Tensor:
        """Zeros: two distinct samples are never mixed, however near they are."""
        return torch.zeros_like(distances)

    @property
    def mixes_duplicates(self) -> bool:
        """No."""
        return False

    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """The identity matrix, shape `(n, n)`."""
        like = as_features(features)
        return torch.eye(features.shape[0], dtype=like.dtype, device=like.device)

    def pair_weights(self, features: Float[Tensor, "n ..."], partner: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """One where the partner is the sample itself, zero elsewhere, shape `(n,)`."""
        itself = partner == torch.arange(len(partner), device=partner.device)
        return itself.to(as_features(features).dtype)
