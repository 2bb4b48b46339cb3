"""The arrays that `LocalMixupDataset` is given, and those that it gives to Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from localmixup._batch import MixedBatch, MixPlan
from localmixup._validate import ArgumentError, check_integer
from localmixup.extras.cutmix import cutmix
from localmixup.integrations._targets import relative_weights

_SHOWN = 4  # shapes in a message


def dense_array(value: Any, name: str) -> Any:
    """Return a value as a NumPy array that PyTorch can read.

    Args:
        value: an array, a tensor, a table, or rows of numbers.
        name: name of the argument, for the message.

    Raises:
        ValueError: it is sparse, no array at all, or of a floating point type that PyTorch does not have.
    """
    array = np.asarray(value)
    if array.dtype == object and not array.ndim:
        remedy = ": use .toarray()" if hasattr(value, "toarray") else ""
        raise ArgumentError(f"{name} must be dense arrays of numbers, got {type(value).__name__}{remedy}")
    if np.issubdtype(array.dtype, np.floating) and array.dtype.itemsize > 8:
        raise ArgumentError(f"{name} must be float16, float32 or float64, got {array.dtype}: use .astype('float32')")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


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
        return _one_output(dense_array(y, "y"), num_classes)
    arrays = [dense_array(array, "y") for array in _values(y)]
    if isinstance(num_classes, (Mapping, tuple, list)):
        names = list(y) if isinstance(y, Mapping) else list(range(len(y)))
        given = list(num_classes) if isinstance(num_classes, Mapping) else list(range(len(num_classes)))
        if len(names) != len(given) or set(names) != set(given):
            raise ArgumentError(f"num_classes must have an entry for each output, {names}, got {given}")
        each = [num_classes[name] for name in names]
    else:
        # one number is that of every output of class indices
        each = [num_classes if _are_indices(array) else None for array in arrays]
    pairs = [_one_output(array, classes) for array, classes in zip(arrays, each, strict=True)]
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
        remedy = (
            "" if max(len(inputs), len(targets)) <= _SHOWN else ": give a list of rows as one array, np.stack(rows)"
        )
        raise ArgumentError(f"x and y must have the same first dimension, got {_shapes([*inputs, *targets])}{remedy}")
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
    try:
        array = np.asarray(weights, dtype=np.float32)
    except (TypeError, ValueError):
        remedy = ": for weights of classes give np.take([w_0, w_1, ...], y)" if isinstance(weights, Mapping) else ""
        raise ArgumentError(
            f"sample_weight must hold {m} finite weights >= 0, one per sample, got {type(weights).__name__}{remedy}"
        ) from None
    if array.shape != (m,) or not np.isfinite(array).all() or (array < 0).any():
        raise ArgumentError(
            f"sample_weight must hold {m} finite weights >= 0, one per sample, got shape {array.shape}"
            + (f" and values from {array.min():g} to {array.max():g}" if array.shape == (m,) and m else "")
        )
    return array


def check_pasted(inputs: list[Any], targets: list[Any], last: bool) -> None:
    """Check that boxes can be pasted into all images, and into masks among the targets.

    Args:
        inputs: arrays of shape `(m, ...)`.
        targets: arrays of shape `(m, ...)`; those of three or more dimensions are masks.
        last: whether channels are last.

    Raises:
        ValueError: an input has no height and width, or images or masks differ in them.
    """
    for images in inputs:
        if images.ndim < 3 + last:
            shape = "(m, height, width, channels)" if last else "(m, channels, height, width)"
            raise ArgumentError(f"x must be images of shape {shape} for cutmix_prob > 0, got {images.ndim} dimensions")
    sides = _sides(inputs[0], last)
    if any(_sides(images, last) != sides for images in inputs):
        raise ArgumentError(f"x must have one height and width for cutmix_prob > 0, got {_shapes(inputs)}")
    for masks in (array for array in targets if array.ndim > 2):
        has_channels = masks.ndim == inputs[0].ndim
        if (
            masks.ndim < inputs[0].ndim - 1
            or masks.ndim > inputs[0].ndim
            or (_sides(masks, last and has_channels) != sides)
        ):
            raise ArgumentError(
                f"y of three or more dimensions must be masks of the height and width of x, {sides}, for "
                f"cutmix_prob > 0, got shape {masks.shape} for images of shape {inputs[0].shape}"
            )


def pasted(plan: MixPlan, x: Any, y: Any, last: bool, generator: torch.Generator) -> MixedBatch:
    """Paste a box of each partner into images, and the same box into masks among the targets.

    A pixel of a mask then has one label, that of both ends of the batch. Other targets are mixed by the area of the
    box.

    Args:
        plan: who is pasted into whom.
        x: images, one tensor or several, with channels where `last` says.
        y: targets; those of three or more dimensions are masks, with or without channels.
        last: whether channels are last.
        generator: source of the places.
    """
    leaves, structure = tree_flatten(y)
    dimensions = tree_leaves(x)[0].ndim

    def moved(images: Tensor, start: int, end: int) -> Tensor:
        return images.movedim(start, end) if last and images.ndim == dimensions else images

    masks = {i: moved(leaf, -1, 1) for i, leaf in enumerate(leaves) if leaf.ndim > 2}
    batch = cutmix(plan, (tree_map(lambda images: moved(images, -1, 1), x), masks), y, generator)
    images, masks = tree_map(lambda images: moved(images, 1, -1).contiguous(), batch.inputs)
    own, other = (
        tree_unflatten([masks.get(i, leaf) for i, leaf in enumerate(tree_leaves(targets))], structure)
        for targets in (batch.targets, batch.partner_targets)
    )
    return MixedBatch(images, own, other, batch.lam, batch.weights)


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
        Mixed targets; and weights for each output, shape `(n,)`, or `(n, 1, ...)` for targets of three or more
        dimensions.
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
    # Keras multiplies its losses by the weights: one per pixel of a mask, shape (n, height, width)
    counts = [weights.view(-1, *(1,) * (target.ndim - 2)).numpy() for target in mixed]
    if not several:
        return mixed[0], counts[0]
    return _like(batch.targets, mixed), _like(batch.targets, counts)


def _holds_arrays(y: Any) -> bool:
    """Return whether a list holds the arrays of several outputs, and not the labels of one."""
    return isinstance(y, Mapping) or (len(y) > 0 and all(hasattr(item, "shape") and item.shape for item in y))


def _sides(images: Any, last: bool) -> tuple[int, ...]:
    return tuple(images.shape[-3:-1] if last else images.shape[-2:])


def _shapes(arrays: list[Any]) -> str:
    """Return the shapes of a few arrays, for a message."""
    shown = ", ".join(str(array.shape) for array in arrays[:_SHOWN])
    return f"shapes {shown}" + (f", ... ({len(arrays)} arrays)" if len(arrays) > _SHOWN else "")


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
    if not (y.dtype == bool or np.issubdtype(y.dtype, np.integer)) or (y.size and not 0 <= y.min() <= y.max() <= 1):
        values = f" from {y.min()} to {y.max()}" if np.issubdtype(y.dtype, np.integer) else ""
        raise ArgumentError(
            f"y of shape {y.shape} must be floating point, or hold only 0 and 1, to be mixed, got {y.dtype}{values}: "
            "class indices of pixels or of several labels must be one-hot, shape (m, ..., classes), and values to "
            "regress floating point"
        )
    return y.astype(np.float32), None
