"""RegMixup against its formula written out."""

import math

import pytest
import torch
import torch.nn.functional as F

from localmixup.lab.methods import Batch


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("eta", [0.0, 1.0, 2.5])
def test_it_is_its_formula(make, points, network, batch_of, same_gradients, pairs, eta):
    batch = batch_of(make("regmixup", seed=9), pairs, *points)
    loss, mixed = make("regmixup", eta=eta, loss_scale=0.5).step(network, batch)
    plain = sum(F.cross_entropy(network(x[None]), y[None]) for x, y in zip(batch.inputs, batch.targets, strict=True))
    other = 0.0
    for row, a, b, lam in zip(mixed.inputs, mixed.targets, mixed.partner_targets, mixed.lam, strict=True):
        output = network(row[None])
        other = other + lam * F.cross_entropy(output, a[None]) + (1 - lam) * F.cross_entropy(output, b[None])
    slow = (plain + eta * other) / len(batch.inputs)
    assert loss.item() == pytest.approx(0.5 * slow.item(), rel=1e-5)
    same_gradients(loss, 0.5 * slow, network)
    if eta == 0:
        vanilla, _ = make("vanilla", loss_scale=0.5).step(network, Batch(batch.inputs, batch.targets))
        assert loss.item() == pytest.approx(vanilla.item(), rel=1e-6)


def test_half_of_it_is_the_mean_over_both_parts_as_in_the_authors_code(make, points, network):
    x, y = points
    loss, mixed = make("regmixup", loss_scale=0.5).step(network, Batch(x, y))
    rows, soft = torch.cat([x, mixed.inputs]), torch.cat([F.one_hot(y, 3).float(), mixed.soft_targets(3)])
    assert loss.item() == pytest.approx(F.cross_entropy(network(rows), soft).item(), rel=1e-5)


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("mixup_alpha", [20.0, 1.0])
def test_lam_is_near_a_half(make, points, batch_of, pairs, mixup_alpha):
    method = make("regmixup", mixup_alpha=mixup_alpha)
    lams = torch.stack([method.mixed(batch_of(method, pairs, *points)).lam[0] for _ in range(2000)]).double()
    variance = 1 / (4 * (2 * mixup_alpha + 1))
    # 4.5 standard errors of the mean, and for a variance of 2000 draws (kurtosis at most normal)
    assert float(lams.mean()) == pytest.approx(0.5, abs=4.5 * math.sqrt(variance / 2000))
    assert float(lams.var()) == pytest.approx(variance, rel=4.5 * math.sqrt(2 / 2000))


def test_bad_options_are_refused(make):
    with pytest.raises(ValueError, match="eta must be >= 0"):
        make("regmixup", eta=-1.0)
    with pytest.raises(ValueError, match="mixup_alpha must be > 0"):
        make("regmixup", mixup_alpha=0.0)
    with pytest.raises(ValueError, match="options of regmixup must be of eta, mixup_alpha, got beta"):
        make("regmixup", beta=1.0)
