"""Objects in memory as a data set: arrays, tensors, data frames, torch data sets, scikit-learn's bunches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from localmixup._validate import ArgumentError
from localmixup.lab.data.arrays import Arrays, dataset_of_arrays
from localmixup.lab.data.dataset import DataSet, check_dataset
from localmixup.lab.data.hub import dataset_of_splits
from localmixup.lab.data.pixels import decode_images
from localmixup.lab.data.reading import AS_FOUND, Reading, refuse_table_options
from localmixup.lab.data.tables import dataset_of_table
from localmixup.lab.data.targets import class_notes
from localmixup.lab.errors import first_line

ACCEPTED = (
    "a data frame with target=, a pair (x, y) of arrays or tensors, one array with target=, a torch Dataset of pairs "
    "(x, y), a data set of datasets, or scikit-learn's Bunch"
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
            are pairs `(x, y)`, or images of Pillow with their classes; a data set of `datasets`; a `Bunch`. Inputs of
            three or four dimensions are images or sequences, see `reading`.
        target: of a data frame the name of the column to predict, or its values; of one array the targets.
        test: a test set of the same kind, for all but data frames; by default none.
        task: `"classification"` or `"regression"`; by default the target decides.
        name: of the data set, as it is printed.
        reading: how the data are to be read: `layout` is for arrays, `resize` for images of Pillow, `drop` and
            `missing` for data frames.

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
        frame = _frame(data, target=target, task=task, name=name, reading=reading)
        return check_dataset(replace(frame, notes=(*frame.notes, *class_notes(frame))))
    if _is_of_datasets(data):
        return check_dataset(_of_datasets(data, target=target, test=test, task=task, name=name, reading=reading))
    train = _pair(data, target, "data", reading)
    tested = None if test is None else _pair(test, None, "test", reading)
    if reading.resize is not None and not train.pictures:
        reading.only(f"{_WHERE} in memory, except images of Pillow,", "layout")
    x_test, y_test = (None, None) if tested is None else (tested.x, tested.y)
    notes = train.notes if tested is None else (*train.notes, *(f"test: {note}" for note in tested.notes))
    arrays = Arrays(_WHERE, "x", "y", train.x, train.y, x_test, y_test, notes)
    layout = "channels-first" if train.pictures else reading.layout
    found = dataset_of_arrays(arrays, name=name, task=task, layout=layout)
    found = replace(found, class_names=_class_names(found.class_names, train.class_names))
    return check_dataset(replace(found, notes=(*found.notes, *class_notes(found))))


class _Pair(NamedTuple):
    """Inputs and targets as arrays, the names of the classes if there are any, and whether they were images."""

    x: np.ndarray
    y: np.ndarray
    class_names: Sequence[Any] = ()
    pictures: bool = False
    notes: tuple[str, ...] = ()


def _class_names(found: tuple[str, ...], names: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of classes that are places in a list of names."""
    places = [int(name) for name in found if name.isdecimal()]
    if len(places) < len(found) or not all(place < len(names) for place in places):
        return found
    return tuple(str(names[place]) for place in places)


def _is_of_datasets(data: Any) -> bool:
    """Return whether an object is a data set, or a dictionary of them, of the library `datasets`."""
    return type(data).__module__.partition(".")[0] == "datasets" and hasattr(data, "column_names")


def _of_datasets(data: Any, *, target: Any, test: Any, task: str | None, name: str, reading: Reading) -> DataSet:
    found = dict(data) if isinstance(data, Mapping) else {"train": data}
    if test is not None:
        found["test"] = test
    if not all(_is_of_datasets(part) and hasattr(part, "to_pandas") for part in found.values()) or not found:
        raise ArgumentError(f"data must be {ACCEPTED}, got {type(data).__name__} of `datasets` without rows at hand")
    if any(type(feature).__name__ == "Image" for feature in next(iter(found.values())).features.values()):
        refuse_table_options(f"{_WHERE}: images", target=target, task=task)
        reading.only(f"{_WHERE}: images", "resize")
        images = dataset_of_splits(found, name, resize=reading.resize, folder=Path("/"))
        return replace(images, notes=(*images.notes, *class_notes(images)))
    if len(found) > 1:
        raise ArgumentError(f"data must be one split of a table, such as data['train'], got {', '.join(found)}")
    frame = next(iter(found.values())).to_pandas()
    return _frame(frame, target=target, task=task, name=name, reading=reading)


