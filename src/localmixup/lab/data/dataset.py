"""A data set in memory: what it must fulfil, how it is standardised and split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from localmixup._validate import ArgumentError

CLIP = 10.0  # standardised values beyond this many deviations are cut off
NEARLY_CONSTANT = 1e-12  # a deviation below this share of the largest value is rounding, and becomes zero


@dataclass(frozen=True)
class DataSet:
    """A data set as arrays.

    Attributes:
        name: how the user called it.
        kind: `"table"`, or `"image"` with inputs of shape `(channels, height, width)`.
        x: inputs, shape `(m, ...)`, floating, or uint8 for images.
        y: classes, int64, or values, floating, shape `(m,)`.
        x_test: inputs of a test set of its own, or None.
        y_test: targets of a test set of its own, or None.
        class_names: one name a class; empty for regression.
        notes: what was found out while reading, for the user to see.
    """

    name: str
    kind: str
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """`"classification"` or `"regression"`."""
        return "classification" if self.class_names else "regression"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.x.shape[1:])

    @property
    def outputs(self) -> int:
        """Number of values a network must return."""
        return max(1, len(self.class_names))

    @cached_property
    def fingerprint(self) -> str:
        """A key of the contents, so that results of other contents are never taken for these."""
        digest = hashlib.sha256(repr((self.kind, self.class_names)).encode())
        for array in (self.x, self.y, self.x_test, self.y_test):
            if array is not None:
                digest.update(repr((array.shape, array.dtype.str)).encode())
                digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()[:16]


class Prepared(NamedTuple):
    """A data set ready for training: standardised, and split into a pool and a test set.

    Attributes:
        x: inputs of the pool, from which every run draws its training and validation part, float32.
        y: targets of the pool; values are standardised.
        x_test: inputs of the test set, float32.
        y_test: its targets.
        y_scale: unit of standardised values, 1 for classes.
        task: `"classification"` or `"regression"`.
        outputs: number of values a network must return.
        mean: what was subtracted, in the shape of one input or `(1, ...)` of its channels, float32.
        scale: what the difference was multiplied with, likewise.
        pixels: the pool as it was, uint8, for images; None for other data.
    """

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor
    y_scale: float
    task: str
    outputs: int
    mean: Tensor
    scale: Tensor
    pixels: Tensor | None = None


def prepare(data: DataSet, *, train_size: int | None = None, split_seed: int = 0, hold_out: bool = True) -> Prepared:
    """Split off the test set and standardise with the mean and deviation of the rest.

    Images are standardised by channel, tables by column, in float64. A column that varies by no more than rounding
    becomes zero, and values beyond `CLIP` deviations are cut off, so that no column can blow up.

    Args:
        data: from `load`.
        train_size: use only so many random rows of the training data; None for all.
        hold_out: False keeps all rows of data without a test set of their own, and there is no test set then.
        split_seed: of the test split (a fifth, where the data have no test set) and of `train_size`.

    Raises:
        ArgumentError: too few rows.
    """
    x, y, x_test, y_test = data.x, data.y, data.x_test, data.y_test
    if not hold_out and x_test is None:
        x_test, y_test = x[:0], y[:0]
    if x_test is None or y_test is None:
        x, x_test, y, y_test = _split(x, y, 0.2, split_seed, data.task)
    if train_size is not None and train_size < len(x):
        x, _, y, _ = _split(x, y, len(x) - train_size, split_seed, data.task)
    axes = (0, 2, 3) if data.kind == "image" else (0,)
    pixels = torch.from_numpy(x) if data.kind == "image" and x.dtype == np.uint8 else None
    if x.dtype == np.float64:
        largest = np.abs(x).max(axis=axes, keepdims=True)
        factor = np.where(largest > 0, largest, 1.0)  # squares of huge values must not overflow
        x, x_test = x / factor, x_test / factor
    mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = x.std(axis=axes, keepdims=True, dtype=np.float64)
    varies = deviation > NEARLY_CONSTANT * np.abs(x).max(axis=axes, keepdims=True)
    scale = np.where(varies, 1 / np.where(varies, deviation, 1.0), 0.0)
    pool, test = (_standardised(part, mean, scale) for part in (x, x_test))
    unit = 1.0
    if data.task == "regression":
        centre, unit = float(y.mean(dtype=np.float64)), float(y.std(dtype=np.float64)) or 1.0
        y, y_test = (((part - centre) / unit).astype(np.float32) for part in (y.astype(float), y_test.astype(float)))
    targets, targets_test = torch.from_numpy(np.array(y)), torch.from_numpy(np.array(y_test))
    centre_of_x, scale_of_x = torch.from_numpy(mean).float(), torch.from_numpy(scale).float()
    task, outputs = data.task, data.outputs
    return Prepared(pool, targets, test, targets_test, unit, task, outputs, centre_of_x, scale_of_x, pixels)


def _standardised(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> Tensor:
    values = np.empty(x.shape, dtype=np.float32)
    for start in range(0, len(x), 4096):  # in parts: in float64 a large image set would not fit
        part = slice(start, start + 4096)
        values[part] = np.clip((x[part] - mean) * scale, -CLIP, CLIP)
    return torch.from_numpy(values)


def split_validation(prepared: Prepared, seed: int, share: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and of the validation part of the pool, for one run.

    Args:
        prepared: from `prepare`.
        seed: of the run.
        share: of the pool that is for validation, in [0, 1).
    """
    rows = np.arange(len(prepared.x))
    if share == 0:
        return rows, rows[:0]
    train, validation, _, _ = _split(rows, prepared.y.numpy(), share, seed, prepared.task)
    return np.sort(train), np.sort(validation)


