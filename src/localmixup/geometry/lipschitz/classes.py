"""Samples by class, and distances between them with bounded rounding errors.

Distances come from a matrix product with a bounded rounding error, `|fl(x.y) - x.y| <= d u |x| |y|`. Lower bounds
subtract that error, upper bounds add it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from localmixup._validate import ArgumentError

_TOP = 32000  # the largest length in units, a little below the largest int16
_EXACT_BYTES = 256 * 2**20
_ROWS = 2048
_WIDE_WORK = 2e10  # below this many multiplications distances are computed in float64


class Classes:
    """Samples by class, with distances whose rounding error is bounded.

    Lengths are also stored as 16-bit integers, in steps of `unit`.

    Attributes:
        features: samples as given, for exact evaluation, shape `(m, d)`.
        members: indices of the samples of each class, ascending.
        unit: length of one integer step.
    """

    def __init__(self, features: Tensor, labels: np.ndarray) -> None:
        self.features = features
        m, d = features.shape
        self.members = [np.flatnonzero(labels == c) for c in np.unique(labels)]
        # small data in float64: the filter is sharper at no cost
        wide = m * m * d < _WIDE_WORK or features.dtype == torch.float64
        centred = features.double() - features.double().mean(dim=0) if wide else features - features.mean(dim=0)
        self._squares = centred.double().square().sum(dim=1)
        self._centred = centred
        eps = torch.finfo(centred.dtype).eps
        self._error = (d + 8) * eps / 2 + 4 * eps
        self._parts = [centred[torch.from_numpy(rows)] for rows in self.members]
        radii = [float((part - part.mean(dim=0)).norm(dim=1).max()) for part in self._parts]
        self.unit = max(max(radii) * 2.001 / _TOP, 1e-300)
        self._matrices: dict[int, np.ndarray] = {}

    def squares(self, probes: np.ndarray, k: int, sign: int) -> Tensor:
        """Return squared distances of some samples to those of class k, or bounds of them, shape `(p, n)`.

        Args:
            probes: indices of the samples, shape `(p,)`.
            k: a class of n samples.
            sign: -1 for lower bounds, +1 for upper bounds, 0 for values that are off by at most `error`.
        """
        rows = torch.from_numpy(probes)
        factor = 1 + sign * self._error
        own, other = (self._squares[rows] * factor), (self._squares[torch.from_numpy(self.members[k])] * factor)
        dtype = self._centred.dtype
        product = torch.addmm(other.to(dtype)[None], self._centred[rows], self._parts[k].T, alpha=-2)
        return product.add_(own.to(dtype)[:, None])

    def matrix(self, k: int) -> np.ndarray:
        """Return the distances |bc| within class k in units, rounded up, int16, shape `(n, n)`.

        Args:
            k: a class of n samples.

        Raises:
            ArgumentError: the class is too large for the memory.
        """
        if k not in self._matrices:
            rows = self.members[k]
            n = len(rows)
            if 2 * n * n > 6 * 2**30:
                raise ArgumentError(
                    f"x has {n:,} samples of one class, which need {2 * n * n / 2**30:.0f} GiB: use a part of them"
                )
            if sum(D.nbytes for D in self._matrices.values()) + 2 * n * n > 3 * 2**30:
                self._matrices.clear()
            D = np.empty((n, n), dtype=np.int16)
            for start in range(0, n, _ROWS):
                part = slice(start, min(n, start + _ROWS))
                upper = self.squares(rows[part], k, +1).clamp_min_(0).sqrt_().mul_((1 + 4e-6) / self.unit).ceil_()
                D[part] = upper.clamp_(max=32767).to(torch.int16).numpy()
            np.fill_diagonal(D, 0)
            self._matrices[k] = D
        return self._matrices[k]

    def rounded(self, squares: Tensor, floor: float) -> np.ndarray:
        """Return `sqrt(d^2 - H^2)` in units, rounded down, int16.

        Args:
            squares: lower bounds of d^2; overwritten.
            floor: H^2.
        """
        s = squares.sub_(floor * (1 + 1e-6)).clamp_min_(0).sqrt_().mul_((1 - 4e-6) / self.unit).floor_()
        return np.asarray(s.clamp_(max=32767).to(torch.int16).numpy())

    @property
    def error(self) -> float:
        """Largest rounding error of a squared distance."""
        return 2 * self._error * float(self._squares.max())

    def shortest(self, units: np.ndarray) -> np.ndarray:
        """Return lower bounds of the lengths that `matrix` stores as whole units.

        Args:
            units: whole numbers, any shape.
        """
        lengths: np.ndarray = np.maximum(units - 1, 0) * self.unit * (1 - 1e-5)
        return np.asarray(np.sqrt(np.maximum(0.0, lengths**2 - 2 * self.error)))

    def points(self, index: np.ndarray) -> np.ndarray:
        """Return the coordinates of samples in float64, shape `(r, d)`.

        Args:
            index: indices of the samples, shape `(r,)`.
        """
        return np.asarray(self.features[torch.from_numpy(index)].double().numpy())

    def blocks(self, count: int) -> Iterator[slice]:
        """Yield slices of as many rows as fit in memory for exact evaluation.

        Args:
            count: number of rows.
        """
        step = max(1, _EXACT_BYTES // (8 * 8 * max(1, self.features.shape[1])))
        for start in range(0, count, step):
            yield slice(start, min(count, start + step))

    def pairs(self) -> list[tuple[int, int]]:
        """Return all pairs of classes (c, k) with c < k."""
        return list(itertools.combinations(range(len(self.members)), 2))
