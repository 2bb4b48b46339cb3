"""Search for the samples nearest to another class, and nearest to a segment of another class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from localmixup.geometry._progress import Progress
from localmixup.geometry.lipschitz.scan import Search
from localmixup.geometry.lipschitz.segments import point_to_segment

_PROBES = 4096
_PAIR_BYTES = 600 * 2**20  # up to this size the distances of two classes are kept for both directions


def add_sampled_pairs(search: Search) -> None:
    """Find a first threshold from some of the samples: any distance that occurs is an upper bound of the smallest.

    Args:
        search: gets one pair of samples per pair of classes.
    """
    classes = search.classes
    for c, k in classes.pairs():
        probes = classes.members[c][:: max(1, len(classes.members[c]) // 256)]
        row, column = divmod(int(classes.squares(probes, k, -1).argmin()), len(classes.members[k]))
        _add_pairs(search, probes[[row]], classes.members[k][[column]])


def search_samples(search: Search) -> Iterator[Progress]:
    """Search every sample against every sample of every other class (kind `"point"`).

    Args:
        search: gets the nearest pair.
    """
    members, pairs = search.classes.members, search.classes.pairs()
    total, done = sum(len(members[c]) * len(members[k]) for c, k in pairs), 0
    for c, k in pairs:
        for start in range(0, len(members[c]), _PROBES):
            probes = members[c][start : start + _PROBES]
            _add_nearest_pairs(search, probes, k, search.classes.squares(probes, k, -1))
            done += len(probes) * len(members[k])
            yield Progress(done, total)


def search_segments_of_samples(search: Search) -> Iterator[Progress]:
    """Search every sample against every segment of every other class (kind `"segment"`).

    Args:
        search: gets the steps of the curve.
    """
    classes, members = search.classes, search.classes.members
    sizes = [len(rows) for rows in members]
    segments = [n * (n - 1) // 2 for n in sizes]
    total = sum(sizes[c] * segments[k] + sizes[k] * segments[c] for c, k in classes.pairs())
    done = 0
    for c, k in classes.pairs():
        floor = float(search.staircase.distance[0]) ** 2
        for probes, other, S in _rounded_distances(search, c, k, floor):
            for triples in search.candidates(S, other, floor):
                _add_triples(search, triples, probes, other)
            done += len(probes) * segments[other]
            yield Progress(done, total)


def _rounded_distances(search: Search, c: int, k: int, floor: float) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
    """Yield probes, the other class, and s(.) of their distances; evaluate the nearest pairs of samples on the way."""
    classes, members = search.classes, search.classes.members
    both = 2 * len(members[c]) * len(members[k]) <= _PAIR_BYTES  # one product serves both directions
    whole = np.empty((len(members[c]), len(members[k])) if both else (0, 0), dtype=np.int16)
    for a, b in ((c, k),) if both else ((c, k), (k, c)):
        for start in range(0, len(members[a]), _PROBES):
            probes = members[a][start : start + _PROBES]
            lower = classes.squares(probes, b, -1)
            _add_nearest_pairs(search, probes, b, lower)
            S = classes.rounded(lower, floor)
            if both:
                whole[start : start + _PROBES] = S
            else:
                yield probes, b, S
    if both:
        yield members[c], k, whole
        yield members[k], c, np.ascontiguousarray(whole.T)


def _add_nearest_pairs(search: Search, probes: np.ndarray, k: int, lower: Tensor) -> None:
    """Evaluate the pairs of samples that may be nearer than the nearest known one: radius 0 of the curve."""
    least = float(search.staircase.distance[0]) ** 2
    if not lower.numel() or float(lower.min()) > least:
        return
    others = search.classes.members[k]
    row, column = divmod(int(lower.argmin()), lower.shape[1])
    _add_pairs(search, probes[[row]], others[[column]])
    least = float(search.staircase.distance[0]) ** 2
    rows, columns = (part.numpy() for part in (lower <= least * (1 + 1e-6)).nonzero(as_tuple=True))
    _add_pairs(search, probes[rows], others[columns])


def _add_pairs(search: Search, first: np.ndarray, second: np.ndarray) -> None:
    """Evaluate pairs of samples from their coordinates."""
    classes = search.classes
    for part in classes.blocks(len(first)):
        a, b = classes.points(first[part]), classes.points(second[part])
        distance, _ = point_to_segment(a, b, b)
        indices = np.column_stack([first[part], first[part], second[part], second[part]])
        search.staircase.add(np.zeros(len(a)), distance, indices, np.zeros((len(a), 2)))


def _add_triples(search: Search, triples: np.ndarray, probes: np.ndarray, k: int) -> None:
    """Evaluate samples and segments from their coordinates."""
    classes, others = search.classes, search.classes.members[k]
    index = np.column_stack([probes[triples[:, 0]], others[triples[:, 1]], others[triples[:, 2]]])
    for part in classes.blocks(len(index)):
        p, a, b = (classes.points(column) for column in index[part].T)
        distance, t = point_to_segment(p, a, b)
        positions = np.column_stack([np.zeros(len(t)), t])
        search.staircase.add(np.linalg.norm(b - a, axis=1), distance, index[part][:, [0, 0, 1, 2]], positions)
