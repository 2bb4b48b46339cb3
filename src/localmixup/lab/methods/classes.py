"""Mixup within classes only, or between classes only (section 5.3, inter and intra mixup)."""

from __future__ import annotations

import torch
from torch import Tensor

from localmixup import CompleteGraph, LocalityGraph, LocalMixup
from localmixup._partners import between_class, within_class
from localmixup.lab.methods.base import Method, PairSource


class _ByClass(Method):
    pairing: str

    def graph(self) -> LocalityGraph:
        """Every pair that the rule allows."""
        return CompleteGraph()

    def mixer(self) -> LocalMixup:
        """Partners by class within the batch."""
        return LocalMixup(
            self.graph(),
            mixup_alpha=self.training.mixup_alpha,
            pairing=self.pairing,
            reduction=self.training.reduction,
            generator=self.generator,
        )

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Partners by class within the whole training set."""
        return _ClassPairs(y, self.pairing, self.generator)


class WithinClass(_ByClass):
    """The paper's intra mixup."""

    title = "mixup within classes"
    pairing = "within_class"


class BetweenClass(_ByClass):
    """The paper's inter mixup."""

    title = "mixup between classes"
    pairing = "between_class"


class _ClassPairs:
    """Every sample once an epoch, in random order, each with a partner that the rule allows."""

    def __init__(self, y: Tensor, pairing: str, generator: torch.Generator) -> None:
        self.y, self.generator = y.cpu(), generator
        self.partners = within_class if pairing == "within_class" else between_class
        self.waiting = torch.zeros(2, 0, dtype=torch.int64)

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Indices of the first and of the second ends, shape `(count,)` each."""
        while self.waiting.shape[1] < count:
            order = torch.randperm(len(self.y), generator=self.generator)
            epoch = torch.stack([order, self.partners(self.y, generator=self.generator)[order]])
            self.waiting = torch.cat([self.waiting, epoch], dim=1)
        taken, self.waiting = self.waiting[:, :count], self.waiting[:, count:]
        return taken[0], taken[1]
