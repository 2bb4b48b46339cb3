"""Fill missing values and standardise, by numbers that are measured on some rows only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

CLIP = 10.0
"""Standardised values are cut off at this many standard deviations."""

NEARLY_CONSTANT = 1e-12
"""A standard deviation below this share of the largest value is rounding error; the column becomes zero."""


class Standard(NamedTuple):
    """What was measured on the rows of one run, or side by side on those of R runs.

    Attributes:
        mean: of each column, shape `(1, ...)`; of R runs `(R, 1, ...)`; float64.
        scale: what the difference to it is multiplied by, in the same shape.
        fill: what stands for a missing value, in the same shape; None where none is missing.
    """

    mean: Tensor
    scale: Tensor
    fill: Tensor | None = None

    def to(self, device: torch.device) -> Standard:
        """Return the same on a device."""
        fill = None if self.fill is None else self.fill.to(device)
        return Standard(self.mean.to(device), self.scale.to(device), fill)

    def apply(self, x: Tensor) -> Tensor:
        """Return inputs filled, standardised and cut off at `CLIP`.

        Args:
            x: shape `(n, ...)`; for R runs `(R, n, ...)`, or `(n, ...)` for the same inputs in each.

        Returns:
            float32; for R runs of shape `(R, n, ...)`.
        """
        x = x.double()
        if self.fill is not None:
            x = torch.where(torch.isnan(x), self.fill, x)
        return ((x - self.mean) * self.scale).clamp(-CLIP, CLIP).float()


def side_by_side(standards: Sequence[Standard]) -> Standard:
    """Return the standards of several runs as one."""
    fills = [standard.fill for standard in standards if standard.fill is not None]
    return Standard(
        torch.stack([standard.mean for standard in standards]),
        torch.stack([standard.scale for standard in standards]),
        torch.stack(fills) if fills else None,
    )


def fit(x: np.ndarray, gaps: Sequence[int] = (), categories: Sequence[tuple[int, int]] = ()) -> Standard:
    """Measure rows of a table.

    Args:
        x: shape `(n, ...)`, with NaN where a value is missing.
        gaps: columns in which values are missing in these rows or in others.
        categories: first column and the one after the last of each group of indicators that is filled as a whole.

    >>> standard = fit(np.array([[1.0, np.nan], [3.0, 5.0]]), gaps=[0, 1])
    >>> standard.apply(torch.tensor([[float("nan"), 5.0]]))
    tensor([[0., 0.]])
    """
    fill = fill_values(x, gaps, categories)
    mean, scale, factor = moments(x if fill is None else filled(x, fill), (0,))
    return Standard(
        torch.from_numpy(mean * factor),
        torch.from_numpy(scale / factor),
        None if fill is None else torch.from_numpy(fill),
    )


def fill_values(x: np.ndarray, gaps: Sequence[int], categories: Sequence[tuple[int, int]] = ()) -> np.ndarray | None:
    """Return what stands for missing values: the median of a number, the most frequent category; None without gaps.

    Args:
        x: shape `(n, d)`.
        gaps: see `fit`.
        categories: see `fit`.

    Returns:
        Shape `(1, d)`, float64. A column without any value is filled with zeros.

    >>> x = np.array([[1.0, 0, 1], [5.0, 1, 0], [np.nan, 1, 0], [6.0, np.nan, np.nan]])
    >>> fill_values(x, gaps=[0, 1, 2], categories=[(1, 3)])
    array([[5., 1., 0.]])
    """
    if not gaps:
        return None
    found = np.zeros((1, *x.shape[1:]))
    of_categories = {k for start, stop in categories for k in range(start, stop)}
    for k in gaps:
        some = x[:, k][~np.isnan(x[:, k])]
        if k not in of_categories and len(some):
            found[0, k] = np.median(some)
    for start, stop in categories:
        found[0, start + int(np.nansum(x[:, start:stop], axis=0).argmax())] = 1.0
    return found


def filled(x: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Return the rows with every NaN replaced.

    Args:
        x: shape `(n, ...)`.
        fill: from `fill_values`.
    """
    return np.where(np.isnan(x), fill.astype(x.dtype), x)


def moments(x: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of some rows, the inverse of their standard deviation, and the unit of both.

    Args:
        x: shape `(n, ...)`, finite.
        axes: over which they are measured.

    Returns:
        Mean and inverse deviation of `x / factor`, and `factor`, float64, with one for each column or channel. The
        inverse deviation is 0 where a column varies by rounding error only.
    """
    largest = np.abs(x).max(axis=axes, keepdims=True).astype(np.float64)
    factor = np.ones_like(largest)
    if x.dtype == np.float64:  # squares of huge values would overflow, those of tiny ones vanish
        factor = np.where(largest > 0, largest, 1.0)
        x = x / factor
    mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = x.std(axis=axes, keepdims=True, dtype=np.float64)
    varies = deviation > NEARLY_CONSTANT * largest / factor
    return mean, np.where(varies, 1 / np.where(varies, deviation, 1.0), 0.0), factor
