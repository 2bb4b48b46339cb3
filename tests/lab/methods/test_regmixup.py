"""RegMixup against its formula written out."""

import math

import pytest
import torch
import torch.nn.functional as F


def slow_loss(network, batch, eta):
    """Row by row."""
    plain = other = 0.0
    rows = (t[0] for t in (batch.inputs, batch.partner_inputs, batch.targets, batch.partner_targets, batch.lam))
    for own, partner, a, b, lam in zip(*rows, strict=True):
        plain = plain + F.cross_entropy(network(own[None]), a[None])
        output = network((lam * own + (1 - lam) * partner)[None])
        other = other + lam * F.cross_entropy(output, a[None]) + (1 - lam) * F.cross_entropy(output, b[None])
    return (plain + eta * other) / batch.size


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("eta", [0.0, 2.5])
def test_it_is_its_formula(make, points, network, draw, step, same_gradients, pairs, eta):
    method = make("regmixup", eta=eta, loss_scale=0.5)
    batch = draw(method, pairs, *points)
    loss, _ = step(method, network, batch)
    slow = 0.5 * slow_loss(network, batch, eta)
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5)
    same_gradients(loss, slow, network)


def test_half_of_it_is_the_mean_over_both_parts_as_in_the_authors_code(make, points, network, draw, step):
    batch = draw(make("regmixup", loss_scale=0.5), "batch", *points)
    loss, _ = step(make("regmixup", loss_scale=0.5), network, batch)
    lam = batch.lam[0][:, None]
    x, y, other = batch.inputs[0], F.one_hot(batch.targets[0], 3).float(), F.one_hot(batch.partner_targets[0], 3)
    rows, soft = (
        torch.cat([x, lam * x + (1 - lam) * batch.partner_inputs[0]]),
        torch.cat([y, lam * y + (1 - lam) * other]),
    )
    assert loss.item() == pytest.approx(F.cross_entropy(network(rows), soft).item(), rel=1e-5)


@pytest.mark.parametrize("mixup_alpha", [20.0, 1.0])
def test_lam_is_near_a_half(make, mixup_alpha):
    lams = make("regmixup", mixup_alpha=mixup_alpha).lam(2000).double()
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
