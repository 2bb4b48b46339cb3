"""The same search without numba: the same candidates, some hundred times slower."""

from __future__ import annotations

import numpy as np
import torch

from localmixup.geometry.segments import stewart

ROWS = 1
_BLOCK_VALUES = 8_000_000


def scan(S: np.ndarray, D: np.ndarray, flags: np.ndarray, begin: int, end: int) -> None:
    """Mark the pairs of a sample `a` and a first end `b` for which some second end can give a triangle worth a look.

    Args:
        S: rounded distances of samples to the ends, shape `(rows, n)`, int16.
        D: rounded distances of the ends to each other, shape `(n, n)`, int16.
        flags: set where a pair is marked, shape `(rows, n)`, bool.
        begin: first of the columns `b` to look at.
        end: the one behind the last.
    """
    rows, lines = torch.from_numpy(S), torch.from_numpy(D)
    for b in range(begin, end):
        step = max(1, _BLOCK_VALUES // max(1, S.shape[1] - b))
        for a in range(0, len(S), step):
            part = rows[a : a + step, b:]
            flags[a : a + step, b] = ((part - lines[b, b:]).amin(dim=1).int() + part[:, 0].int() < 0).numpy()


def collect(
    S: np.ndarray,
    D: np.ndarray,
    rows: np.ndarray,
    start: int,
    limit: np.ndarray,
    row_limit: np.ndarray,
    unit: float,
    floor: float,
    found: np.ndarray,
) -> tuple[int, int]:
    """Write down the triples of the marked pairs whose bound lies below the limits.

    Args:
        S: as in `scan`.
        D: as in `scan`.
        rows: the marked pairs, shape `(p, 2)`.
        start: the first of them to look at.
        limit: squared distance below which a triple counts, by rounded radius.
        row_limit: the same by sample.
        unit: what one step of the rounded distances is worth.
        floor: least squared distance of a sample to an end.
        found: where the triples go, shape `(room, 3)`.

    Returns:
        How many were written, and the pair to go on from where the room is used up.
    """
    count, n = 0, S.shape[1]
    for r in range(start, len(rows)):
        a, b = rows[r]
        if count + n > len(found):
            return count, r
        line, far = S[a, b + 1 :].astype(np.int64), D[b, b + 1 :].astype(np.int64)
        low = int(S[a, b])
        c = np.flatnonzero(low + line < far)
        A = floor + (low * unit) ** 2 if low > 0 else 0.0
        B = np.where(line[c] > 0, floor + (line[c] * unit) ** 2, 0.0)
        s = (far[c] * unit) ** 2
        bound = np.maximum(0.0, stewart(np.full(len(c), A), B, s) - 1e-12 * (A + B + s))
        c = c[(bound < limit[far[c]]) & (bound < row_limit[a])]
        found[count : count + len(c)] = np.column_stack([np.full(len(c), a), np.full(len(c), b), c + b + 1])
        count += len(c)
    return count, len(rows)
