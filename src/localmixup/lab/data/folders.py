"""Find out how a folder is laid out: which files count, which folders are splits and which are classes."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from localmixup._validate import ArgumentError

TRAIN, VALIDATION, TEST = "train", "validation", "test"

_WORDS = {
    TRAIN: {"train", "training", "trn"},
    VALIDATION: {"val", "valid", "validation", "dev"},
    TEST: {"test", "testing", "tst", "t10k"},
}
_HIDDEN = {"__macosx", "__pycache__", "@eadir", "$recycle.bin", "lost+found", "system volume information"}
_CLUTTER = {"thumbs.db", "desktop.ini", "icon\r"}


class Found(NamedTuple):
    """A file of a class folder: its path, its split and its class."""

    path: Path
    split: str
    label: str


class Tree(NamedTuple):
    """The files below a folder that count.

    Attributes:
        root: the folder; where it holds nothing but one folder, that one.
        files: paths relative to `root`, sorted.
        others: number of other files, by suffix.
        empty: folders directly below `root` without such files.
    """

    root: Path
    files: list[Path]
    others: Counter[str]
    empty: list[str]


def split_of(name: str) -> str | None:
    """Return which split a name stands for, `"train"`, `"validation"` or `"test"`, or None.

    >>> split_of("Train"), split_of("val_set"), split_of("seg_test"), split_of("cats")
    ('train', 'validation', 'test', None)
    """
    words = set(re.split(r"[ _.\-]+", name.lower()))
    found = [split for split, known in _WORDS.items() if words & known]
    return found[0] if len(found) == 1 else None


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is there for an operating system or a tool, not for its contents.

    >>> is_hidden("._0.png"), is_hidden("__MACOSX"), is_hidden("Thumbs.db"), is_hidden("0.png")
    (True, True, True, False)
    """
    return name.startswith(".") or name.lower() in _HIDDEN | _CLUTTER


def tree_of(path: Path, suffixes: Iterable[str]) -> Tree:
    """Return the files below a folder that count. Hidden ones do not, and links to folders are followed.

    Args:
        path: the folder.
        suffixes: of the files, in lower case.

    Raises:
        ArgumentError: a folder cannot be read.
    """
    known, files, others = set(suffixes), list[Path](), Counter[str]()
    for file in _walk(path):
        if file.suffix.lower() in known:
            files.append(file.relative_to(path))
        else:
            others[file.suffix.lower() or "without a suffix"] += 1
    root = path
    while len({file.parts[0] for file in files}) == 1 and any(len(file.parts) > 2 for file in files):
        if split_of(files[0].parts[0]) is not None and len({file.parts[1] for file in files}) > 1:
            break
        root /= files[0].parts[0]
        files = [Path(*file.parts[1:]) for file in files]
    full = {file.parts[0] for file in files if len(file.parts) > 1}
    empty = [name for name in _folders(root) if name not in full]
    return Tree(root, sorted(files), others, empty)


def _folders(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not is_hidden(entry.name))


def _walk(path: Path) -> Iterable[Path]:
    def refuse(error: OSError) -> None:
        raise ArgumentError(f"{error.filename}: the folder cannot be read: {error.strerror or error}")

    seen = set[str]()
    for folder, folders, names in os.walk(path, onerror=refuse, followlinks=True):
        place = os.path.realpath(folder)
        folders[:] = [] if place in seen else sorted(name for name in folders if not is_hidden(name))
        if place in seen:  # a link to a folder that was read already
            continue
        seen.add(place)
        yield from (file for name in sorted(names) if not is_hidden(name) and (file := Path(folder, name)).is_file())


def classes_of(tree: Tree) -> tuple[list[Found], list[str]]:
    """Return every file with its split and class, and notes. Without class folders the list is empty.

    Folders that are called train, val or test, or something like it, are splits if there are class folders in them;
    so are such folders in all class folders.

    Args:
        tree: of a folder.

    Raises:
        ArgumentError: there are splits, but no class folders in them.
    """
    names = {file.parts[0] for file in tree.files if len(file.parts) > 1}
    splits = {name: split for name in names if (split := split_of(name)) is not None}
    inside = {name: _below(tree.files, name) for name in splits}
    with_classes = {name for name in splits if len({file.parts[0] for file in inside[name] if len(file.parts) > 1}) > 1}
    trained = any(splits[name] == TRAIN for name in with_classes)
    if trained and (len(set(splits.values())) > 1 or names == set(splits)):
        return _split_folders(tree, splits, inside, names)
    if names and not with_classes and {name.lower() for name in names} <= set.union(*_WORDS.values()):
        raise ArgumentError(
            f"{tree.root}: {', '.join(sorted(names))} are splits, which must each hold one folder of images per class"
        )
    return _class_folders(tree, names)


