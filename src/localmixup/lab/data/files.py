"""The user's own files: folders of images, Parquet in the Hub's layout; tables in `tables`, .npz in `arrays`."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.arrays import read_arrays
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.tables import read_table
from localmixup.lab.errors import first_line

SUFFIXES = (".csv", ".parquet", ".npz")

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels", "fine_label")


def read(path: Path, *, target: str | None, task: str | None) -> DataSet:
    """Read a file or folder of the user's own.

    Args:
        path: exists.
        target: column to predict, for tables.
        task: overrides what the target column says.

    Raises:
        ArgumentError: it cannot be read, or not as it should be.
    """
    if path.is_dir():
        if any(path.glob("*.parquet")):
            return read_hub_folder(path, name=path.name)
        return _image_folder(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ArgumentError(f"{path}: a file must be one of {', '.join(SUFFIXES)}, got {suffix or 'no suffix'!r}")
    if path.stat().st_size == 0:
        raise ArgumentError(f"{path}: the file is empty")
    if suffix == ".npz":
        return read_arrays(path, task=task)
    if suffix == ".parquet" and _holds_images(path):
        return read_hub_folder(path, name=path.stem)
    return read_table(path, target=target, task=task)


def read_hub_folder(path: Path, *, name: str, splits: tuple[str, ...] | None = None) -> DataSet:
    """Read Parquet in the Hub's layout: an image and a label column; files named test-* are the test set.

    Args:
        path: a folder of Parquet files, or one such file.
        name: of the data set.
        splits: how the names of files that are read begin; None for all files.

    Raises:
        ArgumentError: columns or images are not as they should be.
    """
    import datasets

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if splits is not None:
        files = [file for file in files if file.name.startswith(splits)]
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
        raise ArgumentError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
    data = _from_hub(found, name)
    _to_cache(cache, data)
    return data


def read_hub(hub_name: str, *, name: str, configuration: str | None = None) -> DataSet:
    """Load an image data set from the Hugging Face Hub.

    Args:
        hub_name: `owner/name`.
        name: how it is called here.
        configuration: which of its configurations; None for its default.

    Raises:
        ArgumentError: it is not to be had, or has no image and label columns.
    """
    import datasets

    _quiet(datasets)
    try:
        found = datasets.load_dataset(hub_name, configuration)
    except Exception as error:
        raise ArgumentError(f"{hub_name} could not be had from the Hub: {first_line(error)}") from None
    return _from_hub(found, name)


# ---- images ------------------------------------------------------------------------------------------------------


def _from_hub(found: Any, name: str) -> DataSet:
    import datasets

    train = found["train"] if "train" in found else found[next(iter(found))]
    image, label = _image_column(train.column_names), _first_of(_LABEL_COLUMNS, train.column_names)
    if image is None or label is None:
        raise ArgumentError(
            f"{name}: an image column ({', '.join(_IMAGE_COLUMNS)}) and a label column ({', '.join(_LABEL_COLUMNS)}) "
            f"are needed, got {', '.join(train.column_names)}"
        )

    def arrays(part: Any) -> tuple[np.ndarray, np.ndarray]:
        raw = part.cast_column(image, datasets.Image(decode=False))
        labels = np.asarray(part[label])
        if labels.dtype.kind not in "iu":
            raise ArgumentError(f"{name}: column {label!r} must hold whole numbers, one a row, got {labels.dtype}")
        return decode_images((row["bytes"], row["path"]) for row in raw[image]), labels.astype(np.int64)

    x, y = arrays(train)
    test = found.get("test", found.get("validation"))
    x_test, y_test = (None, None) if test is None or test is train else arrays(test)
    feature = train.features[label]
    names = tuple(getattr(feature, "names", None) or (str(c) for c in range(int(y.max()) + 1)))
    return DataSet(name, "image", x, y, x_test, y_test, class_names=names)


def _image_folder(path: Path) -> DataSet:
    # not the "imagefolder" of datasets: it takes folders and files that are called test or valid for splits, and drops
    # the others without a word
    from PIL import Image

    known = set(Image.registered_extensions())
    classes = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not classes:
        raise ArgumentError(
            f"{path}: a folder must hold one folder of images for each class, or Parquet files; got neither"
        )
    found = [sorted(p for p in folder.rglob("*") if p.suffix.lower() in known) for folder in classes]
    for folder, files in zip(classes, found, strict=True):
        if not files:
            raise ArgumentError(f"{folder}: no images in this class folder")
    x = decode_images((None, str(file)) for files in found for file in files)
    y = np.repeat(np.arange(len(classes)), [len(files) for files in found])
    counts = ", ".join(f"{len(files)} {folder.name}" for folder, files in zip(classes, found, strict=True))
    note = f"images of shape {x.shape[1:]} in {len(classes)} classes: {counts}"
    return DataSet(path.name, "image", x, y, class_names=tuple(folder.name for folder in classes), notes=(note,))


def decode_images(images: Iterable[tuple[bytes | None, str | None]]) -> np.ndarray:
    """Decode images of one size; gray if all are gray, 16 bits are brought to 8.

    Args:
        images: for each its bytes, or None and the path of a file.

    Returns:
        Pixels, uint8, shape `(m, channels, height, width)`.

    Raises:
        ArgumentError: a file that is no image, or of another size than the first.
    """
    from PIL import Image

    arrays: list[np.ndarray] = []
    gray = True
    for row, (content, path) in enumerate(images):
        where = path or f"row {row}"
        try:
            with Image.open(io.BytesIO(content) if content else str(path)) as opened:
                if opened.mode.startswith("I"):  # 16 bits a pixel
                    array = (np.asarray(opened).clip(0, 65535) // 256).astype(np.uint8)
                else:
                    array = np.asarray(opened.convert("L" if opened.mode in ("1", "L", "LA") else "RGB"))
        except Exception as error:
            raise ArgumentError(f"{where}: not an image that can be read: {first_line(error)}") from None
        if arrays and array.shape[:2] != arrays[0].shape[:2]:
            first, other = ("{1} x {0}".format(*a.shape) for a in (arrays[0], array))
            raise ArgumentError(f"images must all be of one size: the first is {first} pixels, {where} is {other}")
        gray = gray and array.ndim == 2
        arrays.append(array)
    if not gray:
        arrays = [a if a.ndim == 3 else np.repeat(a[..., None], 3, axis=2) for a in arrays]
    stacked = np.stack(arrays)
    return stacked[:, None] if gray else np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))


# ---- small things ------------------------------------------------------------------------------------------------


def _first_of(names: Sequence[str], there: Iterable[str]) -> str | None:
    have = set(there)
    return next((name for name in names if name in have), None)


def _image_column(columns: Iterable[str]) -> str | None:
    return _first_of(_IMAGE_COLUMNS, columns)


def _holds_images(path: Path) -> bool:
    """Whether a Parquet file has a column of images, as the Hub stores them: bytes, or a struct with bytes."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(path)
    except Exception as error:
        raise ArgumentError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
    column = _image_column(schema.names)
    kind = None if column is None else schema.field(column).type
    return kind is not None and (pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "localmixup"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # no home of one's own, or a read-only one
        folder = Path(tempfile.gettempdir()) / "localmixup"
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
