"""Small data sets whose geometry is known."""

import numpy as np


def rings(n=200, seed=0):
    """A ring of one class around a disc of another."""
    rng = np.random.default_rng(seed)
    angle, y = rng.uniform(0, 2 * np.pi, n), np.arange(n) % 2
    length = np.where(y == 0, rng.uniform(3.0, 3.3, n), np.sqrt(rng.uniform(0, 1.5, n)))
    return np.column_stack([length * np.cos(angle), length * np.sin(angle)]), y


def blobs(n=150, classes=2, seed=0):
    """Convex blobs, far apart."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    return rng.uniform(-1, 1, size=(n, 3)) + 20 * np.eye(classes, 3)[y], y
