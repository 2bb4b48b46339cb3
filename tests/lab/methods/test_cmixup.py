"""C-Mixup against its law of partners written out."""

import math

import pytest
import torch
import torch.nn.functional as F

VALUES = torch.tensor([-1.0, -0.8, 0.0, 0.3, 2.0])


def law(y, bandwidth, classes):
    """Row by row: the probability of every partner, from one-hot vectors for classes."""
    vectors = F.one_hot(y).double() if classes else y.double()[:, None]
    rows = [[math.exp(-float((a - b).square().sum()) / (2 * bandwidth**2)) for b in vectors] for a in vectors]
    return torch.tensor([[w / sum(row) for w in row] for row in rows], dtype=torch.float64)


def partners(make, pairs, y, bandwidth, rounds, task):
    """Who met whom."""
    method = make("c-mixup", task=task, bandwidth=bandwidth)
    m = len(y)
    x = torch.arange(float(m))[:, None]
    if pairs == "set":
        source = method.pairs(x, y)
        first, second = (torch.cat(ends) for ends in zip(*(source.sample(m) for _ in range(rounds)), strict=True))
        assert (first.bincount() == rounds).all()
        return first, second
    plan = method.plan(x.repeat(rounds, 1), y.repeat(rounds), m)
    assert torch.equal(plan.partner // m, torch.arange(rounds).repeat_interleave(m))
    assert all(len(lam.unique()) == 1 for lam in plan.lam[: 10 * m].split(m)), "one lam per batch"
    return torch.arange(m).repeat(rounds), plan.partner % m


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize(
    ("y", "bandwidth", "task"),
    [(VALUES, 0.5, "regression"), (VALUES, 2.0, "regression"), (torch.tensor([0, 0, 1, 2, 1]), 0.8, "classification")],
)
def test_partners_follow_the_law(make, pairs, y, bandwidth, task):
    first, second = partners(make, pairs, y, bandwidth, 1500, task)
    probability = law(y, bandwidth, task == "classification")
    counts = torch.zeros(5, 5, dtype=torch.float64)
    counts.index_put_((first, second), torch.ones(len(first), dtype=torch.float64), accumulate=True)
    error = (probability * (1 - probability) / 1500).sqrt()
    # 25 cells at 4.5 standard errors, and one count for the rare ones: false alarms below one in 2,000
    assert ((counts / 1500 - probability).abs() < 4.5 * error + 1 / 1500).all()


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_the_ends_of_the_bandwidth(make, pairs):
    y = torch.tensor([0, 0, 0, 1, 1, 2])
    first, second = partners(make, pairs, y, 1e-3, 200, "classification")
    assert torch.equal(y[first], y[second]), "a small bandwidth samples within the class"
    assert (first != second).any()
    first, second = partners(make, pairs, y, math.inf, 1000, "classification")
    cells = (first * 6 + second).bincount(minlength=36).double()
    # 36 cells of 166.7 expected, 30 degrees of freedom: the 99.999 % point is about 77
    assert float(((cells - 1000 / 6) ** 2 / (1000 / 6)).sum()) < 77
    values = torch.tensor([0.0, 0.0, 3.0])
    first, second = partners(make, pairs, values, 1e-200, 50, "regression")
    assert torch.equal(values[first], values[second])


def test_a_large_set_needs_no_matrix_of_all_pairs(make):
    m = 200_000  # the matrix would take 320 GB
    y = torch.randn(m, generator=torch.Generator().manual_seed(0))
    first, second = make("c-mixup", task="regression", bandwidth=0.1).pairs(torch.zeros(m, 1), y).sample(256)
    assert len(first.unique()) == 256
    gap = (y[first] - y[second]).double()
    assert gap.abs().max() < 0.6
    # where the density is flat the gap has the bandwidth as deviation: 256 draws to within a fifth, 4.5 errors
    assert gap.std() == pytest.approx(0.1, rel=0.2)


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_the_loss_of_values_is_the_squared_error(make, points, draw, step, pairs):
    x = points[0]
    model, method = torch.nn.Sequential(torch.nn.Linear(3, 1)), make("c-mixup", task="regression", seed=9)
    batch = draw(method, pairs, x, x.sum(dim=1))
    loss, _ = step(method, model, batch)
    total = 0.0
    rows = (t[0] for t in (batch.inputs, batch.partner_inputs, batch.targets, batch.partner_targets, batch.lam))
    for own, partner, a, b, lam in zip(*rows, strict=True):
        output = model((lam * own + (1 - lam) * partner)[None]).item()
        total += float(lam) * (output - float(a)) ** 2 + (1 - float(lam)) * (output - float(b)) ** 2
    assert loss.item() == pytest.approx(total / batch.size, rel=1e-5)


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, math.nan, "wide"])
def test_bad_bandwidths_are_refused(make, bandwidth):
    with pytest.raises(ValueError, match="bandwidth must be >"):
        make("c-mixup", bandwidth=bandwidth)
