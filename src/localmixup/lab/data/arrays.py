"""Arrays as a data set, from files or from memory: inputs, and targets that are numbers, indices or labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.axes import arrange, axes_of
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.targets import targets_of


class Arrays(NamedTuple):
    """Arrays under the names that the user gave them.

    Attributes:
        where: the file, or another description of where they come from, for messages.
        x_name: name of the inputs.
        y_name: name of the targets.
        x: inputs, shape `(m, ...)`.
        y: targets, shape `(m,)` or `(m, 1)`.
        x_test: inputs of a test set, or None.
        y_test: its targets, or None.
        notes: what was found while reading.
    """

    where: str
    x_name: str
    y_name: str
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def dataset_of_arrays(arrays: Arrays, *, name: str, task: str | None, layout: str | None = None) -> DataSet:
    """Return arrays as a data set. They are copied.

    Args:
        arrays: the arrays.
        name: of the data set.
        task: `"classification"` or `"regression"`; None decides by the targets.
        layout: one of `localmixup.lab.data.reading.LAYOUTS`; None decides by the shape of the inputs.

    Raises:
        ArgumentError: an array has the wrong type, shape or values.
    """
    _check(arrays)
    targets = targets_of(arrays.where, arrays.y_name, arrays.y, arrays.y_test, task)
    axes = axes_of(arrays.where, arrays.x_name, arrays.x, layout)
    x_test = None if arrays.x_test is None else arrange(arrays.x_test, axes)
    notes = (*arrays.notes, *filter(None, [targets.note, axes.note]))
    x = arrange(arrays.x, axes)
    if x_test is not None and x_test.dtype != x.dtype:  # pixels of 8 bits beside floats
        x, x_test = x.astype(np.float32), x_test.astype(np.float32)
        notes = (*notes, f"one of {arrays.x_name!r} and the test set holds bytes, the other one does not")
    return DataSet(
        name, axes.kind, x, targets.y, x_test, targets.y_test, targets.class_names, notes, target=arrays.y_name
    )


def _check(arrays: Arrays) -> None:
    where = arrays.where
    named = {arrays.x_name: arrays.x, "x_test": arrays.x_test, arrays.y_name: arrays.y, "y_test": arrays.y_test}
    given = {name: array for name, array in named.items() if array is not None}
    for name, array in given.items():
        target = name in (arrays.y_name, "y_test")
        if array.dtype.kind not in ("fiubUS" if target else "fiub"):
            allowed = "numbers or text" if target else "numbers"
            raise ArgumentError(f"{where}: array {name!r} must hold {allowed}, got {array.dtype}")
    if arrays.x.ndim < 2:
        raise ArgumentError(f"{where}: array {arrays.x_name!r} must have shape (rows, ...), got {arrays.x.shape}")
    for name, array in given.items():
        if array.ndim == 0 or not len(array):
            raise ArgumentError(f"{where}: array {name!r} must have rows, got shape {array.shape}")
        if not array.size:
            raise ArgumentError(
                f"{where}: array {name!r} must hold at least one value per row, got shape {array.shape}"
            )
        if array.dtype.kind == "f" and (missing := int(np.isnan(array).sum())):
            row = int(np.isnan(array).reshape(len(array), -1).any(axis=1).argmax())
            raise ArgumentError(
                f"{where}: array {name!r} holds NaN {missing:,} times, first in row {row}: fill them or drop the rows "
                "first; of a table (a file or a data frame) missing values are filled"
            )
    if arrays.x_test is not None and arrays.x_test.shape[1:] != arrays.x.shape[1:]:
        raise ArgumentError(
            f"{where}: x_test has rows of shape {arrays.x_test.shape[1:]}, {arrays.x_name} of shape "
            f"{arrays.x.shape[1:]}"
        )
