"""How many pairs counted: what every integration reports beside the training loss."""

from __future__ import annotations

import torch
from torch import Tensor

from localmixup._batch import MixPlan
from localmixup._validate import ArgumentError


class PairCounts:
    """Sums over batches. They stay on the device of the batches until they are read, so that a GPU does not wait.

    >>> counts = PairCounts()
    >>> counts.add_plan(MixPlan(torch.tensor([1, 0]), torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])))
    >>> counts.take()
    {'mean_weight': 0.5, 'mixed_share': 1.0}
    """

    def __init__(self) -> None:
        self._sums: Tensor | None = None

    def __bool__(self) -> bool:
        """Return whether there is anything to report."""
        return self._sums is not None

    @torch.no_grad()
    def add_plan(self, plan: MixPlan) -> None:
        """Add the samples of a plan.

        Args:
            plan: its `weights` count, and its `partner` says who is mixed.
        """
        if torch.compiler.is_compiling():
            return
        total = plan.weights.sum()
        sums = torch.stack([torch.full_like(total, len(plan.weights)), total, plan.mixed_share * total])
        self._sums = sums if self._sums is None else self._sums.to(sums) + sums

    def take(self, hint: str = "") -> dict[str, float]:
        """Return the mean weight of the samples and the share of the counted ones that are mixed, and start again.

        Args:
            hint: why there may be none, for the message.

        Returns:
            `mean_weight` and `mixed_share`, both in [0, 1].

        Raises:
            ArgumentError: no batch was mixed since the last call.
        """
        if self._sums is None:
            raise ArgumentError(f"no batch was mixed since the pairs were last counted{hint}")
        samples, weight, mixed = self._sums.tolist()
        self._sums = None
        return {"mean_weight": weight / samples if samples else 0.0, "mixed_share": mixed / weight if weight else 0.0}
