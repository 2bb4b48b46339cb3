"""Weights inside the targets, for training loops that only pass on inputs and soft targets.

Soft cross-entropy, the mean of `-sum_k t_k log p_k` over the batch, is linear in the target. Multiplying row i of the
target by `n w_i / sum(w)` therefore turns this mean into exactly the weighted mean `sum(w l) / sum(w)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from localmixup._batch import MixedBatch
from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError


def weighted_targets(
    batch: MixedBatch, num_classes: int, *, label_smoothing: float = 0.0, smooth_to: float | None = None
) -> Tensor:
    """Return the soft targets of a mixed batch, smoothed, with row i multiplied by `n w_i / sum(w)`.

    Args:
        batch: a batch whose targets are class indices, shape `(n,)`, or probabilities, shape `(n, c)`.
        num_classes: number of classes c.
        label_smoothing: share of the target that is spread over all classes, in [0, 1].
        smooth_to: what each class gets of that share; default: `1 / num_classes`.

    Returns:
        Shape `(n, c)`. The rows sum to 1 on average over the batch; all are zero if no sample counts.
    """
    targets = batch.soft_targets(num_classes)
    if label_smoothing:
        targets = (1 - label_smoothing) * targets + label_smoothing * (
            1 / num_classes if smooth_to is None else smooth_to
        )
    return (targets * relative_weights(batch.weights)[:, None]).to(targets.dtype)


def floating_labels(labels: Tensor, name: str, dtype: torch.dtype) -> Tensor:
    """Return one-hot or soft labels as floating point numbers.

    Args:
        labels: shape `(n, c)`; integers must be 0 or 1.
        name: name of the argument, for the message.
        dtype: of labels that are not floating point yet.

    Raises:
        ValueError: other integers, such as the class indices of several labels, which cannot be averaged.

    >>> floating_labels(torch.tensor([[0, 1]]), "labels", torch.float32)
    tensor([[0., 1.]])
    """
    if labels.is_floating_point():
        return labels
    if labels.dtype != torch.bool and bool(((labels != 0) & (labels != 1)).any()):
        raise ArgumentError(
            f"{name} of shape {tuple(labels.shape)} must be one-hot or soft labels, got {labels.dtype} from "
            f"{int(labels.min())} to {int(labels.max())}: convert shares to floating point"
        )
    return labels.to(dtype)


def relative_weights(weights: Tensor) -> Tensor:
    """Return weights divided by their mean, `n w / sum(w)`; zeros if all are zero.

    Args:
        weights: shape `(n,)`.

    >>> relative_weights(torch.tensor([1.0, 0.5, 0.0]))
    tensor([2., 1., 0.])
    """
    return len(weights) * (weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny))


def check_carries_weights(loss: Callable[[Tensor, Tensor], Tensor], num_classes: int, smoothing: str) -> None:
    """Check by trial that a loss turns weighted rows of the target into the weighted mean of the losses.

    Args:
        loss: called with scores and targets, shape `(n, c)` each; returns a scalar.
        num_classes: number of classes c.
        smoothing: how to smooth labels instead of inside the loss, for the message.

    Raises:
        ValueError: it does not, as for binary cross-entropy, a loss that smooths its targets, or a sum.
    """
    scores = 2 * torch.arange(2.0 * num_classes).sin().view(2, num_classes)
    targets = scores.flip(0).softmax(dim=1)
    factors = torch.tensor([[0.5], [1.5]])
    with torch.no_grad():
        weighted = loss(scores, targets * factors)
        rows = torch.stack([loss(scores[i : i + 1], targets[i : i + 1]).reshape(-1) for i in range(2)])
    if weighted.ndim or not torch.allclose(weighted, (rows * factors).mean(), rtol=1e-4):
        name = getattr(loss, "__name__", type(loss).__name__)
        raise ArgumentError(
            f"loss must be linear in the target and averaged over the batch, as soft cross-entropy is, so that the "
            f"rows of the target can carry the weights; {name} is not. Binary cross-entropy also has the term "
            f"(1 - t) log(1 - p), which is not linear in t; label smoothing inside the loss adds a term without the "
            f"weight: {smoothing}. Alternatively use outside='unmix' or pairing='neighbors' (as in LocalMixup()), where"
            f" every sample has weight 1 and any loss works, or MixedBatch.loss"
        )


def needs_weights(mix: LocalMixup) -> bool:
    """Return whether samples can have other weights than 1, so that a loss has to respect them."""
    return mix.outside != "unmix" and mix.pairing != "neighbors"


def expect_soft_targets(loss: Any) -> None:
    """Make a loss module refuse class indices in training, which it is given if a loop forgets to mix.

    Without this, class indices of shape `(n,)` are broadcast against scores of shape `(n, n)` and give a number. Where
    no gradients are computed, as in validation, class indices pass.

    Args:
        loss: a module gets a hook, once; a compiled script or any other function is left alone.
    """
    if not isinstance(loss, torch.nn.Module) or isinstance(loss, torch.jit.ScriptModule):
        return
    if _refuse_class_indices not in loss._forward_pre_hooks.values():
        loss.register_forward_pre_hook(_refuse_class_indices, with_kwargs=True)


def _refuse_class_indices(loss: torch.nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    given = [value for value in (*arguments, *keywords.values()) if isinstance(value, Tensor)]
    if len(given) < 2 or given[0].shape == given[1].shape or not torch.is_grad_enabled():
        return
    target = keywords.get("target", given[1])
    scores = given[1] if target is given[0] else given[0]
    raise ArgumentError(
        f"target must be what mixing returned, of the shape {tuple(scores.shape)} of the scores, got "
        f"{target.dtype} of shape {tuple(target.shape)}: this batch was never mixed. timm's train.py calls "
        "mixup_fn inside `if not args.prefetcher`: move the call out of it, or run with --no-prefetcher. (For "
        "validation call the loss under torch.no_grad(), where class indices pass)"
    )
