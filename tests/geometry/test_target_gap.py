"""The gap of mixed targets: against a loop, and on functions whose answer is known."""

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge

from localmixup import CompleteGraph, KNNGraph
from localmixup.geometry import target_gap
from localmixup.geometry.smooth_fit import smooth_fit


def noisy(function, dimensions=1, n=500, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, dimensions))
    return x, function(x) + noise * rng.normal(size=n)


def test_the_gap_equals_a_loop_over_its_pairs():
    x, y = noisy(lambda x: np.sin(3 * x[:, 0]), dimensions=2, n=60)
    report = target_gap(x, y, n_samples=400)
    pairs, squares = report.pairs, []
    for i, j, lam in zip(pairs.first, pairs.second, report.lam, strict=True):
        distance = np.linalg.norm(lam * x[i] + (1 - lam) * x[j] - x, axis=1)
        distance[[i, j]] = np.inf
        squares.append((lam * y[i] + (1 - lam) * y[j] - y[distance.argmin()]) ** 2)
    floor = []
    for i in range(60):
        distance = np.linalg.norm(x - x[i], axis=1)
        distance[i] = np.inf
        floor.append((y[i] - y[distance.argmin()]) ** 2)
    fit, smooth = smooth_fit(torch.from_numpy(x - x.mean(axis=0)), y), []
    penalty = np.linalg.inv(fit.inverse)[0, 0] - 1
    for i, j, lam in zip(pairs.first, pairs.second, report.lam, strict=True):
        others = np.setdiff1d(np.arange(60), [i, j])
        peer = KernelRidge(alpha=penalty, kernel="rbf", gamma=fit.width).fit(x[others], y[others] - y.mean())
        value = peer.predict((lam * x[i] + (1 - lam) * x[j])[None])[0] + y.mean()
        smooth.append((lam * y[i] + (1 - lam) * y[j] - value) ** 2)
    expected = max(
        np.average(squares, weights=pairs.share) / np.mean(floor), np.average(smooth, weights=pairs.share) / fit.error
    )
    found = report.gap(CompleteGraph())
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("dimensions", [1, 5, 20])
def test_mixing_a_linear_function_stays_below_the_noise_floor(dimensions):
    found = target_gap(*noisy(lambda x: x.sum(axis=1), dimensions)).gap(CompleteGraph())
    assert found.high < 1


@pytest.mark.parametrize(
    "function",
    [lambda x: np.sin(12 * x[:, 0]), lambda x: np.sin(6 * x[:, 0]) * np.sin(6 * x[:, 1]),
     lambda x: 5 * (np.abs(np.hypot(x[:, 0], x[:, 1]) - 0.6) < 0.1)],
    ids=["waves", "product of waves", "narrow ring"],
)  # fmt: skip
def test_mixing_a_bent_function_is_far_above_it(function):
    report = target_gap(*noisy(function, 2, n=900))
    assert report.gap(CompleteGraph()).low > 1.3
    # near pairs are nearly straight
    assert report.gap(KNNGraph(5)).value < 0.6 * report.gap(CompleteGraph()).value


def test_intervals_contain_the_gap_of_many_draws():
    x, y = noisy(lambda x: x[:, 0] ** 2, 2, n=300, noise=0.3)
    truth = target_gap(x, y, n_samples=60_000, seed=99).gap(CompleteGraph()).value
    hits = 0
    for seed in range(20):
        found = target_gap(x, y, n_samples=600, seed=seed).gap(CompleteGraph())
        hits += found.low <= truth <= found.high
    assert hits >= 16


def test_units_of_the_target_do_not_matter():
    x, y = noisy(lambda x: x[:, 0] ** 2)
    plain, scaled = (target_gap(x, 1000 * k * y + 7, n_samples=500).gap(CompleteGraph()) for k in (1, 2.5))
    assert plain == pytest.approx(scaled)


@pytest.mark.parametrize(
    ("y", "message"),
    [(np.ones(30), "targets must be finite and not all equal"), (np.full(30, np.nan), "targets must be finite"),
     (np.zeros(3), r"one number per sample, shape \(30,\), got \(3,\)")],
)  # fmt: skip
def test_mistakes_are_named(y, message):
    with pytest.raises(ValueError, match=message):
        target_gap(np.random.default_rng(0).normal(size=(30, 2)), y)
