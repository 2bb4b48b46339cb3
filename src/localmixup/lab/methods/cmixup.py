"""C-Mixup: Improving Generalization in Regression (Yao, Wang, Zhang, Zou, Finn, 2022): partners of similar targets."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from localmixup._validate import ArgumentError, check_number
from localmixup.lab.methods.base import PairSource
from localmixup.lab.methods.mixup import Mixup
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

_BLOCK = 2**22  # probabilities at a time, 32 MB


class CMixup(Mixup):
    """Partners drawn by `P(j | i) ~ exp(-(y_i - y_j)^2 / (2 bandwidth^2))`, the sample itself included.

    Partners are of the whole training set, where every sample comes first once per epoch, or of the batch. There is
    one `lam` per batch.

    The option `bandwidth` is in the unit of the targets as they are trained on, standardised: 1 is their standard
    deviation; `inf` is mixup with random partners. Classes count as one-hot vectors, whose squared distance is 0 or 2:
    a small bandwidth draws partners of the same class, a large one any partners.
    """

    title = "c-mixup"
    OPTIONS: ClassVar[dict[str, float | str]] = {"bandwidth": 1.0}

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.bandwidth = check_number("bandwidth", self.options["bandwidth"], low=0, meaning="inf is mixup")
        if self.bandwidth == 0:
            raise ArgumentError("bandwidth must be > 0 (inf is mixup), got 0")

    def partners(self, x: Tensor, y: Tensor) -> Tensor:
        """Draw a partner within the batch for each of its samples."""
        targets = y.cpu()
        return self.similar(targets, targets)

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Return the source of pairs of the set, which never holds the matrix of all pairs."""
        return _TargetPairs(y.cpu(), self)

    def similar(self, targets: Tensor, of: Tensor) -> Tensor:
        """Draw a partner for every target.

        Args:
            targets: of the samples that look for one, shape `(n,)`.
            of: targets of the samples that are drawn from, shape `(m,)`.

        Returns:
            Indices into `of`, shape `(n,)`.
        """
        found = [torch.zeros(0, dtype=torch.int64)]
        for rows in torch.split(targets, max(1, _BLOCK // len(of))):
            if self.task == "classification":
                squares = (rows[:, None] != of).double() * (2 / self.bandwidth**2)
            else:
                squares = ((rows[:, None].double() - of.double()) / self.bandwidth).square()
            mass = (squares / -2).exp().cumsum(dim=1)
            ticks = torch.rand(len(rows), 1, dtype=torch.float64, generator=self.generator) * mass[:, -1:]
            found.append(torch.searchsorted(mass, ticks, right=True).squeeze(1).clamp_max(len(of) - 1))
        return torch.cat(found)


class _TargetPairs:
    """Every sample once per epoch, in random order, each with a partner of a similar target."""

    def __init__(self, y: Tensor, method: CMixup) -> None:
        self.y, self.method = y, method
        self.waiting = torch.zeros(0, dtype=torch.int64)

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Return indices of the samples and of their partners, shape `(count,)` each."""
        while len(self.waiting) < count:
            self.waiting = torch.cat([self.waiting, torch.randperm(len(self.y), generator=self.method.generator)])
        first, self.waiting = self.waiting[:count], self.waiting[count:]
        return first, self.method.similar(self.y[first], self.y)
