"""Right and wrong predictions for labels of several kinds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from localmixup._validate import ArgumentError


def kind_of_labels(targets: Any, partner_targets: Any, outputs: Any) -> str:
    """Return what labels are: `"class"`, `"binary"` (one logit, labels 0 and 1) or `"several"` labels per sample.

    Args:
        targets: labels of the samples.
        partner_targets: labels of their partners.
        outputs: what the model returned.

    Raises:
        ValueError: the targets are not classes.
    """
    if not isinstance(targets, Tensor) or not isinstance(outputs, Tensor):
        raise ArgumentError(
            f"accuracy needs one tensor of targets and one of outputs, got {type(targets).__name__} and "
            f"{type(outputs).__name__}"
        )
    one_logit = outputs.ndim == 1 or outputs.shape[1:] == (1,)
    one_label = targets.ndim == 1 or targets.shape[1:] == (1,)
    if one_logit and one_label:
        both = torch.cat([targets, partner_targets])
        # negative whole numbers mark labels that do not count
        if bool(((both != 0) & (both != 1) & ((both >= 0) | (both.double() % 1 != 0))).any()):
            raise ArgumentError(
                f"accuracy needs labels 0 and 1 for one logit per sample, got outputs of shape {tuple(outputs.shape)} "
                f"and labels up to {both.max():g}; for regression measure the loss instead"
            )
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
        ignore_index: class index that does not count.

    Returns:
        Both of shape `(n,)`.

    Raises:
        ValueError: outputs and labels have shapes that do not belong together.
    """
    if labels == "binary":
        outputs, targets = outputs.flatten(), targets.flatten()
    if labels != "class":
        hits = ((outputs > 0) == (targets > 0.5)).float()
        counts = (targets >= 0).float() if labels == "binary" else torch.ones_like(hits)
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
