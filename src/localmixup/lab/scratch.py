"""Temporary folders that do not outlive a killed process: the next one removes what it left behind."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localmixup._validate import ArgumentError

fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
_PREFIX = "localmixup-"
_LOCK = ".in-use"
_SHARED = Path("/dev/shm")
_FOLDER = "joblib_memmapping_"  # then folder_PID_..., as it is sem.loky-PID-... for a semaphore
_PID = 1
_FRESH = 60  # seconds


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that is removed at the end; those of processes that were killed are removed at the beginning.

    A process holds a lock in its folder, which the system releases when it dies.

    Raises:
        ArgumentError: no temporary folder can be made.
    """
    remove_stale()
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ArgumentError(f"$TMPDIR: no temporary folder can be made: {reason}") from None
    lock = _locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_stale() -> None:
    """Remove the temporary folders and the semaphores that killed processes of this user left behind."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
            with contextlib.suppress(OSError):
                _remove_if_free(lock)
        for shared in (*_SHARED.glob("sem.loky-*-*"), *_SHARED.glob("joblib_memmapping_folder_*_*")):
            with contextlib.suppress(OSError, ValueError):
                _remove_if_left(shared, maker=int(re.split("[-_]", shared.name.removeprefix(_FOLDER))[_PID]))


def _locked(folder: Path) -> int | None:
    if fcntl is None:
        return None
    try:
        # locked before it has its name, so that nobody finds it unlocked
        lock = os.open(folder / f"{_LOCK}.new", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(folder / f"{_LOCK}.new", folder / _LOCK)
    except OSError:  # a file system without locks: the folder is removed at the end only
        return None
    return lock


def _remove_if_free(lock: Path) -> None:
    if lock.parent.is_symlink() or lock.parent.stat().st_uid != os.getuid():
        return
    held = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(lock.parent, ignore_errors=True)
    finally:
        os.close(held)


def _remove_if_left(path: Path, maker: int) -> None:
    """Remove what joblib shares between its processes, if the one that made it is gone."""
    found = path.lstat()
    if found.st_uid != os.getuid() or time.time() - found.st_mtime < _FRESH:
        return
    try:
        os.kill(maker, 0)
    except ProcessLookupError:
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
