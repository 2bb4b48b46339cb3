"""C-Mixup: Improving Generalization in Regression (Yao, Wang, Zhang, Zou, Finn, 2022): partners of similar targets."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from localmixup import CompleteGraph, LocalityGraph, MixedBatch
from localmixup._validate import ArgumentError, check_number
from localmixup.lab.methods.base import Batch, Method, PairSource
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

_BLOCK = 2**22  # probabilities at a time, 32 MB


class CMixup(Method):
    """Partners drawn by `P(j | i) ~ exp(-(y_i - y_j)^2 / (2 bandwidth^2))`, the sample itself included.

    From the whole training set, every sample once an epoch as first end; or from the batch. One `lam` a batch.

    The option `bandwidth` is in the unit of the targets as the lab has them, standardised: 1 is their standard
    deviation; `inf` is mixup with random partners. For classes the targets are one-hot vectors, at the squared
    distance 0 or 2, so that a small bandwidth samples within the class and a large one anywhere.
    """

    title = "c-mixup"
    OPTIONS: ClassVar[dict[str, float | str]] = {"bandwidth": 1.0}

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.bandwidth = check_number("bandwidth", self.options["bandwidth"], low=0, meaning="inf is mixup")
        if self.bandwidth == 0:
            raise ArgumentError("bandwidth must be > 0 (inf is mixup), got 0")

    def graph(self) -> LocalityGraph:
        """The inputs do not decide who meets whom."""
        return CompleteGraph()

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Partners from the whole training set, found for the drawn rows only: no matrix of all pairs."""
        return _TargetPairs(y.cpu(), self)

    def mixed(self, batch: Batch) -> MixedBatch:
        """The mixed batch; partners of the batch where it brings none."""
        if batch.partner_inputs is not None:
            return super().mixed(batch)
        plan = self.mix.plan(batch.inputs, batch.targets)
        targets = batch.targets.cpu()
        partner = self.partners(targets, targets).to(batch.inputs.device)
        itself = partner == torch.arange(len(partner), device=partner.device)
        lam = torch.where(itself, 1.0, plan.lam)
        return plan._replace(partner=partner, lam=lam).apply(batch.inputs, batch.targets)

    def partners(self, targets: Tensor, of: Tensor) -> Tensor:
        """A partner for every target.

        Args:
            targets: of the samples that look for one, shape `(n,)`, on the CPU.
            of: of the samples among which they look, shape `(m,)`, on the CPU.

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
    def __init__(self, y: Tensor, method: CMixup) -> None:
        self.y, self.method = y, method
        self.waiting = torch.zeros(0, dtype=torch.int64)

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Indices of the first and of the second ends, shape `(count,)` each."""
        while len(self.waiting) < count:
            self.waiting = torch.cat([self.waiting, torch.randperm(len(self.y), generator=self.method.generator)])
        first, self.waiting = self.waiting[:count], self.waiting[count:]
        return first, self.method.partners(self.y[first], self.y)
