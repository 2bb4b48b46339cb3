"""Read image data sets of the Hugging Face Hub: from the Hub itself, or from Parquet files in its layout."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from localmixup._optional import require
from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.folders import TEST, TRAIN, VALIDATION, is_hidden, split_of
from localmixup.lab.data.pixels import Encoded, decode_images
from localmixup.lab.data.pixels_cache import cache_folder, cache_path, read_cache, write_cache
from localmixup.lab.data.targets import targets_of
from localmixup.lab.errors import first_line

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels", "fine_label")
_PATIENCE = 10.0  # seconds to wait for the Hub


def hub_files(path: Path) -> list[Path]:
    """Return the Parquet files of a folder, or of the folder `data` in it, as the Hub lays them out.

    Args:
        path: the folder.
    """
    for folder in (path, path / "data"):
        if found := sorted(file for file in folder.glob("*.parquet") if not is_hidden(file.name)):
            return found
    return []


def read_hub_folder(
    path: Path, *, name: str, splits: tuple[str, ...] | None = None, resize: tuple[int, int] | None = None
) -> DataSet:
    """Read Parquet files in the layout of the Hub: a column of images and a column of labels.

    Files whose names begin with "test" are the test set. Those whose names begin with "validation" join the training
    rows, or are the test set if there is no other. The decoded images are cached.

    Args:
        path: a folder of Parquet files, or one such file.
        name: the name of the data set.
        splits: read only files whose names begin with one of these; None reads all files.
        resize: height and width that the images get.

    Raises:
        ArgumentError: a file cannot be read, a column is missing, or an image cannot be decoded.
    """
    files = hub_files(path) if path.is_dir() else [path]
    if splits is not None:
        files = [file for file in files if file.name.startswith(splits)]
    cached = cache_path(name, files, resize)
    if (found := read_cache(cached, name)) is not None:
        return found
    parts: dict[str, list[str]] = {}
    for file in files:
        parts.setdefault((split_of(file.name) if len(files) > 1 else None) or TRAIN, []).append(str(file))
    datasets = _datasets()
    try:
        read = datasets.load_dataset("parquet", data_files=parts, cache_dir=str(cache_folder() / "datasets"))
    except Exception as error:
        raise ArgumentError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
    data = dataset_of_splits(read, name, resize=resize)
    write_cache(cached, data)
    return data


def read_hub(
    hub_name: str, *, name: str, configuration: str | None = None, resize: tuple[int, int] | None = None
) -> DataSet:
    """Load an image data set from the Hugging Face Hub, or from what was downloaded before.

    Args:
        hub_name: its name on the Hub, `owner/name`.
        name: the name that the data set gets here.
        configuration: one of its configurations; None for the default one.
        resize: height and width that the images get.

    Raises:
        ArgumentError: it cannot be loaded, or has no columns of images and labels.
    """
    datasets = _datasets()
    out_of_reach = _out_of_reach(hub_name)
    try:
        with _offline() if out_of_reach else nullcontext():
            found = datasets.load_dataset(hub_name, configuration)
    except Exception as error:
        if out_of_reach is None:
            raise ArgumentError(f"{hub_name} could not be loaded from the Hub: {first_line(error)}") from None
        raise ArgumentError(
            f"{hub_name} could not be loaded from the Hub: {out_of_reach}, and it was not downloaded before. Check the "
            "network and HF_HUB_OFFLINE, or give a folder with its Parquet files"
        ) from None
    return dataset_of_splits(found, name, resize=resize, folder=Path(datasets.config.HF_CACHE_HOME))


def _out_of_reach(hub_name: str) -> str | None:
    """Ask the Hub once, as `datasets` would try again for minutes. Return why it does not answer, or None if it does.

    Raises:
        ArgumentError: it answers that there is no such data set.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        HfApi().dataset_info(hub_name, timeout=_PATIENCE)
    except OfflineModeIsEnabled:
        return "HF_HUB_OFFLINE is set"
    except (HfHubHTTPError, HFValidationError) as error:
        status = getattr(getattr(error, "response", None), "status_code", 404)
        if status in (401, 403, 404):
            reason = "there is no such data set, or it is not public"
            raise ArgumentError(f"{hub_name} could not be loaded from the Hub: {reason}") from None
        return f"it answered {first_line(error)}"
    except Exception as error:  # of the network library
        return f"it cannot be reached ({first_line(error)})"
    return None


