"""What a draw leaves behind: a `MixPlan` says who is mixed with whom, a `MixedBatch` weighs the losses.

Both are NamedTuples of tensors, so they cross DataLoader workers, pinning and device transfers. The reduction that
`LocalMixup` was given is the type's own constant, not a field, so it crosses with them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from localmixup._interpolate import between, interpolate, map_tensors, tensors_in
from localmixup._validate import ArgumentError, check_choice, check_integer

REDUCTIONS = ("weighted_mean", "mean", "sum", "none")


def effective_sample_size(weights: Tensor) -> Tensor:
    """Effective sample size as a share of the batch, `(sum w)^2 / (n sum w^2)`.

    Args:
        weights: shape `(n,)`.

    Returns:
        A scalar in (0, 1]; 0 where all weights are zero.

    >>> effective_sample_size(torch.tensor([1.0, 1.0, 0.0, 0.0]))
    tensor(0.5000)
    """
    if not len(weights):
        return weights.sum()
    weights = weights / weights.amax().clamp_min(torch.finfo(weights.dtype).tiny)
    return weights.sum() ** 2 / (len(weights) * weights.square().sum()).clamp_min(1e-30)


class _BatchFields(NamedTuple):
    inputs: Any
    targets: Any
    partner_targets: Any
    lam: Tensor
    weights: Tensor


class MixedBatch(_BatchFields):
    """A mixed batch, its two sets of targets, and how much each sample counts.

    Attributes:
        inputs: mixed inputs, shape `(n, ...)`, or a tuple or dict of such.
        targets: the targets of the samples themselves.
        partner_targets: the targets of their partners.
        lam: share of the sample itself in each mixed sample, shape `(n,)`.
        weights: how much each mixed sample counts, in [0, 1], shape `(n,)`.
    """

    __slots__ = ()
    reduction: ClassVar[str] = "weighted_mean"

    def loss(self, criterion: Callable[..., Tensor], outputs: Any, *, reduction: str | None = None) -> Tensor:
        """The loss of eq. (3): `w (lam l(outputs, targets) + (1 - lam) l(outputs, partner_targets))`, reduced.

        The two losses are mixed rather than the targets, so it serves classes, soft labels, several labels,
        regression and dense masks alike; values of one sample (pixels, labels) are averaged first, those too that a
        criterion ignores and gives as zero (`ignore_index`): to leave them out, return one loss a sample yourself.

        Args:
            criterion: a function of `torch.nn.functional` (called with `reduction="none"`), a loss module made with
                `reduction="none"`, or any function of outputs and targets that returns one loss a sample.
            outputs: what the model makes of `inputs`.
            reduction: `"weighted_mean"`, sum(w l) / sum(w), a differentiable zero where no sample counts; `"mean"`,
                sum(w l) / n, which is eq. (3) up to a constant and shrinks the gradient with the mean weight;
                `"sum"`; or `"none"`, w l. Default: as `LocalMixup` was told.

        Returns:
            A scalar, or for `"none"` one loss a sample, shape `(n,)`.

        Raises:
            ValueError: the criterion averages over the batch, so that a weight could not act any more.
        """
        reduction = self.reduction if reduction is None else check_choice("reduction", reduction, REDUCTIONS)
        n = self.weights.shape[0]
        own = _loss_per_sample(criterion, outputs, self.targets, n)
        other = _loss_per_sample(criterion, outputs, self.partner_targets, n)
        weighted = self.weights * (self.lam * own + (1 - self.lam) * other)
        if reduction == "none":
            return weighted
        if reduction == "sum":
            return weighted.sum()
        if reduction == "mean":
            return weighted.sum() / max(n, 1)
        return weighted.sum() / self.weights.sum().clamp_min(torch.finfo(self.weights.dtype).tiny)

    def soft_targets(self, num_classes: int | None = None) -> Tensor:
        """The mixed targets `lam y + (1 - lam) y_partner`, for losses that take probabilities or values.

        Args:
            num_classes: for class indices, which become one-hot, in dimension 1: shape `(n, c)` or `(n, c, ...)`.

        Returns:
            Soft labels, or the mixed values themselves for floating targets. The weights are not in them.

        Raises:
            ValueError: `num_classes` is missing or too small for the class indices, or there are several targets.
        """
        if not isinstance(self.targets, Tensor):
            raise ArgumentError(f"soft_targets needs one tensor of targets, got {type(self.targets).__name__}")
        own = _as_floating(self.targets, num_classes, self.lam.dtype)
        other = _as_floating(self.partner_targets, num_classes, self.lam.dtype)
        return between(own, other, self.lam)

    def accuracy(self, outputs: Tensor) -> Tensor:
        """Training accuracy under mixing: a hit on the own class counts `lam`, on the partner's `1 - lam`.

        The plain accuracy has no meaning on mixed samples. Weighted by `weights`.

        Args:
            outputs: scores, shape `(n, c)` or `(n, c, ...)`; for several labels a sample the signs count.

        Returns:
            A scalar in [0, 1]; 0 where no sample counts.

        Raises:
            ValueError: the targets are not classes.
        """
        labels = _several_labels(self.targets, self.partner_targets)
        own, other = (_hits(outputs, targets, labels) for targets in (self.targets, self.partner_targets))
        hits = self.weights * (self.lam * own + (1 - self.lam) * other)
        return hits.sum() / self.weights.sum().clamp_min(torch.finfo(self.weights.dtype).tiny)


class _MeanBatch(MixedBatch):
    __slots__ = ()
    reduction = "mean"


class _SumBatch(MixedBatch):
    __slots__ = ()
    reduction = "sum"


class _UnreducedBatch(MixedBatch):
    __slots__ = ()
    reduction = "none"


class _PlanFields(NamedTuple):
    partner: Tensor
    lam: Tensor
    weights: Tensor


class MixPlan(_PlanFields):
    """Who is mixed with whom, how much, and what it counts: drawn once, applied to whatever belongs to the batch.

    Attributes:
        partner: index of the sample that each sample is mixed with, shape `(n,)`; its own where it stays unmixed.
        lam: share of the sample itself, shape `(n,)`.
        weights: how much each mixed sample counts, in [0, 1], shape `(n,)`.
    """

    __slots__ = ()
    batch_type: ClassVar[type[MixedBatch]] = MixedBatch

    def mix(self, value: Any, *, inplace: bool = False) -> Any:
        """Mix any tensor of the batch: inputs, a hidden layer, soft targets.

        Args:
            value: shape `(n, ...)`, or a tuple or dict of such; floating point.
            inplace: write the result into `value`.

        Returns:
            The same structure, shapes and dtypes. Differentiable.

        Raises:
            ValueError: integers, or another batch size than the plan's.
        """
        self._check_rows(value, "value")
        return map_tensors(lambda t: interpolate(t, self.partner, self.lam, inplace=inplace), value, "value")

    def apply(self, x: Any, y: Any, *, inplace: bool = False) -> MixedBatch:
        """Mix a batch.

        Args:
            x: inputs, shape `(n, ...)`, or a tuple or dict of such.
            y: targets of any kind, first dimension n, or a tuple or dict of such.
            inplace: write the mixed inputs into `x`.

        Raises:
            ValueError: inputs or targets of another batch size than the plan's.
        """
        self._check_rows(y, "targets")
        return self.batch_type(self.mix(x, inplace=inplace), y, self.partner_of(y), self.lam, self.weights)

    def partner_of(self, y: Any) -> Any:
        """What belongs to the partners: `y[partner]`, for a tensor or a tuple or dict of such."""
        return map_tensors(lambda t: t.index_select(0, self.partner), y, "targets")

    @property
    def mixed_share(self) -> Tensor:
        """Share of the counted samples whose two ends differ, a scalar; 0 where no sample counts."""
        moved = self.partner != torch.arange(len(self.partner), device=self.partner.device)
        return (self.weights * moved).sum() / self.weights.sum().clamp_min(torch.finfo(self.weights.dtype).tiny)

    @property
    def effective_sample_size(self) -> Tensor:
        """`(sum w)^2 / (n sum w^2)`, a scalar in (0, 1]; 0 where no sample counts."""
        return effective_sample_size(self.weights)

    def _check_rows(self, value: Any, name: str) -> None:
        n = self.partner.shape[0]
        for tensor in tensors_in(value, name):
            if tensor.ndim == 0 or tensor.shape[0] != n:
                raise ArgumentError(f"{name} must hold {n} samples as the plan does, got shape {tuple(tensor.shape)}")


class _MeanPlan(MixPlan):
    __slots__ = ()
    batch_type = _MeanBatch


class _SumPlan(MixPlan):
    __slots__ = ()
    batch_type = _SumBatch


class _UnreducedPlan(MixPlan):
    __slots__ = ()
    batch_type = _UnreducedBatch


PLANS: dict[str, type[MixPlan]] = {
    plan.batch_type.reduction: plan for plan in (MixPlan, _MeanPlan, _SumPlan, _UnreducedPlan)
}


def _takes_reduction(criterion: Callable[..., Tensor]) -> bool:
    """Whether a function has an argument `reduction`; looked up each time, for a cache would keep closures alive."""
    if isinstance(criterion, functools.partial):
        return _takes_reduction(criterion.func)
    code = getattr(criterion, "__code__", None) or getattr(type(criterion).__call__, "__code__", None)
    if code is not None:
        return "reduction" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    try:
        return "reduction" in inspect.signature(criterion).parameters
    except (TypeError, ValueError):
        return False


# what torch.compiler.assume_constant_result does, without importing the compiler
_takes_reduction._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _loss_per_sample(criterion: Callable[..., Tensor], outputs: Any, targets: Any, n: int) -> Tensor:
    if not callable(criterion):
        raise ArgumentError(
            f"criterion must be a function of outputs and targets such as F.cross_entropy, got {criterion!r}"
        )
    refusal = "a weight applied after the mean does nothing, so the loss must come one a sample"
    keywords = getattr(criterion, "keywords", {})
    told = criterion.reduction if isinstance(criterion, nn.Module) and hasattr(criterion, "reduction") else None
    told = keywords.get("reduction", told)
    if told not in (None, "none"):
        raise ArgumentError(f"criterion must have reduction='none', got reduction={told!r}: {refusal}")
    if told is None and not isinstance(criterion, nn.Module) and _takes_reduction(criterion):
        losses = criterion(outputs, targets, reduction="none")
    else:
        losses = criterion(outputs, targets)
    if losses.ndim == 0 or losses.shape[0] != n:
        raise ArgumentError(f"criterion must return {n} losses, got shape {tuple(losses.shape)}: {refusal}")
    if losses.shape == (n, n) and {_shape(outputs), _shape(targets)} == {(n,), (n, 1)} and n > 1:
        raise ArgumentError(
            f"outputs of shape {_shape(outputs)} and targets of shape {_shape(targets)} were broadcast to {(n, n)}: "
            "give both the same shape"
        )
    return losses if losses.ndim == 1 else losses.flatten(1).mean(dim=1)


def _shape(value: Any) -> tuple[int, ...] | None:
    return tuple(value.shape) if isinstance(value, Tensor) else None


def _as_floating(targets: Tensor, num_classes: int | None, dtype: torch.dtype) -> Tensor:
    if targets.is_floating_point():
        return targets
    if targets.dtype == torch.bool:
        return targets.to(dtype)
    if num_classes is None:
        raise ArgumentError("soft_targets needs num_classes for class indices, got None")
    check_integer("num_classes", num_classes, low=1)
    if targets.numel() and not torch.compiler.is_compiling():
        low, high = int(targets.min()), int(targets.max())
        if low < 0 or high >= num_classes:
            raise ArgumentError(f"num_classes={num_classes} allows classes 0 to {num_classes - 1}, got {low} to {high}")
    return torch.nn.functional.one_hot(targets.long(), num_classes).movedim(-1, 1).to(dtype)


def _several_labels(targets: Any, partner_targets: Any) -> bool:
    """Whether targets hold several labels a sample rather than one class."""
    if not isinstance(targets, Tensor):
        raise ArgumentError(f"accuracy needs one tensor of targets, got {type(targets).__name__}")
    if targets.dtype == torch.bool:
        return True
    if not targets.is_floating_point():
        return False
    both = torch.cat([targets, partner_targets])
    if both.ndim < 2 or both.shape[1] < 2 or bool(((both < 0) | (both > 1)).any()):
        raise ArgumentError("accuracy needs targets that are classes; for regression measure the loss instead")
    return not bool(((both.sum(dim=1) - 1).abs() < 1e-3).all())


def _hits(outputs: Tensor, targets: Tensor, several_labels: bool) -> Tensor:
    if several_labels:
        hits = ((outputs > 0) == (targets > 0.5)).float()
    else:
        classes = targets.argmax(dim=1) if targets.is_floating_point() else targets
        if outputs.ndim < 2 or outputs.shape[:1] + outputs.shape[2:] != classes.shape:
            raise ArgumentError(
                f"accuracy needs class scores of shape (n, c, ...) and classes of shape (n, ...), "
                f"got {tuple(outputs.shape)} and {tuple(targets.shape)}"
            )
        hits = (outputs.argmax(dim=1) == classes).float()
    return hits.flatten(1).mean(dim=1) if hits.ndim > 1 else hits
