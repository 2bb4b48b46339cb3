"""Decoded images of Parquet files, kept so that the next start takes no time."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from localmixup.lab.data.dataset import DataSet

_VERSION = 3
"""Of what decoding gives: files of another version are not read."""


def cache_path(name: str, files: Sequence[Path], resize: tuple[int, int] | None) -> Path:
    """Return where the decoded images of some files are kept.

    Args:
        name: of the data set.
        files: that hold the images.
        resize: height and width that the images get.
    """
    state = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    digest = hashlib.sha256(repr((_VERSION, state, resize)).encode(errors="surrogateescape")).hexdigest()[:16]
    return cache_folder() / f"{name[:100]}-{digest}.npz"


def cache_folder() -> Path:
    """Return the folder for what can be computed again, which is made if it is missing."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(base) if base else Path.home() / ".cache") / "localmixup"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home folder, or a read-only one
        folder = Path(tempfile.gettempdir()) / "localmixup"
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def read_cache(path: Path, name: str) -> DataSet | None:
    """Return the images that are kept in a file, or None if there are none that can be used.

    Args:
        path: from `cache_path`.
        name: of the data set.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        names, notes = (tuple(str(text) for text in arrays.pop(key)) for key in ("names", "notes"))
        target = str(arrays.pop("target"))
        return DataSet(name, "image", class_names=names, notes=notes, target=target, **arrays)
    except Exception:  # not written to its end, or damaged
        path.unlink(missing_ok=True)
        return None


def write_cache(path: Path, data: DataSet) -> None:
    """Keep decoded images. Without it the next start takes longer, so failures do not matter.

    Args:
        path: from `cache_path`.
        data: the images.
    """
    arrays = {"x": data.x, "y": data.y, "x_test": data.x_test, "y_test": data.y_test}
    texts = {name: np.array(value, dtype=str) for name, value in (("names", data.class_names), ("notes", data.notes))}
    texts["target"] = np.array(data.target)
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            kept = {key: array for key, array in arrays.items() if array is not None}
            np.savez(file, **texts, **kept)  # type: ignore[arg-type]
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
