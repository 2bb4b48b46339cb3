"""What one of several ranks mixed: batches whose loss is weighed over all ranks, plans with partners on any rank.

NamedTuples as those of `localmixup._batch` are, with the same fields, so they cross workers and device transfers too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from localmixup._batch import REDUCTIONS, MixedBatch, MixPlan
from localmixup._interpolate import between, check_mixable, map_tensors, tensors_in
from localmixup._validate import check_choice
from localmixup.integrations._ranks import gather_rows, rank_and_size, sum_over_ranks


class RankBatch(MixedBatch):
    """The part of a global batch that one rank mixed. `loss` is weighed over all ranks."""

    __slots__ = ()

    def loss(self, criterion: Callable[..., Tensor], outputs: Any, *, reduction: str | None = None) -> Tensor:
        """The loss of eq. (3) such that its gradient, averaged over the ranks as DDP does, is that of the global batch.

        Every rank must call it, also where it holds no samples (but for `"none"`, which sends nothing): it adds one
        number over the ranks. A rank's own value is not the global loss; `mean_over_ranks` of it is.

        Args:
            criterion: see `MixedBatch.loss`.
            outputs: what the model makes of `inputs`.
            reduction: with R ranks, and sums over all of them below the line: `"weighted_mean"`,
                R sum(w l) / sum_all(w), a differentiable zero where no sample counts on any rank; `"mean"`,
                R sum(w l) / n_all; `"sum"`, R sum(w l); `"none"`, w l of each sample of this rank.
                Default: as `DistributedLocalMixup` was told.

        Returns:
            A scalar, or for `"none"` one loss a sample, shape `(n,)`.

        Raises:
            ValueError: the criterion averages over the batch, so that a weight could not act any more.
        """
        reduction = self.reduction if reduction is None else check_choice("reduction", reduction, REDUCTIONS)
        _, size = rank_and_size()
        if size == 1 or reduction == "none":
            return super().loss(criterion, outputs, reduction=reduction)
        total = super().loss(criterion, outputs, reduction="sum") * size
        if reduction == "sum":
            return total
        if reduction == "mean":
            return total / sum_over_ranks(torch.full_like(total, len(self.weights))).clamp_min(1)
        return total / sum_over_ranks(self.weights.sum()).clamp_min(torch.finfo(self.weights.dtype).tiny)


class _MeanRankBatch(RankBatch):
    __slots__ = ()
    reduction = "mean"


class _SumRankBatch(RankBatch):
    __slots__ = ()
    reduction = "sum"


class _UnreducedRankBatch(RankBatch):
    __slots__ = ()
    reduction = "none"


class RankPlan(MixPlan):
    """A plan for the samples of one rank, with partners among them."""

    __slots__ = ()
    batch_type = RankBatch


class _MeanRankPlan(RankPlan):
    __slots__ = ()
    batch_type = _MeanRankBatch


class _SumRankPlan(RankPlan):
    __slots__ = ()
    batch_type = _SumRankBatch


class _UnreducedRankPlan(RankPlan):
    __slots__ = ()
    batch_type = _UnreducedRankBatch


class GatheredPlan(RankPlan):
    """A plan for the samples of one rank, with partners on any rank; every rank must apply it.

    Attributes:
        partner: place of each sample's partner, counted from this rank's first sample, shape `(n,)`: 0 to n - 1 are
            this rank's own, and those before and behind are samples of other ranks.
        lam: share of the sample itself, shape `(n,)`.
        weights: how much each mixed sample counts, in [0, 1], shape `(n,)`.
    """

    __slots__ = ()

    def mix(self, value: Any, *, inplace: bool = False) -> Any:
        """Mix any tensor of the batch; gradients flow to the ranks that the partners come from.

        Args:
            value: of this rank's samples, see `MixPlan.mix`.
            inplace: write the result into `value`.
        """
        self._check_rows(value, "value")
        for tensor in tensors_in(value, "value"):
            check_mixable(tensor)
        return self._mix_among(value, *gather_rows(value, "value", with_gradient=True), inplace)

    def partner_of(self, y: Any) -> Any:
        """What belongs to the partners, from whatever rank.

        Args:
            y: of this rank's samples, a tensor or a tuple or dict of such.
        """
        return self._partner_among(*gather_rows(y, "targets", with_gradient=True))

    def apply_among(self, x: Any, y: Any, everyone: dict[str, Any], mine: slice, inplace: bool) -> MixedBatch:
        others = self._partner_among(everyone["targets"], mine)
        mixed = self._mix_among(x, everyone["inputs"], mine, inplace)
        return self.batch_type(mixed, y, others, self.lam, self.weights)

    def _partner_among(self, everyone: Any, mine: slice) -> Any:
        return map_tensors(lambda t: t.index_select(0, self.partner + mine.start), everyone, "targets")

    def _mix_among(self, value: Any, everyone: Any, mine: slice, inplace: bool) -> Any:
        others = iter(tensors_in(self._partner_among(everyone, mine), "value"))

        def mix(own: Tensor) -> Tensor:
            mixed = between(own, next(others), self.lam)
            return own.copy_(mixed) if inplace else mixed

        return map_tensors(mix, value, "value")


class _MeanGatheredPlan(GatheredPlan):
    __slots__ = ()
    batch_type = _MeanRankBatch


class _SumGatheredPlan(GatheredPlan):
    __slots__ = ()
    batch_type = _SumRankBatch


class _UnreducedGatheredPlan(GatheredPlan):
    __slots__ = ()
    batch_type = _UnreducedRankBatch


RANK_PLANS = {p.batch_type.reduction: p for p in (RankPlan, _MeanRankPlan, _SumRankPlan, _UnreducedRankPlan)}
GATHERED_PLANS = {
    p.batch_type.reduction: p for p in (GatheredPlan, _MeanGatheredPlan, _SumGatheredPlan, _UnreducedGatheredPlan)
}
