"""What a draw leaves behind: a `MixPlan` says who is mixed with whom, a `MixedBatch` weighs the losses.

Both are NamedTuples of tensors, so they pass through DataLoader workers, pinning and device transfers.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from localmixup._accuracy import hits_of, kind_of_labels
from localmixup._criterion import losses_and_counts
from localmixup._interpolate import between, check_apart, check_mixable, interpolate, map_tensors, tensors_in
from localmixup._validate import ArgumentError, check_choice, check_integer

REDUCTIONS = ("weighted_mean", "mean", "sum", "none")
IGNORED = -100  # PyTorch's default for labels that do not count


def ess_ratio(weights: Tensor) -> Tensor:
    """Return Kish's effective sample size as a share of the samples, `(sum w)^2 / (n sum w^2)`.

    Args:
        weights: shape `(n,)`.

    Returns:
        A scalar in (0, 1]; 0 if all weights are zero.

    >>> ess_ratio(torch.tensor([1.0, 1.0, 0.0, 0.0]))
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

    def loss(self, criterion: Callable[..., Tensor], outputs: Any, *, reduction: str = "weighted_mean") -> Tensor:
        """Return the loss of eq. (3), `w (lam l(outputs, targets) + (1 - lam) l(outputs, partner_targets))`, reduced.

        The two losses are mixed, not the targets, so it works for classes, soft labels, several labels, regression and
        dense masks alike. The values of one sample (pixels, labels) are averaged first. Class weights and
        `ignore_index` of the cross entropy and of the negative log-likelihood are divided out as PyTorch does, so an
        unmixed batch has exactly PyTorch's mean.

        Args:
            criterion: a function of `torch.nn.functional`, a loss module such as `nn.CrossEntropyLoss()`, or any
                function of outputs and targets that returns one loss per sample.
            outputs: what the model returns for `inputs`.
            reduction: `"weighted_mean"`, sum(w l) / sum(w), a differentiable zero if no sample counts; `"mean"`,
                sum(w l) / n, which is eq. (3) up to a constant and shrinks the gradient with the mean weight;
                `"sum"`, sum(w l); or `"none"`, w l.

        Returns:
            A scalar, or for `"none"` one loss per sample, shape `(n,)`.

        Raises:
            ValueError: the criterion returns one averaged number and cannot be asked for one loss per sample, on which
                alone a weight can act.
        """
        check_choice("reduction", reduction, REDUCTIONS)
        _refuse_swapped(criterion, outputs)
        n = self.weights.shape[0]
        own, own_count = losses_and_counts(criterion, outputs, self.targets, n)
        other, other_count = losses_and_counts(criterion, outputs, self.partner_targets, n)
        losses = self.lam * own + (1 - self.lam) * other
        weighted = self.weights * losses
        if own_count is None or other_count is None:
            counts: Tensor | None = None
        else:
            counts = self.lam * own_count + (1 - self.lam) * other_count
        if reduction == "none":
            return weighted
        total = self._numerator(weighted.sum())
        if reduction == "sum":
            return total
        if reduction == "mean":
            size = total.new_full((), n) if counts is None else counts.sum()
            return total / self._denominator(size).clamp_min(1 if counts is None else _tiny(total))
        size = (self.weights if counts is None else self.weights * counts).sum()
        return total / self._denominator(size).clamp_min(_tiny(size))

    def _numerator(self, total: Tensor) -> Tensor:
        """Return the weighted sum of the losses; a batch of one of several ranks multiplies it by their number."""
        return total

    def _denominator(self, total: Tensor) -> Tensor:
        """Return what the sum is divided by; a batch of one of several ranks adds it over all of them."""
        return total

    def soft_targets(self, num_classes: int | None = None) -> Tensor:
        """Return the mixed targets `lam y + (1 - lam) y_partner`, for losses that take probabilities or values.

        Args:
            num_classes: for class indices, which become one-hot in dimension 1: shape `(n, c)` or `(n, c, ...)`.

        Returns:
            Soft labels, or the mixed values for floating point targets. The weights are not in them.

        Raises:
            ValueError: `num_classes` is missing or too small for the class indices, or there are several targets.
        """
        if not isinstance(self.targets, Tensor):
            raise ArgumentError(f"soft_targets needs one tensor of targets, got {type(self.targets).__name__}")
        own = _as_floating(self.targets, num_classes, self.lam.dtype)
        other = _as_floating(self.partner_targets, num_classes, self.lam.dtype)
        return between(own, other, self.lam)

    def accuracy(self, outputs: Tensor, *, ignore_index: int = IGNORED) -> Tensor:
        """Return the training accuracy under mixing: a hit on the own class counts `lam`, on the partner's `1 - lam`.

        The plain accuracy has no meaning for mixed samples. Samples count by `weights`.

        Args:
            outputs: class scores, shape `(n, c)` or `(n, c, ...)`; or one logit per label 0 or 1, shape `(n,)` or
                `(n, 1)`, of a mask `(n, 1, ...)`; for several labels per sample their signs count.
            ignore_index: label that is left out, as in `nn.CrossEntropyLoss`.

        Returns:
            A scalar in [0, 1]; 0 if no sample counts.

        Raises:
            ValueError: the targets are not classes; for one logit, labels other than 0, 1 and `ignore_index`.
        """
        labels = kind_of_labels(self.targets, self.partner_targets, outputs, ignore_index)
        own, own_counts = hits_of(outputs, self.targets, labels, ignore_index)
        other, other_counts = hits_of(outputs, self.partner_targets, labels, ignore_index)
        hits = self.weights * (self.lam * own + (1 - self.lam) * other)
        counts = self.weights * (self.lam * own_counts + (1 - self.lam) * other_counts)
        return hits.sum() / counts.sum().clamp_min(_tiny(counts))

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> MixedBatch:
        """Return the batch on another device.

        Args:
            device: the device.
            non_blocking: as in `torch.Tensor.to`.
        """
        moved = (map_tensors(lambda t: t.to(device, non_blocking=non_blocking), value, "batch") for value in self)
        return type(self)(*moved)

    def __iter__(self) -> Iterator[Any]:
        if torch.compiler.is_compiling():  # the compiler has no frames to look at
            return super().__iter__()
        caller = sys._getframe(1)
        code, at = caller.f_code.co_code, caller.f_lasti
        if code[at] == _UNPACK and code[at + 1] != len(self):
            raise ArgumentError(
                f"a MixedBatch cannot be unpacked into {code[at + 1]} values: write batch = mix(x, y), then "
                "batch.loss(criterion, model(batch.inputs))"
            )
        return super().__iter__()


