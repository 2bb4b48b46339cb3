"""Arrays as a data set, from a `.npz` file or from memory: inputs, and targets that are numbers, indices or labels."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.tables import MOST_CLASSES
from localmixup.lab.errors import first_line

_INPUTS = ("x", "x_train", "data")
_TARGETS = ("y", "y_train", "target", "labels")


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
    """

    where: str
    x_name: str
    y_name: str
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None


def read_arrays(path: Path, *, task: str | None) -> DataSet:
    """Read a `.npz` file with arrays `x` and `y`, and optionally `x_test` and `y_test`.

    Arrays of three or four dimensions are images. Targets that are whole numbers or text are classes.

    Args:
        path: the file.
        task: `"classification"` or `"regression"`; None decides by the type of `y`.

    Raises:
        ArgumentError: an array is missing, or has the wrong type, shape or values.
    """
    return dataset_of_arrays(_read_file(path), name=path.name, task=task)


def dataset_of_arrays(arrays: Arrays, *, name: str, task: str | None) -> DataSet:
    """Return arrays as a data set. They are copied.

    Args:
        arrays: the arrays.
        name: of the data set.
        task: as for `read_arrays`.

    Raises:
        ArgumentError: an array has the wrong type, shape or values.
    """
    _check(arrays)
    y, y_test = (None if part is None else _one_column(part) for part in (arrays.y, arrays.y_test))
    if y is None or y.ndim != 1:
        raise ArgumentError(
            f"{arrays.where}: array {arrays.y_name!r} must hold one target per row, got shape {arrays.y.shape}"
        )
    names: tuple[str, ...] = ()
    if _are_classes(arrays, y, y_test, task):
        y, names = _classes(arrays, y, task)
        y_test = None if y_test is None else _codes(arrays.where, y_test, names)
    else:
        y, y_test = y.astype(np.float64), None if y_test is None else y_test.astype(np.float64)
    image = arrays.x.ndim in (3, 4)
    x, x_test = _as_inputs(arrays.x, image), None if arrays.x_test is None else _as_inputs(arrays.x_test, image)
    kind = f"{len(names)} classes" if names else "a quantity (regression)"
    note = f"target {arrays.y_name!r}: {kind}, from its type {arrays.y.dtype}"
    return DataSet(name, "image" if image else "table", x, y, x_test, y_test, names, notes=(note,))


def _read_file(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key.lower(): file[key] for key in file.files}
    except Exception as error:
        raise ArgumentError(f"{path}: not a NumPy archive of plain arrays: {first_line(error)}") from None
    x = next((name for name in _INPUTS if name in arrays), None)
    y = next((name for name in _TARGETS if name in arrays), None)
    if x is None or y is None:
        raise ArgumentError(
            f"{path}: arrays x and y are needed (x_test and y_test may follow), got {', '.join(arrays)}"
        )
    return Arrays(str(path), x, y, arrays[x], arrays[y], arrays.get("x_test"), arrays.get("y_test"))


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
    if arrays.x_test is not None and arrays.x_test.shape[1:] != arrays.x.shape[1:]:
        raise ArgumentError(
            f"{where}: x_test has rows of shape {arrays.x_test.shape[1:]}, {arrays.x_name} of shape "
            f"{arrays.x.shape[1:]}"
        )


def _one_column(targets: np.ndarray) -> np.ndarray:
    return targets.reshape(-1) if targets.size == len(targets) else targets


def _are_classes(arrays: Arrays, y: np.ndarray, y_test: np.ndarray | None, task: str | None) -> bool:
    where, name = arrays.where, arrays.y_name
    text = y.dtype.kind in "US"
    if text and task == "regression":
        raise ArgumentError(f"{where}: --task regression needs numbers in {name!r}, got {y.dtype}")
    if y_test is not None and text != (y_test.dtype.kind in "US"):
        raise ArgumentError(f"{where}: {name!r} holds {y.dtype}, y_test {y_test.dtype}: give both the same type")
    whole = text or y.dtype.kind in "iub" or (task == "classification" and bool((y % 1 == 0).all()))
    if task == "classification" and not whole:
        raise ArgumentError(f"{where}: --task classification needs whole numbers or text in {name!r}, got {y.dtype}")
    return whole and task != "regression"


def _classes(arrays: Arrays, y: np.ndarray, task: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return class indices and the names of the classes, sorted as in tables."""
    where, name = arrays.where, arrays.y_name
    values, codes = np.unique(_labels(where, name, y), return_inverse=True)
    numbered = values.dtype.kind == "i" and np.array_equal(values, np.arange(len(values)))
    if not numbered and len(values) > len(y) // 2:
        raise ArgumentError(
            f"{where}: array {name!r} cannot be classes: it has {len(values)} different values in {len(y)} rows"
        )
    if not numbered and values.dtype.kind == "i" and len(values) > MOST_CLASSES and task is None:
        raise ArgumentError(
            f"{where}: array {name!r} has {len(values)} different whole numbers that are not 0 to {len(values) - 1}: "
            "say --task classification or --task regression"
        )
    return codes.astype(np.int64), tuple(str(value) for value in values)


def _codes(where: str, targets: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    index = {name: k for k, name in enumerate(names)}
    labels = [str(label) for label in _labels(where, "y_test", targets)]
    if unknown := [label for label in labels if label not in index]:
        raise ArgumentError(f"{where}: y_test has the class {unknown[0]!r}, which no training row has")
    return np.array([index[label] for label in labels], dtype=np.int64)


def _labels(where: str, name: str, targets: np.ndarray) -> np.ndarray:
    if targets.dtype.kind == "f" and not bool((targets % 1 == 0).all()):
        raise ArgumentError(f"{where}: array {name!r} must hold whole numbers, as classes are, got {targets.dtype}")
    return targets.astype(str) if targets.dtype.kind in "US" else targets.astype(np.int64)


def _as_inputs(x: np.ndarray, image: bool) -> np.ndarray:
    if not image:
        return x.reshape(len(x), -1).astype(np.float64)
    if x.ndim == 3:
        x = x[:, None]
    elif x.shape[-1] in (1, 3) and x.shape[1] not in (1, 3):
        x = x.transpose(0, 3, 1, 2)
    return np.array(x, dtype=np.uint8 if x.dtype == np.uint8 else np.float32, order="C")
