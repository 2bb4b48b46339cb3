"""Distances of points and segments in float64: from coordinates, and from squared distances alone."""

from __future__ import annotations

import numpy as np

_EPS = float(np.finfo(np.float64).eps)


def stewart(A: np.ndarray, B: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return the squared distance of a point to a segment from squared distances alone (Stewart's theorem).

    This is the minimum over t in [0, 1] of `(1 - t) A + t B - t (1 - t) s`. It does not decrease if A or B grows or s
    shrinks. So lower bounds of A and B and an upper bound of s give a lower bound of the distance.

    Args:
        A: squared distance of the point to one end.
        B: squared distance to the other end.
        s: squared length of the segment.

    Returns:
        The broadcast shape of the three, >= 0.

    >>> float(stewart(np.array(2.0), np.array(2.0), np.array(4.0)))
    1.0
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(s > 0, np.clip((A + s - B) / (2 * s), 0, 1), np.where(A <= B, 0.0, 1.0))
    value: np.ndarray = np.maximum(0.0, (1 - t) * A + t * B - t * (1 - t) * s)
    return value


def point_to_segment(p: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances of points to segments, and the nearest position on each segment.

    Args:
        p: points, shape `(r, d)`.
        a: one end of each segment, shape `(r, d)`.
        b: the other end, shape `(r, d)`; a segment of length 0 (a = b) is a point.

    Returns:
        Distances and positions t in [0, 1], shape `(r,)` each; `a + t (b - a)` is the nearest point. A distance within
        the rounding error is 0.

    >>> point_to_segment(np.array([[1.0, 1.0]]), np.array([[0.0, 0.0]]), np.array([[2.0, 0.0]]))
    (array([1.]), array([0.5]))
    """
    u, w = b - a, p - a
    length = np.einsum("ij,ij->i", u, u)
    t = np.clip(np.einsum("ij,ij->i", w, u) / np.where(length > 0, length, 1.0), 0, 1)
    return _norm(w - t[:, None] * u, p, a, b), t


def segment_to_segment(
    p0: np.ndarray, p1: np.ndarray, q0: np.ndarray, q1: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distances of pairs of segments, and the nearest positions on both.

    The distance is the smallest of five: from each of the four ends to the other segment, and between the stationary
    points inside. Parallel segments and segments of length 0 have their minimum on the boundary, so these five suffice.

    Args:
        p0: one end of the first segments, shape `(r, d)`.
        p1: the other end.
        q0: one end of the second segments.
        q1: the other end.

    Returns:
        Distances and the positions on the first and on the second segment, shape `(r,)` each.
    """
    u, v, w = p1 - p0, q1 - q0, p0 - q0
    uu, vv, uv = (np.einsum("ij,ij->i", *pair) for pair in ((u, u), (v, v), (u, v)))
    uw, vw = np.einsum("ij,ij->i", u, w), np.einsum("ij,ij->i", v, w)
    # without the components along u: the determinant of the normal equations would lose the angle of near parallels
    along = (uv / np.where(uu > 0, uu, 1.0))[:, None], (uw / np.where(uu > 0, uu, 1.0))[:, None]
    v_across, w_across = v - along[0] * u, w - along[1] * u
    across = np.einsum("ij,ij->i", v_across, v_across)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        inside_t = np.einsum("ij,ij->i", w_across, v_across) / across
        inside_s = (inside_t * uv - uw) / uu

        def on(numerator: np.ndarray, squared: np.ndarray) -> np.ndarray:
            return np.clip(np.where(squared > 0, numerator / np.where(squared > 0, squared, 1), 0.0), 0, 1)

    zero, one = np.zeros_like(uu), np.ones_like(uu)
    cases = [
        (np.clip(np.nan_to_num(inside_s), 0, 1), np.clip(np.nan_to_num(inside_t), 0, 1)),
        (zero, on(vw, vv)),
        (one, on(vw + uv, vv)),
        (on(-uw, uu), zero),
        (on(uv - uw, uu), one),
    ]
    found = [_norm(w + s[:, None] * u - t[:, None] * v, p0, p1, q0, q1) for s, t in cases]
    best = np.argmin(found, axis=0)
    rows = np.arange(len(best))
    pick = [np.stack(parts)[best, rows] for parts in (found, [c[0] for c in cases], [c[1] for c in cases])]
    return pick[0], pick[1], pick[2]


def squared_between_segments(corners: tuple[np.ndarray, ...], uu: np.ndarray, vv: np.ndarray) -> np.ndarray:
    """Return the squared distance of two segments from squared distances alone.

    An error of at most delta in each of the six inputs changes the result by at most 1.5 delta.

    Args:
        corners: squared distances of the ends `|p0 - q0|^2, |p0 - q1|^2, |p1 - q0|^2, |p1 - q1|^2`.
        uu: squared length of the first segment.
        vv: squared length of the second segment.

    Returns:
        The shape of the inputs, >= 0.
    """
    A00, A01, A10, A11 = corners
    uv, uw, vw = (A01 + A10 - A00 - A11) / 2, (A10 - A00 - uu) / 2, (A00 + vv - A01) / 2
    determinant = uu * vv - uv * uv
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        s = np.clip(np.nan_to_num((uv * vw - vv * uw) / determinant), 0, 1)
        t = np.clip(np.nan_to_num((uu * vw - uv * uw) / determinant), 0, 1)
    inside = (1 - s) * (1 - t) * A00 + s * (1 - t) * A10 + (1 - s) * t * A01 + s * t * A11
    inside -= s * (1 - s) * uu + t * (1 - t) * vv
    edges = (stewart(A00, A01, vv), stewart(A10, A11, vv), stewart(A00, A10, uu), stewart(A01, A11, uu))
    value: np.ndarray = np.maximum(0.0, np.minimum.reduce([inside, *edges]))
    return value


def _norm(residual: np.ndarray, *ends: np.ndarray) -> np.ndarray:
    """Return the length of residuals, 0 if it is within the rounding error, so that touching segments count as such."""
    distance: np.ndarray = np.linalg.norm(residual, axis=1)
    size = np.max([np.abs(end).max(axis=1, initial=0) for end in ends], axis=0)
    return np.where(distance <= 4 * _EPS * size * np.sqrt(residual.shape[1]), 0.0, distance)
