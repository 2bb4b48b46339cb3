"""Gather the steps of the curve radius -> Q(D) while a search finds them."""

from __future__ import annotations

from typing import Any

import numpy as np

from localmixup.geometry.lipschitz.curve import LipschitzCurve, Witness

_ROUNDING = 1e-13  # a step must be lower than the one before by more than this share


class Staircase:
    """The running minimum of distances over the radius, with the segments that attain it.

    Attributes:
        radius: radius at which each step begins, ascending, shape `(s,)`.
        distance: smallest distance from there on, descending, shape `(s,)`.
        indices: ends of the first and of the second segment, shape `(s, 4)`.
        positions: positions of the nearest points on both, shape `(s, 2)`.
    """

    def __init__(self) -> None:
        self.radius, self.distance = np.zeros(0), np.zeros(0)
        self.indices, self.positions = np.zeros((0, 4), dtype=np.int64), np.zeros((0, 2))

    def add(self, radius: np.ndarray, distance: np.ndarray, indices: np.ndarray, positions: np.ndarray) -> None:
        """Add pairs of segments and keep those that lower the minimum; of equal ones the lowest indices stay.

        Args:
            radius: smallest radius at which each pair counts, shape `(r,)`.
            distance: distance of its two segments, shape `(r,)`.
            indices: ends of the first and of the second segment, shape `(r, 4)`.
            positions: positions of the nearest points on both, shape `(r, 2)`.
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
        """Return the square of the smallest distance known at each radius; inf if none is known.

        Args:
            radius: any shape.
        """
        padded = np.concatenate([[np.inf], self.distance**2])
        return padded[np.searchsorted(self.radius, radius, side="right")]

    def curve(
        self, kind: str, exact_below: float = np.inf, point_to_segment: Any = None, hull_distance: float = 0.0
    ) -> LipschitzCurve:
        """Return the curve found so far.

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
