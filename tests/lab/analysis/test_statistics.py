"""Intervals and tests, against SciPy and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from localmixup.lab.analysis.statistics import holm, mean_of, paired


def test_mean_and_interval():
    values = [1.0, 2.0, 4.0, 7.0]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert mean_of(values) == pytest.approx((3.5, low, high))
    assert math.isnan(mean_of([2.0]).low)


def test_paired_is_scipys_paired_t_test():
    a, b = [1.0, 2.5, 2.0, 4.0], [1.5, 2.0, 3.5, 5.0]
    found, expected = paired(a, b), stats.ttest_rel(a, b)
    assert found.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert found[:3] == pytest.approx((-0.625, interval.low, interval.high))


def test_equal_differences_are_tested_by_their_sign():
    # error rates of few samples: a t-test would give p = 0
    assert paired([2.0, 3.0], [1.0, 2.0]).p == 0.5
    assert paired([7 / 3, 5 / 3, 8 / 3], [6 / 3, 4 / 3, 7 / 3]).p == 0.25
    assert math.isnan(paired([7 / 3, 5 / 3], [6 / 3, 4 / 3]).low)
    assert math.isnan(paired([1.0], [2.0]).p)


def test_a_floor_stands_in_for_a_deviation_that_is_too_small():
    a, b = [1.00, 1.01, 0.99], [1.5, 1.5, 1.5]
    half = 0.3 / math.sqrt(3) * stats.t.ppf(0.975, 2)
    found = paired(a, b, floor=0.3)
    assert found[:3] == pytest.approx((-0.5, -0.5 - half, -0.5 + half))
    assert found.p == pytest.approx(2 * stats.t.cdf(-0.5 * math.sqrt(3) / 0.3, 2))
    assert paired(a, b).p < 0.001 < 0.05 < found.p
    assert paired(a, b, floor=1e-9) == paired(a, b)


def test_a_floor_keeps_the_rate_of_false_alarms_of_three_seeds():
    # 2,000 true null hypotheses: P(p < .05) is .05 without the floor, and less with one at the true deviation
    differences = np.random.default_rng(1).normal(size=(2000, 3))
    zero = [0.0, 0.0, 0.0]
    plain, floored = (np.mean([paired(d, zero, floor=f).p < 0.05 for d in differences.tolist()]) for f in (0.0, 1.0))
    assert abs(plain - 0.05) < 4.4 * math.sqrt(0.05 * 0.95 / 2000)
    assert floored < plain


def test_holm_by_its_definition():
    p = [0.04, 0.01, 0.03, math.nan, 0.005]
    # sorted: .005 x 4, .01 x 3, .03 x 2, .04 x 1, never falling
    assert holm(p)[:3] == pytest.approx([0.06, 0.03, 0.06])
    assert holm(p)[4] == pytest.approx(0.02)
    assert math.isnan(holm(p)[3])
    assert holm([]) == []


def test_holm_keeps_the_rate_of_any_false_alarm():
    # 2,000 families of 5 true null hypotheses: P(any below .05) is at most .05; a right one fails at 4.4 deviations
    p = np.random.default_rng(0).random((2000, 5))
    alarms = np.mean([min(holm(row)) < 0.05 for row in p.tolist()])
    assert alarms < 0.05 + 4.4 * math.sqrt(0.05 * 0.95 / 2000)
    assert alarms > 0.03
