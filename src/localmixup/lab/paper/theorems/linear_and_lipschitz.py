"""Theorem 4.5 on linear models and Theorem 4.6 on the Lipschitz bound."""

from __future__ import annotations

import numpy as np

from localmixup.geometry import lipschitz_lower_bound
from localmixup.geometry.lipschitz.segments import point_to_segment
from localmixup.lab.paper.theorems.finding import FALSE, HOLDS, Finding, verdict
from localmixup.theory import linear_model


def theorem_4_5() -> Finding:
    """Check that mixup and Local Mixup fit the same linear model."""
    x, y = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0])
    local = (np.abs(x[:, None] - x) <= 1).astype(float)
    found = [linear_model.mixup_coefficients(x, y, W)[0] for W in (np.ones((3, 3)), local)]
    return Finding(
        "Theorem 4.5",
        "for a linear model the optima of mixup and of Local Mixup are equal",
        HOLDS if abs(found[0] - found[1]) < 1e-9 else FALSE,
        f"x = (0, 1, 2), y = (0, 1, 0): intercept {found[0]:.4f} for mixup, {found[1]:.4f} for a radius of 1",
        "mixup with an intercept is least squares; Local Mixup is so only if M maps the span of the design into "
        "itself, or in expectation",
    )


def theorem_4_6() -> Finding:
    """Check that Q(D) does not decrease with the radius."""
    rng = np.random.default_rng(9)
    y = rng.integers(3, size=60)
    x = rng.normal(size=(60, 6)) + 2 * rng.normal(size=(3, 6))[y]
    curve = lipschitz_lower_bound(x, y, kind="segments")
    rises = np.diff(curve.at(np.linspace(0, 12, 400)))
    radius = 1.0
    published = 1 / _smallest_distance_without_samples(x, y, radius)
    return Finding(
        "Theorem 4.6",
        "the lower bound Q(D) of the Lipschitz constant increases with the radius",
        verdict(bool((rises >= 0).all()), corrected=False),
        f"Q never decreases; it rises in {len(curve.radius) - 1} steps from {curve.value[0]:.3f} to "
        f"{curve.value[-1]:.3f} and is constant on {100 * np.mean(rises == 0):.0f} % of the axis",
        "in the weak sense: Q is a step function. The paper's set contains segments of length 0 (i = j); the "
        f"published script drops them, so its Q of {published:.3f} at a radius of {radius:g} is below that of vanilla "
        f"training, {curve.value[0]:.3f}",
    )


def _smallest_distance_without_samples(x: np.ndarray, y: np.ndarray, radius: float) -> float:
    """Return what the published script computes: samples against segments of another class of a length > 0."""
    smallest = np.inf
    for c in np.unique(y):
        rows = np.flatnonzero(y == c)
        j, k = (rows[part] for part in np.triu_indices(len(rows), 1))
        near = np.linalg.norm(x[j] - x[k], axis=1) <= radius
        for p in x[y != c]:
            distances, _ = point_to_segment(np.broadcast_to(p, x[j[near]].shape), x[j[near]], x[k[near]])
            smallest = min(smallest, float(distances.min(initial=np.inf)))
    return smallest
