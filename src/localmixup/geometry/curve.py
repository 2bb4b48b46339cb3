"""The curve radius -> Q(D) as an exact staircase, and how it is gathered."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from localmixup._validate import ArgumentError

_ROUNDING = 1e-13  # a step must be lower than the one before by more than this share


class Witness(NamedTuple):
    """The two nearest places of two classes behind each step of a curve: `x[i] + t (x[j] - x[i])` on either side.

    Attributes:
        first: indices (i, j) of the ends on the one side, shape `(steps, 2)`; i = j for a point.
        first_position: t on it, shape `(steps,)`.
        second: indices of the ends on the other side, shape `(steps, 2)`.
        second_position: t on it, shape `(steps,)`.
    """

    first: Any
    first_position: Any
    second: Any
    second_position: Any


class LipschitzCurve(NamedTuple):
    """Q(D) as a function of the radius (Theorem 4.6): a non-decreasing step function, continuous from the right.

    Attributes:
        kind: `"point"`, `"segment"` or `"segments"`.
        radius: where each step begins, ascending from 0, shape `(steps,)`.
        distance: smallest distance of two classes from there on, shape `(steps,)`.
        value: Q = 1 / distance, inf where two classes touch, shape `(steps,)`.
        witness: what lies at that distance.
        exact_below: the curve is exact for radii below this one, inf if it is exact everywhere; beyond it, `value` is
            a proved lower bound of Q and `interval` gives an upper bound too.
        point_to_segment: the exact curve of kind `"segment"`, for the bounds; None where it is this curve itself.
        hull_distance: a lower bound of the distance of the classes' convex hulls, for the bounds.
    """

    kind: str
    radius: Any
    distance: Any
    value: Any
    witness: Witness
    exact_below: float = np.inf
    point_to_segment: Any = None
    hull_distance: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether the curve is exact at every radius."""
        return self.exact_below == np.inf

    def at(self, radius: Any) -> Any:
        """Q at one radius or at several.

        Args:
            radius: >= 0; `inf` for mixup.

        Returns:
            A number, or an array of the shape of `radius`.

        Raises:
            ValueError: a radius that is negative or not a number.
        """
        wanted = np.asarray(radius, dtype=np.float64)
        if np.isnan(wanted).any() or (wanted < 0).any():
            raise ArgumentError(f"radius must be >= 0 (0 is vanilla training, inf is mixup), got {radius!r}")
        found = self.value[np.searchsorted(np.asarray(self.radius), wanted, side="right") - 1]
        return float(found) if np.ndim(radius) == 0 else found

    def interval(self, radius: float = np.inf) -> tuple[float, float]:
        """What is proved of Q at a radius: a lower and an upper bound, equal where the curve is exact.

        Beyond `exact_below`, the pairs of segments that are left satisfy `d^2 >= m^2 - radius^2 / 4`, m being the
        least distance of a point to a segment of another class (monotonicity of Stewart's formula), and no segments
        are nearer than the convex hulls of their classes.

        Args:
            radius: >= 0.
        """
        low = self.at(radius)
        if self.exact or radius < self.exact_below:
            return low, low
        least = max(1 / self.point_to_segment.at(radius) ** 2 - radius**2 / 4, self.hull_distance**2)
        return low, max(low, 1 / np.sqrt(least)) if least > 0 else np.inf

    def plot(self, ax: Any = None) -> Any:
        """Draw the curve with matplotlib.

        Args:
            ax: axes to draw on; new ones by default.

        Returns:
            The axes.
        """
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(figsize=(6, 3.6), layout="constrained").add_subplot()
        end = max(1.0, 1.15 * float(self.radius[-1]))
        ax.step([*map(float, self.radius), end], [*map(float, self.value), float(self.value[-1])], where="post")
        ax.set(xlabel="radius", ylabel="Q(D)", xlim=(0, end), ylim=(0, None))
        return ax


class Staircase:
    """Gathers segments with their distances and keeps those that lower the running minimum over the radius."""

    def __init__(self) -> None:
        self.radius, self.distance = np.zeros(0), np.zeros(0)
        self.indices, self.positions = np.zeros((0, 4), dtype=np.int64), np.zeros((0, 2))

    def add(self, radius: np.ndarray, distance: np.ndarray, indices: np.ndarray, positions: np.ndarray) -> None:
        """Take in candidates and drop all that are now dominated; of equals the lowest indices stay.

        Args:
            radius: from which on each candidate counts, shape `(r,)`.
            distance: of its two places, shape `(r,)`.
            indices: ends of the first and of the second segment, shape `(r, 4)`.
            positions: on both, shape `(r, 2)`.
        """
        radius, distance = np.concatenate([self.radius, radius]), np.concatenate([self.distance, distance])
        indices, positions = np.concatenate([self.indices, indices]), np.concatenate([self.positions, positions])
        order = np.lexsort((*indices.T[::-1], distance, radius))
        running = np.minimum.accumulate(distance[order])
        steps = order[np.concatenate([[True], running[1:] < running[:-1]])] if len(order) else order
        kept: list[int] = []
        for step in steps:
            if not kept or distance[step] < distance[kept[-1]] * (1 - _ROUNDING):
                kept.append(int(step))
        steps = np.array(kept, dtype=np.int64)
        self.radius, self.distance = radius[steps], distance[steps]
        self.indices, self.positions = indices[steps], positions[steps]

    def squared_at(self, radius: np.ndarray) -> np.ndarray:
        """Square of the smallest distance known at each radius; inf where nothing is known.

        Args:
            radius: any shape.
        """
        padded = np.concatenate([[np.inf], self.distance**2])
        return padded[np.searchsorted(self.radius, radius, side="right")]

    def curve(
        self, kind: str, exact_below: float = np.inf, point_to_segment: Any = None, hull_distance: float = 0.0
    ) -> LipschitzCurve:
        """The curve of what was gathered.

        Args:
            kind: see `LipschitzCurve`.
            exact_below: see `LipschitzCurve`.
            point_to_segment: see `LipschitzCurve`.
            hull_distance: see `LipschitzCurve`.
        """
        with np.errstate(divide="ignore"):
            value = 1 / self.distance
        first, second = self.indices[:, :2], self.indices[:, 2:]
        witness = Witness(first, self.positions[:, 0], second, self.positions[:, 1])
        return LipschitzCurve(
            kind, self.radius, self.distance, value, witness, exact_below, point_to_segment, hull_distance
        )
