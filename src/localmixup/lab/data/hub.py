"""Read image data sets of the Hugging Face Hub: from the Hub itself, or from Parquet files in its layout."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from localmixup._optional import require
from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.images import decode_images
from localmixup.lab.errors import first_line

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels", "fine_label")


def read_hub_folder(path: Path, *, name: str, splits: tuple[str, ...] | None = None) -> DataSet:
    """Read Parquet files in the layout of the Hub: a column of images and a column of labels.

    Files whose names begin with "test" or "validation" are the test set. The decoded images are cached.

    Args:
        path: a folder of Parquet files, or one such file.
        name: the name of the data set.
        splits: read only files whose names begin with one of these; None reads all files.

    Raises:
        ArgumentError: a file cannot be read, a column is missing, or an image cannot be decoded.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if splits is not None:
        files = [file for file in files if file.name.startswith(splits)]
    cached = _cache_path(name, files)
    if cached.is_file():
        try:
            return _read_cache(cached, name)
        except Exception:  # written by an older version, or not to its end
            cached.unlink(missing_ok=True)
    test = [file for file in files if file.name.startswith(("test", "validation"))]
    train = [file for file in files if file not in test] or test
    parts: dict[str, list[str]] = {"train": [str(file) for file in train]}
    if test and train != test:
        parts["test"] = [str(file) for file in test]
    datasets = _datasets()
    try:
        found = datasets.load_dataset("parquet", data_files=parts, cache_dir=str(_cache_folder() / "datasets"))
    except Exception as error:
        raise ArgumentError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
    data = _from_datasets(found, name)
    _write_cache(cached, data)
    return data


def read_hub(hub_name: str, *, name: str, configuration: str | None = None) -> DataSet:
    """Load an image data set from the Hugging Face Hub.

    Args:
        hub_name: its name on the Hub, `owner/name`.
        name: the name that the data set gets here.
        configuration: one of its configurations; None for the default one.

    Raises:
        ArgumentError: it cannot be loaded, or has no columns of images and labels.
    """
    datasets = _datasets()
    try:
        found = datasets.load_dataset(hub_name, configuration)
    except Exception as error:
        raise ArgumentError(f"{hub_name} could not be loaded from the Hub: {first_line(error)}") from None
    return _from_datasets(found, name)


def holds_images(path: Path) -> bool:
    """Return whether a Parquet file has a column of images as the Hub stores them: bytes, or a struct with bytes.

    Args:
        path: the file.

    Raises:
        ArgumentError: the file is not Parquet.
    """
    pa = require("pyarrow", extra="hub")
    parquet = require("pyarrow.parquet", extra="hub")
    try:
        schema = parquet.read_schema(path)
    except Exception as error:
        raise ArgumentError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
    column = _first_of(_IMAGE_COLUMNS, schema.names)
    kind = None if column is None else schema.field(column).type
    return kind is not None and (pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _datasets() -> Any:
    datasets = require("datasets", extra="hub")
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return datasets


def _from_datasets(found: Any, name: str) -> DataSet:
    import datasets

    train = found["train"] if "train" in found else found[next(iter(found))]
    image, label = (_first_of(names, train.column_names) for names in (_IMAGE_COLUMNS, _LABEL_COLUMNS))
    if image is None or label is None:
        raise ArgumentError(
            f"{name}: an image column ({', '.join(_IMAGE_COLUMNS)}) and a label column ({', '.join(_LABEL_COLUMNS)}) "
            f"are needed, got {', '.join(train.column_names)}"
        )

    def arrays(part: Any) -> tuple[np.ndarray, np.ndarray]:
        raw = part.cast_column(image, datasets.Image(decode=False))
        labels = np.asarray(part[label])
        if labels.dtype.kind not in "iu":
            raise ArgumentError(f"{name}: column {label!r} must hold one whole number per row, got {labels.dtype}")
        return decode_images((row["bytes"], row["path"]) for row in raw[image]), labels.astype(np.int64)

    x, y = arrays(train)
    test = found.get("test", found.get("validation"))
    x_test, y_test = (None, None) if test is None or test is train else arrays(test)
    feature = train.features[label]
    names = tuple(getattr(feature, "names", None) or (str(c) for c in range(int(y.max()) + 1)))
    return DataSet(name, "image", x, y, x_test, y_test, class_names=names)


def _first_of(names: Sequence[str], columns: Iterable[str]) -> str | None:
    present = set(columns)
    return next((name for name in names if name in present), None)


def _cache_path(name: str, files: Sequence[Path]) -> Path:
    state = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return _cache_folder() / f"{name}-{hashlib.sha256(repr(state).encode()).hexdigest()[:16]}.npz"


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "localmixup"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # no home folder, or a read-only one
        folder = Path(tempfile.gettempdir()) / "localmixup"
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_cache(path: Path, data: DataSet) -> None:
    arrays = {"x": data.x, "y": data.y, "x_test": data.x_test, "y_test": data.y_test}
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            kept = {key: array for key, array in arrays.items() if array is not None}
            np.savez(file, names=np.array(data.class_names), **kept)  # type: ignore[arg-type]
        partial.replace(path)
    except OSError:  # without a cache the next start takes some seconds longer
        partial.unlink(missing_ok=True)


def _read_cache(path: Path, name: str) -> DataSet:
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    names = tuple(str(n) for n in arrays.pop("names"))
    return DataSet(name, "image", class_names=names, **arrays)