def _split(
    x: np.ndarray, y: np.ndarray, share: float, seed: int, task: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    counts = np.bincount(y) if task == "classification" else np.zeros(1)
    stratify = y if counts.any() and counts[counts > 0].min() > 1 else None
    try:
        parts: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] = tuple(
            train_test_split(x, y, test_size=share, random_state=seed, stratify=stratify)
        )
    except ValueError:  # fewer rows than classes in a part
        parts = tuple(train_test_split(x, y, test_size=share, random_state=seed))
    return parts


def checked(data: DataSet) -> DataSet:
    """The data set itself, if it is one that can be trained on: what every reader's result must fulfil.

    Args:
        data: as read.

    Raises:
        ArgumentError: lengths that differ, values that are not finite, classes out of range, too few rows or classes.
    """
    if (data.x_test is None) != (data.y_test is None):
        raise ArgumentError(f"{data.name}: a test set needs both inputs and targets, got only one of the two")
    for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
        if x is None or y is None:
            continue
        if x.ndim < 2 or y.ndim != 1:
            raise ArgumentError(
                f"{data.name}: inputs must have shape (rows, ...) and targets (rows,), got {x.shape}, {y.shape}"
            )
        if x.shape[1:] != data.x.shape[1:]:
            raise ArgumentError(
                f"{data.name}: test inputs have shape {x.shape[1:]} each, training inputs {data.x.shape[1:]}"
            )
        if not len(x):
            raise ArgumentError(f"{data.name}: there are no rows")
        if len(x) != len(y):
            raise ArgumentError(f"{data.name}: {len(x)} inputs but {len(y)} targets")
        for what, array in (("inputs", x), ("targets", y)):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise ArgumentError(f"{data.name}: {what} must be finite, got {array[place]} at position {place}")
        if data.class_names and (y.min() < 0 or y.max() >= len(data.class_names)):
            row = int(np.argmax((y < 0) | (y >= len(data.class_names))))
            raise ArgumentError(
                f"{data.name}: class index out of range: row {row} has {y[row]}, "
                f"allowed are 0 to {len(data.class_names) - 1}"
            )
    if len(data.x) < 20:
        raise ArgumentError(f"{data.name}: at least 20 rows are needed to train, validate and test, got {len(data.x)}")
    if data.task == "classification" and len(np.unique(data.y)) < 2:
        raise ArgumentError(f"{data.name}: at least two classes are needed, all {len(data.y)} rows have the same")
    if data.task == "regression" and np.ptp(data.y) == 0:
        raise ArgumentError(f"{data.name}: the target is the same in all {len(data.y)} rows: nothing to learn")
    if data.x[0].size == 0:
        raise ArgumentError(f"{data.name}: there are no inputs beside the target")
    return data
