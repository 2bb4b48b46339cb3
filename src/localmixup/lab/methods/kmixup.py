"""k-Mixup Regularization for Deep Learning via Optimal Transport (Greenewald, Gu, Yurochkin, Solomon, Chien, 2023)."""

from __future__ import annotations

from typing import ClassVar

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from localmixup._distances import as_features
from localmixup._validate import ArgumentError, check_number
from localmixup.lab.methods.base import PairSource
from localmixup.lab.methods.mixup import Mixup
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec


class KMixup(Mixup):
    """Two random k-batches, matched so that the sum of the squared distances of the pairs is least.

    Pairs of the set: two independent k-batches of it, matched by the inputs before augmentation. Pairs of the batch:
    blocks of k samples of the batch and of a random permutation of it. The last block may be smaller. There is one
    `lam` per batch. The option `k` is the size of a block; 1 is mixup.

    The authors' code matches by distances that are not squared; this is the paper's formula.
    """

    title = "k-mixup"
    formula = """
        s = the permutation of k partners with the least  sum over i of |x_i - x'_s(i)|^2
        x~ = lam x_i + (1 - lam) x'_s(i)
        L = mean over i of  lam l(f(x~), y_i) + (1 - lam) l(f(x~), y'_s(i))
    """
    citation = (
        "Greenewald, Gu, Yurochkin, Solomon, Chien. k-Mixup Regularization for Deep Learning via Optimal Transport. "
        "Transactions on Machine Learning Research, 2023. arXiv:2106.02933"
    )
    OPTIONS: ClassVar[dict[str, float | str]] = {"k": 16.0}
    by_batch = True

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        k = check_number("k", self.options["k"], low=1, meaning="1 is mixup")
        if not k.is_integer():
            raise ArgumentError(f"k must be a whole number >= 1 (1 is mixup), got {k}")
        self.k = int(k)

    def partners(self, x: Tensor, y: Tensor) -> Tensor:
        """Draw a permutation of the batch and match it block by block."""
        drawn = super().partners(x, y)
        return drawn[match(x, x[drawn.to(x.device)], self.k)]

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Return the source of random pairs of the set, matched within blocks of k."""
        return _MatchedPairs(super().pairs(x, y), x, self.k)


def match(x: Tensor, other: Tensor, k: int) -> Tensor:
    """Return the order of `other` in which row i meets row i of `x`, optimal within every block of k rows.

    Args:
        x: one end of each pair, shape `(n, ...)`.
        other: the other ends, in the same shape.
        k: number of rows of a block.

    Returns:
        Indices into `other`, each once, shape `(n,)`, on the CPU.

    >>> match(torch.tensor([[0.0], [5.0]]), torch.tensor([[6.0], [1.0]]), k=2)
    tensor([1, 0])
    """
    own, partners = (as_features(part).double() for part in (x, other))
    whole = len(own) // k * k
    found = [torch.zeros(0, dtype=torch.int64)]
    for size, rows in ((k, slice(0, whole)), (len(own) - whole, slice(whole, None))):
        if size:
            a, b = (part[rows].reshape(-1, size, part.shape[1]) for part in (own, partners))
            costs = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()
            orders = [linear_sum_assignment(block)[1] for block in costs.cpu().numpy()]
            found += [rows.start + size * n + torch.from_numpy(order) for n, order in enumerate(orders)]
    return torch.cat(found)


class _MatchedPairs:
    def __init__(self, source: PairSource, x: Tensor, k: int) -> None:
        self.source, self.x, self.k = source, x, k

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Return indices of the samples and of their partners, shape `(count,)` each."""
        first, second = self.source.sample(count)
        return first, second[match(self.x[first], self.x[second], self.k)]
