"""Differences of two arms over resamples of the data: how large, how sure, and what could have been seen.

Resamples share training rows and test rows, so that their differences are correlated, and Student's t-test is far too
sure. Nadeau and Bengio (2003, Inference for the generalization error) take that into account: with a correlation `rho`
of two resamples, the mean of R differences with the sample variance `S^2` has the variance

    S^2 (1 / R + rho / (1 - rho)) = S^2 / R + covariance of two resamples,

in which more resamples reduce the first part only. They set `rho` to `n_test / (n_test + n_train)`, the share of its
test rows that a resample has in common with another one. Here test rows are drawn from M rows, so that this share is
`n_test / M`. It is a bound. A difference is the mean effect of the rows that it is measured on, plus the noise of the
training, and two resamples covary by `sigma_row^2 / M`, where `sigma_row` is the standard deviation of the effects of
the rows. The bound takes all of `S^2` for effects of rows. Many rows are tested in several resamples, and the product
of the differences of one row in two of them estimates `sigma_row^2` without the noise. That estimate is used, and
never more than the bound. Where all resamples share one test set of M rows the same formula holds, without a bound.

The Bayesian test of Benavoli et al. (2017, Time for a change) has the same mean, error and degrees of freedom. All of
this holds for models that are trained on these rows: how other training rows would change the difference is not seen.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from scipy import special

POWER = 0.8
"""Probability with which a difference of the size called detectable is shown."""

MOST_RESAMPLES = 10_000
"""More are never recommended."""


class Measured(NamedTuple):
    """What an arm shows in every resample.

    Attributes:
        values: the measure, such as the error in percent, shape `(R,)`.
        rows: the contribution of every row that can judge, shape `(R, M)`, NaN where a resample does not test it. The
            mean over the tested rows is the measure. None if only the measure is known.
    """

    values: np.ndarray
    rows: np.ndarray | None = None


class Design(NamedTuple):
    """How the resamples were drawn.

    Attributes:
        overlap: share of its test rows that a resample has in common with another one; 1 for one test set.
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
        half = self.error * float(special.stdtrit(self.df, 1 - level / 2))
        return self.mean - half, self.mean + half

    @property
    def p(self) -> float:
        """The p-value of "no difference", by the same rule as the interval."""
        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        return float(2 * special.stdtr(self.df, -abs(self.mean) / self.error))

    def probabilities(self, margin: float) -> tuple[float, float, float]:
        """Return the probabilities that the first arm is lower, equal within a margin, and higher.

        Args:
            margin: half-width of the region that counts as equal, > 0.
        """
        if self.error == 0:
            return float(self.mean < -margin), float(abs(self.mean) <= margin), float(self.mean > margin)
        low = float(special.stdtr(self.df, (-margin - self.mean) / self.error))
        high = float(special.stdtr(self.df, (self.mean - margin) / self.error))
        return low, max(0.0, 1 - low - high), high

    def detectable(self, level: float = 0.05) -> float:
        """Return the difference that would have been shown with a probability of `POWER`."""
        quantiles = special.stdtrit(self.df, 1 - level / 2) + special.stdtrit(self.df, POWER)
        return float(quantiles) * self.error

    def limit(self, level: float = 0.05) -> float:
        """Return the difference that would be shown with a probability of `POWER` by any number of resamples."""
        return float(special.ndtri(1 - level / 2) + special.ndtri(POWER)) * math.sqrt(self.fixed)

    def resamples_for(self, difference: float, level: float = 0.05) -> int | None:
        """Return how many resamples a difference needs to be shown with a probability of `POWER`.

        Args:
            difference: its size, > 0.
            level: at which it is tested.

        Returns:
            The number, or None if no number is enough because there are too few rows.
        """
        rows_too = self.resamples > 1 and self.df > self.resamples - 1

        def is_shown(count: int) -> bool:
            df = max(count - 1, self.df) if rows_too else count - 1
            quantiles = special.stdtrit(df, 1 - level / 2) + special.stdtrit(df, POWER)
            return bool(quantiles * math.sqrt(self.between / count + self.fixed) <= difference)

        counts = range(2, MOST_RESAMPLES + 1)
        place = bisect_left(counts, True, key=is_shown)
        return counts[place] if place < len(counts) else None


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
    between = float(d.var(ddof=1))
    bound = covariance_bound(between, design)
    fixed, df = bound, float(count - 1)
    if one.rows is not None and other.rows is not None:
        of_rows = variance_of_rows(one.rows - other.rows)
        fixed = min(bound, of_rows.value / design.rows)
        if 0 < fixed < bound:  # Satterthwaite
            first = between / count
            df = (first + fixed) ** 2 / (first**2 / (count - 1) + fixed**2 / of_rows.df)
    lacking = max(0.0, grain**2 - between / count - fixed)
    error = math.sqrt(between / count + fixed + lacking)
    return Estimate(mean, error, df, count, between, max(fixed, grain**2))


def covariance_bound(between: float, design: Design) -> float:
    """Return the largest covariance of two resamples: all of their variance is taken for effects of the rows.

    Args:
        between: variance of the differences between resamples.
        design: how the resamples were drawn.
    """
    return between * design.overlap / (1 - design.overlap) if design.overlap < 1 else math.inf


class Variance(NamedTuple):
    """An estimated variance, and the degrees of freedom that say how well it is known."""

    value: float
    df: float


def variance_of_rows(d: np.ndarray) -> Variance:
    """Return the variance of the effects of the rows, from the differences of every row in every resample.

    The product of two differences of one row is on average the square of its effect: noise is not the same twice.

    Args:
        d: shape `(R, M)`, NaN where a row is not tested.

    Returns:
        At least 0; infinity if no row is tested twice. The degrees of freedom are 2 value^2 over the variance of the
        value, which is seen from row to row.
    """
    tested = ~np.isnan(d)
    centred = np.where(tested, d - np.nanmean(d, axis=1, keepdims=True), 0.0)
    counts = tested.sum(axis=0)
    pairs = counts * (counts - 1) / 2
    if not pairs.any():
        return Variance(math.inf, 1.0)
    products = (np.square(centred.sum(axis=0)) - np.square(centred).sum(axis=0)) / 2
    value = float(products.sum() / pairs.sum())
    if value <= 0:
        return Variance(0.0, 1.0)
    spread = float(np.square(products - value * pairs).sum())
    # of a single row that is tested twice nothing is seen from row to row
    return Variance(value, 2 * (value * float(pairs.sum())) ** 2 / spread if spread > 0 else 1.0)
