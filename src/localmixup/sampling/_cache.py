"""Neighbour lists on disk, under a key of the data and the search. A damaged file is searched again, never misread."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from localmixup._distances import as_features
from localmixup._validate import ArgumentError, warn
from localmixup.sampling.neighbors import NeighborLists

_FORMAT = b"localmixup neighbour lists 1\n"  # increase the number when the lists of a search or the file change
_DIGEST_BYTES = 32


class Cache:
    """A folder of neighbour lists.

    A file holds the format, a digest of its key and content, and the two arrays. It is written under another name and
    then renamed, so that several processes can share the folder and a killed one leaves no partial list.

    Args:
        folder: created if it does not exist; None keeps nothing.

    Raises:
        ValueError: `folder` is not a path.
    """

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        if folder is not None and not isinstance(folder, str | os.PathLike):
            raise ArgumentError(f"cache must be the path of a folder or None, got {folder!r}")
        try:
            self.folder = None if folder is None else Path(folder).expanduser()
        except RuntimeError:  # no such user, or no home directory
            raise ArgumentError(f"cache must be the path of a folder, got {str(folder)!r}: it has no home") from None

    def lists(self, features: Tensor, search: str, make: Callable[[], NeighborLists]) -> NeighborLists:
        """Return the lists of a search, from disk or from `make`.

        A file that cannot be read or is damaged is searched again; lists that cannot be written are still returned.
        Both cases warn.

        Args:
            features: the data, shape `(m, ...)`, on the CPU.
            search: name of the search, with its parameters.
            make: the search itself.
        """
        if self.folder is None:
            return make()
        key = _key(features, search)
        path = self.folder / f"{key.hex()}.neighbors"
        found = _read(path, key)
        if found is None:
            found = make()
            _write(path, key, found)
        return found


def _key(features: Tensor, search: str) -> bytes:
    flat = as_features(features).contiguous().numpy()
    digest = hashlib.blake2b(_FORMAT, digest_size=_DIGEST_BYTES)
    digest.update(f"{search}\n{flat.dtype.str} {flat.shape}\n".encode())
    digest.update(flat.data)
    return digest.digest()


def _digest(key: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES, key=key).digest()


def _read(path: Path, key: bytes) -> NeighborLists | None:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        warn(f"{path} cannot be read ({error.strerror}): the neighbours are searched again")
        return None
    begin = len(_FORMAT) + _DIGEST_BYTES
    content = data[begin:]
    # nothing in it is read before the digest has shown that it was written here and is complete
    if data[:begin] != _FORMAT + _digest(key, content):
        warn(f"{path} is damaged or not a file of this cache: the neighbours are searched again")
        return None
    stream = io.BytesIO(content)
    start, neighbor = (np.load(stream, allow_pickle=False) for _ in NeighborLists._fields)
    return NeighborLists(torch.from_numpy(start), torch.from_numpy(neighbor))


def _write(path: Path, key: bytes, lists: NeighborLists) -> None:
    stream = io.BytesIO()
    for values in lists:
        np.save(stream, values.numpy(), allow_pickle=False)
    content = stream.getvalue()
    unfinished = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("xb") as file:
                file.write(_FORMAT + _digest(key, content) + content)
                file.flush()
                os.fsync(file.fileno())  # otherwise a crash of the machine could leave the new name on an empty file
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        warn(f"the neighbour lists cannot be written to {path.parent} ({error.strerror}): they are used, but not kept")
