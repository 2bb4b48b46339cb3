"""Means with intervals, paired tests, and Holm's correction for several tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Mean(NamedTuple):
    """A mean and its 95 % interval by Student's t. The interval of a single value is NaN."""

    mean: float
    low: float
    high: float


class Difference(NamedTuple):
    """A mean paired difference, its 95 % interval, and the p-value of "no difference"."""

    mean: float
    low: float
    high: float
    p: float


def mean_of(values: Sequence[float]) -> Mean:
    """Return the mean and its 95 % interval.

    Args:
        values: one value per seed.

    >>> mean_of([1.0, 1.0, 1.0])
    Mean(mean=1.0, low=1.0, high=1.0)
    """
    array = np.asarray(values, dtype=float)
    mean = float(array.mean())
    if len(array) < 2:
        return Mean(mean, math.nan, math.nan)
    half = float(stats.sem(array) * stats.t.ppf(0.975, len(array) - 1))
    return Mean(mean, mean - half, mean + half)


def paired(values: Sequence[float], others: Sequence[float], *, floor: float = 0.0) -> Difference:
    """Compare paired values with Student's paired t-test.

    Args:
        values: one value per seed.
        others: values of the same seeds, in the same order.
        floor: a smaller standard deviation of the differences is replaced by this one. Few seeds can agree by chance;
            a floor taken from similar comparisons keeps such an accident from looking like certainty.

    Returns:
        `values - others`. The p-value of a single pair is NaN. If all differences are equal, which happens with error
        rates on few test samples, the t-test would give p = 0; p is then that of the sign test, and the interval is
        NaN.

    >>> paired([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).p
    1.0
    """
    difference = np.asarray(values, dtype=float) - np.asarray(others, dtype=float)
    n, mean = len(difference), float(difference.mean())
    if n < 2:
        return Difference(mean, math.nan, math.nan, math.nan)
    largest = float(np.abs([*values, *others]).max())
    if floor == 0 and np.ptp(difference) <= 1e-9 * max(1e-300, largest):
        if abs(mean) <= 1e-12:
            return Difference(*mean_of(difference.tolist()), 1.0)
        return Difference(mean, math.nan, math.nan, 2.0 ** (1 - n))
    error = max(float(difference.std(ddof=1)), floor) / math.sqrt(n)
    half = error * float(stats.t.ppf(0.975, n - 1))
    return Difference(mean, mean - half, mean + half, float(2 * stats.t.sf(abs(mean) / error, n - 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct the p-values of one family of tests by Holm's step-down method.

    Args:
        p_values: p-values of the family. NaN stays NaN and does not count.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    corrected = [math.nan] * len(p_values)
    largest = 0.0
    for place, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - place)))
        corrected[i] = largest
    return corrected
