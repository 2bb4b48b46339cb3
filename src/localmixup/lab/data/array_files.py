"""Files of arrays: `.npz`, `.npy` beside each other, and idx as MNIST comes in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.arrays import Arrays, dataset_of_arrays
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.idx import is_idx, read_idx
from localmixup.lab.data.pixels import MOST_BYTES
from localmixup.lab.errors import first_line

_INPUTS = ("x", "images", "image", "imgs", "data", "features", "inputs", "input", "samples", "arr_0")
_TARGETS = ("y", "labels", "label", "targets", "target", "classes", "class", "arr_1")
_SPLITS = {
    "train": "train", "training": "train", "tr": "train", "val": "validation", "valid": "validation",
    "validation": "validation", "dev": "validation", "test": "test", "testing": "test", "te": "test", "t10k": "test",
}  # fmt: skip
_ENDINGS = re.compile(r"(\.gz|\.npy|\.idx[1-4]?|[-_.]idx[1-4][-_.]?(ubyte|sbyte|short|int|float|double)|[-_.]ubyte)+$")


class _Stored(NamedTuple):
    """An array that is not read yet: its shape, its type, and how to read it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], np.ndarray]


class _Role(NamedTuple):
    """What an array is by its name: inputs or targets, of which split, and how common the name is."""

    target: bool
    split: str
    rank: int
    prefix: str


def read_arrays(path: Path, *, task: str | None, layout: str | None = None) -> DataSet:
    """Read arrays whose names tell what they are: `x` and `y`, `X_train` and `y_test`, `images` and `labels`.

    Object arrays are never opened. Rows for validation join the training rows if there is a test set, else they are it.

    Args:
        path: a `.npz` file; a `.npy` or idx file with its partner beside it; or a folder of `.npy` or idx files.
        task: `"classification"` or `"regression"`; None decides by the targets.
        layout: see `dataset_of_arrays`.

    Raises:
        ArgumentError: an array is missing, or has the wrong type, shape or values.
    """
    if path.suffix.lower() == ".npz":
        stored, prefix = _members(path), None
    else:
        folder = path if path.is_dir() else path.parent
        stored = {file.name: _file(file) for file in array_files(folder, idx=is_array_file(path) == "idx")}
        prefix = None if path.is_dir() else _role(path.name)
        if not path.is_dir() and prefix is None:
            raise ArgumentError(_advice(path, [path.name]))
    return dataset_of_arrays(_chosen(path, stored, prefix), name=path.name, task=task, layout=layout)


def is_array_file(path: Path) -> str | None:
    """Return `"npy"` or `"idx"` for a file of one array, or a folder that holds such files, else None.

    Args:
        path: a file or folder.
    """
    if path.is_dir():
        for kind in ("npy", "idx"):
            if array_files(path, idx=kind == "idx"):
                return kind
        return None
    if path.suffix.lower() == ".npy":
        return "npy"
    return "idx" if is_idx(path) else None


def array_files(folder: Path, *, idx: bool) -> list[Path]:
    """Return the files of one array in a folder whose names tell what they hold; unpacked ones before packed ones.

    Args:
        folder: where to look.
        idx: idx files, else `.npy`.
    """
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        fits = is_idx(file) if idx else file.suffix.lower() == ".npy"
        if fits and not file.name.startswith(".") and _role(file.name) is not None:
            found.setdefault(_ENDINGS.sub("", file.name.lower()), file)
    return list(found.values())


def _role(name: str) -> _Role | None:
    """Return what an array is by its name, or None."""
    words = [word for word in re.split(r"[ _.\-]+", _ENDINGS.sub("", name.lower())) if word]
    if "_".join(words) in ("arr_0", "arr_1"):
        words = ["_".join(words)]
    for k, word in enumerate(words):  # such as xtrain and trainx
        for split in sorted(_SPLITS, key=len, reverse=True):
            rest = word.removesuffix(split) if word.endswith(split) else word.removeprefix(split)
            if rest != word and rest in (*_INPUTS, *_TARGETS):
                words[k : k + 1] = [rest, split]
                break
    splits = [word for word in words if word in _SPLITS]
    bases = [word for word in words if word in _INPUTS or word in _TARGETS]
    if len(splits) > 1 or len(bases) != 1:
        return None
    base = bases[0]
    names = _TARGETS if base in _TARGETS else _INPUTS
    prefix = "_".join(word for word in words if word not in (*splits, base))
    return _Role(base in _TARGETS, _SPLITS[splits[0]] if splits else "train", names.index(base), prefix)


def _chosen(path: Path, stored: Mapping[str, _Stored], like: _Role | None) -> Arrays:
    """Return the arrays to read, by their names."""
    roles = {name: role for name in stored if (role := _role(name)) is not None}
    prefixes = sorted({role.prefix for role in roles.values()} if like is None else {like.prefix})
    complete = [prefix for prefix in prefixes if _pair(roles, prefix, "train")]
    if len(complete) > 1:
        raise ArgumentError(
            f"{path}: there are several pairs of inputs and targets ({', '.join(stored)}): give the file of one"
        )
    prefix = complete[0] if complete else prefixes[0] if prefixes else ""
    pairs = {split: _pair(roles, prefix, split) for split in ("train", "validation", "test")}
    there = [split for split, pair in pairs.items() if pair]
    if len(there) == 1 and not any(role.split == "train" for role in roles.values()):  # MNIST's t10k files alone
        pairs = {**pairs, "train": pairs[there[0]], there[0]: None}
        roles = {name: role for name, role in roles.items() if name in (pairs["train"] or ())}
    if pairs["train"] is None:
        raise ArgumentError(_advice(path, list(stored)))
    used = [name for pair in pairs.values() if pair for name in pair]
    half = [n for n, role in roles.items() if role.prefix == prefix and n not in used and pairs[role.split] is None]
    if half:
        raise ArgumentError(f"{path}: a test set needs both inputs and targets, got only {half[0]!r} of the two")
    _check_size(path, {name: stored[name] for name in used})
    return _joined(path, stored, pairs, [name for name in stored if name not in used])


