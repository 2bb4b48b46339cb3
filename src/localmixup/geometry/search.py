"""Which segments of one class come nearer to another class than a threshold: a min-plus product in 16 bit integers.

Let a *probe* (a point, or a segment) of another class lie at distances d(b) and d(c) from two points b, c of a class.
The probe is nearer than H to a place strictly inside the segment bc only if

    s(b) + s(c) < |bc|,   s(.) = sqrt(d(.)^2 - H^2)                                                          (*)

For a point that is Pythagoras on both sides of the height over bc. For a segment probe, let r be its point nearest to
R = b + t (c - b): Stewart's theorem for the point r and the ends b, c, with d(b) <= |r b| and d(c) <= |r c|, gives
`d(R)^2 >= (1 - t) d(b)^2 + t d(c)^2 - t (1 - t) |bc|^2`, and the case of a point follows. So the search over all
(probe, b, c) is: for every probe and b, is `min_c (s(c) - |bc|) < -s(b)`? Only additions and minima remain, in int16: s
is rounded down and |bc| up, so that no triple that satisfies (*) is lost. Distances come from a matrix product whose
rounding error is bounded (`|fl(x.y) - x.y| <= d u |x| |y|`); the bound is taken off s and added to |bc| as well. What
passes is evaluated in float64 from the differences of the coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from localmixup._validate import ArgumentError, check_choice
from localmixup.geometry.curve import Staircase

_TOP = 32000
_CANDIDATES = 1 << 17
_EXACT_BYTES = 256 * 2**20
_LINES = 64  # lines of D that a thread works through at a time, so that they stay in its cache
_PROBES = 2048
_WIDE_WORK = 2e10  # below this many products distances are taken in float64


class Classes:
    """Points by class, with squared distances whose error is bounded, and the staircase of what was found.

    Attributes:
        features: shape `(m, d)`, as given, for exact evaluation.
        members: indices of each class, ascending.
        staircase: what was found so far.
    """

    def __init__(self, features: Tensor, labels: np.ndarray, *, n_jobs: int, backend: str) -> None:
        self.features = features
        m, d = features.shape
        self.members = [np.flatnonzero(labels == c) for c in np.unique(labels)]
        self.staircase = Staircase()
        self.kernels, self.n_jobs = kernels(backend), n_jobs
        # small data in float64: the filter is sharper and costs nothing
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
        """Squared distances of some points to those of class k, or bounds of them.

        Args:
            probes: indices of the points.
            k: a class.
            sign: -1 for lower bounds, +1 for upper bounds, 0 for values that are off by at most `error`.
        """
        rows = torch.from_numpy(probes)
        factor = 1 + sign * self._error
        own, other = (self._squares[rows] * factor), (self._squares[torch.from_numpy(self.members[k])] * factor)
        dtype = self._centred.dtype
        product = torch.addmm(other.to(dtype)[None], self._centred[rows], self._parts[k].T, alpha=-2)
        return product.add_(own.to(dtype)[:, None])

    def matrix(self, k: int) -> np.ndarray:
        """|bc| within class k in units, rounded up, int16, shape `(n, n)`.

        Args:
            k: a class.
        """
        if k not in self._matrices:
            rows = self.members[k]
            n = len(rows)
            if 2 * n * n > 6 * 2**30:
                raise ArgumentError(f"a class of {n:,} samples needs {2 * n * n / 2**30:.0f} GiB; take a part of it")
            if sum(D.nbytes for D in self._matrices.values()) + 2 * n * n > 3 * 2**30:
                self._matrices.clear()
            D = np.empty((n, n), dtype=np.int16)
            for start in range(0, n, _PROBES):
                part = slice(start, min(n, start + _PROBES))
                upper = self.squares(rows[part], k, +1).clamp_min_(0).sqrt_().mul_((1 + 4e-6) / self.unit).ceil_()
                D[part] = upper.clamp_(max=32767).to(torch.int16).numpy()
            np.fill_diagonal(D, 0)
            self._matrices[k] = D
        return self._matrices[k]

    def rounded(self, squares: Tensor, floor: float) -> np.ndarray:
        """`sqrt(d^2 - H^2)` in units, rounded down, int16.

        Args:
            squares: lower bounds of d^2; overwritten.
            floor: H^2.
        """
        s = squares.sub_(floor * (1 + 1e-6)).clamp_min_(0).sqrt_().mul_((1 - 4e-6) / self.unit).floor_()
        return np.asarray(s.clamp_(max=32767).to(torch.int16).numpy())

    def limits(self) -> np.ndarray:
        """For every length in units the square of the smallest distance known at or below that length."""
        return self.staircase.squared_at(self.shortest(np.arange(32768)))

    @property
    def error(self) -> float:
        """How far a squared distance can be off."""
        return 2 * self._error * float(self._squares.max())

    def shortest(self, units: np.ndarray) -> np.ndarray:
        """Lower bounds of the lengths that `matrix` holds as so many units.

        Args:
            units: whole numbers, any shape.
        """
        lengths: np.ndarray = np.maximum(units - 1, 0) * self.unit * (1 - 1e-5)
        return np.asarray(np.sqrt(np.maximum(0.0, lengths**2 - 2 * self.error)))

    def search(
        self,
        S: np.ndarray,
        k: int,
        floor: float,
        evaluate: Callable[[np.ndarray], None],
        row_units: np.ndarray | None = None,
    ) -> None:
        """Find what satisfies (*) among probes and pairs of class k, and have it evaluated.

        Args:
            S: the probes' s(.), shape `(p, n)`, int16.
            k: the class of the pairs.
            floor: H^2, as in S.
            evaluate: given candidates (probe, b, c) as positions, shape `(r, 3)`, adds them to the staircase.
            row_units: length of each probe in units, shape `(p,)`; None for points.
        """
        D, p = self.matrix(k), len(S)
        n = S.shape[1]
        if n < 2 or not p:
            return
        padding = -p % self.kernels.ROWS
        S = np.concatenate([S, np.full((padding, n), 32767, np.int16)]) if padding else np.ascontiguousarray(S)
        flags = np.zeros(S.shape, dtype=np.bool_)
        starts = range(0, n, _LINES)

        def work(start: int) -> None:
            self.kernels.scan(S, D, flags, start, min(n, start + _LINES))

        if self.n_jobs > 1 and len(starts) > 1:
            with ThreadPoolExecutor(self.n_jobs) as pool:
                list(pool.map(work, starts))
        else:
            for start in starts:
                work(start)
        rows = np.argwhere(flags)
        found = np.empty((_CANDIDATES + n, 3), dtype=np.int64)
        start = 0
        while start < len(rows):
            limit = self.limits()
            row_limit = np.full(len(S), np.inf)
            if row_units is not None:
                row_limit[:p] = limit[row_units]
            count, start = self.kernels.collect(S, D, rows, start, limit, row_limit, self.unit, floor, found)
            if count:
                evaluate(found[:count])

    def points(self, index: np.ndarray) -> np.ndarray:
        """Coordinates in float64, shape `(r, d)`.

        Args:
            index: of the points.
        """
        return np.asarray(self.features[torch.from_numpy(index)].double().numpy())

    def blocks(self, count: int) -> Iterator[slice]:
        """Slices of as many rows as fit the memory for exact evaluation.

        Args:
            count: of rows.
        """
        step = max(1, _EXACT_BYTES // (8 * 8 * max(1, self.features.shape[1])))
        for start in range(0, count, step):
            yield slice(start, min(count, start + step))


def kernels(backend: str) -> Any:
    """The search in machine code where numba is there, else in torch; both find the same.

    Args:
        backend: `"auto"`, `"numba"` or `"torch"`.

    Raises:
        ValueError: an unknown backend, or numba where it is not installed.
    """
    check_choice("backend", backend, ("auto", "numba", "torch"))
    if backend != "torch":
        try:
            from localmixup.geometry import _numba_search

            return _numba_search
        except ImportError:
            if backend == "numba":
                raise ArgumentError("backend 'numba' needs numba: pip install 'localmixup[geometry]'") from None
    from localmixup.geometry import _torch_search

    return _torch_search
