"""Means with intervals, paired tests, and Holm's correction for several of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Mean(NamedTuple):
    """A mean and its 95 % interval by Student's t; the interval is NaN for a single value."""

    mean: float
    low: float
    high: float


class Difference(NamedTuple):
    """A mean paired difference, its 95 % interval, and the p-value of no difference."""

    mean: float
    low: float
    high: float
    p: float


def mean_of(values: Sequence[float]) -> Mean:
    """Mean and 95 % interval.

    Args:
        values: one a seed.

    >>> mean_of([1.0, 1.0, 1.0])
    Mean(mean=1.0, low=1.0, high=1.0)
    """
    array = np.asarray(values, dtype=float)
    mean = float(array.mean())
    if len(array) < 2:
        return Mean(mean, math.nan, math.nan)
    half = float(stats.sem(array) * stats.t.ppf(0.975, len(array) - 1))
    return Mean(mean, mean - half, mean + half)


def paired(values: Sequence[float], others: Sequence[float]) -> Difference:
    """Difference of paired values, with Student's paired t-test.

    Args:
        values: one a seed.
        others: of the same seeds, in the same order.

    Returns:
        `values - others`; p is NaN for a single pair. Where all differences are equal, as error rates of few samples
        may be, Student's test would say p = 0: there p is that of the sign test, and there is no interval.

    >>> paired([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).p
    1.0
    """
    difference = np.asarray(values, dtype=float) - np.asarray(others, dtype=float)
    mean, low, high = mean_of(difference.tolist())
    if len(difference) < 2:
        return Difference(mean, low, high, math.nan)
    if np.ptp(difference) <= 1e-9 * max(1e-300, float(np.abs([*values, *others]).max())):
        if abs(mean) <= 1e-12:
            return Difference(mean, low, high, 1.0)
        return Difference(mean, math.nan, math.nan, 2.0 ** (1 - len(difference)))
    return Difference(mean, low, high, float(stats.ttest_rel(values, others).pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number by Holm's step-down method; NaN stays NaN and does not count.

    Args:
        p_values: of one family of tests.

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
