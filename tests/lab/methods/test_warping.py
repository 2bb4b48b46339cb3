"""Similarity-kernel mixup against its formula written out."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy.special import betainc
from torch import nn

from localmixup.lab.methods.warping import warped


def quantile(tau, uniform):
    """The point at which the distribution function of Beta(tau, tau) reaches `uniform`, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if betainc(tau, tau, middle) < uniform else (low, middle)
    return low


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("features", ["inputs", "penultimate"])
@pytest.mark.parametrize(("tau_max", "tau_std"), [(1.0, 0.5), (0.3, 1.0)])
def test_it_is_its_formula(make, points, network, draw, step, pairs, features, tau_max, tau_std):
    method = make("warping-mixup", tau_max=tau_max, tau_std=tau_std, features=features, seed=2, loss_scale=0.5)
    batch = draw(method, pairs, *points)
    loss, _ = step(method, network, batch)
    uniform = float(batch.lam[0, 0])
    h = (lambda x: network[:-1](x[None])[0].detach()) if features == "penultimate" else (lambda x: x)
    squares = [
        float((h(a) - h(b)).square().sum()) for a, b in zip(batch.inputs[0], batch.partner_inputs[0], strict=True)
    ]
    mean = sum(squares) / len(squares)
    lams = [quantile(tau_max * math.exp(-(s / mean - 1) / (2 * tau_std**2)), uniform) for s in squares]
    slow = 0.0
    rows = (t[0] for t in (batch.inputs, batch.partner_inputs, batch.targets, batch.partner_targets))
    for own, other, a, b, lam in zip(*rows, lams, strict=True):
        output = network((lam * own + (1 - lam) * other)[None])
        slow = slow + lam * F.cross_entropy(output, a[None]) + (1 - lam) * F.cross_entropy(output, b[None])
    slow = slow / len(lams)
    assert max(lams) - min(lams) > 0.01
    assert loss.item() == pytest.approx(0.5 * slow.item(), rel=1e-4)
    parameters = list(network.parameters())
    for a, b in zip(torch.autograd.grad(loss, parameters), torch.autograd.grad(0.5 * slow, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_a_flat_kernel_is_mixup(make, points, network, draw, step, pairs):
    batch = draw(make("mixup", seed=9), pairs, *points)
    ours, theirs = (step(method, network, batch)[0] for method in (make("warping-mixup", tau_std=1e9), make("mixup")))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_near_pairs_are_mixed_half_and_half_and_far_ones_not():
    squares = torch.tensor([0.0, 0.2, 1.0, 2.0, 6.0])
    lam = warped(squares, torch.full((5,), 0.3), tau_max=1.0, tau_std=0.25)
    away = (lam - 0.5).abs()
    assert (away[1:] >= away[:-1]).all()
    assert away[0] < 0.01
    assert lam[-1] == pytest.approx(0.0, abs=1e-12)
    assert warped(squares, torch.full((5,), 0.7), 1.0, 0.25)[-1] == pytest.approx(1.0)


def test_lam_has_the_law_of_its_pair():
    # all pairs at the mean, so that tau is tau_max: the variance of Beta(t, t) is 1 / (4 (2 t + 1))
    uniform = torch.rand(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for tau in (0.4, 1.0, 5.0):
        lam = warped(torch.ones(4000), uniform, tau, 0.5)
        variance = 1 / (4 * (2 * tau + 1))
        assert float(lam.mean()) == pytest.approx(0.5, abs=4.5 * math.sqrt(variance / 4000))
        assert float(lam.var()) == pytest.approx(variance, rel=4.5 * math.sqrt(2 / 4000))


@pytest.mark.parametrize("squares", [[0.0, 0.0, 0.0], [0.0, 0.0, 1e30], [1e-30, 3e-30, 2e-30], [5.0]])
@pytest.mark.parametrize("tau_std", [1e-3, 0.25, 1e3])
def test_extreme_distances_give_coefficients(squares, tau_std):
    for uniform in (0.0, 1e-7, 0.4, 1.0):
        lam = warped(torch.tensor(squares), torch.full((len(squares),), uniform), 1.0, tau_std)
        assert ((lam >= 0) & (lam <= 1)).all()


def test_the_pass_for_features_counts_for_batch_normalisation_and_has_no_gradient(make, points, draw, step):
    batch = draw(make("mixup"), "batch", *points)
    network = nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.Linear(4, 3))
    step(make("warping-mixup", features="penultimate"), network, batch)[0].backward()
    assert network[0][1].num_batches_tracked == 2
    step(make("warping-mixup"), network, batch)
    assert network[0][1].num_batches_tracked == 3


def test_bad_options_are_refused(make):
    with pytest.raises(ValueError, match="features must be one of 'inputs', 'penultimate'"):
        make("warping-mixup", features="penultimat")
    for options in ({"tau_max": 0.0}, {"tau_std": 0.0}):
        with pytest.raises(ValueError, match="tau_max and tau_std must be > 0"):
            make("warping-mixup", **options)
    with pytest.raises(ValueError, match="tau_std must be >= 0"):
        make("warping-mixup", tau_std=-1.0)
