"""Bounds of the distance between convex hulls against a quadratic program."""

import numpy as np
from scipy.optimize import minimize

from localmixup.geometry.lipschitz.hulls import hull_distance_bound, least_hull_distance


def test_convex_hulls_bound_every_mixture():
    rng = np.random.default_rng(0)
    for apart, least in ((3.0, 0.5), (0.0, 0.0)):
        a, b = rng.normal(size=(9, 4)), rng.normal(size=(7, 4)) + apart
        start = np.concatenate([np.full(9, 1 / 9), np.full(7, 1 / 7)])
        sums = [{"type": "eq", "fun": lambda w: w[:9].sum() - 1}, {"type": "eq", "fun": lambda w: w[9:].sum() - 1}]
        solved = minimize(
            lambda w, a=a, b=b: np.square(w[:9] @ a - w[9:] @ b).sum(), start, bounds=[(0, 1)] * 16, constraints=sums
        )
        exact, bound = np.sqrt(max(0.0, solved.fun)), hull_distance_bound(a, b)
        assert least <= bound <= exact * (1 + 1e-4) + 1e-6
        assert bound >= 0.98 * exact - 1e-2
    assert least_hull_distance([a, a + 20, a - 20]) > 1
    assert least_hull_distance([a, a + 20, a + 20.1]) == 0
