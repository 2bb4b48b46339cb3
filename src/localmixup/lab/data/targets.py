"""Targets that come as an array: classes or a quantity, and what is unusual about the classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.tables import MOST_CLASSES

UNEVEN = 10
"""Classes are called uneven if the largest has so many times the rows of the smallest."""

_FEW = 5  # rows of a class that are worth a word
_SHOWN = 5


class Targets(NamedTuple):
    """Targets as a data set has them.

    Attributes:
        y: classes as int64 or values as float64, shape `(m,)`.
        y_test: the same of the test set, or None.
        class_names: empty for a quantity.
        note: what was decided where it may surprise, else nothing.
    """

    y: np.ndarray
    y_test: np.ndarray | None
    class_names: tuple[str, ...]
    note: str


def targets_of(where: str, name: str, y: np.ndarray, y_test: np.ndarray | None, task: str | None) -> Targets:
    """Return targets as classes or as a quantity.

    Text, booleans and integers are classes, and so are floats that are whole numbers with at most `MOST_CLASSES`
    different values, as in tables. Rows of zeros with a single one are classes as well.

    Args:
        where: where the targets come from, for messages.
        name: of the targets, for messages.
        y: numbers or text, shape `(m,)`, `(m, 1)`, or `(m, classes)` for rows with a single one.
        y_test: targets of the test set, or None.
        task: `"classification"` or `"regression"`; None decides as above.

    Raises:
        ArgumentError: the targets have another shape, or do not suit the task or each other.
    """
    given, columns, one_hot = y.dtype, y.shape[1:], _is_one_hot(y)
    parts = [part for part in (y, y_test) if part is not None]
    flat = [_flat(part, one_hot and _is_one_hot(part) and part.shape[1:] == columns) for part in parts]
    y, y_test = flat[0], flat[1] if len(flat) > 1 else None
    if y.ndim != 1:
        raise ArgumentError(f"{where}: array {name!r} must hold one target per row, got shape {parts[0].shape}")
    _check_task(where, name, y, y_test, task)
    if not _are_classes(y, y_test, task):
        y_test = None if y_test is None else y_test.astype(np.float64)
        return Targets(y.astype(np.float64), y_test, (), "")
    y, y_test, names = _classes(where, name, y, y_test, task)
    note = ""
    if one_hot:
        note = f"each row of {name!r} holds a single one among zeros: its place is the class"
    elif given.kind == "f" and task is None:
        note = f"{name!r} holds whole numbers: they are classes; --task regression takes them as a quantity"
    return Targets(y, y_test, names, note)


def class_notes(data: DataSet) -> tuple[str, ...]:
    """Return what is unusual about the classes of a data set.

    Args:
        data: as read.

    >>> y = np.array([0] * 30 + [1])
    >>> class_notes(DataSet("a", "table", np.zeros((31, 1)), y, class_names=("no", "yes")))
    ("class 'yes' has 1 row", "classes are uneven: 30 rows of 'no', 1 of 'yes'; see balanced accuracy beside accuracy")
    """
    names = data.class_names
    if not names or not len(data.y) or data.y.min() < 0 or (data.y_test is not None and data.y_test.min() < 0):
        return ()
    counts = np.bincount(data.y, minlength=len(names))
    tested = np.zeros_like(counts) if data.y_test is None else np.bincount(data.y_test, minlength=len(names))
    if len(counts) != len(names) or len(tested) != len(names):  # refused by `check_dataset`
        return ()
    notes = []
    if untrained := [name for name, rows, test in zip(names, counts, tested, strict=True) if test and not rows]:
        rows = int(tested[counts == 0].sum())
        notes.append(f"no training row has {_named(untrained)}, but {_rows(rows)} of the test set: they count as wrong")
    if unused := [name for name, rows in zip(names, counts + tested, strict=True) if not rows]:
        notes.append(f"no row has {_named(unused)}")
    few = [(name, int(rows)) for name, rows in zip(names, counts, strict=True) if 0 < rows < _FEW]
    if len(few) == 1:
        notes.append(f"{_named([few[0][0]])} has {_rows(few[0][1])}")
    elif few:
        notes.append(f"fewer than {_FEW} rows have {_named([name for name, _ in few])}")
    used = np.flatnonzero(counts)
    most, least = used[counts[used].argmax()], used[counts[used].argmin()]
    if counts[most] >= UNEVEN * counts[least]:
        notes.append(
            f"classes are uneven: {_rows(int(counts[most]))} of {names[most]!r}, {counts[least]:,} of {names[least]!r};"
            " see balanced accuracy beside accuracy"
        )
    return tuple(notes)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _named(names: Iterable[str]) -> str:
    found = [repr(name) for name in names]
    shown = ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else "")
    return f"class {shown}" if len(found) == 1 else f"the classes {shown}"


def _is_one_hot(targets: np.ndarray) -> bool:
    if targets.ndim != 2 or targets.shape[1] < 2 or targets.dtype.kind not in "fiub":
        return False
    return bool(((targets == 0) | (targets == 1)).all() and (targets.sum(axis=1) == 1).all())


def _flat(targets: np.ndarray, one_hot: bool) -> np.ndarray:
    if one_hot:
        return np.asarray(targets.argmax(axis=1))
    return targets.reshape(-1) if targets.size == len(targets) else targets


def _check_task(where: str, name: str, y: np.ndarray, y_test: np.ndarray | None, task: str | None) -> None:
    text = y.dtype.kind in "US"
    if text and task == "regression":
        raise ArgumentError(f"{where}: --task regression needs numbers in {name!r}, got {y.dtype}")
    if y_test is not None and text != (y_test.dtype.kind in "US"):
        raise ArgumentError(f"{where}: {name!r} holds {y.dtype}, y_test {y_test.dtype}: give both the same type")
    if task == "classification" and not text and not _whole(y):
        raise ArgumentError(f"{where}: --task classification needs whole numbers or text in {name!r}, got {y.dtype}")


def _whole(targets: np.ndarray) -> bool:
    return targets.dtype.kind in "iub" or bool((np.isfinite(targets) & (targets % 1 == 0)).all())


def _are_classes(y: np.ndarray, y_test: np.ndarray | None, task: str | None) -> bool:
    if task is not None or y.dtype.kind != "f":
        return task != "regression"
    whole = _whole(y) and (y_test is None or _whole(y_test))
    return whole and 1 < len(np.unique(y)) <= min(MOST_CLASSES, len(y) // 2)


def _classes(
    where: str, name: str, y: np.ndarray, y_test: np.ndarray | None, task: str | None
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Return class indices and the names of the classes, sorted as in tables."""
    trained = _labels(where, name, y)
    both = trained if y_test is None else np.concatenate([trained, _labels(where, "y_test", y_test)])
    values, codes = np.unique(both, return_inverse=True)
    distinct = len(np.unique(trained))
    numbered = values.dtype.kind == "i" and np.array_equal(values, np.arange(len(values)))
    if not numbered and distinct > len(y) // 2:
        raise ArgumentError(
            f"{where}: array {name!r} cannot be classes: it has {distinct} different values in {len(y)} rows"
        )
    if not numbered and values.dtype.kind == "i" and distinct > MOST_CLASSES and task is None:
        raise ArgumentError(
            f"{where}: array {name!r} has {distinct} different whole numbers that are not 0 to {distinct - 1}: "
            "say --task classification or --task regression"
        )
    codes = codes.astype(np.int64)
    y_test = None if y_test is None else codes[len(y) :]
    return codes[: len(y)], y_test, tuple(str(value) for value in values)


def _labels(where: str, name: str, targets: np.ndarray) -> np.ndarray:
    if targets.dtype.kind in "US":
        text = np.char.decode(targets, "utf-8", "replace") if targets.dtype.kind == "S" else targets
        return np.asarray(np.char.strip(text))
    if not _whole(targets):
        raise ArgumentError(f"{where}: array {name!r} must hold whole numbers, as classes are, got {targets.dtype}")
    if targets.dtype.kind == "u" and targets.size and int(targets.max()) > np.iinfo(np.int64).max:
        raise ArgumentError(f"{where}: array {name!r} holds {targets.max()}, too large a number for a class")
    return targets.astype(np.int64)
