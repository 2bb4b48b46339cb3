"""Right and wrong predictions for labels of several kinds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from localmixup._validate import ArgumentError


def kind_of_labels(targets: Any, partner_targets: Any, outputs: Any, ignore_index: int) -> str:
    """Return what labels are: `"class"`, `"binary"` (one logit, labels 0 and 1) or `"several"` labels per sample.

    Args:
        targets: labels of the samples.
        partner_targets: labels of their partners.
        outputs: what the model returned.
        ignore_index: label that does not count.

    Raises:
        ValueError: the targets are not classes.
    """
    if not isinstance(targets, Tensor) or not isinstance(outputs, Tensor):
        raise ArgumentError(
            f"accuracy needs one tensor of targets and one of outputs, got {type(targets).__name__} and "
            f"{type(outputs).__name__}"
        )
    if _one_logit(outputs, targets):
        _check_binary(torch.cat([targets, partner_targets]), outputs, ignore_index)
        return "binary"
    if targets.dtype == torch.bool:
        return "several"
    if not targets.is_floating_point():
        return "class"
    both = torch.cat([targets, partner_targets])
    if both.ndim < 2 or both.shape[1] < 2 or bool(((both < 0) | (both > 1)).any()):
        raise ArgumentError("accuracy needs targets that are classes; for regression measure the loss instead")
    return "class" if bool(((both.sum(dim=1) - 1).abs() < 1e-3).all()) else "several"


def hits_of(outputs: Tensor, targets: Tensor, labels: str, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Return which samples are right and which count, averaged over the values (pixels, labels) of each sample.

    Args:
        outputs: what the model returned.
        targets: one set of labels.
        labels: from `kind_of_labels`.
        ignore_index: label that does not count.

    Returns:
        Both of shape `(n,)`.

    Raises:
        ValueError: outputs and labels have shapes that do not belong together.
    """
    if labels == "binary":
        outputs, targets = _one_logit(outputs, targets) or (outputs, targets)
    if labels != "class":
        hits = ((outputs > 0) == (targets > 0.5)).float()
        counts = (targets != ignore_index).float() if labels == "binary" else torch.ones_like(hits)
    else:
        classes = targets.argmax(dim=1) if targets.is_floating_point() else targets
        if classes.ndim == 2 and outputs.ndim == 2 and classes.shape[1] == 1:
            classes = classes[:, 0]
        if outputs.ndim < 2 or outputs.shape[:1] + outputs.shape[2:] != classes.shape:
            raise ArgumentError(
                "accuracy needs class scores of shape (n, c, ...) and classes of shape (n, ...), or one logit per "
                f"sample and labels 0 and 1, got {tuple(outputs.shape)} and {tuple(targets.shape)}"
            )
        hits = (outputs.argmax(dim=1) == classes).float()
        counts = (classes != ignore_index).float()
    hits = hits * counts
    if hits.ndim == 1:
        return hits, counts
    return hits.flatten(1).mean(dim=1), counts.flatten(1).mean(dim=1)


def _one_logit(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return the logits and the labels without a dimension for them, if there is one logit for each label."""
    if outputs.ndim == 0 or (outputs.ndim > 1 and outputs.shape[1] != 1):
        return None
    logits = outputs.squeeze(1) if outputs.ndim > 1 else outputs
    labels = targets.squeeze(1) if targets.ndim == logits.ndim + 1 and targets.shape[1] == 1 else targets
    return (logits, labels) if logits.shape == labels.shape else None


def _check_binary(labels: Tensor, outputs: Tensor, ignore_index: int) -> None:
    counted = labels[labels != ignore_index]
    wrong = counted[(counted != 0) & (counted != 1)]
    if not len(wrong):
        return
    remedy = "for regression measure the loss instead"
    if bool((wrong == -1).all()):
        remedy = "convert -1 and 1 by (y > 0).long(), or give ignore_index=-1 if -1 marks labels that do not count"
    raise ArgumentError(
        f"accuracy needs labels 0 and 1 for one logit (or ignore_index, {ignore_index}), got outputs of shape "
        f"{tuple(outputs.shape)} and labels from {float(counted.min()):g} to {float(counted.max()):g}; {remedy}"
    )
