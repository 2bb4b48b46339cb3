"""From differences on many data sets to one answer: signed ranks, a hierarchical model, mean ranks, regret.

Sets have errors of different sizes and units, so differences are counted in margins: within one margin two arms count
as equal on a set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from localmixup.lab.analysis.benchmarked import Effect, SetResult
from localmixup.lab.analysis.questions import margin_of

FEWEST_SETS = 6
"""Sets that the signed-rank test and the mean ranks need."""

_TAUS, _MOST_TAU = 2000, 50.0  # of the grid over the standard deviation between sets


class Overall(NamedTuple):
    """One arm against another over all sets, in margins. Negative is better.

    Attributes:
        sets: number of sets.
        mean: posterior mean of the mean over sets.
        low: lower end of its interval of 95 %.
        high: upper end.
        average: probabilities that the mean over sets is better by more than a margin, equal within it, worse.
        following: the same for the next set of the kind.
        between: posterior mean of the standard deviation between sets.
        median: pseudo-median of the differences (Hodges and Lehmann).
        p: p-value of Wilcoxon's signed-rank test; NaN with fewer than six sets.
        plain: mean of the differences, every set counting alike.
    """

    sets: int
    mean: float
    low: float
    high: float
    average: tuple[float, float, float]
    following: tuple[float, float, float]
    between: float
    median: float
    p: float
    plain: float


def overall(means: Sequence[float], errors: Sequence[float]) -> Overall:
    """Combine the differences of two arms on several sets.

    The model: `d_i ~ N(delta_i, s_i^2)` with `delta_i ~ N(mu, tau^2)`, a flat prior of `mu` and a half-Cauchy prior of
    scale 1 of `tau` (Gelman et al., Bayesian Data Analysis, section 5.4). It is integrated over a grid of `tau`.

    Args:
        means: the difference of each set, in margins, shape `(k,)`.
        errors: their standard errors, > 0.

    >>> found = overall([-2.0, -1.8, -2.2], [0.5, 0.5, 0.5])
    >>> found.average[0] > 0.9
    True
    """
    d, s = np.asarray(means, dtype=float), np.maximum(np.asarray(errors, dtype=float), 1e-6)
    tau = _MOST_TAU * (np.linspace(0, 1, _TAUS) ** 3)  # denser near zero
    variances = s[None, :] ** 2 + tau[:, None] ** 2
    precision = (1 / variances).sum(axis=1)
    centre = (d / variances).sum(axis=1) / precision
    log = (
        -0.5 * np.log(variances).sum(axis=1)
        - 0.5 * ((d - centre[:, None]) ** 2 / variances).sum(axis=1)
        - 0.5 * np.log(precision)
        - np.log1p(tau**2)
    )
    weights = np.exp(log - log.max()) * np.gradient(tau)
    weights /= weights.sum()
    spread = np.sqrt(1 / precision)
    wide = np.sqrt(1 / precision + tau**2)
    return Overall(
        len(d),
        float(weights @ centre),
        _quantile(0.025, weights, centre, spread),
        _quantile(0.975, weights, centre, spread),
        _three(weights, centre, spread),
        _three(weights, centre, wide),
        float(weights @ tau),
        _pseudo_median(d),
        signed_rank_p(d),
        float(d.mean()),
    )


def signed_rank_p(differences: Sequence[float] | np.ndarray) -> float:
    """Return the p-value of Wilcoxon's signed-rank test, or NaN with fewer than six differences or only zeros."""
    d = np.asarray(differences, dtype=float)
    return float(stats.wilcoxon(d).pvalue) if len(d) >= FEWEST_SETS and np.any(d != 0) else math.nan


def _three(weights: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> tuple[float, float, float]:
    better = float(weights @ stats.norm.cdf(-1, centre, spread))
    worse = float(weights @ stats.norm.sf(1, centre, spread))
    return better, max(0.0, 1 - better - worse), worse


def _quantile(level: float, weights: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> float:
    low, high = float((centre - 10 * spread).min()), float((centre + 10 * spread).max())
    return float(brentq(lambda x: float(weights @ stats.norm.cdf(x, centre, spread)) - level, low, high))


def _pseudo_median(d: np.ndarray) -> float:
    first, second = np.triu_indices(len(d))
    return float(np.median((d[first] + d[second]) / 2))


def effects_of(results: Sequence[SetResult], one: str, other: str, measure: str = "error") -> list[Effect]:
    """Return the differences of two arms on the sets on which both were measured.

    Args:
        results: of the sets.
        one: label of the first arm; `"winner"` for the local arm that has the controls.
        other: label of the second; `"reference"` for the better of vanilla training and tuned mixup.
        measure: `"error"` or `"nll"`.
    """
    found = []
    for result in results:
        first = result.winner if one == "winner" else one
        second = result.reference if other == "reference" else other
        effect = result.effect(first, second, measure)
        if effect is not None:
            found.append(effect)
    return found


def combined(effects: Sequence[Effect]) -> Overall:
    """Combine the differences of two arms on several sets, in margins; see `overall`."""
    return overall([e.mean / e.margin for e in effects], [e.error / e.margin for e in effects])


class Ranks(NamedTuple):
    """Mean ranks of arms over sets; 1 is the lowest error.

    Attributes:
        labels: of the arms, the best first.
        means: their mean ranks.
        critical: mean ranks that differ by less are not shown to differ (Nemenyi, 5 %).
        p: p-value of Friedman's test that all arms are alike.
    """

    labels: list[str]
    means: list[float]
    critical: float
    p: float


def ranks_of(errors: np.ndarray, labels: Sequence[str]) -> Ranks:
    """Rank arms over sets (Demsar, 2006, Statistical comparisons of classifiers over multiple data sets).

    Args:
        errors: of each set and arm, shape `(k, a)`, at least two sets and three arms.
        labels: of the arms.
    """
    sets, arms = errors.shape
    # arms that make the same errors in other resamples differ by rounding only
    means = stats.rankdata(np.round(errors, 9), axis=1).mean(axis=0)
    quantile = float(stats.studentized_range.ppf(0.95, arms, np.inf)) / math.sqrt(2)
    order = np.argsort(means, kind="stable")
    return Ranks(
        [labels[k] for k in order],
        [float(means[k]) for k in order],
        quantile * math.sqrt(arms * (arms + 1) / (6 * sets)),
        float(stats.friedmanchisquare(*errors.T).pvalue),
    )


class Regret(NamedTuple):
    """How far an arm is from the arm that turned out best on a set.

    Attributes:
        name: of the set.
        best: label of the best arm.
        error: of the arm.
        lowest: error of the best arm.
        margins: the difference in margins of the best arm.
    """

    name: str
    best: str
    error: float
    lowest: float
    margins: float


def regrets(results: Sequence[SetResult], label: str, labels: Sequence[str]) -> list[Regret]:
    """Return the regret of an arm on every set, the largest first.

    Args:
        results: of the sets.
        label: of the arm.
        labels: arms that may be best.
    """
    found = []
    for result in results:
        best = min((result.arm(one) for one in labels), key=lambda arm: arm.error)
        error = result.arm(label).error
        margins = (error - best.error) / margin_of(result.unit, best.error)
        found.append(Regret(result.name, best.label, error, best.error, margins))
    return sorted(found, key=lambda regret: -regret.margins)