@contextmanager
def _offline() -> Iterator[None]:
    """Let `datasets` look at downloaded files only."""
    import datasets.config
    import huggingface_hub.constants

    places: list[Any] = [datasets.config, huggingface_hub.constants]
    before = [place.HF_HUB_OFFLINE for place in places]
    try:
        for place in places:
            place.HF_HUB_OFFLINE = True
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value


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


def dataset_of_splits(
    found: Mapping[str, Any], name: str, *, resize: tuple[int, int] | None = None, folder: Path | None = None
) -> DataSet:
    """Return splits of `datasets` with a column of images and a column of labels as a data set.

    Args:
        found: the splits by name, such as a `DatasetDict`.
        name: of the data set.
        resize: height and width that the images get.
        folder: images may lie in files below this folder; None for none: a table must not name files of this machine.

    Raises:
        ArgumentError: a column is missing, or an image cannot be decoded.
    """
    import datasets

    by_split = {split: rows for key, rows in found.items() if (split := split_of(key)) is not None}
    if TRAIN not in by_split:
        by_split[TRAIN] = found[next(iter(found))]
        by_split = {split: rows for split, rows in by_split.items() if split == TRAIN or rows is not by_split[TRAIN]}
    train = by_split[TRAIN]
    image, label = (_first_of(names, train.column_names) for names in (_IMAGE_COLUMNS, _LABEL_COLUMNS))
    if image is None or label is None:
        raise ArgumentError(
            f"{name}: an image column ({', '.join(_IMAGE_COLUMNS)}) and a label column ({', '.join(_LABEL_COLUMNS)}) "
            f"are needed, got {', '.join(train.column_names)}"
        )
    order = [split for split in (TRAIN, VALIDATION, TEST) if split in by_split]
    raw = [by_split[split].cast_column(image, datasets.Image(decode=False))[image] for split in order]
    x, notes = decode_images(_Rows(name, raw, folder), resize=resize)
    counts = [len(by_split[split]) for split in order]
    last = counts[-1] if len(order) > 1 else 0
    if VALIDATION in order:
        what = f"join the {counts[0]:,} of the training set" if TEST in order else "are the test set"
        notes = (*notes, f"the {counts[1]:,} rows for validation {what}")
    y = np.concatenate([np.asarray(by_split[split][label]) for split in order])
    rest = len(y) - last
    targets = targets_of(name, label, y[:rest], y[rest:] if last else None, "classification")
    feature_names = getattr(train.features[label], "names", None)
    if y.dtype.kind in "iu":  # class indices as they are, also of classes without rows
        names = tuple(feature_names or (str(c) for c in range(int(y.max()) + 1)))
        targets = targets._replace(y=y[:rest].astype(np.int64), y_test=y[rest:].astype(np.int64), class_names=names)
    x_test, y_test = (x[rest:], targets.y_test) if last else (None, None)
    return DataSet(name, "image", x[:rest], targets.y, x_test, y_test, targets.class_names, notes, target=label)


class _Rows:
    """The images of columns of `datasets`, one after another, as often as they are asked for."""

    def __init__(self, name: str, columns: Sequence[Any], folder: Path | None) -> None:
        self.name, self.columns, self.folder = name, columns, folder

    def __iter__(self) -> Iterator[Encoded]:
        rows = (row for column in self.columns for row in column)
        for number, row in enumerate(rows):
            where = f"{self.name}: row {number}"
            yield where, self._content(where, row or {})

    def _content(self, where: str, row: Mapping[str, Any]) -> bytes | Path:
        if row.get("bytes"):
            return bytes(row["bytes"])
        path = row.get("path")
        if path and self.folder is not None:
            file = Path(path).resolve()
            if file.is_relative_to(self.folder.resolve()):
                return file
        what = f"names the file {path!r} instead of holding an image" if path else "holds no image"
        raise ArgumentError(f"{where} {what}: only images stored in the table are read")


def _first_of(names: Sequence[str], columns: Iterable[str]) -> str | None:
    present = set(columns)
    return next((name for name in names if name in present), None)
