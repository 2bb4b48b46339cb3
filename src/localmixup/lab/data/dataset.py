"""A data set in memory, as it was read, and what it must fulfil."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from localmixup._validate import ArgumentError

MIN_ROWS = 20


class Column(NamedTuple):
    """A column of a table, and what it has become among the inputs.

    Attributes:
        name: as the table spells it.
        kind: `"number"`, `"category"` or `"date"`.
        width: number of inputs that it has become: one for each category, or for each part of a date.
        missing: number of rows without a value. Their inputs are NaN, and one more input beside them is 1 there.
        labels: of the categories, or of the parts of a date.
    """

    name: str
    kind: str
    width: int
    missing: int = 0
    labels: tuple[str, ...] = ()

    @property
    def stored(self) -> int:
        """Number of inputs, the one that says where a value is missing included."""
        return self.width + bool(self.missing)


class LeftOut(NamedTuple):
    """A column of a table that is not used, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class DataSet:
    """A data set as arrays.

    Attributes:
        name: the name by which the user asked for it.
        kind: `"table"`, or `"image"` for inputs of shape `(channels, height, width)`.
        x: inputs, shape `(m, ...)`: floats, or uint8 for images.
        y: targets, shape `(m,)`: classes as int64, or values as floats.
        x_test: inputs of the test set, or None if the data have none of their own.
        y_test: targets of the test set, or None.
        class_names: the name of each class; empty for regression.
        notes: what was found while reading and may surprise the user.
        columns: of a table, the columns that are used, in the order of their inputs.
        target: name of the column that is predicted; "" where it has none.
        left_out: the columns that are not used.
        total: number of rows of the source, if only random ones of them were read; else None.
        without_target: number of rows that were left out because they have no target.
    """

    name: str
    kind: str
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    target: str = ""
    left_out: tuple[LeftOut, ...] = ()
    total: int | None = None
    without_target: int = 0

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

    @property
    def categories(self) -> tuple[tuple[int, int], ...]:
        """First input, and the one after the last, of each column of categories in which values are missing."""
        found, start = [], 0
        for column in self.columns:
            if column.kind == "category" and column.missing and column.width:
                found.append((start, start + column.width))
            start += column.stored
        return tuple(found)

    @property
    def gaps(self) -> tuple[int, ...]:
        """The inputs that are NaN where a value is missing."""
        found: list[int] = []
        start = 0
        for column in self.columns:
            found += range(start, start + column.width) if column.missing else ()
            start += column.stored
        return tuple(found)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the contents, so that stored results are never used for other data."""
        digest = hashlib.sha256(repr((self.kind, self.class_names)).encode())
        if self.categories:  # how missing values are filled depends on them
            digest.update(repr(self.categories).encode())
        for array in (self.x, self.y, self.x_test, self.y_test):
            if array is not None:
                digest.update(repr((array.shape, array.dtype.str)).encode())
                digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()[:16]


def check_dataset(data: DataSet) -> DataSet:
    """Return the data set if it can be trained on. Every reader's result must pass this check.

    Args:
        data: as read.

    Raises:
        ArgumentError: lengths differ, values are not finite, classes are out of range, or there are too few rows or
            classes.
    """
    if (data.x_test is None) != (data.y_test is None):
        raise ArgumentError(f"{data.name}: a test set needs both inputs and targets, got only one of the two")
    for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
        if x is not None and y is not None:
            _check_shapes(data, x, y)
            _check_values(data, x, y)
    if len(data.x) < MIN_ROWS:
        raise ArgumentError(
            f"{data.name}: at least {MIN_ROWS} rows are needed to train, validate and test, got {len(data.x)}"
        )
    if data.task == "classification" and len(np.unique(data.y)) < 2:
        raise ArgumentError(f"{data.name}: at least two classes are needed, all {len(data.y)} rows have the same")
    if data.task == "regression" and np.ptp(data.y) == 0:
        raise ArgumentError(f"{data.name}: the target is the same in all {len(data.y)} rows: nothing to learn")
    if data.x[0].size == 0:
        raise ArgumentError(f"{data.name}: there are no inputs beside the target")
    return data


def _check_shapes(data: DataSet, x: np.ndarray, y: np.ndarray) -> None:
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


def _check_values(data: DataSet, x: np.ndarray, y: np.ndarray) -> None:
    for what, array in (("inputs", x), ("targets", y)):
        allowed = np.isnan(array) if what == "inputs" and data.gaps else False
        if array.dtype.kind == "f" and not (np.isfinite(array) | allowed).all():
            place = tuple(int(i) for i in np.argwhere(~(np.isfinite(array) | allowed))[0])
            raise ArgumentError(f"{data.name}: {what} must be finite, got {array[place]} at position {place}")
    if data.class_names and (y.min() < 0 or y.max() >= len(data.class_names)):
        row = int(np.argmax((y < 0) | (y >= len(data.class_names))))
        raise ArgumentError(
            f"{data.name}: class index out of range: row {row} has {y[row]}, "
            f"allowed are 0 to {len(data.class_names) - 1}"
        )
