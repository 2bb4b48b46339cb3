"""The mixed batch of one rank, whose loss is weighted over all ranks, and plans with partners on any rank.

These are NamedTuples with the same fields as those of `localmixup._batch`, so they also pass through DataLoader workers
and device transfers.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from localmixup._batch import MixedBatch, MixPlan
from localmixup._interpolate import between, check_mixable, map_tensors, tensors_in
from localmixup._random import rank_and_size
from localmixup.distributed._collectives import gather_rows, sum_over_ranks


class RankBatch(MixedBatch):
    """The part of a batch that one rank mixed.

    The gradient of `loss`, averaged over the ranks as DistributedDataParallel does, is that of the whole batch. With R
    ranks, `"weighted_mean"` is `R sum(w l) / sum_all(w)`, where `sum_all` runs over all ranks (a differentiable zero if
    no sample counts on any rank), `"mean"` is `R sum(w l) / n_all`, and `"sum"` is `R sum(w l)`. `"none"` is unscaled.

    Every rank must call `loss`, even with no samples, because it adds up one number over the ranks (except with `"sum"`
    and `"none"`). The value on one rank is not the loss of the whole batch; use `mean_over_ranks` to log that.
    """

    __slots__ = ()

    @classmethod
    def of(cls, batch: MixedBatch) -> RankBatch:
        """Return a batch that was mixed on one rank, so that its loss runs over all ranks.

        Args:
            batch: from a `LocalMixup` of this rank.
        """
        return cls(batch.inputs, batch.targets, batch.partner_targets, batch.lam, batch.weights)

    def _numerator(self, total: Tensor) -> Tensor:
        return total * rank_and_size()[1]

    def _denominator(self, total: Tensor) -> Tensor:
        return sum_over_ranks(total)


class RankPlan(MixPlan):
    """A plan for the samples of one rank, with partners on the same rank."""

    __slots__ = ()

    def _batch(self, inputs: Any, targets: Any, partner_targets: Any) -> MixedBatch:
        return RankBatch(inputs, targets, partner_targets, self.lam, self.weights)


class GatheredPlan(RankPlan):
    """A plan for the samples of one rank, with partners on any rank. Every rank must apply it.

    Attributes:
        partner: position of each sample's partner relative to the first sample of this rank, shape `(n,)`. Positions 0
            to n - 1 are samples of this rank; negative and larger ones are on other ranks.
        lam: share of the sample itself, shape `(n,)`.
        weights: how much each mixed sample counts, in [0, 1], shape `(n,)`.
    """

    __slots__ = ()

    def mix(self, value: Any, *, inplace: bool = False) -> Any:
        """Mix any tensor of the batch. Gradients flow back to the ranks of the partners.

        Args:
            value: tensors of the samples of this rank, see `MixPlan.mix`.
            inplace: write the result into `value`.

        Returns:
            The same structure, shapes and dtypes.

        Raises:
            ValueError: `value` holds integers, or another number of samples than the plan.
        """
        self._check_rows(value, "value")
        for tensor in tensors_in(value, "value"):
            check_mixable(tensor)
        return self._mix_among(value, *gather_rows(value, "value", with_gradient=True), inplace)

    def partner_of(self, y: Any) -> Any:
        """Return what belongs to the partners, from whatever rank.

        Args:
            y: a tensor, or a tuple or dict of tensors, of the samples of this rank.
        """
        return self._partners_among(*gather_rows(y, "targets", with_gradient=True))

    def apply_among(self, x: Any, y: Any, everyone: dict[str, Any], mine: slice, inplace: bool) -> MixedBatch:
        """Mix a batch whose rows have been gathered already.

        Args:
            x: the inputs of this rank.
            y: their targets.
            everyone: the `"inputs"` and `"targets"` of all ranks, from `gather_rows`.
            mine: the rows of this rank in them.
            inplace: write the mixed inputs into `x`.
        """
        others = self._partners_among(everyone["targets"], mine)
        return self._batch(self._mix_among(x, everyone["inputs"], mine, inplace), y, others)

    def _partners_among(self, everyone: Any, mine: slice) -> Any:
        return map_tensors(lambda t: t.index_select(0, self.partner + mine.start), everyone, "targets")

    def _mix_among(self, value: Any, everyone: Any, mine: slice, inplace: bool) -> Any:
        others = iter(tensors_in(self._partners_among(everyone, mine), "value"))

        def mix(own: Tensor) -> Tensor:
            mixed = between(own, next(others), self.lam)
            return own.copy_(mixed) if inplace else mixed

        return map_tensors(mix, value, "value")
