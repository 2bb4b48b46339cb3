"""Stores as the commands name them: URLs, SQLite files, SQLite files packed with xz, and folders of such files."""

from __future__ import annotations

import lzma
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from localmixup._validate import ArgumentError
from localmixup.lab.errors import first_line
from localmixup.lab.files import as_path
from localmixup.lab.runs.database import check_file, shown
from localmixup.lab.runs.store import Added, Store
from localmixup.lab.scratch import temporary_folder


def shipped_stores() -> Path:
    """Return the folder of the runs that come with this package: of an installed one, or of the checkout.

    Raises:
        ArgumentError: there is none.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "shipped", here.parents[3] / "results" / "paper"):
        if folder.is_dir():
            return folder
    raise ArgumentError("no stored runs came with this copy of localmixup; --store names a store")


@contextmanager
def opened(names: Sequence[str], *, option: str = "--store") -> Iterator[Store]:
    """Open one store that holds what all of the named ones hold; nothing is written to any of them.

    Args:
        names: URLs, paths of files, or folders with `.sqlite` and `.sqlite.xz` files. Packed files are unpacked first.
        option: how messages call what was named.

    Raises:
        ArgumentError: one of them does not exist, or is not a store.
    """
    names = [file for name in names for file in _files(name, option)]
    with temporary_folder() as folder:
        merged = Store("sqlite://", called=f"{option} {', '.join(map(shown, names))}")
        for k, name in enumerate(names):
            # a copy, because opening an older store changes its tables
            path = folder / f"{k}.sqlite"
            called = f"{option} {shown(name)}"
            if "://" not in name:
                _copy(called, Path(name), path)
            with closing(Store(name if "://" in name else path, create=False, called=called)) as source:
                merged.merge(source)
        yield merged
        merged.close()


def merge(names: Sequence[str], into: str) -> Added:
    """Bring what several stores hold into one.

    Args:
        names: see `opened`.
        into: URL or path, packed if it ends in `.xz`. What it holds already stays.

    Returns:
        How much was new there.

    Raises:
        ArgumentError: one cannot be read, or the target cannot be written.
    """
    called = f"--into {shown(into)}"
    # the sources first: if one is broken, no target is made
    with opened(names, option="STORE") as source:
        if not into.endswith(".xz"):
            return _merged(source, into, called)
        path = as_path(into, "--into")
        check_file(called, path)
        with temporary_folder() as folder:
            plain = folder / "packed.sqlite"
            if path.is_file():
                _copy(called, path, plain)
            added = _merged(source, plain, called)
            partial = Path(f"{path}.part")
            try:
                with plain.open("rb") as data, lzma.open(partial, "wb", preset=9) as packed:
                    shutil.copyfileobj(data, packed)
                partial.replace(path)
            except OSError as error:
                raise ArgumentError(f"{called}: cannot be written: {error.strerror or error}") from None
        return added


def _merged(source: Store, into: str | Path, called: str) -> Added:
    with closing(Store(into, called=called)) as target:
        return target.merge(source)


def _files(name: str, option: str) -> list[str]:
    """What a name stands for: itself, or the stores in a folder."""
    path = as_path(name, option)
    if "://" in name or not path.is_dir():
        return [name]
    found = sorted(str(file) for pattern in ("*.sqlite", "*.sqlite.xz") for file in path.glob(pattern))
    if not found:
        raise ArgumentError(f"{option} {name}: there are no .sqlite or .sqlite.xz files in this folder")
    return found


def _copy(called: str, source: Path, path: Path) -> None:
    source = as_path(source, called)
    check_file(called, source)
    if not source.is_file():
        raise ArgumentError(f"{called}: no such file")
    try:
        if source.suffix == ".xz":
            with lzma.open(source) as packed, path.open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        else:
            shutil.copy(source, path)
            for suffix in ("-wal", "-journal"):  # left by a process that is writing, or was killed
                if (beside := Path(f"{source}{suffix}")).is_file():
                    shutil.copy(beside, f"{path}{suffix}")
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise ArgumentError(f"{called}: cannot be read: {first_line(error)}") from None
