"""Where an interrupted search of pairs of segments stood."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
from torch import Tensor

from localmixup._validate import ArgumentError
from localmixup.geometry.curve import Staircase

_VERSION = 1


class Checkpoint:
    """A file with the place in the search and the staircase found, bound to the data that it belongs to.

    Args:
        path: of the file.
        features: shape `(m, d)`.
        classes: shape `(m,)`.
    """

    def __init__(self, path: Path, features: Tensor, classes: np.ndarray) -> None:
        self.path = path
        digest = hashlib.sha256(features.numpy().tobytes())
        digest.update(classes.tobytes() + repr((tuple(features.shape), str(features.dtype), _VERSION)).encode())
        self.key = digest.hexdigest()
        if path.exists():
            self._read()  # a wrong file is refused before any work
        elif not path.parent.is_dir():
            raise ArgumentError(f"checkpoint must lie in a folder that exists, got {path}")

    def load(self, staircase: Staircase) -> tuple[int, int]:
        """Take in what was found before.

        Args:
            staircase: gets what was found.

        Returns:
            Band and pair of classes at which to go on.
        """
        if not self.path.exists():
            return 0, 0
        saved = self._read()
        staircase.add(saved["radius"], saved["distance"], saved["indices"], saved["positions"])
        return int(saved["place"][0]), int(saved["place"][1])

    def store(self, staircase: Staircase, place: tuple[int, int]) -> None:
        """Write the file anew; it is whole at any moment.

        Args:
            staircase: what was found.
            place: band and pair of classes at which to go on.
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
            with np.load(self.path, allow_pickle=False) as file:
                saved = dict(file)
            key = str(saved["key"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ArgumentError(f"checkpoint {self.path} cannot be read: {error}") from None
        if key != self.key:
            raise ArgumentError(f"checkpoint {self.path} belongs to other data; name another file or remove it")
        return saved
