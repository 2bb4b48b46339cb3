"""From a criterion of any kind to one loss per sample, and to what PyTorch would divide its sum by."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from localmixup._validate import ArgumentError

_REFUSAL = "a weight that is applied after the mean has no effect, so the criterion must return one loss per sample"
_WITH_CLASSES = (F.cross_entropy, F.nll_loss)


def losses_and_counts(
    criterion: Callable[..., Tensor], outputs: Any, targets: Any, n: int
) -> tuple[Tensor, Tensor | None]:
    """Return one loss per sample, and by how much each sample counts in PyTorch's own mean.

    Args:
        criterion: function or module; averaged values are refused only if it cannot be asked for single ones.
        outputs: what the model returned.
        targets: one set of targets.
        n: number of samples.

    Returns:
        Losses, averaged over the values (pixels, labels) of each sample, shape `(n,)`. And what PyTorch would divide
        their sum by, one number per sample, shape `(n,)`: class weights, 0 for ignored labels; None if that is n.

    Raises:
        ValueError: the criterion returns one averaged number, or losses of another shape; or it is a loss of classes,
            and the targets are floating point numbers that cannot be probabilities.
    """
    criterion = _not_compiled(criterion)
    if _is_of_classes(criterion):
        _check_classes(outputs, targets)
    losses = _ask(criterion, outputs, targets)
    if not isinstance(losses, Tensor):
        raise ArgumentError(f"criterion must return a tensor of {n} losses, got {type(losses).__name__}")
    if losses.ndim == 0 or losses.shape[0] != n:
        raise ArgumentError(
            f"criterion must return {n} losses, got shape {tuple(losses.shape)}: {_REFUSAL}. Give the criterion an "
            "argument `reduction` and pass it on, or return the losses before their mean"
        )
    if losses.shape == (n, n) and {_shape(outputs), _shape(targets)} == {(n,), (n, 1)} and n > 1:
        raise ArgumentError(
            f"outputs of shape {_shape(outputs)} and targets of shape {_shape(targets)} were broadcast to {(n, n)}: "
            "give both the same shape"
        )
    return _mean_of_values(losses), target_counts(criterion, targets, losses)


def _is_of_classes(criterion: Any) -> bool:
    return isinstance(criterion, (nn.CrossEntropyLoss, nn.NLLLoss)) or _function(criterion) in _WITH_CLASSES


def _check_classes(outputs: Any, targets: Any) -> None:
    """Check the targets of a loss of classes: PyTorch only says that it expected another dtype."""
    tensors = isinstance(targets, Tensor) and isinstance(outputs, Tensor)
    if tensors and targets.is_floating_point() and targets.shape != outputs.shape:
        raise ArgumentError(
            f"targets must be class indices, shape {(*outputs.shape[:1], *outputs.shape[2:])}, or probabilities of the "
            f"shape of the outputs, {tuple(outputs.shape)}, for a loss of classes, got {targets.dtype} of shape "
            f"{tuple(targets.shape)}: call .long() on class indices, or use a loss of values such as F.mse_loss"
        )


def _not_compiled(criterion: Any) -> Any:
    """Return the module or the function that `torch.compile` was given: what it made shares its settings with it."""
    if torch.compiler.is_compiling():
        return criterion
    if isinstance(criterion, functools.partial):
        return functools.partial(_not_compiled(criterion.func), *criterion.args, **criterion.keywords)
    if isinstance(criterion, nn.Module):
        return getattr(criterion, "_orig_mod", criterion)
    return inspect.unwrap(criterion) if hasattr(criterion, "_torchdynamo_orig_callable") else criterion


def _ask(criterion: Callable[..., Tensor], outputs: Any, targets: Any) -> Any:
    """Call a criterion for one loss per sample, whatever reduction it was made with."""
    if isinstance(criterion, nn.Module):
        reduction = getattr(criterion, "reduction", None)
        if reduction == "sum":
            raise ArgumentError(
                "criterion must not have reduction='sum': leave it out, and use batch.loss(..., reduction='sum')"
            )
        if reduction in ("mean", "batchmean"):
            return _of_samples(_ask_module(criterion, outputs, targets), reduction)
        return criterion(outputs, targets)
    given = _keywords(criterion).get("reduction")
    if given == "sum":
        raise ArgumentError(
            "criterion must not have reduction='sum': leave it out, and use batch.loss(..., reduction='sum')"
        )
    if given != "none" and _takes_reduction(criterion):
        return _of_samples(criterion(outputs, targets, reduction="none"), given)
    return criterion(outputs, targets)


def _of_samples(losses: Any, reduction: Any) -> Any:
    """Add the values of each sample for `"batchmean"`, which does not average over them."""
    if reduction == "batchmean" and isinstance(losses, Tensor) and losses.ndim > 1:
        return losses.flatten(1).sum(dim=1)
    return losses


def _ask_module(criterion: Any, outputs: Any, targets: Any) -> Any:
    """Call a loss module that was made with a mean for one loss per sample."""
    if torch.compiler.is_compiling():  # the compiler cannot copy a module, and has no other thread
        given, criterion.reduction = criterion.reduction, "none"
        losses = criterion(outputs, targets)
        criterion.reduction = given
        return losses
    single = copy.copy(criterion)
    single.reduction = "none"
    return single(outputs, targets)


def _keywords(criterion: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while isinstance(criterion, functools.partial):
        found = {**criterion.keywords, **found}
        criterion = criterion.func
    return found


def _function(criterion: Any) -> Any:
    while isinstance(criterion, functools.partial):
        criterion = criterion.func
    return criterion


def _takes_reduction(criterion: Callable[..., Tensor]) -> bool:
    """Return whether a function has an argument `reduction`. Not cached, since a cache would keep closures alive."""
    function = _function(criterion)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if code is not None:
        return "reduction" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    try:
        return "reduction" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


# what torch.compiler.assume_constant_result does, without importing the compiler
_takes_reduction._dynamo_marked_constant = True  # type: ignore[attr-defined]


def target_counts(criterion: Any, targets: Any, losses: Tensor) -> Tensor | None:
    """Return what PyTorch's mean divides by, for the two criteria that do not divide by the number of losses."""
    if not _is_of_classes(criterion):
        return None
    weight: Any
    ignored: Any
    if isinstance(criterion, nn.Module):
        weight, ignored = criterion.weight, criterion.ignore_index
    else:
        keywords = _keywords(criterion)
        weight, ignored = keywords.get("weight"), keywords.get("ignore_index", -100)
    if not isinstance(targets, Tensor) or targets.is_floating_point():
        return None  # probabilities: PyTorch divides by the number of losses
    counts = targets != ignored
    if weight is None:
        found = counts.to(losses.dtype)
    else:
        safe = torch.where(counts, targets, 0)
        found = torch.where(counts, weight.to(losses.device, losses.dtype)[safe], 0.0)
    return _mean_of_values(found)


def _mean_of_values(values: Tensor) -> Tensor:
    return values if values.ndim == 1 else values.flatten(1).mean(dim=1)


def _shape(value: Any) -> tuple[int, ...] | None:
    return tuple(value.shape) if isinstance(value, Tensor) else None
