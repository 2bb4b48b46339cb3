"""Rows in random order, each as often as it is wanted."""

from __future__ import annotations

import torch
from torch import Tensor


class RowQueue:
    """Rows in random order, each as often as its mass demands, drawn one epoch at a time (systematic sampling).

    Args:
        mass: how often each row is wanted, relative to the others, shape `(m,)`.
    """

    def __init__(self, mass: Tensor) -> None:
        self.even = bool((mass == mass[0]).all())
        self.cumulated = mass.double().cumsum(0)
        self.waiting = torch.zeros(0, dtype=torch.int64)

    def take(self, count: int, generator: torch.Generator) -> Tensor:
        """Return the next rows, shape `(count,)`.

        Args:
            count: number of rows.
            generator: source of the draws.
        """
        while len(self.waiting) < count:
            self.waiting = torch.cat([self.waiting, self._epoch(generator)])
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def _epoch(self, generator: torch.Generator) -> Tensor:
        m = len(self.cumulated)
        order = torch.randperm(m, generator=generator)
        if self.even:
            return order
        ticks = (torch.arange(m, dtype=torch.float64) + torch.rand((), dtype=torch.float64, generator=generator)) / m
        rows = torch.searchsorted(self.cumulated, ticks * self.cumulated[-1], right=True).clamp_max(m - 1)
        return rows[order]
