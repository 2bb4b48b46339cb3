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
    formula = """
        P(j | i) ~ exp(-|y_i - y_j|^2 / (2 bandwidth^2))
        L = mean over pairs (i, j) of  lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j),  x~ = lam x_i + (1 - lam) x_j
    """
    citation = (
        "Yao, Wang, Zhang, Zou, Finn. C-Mixup: Improving Generalization in Regression. NeurIPS 2022. arXiv:2210.05775"
    )
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
        """Return the source of pairs of the set, which holds the matrix of all pairs only if it is small."""
        return _TargetPairs(y.cpu(), self)

    def similar(self, targets: Tensor, of: Tensor) -> Tensor:
        """Draw a partner for every target.

        Args:
            targets: of the samples that look for one, shape `(n,)`.
            of: targets of the samples that are drawn from, shape `(m,)`.

        Returns:
            Indices into `of`, shape `(n,)`.
        """
        values, row = torch.unique(targets, return_inverse=True)
        shares = torch.rand(len(targets), dtype=torch.float64, generator=self.generator)
        found, start = torch.zeros(len(targets), dtype=torch.int64), 0
        for block in torch.split(values, max(1, _BLOCK // len(of))):
            here = (row >= start) & (row < start + len(block))
            found[here] = _drawn(self.masses(block, of), row[here] - start, shares[here])
            start += len(block)
        return found

    def masses(self, values: Tensor, of: Tensor) -> Tensor:
        """Return the cumulated probabilities, not normalised, of the partners of each value, shape `(values, m)`."""
        if self.task == "classification":
            squares = (values[:, None] != of).double() * (2 / self.bandwidth**2)
        else:
            squares = ((values[:, None].double() - of.double()) / self.bandwidth).square()
        return (squares / -2).exp().cumsum(dim=1)


def _drawn(masses: Tensor, row: Tensor, shares: Tensor) -> Tensor:
    """Return the first column whose cumulated mass exceeds a share of that of its row, by bisection.

    Args:
        masses: cumulated along each row, shape `(r, m)`.
        row: which row each draw is from, shape `(n,)`.
        shares: of the mass of its row, one for each draw, in [0, 1), shape `(n,)`.
    """
    wanted = shares * masses[row, -1]
    low, high = torch.zeros_like(row), torch.full_like(row, masses.shape[1] - 1)
    for _ in range(masses.shape[1].bit_length()):
        middle = (low + high) // 2
        beyond = masses[row, middle] > wanted
        low, high = torch.where(beyond, low, (middle + 1).minimum(high)), torch.where(beyond, middle, high)
    return low


class _TargetPairs:
    """Every sample once per epoch, in random order, each with a partner of a similar target."""

    def __init__(self, y: Tensor, method: CMixup) -> None:
        self.y, self.method = y, method
        self.waiting = torch.zeros(0, dtype=torch.int64)
        values, self.row = torch.unique(y, return_inverse=True)
        self.masses = method.masses(values, y) if len(values) * len(y) <= _BLOCK else None

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Return indices of the samples and of their partners, shape `(count,)` each."""
        while len(self.waiting) < count:
            self.waiting = torch.cat([self.waiting, torch.randperm(len(self.y), generator=self.method.generator)])
        first, self.waiting = self.waiting[:count], self.waiting[count:]
        if self.masses is None:
            return first, self.method.similar(self.y[first], self.y)
        shares = torch.rand(count, dtype=torch.float64, generator=self.method.generator)
        return first, _drawn(self.masses, self.row[first], shares)
