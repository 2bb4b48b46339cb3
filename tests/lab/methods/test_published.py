"""The authors' code as it is, against its formulas written out."""

import math

import pytest
import torch
import torch.nn.functional as F


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_spirals_multiplies_the_mean_loss_with_the_mean_weight(
    make, points, network, draw, step, same_gradients, pairs
):
    method = make("published-spirals", parameter=2.0, loss_scale=0.5, seed=9)
    batch = draw(method, pairs, *points)
    loss, weights = step(method, network, batch)
    losses, near = [], []
    rows = (t[0] for t in (batch.inputs, batch.partner_inputs, batch.targets, batch.partner_targets, batch.lam))
    for own, partner, a, b, lam in zip(*rows, strict=True):
        output = network((lam * own + (1 - lam) * partner)[None])
        losses.append(lam * F.cross_entropy(output, a[None]) + (1 - lam) * F.cross_entropy(output, b[None]))
        near.append(1.0 if float((partner - own).norm()) <= 2.0 else 0.0)
    assert weights.tolist() == near
    assert 0 < sum(near) < len(near)
    slow = 0.5 * sum(losses) / len(losses) * sum(near) / len(near)
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5)
    same_gradients(loss, slow, network)
    right = sum(w * value.item() for w, value in zip(near, losses, strict=True)) / len(losses)
    assert loss.item() != pytest.approx(0.5 * right, rel=1e-3), "the defect would be invisible"
    assert not method.drops


def test_spirals_pairs_of_the_set_do_not_depend_on_the_radius(make, points):
    x, y = points
    near, far = (make("published-spirals", parameter=r).pairs(x, y).sample(500) for r in (0.01, 100.0))
    assert torch.equal(torch.stack(near), torch.stack(far))
    assert (near[0] != near[1]).double().mean() > 0.8


def law(x, decay):
    """Row by row: the probability of every partner."""
    rows = [[math.exp(-decay * float((a - b).norm())) for b in x] for a in x]
    return torch.tensor([[w / sum(row) for w in row] for row in rows], dtype=torch.float64)


def assert_law(own, partner, probability):
    """Every frequency within 4.5 standard errors: for 25 cells a false alarm in 5,000 at most."""
    m = len(probability)
    counts = torch.zeros(m, m, dtype=torch.float64).index_put_(
        (own, partner), torch.ones(len(own), dtype=torch.float64), accumulate=True
    )
    n = counts.sum(dim=1, keepdim=True)
    error = (probability * (1 - probability) / n).sqrt()
    assert ((counts / n - probability).abs() < 4.5 * error).all()


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_cifar_draws_near_partners_of_the_batch(make, points, pairs):
    x = points[0][:5]
    method = make("published-cifar", parameter=0.8, seed=1)
    y = torch.arange(5)
    if pairs == "set":
        source = method.pairs(x, y)
        own, partner = (torch.cat(ends) for ends in zip(*(source.sample(5) for _ in range(1500)), strict=True))
        assert (own.bincount() == 1500).all()
    else:
        plan = method.plan(x.repeat(1500, 1), y.repeat(1500), 5)
        own, partner = y.repeat(1500), plan.partner % 5
        assert (plan.weights == 1).all()
        assert torch.equal(plan.partner // 5, torch.arange(1500).repeat_interleave(5))
    assert_law(own, partner, law(x, 0.8))


def test_cifar_gives_the_partner_the_larger_share(make):
    lam = make("published-cifar", parameter=0.8, seed=1).lam(400)
    assert 0 <= float(lam.min()) < 0.02
    assert 0.48 < float(lam.max()) <= 0.5
    assert float(lam.mean()) == pytest.approx(0.25, abs=4.5 * 0.5 / math.sqrt(12 * 400))


def test_a_parameter_is_needed(make):
    for name in ("published-spirals", "published-cifar"):
        with pytest.raises(ValueError, match=f"parameter must be given for {name}, got None"):
            make(name).graph()
        with pytest.raises(ValueError, match=f"options of {name} must be of none"):
            make(name, parameter=1.0, decay=2.0)
