"""Lower bounds of the distance between the convex hulls of two classes; mixtures within them cannot be nearer."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import numpy as np

from localmixup._optional import require

_MOST = 12_000


def hull_distance_bound(a: np.ndarray, b: np.ndarray, *, iterations: int = 20_000) -> float:
    """Return a lower bound of the distance between two convex hulls: the margin along a separating direction.

    A support vector machine proposes the direction. The margin along it is computed in float64, so the bound holds even
    if the machine did not converge.

    Args:
        a: samples of one class, shape `(n, d)`, float64.
        b: samples of the other class, shape `(k, d)`.
        iterations: largest number of iterations of the machine.

    Returns:
        A distance >= 0; 0 if no separating direction was found.

    >>> round(hull_distance_bound(np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.5], [3.0, 0.0]])), 6)
    2.0
    """
    svm = require("sklearn.svm", "geometry")
    points = np.concatenate([a, b])
    centred = points - points.mean(axis=0)
    scale = float(np.square(centred).sum(axis=1).mean())
    if scale == 0:
        return 0.0
    gram = centred @ centred.T / scale
    signs = np.repeat([1, -1], [len(a), len(b)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about convergence, which does not matter here
        machine = svm.SVC(C=1e8, kernel="precomputed", max_iter=iterations, tol=1e-3).fit(gram, signs)
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
    """Return the smallest of these bounds over all pairs of classes.

    It is 0 for two classes of more than 12,000 samples together, because the machine would need too much memory.

    Args:
        classes: the samples of each class, shape `(n, d)`, float64.
    """
    least = np.inf
    for a, b in itertools.combinations(classes, 2):
        if len(a) + len(b) > _MOST:
            return 0.0
        least = min(least, hull_distance_bound(a, b))
        if least == 0:
            return 0.0
    return float(least)