def _below(files: Sequence[Path], name: str) -> list[Path]:
    """Return the files below one folder, without it, and without a folder that is alone there."""
    found = [Path(*file.parts[1:]) for file in files if file.parts[0] == name and len(file.parts) > 1]
    while found and len({file.parts[0] for file in found}) == 1 and len(found[0].parts) > 2:
        found = [Path(*file.parts[1:]) for file in found]
    return found


def _split_folders(
    tree: Tree, splits: dict[str, str], inside: dict[str, list[Path]], names: set[str]
) -> tuple[list[Found], list[str]]:
    found, notes = [], []
    for name in sorted(splits, key=lambda name: (list(_WORDS).index(splits[name]), name)):
        by_name = {file: path for path, file in _pairs(tree, name, inside[name])}
        classed = [file for file in inside[name] if len(file.parts) > 1]
        found += [Found(by_name[file], splits[name], file.parts[0]) for file in classed]
        if loose := len(inside[name]) - len(classed):
            notes.append(f"{name}: {loose:,} images without a class folder are left out")
    if left := sorted(names - set(splits)):
        notes.append(f"folders beside the splits are left out: {', '.join(left)}")
    return found, [*notes, *_loose(tree)]


def _pairs(tree: Tree, name: str, inside: Sequence[Path]) -> Iterable[tuple[Path, Path]]:
    whole = [file for file in tree.files if file.parts[0] == name and len(file.parts) > 1]
    return ((tree.root / file, short) for file, short in zip(whole, inside, strict=True))


def _class_folders(tree: Tree, names: set[str]) -> tuple[list[Found], list[str]]:
    classed = [file for file in tree.files if len(file.parts) > 1]
    second = {name: {_second(file) for file in classed if file.parts[0] == name} for name in names}
    kinds = {kind for found in second.values() for kind in found}
    if names and None not in kinds and all({TRAIN, TEST} & found for found in second.values()) and TRAIN in kinds:
        found = [Found(tree.root / file, str(_second(file)), file.parts[0]) for file in classed]
    else:
        _refuse_other_levels(tree.root, names, classed)
        found = [Found(tree.root / file, TRAIN, file.parts[0]) for file in classed]
    return found, _loose(tree) if found else []


def _refuse_other_levels(root: Path, names: set[str], classed: Sequence[Path]) -> None:
    """Refuse folders whose own folders may be the classes, such as `data/` beside `examples/`, or `color/` and `gray/`.

    Raises:
        ArgumentError: it is not clear on which level the classes are.
    """
    flat = {file.parts[0] for file in classed if len(file.parts) == 2}
    inside = {name: {file.parts[1] for file in classed if file.parts[0] == name} for name in names - flat}
    deep = sorted(name for name, folders in inside.items() if len(folders) > 1)
    if not deep or len(names) == 1:
        return
    if flat:
        raise ArgumentError(
            f"{root}: {deep[0]!r} holds folders of images, {min(flat)!r} holds images: if those folders are the "
            f"classes, give {root / deep[0]}; else move its images up"
        )
    shared = set.intersection(*(inside[name] for name in inside))
    if len(shared) > 1:
        raise ArgumentError(
            f"{root}: {', '.join(sorted(names)[:3])} hold folders of the same names ({', '.join(sorted(shared)[:3])}): "
            f"if those are the classes, give one of them, such as {root / deep[0]}"
        )


def _second(file: Path) -> str | None:
    return split_of(file.parts[1]) if len(file.parts) > 2 else None


def _loose(tree: Tree) -> list[str]:
    loose = sum(len(file.parts) == 1 for file in tree.files)
    notes = [f"{loose:,} images beside the folders are left out"] if loose else []
    if tree.empty:
        notes.append(f"folders without images are left out: {', '.join(tree.empty)}")
    return notes
