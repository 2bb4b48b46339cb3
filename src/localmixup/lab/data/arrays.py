"""The user's own arrays in a `.npz` file: inputs, and targets that are numbers, class indices or labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.tables import MOST_CLASSES
from localmixup.lab.errors import first_line


def read_arrays(path: Path, *, task: str | None) -> DataSet:
    """Read a `.npz` file with arrays `x` and `y`, and `x_test` and `y_test` where there is a test set.

    Args:
        path: of the file.
        task: overrides what the type of `y` says.

    Raises:
        ArgumentError: an array is not there, or not as it should be.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key.lower(): file[key] for key in file.files}
    except Exception as error:
        raise ArgumentError(f"{path}: not a NumPy archive of plain arrays: {first_line(error)}") from None
    x = next((name for name in ("x", "x_train", "data") if name in arrays), None)
    y = next((name for name in ("y", "y_train", "target", "labels") if name in arrays), None)
    if x is None or y is None:
        raise ArgumentError(
            f"{path}: arrays x and y are needed (x_test and y_test may follow), got {', '.join(arrays)}"
        )
    for key in (x, y, "x_test", "y_test"):
        target = key in (y, "y_test")
        if key in arrays and arrays[key].dtype.kind not in ("fiubUS" if target else "fiub"):
            what = "numbers or text" if target else "numbers"
            raise ArgumentError(f"{path}: array {key!r} must hold {what}, got {arrays[key].dtype}")
    inputs = arrays[x]
    if inputs.ndim < 2:
        raise ArgumentError(f"{path}: array {x!r} must have shape (rows, ...), got {inputs.shape}")
    image = inputs.ndim in (3, 4)
    test = [arrays.get("x_test"), arrays.get("y_test")]
    for array in (part for part in (inputs, arrays[y], *test) if part is not None):
        if array.ndim == 0 or not len(array):
            raise ArgumentError(f"{path}: arrays must have rows, got shape {array.shape}")
        if not array.size:
            raise ArgumentError(f"{path}: rows must hold at least one value, got shape {array.shape}")
    targets = [None if t is None else t.reshape(-1) if t.size == len(t) else t for t in (arrays[y], test[1])]
    if targets[0] is None or targets[0].ndim != 1:
        raise ArgumentError(f"{path}: array {y!r} must hold one target a row, got shape {arrays[y].shape}")
    if test[0] is not None and test[0].shape[1:] != inputs.shape[1:]:
        raise ArgumentError(f"{path}: x_test has rows of shape {test[0].shape[1:]}, {x} of shape {inputs.shape[1:]}")
    names: tuple[str, ...] = ()
    text = targets[0].dtype.kind in "US"
    if text and task == "regression":
        raise ArgumentError(f"{path}: --task regression needs numbers in {y!r}, got {targets[0].dtype}")
    if targets[1] is not None and text != (targets[1].dtype.kind in "US"):
        raise ArgumentError(f"{path}: {y!r} holds {targets[0].dtype}, y_test {targets[1].dtype}: give both as one kind")
    whole = text or targets[0].dtype.kind in "iub" or (task == "classification" and bool((targets[0] % 1 == 0).all()))
    if task == "classification" and not whole:
        raise ArgumentError(
            f"{path}: --task classification needs whole numbers or text in {y!r}, got {targets[0].dtype}"
        )
    if whole and task != "regression":
        codes, names = _classes(path, y, targets[0], task)
        targets = [codes, None if targets[1] is None else _codes(path, targets[1], names)]
    else:
        targets = [None if t is None else t.astype(np.float64) for t in targets]
    kept = [None if part is None else _as_inputs(part, image) for part in (inputs, test[0])]
    told = f"{len(names)} classes" if names else "a quantity (regression)"
    note = f"target {y!r}: {told}, from its type {arrays[y].dtype}"
    assert kept[0] is not None
    assert targets[0] is not None
    return DataSet(
        path.name, "image" if image else "table", kept[0], targets[0], kept[1], targets[1], names, notes=(note,)
    )


def _classes(path: Path, y: str, targets: np.ndarray, task: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class indices and the names of the classes, in the order of the labels: whole numbers or text, as in tables."""
    values, codes = np.unique(_labels(path, y, targets), return_inverse=True)
    numbered = values.dtype.kind == "i" and np.array_equal(values, np.arange(len(values)))
    if not numbered and len(values) > len(targets) // 2:
        raise ArgumentError(
            f"{path}: array {y!r} has {len(values)} different values in {len(targets)} rows: no classes"
        )
    if not numbered and values.dtype.kind == "i" and len(values) > MOST_CLASSES and task is None:
        raise ArgumentError(
            f"{path}: array {y!r} has {len(values)} different whole numbers that are not 0 to {len(values) - 1}: say "
            "--task classification or --task regression"
        )
    return codes.astype(np.int64), tuple(str(value) for value in values)


def _codes(path: Path, targets: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    place = {name: k for k, name in enumerate(names)}
    labels = [str(label) for label in _labels(path, "y_test", targets)]
    if unknown := [label for label in labels if label not in place]:
        raise ArgumentError(f"{path}: y_test has the class {unknown[0]!r}, which no training row has")
    return np.array([place[label] for label in labels], dtype=np.int64)


def _labels(path: Path, name: str, targets: np.ndarray) -> np.ndarray:
    if targets.dtype.kind == "f" and not bool((targets % 1 == 0).all()):
        raise ArgumentError(f"{path}: array {name!r} must hold whole numbers, as classes are, got {targets.dtype}")
    return targets.astype(str) if targets.dtype.kind in "US" else targets.astype(np.int64)


def _as_inputs(x: np.ndarray, image: bool) -> np.ndarray:
    if not image:
        return x.reshape(len(x), -1).astype(np.float64)
    if x.ndim == 3:
        x = x[:, None]
    elif x.shape[-1] in (1, 3) and x.shape[1] not in (1, 3):
        x = x.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x if x.dtype == np.uint8 else x.astype(np.float32))
