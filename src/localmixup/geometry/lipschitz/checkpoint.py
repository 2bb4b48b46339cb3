"""Save an interrupted search of pairs of segments and continue it later."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path

import numpy as np
from torch import Tensor

from localmixup._validate import ArgumentError
from localmixup.geometry.lipschitz.staircase import Staircase

_VERSION = 1


class Checkpoint:
    """A file that holds the position in the search and the staircase, and belongs to certain data.

    Args:
        path: the file; its folder must exist.
        features: shape `(m, d)`.
        labels: shape `(m,)`.

    Raises:
        ArgumentError: the file cannot be read, or belongs to other data.
    """

    def __init__(self, path: Path, features: Tensor, labels: np.ndarray) -> None:
        self.path = path
        digest = hashlib.sha256(features.numpy().tobytes())
        digest.update(labels.tobytes() + repr((tuple(features.shape), str(features.dtype), _VERSION)).encode())
        self.key = digest.hexdigest()
        if path.exists():
            self._read()  # refuse a wrong file before any work
        elif not path.parent.is_dir():
            raise ArgumentError(f"checkpoint must be in a folder that exists, got {path}")

    def load(self, staircase: Staircase) -> tuple[int, int]:
        """Add what was found before to a staircase.

        Args:
            staircase: changed in place.

        Returns:
            The band and the pair of classes to continue with.
        """
        if not self.path.exists():
            return 0, 0
        saved = self._read()
        staircase.add(saved["radius"], saved["distance"], saved["indices"], saved["positions"])
        return int(saved["place"][0]), int(saved["place"][1])

    def store(self, staircase: Staircase, place: tuple[int, int]) -> None:
        """Replace the file. It is complete at any moment.

        Args:
            staircase: what was found so far.
            place: the band and the pair of classes to continue with.
        """
        partial = self.path.with_name(self.path.name + ".part")
        with partial.open("wb") as file:
            np.savez(
                file,
                key=np.array(self.key),
                place=np.array(place),
                radius=staircase.radius,
                distance=staircase.distance,
                indices=staircase.indices,
                positions=staircase.positions,
            )
        partial.replace(self.path)

    def _read(self) -> dict[str, np.ndarray]:
        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                saved = dict(file)
            key = str(saved["key"])
        except OSError as error:
            raise ArgumentError(f"checkpoint {self.path} cannot be read: {error.strerror or error}") from None
        except (ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error):
            raise ArgumentError(
                f"checkpoint {self.path} cannot be read: it is another kind of file, or damaged; use another name"
            ) from None
        if key != self.key:
            raise ArgumentError(f"checkpoint {self.path} belongs to other data: use another file or delete it")
        return saved