def _is_frame(data: Any) -> bool:
    return hasattr(data, "columns") and (hasattr(data, "to_pandas") or hasattr(data, "__dataframe__"))


def _frame(data: Any, *, target: Any, task: str | None, name: str, reading: Reading) -> DataSet:
    import pandas as pd

    table = _as_pandas(data).copy(deep=False)
    table.columns = pd.Index([str(column) for column in table.columns])
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
    chosen = None if target is None else str(target)
    return dataset_of_table(table, where=_WHERE, name=name, target=chosen, task=task, reading=reading)


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


def _pair(data: Any, target: Any, argument: str, reading: Reading) -> _Pair:
    """Return inputs, targets and the names of the classes, if there are any, of anything but a data frame."""
    if isinstance(data, Mapping) and "data" in data and "target" in data:
        names: Any = data.get("target_names")
        named = names is not None and np.ndim(names) == 1
        return _Pair(_array(data["data"], "x"), _array(data["target"], "y"), list(names) if named else ())
    if isinstance(data, TensorDataset) and len(data.tensors) == 2:
        data = data.tensors
    if isinstance(data, (tuple, list)) and len(data) == 2 and target is None:
        return _inputs(data[0], "x", reading)._replace(y=_array(data[1], "y"))
    if _is_map_style(data):
        return _items(data, argument, reading)
    if target is not None and (isinstance(data, torch.Tensor) or hasattr(data, "__array__")):
        return _Pair(_array(data, "x"), _array(target, "target"))
    raise ArgumentError(f"{argument} must be {ACCEPTED}, got {_kind_of(data)}")


def _inputs(values: Any, name: str, reading: Reading) -> _Pair:
    """Return inputs without targets: pictures decoded, anything else as an array."""
    if isinstance(values, (list, tuple)) and values and all(_is_picture(value) for value in values):
        pictures = [(f"{name}[{k}]", value) for k, value in enumerate(values)]
        x, notes = decode_images(pictures, resize=reading.resize)
        return _Pair(x, np.zeros(0), pictures=True, notes=notes)
    return _Pair(_array(values, name), np.zeros(0))


def _is_picture(value: Any) -> bool:
    """Return whether a value is an image of Pillow."""
    return type(value).__module__.partition(".")[0] == "PIL" and hasattr(value, "convert")


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


def _items(data: Any, argument: str, reading: Reading) -> _Pair:
    """Read every item of a torch data set once."""
    inputs, targets = [], []
    for i in range(len(data)):
        item = data[i]
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            got = f"{type(item).__name__} of {len(item)}" if hasattr(item, "__len__") else type(item).__name__
            raise ArgumentError(f"items of {argument} must be pairs (x, y), got a {got} at {i}")
        inputs.append(item[0] if _is_picture(item[0]) else _array(item[0], f"x of item {i}"))
        targets.append(_array(item[1], f"y of item {i}"))
        shapes = [(getattr(x, "shape", None), y.shape) for x, y in ((inputs[k], targets[k]) for k in (0, i))]
        if shapes[0] != shapes[1]:
            raise ArgumentError(
                f"items of {argument} must all have the same shapes, got {shapes[0][0]} and {shapes[0][1]} at 0, "
                f"{shapes[1][0]} and {shapes[1][1]} at {i}"
            )
    if not inputs:
        raise ArgumentError(f"{argument} must have rows, got an empty {type(data).__name__}")
    names = getattr(data, "classes", None)
    found = _inputs(inputs, argument, reading) if _is_picture(inputs[0]) else _Pair(np.stack(inputs), np.zeros(0))
    return found._replace(y=np.stack(targets), class_names=list(names) if isinstance(names, (list, tuple)) else ())


def _array(values: Any, name: str) -> np.ndarray:
    """Return a new array of numbers or text."""
    if isinstance(values, torch.Tensor):
        if values.layout != torch.strided:
            raise ArgumentError(f"{name} must be dense, got a sparse tensor: give its to_dense()")
        values = values.detach().cpu()
        values = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise ArgumentError(f"{name} must be dense, got {type(values).__name__}: give its toarray()")
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ArgumentError(f"{name} must have no masked values, got {int(values.mask.sum())}: fill them first")
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
