"""Paths as the user types them, and files and folders for results."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from localmixup._validate import ArgumentError


def as_path(text: str | os.PathLike[str], called: str = "") -> Path:
    """Return a path with `~` replaced by the home directory.

    Args:
        text: as the user typed it.
        called: the option that named it, for the message.

    Raises:
        ArgumentError: it names a user who does not exist, or one without a home.

    >>> as_path("pets.csv").name
    'pets.csv'
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ArgumentError(f"{called} {text}: there is no such home directory".strip()) from None


def check_writable(folder: Path, option: str = "--out") -> None:
    """Check that a folder for results can be made and written to, before any work is done; nothing is left behind.

    Args:
        folder: the folder.
        option: the option that named it, for the message.

    Raises:
        ArgumentError: the folder cannot be made or written to.
    """
    folder = as_path(folder, option)
    made: list[Path] = []
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            made.append(path)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise cannot_write(option, folder, error) from None
    finally:
        for path in reversed(made):
            try:
                path.rmdir()
            except OSError:  # another process uses it already
                break


def make_folder(folder: Path, option: str = "--out") -> Path:
    """Make a folder for results.

    Args:
        folder: the folder.
        option: the option that named it, for the message.

    Returns:
        The folder, with `~` replaced.

    Raises:
        ArgumentError: it cannot be made.
    """
    folder = as_path(folder, option)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(option, folder, error) from None
    return folder


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file under another name and then rename it.

    It appears only when it is complete, replaces a link instead of writing to where the link points, and nothing is
    left if it cannot be written.

    Args:
        path: the file.
        content: text, which is written as UTF-8, or bytes.

    Raises:
        OSError: it cannot be written.
    """
    data = content.encode("utf-8", errors="backslashreplace") if isinstance(content, str) else content
    partial = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("xb") as file:
            file.write(data)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def cannot_write(option: str, path: Path, error: OSError) -> ArgumentError:
    """Return the error that a result cannot be written.

    Args:
        option: the option that named the file or folder.
        path: the file or folder.
        error: what the system said.
    """
    return ArgumentError(f"{option} {path}: cannot be written: {error.strerror or error}")
