"""The user's own files: tables, arrays, folders of images, and Parquet in the Hugging Face Hub's layout."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from localmixup.lab.dataset import DataSet
from localmixup.lab.errors import UserError

SUFFIXES = (".csv", ".parquet", ".npz")

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels", "fine_label")
_TARGET_NAMES = ("target", "label", "class", "y")
_MOST_CLASSES = 20  # a column of whole numbers with more values than this is taken as a quantity
_MOST_CATEGORIES = 50


def read(path: Path, *, target: str | None, task: str | None) -> DataSet:
    """Read a file or folder of the user's own.

    Args:
        path: exists.
        target: column to predict, for tables.
        task: overrides what the target column says.

    Raises:
        UserError: it cannot be read, or not as it should be.
    """
    if path.is_dir():
        if any(path.glob("*.parquet")):
            return read_hub_folder(path, name=path.name)
        return _image_folder(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path}: a file must be one of {', '.join(SUFFIXES)}, got {suffix or 'no suffix'!r}")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty")
    if suffix == ".npz":
        return _npz(path)
    if suffix == ".parquet" and _image_column(_parquet_columns(path)):
        return read_hub_folder(path, name=path.stem)
    return _table(path, target, task)


def read_hub_folder(path: Path, *, name: str) -> DataSet:
    """Read Parquet in the Hub's layout: an image and a label column; files named test-* are the test set.

    Args:
        path: a folder of Parquet files, or one such file.
        name: of the data set.

    Raises:
        UserError: columns or images are not as they should be.
    """
    import datasets

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    test = [file for file in files if file.name.startswith(("test", "validation"))]
    train = [file for file in files if file not in test] or test
    parts: dict[str, list[str]] = {"train": [str(file) for file in train]}
    if test and train != test:
        parts["test"] = [str(file) for file in test]
    key = hashlib.sha256(repr([(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]).encode())
    cache = _cache_folder() / f"{name}-{key.hexdigest()[:16]}.npz"
    if cache.is_file():
        try:
            return _from_cache(cache, name)
        except Exception:  # broken off while it was written, by an older version: made anew below
            cache.unlink(missing_ok=True)
    _quiet(datasets)
    try:
        found = datasets.load_dataset("parquet", data_files=parts, cache_dir=str(_cache_folder() / "datasets"))
    except Exception as error:
        raise UserError(f"{path}: cannot be read as Parquet: {_first_line(error)}") from None
    data = _from_hub(found, name)
    _to_cache(cache, data)
    return data


def read_hub(hub_name: str, *, name: str) -> DataSet:
    """Load an image data set from the Hugging Face Hub.

    Args:
        hub_name: `owner/name`.
        name: how it is called here.

    Raises:
        UserError: it is not to be had, or has no image and label columns.
    """
    import datasets

    _quiet(datasets)
    try:
        found = datasets.load_dataset(hub_name)
    except Exception as error:
        raise UserError(f"{hub_name} could not be had from the Hub: {_first_line(error)}") from None
    return _from_hub(found, name)


# ---- images ------------------------------------------------------------------------------------------------------


def _from_hub(found: Any, name: str) -> DataSet:
    import datasets

    train = found["train"] if "train" in found else found[next(iter(found))]
    image, label = _image_column(train.column_names), _first_of(_LABEL_COLUMNS, train.column_names)
    if image is None or label is None:
        raise UserError(
            f"{name}: an image column ({', '.join(_IMAGE_COLUMNS)}) and a label column ({', '.join(_LABEL_COLUMNS)}) "
            f"are needed, got {', '.join(train.column_names)}"
        )

    def arrays(part: Any) -> tuple[np.ndarray, np.ndarray]:
        raw = part.cast_column(image, datasets.Image(decode=False))
        return _decode((row["bytes"], row["path"]) for row in raw[image]), np.asarray(part[label], dtype=np.int64)

    x, y = arrays(train)
    test = found.get("test", found.get("validation"))
    x_test, y_test = (None, None) if test is None or test is train else arrays(test)
    feature = train.features[label]
    names = tuple(getattr(feature, "names", None) or (str(c) for c in range(int(y.max()) + 1)))
    return DataSet(name, "image", x, y, x_test, y_test, class_names=names)


def _image_folder(path: Path) -> DataSet:
    import datasets

    _quiet(datasets)
    classes = sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not classes:
        raise UserError(
            f"{path}: a folder must hold one folder of images for each class, or Parquet files; got neither"
        )
    try:
        found = datasets.load_dataset(
            "imagefolder", data_dir=str(path), cache_dir=str(_cache_folder() / "datasets"), drop_labels=False
        )
    except Exception as error:
        raise UserError(f"{path}: no images could be read from its class folders: {_first_line(error)}") from None
    data = _from_hub(found, path.name)
    counts = ", ".join(
        f"{count} {label}" for label, count in zip(data.class_names, np.bincount(data.y).tolist(), strict=False)
    )
    return DataSet(**{**data.__dict__, "notes": (f"images of shape {data.shape} in {len(classes)} classes: {counts}",)})


def _decode(images: Iterable[tuple[bytes | None, str | None]]) -> np.ndarray:
    from PIL import Image

    arrays: list[np.ndarray] = []
    gray = True
    for row, (content, path) in enumerate(images):
        where = path or f"row {row}"
        try:
            with Image.open(io.BytesIO(content) if content else str(path)) as opened:
                mode = "L" if opened.mode in ("1", "L", "I;16", "I") else "RGB"
                array = np.asarray(opened.convert(mode))
        except Exception as error:
            raise UserError(f"{where}: not an image that can be read: {_first_line(error)}") from None
        if arrays and array.shape[:2] != arrays[0].shape[:2]:
            first, other = ("{1} x {0}".format(*a.shape) for a in (arrays[0], array))
            raise UserError(f"images must all be of one size: the first is {first} pixels, {where} is {other}")
        gray = gray and array.ndim == 2
        arrays.append(array)
    if not gray:
        arrays = [a if a.ndim == 3 else np.repeat(a[..., None], 3, axis=2) for a in arrays]
    stacked = np.stack(arrays)
    return stacked[:, None] if gray else np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))


# ---- arrays ------------------------------------------------------------------------------------------------------


def _npz(path: Path) -> DataSet:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key.lower(): file[key] for key in file.files}
    except Exception as error:
        raise UserError(f"{path}: not a NumPy archive of plain arrays: {_first_line(error)}") from None
    x, y = (_first_of(names, arrays) for names in (("x", "x_train", "data"), ("y", "y_train", "target", "labels")))
    if x is None or y is None:
        raise UserError(f"{path}: arrays x and y are needed (x_test and y_test may follow), got {', '.join(arrays)}")
    for key in (x, y, "x_test", "y_test"):
        if key in arrays and arrays[key].dtype.kind not in "fiub":
            raise UserError(f"{path}: array {key!r} must hold numbers, got {arrays[key].dtype}")
    inputs = arrays[x]
    if inputs.ndim < 2:
        raise UserError(f"{path}: array {x!r} must have shape (rows, ...), got {inputs.shape}")
    image = inputs.ndim in (3, 4)
    test = [arrays.get("x_test"), arrays.get("y_test")]
    targets = [None if t is None else t.reshape(-1) if t.size == len(t) else t for t in (arrays[y], test[1])]
    if targets[0] is None or targets[0].ndim != 1:
        raise UserError(f"{path}: array {y!r} must hold one target a row, got shape {arrays[y].shape}")
    names: tuple[str, ...] = ()
    if targets[0].dtype.kind in "iub":
        values = np.unique(targets[0])
        names = tuple(str(c) for c in range(max(len(values), 1)))
        targets = [None if t is None else t.astype(np.int64) for t in targets]
    else:
        targets = [None if t is None else t.astype(np.float32) for t in targets]
    kept = [None if part is None else _as_inputs(part, image) for part in (inputs, test[0])]
    told = f"{len(names)} classes" if names else "a quantity (regression)"
    note = f"target {y!r}: {told}, from its type {arrays[y].dtype}"
    assert kept[0] is not None
    assert targets[0] is not None
    return DataSet(
        path.name, "image" if image else "table", kept[0], targets[0], kept[1], targets[1], names, notes=(note,)
    )


def _as_inputs(x: np.ndarray, image: bool) -> np.ndarray:
    if not image:
        return x.reshape(len(x), -1).astype(np.float32)
    if x.ndim == 3:
        x = x[:, None]
    elif x.shape[-1] in (1, 3) and x.shape[1] not in (1, 3):
        x = x.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x if x.dtype == np.uint8 else x.astype(np.float32))


# ---- tables ------------------------------------------------------------------------------------------------------


def _table(path: Path, target: str | None, task: str | None) -> DataSet:
    import pandas as pd

    try:
        table = pd.read_csv(path, skipinitialspace=True) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
    except Exception as error:
        raise UserError(f"{path}: cannot be read as a table: {_first_line(error)}") from None
    columns = [str(c) for c in table.columns]
    table.columns = pd.Index(columns)
    if not len(table):
        raise UserError(f"{path}: the table has columns but no rows")
    chosen = target or _only_one(_TARGET_NAMES, columns)
    if chosen is None:
        raise UserError(f"{path}: say which column to predict with --target; there are {', '.join(columns)}")
    if chosen not in columns:
        raise UserError(f"{path}: --target {chosen!r} is no column; there are {', '.join(columns)}")
    missing = table.isna()
    if bool(missing.to_numpy().any()):
        row, place = (int(i) for i in np.argwhere(missing.to_numpy())[0])
        total = int(missing.to_numpy().sum())
        raise UserError(
            f"{path}: {total} value{'s' * (total > 1)} missing, the first in row {row + 1}, "
            f"column {columns[place]!r}; fill or drop them first"
        )
    y, names, told = _target(path, table[chosen], task)
    parts, notes = [], [f"target {chosen!r}: {told}"]
    for column in columns:
        if column != chosen:
            values, note = _column(path, table[column])
            parts.append(values)
            notes += [note] if note else []
    x = np.concatenate(parts, axis=1) if parts else np.zeros((len(table), 0), dtype=np.float32)
    return DataSet(path.name, "table", x, y, class_names=names, notes=tuple(notes))


def _target(path: Path, column: Any, task: str | None) -> tuple[np.ndarray, tuple[str, ...], str]:
    import pandas as pd

    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    distinct = column.nunique()
    whole = bool(numeric and np.isfinite(column.to_numpy(float)).all() and (column.to_numpy(float) % 1 == 0).all())
    classes = task == "classification" or (task is None and (not numeric or (whole and distinct <= _MOST_CLASSES)))
    if not classes:
        if not numeric:
            raise UserError(
                f"{path}: --task regression needs numbers in column {column.name!r}, got {column.iloc[0]!r}"
            )
        _refuse_infinity(path, column)
        return column.to_numpy(np.float32), (), f"a quantity (regression), {distinct} different values"
    if distinct > len(column) // 2:
        raise UserError(
            f"{path}: column {column.name!r} has {distinct} different values in {len(column)} rows: no classes"
        )
    codes, values = pd.factorize(column, sort=True)
    return codes.astype(np.int64), tuple(str(v) for v in values), f"{distinct} classes (classification)"


def _column(path: Path, column: Any) -> tuple[np.ndarray, str | None]:
    """One column as numbers, shape `(rows, ...)`, and what was done to it."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(column):
        return column.to_numpy(np.float32)[:, None], None
    if pd.api.types.is_numeric_dtype(column):
        _refuse_infinity(path, column)
        return column.to_numpy(np.float32)[:, None], None
    if pd.api.types.is_datetime64_any_dtype(column):
        raise UserError(f"{path}: column {column.name!r} holds dates; turn them into numbers or leave the column out")
    text = column.astype(str)
    numbers = pd.to_numeric(text, errors="coerce")
    wrong = numbers.isna().to_numpy()
    if 0 < wrong.sum() < len(text) / 2:
        row = int(np.argmax(wrong))
        raise UserError(
            f"{path}: row {row + 1}, column {column.name!r}: {text.iloc[row]!r} is no number, most others are"
        )
    if column.nunique() > _MOST_CATEGORIES:
        raise UserError(
            f"{path}: column {column.name!r} holds text with {column.nunique()} different values "
            f"(at most {_MOST_CATEGORIES} are taken as categories); leave it out"
        )
    dummies = pd.get_dummies(text)
    return dummies.to_numpy(np.float32), f"column {column.name!r}: {dummies.shape[1]} categories, one column each"


