"""Rates of weighted samples, with confidence intervals."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

_Z = 1.959964  # of a 95 % interval


class Rate(NamedTuple):
    """A rate with its 95 % confidence interval; all NaN if no pair has a positive weight.

    Attributes:
        value: in [0, 1].
        low: lower end of the interval.
        high: upper end of the interval. Both ends equal `value` when all pairs were tried.
    """

    value: float
    low: float
    high: float


class Rates(NamedTuple):
    """How often virtual samples go wrong, each weighted by the weight W of its pair.

    Attributes:
        intrusion: rate of intruding samples.
        contradiction: rate of contradicting samples.
        disagreement: mean disagreement.
        mean_weight: mean of W over all pairs of this kind.
        n_effective: Kish's effective number of virtual samples, `(sum w)^2 / sum w^2`.
    """

    intrusion: Rate
    contradiction: Rate
    disagreement: Rate
    mean_weight: float
    n_effective: float


def n_effective(weights: np.ndarray) -> float:
    """Return Kish's effective sample size as a count, `(sum w)^2 / sum w^2`; 0 if all weights are 0.

    Args:
        weights: shape `(p,)`, >= 0.

    >>> n_effective(np.array([1.0, 1.0, 0.0]))
    2.0
    """
    scaled = weights / max(float(weights.max(initial=0)), 1e-300)  # the squares of tiny weights would underflow
    squares = float(np.square(scaled).sum())
    return float(scaled.sum()) ** 2 / squares if squares > 0 else 0.0


def weighted_rate(weights: np.ndarray, values: np.ndarray, clusters: np.ndarray, *, exact: bool) -> Rate:
    """Return the weighted mean of values in [0, 1] with Wilson's interval.

    Values of the same cluster are not independent. The sample size in Wilson's formula is therefore the one that gives
    the variance of a ratio estimated over clusters.

    Args:
        weights: shape `(p,)`, >= 0.
        values: shape `(p,)`, in [0, 1].
        clusters: cluster of each value, shape `(p,)`, whole numbers >= 0.
        exact: the values are the whole population, so the interval is a point.
    """
    total = float(weights.sum())
    if total <= 0:
        return Rate(math.nan, math.nan, math.nan)
    rate = min(1.0, max(0.0, float(weights @ values) / total))
    if exact:
        return Rate(rate, rate, rate)
    residual = np.bincount(clusters, weights * (values - rate))
    n = max(2, len(np.unique(clusters)))
    variance = float(np.square(residual).sum()) / total**2 * n / (n - 1)
    size = rate * (1 - rate) / variance if variance > 0 and 0 < rate < 1 else n_effective(weights)
    size = max(1.0, size)
    centre = (rate + _Z**2 / (2 * size)) / (1 + _Z**2 / size)
    half = _Z * math.sqrt(rate * (1 - rate) / size + _Z**2 / (4 * size**2)) / (1 + _Z**2 / size)
    return Rate(rate, max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half)))
