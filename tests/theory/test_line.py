"""Closed forms on a line against a slow loop over pairs, reference numbers, and draws of mixup itself."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from localmixup import CompleteGraph, ExponentialGraph, IdentityGraph, KNNGraph, ThresholdGraph
from localmixup.theory import line

REFERENCE = json.loads((Path(__file__).parents[1] / "theory_reference.json").read_text())


def slow(x, y, q, W, a, b):
    """The true minimiser at a point between samples, over ordered pairs."""
    from math import gamma

    total = weight = 0.0
    for i in range(len(x)):
        for j in range(len(x)):
            if x[i] != x[j] and 0 < (lam := (q - x[j]) / (x[i] - x[j])) < 1:
                g = gamma(a + b) / gamma(a) / gamma(b) * lam ** (a - 1) * (1 - lam) ** (b - 1)
                w = W[i][j] * g / abs(x[i] - x[j])
                total += w * (lam * y[i] + (1 - lam) * y[j])
                weight += w
    return total / weight if weight else np.nan


@pytest.mark.parametrize("case", REFERENCE["mixup1d"], ids=lambda c: f"seed{c['seed']}")
def test_reference_numbers_of_the_line(case):
    x, y, q = (np.array(case[k]) for k in ("x", "y", "q"))

    def check(key, **options):
        expected = np.array([np.nan if v is None else v for v in case[key]], dtype=float)
        np.testing.assert_allclose(line.mixup_optimum(x, y, q, **options), expected, rtol=1e-10, atol=1e-12)

    near = ThresholdGraph(case["eps"])
    check("plain", weights="plain")
    check("density_uniform")
    check("density_beta_0p5_0p5", beta=(0.5, 0.5))
    check("density_beta_2_5", beta=(2.0, 5.0))
    check("plain_local_eps", weights="plain", graph=near)
    check("density_local_eps", graph=near)
    for key, weights in (("limits_plain_left_at_right", "plain"), ("limits_density_uniform_left_avg_right", "density")):
        expected = np.array([[np.nan if v is None else v for v in row] for row in case[key]], dtype=float)
        left, right = line.one_sided_limits(x, y, weights=weights)
        np.testing.assert_allclose(left, expected[:, 0], rtol=1e-10)
        np.testing.assert_allclose(right, expected[:, 2], rtol=1e-10)
        if weights == "plain":
            np.testing.assert_allclose(line.mixup_optimum(x, y, x, weights=weights), expected[:, 1], rtol=1e-10)


@pytest.mark.parametrize("beta", [(1.0, 1.0), (0.4, 0.4), (2.0, 0.7)])
@pytest.mark.parametrize("graph", [CompleteGraph(), ExponentialGraph(1.3), ThresholdGraph(0.8), KNNGraph(2)], ids=repr)
def test_the_optimum_is_that_of_a_loop_over_pairs(graph, beta):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=9), rng.normal(size=9)
    x[4] = x[2]  # a tie
    q = np.concatenate([rng.uniform(x.min() - 0.3, x.max() + 0.3, 40)])
    W = graph.matrix(torch.from_numpy(x)[:, None]).numpy()
    expected = [slow(x, y, point, W, *beta) for point in q]
    found = line.mixup_optimum(x, y, q, beta=beta, graph=graph)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(line.mixup_optimum(x, y, q, beta=beta, graph=W), found)


def test_it_is_what_mixup_converges_to():
    # 400,000 draws in 100 bins, whose means have z-scores of root mean square 1 +- 0.07; fixed seed
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.normal(size=6)), rng.normal(size=6)
    i, j, lam = rng.integers(6, size=400_000), rng.integers(6, size=400_000), rng.uniform(size=400_000)
    keep = i != j
    mixed, target = (lam * v[i] + (1 - lam) * v[j] for v in (x, y))
    edges = np.linspace(x[0], x[-1], 101)
    which, centres = np.digitize(mixed[keep], edges) - 1, (edges[1:] + edges[:-1]) / 2
    width = edges[1] - edges[0]
    count = np.bincount(which, minlength=100)[:100]
    mean = np.bincount(which, target[keep], 100)[:100] / count
    spread = np.sqrt((np.bincount(which, target[keep] ** 2, 100)[:100] / count - mean**2) / count)
    clear = np.abs(centres[:, None] - x).min(axis=1) > 1.5 * width
    z = (mean - line.mixup_optimum(x, y, centres))[clear] / spread[clear]
    assert 0.8 < np.sqrt(np.mean(z**2)) < 1.2
    assert np.abs(mean - line.mixup_optimum(x, y, centres, weights="plain"))[clear].max() > 0.1


def test_mixup_of_n_samples_keeps_a_variance():
    """The paper reads Theorem 4.2 as "mixup has zero variance". That is false for n samples on a line."""
    for n, mean, variance in ((5, -0.0757424, 0.6041217), (20, -0.0843872, 0.1067024)):
        x, y = np.arange(float(n)), np.random.default_rng(n).normal(size=n)
        found = line.mixup_optimum(x, y, x, weights="plain")
        assert (found.mean(), found.var()) == pytest.approx((mean, variance), abs=1e-7)
    x = np.arange(101.0)
    np.testing.assert_allclose(line.mixup_optimum(x, 2 * x + 1, x, weights="plain"), 2 * x + 1, rtol=1e-12)


def test_the_optimum_is_linear_between_samples_for_lam_uniform_only():
    x, y = np.array([0.0, 1.0, 2.5, 3.0]), np.array([1.0, -1.0, 0.5, 2.0])
    for low, high in itertools.pairwise(x):
        points = low + (high - low) * np.array([0.1, 0.5, 0.9])
        bends = [np.diff(line.mixup_optimum(x, y, points, beta=beta), 2)[0] for beta in ((1.0, 1.0), (2.0, 2.0))]
        assert abs(bends[0]) < 1e-12
        assert abs(bends[1]) > 1e-3


def test_ends_of_the_range_several_outputs_and_kinds():
    x, y = torch.tensor([2.0, 0.0, 1.0]), torch.tensor([[0.0, 1.0], [1.0, 0.0], [3.0, 3.0]])
    found = line.mixup_optimum(x, y, torch.tensor([0.0, 0.5, 2.0]), graph=IdentityGraph())
    assert torch.equal(found[[0, 2]], y[[1, 0]])
    assert torch.isnan(found[1]).all()
    assert line.mixup_optimum([1.0], [5.0], [1.0, 2.0]).tolist()[0] == 5.0
    assert line.mixup_optimum([1.0, 1.0], [5.0, 7.0], [1.0], weights="plain").tolist() == [6.0]
    extreme = line.mixup_optimum([0.0, 1.0, 3.0], [0.0, 1.0, 5.0], [0.3, 2.0], beta=(900.0, 900.0))
    assert np.isfinite(extreme).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": (0.0, 1.0)}, "beta must be between"),
        ({"beta": (2.0, 2.0), "weights": "plain"}, r"beta must be \(1, 1\) with weights='plain'"),
        ({"weights": "desity"}, "did you mean 'density'"),
        ({"graph": np.ones((2, 2))}, "graph must be a locality graph or a matrix"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        line.mixup_optimum([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [0.5], **options)
