"""Controls: random partners that move a sample as far as the near partners of local mixup do.

Near partners are nearer, so local mixup also moves samples less. These controls keep how far each sample is moved, and
draw its partner at random. What is left of a difference is due to which partners are near: where they lie, and what
class they have.
"""

from __future__ import annotations

import torch
from torch import Tensor

from localmixup import MixPlan
from localmixup._distances import distances_of_pairs
from localmixup._validate import ArgumentError
from localmixup.lab.methods.base import PairSource
from localmixup.lab.methods.local import LocalKNN
from localmixup.lab.methods.recipe import Recipe
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec


class SameDisplacement(Recipe):
    """The control of a recipe that mixes with random partners, and moves samples as far as the recipe does.

    Each mixed sample gets a random partner of the batch and a lam at which its distance to the nearer end is that of
    the recipe: a half at most, where even the middle of the segment is nearer.
    """

    title = "random partners at the same displacement"

    def plan(self, x: Tensor, y: Tensor, size: int) -> MixPlan:
        """Draw the pairs of several batches; see `Method.plan`."""
        local = super().plan(x, y, size)
        itself = torch.arange(len(x), device=x.device)
        start = itself - itself % size
        steps = torch.randint(max(1, size - 1), (len(x),), generator=self.generator).to(x.device)
        other = start + (itself - start + 1 + steps) % size
        moves = local.partner != itself
        partner = torch.where(moves, other, itself)
        near, far = (distances_of_pairs(x, itself, ends) for ends in (local.partner, partner))
        lam = torch.where(moves, as_far(local.lam, near, far), 1.0)
        return MixPlan(partner, lam.to(local.lam.dtype), local.weights)


class SameDisplacementOfSet(LocalKNN):
    """The control of nearest neighbours of the set: random partners of the set that move samples as far.

    Pairs and lam are drawn as for `LocalKNN`. Then every sample that is mixed gets a random partner of the set, and a
    lam of its own at which its distance to the nearer end is that of the near pair: a half at most.
    """

    title = "random partners of the set at the same displacement"
    formula = """
        L = mean over mixed samples i of  lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_k),  x~ = lam x_i + (1 - lam) x_k
        k random, lam such that x~ is as far from its nearer end as with a partner among the K nearest of x_i
    """

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        if training.pairs != "set":
            raise ArgumentError(f"pairs must be 'set' for {spec.method}, got {training.pairs!r}")

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Return the source of the near pairs, and keep the inputs."""
        self.inputs = x
        return super().pairs(x, y)

    def moved_in_set(self, first: Tensor, second: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        """Draw random partners; see `Method.moved_in_set`."""
        x = self.inputs
        steps = torch.randint(max(1, len(x) - 1), (len(first),), generator=self.generator)
        other = torch.where(first == second, first, (first + 1 + steps) % len(x))
        near, far = (distances_of_pairs(x, first, ends) for ends in (second, other))
        return other, torch.where(first == second, lam, as_far(lam, near, far).to(lam.dtype))


def as_far(lam: Tensor, near: Tensor, far: Tensor) -> Tensor:
    """Return the lam at which a mixture with a far partner lies as far from its nearer end as one with a near partner.

    At most a half: beyond the middle of the segment the other end is nearer. The nearer end stays the same one, which
    keeps the mean share of the own target.

    Args:
        lam: with the near partner, shape `(n,)`.
        near: distances to the near partners, shape `(n,)`.
        far: distances to the far partners, shape `(n,)`.

    Returns:
        Shape `(n,)`.

    >>> as_far(torch.tensor([0.8, 0.3, 0.5]), torch.tensor([1.0, 1.0, 4.0]), torch.tensor([4.0, 4.0, 1.0]))
    tensor([0.9500, 0.0750, 0.5000])
    """
    share = (torch.minimum(lam, 1 - lam) * near / far.clamp_min(1e-30)).clamp_max(0.5)
    return torch.where(lam >= 0.5, 1 - share, share)
