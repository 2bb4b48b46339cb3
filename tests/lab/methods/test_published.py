"""The authors' code as it is, against its formulas written out."""

import math

import pytest
import torch
import torch.nn.functional as F

from localmixup.lab.methods import Batch


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_spirals_multiplies_the_mean_loss_with_the_mean_weight(make, points, network, batch_of, pairs):
    x, y = points
    batch = batch_of(make("published-spirals", parameter=2.0, seed=9), pairs, x, y)
    loss, mixed = make("published-spirals", parameter=2.0, loss_scale=0.5).step(network, batch)
    losses, weights = [], []
    for i, (row, own, other, lam) in enumerate(
        zip(mixed.inputs, mixed.targets, mixed.partner_targets, mixed.lam, strict=True)
    ):
        output = network(row[None])
        each = lam * F.cross_entropy(output, own[None]) + (1 - lam) * F.cross_entropy(output, other[None])
        losses.append(each.item())
        # the partner, out of the mixed sample
        partner = (row - lam * batch.inputs[i]) / (1 - lam)
        weights.append(1.0 if float((partner - batch.inputs[i]).norm()) <= 2.0 else 0.0)
    assert mixed.weights.tolist() == weights
    assert 0 < sum(weights) < len(weights)
    assert loss.item() == pytest.approx(0.5 * sum(losses) / len(losses) * sum(weights) / len(weights), rel=1e-5)
    right = sum(w * value for w, value in zip(weights, losses, strict=True)) / len(losses)
    assert loss.item() != pytest.approx(0.5 * right, rel=1e-3), "the defect would be invisible"


def test_spirals_gradient_is_that_of_mixup_but_for_a_factor(make, points, network, same_gradients):
    x, y = points
    loss, mixed = make("published-spirals", parameter=2.0).step(network, Batch(x, y))
    mixup, _ = make("mixup").step(network, Batch(x, y))
    same_gradients(loss, mixup * mixed.weights.mean(), network)


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
    y = torch.arange(5)  # a class each, so that targets tell who met whom
    if pairs == "set":
        source = method.pairs(x, y)
        own, partner = (torch.cat(ends) for ends in zip(*(source.sample(5) for _ in range(1500)), strict=True))
        assert (own.bincount() == 1500).all()
    else:
        batches = [method.mixed(Batch(x, y)) for _ in range(1500)]
        own, partner = y.repeat(1500), torch.cat([b.partner_targets for b in batches])
    assert_law(own, partner, law(x, 0.8))


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_cifar_gives_the_partner_the_larger_share(make, points, network, batch_of, pairs):
    x, y = points[0], torch.arange(12)
    method = make("published-cifar", parameter=0.8, seed=1)
    shares = []
    for _ in range(400):
        batch = batch_of(method, pairs, x, y)
        mixed = method.mixed(batch)
        moved = mixed.partner_targets != mixed.targets
        assert (mixed.weights == 1).all()
        assert torch.equal(mixed.inputs[~moved], batch.inputs[~moved]) or pairs == "set"
        if moved.any():
            assert len(mixed.lam[moved].unique()) == 1, "one lam a batch"
            shares.append(float(mixed.lam[moved][0]))
        expected = [
            lam * x[a] + (1 - lam) * x[b]
            for a, b, lam in zip(mixed.targets, mixed.partner_targets, mixed.lam, strict=True)
        ]
        torch.testing.assert_close(mixed.inputs, torch.stack(expected))
    assert 0 <= min(shares) < 0.02
    assert 0.48 < max(shares) <= 0.5
    assert sum(shares) / len(shares) == pytest.approx(0.25, abs=4.5 * 0.5 / math.sqrt(12 * len(shares)))


def test_a_parameter_is_needed(make):
    for name in ("published-spirals", "published-cifar"):
        with pytest.raises(ValueError, match=f"parameter must be given for {name}, got None"):
            make(name)
        with pytest.raises(ValueError, match=f"options of {name} must be of none"):
            make(name, parameter=1.0, decay=2.0)
