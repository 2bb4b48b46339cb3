"""The scan of `localmixup.geometry.lipschitz.scan` compiled by numba; `_torch_scan` documents the functions."""

from __future__ import annotations

import numpy as np
from numba import njit

ROWS = 4  # rows of S that one pass over a line of D serves; the caller pads to a multiple


@njit(nogil=True, cache=True)
def _lines(s0, s1, s2, s3, d, e, out):  # type: ignore[no-untyped-def]
    m0 = m1 = m2 = m3 = p0 = p1 = p2 = p3 = np.int16(32767)
    for c in range(d.shape[0]):
        x = d[c]
        y = e[c]
        v = np.int16(s0[c] - x)
        m0 = v if v < m0 else m0
        v = np.int16(s1[c] - x)
        m1 = v if v < m1 else m1
        v = np.int16(s2[c] - x)
        m2 = v if v < m2 else m2
        v = np.int16(s3[c] - x)
        m3 = v if v < m3 else m3
        v = np.int16(s0[c] - y)
        p0 = v if v < p0 else p0
        v = np.int16(s1[c] - y)
        p1 = v if v < p1 else p1
        v = np.int16(s2[c] - y)
        p2 = v if v < p2 else p2
        v = np.int16(s3[c] - y)
        p3 = v if v < p3 else p3
    out[0], out[1], out[2], out[3] = m0, m1, m2, m3
    out[4], out[5], out[6], out[7] = p0, p1, p2, p3


@njit(nogil=True, cache=True)
def scan(S, D, flags, begin, end):  # type: ignore[no-untyped-def]
    """Mark pairs of probes and samples; see `_torch_scan.scan`."""
    out = np.empty(8, np.int16)
    n = S.shape[1]
    for a in range(0, S.shape[0], 4):
        for b in range(begin, end, 2):
            after = min(b + 1, n - 1)
            # the second line starts at b too: its first entry repeats a pair of the first line, which does no harm
            _lines(S[a, b:], S[a + 1, b:], S[a + 2, b:], S[a + 3, b:], D[b, b:], D[after, b:], out)
            for k in range(4):
                flags[a + k, b] = out[k] + S[a + k, b] < 0
                if b + 1 < n:
                    flags[a + k, b + 1] = out[k + 4] + S[a + k, b + 1] < 0


@njit(nogil=True, cache=True)
def collect(S, D, rows, start, limit, row_limit, unit, floor, found):  # type: ignore[no-untyped-def]
    """Collect the triples of the marked pairs; see `_torch_scan.collect`."""
    count = 0
    n = S.shape[1]
    for r in range(start, rows.shape[0]):
        a, b = rows[r, 0], rows[r, 1]
        if count + n > found.shape[0]:
            return count, r
        low = S[a, b]
        A = floor + (low * unit) ** 2 if low > 0 else 0.0
        for c in range(b + 1, n):
            if low + S[a, c] < D[b, c]:
                B = floor + (S[a, c] * unit) ** 2 if S[a, c] > 0 else 0.0
                s = (D[b, c] * unit) ** 2
                t = (A + s - B) / (2 * s)
                t = 0.0 if t < 0.0 else (1.0 if t > 1.0 else t)
                bound = (1 - t) * A + t * B - t * (1 - t) * s - 1e-12 * (A + B + s)
                if bound < 0.0:
                    bound = 0.0
                if bound < limit[D[b, c]] and bound < row_limit[a]:
                    found[count, 0] = a
                    found[count, 1] = b
                    found[count, 2] = c
                    count += 1
    return count, rows.shape[0]
