"""Find which segments of one class may come nearer to another class than a threshold: a min-plus product in int16.

Let a *probe* (a sample or a segment) of another class lie at distances d(b) and d(c) from two samples b and c of a
class. The probe is nearer than H to a point strictly inside the segment bc only if

    s(b) + s(c) < |bc|,   s(.) = sqrt(d(.)^2 - H^2)                                                          (*)

If the probe is a sample, this is Pythagoras on both sides of the height over bc. If it is a segment, let r be its point
nearest to R = b + t (c - b). Stewart's theorem for the point r and the ends b and c, with d(b) <= |r b| and
d(c) <= |r c|, gives `d(R)^2 >= (1 - t) d(b)^2 + t d(c)^2 - t (1 - t) |bc|^2`, and the case of a sample applies. So the
search over all (probe, b, c) asks for every probe and b: is `min_c (s(c) - |bc|) < -s(b)`? Only additions and minima
remain, in int16. Since s is rounded down and |bc| up, no triple that satisfies (*) is lost. Those that remain are
evaluated in float64 from coordinate differences.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from localmixup._optional import require
from localmixup._validate import check_choice
from localmixup.geometry.lipschitz.classes import Classes
from localmixup.geometry.lipschitz.staircase import Staircase

_CANDIDATES = 1 << 17
_LINES = 64  # lines of D that a thread works through at a time, so that they stay in its cache


class Search:
    """A search for the nearest segments of two classes: the samples, what was found so far, and the scan.

    Args:
        classes: the samples.
        n_jobs: number of threads.
        backend: `"numba"`, `"torch"`, or `"auto"` for numba if it is installed. All find the same candidates.

    Raises:
        ArgumentError: an unknown backend.
        ModuleNotFoundError: `"numba"` is not installed.
    """

    def __init__(self, classes: Classes, *, n_jobs: int, backend: str) -> None:
        check_choice("backend", backend, ("auto", "numba", "torch"))
        self.classes, self.staircase, self.n_jobs = classes, Staircase(), n_jobs
        if backend == "auto":
            backend = "torch" if importlib.util.find_spec("numba") is None else "numba"
        if backend == "numba":
            require("numba", "geometry")
        self.kernels: Any = importlib.import_module(f"localmixup.geometry.lipschitz._{backend}_scan")

    def candidates(
        self, S: np.ndarray, k: int, floor: float, row_units: np.ndarray | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the triples (probe, b, c) that satisfy (*) and may lower the staircase, as positions, shape `(r, 3)`.

        The caller adds each block to the staircase, which sharpens the filter of the next one.

        Args:
            S: s(.) of the probes, shape `(p, n)`, int16.
            k: class of b and c, of n samples.
            floor: H^2, as in S.
            row_units: length of each probe in units, shape `(p,)`; None if the probes are samples.
        """
        D, (p, n) = self.classes.matrix(k), S.shape
        if n < 2 or not p:
            return
        padding = -p % self.kernels.ROWS
        S = np.concatenate([S, np.full((padding, n), 32767, np.int16)]) if padding else np.ascontiguousarray(S)
        rows = np.argwhere(self._flags(S, D))
        found = np.empty((_CANDIDATES + n, 3), dtype=np.int64)
        lengths = self.classes.shortest(np.arange(32768))
        start = 0
        while start < len(rows):
            limit = self.staircase.squared_at(lengths)
            row_limit = np.full(len(S), np.inf)
            if row_units is not None:
                row_limit[:p] = limit[row_units]
            count, start = self.kernels.collect(S, D, rows, start, limit, row_limit, self.classes.unit, floor, found)
            if count:
                yield found[:count]

    def _flags(self, S: np.ndarray, D: np.ndarray) -> np.ndarray:
        """Mark the pairs (probe, b) for which some c satisfies (*)."""
        n = S.shape[1]
        flags = np.zeros(S.shape, dtype=np.bool_)

        def work(start: int) -> None:
            self.kernels.scan(S, D, flags, start, min(n, start + _LINES))

        starts = range(0, n, _LINES)
        if self.n_jobs > 1 and len(starts) > 1:
            with ThreadPoolExecutor(self.n_jobs) as pool:
                list(pool.map(work, starts))
        else:
            for start in starts:
                work(start)
        return flags
