"""The two ends of every locality graph: classical mixup and vanilla training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from localmixup._distances import as_features
from localmixup._shapes import Float, Int
from localmixup._validate import suggests
from localmixup.graphs.distance import DistanceGraph


@suggests()
@dataclass(frozen=True)
class CompleteGraph(DistanceGraph):
    """Every pair with weight 1: classical mixup (definition 2.1).

    >>> CompleteGraph().pair_weights(torch.zeros(2, 1), torch.tensor([1, 0]))
    tensor([1., 1.])
    """

    name: ClassVar[str] = "complete"

    def of_distance(self, distances: Tensor) -> Tensor:
        """Return ones."""
        return torch.ones_like(distances)

    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """Return ones, shape `(n, n)`, without computing distances."""
        return as_features(features).new_ones(features.shape[0], features.shape[0])

    def pair_weights(self, features: Float[Tensor, "n ..."], partner: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Return ones, shape `(n,)`, without computing distances."""
        return as_features(features).new_ones(features.shape[0])

    def draw_partners(
        self, features: Float[Tensor, "n ..."], uniform: Float[Tensor, "r"], rows: Int[Tensor, "r"] | None = None
    ) -> Int[Tensor, "r"]:
        """Draw a partner for each sample uniformly among all samples, itself included."""
        n = features.shape[0]
        return (uniform * n).long().clamp_max(max(0, n - 1))

    def is_mixup(self, n: int) -> bool:
        """Return True."""
        return True


@suggests()
@dataclass(frozen=True)
class IdentityGraph(DistanceGraph):
    """No pair but each sample with itself: vanilla training.

    >>> IdentityGraph().pair_weights(torch.zeros(2, 1), torch.tensor([1, 1]))
    tensor([0., 1.])
    """

    name: ClassVar[str] = "identity"

    def of_distance(self, distances: Tensor) -> Tensor:
        """Return zeros: two distinct samples are never mixed, however near they are."""
        return torch.zeros_like(distances)

    @property
    def mixes_duplicates(self) -> bool:
        """False."""
        return False

    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """Return the identity matrix, shape `(n, n)`."""
        like = as_features(features)
        return torch.eye(features.shape[0], dtype=like.dtype, device=like.device)

    def pair_weights(self, features: Float[Tensor, "n ..."], partner: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Return 1 where the partner is the sample itself and 0 elsewhere, shape `(n,)`."""
        itself = partner == torch.arange(len(partner), device=partner.device)
        return itself.to(as_features(features).dtype)

    def draw_partners(
        self, features: Float[Tensor, "n ..."], uniform: Float[Tensor, "r"], rows: Int[Tensor, "r"] | None = None
    ) -> Int[Tensor, "r"]:
        """Return each sample itself."""
        return torch.arange(features.shape[0], device=features.device) if rows is None else rows

    def is_vanilla(self, n: int) -> bool:
        """Return True."""
        return True
