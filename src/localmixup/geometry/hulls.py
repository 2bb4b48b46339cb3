"""How far apart the convex hulls of two classes are, at the least: no mixtures within them can be nearer."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import numpy as np

_MOST = 12_000


def hull_distance_bound(a: np.ndarray, b: np.ndarray, *, iterations: int = 20_000) -> float:
    """A lower bound of the distance of two convex hulls: the margin of a separating direction.

    A support vector machine proposes the direction; the margin along it is taken in float64, so the bound holds
    however far the machine got.

    Args:
        a: points of one class, shape `(n, d)`, float64.
        b: points of the other, shape `(k, d)`.
        iterations: of the machine, at the most.

    Returns:
        A distance >= 0; 0 where no separating direction was found.

    >>> round(hull_distance_bound(np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.5], [3.0, 0.0]])), 6)
    2.0
    """
    from sklearn.svm import SVC

    points = np.concatenate([a, b])
    centred = points - points.mean(axis=0)
    scale = float(np.square(centred).sum(axis=1).mean())
    if scale == 0:
        return 0.0
    gram = centred @ centred.T / scale
    signs = np.repeat([1, -1], [len(a), len(b)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not converge: the margin is what counts
        machine = SVC(C=1e8, kernel="precomputed", max_iter=iterations, tol=1e-3).fit(gram, signs)
    direction: np.ndarray = machine.dual_coef_[0] @ centred[machine.support_]
    length = float(np.linalg.norm(direction))
    if not 0 < length < np.inf:
        return 0.0
    along = centred @ direction / length
    own, other = along[: len(a)], along[len(a) :]
    margin = float(max(own.min() - other.max(), other.min() - own.max()))
    rounding: float = 4 * float(np.finfo(np.float64).eps) * centred.shape[1] * float(np.abs(along).max())
    return max(0.0, margin - rounding)


def least_hull_distance(classes: Sequence[np.ndarray]) -> float:
    """The least of these bounds over all pairs of classes; 0 as soon as one is.

    Two classes of more than 12,000 samples in all are taken for overlapping: the machine would need too much memory.

    Args:
        classes: the points of each, shape `(n, d)`, float64.
    """
    least = np.inf
    for a, b in itertools.combinations(classes, 2):
        if len(a) + len(b) > _MOST:
            return 0.0
        least = min(least, hull_distance_bound(a, b))
        if least == 0:
            return 0.0
    return float(least)
