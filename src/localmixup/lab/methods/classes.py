"""Mixup within classes only, or between classes only (section 5.3: intra and inter mixup)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from localmixup._partners import between_class, within_class
from localmixup.lab.methods.base import LOCAL_MIXUP, PairSource
from localmixup.lab.methods.mixup import Mixup


class _ByClass(Mixup):
    citation = LOCAL_MIXUP
    rule: ClassVar[Callable[..., Tensor]]

    def partners(self, x: Tensor, y: Tensor) -> Tensor:
        """Draw a partner of an allowed class within the batch."""
        return type(self).rule(y.cpu(), generator=self.generator)

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Return the source of partners of an allowed class within the whole training set."""
        return _ClassPairs(self, x, y)


class WithinClass(_ByClass):
    """The paper's intra mixup."""

    title = "mixup within classes"
    formula = """
        j random among the samples with y_j = y_i
        L = mean over pairs (i, j) of  lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j),  x~ = lam x_i + (1 - lam) x_j
    """
    rule = staticmethod(within_class)


class BetweenClass(_ByClass):
    """The paper's inter mixup."""

    title = "mixup between classes"
    formula = """
        j random among the samples with y_j != y_i
        L = mean over pairs (i, j) of  lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j),  x~ = lam x_i + (1 - lam) x_j
    """
    rule = staticmethod(between_class)


class _ClassPairs:
    """Every sample once per epoch, in random order, each with a partner of an allowed class."""

    def __init__(self, method: _ByClass, x: Tensor, y: Tensor) -> None:
        self.method, self.x, self.y = method, x, y
        self.waiting = torch.zeros(2, 0, dtype=torch.int64)

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Return indices of the samples and of their partners, shape `(count,)` each."""
        while self.waiting.shape[1] < count:
            order = torch.randperm(len(self.y), generator=self.method.generator)
            epoch = torch.stack([order, self.method.partners(self.x, self.y)[order]])
            self.waiting = torch.cat([self.waiting, epoch], dim=1)
        taken, self.waiting = self.waiting[:, :count], self.waiting[:, count:]
        return taken[0], taken[1]
