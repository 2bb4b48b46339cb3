"""Objects in memory as a data set: arrays, tensors, data frames, torch data sets, scikit-learn's bunches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from localmixup._validate import ArgumentError
from localmixup.lab.data.arrays import Arrays, dataset_of_arrays
from localmixup.lab.data.dataset import DataSet, check_dataset
from localmixup.lab.data.reading import AS_FOUND, Reading
from localmixup.lab.data.tables import dataset_of_table
from localmixup.lab.errors import first_line

ACCEPTED = (
    "a data frame with target=, a pair (x, y) of arrays or tensors, one array with target=, a torch Dataset of pairs "
    "(x, y), or scikit-learn's Bunch"
)
"""What `dataset_of` takes, for messages."""

_WHERE = "data"


def dataset_of(
    data: Any,
    *,
    target: Any = None,
    test: Any = None,
    task: str | None = None,
    name: str = "your data",
    reading: Reading = AS_FOUND,
) -> DataSet:
    """Return an object as a data set. It is read and copied, never changed.

    Args:
        data: a data frame of pandas, polars or another library with `to_pandas` or `__dataframe__`; a pair `(x, y)` of
            arrays, tensors or lists, `x` of shape `(m, ...)`; one array or tensor `x`; a torch `Dataset` whose items
            are pairs `(x, y)`; a `Bunch`. Inputs of three or four dimensions are images.
        target: of a data frame the name of the column to predict, or its values; of one array the targets.
        test: a test set of the same kind, for all but data frames; by default none.
        task: `"classification"` or `"regression"`; by default the target decides.
        name: of the data set, as it is printed.
        reading: how the data are to be read; only `layout` is for objects.

    Returns:
        The data set, checked by `check_dataset`.

    Raises:
        ArgumentError: the object is of another kind, or cannot be trained on.

    >>> data = dataset_of((np.random.default_rng(0).normal(size=(30, 2)), ["red", "blue", "green"] * 10))
    >>> data.shape, data.class_names
    ((2,), ('blue', 'green', 'red'))
    """
    if isinstance(data, DataSet):
        return check_dataset(data)
    if _is_frame(data):
        if test is not None:
            raise ArgumentError("test must be None for a data frame (its rows are split), got " + type(test).__name__)
        return check_dataset(_frame(data, target=target, task=task, name=name))
    x, y, class_names = _pair(data, target, "data")
    x_test, y_test, _ = (None, None, ()) if test is None else _pair(test, None, "test")
    found = dataset_of_arrays(Arrays(_WHERE, "x", "y", x, y, x_test, y_test), name=name, task=task)
    if class_names and len(class_names) == len(found.class_names):
        found = DataSet(**{**vars(found), "class_names": tuple(map(str, class_names))})
    return check_dataset(found)


def _is_frame(data: Any) -> bool:
    return hasattr(data, "columns") and (hasattr(data, "to_pandas") or hasattr(data, "__dataframe__"))


def _frame(data: Any, *, target: Any, task: str | None, name: str) -> DataSet:
    import pandas as pd

    table = _as_pandas(data).copy(deep=False)
    table.columns = pd.Index([str(column) for column in table.columns])
    if repeated := table.columns[table.columns.duplicated()].tolist():
        raise ArgumentError(f"{_WHERE}: column {repeated[0]!r} is there more than once")
    if target is not None and not isinstance(target, (str, int)):
        values = _array(target, "target")
        if values.shape not in ((len(table),), (len(table), 1)):
            raise ArgumentError(
                f"target must hold one value for each of the {len(table)} rows, got shape {values.shape}"
            )
        column = str(getattr(target, "name", None) or "target")
        if column in table.columns:
            raise ArgumentError(
                f"target must not be a column of data as well, and {column!r} is one: give its name, or drop the column"
            )
        table, target = table.assign(**{column: values.ravel()}), column
    return dataset_of_table(table, where=_WHERE, name=name, target=None if target is None else str(target), task=task)


def _as_pandas(data: Any) -> Any:
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    try:
        if hasattr(data, "to_pandas"):
            return data.to_pandas()
        return pd.api.interchange.from_dataframe(data)
    except Exception as error:
        raise ArgumentError(
            f"data must be a data frame that pandas can take over, and this {type(data).__name__} is not: "
            f"{first_line(error)}"
        ) from None


def _pair(data: Any, target: Any, argument: str) -> tuple[np.ndarray, np.ndarray, Sequence[str]]:
    """Return inputs, targets and the names of the classes, if there are any, of anything but a data frame."""
    if isinstance(data, Mapping) and "data" in data and "target" in data:
        names: Any = data.get("target_names")
        named = names is not None and np.ndim(names) == 1
        return _array(data["data"], "x"), _array(data["target"], "y"), list(names) if named else ()
    if isinstance(data, TensorDataset) and len(data.tensors) == 2:
        data = data.tensors
    if isinstance(data, (tuple, list)) and len(data) == 2 and target is None:
        return _array(data[0], "x"), _array(data[1], "y"), ()
    if _is_map_style(data):
        return *_items(data, argument), ()
    if target is not None and (isinstance(data, torch.Tensor) or hasattr(data, "__array__")):
        return _array(data, "x"), _array(target, "target"), ()
    raise ArgumentError(f"{argument} must be {ACCEPTED}, got {_kind_of(data)}")


def _kind_of(data: Any) -> str:
    got = type(data).__name__
    if isinstance(data, DataLoader):
        return f"{got}: give the data set, loader.dataset"
    if isinstance(data, IterableDataset):
        return f"{got}, which has no length"
    if isinstance(data, (tuple, list)):
        return f"a {got} of {len(data)}"
    if isinstance(data, torch.Tensor) or hasattr(data, "__array__"):
        return f"{got} without target"
    return f"the text {str(data)!r:.60}" if isinstance(data, (str, Path)) else got


def _is_map_style(data: Any) -> bool:
    if isinstance(data, (DataLoader, IterableDataset, Mapping, str, tuple, list)) or hasattr(data, "__array__"):
        return False
    return hasattr(data, "__getitem__") and hasattr(data, "__len__")


def _items(data: Any, argument: str) -> tuple[np.ndarray, np.ndarray]:
    """Read every item of a torch data set once."""
    inputs, targets = [], []
    for i in range(len(data)):
        item = data[i]
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            got = f"{type(item).__name__} of {len(item)}" if hasattr(item, "__len__") else type(item).__name__
            raise ArgumentError(f"items of {argument} must be pairs (x, y), got a {got} at {i}")
        inputs.append(_array(item[0], f"x of item {i}"))
        targets.append(_array(item[1], f"y of item {i}"))
        if inputs[i].shape != inputs[0].shape or targets[i].shape != targets[0].shape:
            raise ArgumentError(
                f"items of {argument} must all have the same shapes, got {inputs[0].shape} and {targets[0].shape} at "
                f"0, {inputs[i].shape} and {targets[i].shape} at {i}"
            )
    if not inputs:
        raise ArgumentError(f"{argument} must have rows, got an empty {type(data).__name__}")
    return np.stack(inputs), np.stack(targets)


def _array(values: Any, name: str) -> np.ndarray:
    """Return a new array of numbers or text."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    try:
        array = np.array(values)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{name} must be an array, got {type(values).__name__}: {first_line(error)}") from None
    if array.dtype == object:
        kinds = {type(value) for value in array.ravel().tolist()}
        if kinds == {str}:
            return array.astype(str)
        raise ArgumentError(
            f"{name} must hold numbers, or text only, got {' and '.join(sorted(kind.__name__ for kind in kinds))}"
        )
    return array
