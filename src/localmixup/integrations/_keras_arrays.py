"""The arrays that `LocalMixupDataset` is given, and those that it gives to Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from localmixup._batch import MixedBatch, MixPlan
from localmixup._validate import ArgumentError, check_integer
from localmixup.integrations._targets import relative_weights


def mixable_targets(y: Any, num_classes: Any) -> tuple[Any, Any]:
    """Return class indices as int64 and all other targets as floating point numbers, and the classes of each.

    Args:
        y: targets of one output, or a tuple, list or dict of such.
        num_classes: a number, None, or such a structure of numbers and None.

    Raises:
        ValueError: targets and numbers of classes do not belong together.
    """
    if not isinstance(y, (Mapping, tuple, list)) or not _holds_arrays(y):
        if num_classes is not None and not hasattr(num_classes, "__index__"):
            raise ArgumentError(
                f"num_classes must be a whole number for targets of one output, got {num_classes!r:.80}"
            )
        array = np.asarray(y)
        return _one_output(array, num_classes)
    if isinstance(num_classes, (Mapping, tuple, list)):
        names = list(y) if isinstance(y, Mapping) else list(range(len(y)))
        given = list(num_classes) if isinstance(num_classes, Mapping) else list(range(len(num_classes)))
        if names != given:
            raise ArgumentError(f"num_classes must have an entry for each output, {names}, got {given}")
        each = [num_classes[name] for name in names]
    else:
        # one number is that of every output of class indices
        each = [num_classes if _are_indices(np.asarray(array)) else None for array in _values(y)]
    pairs = [_one_output(np.asarray(array), classes) for array, classes in zip(_values(y), each, strict=True)]
    return _like(y, [pair[0] for pair in pairs]), _like(y, [pair[1] for pair in pairs])


def check_arrays(inputs: list[Any], targets: list[Any]) -> int:
    """Return the number of samples, after checking that inputs can be mixed and belong to the targets.

    Args:
        inputs: arrays of shape `(m, ...)`.
        targets: arrays of shape `(m, ...)`.

    Raises:
        ValueError: the first dimensions differ, or inputs are not floating point.
    """
    sizes = {array.shape[:1] for array in (*inputs, *targets)}
    if len(sizes) != 1 or sizes == {()}:
        shapes = ", ".join(str(array.shape) for array in (*inputs, *targets))
        raise ArgumentError(f"x and y must have the same first dimension, got shapes {shapes}")
    for array in inputs:
        if not np.issubdtype(array.dtype, np.floating):
            raise ArgumentError(f"x must be floating point to be mixed, got {array.dtype}: use .astype('float32')")
    return len(inputs[0])


def check_sample_weight(weights: Any, m: int) -> Any:
    """Return weights of the samples as float32, or None.

    Args:
        weights: shape `(m,)`, >= 0.
        m: number of samples.

    Raises:
        ValueError: another shape, or a weight that is negative or not finite.
    """
    if weights is None:
        return None
    array = np.asarray(weights, dtype=np.float32)
    if array.shape != (m,) or not np.isfinite(array).all() or (array < 0).any():
        raise ArgumentError(
            f"sample_weight must hold {m} finite weights >= 0, one per sample, got shape {array.shape}"
            + (f" and values from {array.min():g} to {array.max():g}" if array.shape == (m,) and m else "")
        )
    return array


def images_first(x: Any, last: bool) -> Any:
    """Return images with their channels before height and width, where they are last.

    Args:
        x: images, one tensor or several.
        last: whether channels are last.

    Raises:
        ValueError: an input has no height and width.
    """

    def moved(images: Tensor) -> Tensor:
        if images.ndim < 3 + last:
            shape = "(m, height, width, channels)" if last else "(m, channels, height, width)"
            raise ArgumentError(f"x must be images of shape {shape} for cutmix_prob > 0, got {images.ndim} dimensions")
        return images.movedim(-1, 1) if last else images

    return tree_map(moved, x)


def images_last(x: Any, last: bool) -> Any:
    """Return images as they were before `images_first`."""
    return tree_map(lambda images: images.movedim(1, -1).contiguous() if last else images, x)


def keras_triple(batch: MixedBatch, plan: MixPlan, classes: Any, own: Tensor | None) -> tuple[Any, Any]:
    """Return targets and sample weights for Keras, as NumPy arrays.

    With weights of the samples, a mixed sample shall count `W (lam s_i l(y_i) + (1 - lam) s_j l(y_j))`. A cross-entropy
    is linear in the target, so this is `W s l(y~)` with `s = lam s_i + (1 - lam) s_j` and a target mixed with
    `lam s_i / s`.

    Args:
        batch: the mixed batch.
        plan: who is mixed with whom.
        classes: number of classes of each output, None where targets are floating point.
        own: weights of the samples, shape `(n,)`, or None.

    Returns:
        Mixed targets; and weights, shape `(n,)`, for each output.
    """
    weights = relative_weights(batch.weights).float()
    lam = batch.lam
    if own is not None:
        first, second = lam * own, (1 - lam) * plan.partner_of(own)
        lam = torch.where(first + second > 0, first / (first + second).clamp_min(1e-30), lam).to(lam.dtype)
        weights = weights * (first + second)
    several = not isinstance(batch.targets, Tensor)
    parts = (
        zip(_values(batch.targets), _values(batch.partner_targets), _values(classes), strict=True)
        if several
        else ((batch.targets, batch.partner_targets, classes),)
    )
    mixed = [
        MixedBatch(None, one, other, lam, batch.weights).soft_targets(count).numpy() for one, other, count in parts
    ]
    if not several:
        return mixed[0], weights.numpy()
    return _like(batch.targets, mixed), _like(batch.targets, [weights.numpy()] * len(mixed))


def _holds_arrays(y: Any) -> bool:
    """Return whether a list holds the arrays of several outputs, and not the labels of one."""
    return isinstance(y, Mapping) or (len(y) > 0 and all(hasattr(item, "shape") and item.shape for item in y))


def _values(structure: Any) -> list[Any]:
    return list(structure.values()) if isinstance(structure, Mapping) else list(structure)


def _like(structure: Any, values: list[Any]) -> Any:
    if isinstance(structure, Mapping):
        return dict(zip(structure, values, strict=True))
    return tuple(values)


def _are_indices(array: Any) -> bool:
    return np.issubdtype(array.dtype, np.integer) and (array.ndim == 1 or array.shape[1:] == (1,))


def _one_output(y: Any, num_classes: Any) -> tuple[Any, int | None]:
    classes = None if num_classes is None else check_integer("num_classes", num_classes, low=1)
    if classes is not None and y.ndim == 2 and y.shape[1] == classes > 1:
        classes = None  # one-hot or soft already
    if classes is not None:
        if not _are_indices(y):
            raise ArgumentError(
                f"y must hold class indices of shape (m,) or (m, 1), or labels of shape (m, {classes}), if num_classes "
                f"is given, got {y.dtype} of shape {y.shape}"
            )
        if len(y) and not 0 <= y.min() <= y.max() < classes:
            raise ArgumentError(f"num_classes={classes} allows classes 0 to {classes - 1}, got {y.min()} to {y.max()}")
        return y.reshape(len(y)).astype(np.int64), classes
    if np.issubdtype(y.dtype, np.floating):
        return y, None
    if y.ndim < 2 or _are_indices(y):
        raise ArgumentError(
            f"num_classes must be given for class indices, got None and y of {y.dtype} "
            "(values to regress and binary labels must be floating point)"
        )
    return y.astype(np.float32), None
