"""Q(D), the exact lower bound of the Lipschitz constant of a network that fits its real and virtual samples (Thm 4.6).

With S(radius) the segments between two samples of one class at a distance of at most the radius, samples themselves
included, Q is one over the smallest distance of

- `"point"`: two samples of different classes: vanilla training, no radius in it;
- `"segment"`: a sample and a segment of another class (the paper's Fig. 5);
- `"segments"`: two segments of different classes, both in S(radius): the set of Theorem 4.6 itself.

Q bounds the constant from below only if the network fits all those samples exactly.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from localmixup._arrays import as_tensor
from localmixup._distances import as_features
from localmixup._validate import ArgumentError, check_choice, check_integer, check_number
from localmixup.geometry.checkpoint import Checkpoint
from localmixup.geometry.curve import LipschitzCurve, Witness
from localmixup.geometry.hulls import least_hull_distance
from localmixup.geometry.search import Classes
from localmixup.geometry.segments import point_to_segment, segment_to_segment, squared_between_segments

KINDS = ("point", "segment", "segments")
_PROBES = 4096
_PAIR_BYTES = 600 * 2**20
_BANDS = 100
Progress = Callable[[float, float], object]


def lipschitz_lower_bound(
    x: Any,
    labels: Any,
    *,
    kind: str = "segment",
    n_jobs: int | None = None,
    backend: str = "auto",
    time_limit: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> LipschitzCurve:
    """The whole curve radius -> Q(D) in one pass (Theorem 4.6, Fig. 5), with the samples behind each step.

    Args:
        x: samples, shape `(m, ...)`, finite; distances are Euclidean on the flattened values.
        labels: class of each sample, shape `(m,)`, at least two classes.
        kind: `"point"`, `"segment"` or `"segments"`, see the head of the module.
        n_jobs: threads of the search; None for the cores.
        backend: `"numba"` (the extra `[geometry]`), `"torch"` (the same numbers, slower), or `"auto"`.
        time_limit: seconds after which `"segments"` returns what is proved by then; None for no limit.
        checkpoint: file in which `"segments"` keeps its place, so that the same call goes on from there.
        progress: called with the number of triples of points searched and their number in all.

    Returns:
        The curve, in arrays or, for a tensor, in tensors; exact, but for `"segments"` broken off by `time_limit`, see
        `LipschitzCurve.exact_below`.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, one class only, a checkpoint of other data.

    >>> curve = lipschitz_lower_bound(torch.tensor([[0.0, 0.0], [4.0, 0.0], [2.0, 1.0]]), [0, 0, 1])
    >>> curve.radius, curve.value.round(decimals=4)
    (tensor([0., 4.], dtype=torch.float64), tensor([0.4472, 1.0000], dtype=torch.float64))
    """
    check_choice("kind", kind, KINDS)
    n_jobs = os.cpu_count() or 1 if n_jobs is None else check_integer("n_jobs", n_jobs, low=1)
    limit = np.inf if time_limit is None else check_number("time_limit", time_limit, low=0)
    features, classes = _checked(x, labels)
    found = Classes(features, classes, n_jobs=n_jobs, backend=backend)
    started = time.monotonic()
    told = progress or (lambda done, total: None)
    _nearest_sampled(found)
    if kind == "point":
        _points(found, told)
        return _like(found.staircase.curve(kind), x)
    _segments_of_points(found, told)
    curve = found.staircase.curve("segment")
    if kind == "segment":
        return _like(curve, x)
    saved = None if checkpoint is None else Checkpoint(Path(checkpoint), features, classes)
    hulls = 0.0
    if limit < np.inf and curve.distance[-1] > 0:
        hulls = least_hull_distance([found.points(rows) for rows in found.members])
    exact_below = _pairs_of_segments(found, told, started + limit, saved)
    unfinished = (curve, hulls) if exact_below < np.inf else (None, 0.0)
    return _like(found.staircase.curve(kind, exact_below, *unfinished), x)


def _like(curve: LipschitzCurve, x: Any) -> LipschitzCurve:
    """Tensors where tensors were given."""
    if not isinstance(x, Tensor):
        return curve
    parts: dict[str, Any] = {name: torch.from_numpy(getattr(curve, name)) for name in ("radius", "distance", "value")}
    witness = Witness(*(torch.from_numpy(np.ascontiguousarray(part)) for part in curve.witness))
    return curve._replace(**parts, witness=witness)


def _checked(x: Any, labels: Any) -> tuple[Tensor, np.ndarray]:
    features = as_features(as_tensor(x)).cpu()
    classes = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    if classes.shape != (len(features),):
        raise ArgumentError(f"labels must have one class a sample, shape {(len(features),)}, got {classes.shape}")
    if not bool(torch.isfinite(features).all()):
        row = int((~torch.isfinite(features)).any(dim=1).nonzero()[0])
        raise ArgumentError(f"x must be finite, row {row} is not")
    if len(np.unique(classes)) < 2:
        raise ArgumentError(f"labels must name at least two classes, got {len(np.unique(classes))}")
    if features.numel() and float(features.abs().max()) > 1e12:  # squares would overflow float32
        features = features.double()
    return features, classes


def _pairs_of_classes(found: Classes) -> Iterator[tuple[int, int]]:
    count = len(found.members)
    return ((c, k) for c in range(count) for k in range(c + 1, count))


def _nearest_sampled(found: Classes) -> None:
    """A first threshold from a part of the points: any distance that occurs is an upper bound of the least."""
    for c, k in _pairs_of_classes(found):
        probes = found.members[c][:: max(1, len(found.members[c]) // 256)]
        place = int(found.squares(probes, k, -1).argmin())
        _add_points(found, probes[[place // len(found.members[k])]], found.members[k][[place % len(found.members[k])]])


def _add_points(found: Classes, first: np.ndarray, second: np.ndarray) -> None:
    for part in found.blocks(len(first)):
        a, b = found.points(first[part]), found.points(second[part])
        distance, _ = point_to_segment(a, b, b)
        indices = np.column_stack([first[part], first[part], second[part], second[part]])
        found.staircase.add(np.zeros(len(a)), distance, indices, np.zeros((len(a), 2)))


def _near_points(found: Classes, probes: np.ndarray, k: int, lower: Tensor) -> None:
    """Evaluate the pairs that may be nearer than the nearest known: radius 0 of the curve."""
    least = float(found.staircase.distance[0]) ** 2
    if not lower.numel() or float(lower.min()) > least:
        return
    place = int(lower.argmin())
    _add_points(found, probes[[place // lower.shape[1]]], found.members[k][[place % lower.shape[1]]])
    least = float(found.staircase.distance[0]) ** 2
    rows, columns = (part.numpy() for part in (lower <= least * (1 + 1e-6)).nonzero(as_tuple=True))
    _add_points(found, probes[rows], found.members[k][columns])


def _points(found: Classes, told: Progress) -> None:
    total = sum(len(found.members[c]) * len(found.members[k]) for c, k in _pairs_of_classes(found))
    done = 0
    for c, k in _pairs_of_classes(found):
        for start in range(0, len(found.members[c]), _PROBES):
            probes = found.members[c][start : start + _PROBES]
            _near_points(found, probes, k, found.squares(probes, k, -1))
            done += len(probes) * len(found.members[k])
            told(done, total)


def _segments_of_points(found: Classes, told: Progress) -> None:
    """Every sample against every segment of every other class."""
    sizes = [len(rows) for rows in found.members]
    pairs = [n * (n - 1) // 2 for n in sizes]
    total, done = sum(sizes[c] * pairs[k] + sizes[k] * pairs[c] for c, k in _pairs_of_classes(found)), 0

    def search(S: np.ndarray, probes: np.ndarray, k: int, floor: float) -> None:
        nonlocal done
        found.search(S, k, floor, lambda triples: _add_triples(found, triples, probes, k))
        done += len(probes) * pairs[k]
        told(done, total)

    for c, k in _pairs_of_classes(found):
        both = 2 * sizes[c] * sizes[k] <= _PAIR_BYTES  # one product serves both directions
        whole = np.empty((sizes[c], sizes[k]) if both else (0, 0), dtype=np.int16)
        floor = float(found.staircase.distance[0]) ** 2
        for a, b in ((c, k), (k, c))[: 1 if both else 2]:
            for start in range(0, sizes[a], _PROBES):
                probes = found.members[a][start : start + _PROBES]
                lower = found.squares(probes, b, -1)
                _near_points(found, probes, b, lower)
                S = found.rounded(lower, floor)
                if both:
                    whole[start : start + _PROBES] = S
                else:
                    search(S, probes, b, floor)
        if both:
            search(whole, found.members[c], k, floor)
            search(np.ascontiguousarray(whole.T), found.members[k], c, floor)


def _add_triples(found: Classes, triples: np.ndarray, probes: np.ndarray, k: int) -> None:
    index = np.column_stack([probes[triples[:, 0]], found.members[k][triples[:, 1]], found.members[k][triples[:, 2]]])
    for part in found.blocks(len(index)):
        p, a, b = (found.points(column) for column in index[part].T)
        distance, t = point_to_segment(p, a, b)
        indices = index[part][:, [0, 0, 1, 2]]
        found.staircase.add(np.linalg.norm(b - a, axis=1), distance, indices, np.column_stack([np.zeros(len(t)), t]))


def _pairs_of_segments(found: Classes, told: Progress, deadline: float, saved: Checkpoint | None) -> float:
    """Segments against segments, in order of the length of one of the two; returns where exactness ends.

    A band of lengths after the other is taken as probes, against all pairs of each later class. When a band is done,
    every pair of segments with one length in it is done, so the curve is exact up to its upper end.
    """
    bands = _bands(found)
    sizes = [len(rows) for rows in found.members]
    counts = [[_count(found, c, *band) for c in range(len(sizes))] for band in bands]
    triples = [[n * (n - 1) // 2 for n in sizes][k] for k in range(len(sizes))]
    total = sum(row[c] * triples[k] for row in counts for c, k in _pairs_of_classes(found))
    done, begin = 0, (0, 0)
    if saved is not None:
        begin = saved.load(found.staircase)
    pairs = list(_pairs_of_classes(found))
    for place, band in enumerate(bands):
        for number, (c, k) in enumerate(pairs):
            if (place, number) >= begin:
                floor = float(found.staircase.squared_at(found.shortest(np.array([band[0]])))[0])
                if floor == 0:
                    return np.inf  # segments cross at a smaller radius: there is nothing below 0
                if time.monotonic() >= deadline:
                    return float(found.shortest(np.array([band[0]]))[0])
                _search_band(found, c, k, band, floor)
                if saved is not None:
                    saved.store(found.staircase, (place, number + 1))
            done += counts[place][c] * triples[k]
            told(done, total)
    return np.inf


def _bands(found: Classes) -> list[tuple[int, int]]:
    """Ranges of lengths in units, each with so many probes that the distances of a pair of classes are worth it."""
    classes = range(len(found.members))
    weights = np.zeros(32769)
    for c in classes:
        later = sum(len(found.members[k]) ** 2 / 2 for k in classes if k > c)
        D = found.matrix(c)
        for start in range(0, len(D), 1024):
            weights[:32768] += np.bincount(D[start : start + 1024].ravel(), minlength=32768) * later / 2
    weights[0] = 0  # samples themselves: done as points
    m, d = found.features.shape
    target = max(float(weights.sum()) / _BANDS, 2.0 * m * m * d)
    part = (np.cumsum(weights) // target).astype(int)
    edges = [1, *(np.flatnonzero(np.diff(part)) + 1).tolist(), 32768]
    return [(a, b) for a, b in itertools.pairwise(edges) if weights[a:b].any()]


def _count(found: Classes, c: int, low: int, high: int) -> int:
    D = found.matrix(c)
    parts = (D[start : start + 1024] for start in range(0, len(D), 1024))
    return sum(int(((part >= low) & (part < high)).sum()) for part in parts) // 2


def _search_band(found: Classes, c: int, k: int, band: tuple[int, int], floor: float) -> None:
    D = found.matrix(c)
    between = found.squares(found.members[c], k, 0)
    within = found.squares(found.members[k], k, 0).numpy()
    lower = found.squares(found.members[c], k, -1)
    tiny = 1e-14 if lower.dtype == torch.float64 else 2e-6
    for start in range(0, len(D), 1024):
        i, j = np.nonzero((D[start : start + 1024] >= band[0]) & (D[start : start + 1024] < band[1]))
        upper = i + start < j
        i, j = i[upper] + start, j[upper]
        for first in range(0, len(i), _PROBES):
            ends = i[first : first + _PROBES], j[first : first + _PROBES]
            units = D[ends]
            A, B = (lower[torch.from_numpy(end)] for end in ends)
            s = torch.from_numpy((units.astype(np.float64) * found.unit) ** 2).to(lower.dtype)[:, None]
            # Stewart's formula: lower bounds of A and B and an upper one of s give a lower bound
            slack = (A + B).add_(s).mul_(tiny)
            t = (A - B).add_(s).div_(2 * s.clamp_min(torch.finfo(s.dtype).tiny)).clamp_(0, 1)
            squares = A + (B - A + (t - 1) * s) * t - slack

            def evaluate(triples: np.ndarray, ends: tuple[np.ndarray, np.ndarray] = ends) -> None:
                _add_pairs(found, triples, ends, (c, k), between.numpy(), within)

            found.search(found.rounded(squares, floor), k, floor, evaluate, units)


def _add_pairs(
    found: Classes,
    triples: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    classes: tuple[int, int],
    between: np.ndarray,
    within: np.ndarray,
) -> None:
    """Evaluate pairs of segments: first from squared distances, which leaves few, then from the coordinates."""
    own, other = (found.members[k] for k in classes)
    i, j, b, c = ends[0][triples[:, 0]], ends[1][triples[:, 0]], triples[:, 1], triples[:, 2]
    corners = tuple(between[p, q].astype(np.float64) for p, q in ((i, b), (i, c), (j, b), (j, c)))
    units = found.matrix(classes[0])[i, j]
    uu, vv = np.square(units * found.unit), within[b, c].astype(np.float64)
    # a length that is known less exactly than the other distances: give the probe's own rounding its share
    rounding = 2 * np.sqrt(uu) * found.unit * 1.01
    squared = squared_between_segments(corners, uu, vv) - 1.5 * (rounding + found.error)
    longest = found.shortest(np.maximum(units, found.matrix(classes[1])[b, c]))
    near = squared < found.staircase.squared_at(longest)
    index = np.column_stack([own[i], own[j], other[b], other[c]])[near]
    for part in found.blocks(len(index)):
        p0, p1, q0, q1 = (found.points(column) for column in index[part].T)
        distance, s, t = segment_to_segment(p0, p1, q0, q1)
        length = np.maximum(np.linalg.norm(p1 - p0, axis=1), np.linalg.norm(q1 - q0, axis=1))
        found.staircase.add(length, distance, index[part], np.column_stack([s, t]))
