"""The scan of `localmixup.geometry.lipschitz.scan` without numba: the same candidates, about a hundred times slower."""

from __future__ import annotations

import numpy as np
import torch

from localmixup.geometry.lipschitz.segments import stewart

ROWS = 1
_BLOCK_VALUES = 8_000_000


def scan(S: np.ndarray, D: np.ndarray, flags: np.ndarray, begin: int, end: int) -> None:
    """Mark the pairs of a probe a and a sample b for which some sample c after b satisfies `s(b) + s(c) < |bc|`.

    Args:
        S: s(.) of the probes in units, rounded down, shape `(p, n)`, int16.
        D: distances |bc| in units, rounded up, shape `(n, n)`, int16.
        flags: set to True for the marked pairs, shape `(p, n)`, bool.
        begin: first column b to scan.
        end: column after the last one.
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
    """Collect the triples of the marked pairs whose distance may be below the limits.

    Args:
        S: as in `scan`.
        D: as in `scan`.
        rows: the marked pairs, shape `(r, 2)`.
        start: first pair to look at.
        limit: squared distance below which a triple counts, by the length |bc| in units.
        row_limit: the same by probe.
        unit: length of one unit.
        floor: H^2, subtracted from the squared distances in S.
        found: where the triples are written, shape `(room, 3)`.

    Returns:
        The number of triples, and the pair to continue with if the room ran out.
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
