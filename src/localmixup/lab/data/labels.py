"""A table of labels beside images: which file has which label."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.folders import Tree, is_hidden, split_of
from localmixup.lab.errors import first_line

_NAMES = ("label", "labels", "class", "target", "category", "y", "class_name", "class_id")


class Labelled(NamedTuple):
    """Images with labels from a table.

    Attributes:
        files: the images.
        labels: one for each, numbers or text.
        column: name of the column of labels.
        note: where they are from.
    """

    files: list[Path]
    labels: np.ndarray
    column: str
    note: str


def labels_beside(path: Path, tree: Tree, target: str | None) -> Labelled | None:
    """Return the labels of images that do not lie in class folders, from a single `.csv` or `.tsv` file beside them.

    Args:
        path: the folder.
        tree: the images in it.
        target: the column of labels; None if its name tells.

    Returns:
        None if there are class folders or there is no such table.

    Raises:
        ArgumentError: the table cannot be read, names files that are not there, or the column of labels is not clear.
    """
    folders = {file.parts[0] for file in tree.files if len(file.parts) > 1}
    if not tree.files or (len(folders) > 1 and not all(split_of(name) for name in folders)):
        return None
    if any(len(file.parts) > 2 for file in tree.files):
        return None
    tables = [
        file
        for folder in dict.fromkeys((path, tree.root, tree.root / "train"))
        if folder.is_dir()
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in (".csv", ".tsv") and not is_hidden(file.name)
    ]
    if len(tables) > 1:
        tables = [file for file in tables if split_of(file.stem) != "test"]
    if len(tables) != 1:
        return None
    return _matched(tables[0], _read(tables[0]), tree, target)


def _read(file: Path) -> Any:
    import pandas as pd

    try:
        return pd.read_csv(file, sep=None, engine="python", dtype=str, keep_default_na=False, skipinitialspace=True)
    except Exception as error:
        raise ArgumentError(f"{file}: cannot be read as a table of labels: {first_line(error)}") from None


def _matched(file: Path, table: Any, tree: Tree, target: str | None) -> Labelled | None:
    import pandas as pd

    known: dict[str, Path] = {}
    for image in tree.files:
        known.setdefault(image.stem, tree.root / image)
    for image in tree.files:  # whole names count more than stems
        known |= {image.name: tree.root / image, image.as_posix(): tree.root / image}
    hits = {column: sum(value in known for value in table[column]) for column in table.columns}
    names = max(hits, key=lambda column: hits[column], default=None)
    if names is None or not hits[names] or hits[names] < len(table) / 2:
        return None
    others = [str(column) for column in table.columns if column != names]
    column = target if target is not None else _only([c for c in others if c.lower() in _NAMES]) or _only(others)
    if column is None or column not in others:
        got = "" if target is None else f", got {target!r}"
        raise ArgumentError(f"{file}: --target must name the column of labels, one of {', '.join(others)}{got}")
    missing = [value for value in table[names] if value not in known]
    if missing:
        count = "1 image that is" if len(missing) == 1 else f"{len(missing):,} images that are"
        raise ArgumentError(f"{file}: column {names!r} names {count} not there, {missing[0]!r}")
    files = [known[value] for value in table[names]]
    if len(set(files)) < len(files):
        raise ArgumentError(
            f"{file}: has {len(files):,} rows for {len(set(files)):,} images; each must have one row with its label"
        )
    if bool((table[column] == "").any()):
        row = int(np.argmax((table[column] == "").to_numpy()))
        raise ArgumentError(f"{file}: row {row + 1} has no value in column {column!r}")
    numbers = pd.to_numeric(table[column], errors="coerce")
    labels = table[column].to_numpy(str) if numbers.isna().any() else numbers.to_numpy()
    return Labelled(files, labels, column, f"labels from {file.name}")


def _only(names: list[str]) -> str | None:
    return names[0] if len(names) == 1 else None
