"""Read a folder of images: with one folder per class, with splits, or with a table of labels beside the images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.folders import TEST, TRAIN, VALIDATION, Found, Tree, classes_of, tree_of
from localmixup.lab.data.labels import labels_beside
from localmixup.lab.data.pixels import decode_images, image_suffixes
from localmixup.lab.data.reading import refuse_table_options
from localmixup.lab.data.targets import targets_of


def read_image_folder(
    path: Path, *, target: str | None = None, task: str | None = None, resize: tuple[int, int] | None = None
) -> DataSet:
    """Read a folder that holds one folder of images per class, possibly in folders for training and test.

    `datasets` has a reader for such folders, but it takes folders and files called "test" or "valid" for splits and
    silently drops the others. Without class folders, a single table beside the images may hold their labels.

    Args:
        path: the folder.
        target: the column of labels in a table beside the images.
        task: `"classification"` or `"regression"`; the latter only for a table of labels.
        resize: height and width that the images get.

    Raises:
        ArgumentError: there are no class folders, one of them holds no images, or an image cannot be read.
    """
    tree = tree_of(path, image_suffixes())
    if (labelled := labels_beside(path, tree, target)) is not None:
        return _of_table(path, tree, *labelled, task, resize)
    found, notes = classes_of(tree)
    if not found:
        raise ArgumentError(
            f"{path}: holds {len(tree.files):,} images, but no class folders: put the images of each class into a "
            "folder of its own, or a table of labels beside them (columns file_name and label)"
        )
    if len({file.label for file in found}) == 1:
        raise ArgumentError(
            f"{path}: all {len(found):,} images lie in one folder, {found[0].label!r}: put the images of each class "
            "into a folder of its own, or a table of labels beside them (columns file_name and label)"
        )
    refuse_table_options(f"{path}: images in class folders", target=target, task=task)
    if tree.root != path:
        notes = [f"the classes are the folders in {tree.root}", *notes]
    if tree.others:
        kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in tree.others.most_common(5))
        notes.append(f"files that are no images are left out: {kinds}")
    return _of_folders(path, found, notes, resize)


def holds_images_of_classes(path: Path) -> bool | None:
    """Return whether there are images in the folders below a folder; None if there are no images at all.

    Args:
        path: the folder.

    Raises:
        ArgumentError: a folder cannot be read.
    """
    files = tree_of(path, image_suffixes()).files
    return any(len(file.parts) > 1 for file in files) if files else None


def _of_folders(path: Path, found: Sequence[Found], notes: Sequence[str], resize: tuple[int, int] | None) -> DataSet:
    counts = Counter(file.split for file in found)
    order = [TRAIN, VALIDATION, TEST]
    found = sorted(found, key=lambda file: (order.index(file.split), file.label, str(file.path)))
    last = counts[TEST] or counts[VALIDATION]
    splits = []
    if counts[VALIDATION]:
        what = f"join the {counts[TRAIN]:,} for training" if counts[TEST] else "are the test set"
        splits.append(f"the {counts[VALIDATION]:,} images for validation {what}")
    names = sorted({file.label for file in found})
    x, decoded = decode_images([(str(file.path), file.path) for file in found], resize=resize)
    y = np.array([names.index(file.label) for file in found], dtype=np.int64)
    rest = len(found) - last
    x_test, y_test = (x[rest:], y[rest:]) if last else (None, None)
    every = (*splits, *notes, *decoded)
    return DataSet(path.resolve().name, "image", x[:rest], y[:rest], x_test, y_test, tuple(names), notes=every)


def _of_table(
    path: Path, tree: Tree, files: Sequence[Path], labels: np.ndarray, column: str, note: str, task: str | None,
    resize: tuple[int, int] | None,
) -> DataSet:  # fmt: skip
    targets = targets_of(str(path), column, labels, None, task)
    x, decoded = decode_images([(str(file), file) for file in files], resize=resize)
    unused = len(tree.files) - len(set(files))
    left = (f"{unused:,} images without a label are left out",) if unused else ()
    notes = (note, *filter(None, [targets.note]), *left, *decoded)
    name = path.resolve().name
    return DataSet(name, "image", x, targets.y, class_names=targets.class_names, notes=notes, target=column)