def _refuse_infinity(path: Path, column: Any) -> None:
    infinite = ~np.isfinite(column.to_numpy(float))
    if infinite.any():
        row = int(np.argmax(infinite))
        raise UserError(f"{path}: row {row + 1}, column {column.name!r}: {column.iloc[row]} is not a finite number")


# ---- small things ------------------------------------------------------------------------------------------------


def _first_of(names: Sequence[str], there: Iterable[str]) -> str | None:
    have = set(there)
    return next((name for name in names if name in have), None)


def _only_one(names: Sequence[str], there: Sequence[str]) -> str | None:
    found = [column for column in there if column.lower() in names]
    return found[0] if len(found) == 1 else None


def _image_column(columns: Iterable[str]) -> str | None:
    return _first_of(_IMAGE_COLUMNS, columns)


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow.parquet

    try:
        return list(pyarrow.parquet.read_schema(path).names)
    except Exception as error:
        raise UserError(f"{path}: cannot be read as Parquet: {_first_line(error)}") from None


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "localmixup"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _to_cache(cache: Path, data: DataSet) -> None:
    arrays = {"x": data.x, "y": data.y, "x_test": data.x_test, "y_test": data.y_test}
    partial = cache.with_suffix(f".{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            kept = {key: array for key, array in arrays.items() if array is not None}
            np.savez(file, names=np.array(data.class_names), **kept)  # type: ignore[arg-type]
        partial.replace(cache)
    except OSError:  # a full or read-only disk costs the next start some seconds, nothing else
        partial.unlink(missing_ok=True)


def _from_cache(cache: Path, name: str) -> DataSet:
    with np.load(cache) as file:
        arrays = {key: file[key] for key in file.files}
    names = tuple(str(n) for n in arrays.pop("names"))
    return DataSet(name, "image", class_names=names, **arrays)


def _quiet(datasets: Any) -> None:
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
