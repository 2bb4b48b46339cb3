"""Search for the nearest pairs of segments of two classes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterator

import numpy as np
import torch
from torch import Tensor

from localmixup.geometry._progress import Progress
from localmixup.geometry.lipschitz.checkpoint import Checkpoint
from localmixup.geometry.lipschitz.classes import Classes
from localmixup.geometry.lipschitz.scan import Search
from localmixup.geometry.lipschitz.segments import segment_to_segment, squared_between_segments

_BANDS = 100
_PROBES = 4096
_ROWS = 1024


def search_pairs_of_segments(
    search: Search, deadline: float, saved: Checkpoint | None
) -> Generator[Progress, None, float]:
    """Search segments against segments in the order of the length of one of the two (kind `"segments"`).

    The segments of one band of lengths are the probes, against all segments of each later class. When a band is done,
    every pair with one length in it is done, so the curve is exact up to the upper end of the band.

    Args:
        search: has the curve of kind `"segment"` and gets the steps of this one.
        deadline: time at which to stop, as `time.monotonic` gives it.
        saved: where the progress is saved, or None.

    Yields:
        The number of triples searched.

    Returns:
        The radius below which the curve is exact; inf if the search was finished.
    """
    classes, staircase = search.classes, search.staircase
    bands, pairs = _bands(classes), classes.pairs()
    sizes = [len(rows) for rows in classes.members]
    segments = [n * (n - 1) // 2 for n in sizes]
    counts = [[_count(classes, c, *band) for c in range(len(sizes))] for band in bands]
    total, done = sum(row[c] * segments[k] for row in counts for c, k in pairs), 0
    begin = (0, 0) if saved is None else saved.load(staircase)
    for place, band in enumerate(bands):
        for number, (c, k) in enumerate(pairs):
            if (place, number) >= begin:
                shortest = classes.shortest(np.array([band[0]]))
                floor = float(staircase.squared_at(shortest)[0])
                if floor == 0:
                    return np.inf  # segments cross at a smaller radius, and nothing is below 0
                if time.monotonic() >= deadline:
                    return float(shortest[0])
                _search_band(search, c, k, band, floor)
                if saved is not None:
                    saved.store(staircase, (place, number + 1))
            done += counts[place][c] * segments[k]
            yield Progress(done, total)
    return np.inf


def _bands(classes: Classes) -> list[tuple[int, int]]:
    """Return ranges of lengths in units, each with enough probes to be worth the distances of a pair of classes."""
    numbers = range(len(classes.members))
    weights = np.zeros(32769)
    for c in numbers:
        later = sum(len(classes.members[k]) ** 2 / 2 for k in numbers if k > c)
        D = classes.matrix(c)
        for start in range(0, len(D), _ROWS):
            weights[:32768] += np.bincount(D[start : start + _ROWS].ravel(), minlength=32768) * later / 2
    weights[0] = 0  # the samples themselves are searched elsewhere
    m, d = classes.features.shape
    target = max(float(weights.sum()) / _BANDS, 2.0 * m * m * d)
    part = (np.cumsum(weights) // target).astype(int)
    edges = [1, *(np.flatnonzero(np.diff(part)) + 1).tolist(), 32768]
    return [(a, b) for a, b in itertools.pairwise(edges) if weights[a:b].any()]


def _count(classes: Classes, c: int, low: int, high: int) -> int:
    """Return the number of segments of class c in a band."""
    D = classes.matrix(c)
    parts = (D[start : start + _ROWS] for start in range(0, len(D), _ROWS))
    return sum(int(((part >= low) & (part < high)).sum()) for part in parts) // 2


def _search_band(search: Search, c: int, k: int, band: tuple[int, int], floor: float) -> None:
    """Search the segments of class c in a band against all segments of class k."""
    classes = search.classes
    between = classes.squares(classes.members[c], k, 0).numpy()
    within = classes.squares(classes.members[k], k, 0).numpy()
    lower = classes.squares(classes.members[c], k, -1)
    for ends in _segments_of_band(classes.matrix(c), band):
        units = classes.matrix(c)[ends]
        squares = _lower_bounds(lower, ends, units * classes.unit)
        for triples in search.candidates(classes.rounded(squares, floor), k, floor, units):
            _add_pairs(search, triples, ends, (c, k), between, within)


def _segments_of_band(D: np.ndarray, band: tuple[int, int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield blocks of the segments (i, j), i < j, whose length is in a band."""
    for start in range(0, len(D), _ROWS):
        part = D[start : start + _ROWS]
        i, j = np.nonzero((part >= band[0]) & (part < band[1]))
        upper = i + start < j
        i, j = i[upper] + start, j[upper]
        for first in range(0, len(i), _PROBES):
            yield i[first : first + _PROBES], j[first : first + _PROBES]


def _lower_bounds(lower: Tensor, ends: tuple[np.ndarray, np.ndarray], lengths: np.ndarray) -> Tensor:
    """Return lower bounds of the squared distances of segments to samples, shape `(p, n)`.

    Stewart's formula gives a lower bound for lower bounds of A and B and an upper bound of the length.
    """
    A, B = (lower[torch.from_numpy(end)] for end in ends)
    s = torch.from_numpy(lengths.astype(np.float64) ** 2).to(lower.dtype)[:, None]
    tiny = 1e-14 if lower.dtype == torch.float64 else 2e-6
    slack = (A + B).add_(s).mul_(tiny)
    t = (A - B).add_(s).div_(2 * s.clamp_min(torch.finfo(s.dtype).tiny)).clamp_(0, 1)
    return A + (B - A + (t - 1) * s) * t - slack


def _add_pairs(
    search: Search,
    triples: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    pair: tuple[int, int],
    between: np.ndarray,
    within: np.ndarray,
) -> None:
    """Evaluate pairs of segments: first from squared distances, which leaves few, then from the coordinates."""
    classes, staircase = search.classes, search.staircase
    own, other = (classes.members[k] for k in pair)
    i, j, b, c = ends[0][triples[:, 0]], ends[1][triples[:, 0]], triples[:, 1], triples[:, 2]
    corners = tuple(between[p, q].astype(np.float64) for p, q in ((i, b), (i, c), (j, b), (j, c)))
    units = classes.matrix(pair[0])[i, j]
    uu, vv = np.square(units * classes.unit), within[b, c].astype(np.float64)
    rounding = 2 * np.sqrt(uu) * classes.unit * 1.01  # the probe's own length is known to one unit only
    squared = squared_between_segments(corners, uu, vv) - 1.5 * (rounding + classes.error)
    longest = classes.shortest(np.maximum(units, classes.matrix(pair[1])[b, c]))
    near = squared < staircase.squared_at(longest)
    index = np.column_stack([own[i], own[j], other[b], other[c]])[near]
    for part in classes.blocks(len(index)):
        p0, p1, q0, q1 = (classes.points(column) for column in index[part].T)
        distance, s, t = segment_to_segment(p0, p1, q0, q1)
        length = np.maximum(np.linalg.norm(p1 - p0, axis=1), np.linalg.norm(q1 - q0, axis=1))
        staircase.add(length, distance, index[part], np.column_stack([s, t]))
