"""Load a data set from its name, from the user's files, or from the Hugging Face Hub."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from localmixup._validate import ArgumentError
from localmixup.lab.data.array_files import is_array_file, read_arrays
from localmixup.lab.data.dataset import DataSet, check_dataset
from localmixup.lab.data.generators import digits, spirals
from localmixup.lab.data.hub import holds_images, hub_files, read_hub, read_hub_folder
from localmixup.lab.data.images import holds_images_of_classes, read_image_folder
from localmixup.lab.data.names import (
    COMPRESSIONS,
    CONFIGURATIONS,
    IMAGE_SETS,
    SUFFIXES,
    TABLES,
    check_source,
    is_table,
    table_suffix,
)
from localmixup.lab.data.reading import AS_FOUND, Reading, refuse_table_options
from localmixup.lab.data.refused import refuse
from localmixup.lab.data.tables import is_database_url, members_of, parquet_files, read_query, read_table
from localmixup.lab.data.targets import class_notes
from localmixup.lab.errors import DataMissingError
from localmixup.lab.files import as_path

Source = str | DataSet
"""Where data come from: a name, a path, or the data themselves, from `localmixup.lab.data.objects.dataset_of`."""


def load(
    source: Source,
    *,
    target: str | None = None,
    task: str | None = None,
    data_root: Path | None = None,
    reading: Reading = AS_FOUND,
) -> DataSet:
    """Find and read a data set.

    Args:
        source: a name in `NAMED`; a `.csv`, `.parquet` or `.npz` file; a folder with one folder of images per class;
            a folder of Parquet files in the layout of the Hub; or a name on the Hub, `owner/name`. A `DataSet` is
            returned as it is.
        target: the column to predict, for tables.
        task: `"classification"` or `"regression"`; by default the target decides.
        data_root: the folder that holds named image sets and tables, each in a folder of its name.
        reading: how the data are to be read, where the user says so. What a source would ignore is refused.

    Returns:
        The data set, checked by `check_dataset`.

    Raises:
        ArgumentError: the data cannot be found or read, or cannot be trained on.
    """
    if isinstance(source, DataSet):
        return check_dataset(source)
    asked = _Asked(target, task, data_root, reading)
    return check_dataset(_read(source, asked))


class _Asked(NamedTuple):
    """The arguments of `load` beside the source."""

    target: str | None
    task: str | None
    data_root: Path | None
    reading: Reading

    def only(self, where: str, *allowed: str) -> None:
        """Refuse what a source of classes without columns would ignore."""
        refuse_table_options(where, target=self.target, task=self.task)
        self.reading.only(where, *allowed)


def _read(source: str, asked: _Asked) -> DataSet:
    if source == "digits":
        asked.only("digits: these images")
        return DataSet("digits", "image", *digits(), class_names=tuple("0123456789"))
    if source in ("spirals", "spirals-gaussian"):
        asked.only(f"{source}: these points")
        which = "published" if source == "spirals" else "paper"
        return DataSet(source, "table", *spirals(reading=which), class_names=("first", "second"))
    if source in IMAGE_SETS:
        asked.only(f"{source}: these images", "resize")
        return _named_images(source, asked)
    if source in TABLES:
        return _named_table(source, asked)
    if is_database_url(source):
        return _with_notes(read_query(source, target=asked.target, task=asked.task, reading=asked.reading))
    path = as_path(source, "DATA")
    if source and path.exists():
        return _read_path(path, asked)
    check_source(source)
    asked.only(f"{source}: images of the Hub", "resize")
    return _with_notes(read_hub(source, name=source, resize=asked.reading.resize))


def _read_path(path: Path, asked: _Asked) -> DataSet:
    if path.is_dir():
        return _read_folder(path, asked)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES and is_array_file(path) is None and not _is_packed_table(path):
        raise refuse(
            path,
            f"a file must be one of {', '.join(SUFFIXES)}, a table compressed as one of {', '.join(COMPRESSIONS)}, or "
            "an idx file as MNIST's",
        )
    if path.stat().st_size == 0:
        raise ArgumentError(f"{path}: the file is empty")
    if suffix == ".npz" or is_array_file(path):
        return _arrays(path, asked)
    if suffix == ".parquet" and holds_images(path):
        return _parquet_images(path, path.stem, asked)
    return _table(path, path.name, asked)


def _read_folder(path: Path, asked: _Asked) -> DataSet:
    name = path.resolve().name
    if parquet := hub_files(path):
        if holds_images(parquet[0]):
            return _parquet_images(path, name, asked)
        return _table(path, name, asked)
    if parquet_files(path):  # in folders named by the values of a column
        return _table(path, name, asked)
    of_classes = holds_images_of_classes(path)
    if of_classes or (of_classes is not None and not is_array_file(path)):
        asked.reading.only(f"{path}: images", "resize")
        data = read_image_folder(path, target=asked.target, task=asked.task, resize=asked.reading.resize)
        return _with_notes(data)
    if is_array_file(path):
        return _arrays(path, asked)
    raise refuse(
        path,
        "a folder must hold one folder of images for each class, Parquet files, or arrays (x.npy and y.npy, idx files)",
    )


def _is_packed_table(path: Path) -> bool:
    """Return whether a compressed file holds a table by its name, or an archive by the names of its members."""
    if path.suffix.lower() != ".zip":
        return is_table(path.name)
    if not zipfile.is_zipfile(path):
        return False
    return any(is_table(member) and table_suffix(member) for member in members_of(path))


def _table(path: Path, name: str, asked: _Asked) -> DataSet:
    return _with_notes(read_table(path, target=asked.target, task=asked.task, reading=asked.reading, name=name))


def _arrays(path: Path, asked: _Asked) -> DataSet:
    if asked.target is not None:
        raise ArgumentError(f"{path}: arrays have no column to predict: leave --target out, got {asked.target!r}")
    asked.reading.only(f"{path}: arrays", "layout")
    return _with_notes(read_arrays(path, task=asked.task, layout=asked.reading.layout))


def _parquet_images(path: Path, name: str, asked: _Asked) -> DataSet:
    asked.only(f"{path}: images", "resize")
    return _with_notes(read_hub_folder(path, name=name, resize=asked.reading.resize))


def _with_notes(data: DataSet) -> DataSet:
    return replace(data, notes=(*data.notes, *class_notes(data)))


def _named_images(name: str, asked: _Asked) -> DataSet:
    data_root, resize = asked.data_root, asked.reading.resize
    configuration = CONFIGURATIONS.get(name)
    if configuration is None:
        splits, on_hub = None, IMAGE_SETS[name]
        folder, tried = _look_for("*.parquet", [name], data_root)
    else:
        splits, on_hub = ("train-", "test-"), f"{IMAGE_SETS[name]}, {configuration}"
        folder, tried = _look_for("train-*.parquet", [name, f"{name}/{configuration}"], data_root)
    if folder is not None:
        return read_hub_folder(folder, name=name, splits=splits, resize=resize)
    try:
        return read_hub(IMAGE_SETS[name], name=name, configuration=configuration, resize=resize)
    except ArgumentError as error:
        where = ", ".join([*tried, f"the Hub ({on_hub})"])
        raise DataMissingError(f"{name} was not found; looked in {where}. {error}") from None


def _named_table(name: str, asked: _Asked) -> DataSet:
    folder, tried = _look_for("*.parquet", [name], asked.data_root)
    if folder is None:
        raise DataMissingError(
            f"{name} was not found; looked for *.parquet in {', '.join(tried)}. It is not on the Hub: "
            "put its Parquet files, with a column 'target', into one of these folders"
        )
    found = sorted(folder.glob("*.parquet"))
    return read_table(
        found[0] if len(found) == 1 else folder, target=asked.target or "target", task=asked.task or "regression",
        reading=asked.reading, name=name,
    )  # fmt: skip


def _look_for(pattern: str, folders: Sequence[str], data_root: Path | None) -> tuple[Path | None, list[str]]:
    """Return the first folder that holds files matching `pattern`, or None, and a description of the places tried."""
    tried = []
    places = [("--data-root", data_root), ("$LOCALMIXUP_DATA", os.environ.get("LOCALMIXUP_DATA")), ("./data", "data")]
    for label, place in places:
        if place is None or place == "":
            tried.append(f"{label} (not set)")
            continue
        candidates = [as_path(place, label) / folder for folder in folders]
        for candidate in candidates:
            if any(candidate.glob(pattern)):
                return candidate, tried
        tried.append(f"{label} ({', '.join(map(str, candidates))})")
    return None, tried
