"""Folders that results are written to."""

from __future__ import annotations

import tempfile
from pathlib import Path

from localmixup._validate import ArgumentError


def check_writable(folder: Path, option: str = "--out") -> None:
    """Make a folder for results and try to write to it, before any work is done.

    Args:
        folder: the folder.
        option: the option that named it, for the message.

    Raises:
        ArgumentError: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ArgumentError(f"{option} {folder}: cannot be written: {error.strerror or error}") from None
