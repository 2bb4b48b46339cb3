"""Graphs whose weight depends on the rank of the distance: nearest neighbours (section 4.1 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from localmixup._distances import Metric, as_features, check_metric, distance_matrix, with_diagonal
from localmixup._nearest import nearest_draw
from localmixup._shapes import Float, Int
from localmixup._validate import ArgumentError, check_flag, check_integer, check_number, suggests
from localmixup.graphs.base import LocalityGraph, draw_from_rows
from localmixup.graphs.distance_sample import DistanceSample, Wish


@suggests(k="n_neighbors", K="n_neighbors", neighbors="n_neighbors", kept_share="share")
@dataclass(frozen=True)
class KNNGraph(LocalityGraph):
    """Nearest-neighbour graph: 1 if the partner is among the nearest neighbours of the sample (section 4.1).

    Directed as in the paper: `W[i, j]` says that j is near i, seen from i. Ties go to the lower index. Give either a
    number of neighbours or a share of the samples present. A share means the same in a batch and in a whole data set.

    Args:
        n_neighbors: the paper's K, the sample itself not counted, >= 0. 0 is vanilla training, `n - 1` and more
            classical mixup.
        share: number of neighbours as a share of the other samples present, in [0, 1], rounded, at least one neighbour
            unless it is 0. 0 is vanilla training, 1 classical mixup.
        symmetric: use the union with the reversed edges, so that W is symmetric, as section 4.1 calls it.
        metric: `"euclidean"`, `"rms"`, `"cosine"`, or a function of two batches.

    Raises:
        ValueError: both or neither of `n_neighbors` and `share`, one out of range, or an unknown `metric`.

    >>> KNNGraph(n_neighbors=1).matrix(torch.tensor([[0.0], [1.0], [3.0]]))
    tensor([[1., 1., 0.],
            [1., 1., 0.],
            [0., 1., 1.]])
    """

    name: ClassVar[str] = "knn"
    parameter: ClassVar[str] = "n_neighbors"

    n_neighbors: int | None = None
    share: float | None = field(default=None, kw_only=True)
    symmetric: bool = field(default=False, kw_only=True)
    metric: Metric = field(default="euclidean", kw_only=True)

    def __post_init__(self) -> None:
        if (self.n_neighbors is None) == (self.share is None):
            raise ArgumentError(
                "give one of n_neighbors and share, such as KNNGraph(share=0.2), the nearest fifth of the samples "
                f"present, got n_neighbors={self.n_neighbors}, share={self.share}"
            )
        if self.share is not None:
            check_number("share", self.share, low=0, high=1, meaning="0 is vanilla training, 1 classical mixup")
        else:
            hint = "0 is vanilla training, n - 1 classical mixup; for a share of the samples use share="
            check_integer("n_neighbors", self.n_neighbors, low=0, meaning=hint)
        check_flag("symmetric", self.symmetric)
        check_metric(self.metric)

    def __repr__(self) -> str:
        """Show what was given."""
        size = f"n_neighbors={self.n_neighbors}" if self.share is None else f"share={self.share}"
        return f"KNNGraph({size}, symmetric={self.symmetric}, metric={self.metric!r})"

    def count(self, n: int) -> int:
        """Return the number of neighbours of each sample among `n` samples, at most `n - 1`.

        Args:
            n: number of samples present.

        >>> KNNGraph(share=0.2).count(51)
        10
        """
        others = max(0, n - 1)
        if self.share is None:
            return min(int(self.n_neighbors or 0), others)
        return 0 if self.share == 0 else min(others, max(1, int(self.share * others + 0.5)))

    def is_vanilla(self, n: int) -> bool:
        """Return whether this is vanilla training: no neighbour counts."""
        return self.count(n) == 0

    def is_mixup(self, n: int) -> bool:
        """Return whether this is classical mixup: all other samples count as neighbours."""
        return self.count(n) >= n - 1

    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """Return the whole weight matrix W, shape `(n, n)`."""
        n = features.shape[0]
        if self.is_mixup(n):
            return as_features(features).new_ones(n, n)
        distances = distance_matrix(features, self.metric)
        # below every distance, so that the sample itself comes first and is not counted
        order = with_diagonal(distances, -1.0).sort(dim=1, stable=True).indices
        weights = torch.zeros_like(distances).scatter_(1, order[:, : self.count(n) + 1], 1.0)
        weights = torch.where(distances.isnan(), distances, weights)  # so that features that diverged are noticed
        return torch.maximum(weights, weights.T) if self.symmetric else weights

    def draw_partners(
        self, features: Float[Tensor, "n ..."], uniform: Float[Tensor, "r"], rows: Int[Tensor, "r"] | None = None
    ) -> Int[Tensor, "r"]:
        """Draw a partner for each sample uniformly among its neighbours and itself; see `LocalityGraph`."""
        n = features.shape[0]
        k = self.count(n)
        itself = torch.arange(n, device=features.device) if rows is None else rows
        if k == 0:
            return itself
        if k == n - 1:
            return (uniform * n).long().clamp_max(n - 1)
        if self.symmetric:
            return draw_from_rows(self.matrix(features).index_select(0, itself), uniform)
        place = (uniform * (k + 1)).long().clamp_max(k)  # k stands for the sample itself
        nearest = nearest_draw(features, k, place.clamp_max(k - 1), self.metric, rows=rows)
        return torch.where(place == k, itself, nearest)

    def weights_of_distances(self, distances: Tensor, *, population: int) -> Tensor:
        """Return the weights as they are on average: the nearest share of the pairs is kept."""
        kept = self.count(population) / max(1, population - 1)
        weights = torch.zeros_like(distances)
        weights[: round(kept * len(distances))] = 1.0
        return weights

    @classmethod
    def from_sample(cls, sample: DistanceSample, wish: Wish, *, metric: Metric) -> KNNGraph:
        """Return the graph that fulfils a wish: a share, or a count if the wish has a batch size."""
        share = wish.mean_weight()
        if wish.batch_size is None:
            return cls(share=share, metric=metric)
        return cls(max(1, round(share * (wish.batch_size - 1))), metric=metric)
