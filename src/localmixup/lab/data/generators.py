"""Small data sets that need no file: digits, and the two spirals of section 5.1 in both readings."""

from __future__ import annotations

import numpy as np

from localmixup._validate import check_choice


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's handwritten digits.

    Returns:
        Images, uint8, shape `(1797, 1, 8, 8)`, and classes, shape `(1797,)`.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return (bunch.images * 15.9375).astype(np.uint8)[:, None], bunch.target.astype(np.int64)


def spirals(*, reading: str = "published", per_class: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw two intertwined spirals (section 5.1, Fig. 3), standardised.

    Both make two turns with `r = angle`. The angles are drawn so that the points cover the disc evenly.

    Args:
        reading: `"published"` follows the authors' code and arrays: noise uniform in [0, 0.5) on each axis, and a
            second spiral that is the exact mirror image of the first. `"paper"` follows the text: Gaussian noise of
            standard deviation 1.5, drawn separately for each spiral.
        per_class: number of points per class.
        seed: seed of the draw.

    Returns:
        Points, float32, shape `(2 per_class, 2)`, and classes, shape `(2 per_class,)`.

    Raises:
        ArgumentError: `reading` is neither.
    """
    check_choice("reading", reading, ("published", "paper"))
    rng = np.random.default_rng(seed)

    def arm() -> np.ndarray:
        angle = np.sqrt(rng.random(per_class)) * 4 * np.pi
        return np.stack([-np.cos(angle) * angle, np.sin(angle) * angle], axis=1)

    if reading == "published":
        first = arm() + rng.random((per_class, 2)) * 0.5
        points = np.concatenate([first, -first])
    else:
        points = np.concatenate([arm(), -arm()]) + rng.normal(scale=1.5, size=(2 * per_class, 2))
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    return points.astype(np.float32), np.repeat(np.arange(2), per_class)


def checkerboard(rows: int, *, cells: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points of the square [0, cells]^2, whose class is the colour of their cell.

    Args:
        rows: number of points.
        cells: cells along each side.
        noise: standard deviation of what is added to the points afterwards, in cells.
        seed: seed of the draw.

    Returns:
        Points, shape `(rows, 2)`, and classes, shape `(rows,)`.
    """
    rng = np.random.default_rng(seed)
    points = rng.random((rows, 2)) * cells
    return points + rng.normal(scale=noise, size=points.shape), np.floor(points).sum(axis=1).astype(np.int64) % 2


def spheres(rows: int, *, dimensions: int, classes: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points near concentric spheres of radius 1, 2, ..., one for each class.

    Args:
        rows: number of points.
        dimensions: number of columns.
        classes: number of spheres.
        noise: standard deviation of the radius.
        seed: seed of the draw.

    Returns:
        Points, shape `(rows, dimensions)`, and classes, shape `(rows,)`.
    """
    rng = np.random.default_rng(seed)
    target = rng.integers(classes, size=rows)
    points = rng.normal(size=(rows, dimensions))
    radius = target + 1 + rng.normal(scale=noise, size=rows)
    return points * (radius / np.linalg.norm(points, axis=1))[:, None], target


def waves(rows: int, *, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points of [-3, 3]^2, whose class says on which side of the curve `sin(3 u)` they lie.

    Args:
        rows: number of points.
        noise: standard deviation of what is added to the points afterwards.
        seed: seed of the draw.

    Returns:
        Points, shape `(rows, 2)`, and classes, shape `(rows,)`.
    """
    rng = np.random.default_rng(seed)
    points = rng.uniform(-3, 3, size=(rows, 2))
    target = (points[:, 1] / 2 > np.sin(3 * points[:, 0])).astype(np.int64)
    return points + rng.normal(scale=noise, size=points.shape), target
