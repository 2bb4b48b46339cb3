"""Stores as the commands name them: URLs, SQLite files, and SQLite files packed with xz."""

from __future__ import annotations

import lzma
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from localmixup.lab.errors import UserError, first_line
from localmixup.lab.results import Store


@contextmanager
def opened(names: Sequence[str]) -> Iterator[Store]:
    """One store that holds what all of the named ones hold; nothing is written to any of them.

    Args:
        names: URLs or paths; `.xz` files are unpacked first.

    Raises:
        UserError: one is not there, or is not a store.
    """
    with tempfile.TemporaryDirectory(prefix="localmixup-") as folder:
        merged = Store("sqlite://")
        for k, name in enumerate(names):
            # a copy, since opening an older store brings its tables up
            path = Path(folder) / f"{k}.sqlite"
            if "://" in name:
                source = Store(name, create=False)
            else:
                _copy(name, path)
                source = Store(path, create=False)
            merged.merge(source)
            source.close()
        yield merged
        merged.close()


def merge(names: Sequence[str], into: str) -> int:
    """Bring what several stores hold into one.

    Args:
        names: URLs or paths; `.xz` files are unpacked first.
        into: URL or path, packed where it ends in `.xz`; what it holds already stays.

    Returns:
        How many runs were new there.

    Raises:
        UserError: one cannot be read, or the last cannot be written.
    """
    if into.endswith(".xz") and Path(into).expanduser().is_file():
        names = [into, *names]  # what it holds already stays
    if not into.endswith(".xz"):
        target = Store(into)
        with opened(names) as source:
            added = target.merge(source)
        target.close()
        return added
    with tempfile.TemporaryDirectory(prefix="localmixup-") as folder, opened(names) as source:
        plain = Path(folder) / "packed.sqlite"
        target = Store(plain)
        added = target.merge(source)
        target.close()
        partial = Path(f"{into}.part")
        try:
            with plain.open("rb") as data, lzma.open(partial, "wb", preset=9) as packed:
                shutil.copyfileobj(data, packed)
            partial.replace(into)
        except OSError as error:
            raise UserError(f"--into {into}: cannot be written: {error.strerror or error}") from None
    return added


def _copy(name: str, path: Path) -> None:
    source = Path(name).expanduser()
    if not source.is_file():
        raise UserError(f"--store {name}: no such file")
    try:
        if source.suffix == ".xz":
            with lzma.open(source) as packed, path.open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        else:
            shutil.copy(source, path)
            for suffix in ("-wal", "-journal"):  # of a process that is writing, or was killed
                if (beside := Path(f"{source}{suffix}")).is_file():
                    shutil.copy(beside, f"{path}{suffix}")
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise UserError(f"--store {name}: cannot be read: {first_line(error)}") from None
