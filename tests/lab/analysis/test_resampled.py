"""Differences over resamples: against formulas by hand, and by simulation with a known truth."""

import math

import numpy as np
import pytest
from scipy import stats

from localmixup.lab.analysis.resampled import Design, Estimate, Measured, difference_of, variance_of_rows

DRAWN = Design(overlap=0.25, rows=100)


def both(d, design=DRAWN, **options):
    return difference_of(Measured(np.asarray(d, dtype=float)), Measured(np.zeros(len(d))), design, **options)


def test_without_rows_the_interval_is_nadeau_and_bengios():
    d = np.array([1.0, 2.0, 4.0, 5.0])
    found = both(d)
    error = math.sqrt(d.var(ddof=1) * (1 / 4 + 0.25 / 0.75))
    assert found[:4] == pytest.approx((3.0, error, 3, 4))
    assert found.interval(0.1) == pytest.approx(stats.t.interval(0.9, 3, 3.0, error))
    assert found.p == pytest.approx(2 * stats.t.sf(3 / error, 3))
    # Benavoli et al.: the posterior is Student's t with the same mean, scale and degrees of freedom
    posterior = stats.t(3, loc=3.0, scale=error)
    below, above = posterior.cdf(-0.5), posterior.sf(0.5)
    assert found.probabilities(0.5) == pytest.approx((below, 1 - below - above, above))


def test_one_test_set_adds_the_variance_of_its_rows():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4, 1)) + rng.normal(size=(1, 50)) + rng.normal(size=(4, 50))
    zero = Measured(np.zeros(4), np.zeros((4, 50)))
    found = difference_of(Measured(rows.mean(axis=1), rows), zero, Design(1.0, 50))
    centred = rows - rows.mean(axis=1, keepdims=True)
    products = [centred[r, i] * centred[s, i] for r in range(4) for s in range(4) if r != s for i in range(50)]
    fixed, first = np.mean(products) / 50, rows.mean(axis=1).var(ddof=1) / 4
    assert found.error == pytest.approx(math.sqrt(first + fixed))
    of_rows = [np.mean(products[k::50]) for k in range(50)]
    df = 2 * np.mean(of_rows) ** 2 / (np.var(of_rows) / 50)
    assert found.df == pytest.approx((first + fixed) ** 2 / (first**2 / 3 + fixed**2 / df))
    assert found.fixed == pytest.approx(fixed)


def simulated(rng, *, pool=160, tested=40, count=10, effects=1.0, noise=1.0, training=0.1, own_set=False):
    """Differences of resamples: rows with an effect of their own, trainings with noise; the true difference is 0."""
    effect = effects * rng.normal(size=pool)
    rows = effect + training * rng.normal(size=(count, 1)) + noise * rng.normal(size=(count, pool))
    if not own_set:
        for of_resample in rows:
            of_resample[rng.permutation(pool)[tested:]] = np.nan
    zero = Measured(np.zeros(count), np.zeros_like(rows))
    return difference_of(
        Measured(np.nanmean(rows, axis=1), rows), zero, Design(1.0 if own_set else tested / pool, pool)
    )


@pytest.mark.parametrize("case", [{}, {"own_set": True}, {"noise": 4.0}, {"count": 5}, {"training": 1.0}])
def test_a_true_null_is_rejected_in_at_most_five_of_a_hundred(case):
    rng = np.random.default_rng(1)
    rejected = np.mean([simulated(rng, **case).p < 0.05 for _ in range(2000)])
    # 4.4 standard deviations of a right test
    assert rejected < 0.05 + 4.4 * math.sqrt(0.05 * 0.95 / 2000)


def test_the_error_is_that_of_the_mean_and_never_above_nadeau_and_bengios():
    rng = np.random.default_rng(3)
    found = [simulated(rng, noise=2.0) for _ in range(2000)]
    assert np.mean([e.error**2 for e in found]) == pytest.approx(np.var([e.mean for e in found]), rel=0.1)
    bounds = np.array([e.between * (1 / 10 + 0.25 / 0.75) for e in found])
    assert (np.array([e.error**2 for e in found]) <= bounds + 1e-12).all()
    assert np.mean([e.error**2 for e in found]) < 0.6 * bounds.mean()


def test_the_variance_of_rows_is_free_of_noise():
    rng = np.random.default_rng(4)
    d = 2.0 * rng.normal(size=4000) + 3.0 * rng.normal(size=(6, 4000))
    d[rng.random(d.shape) < 0.6] = np.nan
    assert variance_of_rows(d).value == pytest.approx(4.0, rel=0.15)
    # the degrees of freedom say how much the estimate varies: its variance is 2 value^2 / df
    many = [variance_of_rows(rng.normal(size=300) + 1.5 * rng.normal(size=(5, 300))) for _ in range(500)]
    df = np.median([v.df for v in many])
    assert np.var([v.value for v in many]) == pytest.approx(2 / df, rel=0.3)
    once = np.full((2, 4), np.nan)
    once[0, :2], once[1, 2:] = 1.0, 2.0
    assert variance_of_rows(once).value == math.inf


def test_arms_that_agree_on_every_row_are_not_known_to_be_equal():
    equal = both([0.0] * 5, grain=1.0)
    assert equal.error == 1.0
    assert equal.p == 1.0
    assert equal.interval()[1] == pytest.approx(stats.t.ppf(0.975, 4))
    assert both([2.0] * 5, grain=0.5).error == 0.5
    assert both([0.0] * 5).p == 1.0
    assert both([0.0] * 5).probabilities(0.1) == (0.0, 1.0, 0.0)
    assert both([1.0] * 5).probabilities(0.1) == (0.0, 0.0, 1.0)
    assert math.isnan(both([1.0]).error)


def test_what_is_called_detectable_is_shown_in_four_of_five_cases():
    rng, shown = np.random.default_rng(2), 0
    detectable = Estimate(0.0, math.sqrt(1 / 10), 9, 10, 1.0, 0.0).detectable(0.02)
    for d in rng.normal(detectable, 1.0, size=(2000, 10)):
        shown += both(d, Design(0.0, 100)).p < 0.02
    assert shown / 2000 == pytest.approx(0.8, abs=0.04)


def test_the_number_of_resamples_a_difference_needs_is_the_smallest_that_detects_it():
    found = both([1.0, -1.0, 2.0, -2.0, 0.5, -0.5], Design(0.1, 100))

    def detects(count, difference):
        error = math.sqrt(found.between / count + found.fixed)
        return Estimate(0.0, error, count - 1, count, 0, 0).detectable(0.05) <= difference

    needed = found.resamples_for(2.0)
    assert detects(needed, 2.0)
    assert not detects(needed - 1, 2.0)
    limit = 2.8 * math.sqrt(found.fixed)
    assert found.resamples_for(0.99 * limit) is None
    assert found.resamples_for(1.1 * limit) < 1000


def test_a_single_row_that_is_tested_twice_says_little():
    d = np.array([[1.0, np.nan, 0.0], [1.0, 0.0, np.nan]])
    found = variance_of_rows(d)
    assert np.isfinite(found.value)
    assert found.df == 1
