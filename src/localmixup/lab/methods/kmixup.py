"""k-Mixup Regularization for Deep Learning via Optimal Transport (Greenewald, Gu, Yurochkin, Solomon, Chien, 2021)."""

from __future__ import annotations

from typing import ClassVar

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from localmixup import CompleteGraph, LocalityGraph, MixedBatch
from localmixup._distances import as_features
from localmixup._validate import ArgumentError, check_number
from localmixup.lab.methods.base import Batch, Method, PairSource
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec


class KMixup(Method):
    """Two random k-batches, matched so that the sum of the squared distances of the pairs is least.

    Pairs of the set: two independent k-batches of it, matched as they lie in the set, before augmentation. Pairs of
    the batch: blocks of k of the batch and of a random permutation of it. The last block may be smaller. One `lam` a
    batch. The option `k` is the size of a block; 1 is mixup.

    The authors' code matches by distances that are not squared; this is the paper's formula.
    """

    title = "k-mixup"
    OPTIONS: ClassVar[dict[str, float | str]] = {"k": 16.0}

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        k = check_number("k", self.options["k"], low=1, meaning="1 is mixup")
        if not k.is_integer():
            raise ArgumentError(f"k must be a whole number >= 1 (1 is mixup), got {k}")
        self.k = int(k)

    def graph(self) -> LocalityGraph:
        """Every pair, before the matching."""
        return CompleteGraph()

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Random pairs of the set, matched anew within blocks of k."""
        return _MatchedPairs(super().pairs(x, y), x, self.k)

    def mixed(self, batch: Batch) -> MixedBatch:
        """The mixed batch; the pairs of the batch are matched, those of the set have been."""
        if batch.partner_inputs is not None:
            return super().mixed(batch)
        plan = self.mix.plan(batch.inputs, batch.targets)
        order = match(batch.inputs, batch.inputs[plan.partner], self.k).to(batch.inputs.device)
        return plan._replace(partner=plan.partner[order]).apply(batch.inputs, batch.targets)


def match(x: Tensor, other: Tensor, k: int) -> Tensor:
    """The order of `other` in which row i meets row i of `x`, optimal within every block of k rows.

    Args:
        x: one end of each pair, shape `(n, ...)`.
        other: the other ends, likewise.
        k: rows a block.

    Returns:
        Indices into `other`, each once, shape `(n,)`, on the CPU.

    >>> match(torch.tensor([[0.0], [5.0]]), torch.tensor([[6.0], [1.0]]), k=2)
    tensor([1, 0])
    """
    found = [torch.zeros(0, dtype=torch.int64)]
    for start in range(0, len(x), k):
        own, partners = (as_features(part[start : start + k]).double() for part in (x, other))
        costs = torch.cdist(own, partners, compute_mode="donot_use_mm_for_euclid_dist").square()
        found.append(start + torch.from_numpy(linear_sum_assignment(costs.cpu().numpy())[1]))
    return torch.cat(found)


class _MatchedPairs:
    def __init__(self, source: PairSource, x: Tensor, k: int) -> None:
        self.source, self.x, self.k = source, x, k

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Indices of the first and of the second ends, shape `(count,)` each."""
        first, second = self.source.sample(count)
        return first, second[match(self.x[first], self.x[second], self.k)]
