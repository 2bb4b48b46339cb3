"""The curve radius -> Q(D): a step function, with the samples behind each step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from localmixup._plotting import axes_or_new
from localmixup._validate import ArgumentError


class Witness(NamedTuple):
    """The two nearest points of two classes behind each step of a curve.

    A point on a segment is `x[i] + t (x[j] - x[i])`.

    Attributes:
        first: indices (i, j) of the ends of the first segment, shape `(steps, 2)`; i = j for a sample.
        first_position: t on the first segment, shape `(steps,)`.
        second: indices of the ends of the second segment, shape `(steps, 2)`.
        second_position: t on the second segment, shape `(steps,)`.
    """

    first: Any
    first_position: Any
    second: Any
    second_position: Any


class LipschitzCurve(NamedTuple):
    """Q(D) as a function of the radius (Theorem 4.6): a non-decreasing step function, continuous from the right.

    Attributes:
        kind: `"point"`, `"segment"` or `"segments"`, see `localmixup.geometry.lipschitz`.
        radius: radius at which each step begins, ascending from 0, shape `(steps,)`.
        distance: smallest distance between two classes from there on, shape `(steps,)`.
        value: Q = 1 / distance, inf if two classes touch, shape `(steps,)`.
        witness: the points at that distance.
        exact_below: the curve is exact for radii below this one; inf if it is exact everywhere. Beyond it, `value` is a
            proved lower bound of Q, and `interval` gives an upper bound too.
        point_to_segment: the exact curve of kind `"segment"`, used for the upper bound; None if this curve is exact.
        hull_distance: a lower bound of the distance between the convex hulls of the classes, used for the upper bound.
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
        """Return Q at one radius or at several.

        Args:
            radius: >= 0; `inf` is mixup.

        Returns:
            A number, or an array of the shape of `radius`.

        Raises:
            ArgumentError: a radius is negative or not a number.
        """
        wanted = np.asarray(radius, dtype=np.float64)
        if np.isnan(wanted).any() or (wanted < 0).any():
            raise ArgumentError(f"radius must be >= 0 (0 is vanilla training, inf is mixup), got {radius!r}")
        found = self.value[np.searchsorted(np.asarray(self.radius), wanted, side="right") - 1]
        return float(found) if np.ndim(radius) == 0 else found

    def interval(self, radius: float = np.inf) -> tuple[float, float]:
        """Return a proved lower and upper bound of Q at a radius; they are equal where the curve is exact.

        Beyond `exact_below`, the pairs of segments that were not searched satisfy `d^2 >= m^2 - radius^2 / 4`, where m
        is the least distance of a sample to a segment of another class (monotonicity of Stewart's formula). Also, no
        segments are nearer than the convex hulls of their classes.

        Args:
            radius: >= 0.
        """
        low = self.at(radius)
        if self.exact or radius < self.exact_below:
            return low, low
        least = max(1 / self.point_to_segment.at(radius) ** 2 - radius**2 / 4, self.hull_distance**2)
        return low, max(low, 1 / np.sqrt(least)) if least > 0 else np.inf

    def plot(self, ax: Any = None) -> Any:
        """Draw Q against the radius.

        Args:
            ax: matplotlib axes to draw on; by default those of a new figure.

        Returns:
            The axes.
        """
        from localmixup.geometry.plots import draw_lipschitz

        ax = axes_or_new(ax)
        draw_lipschitz(ax, self)
        return ax
