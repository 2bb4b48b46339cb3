"""Differences of two arms over resamples of the data: how large, how sure, and what could have been seen.

Resamples share training rows and test rows, so that their differences are correlated and Student's t-test is far too
sure. Two cases are told apart.

*Test rows drawn anew.* Nadeau and Bengio (2003, Inference for the generalization error): with a correlation `rho`
between two resamples, the variance of the mean of R differences with sample variance `S^2` is `S^2 (1/R + rho /
(1 - rho))`, and `rho` is the share of its test rows that a resample has in common with another one. A difference on
test rows is the mean effect of its rows, so that two resamples covary by `sigma_row^2 / M`, where M is the number of
rows from which the n_test are drawn, and each varies by at least `sigma_row^2 / n_test`: the correlation is at most
`n_test / M`. Where all rows may be drawn, this is their `n_test / (n_test + n_train)`. The Bayesian test of Benavoli et
al. (2017, Time for a change) has the same mean, error and degrees of freedom.

*One test set.* The rows are a sample too. Of the differences `d[r, i]` of resample r on row i, the mean varies by the
variance between resamples over R, and by that of the effects of the rows over T. The second is the variance of the row
means without the noise that is left in them. More resamples reduce the first part only.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

POWER = 0.8
"""Probability with which a difference of the size called detectable is shown."""

MOST_RESAMPLES = 10_000
"""More are never recommended."""


class Measured(NamedTuple):
    """What an arm shows in every resample.

    Attributes:
        values: the measure, such as the error in percent, shape `(R,)`.
        rows: its contributions of the rows of a common test set, whose mean over the rows is the measure, shape
            `(R, T)`; None where each resample has test rows of its own.
    """

    values: np.ndarray
    rows: np.ndarray | None = None


class Design(NamedTuple):
    """How the resamples were drawn.

    Attributes:
        overlap: share of its test rows that a resample has in common with another one; not used with a test set.
        rows: number of rows that can judge.
    """

    overlap: float
    rows: int


class Estimate(NamedTuple):
    """A mean difference over resamples.

    Attributes:
        mean: the first arm minus the second.
        error: its standard error.
        df: degrees of freedom.
        resamples: number of resamples.
        between: variance of the differences between resamples.
        fixed: the part of `error ** 2` that more resamples do not reduce.
    """

    mean: float
    error: float
    df: float
    resamples: int
    between: float
    fixed: float

    def interval(self, level: float = 0.05) -> tuple[float, float]:
        """Return the interval of confidence `1 - level`."""
        half = self.error * float(stats.t.ppf(1 - level / 2, self.df))
        return self.mean - half, self.mean + half

    @property
    def p(self) -> float:
        """The p-value of "no difference", by the same rule as the interval."""
        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.mean) / self.error, self.df))

    def probabilities(self, margin: float) -> tuple[float, float, float]:
        """Return the probabilities that the first arm is lower, equal within a margin, and higher.

        Args:
            margin: half-width of the region that counts as equal, > 0.
        """
        if self.error == 0:
            return float(self.mean < -margin), float(abs(self.mean) <= margin), float(self.mean > margin)
        low = float(stats.t.cdf((-margin - self.mean) / self.error, self.df))
        high = float(stats.t.sf((margin - self.mean) / self.error, self.df))
        return low, max(0.0, 1 - low - high), high

    def detectable(self, level: float = 0.05) -> float:
        """Return the difference that would have been shown with a probability of `POWER`."""
        quantiles = stats.t.ppf(1 - level / 2, self.df) + stats.t.ppf(POWER, self.df)
        return float(quantiles) * self.error

    def limit(self, level: float = 0.05) -> float:
        """Return the difference that would be shown with a probability of `POWER` by any number of resamples."""
        return float(stats.norm.ppf(1 - level / 2) + stats.norm.ppf(POWER)) * math.sqrt(self.fixed)

    def resamples_for(self, difference: float, level: float = 0.05) -> int | None:
        """Return how many resamples a difference needs to be shown with a probability of `POWER`.

        Args:
            difference: its size, > 0.
            level: at which it is tested.

        Returns:
            The number, or None if no number is enough because there are too few rows.
        """
        counts = np.arange(2, MOST_RESAMPLES + 1)
        df = np.maximum(counts - 1, self.df if self.resamples > 1 and self.df > self.resamples - 1 else 0)
        quantiles = stats.t.ppf(1 - level / 2, df) + stats.t.ppf(POWER, df)
        enough = quantiles * np.sqrt(self.between / counts + self.fixed) <= difference
        return int(counts[enough.argmax()]) if enough.any() else None


def difference_of(one: Measured, other: Measured, design: Design, *, grain: float = 0.0) -> Estimate:
    """Return the difference of two arms that were trained and tested on the same resamples.

    Args:
        one: an arm.
        other: the arm it is compared with.
        design: how the resamples were drawn.
        grain: how much a single row counts in the mean, such as 100 / rows for an error in percent. The standard error
            is never smaller: arms that agree on every row of a small test set are not known to be equal.

    Returns:
        `one - other`. Of a single resample, error and degrees of freedom are NaN.
    """
    d = one.values - other.values
    count, mean = len(d), float(np.mean(d))
    if count < 2:
        return Estimate(mean, math.nan, math.nan, count, math.nan, math.nan)
    between, df = float(d.var(ddof=1)), float(count - 1)
    if one.rows is None or other.rows is None:
        fixed = between * design.overlap / (1 - design.overlap)
    else:
        fixed = _variance_of_rows(one.rows - other.rows)
        if (total := between / count + fixed) > 0:
            df = total**2 / ((between / count) ** 2 / df + fixed**2 / (one.rows.shape[1] - 1))
    lacking = grain**2 - between / count - fixed
    return Estimate(mean, math.sqrt(between / count + fixed + max(0.0, lacking)), df, count, between, max(fixed, grain**2))


def _variance_of_rows(d: np.ndarray) -> float:
    """Return by how much the mean over the rows would vary with other test rows, from differences `(R, T)`."""
    count, rows = d.shape
    of_rows = d.mean(axis=0)
    left = d - of_rows - d.mean(axis=1, keepdims=True) + d.mean()
    noise = float(np.square(left).sum() / ((count - 1) * (rows - 1)))
    return max(0.0, float(of_rows.var(ddof=1)) - noise / count) / rows