_UNPACK = dis.opmap["UNPACK_SEQUENCE"]


class _PlanFields(NamedTuple):
    partner: Tensor
    lam: Tensor
    weights: Tensor


class MixPlan(_PlanFields):
    """Who is mixed with whom, by how much, and what it counts. Drawn once, applied to whatever belongs to the batch.

    Attributes:
        partner: index of the sample that each sample is mixed with, shape `(n,)`; its own if it stays unmixed.
        lam: share of the sample itself, shape `(n,)`.
        weights: how much each mixed sample counts, in [0, 1], shape `(n,)`.
    """

    __slots__ = ()

    def mix(self, value: Any, *, inplace: bool = False) -> Any:
        """Mix any tensor of the batch: inputs, a hidden layer, soft targets.

        Args:
            value: shape `(n, ...)`, or a tuple or dict of such; floating point.
            inplace: write the result into `value`.

        Returns:
            The same structure, shapes, dtypes and memory formats. Differentiable.

        Raises:
            ValueError: integers, or another batch size than that of the plan.
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
            ValueError: inputs or targets of another batch size than that of the plan; or `inplace` where an input is a
                target or another input as well.
        """
        self._check_rows(y, "targets")  # before anything is written
        if inplace:
            check_apart(x, y)
        return self._batch(self.mix(x, inplace=inplace), y, self.partner_of(y))

    def partner_of(self, y: Any) -> Any:
        """Return what belongs to the partners, `y[partner]`, for a tensor or a tuple or dict of such."""
        return map_tensors(lambda t: t.index_select(0, self.partner), y, "targets")

    @property
    def mixed_share(self) -> Tensor:
        """Share of the counted samples whose two ends differ, a scalar; 0 if no sample counts."""
        moved = self.partner != torch.arange(len(self.partner), device=self.partner.device)
        return (self.weights * moved).sum() / self.weights.sum().clamp_min(_tiny(self.weights))

    @property
    def ess_ratio(self) -> Tensor:
        """Kish's effective sample size over n, `(sum w)^2 / (n sum w^2)`, a scalar in (0, 1]; 0 if no sample counts."""
        return ess_ratio(self.weights)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> MixPlan:
        """Return the plan on another device.

        Args:
            device: the device.
            non_blocking: as in `torch.Tensor.to`.
        """
        return type(self)(*(value.to(device, non_blocking=non_blocking) for value in self))

    def _batch(self, inputs: Any, targets: Any, partner_targets: Any) -> MixedBatch:
        """Return the batch of inputs that this plan mixed; a plan of one of several ranks makes another kind."""
        return MixedBatch(inputs, targets, partner_targets, self.lam, self.weights)

    def _check_rows(self, value: Any, name: str) -> None:
        n = self.partner.shape[0]
        for tensor in tensors_in(value, name):
            if tensor.ndim == 0 or tensor.shape[0] != n:
                raise ArgumentError(f"{name} must hold {n} samples as the plan does, got shape {tuple(tensor.shape)}")
            if tensor.device != self.partner.device:
                raise ArgumentError(
                    f"{name} must be on the device of the plan, {self.partner.device}, got {tensor.device}: "
                    "use plan.to(device)"
                )


def _tiny(like: Tensor) -> float:
    return torch.finfo(like.dtype).tiny


def _refuse_swapped(criterion: Any, outputs: Any) -> None:
    if isinstance(criterion, Tensor) or (callable(outputs) and not isinstance(outputs, Tensor)):
        given = f"a tensor of shape {tuple(criterion.shape)}" if isinstance(criterion, Tensor) else repr(criterion)[:80]
        raise ArgumentError(
            f"criterion must be a function such as F.cross_entropy, got {given}: the order is "
            "batch.loss(criterion, outputs)"
        )
    if not callable(criterion):
        raise ArgumentError(f"criterion must be a function such as F.cross_entropy, got {criterion!r:.80}")


def _as_floating(targets: Tensor, num_classes: int | None, dtype: torch.dtype) -> Tensor:
    if targets.is_floating_point():
        check_mixable(targets, "targets")
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