def _pair(roles: Mapping[str, _Role], prefix: str, split: str) -> tuple[str, str] | None:
    found = []
    for target in (False, True):
        names = [n for n, r in roles.items() if (r.target, r.split, r.prefix) == (target, split, prefix)]
        if not names:
            return None
        found.append(min(names, key=lambda name: roles[name].rank))
    return found[0], found[1]


def _joined(
    path: Path, stored: Mapping[str, _Stored], pairs: Mapping[str, tuple[str, str] | None], unused: list[str]
) -> Arrays:
    train, validation, test = (pairs[split] for split in ("train", "validation", "test"))
    assert train is not None
    notes = []
    x, y = (stored[name].read() for name in train)
    if validation is not None and test is None:
        test = validation
        notes.append(f"{' and '.join(validation)} are the test set")
    elif validation is not None:
        more = [stored[name].read() for name in validation]
        if more[0].shape[1:] != x.shape[1:] or more[1].shape[1:] != y.shape[1:]:
            raise ArgumentError(
                f"{path}: {validation[0]} has rows of shape {more[0].shape[1:]}, {train[0]} of shape {x.shape[1:]}"
            )
        x, y = np.concatenate([x, more[0]]), np.concatenate([y, more[1]])
        notes.append(f"{' and '.join(validation)} join the training rows")
    if train[0].startswith("arr_"):
        notes.append("arr_0 is taken as the inputs, arr_1 as the targets")
    if unused:
        notes.append(f"arrays that are not used: {', '.join(sorted(unused))}")
    x_test, y_test = (None, None) if test is None else (stored[name].read() for name in test)
    return Arrays(str(path), train[0], train[1], x, y, x_test, y_test, tuple(notes))


def _advice(path: Path, names: Iterable[str]) -> str:
    found = list(names)
    if {"indices", "indptr"} <= set(found):
        return f"{path}: holds a sparse matrix of SciPy; store arrays x and y instead, x of matrix.toarray()"
    got = ", ".join(found[:20]) or "none"
    if path.suffix.lower() == ".npz":
        return (
            f"{path}: arrays x and y are needed (x_test and y_test may follow; also images and labels, X_train and "
            f"y_train), got {got}"
        )
    return (
        f"{path}: inputs and targets must lie beside each other with names that tell them apart, such as x.npy and "
        f"y.npy, X_train.npy and y_train.npy, or train-images-idx3-ubyte and train-labels-idx1-ubyte, got {got}"
    )


def _check_size(path: Path, stored: Mapping[str, _Stored]) -> None:
    size = sum(float(np.prod(array.shape, dtype=np.float64)) * array.dtype.itemsize for array in stored.values())
    if size > MOST_BYTES:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in stored.items())
        raise ArgumentError(
            f"{path}: the arrays take {size / 2**30:.1f} GiB of memory, at most {MOST_BYTES / 2**30:.0f} are read "
            f"({shapes}): store fewer rows"
        )


def _members(path: Path) -> dict[str, _Stored]:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            found = {}
            for name in names:
                with archive.open(name) as member:
                    found[name.removesuffix(".npy")] = _head(member)
    except Exception as error:
        raise ArgumentError(f"{path}: not a NumPy archive of plain arrays: {first_line(error)}") from None

    def reader(name: str) -> Callable[[], np.ndarray]:
        def read() -> np.ndarray:
            with np.load(path, allow_pickle=False) as file:
                return np.asarray(file[name])

        return lambda: _read(f"{path}: array {name!r}", read)

    return {name: _Stored(*head, reader(name)) for name, head in found.items()}


def _file(path: Path) -> _Stored:
    if path.suffix.lower() != ".npy":
        shape, dtype, read = read_idx(path, most=MOST_BYTES)
        return _Stored(shape, dtype, read)
    try:
        with path.open("rb") as file:
            head = _head(file)
    except Exception as error:
        raise ArgumentError(f"{path}: not a NumPy array: {first_line(error)}") from None
    return _Stored(*head, lambda: _read(str(path), lambda: np.asarray(np.load(path, allow_pickle=False))))


def _head(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of an array in NumPy's format, without reading it."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return tuple(shape), dtype


def _read(what: str, read: Callable[[], np.ndarray]) -> np.ndarray:
    try:
        return read()
    except Exception as error:
        object_array = "pickle" in str(error).lower()
        advice = "; it is a pickle, which is never opened: save x.astype(float), y.astype(str)" if object_array else ""
        raise ArgumentError(f"{what}: cannot be read: {first_line(error)}{advice}") from None
