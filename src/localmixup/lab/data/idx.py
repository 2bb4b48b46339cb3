"""Read idx files, the format of MNIST: a magic number, the sizes, and the values, the highest byte first."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.errors import first_line

_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MOST_AXES = 6


def is_idx(path: Path) -> bool:
    """Return whether a file begins as idx files do. Packed ones must end in `.gz`.

    Args:
        path: any path.
    """
    try:
        if not path.is_file():
            return False
        with _open(path) as file:
            head = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in _TYPES and 1 <= head[3] <= _MOST_AXES


def read_idx(path: Path, *, most: int) -> tuple[tuple[int, ...], np.dtype[Any], Callable[[], np.ndarray]]:
    """Return the shape and type of an idx file, and how to read it.

    Args:
        path: the file, which may be packed by gzip.
        most: bytes of values that are read at most.

    Raises:
        ArgumentError: the file is damaged, or holds more.
    """
    try:
        with _open(path) as file:
            kind, axes = file.read(4)[2:]
            shape = tuple(int(size) for size in np.frombuffer(file.read(4 * axes), dtype=">u4", count=axes))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ArgumentError(f"{path}: a damaged idx file: {first_line(error)}") from None
    dtype, size = np.dtype(_TYPES[kind]), math.prod(shape) * np.dtype(_TYPES[kind]).itemsize
    if size > most:
        raise ArgumentError(f"{path}: an idx file of shape {shape}, {size / 2**30:.1f} GiB: too large to be read")

    def read() -> np.ndarray:
        try:
            with _open(path) as file:
                file.seek(4 + 4 * axes)
                values = file.read(size + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ArgumentError(f"{path}: a damaged idx file: {first_line(error)}") from None
        if len(values) != size:
            raise ArgumentError(
                f"{path}: a damaged idx file: the shape {shape} needs {size:,} bytes of values, got "
                f"{'more' if len(values) > size else f'{len(values):,}'}"
            )
        return np.frombuffer(values, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="))

    return shape, dtype, read


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")
