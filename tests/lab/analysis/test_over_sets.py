"""Answers over many sets, against integration by hand, loops and simulations with known truth."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from localmixup.lab.analysis.over_sets import overall, ranks_of


def posterior_by_hand(d, s):
    """The mean and the probabilities of the average over sets, by a double integral."""

    def density(mu, tau):
        values = stats.norm.pdf(d, mu, np.sqrt(np.square(s) + tau**2))
        return float(np.prod(values)) / (1 + tau**2)

    def integral(function):
        return integrate.dblquad(lambda mu, tau: function(mu) * density(mu, tau), 0, 60, -15, 15, epsrel=1e-5)[0]

    whole = integral(lambda mu: 1.0)
    better = integrate.dblquad(density, 0, 60, -15, -1, epsrel=1e-5)[0]
    return integral(lambda mu: mu) / whole, better / whole


def test_the_model_is_its_integral():
    d, s = np.array([-2.0, -0.5, -3.0, 1.0]), np.array([0.5, 1.0, 0.8, 0.7])
    found = overall(d, s)
    mean, better = posterior_by_hand(d, s)
    assert found.mean == pytest.approx(mean, abs=0.01)
    assert found.average[0] == pytest.approx(better, abs=0.01)
    assert sum(found.average) == pytest.approx(1)
    assert sum(found.following) == pytest.approx(1)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        s = rng.uniform(0.3, 2.0, 15)
        d = rng.normal(rng.normal(-0.5, 0.8, 15), s)
        found = overall(d, s)
        covered += found.low <= -0.5 <= found.high
    assert 0.90 <= covered / 200 <= 0.99


def test_a_certain_gain_is_certain_and_equal_sets_are_equal():
    assert overall([-3.0] * 10, [0.1] * 10).following[0] > 0.95
    assert overall([0.0] * 10, [0.1] * 10).following[1] > 0.95


def test_the_pseudo_median_is_that_of_all_pairs():
    d = np.random.default_rng(0).normal(size=7)
    means = [(d[i] + d[j]) / 2 for i in range(7) for j in range(i, 7)]
    assert overall(d, np.ones(7)).median == pytest.approx(float(np.median(means)))
    assert math.isnan(overall(d[:5], np.ones(5)).p)


def test_every_set_counts_alike_in_the_plain_mean():
    assert overall([0.0, 0.0, 6.0], [0.1, 0.1, 9.0]).plain == 2.0


def test_ranks_of_demsar():
    # Demsar (2006), section 3.2.2: four classifiers on 14 sets have the critical difference 1.25
    rng = np.random.default_rng(0)
    found = ranks_of(rng.normal(size=(14, 4)) + np.arange(4), ["a", "b", "c", "d"])
    assert found.critical == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 14)), rel=1e-3)
    assert found.labels == ["a", "b", "c", "d"]
    tied = ranks_of(np.array([[1.0, 1.0, 3.0], [2.0, 2.0, 4.0]]), ["a", "b", "c"])
    assert tied.means == [1.5, 1.5, 3.0]


def test_rounding_breaks_no_tie():
    errors = np.array([[0.1 + 0.2, 0.3, 1.0], [0.3, 0.1 + 0.2, 1.0]])
    assert ranks_of(errors, ["a", "b", "c"]).means == [1.5, 1.5, 3.0]
