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


def stripes(rows: int, *, dimensions: int, count: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points of the unit cube, cut into stripes across its diagonal that belong to two classes by turns.

    Args:
        rows: number of points.
        dimensions: number of columns.
        count: number of stripes.
        noise: standard deviation of what is added to the points afterwards.
        seed: seed of the draw.

    Returns:
        Points, shape `(rows, dimensions)`, and classes, shape `(rows,)`.
    """
    rng = np.random.default_rng(seed)
    points = rng.random((rows, dimensions))
    target = np.floor(points.mean(axis=1) * count).astype(np.int64) % 2
    return points + rng.normal(scale=noise, size=points.shape), target


def parity(rows: int, *, signs: int, dimensions: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points of the cube [-1, 1]^d, whose class says whether an odd number of the first columns is positive.

    Args:
        rows: number of points.
        signs: number of columns that count.
        dimensions: number of columns.
        seed: seed of the draw.

    Returns:
        Points, shape `(rows, dimensions)`, and classes, shape `(rows,)`.
    """
    points = np.random.default_rng(seed).uniform(-1, 1, size=(rows, dimensions))
    return points, (points[:, :signs] > 0).sum(axis=1).astype(np.int64) % 2


def pinwheel(rows: int, *, arms: int, turn: float, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points near arms that leave the origin and bend, one for each class.

    Args:
        rows: number of points.
        arms: number of arms.
        turn: angle by which an arm turns from its beginning to its end, in radians.
        noise: standard deviation of what is added to the points afterwards; an arm is 1 long.
        seed: seed of the draw.

    Returns:
        Points, shape `(rows, 2)`, and classes, shape `(rows,)`.
    """
    rng = np.random.default_rng(seed)
    target, radius = rng.integers(arms, size=rows), rng.uniform(0.1, 1, size=rows)
    angle = 2 * np.pi * target / arms + turn * radius
    points = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points + rng.normal(scale=noise, size=points.shape), target


def helices(rows: int, *, turns: float, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw points near two helices in three dimensions that wind around each other, one for each class.

    Args:
        rows: number of points.
        turns: number of turns.
        noise: standard deviation of what is added to the points afterwards; the radius is 1.
        seed: seed of the draw.

    Returns:
        Points, shape `(rows, 3)`, and classes, shape `(rows,)`.
    """
    rng = np.random.default_rng(seed)
    target, along = rng.integers(2, size=rows), rng.random(rows)
    angle = np.pi * target + 2 * np.pi * turns * along
    points = np.column_stack([np.cos(angle), np.sin(angle), 4 * along])
    return points + rng.normal(scale=noise, size=points.shape), target


def linear(rows: int, *, dimensions: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw normal points, whose class says on which side of a plane they lie, with noise across it.

    Args:
        rows: number of points.
        dimensions: number of columns.
        noise: standard deviation of the noise; the points have 1 in every direction.
        seed: seed of the draw.

    Returns:
        Points, shape `(rows, dimensions)`, and classes, shape `(rows,)`.
    """
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(rows, dimensions))
    across = points.sum(axis=1) / np.sqrt(dimensions) + noise * rng.normal(size=rows)
    return points, (across > 0).astype(np.int64)


def waveform(rows: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw Breiman's waveforms: 21 columns, each class a random mixture of two of three triangles, with noise.

    Args:
        rows: number of points.
        seed: seed of the draw.

    Returns:
        Points, shape `(rows, 21)`, and classes, shape `(rows,)`.
    """
    rng = np.random.default_rng(seed)
    columns = np.arange(1, 22)
    triangles = np.stack([np.maximum(6 - np.abs(columns - peak), 0) for peak in (11, 15, 7)])
    target, share = rng.integers(3, size=rows), rng.random((rows, 1))
    first, second = np.array([[0, 1], [0, 2], [1, 2]])[target].T
    clean = share * triangles[first] + (1 - share) * triangles[second]
    return clean + rng.normal(size=clean.shape), target
