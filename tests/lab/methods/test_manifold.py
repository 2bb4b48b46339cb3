"""Manifold mixup, and Local Mixup at a hidden layer, against their formulas written out."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from localmixup import CompleteGraph, LocalMixup


def drawn(layers, batch, seed=0):
    """What a method with that seed draws: the layer, the partners' inputs and targets, and lam."""
    g = torch.Generator().manual_seed(seed)
    layer = layers[int(torch.randint(len(layers), (), generator=g))]
    mix = LocalMixup(CompleteGraph(), generator=g)
    if batch.partner_inputs is None:
        plan = mix.plan(batch.inputs)
        return layer, batch.inputs[plan.partner], batch.targets[plan.partner], float(plan.lam[0])
    lam = mix.mix_pairs(batch.inputs, batch.targets, batch.partner_inputs, batch.partner_targets).lam
    return layer, batch.partner_inputs, batch.partner_targets, float(lam[0])


def slow_loss(network, batch, layers, weigh):
    """Row by row: up to the layer, mixed there, and on."""
    layer, partner_inputs, partner_targets, lam = drawn(layers, batch)
    ends = [
        (network[:layer](a[None]), network[:layer](b[None])) for a, b in zip(batch.inputs, partner_inputs, strict=True)
    ]
    weights = weigh([float((a - b).detach().square().sum().sqrt()) for a, b in ends])
    total = 0.0
    for (a, b), own, other, weight in zip(ends, batch.targets, partner_targets, weights, strict=True):
        output = network[layer:](lam * a + (1 - lam) * b)
        loss = lam * F.cross_entropy(output, own[None]) + (1 - lam) * F.cross_entropy(output, other[None])
        total = total + weight * loss
    return total / len(ends), weights


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("layers", ["0", "1", "2", "3", "0,1,2"])
def test_manifold_mixup_is_its_formula(make, points, network, batch_of, same_gradients, pairs, layers):
    batch = batch_of(make("manifold-mixup", seed=9), pairs, *points)
    loss, mixed = make("manifold-mixup", layers=layers, loss_scale=0.5).step(network, batch)
    slow, _ = slow_loss(network, batch, [int(k) for k in layers.split(",")], lambda d: [1.0] * len(d))
    assert loss.item() == pytest.approx(0.5 * slow.item(), rel=1e-5)
    same_gradients(loss, 0.5 * slow, network)
    assert (mixed.weights == 1).all()
    assert mixed.inputs.shape == batch.inputs.shape


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("layers", ["0", "2", "0,1,2"])
@pytest.mark.parametrize("decay", [None, 0.7, math.inf])
def test_manifold_local_is_its_formula(make, points, network, batch_of, same_gradients, pairs, layers, decay):
    def weigh(distances):
        apart = sorted(d for d in distances if d > 0)
        rate = 1.5 / apart[(len(apart) - 1) // 2] if decay is None else decay
        return [1.0 if d == 0 else math.exp(-rate * d) for d in distances]

    batch = batch_of(make("manifold-local", seed=9), pairs, *points)
    options = {"times_median": 1.5} if decay is None else {"parameter": decay}
    loss, mixed = make("manifold-local", layers=layers, **options).step(network, batch)
    slow, weights = slow_loss(network, batch, [int(k) for k in layers.split(",")], weigh)
    assert mixed.weights.tolist() == pytest.approx(weights, rel=1e-5)
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5, abs=1e-9)
    same_gradients(loss, slow, network)


def test_the_ends_of_the_local_range_are_manifold_mixup_and_the_sum_is_eq_3(make, points, network, batch_of):
    batch = batch_of(make("manifold-mixup", seed=9), "set", *points)
    mixup, _ = make("manifold-mixup").step(network, batch)
    assert make("manifold-local", times_median=0).step(network, batch)[0].item() == pytest.approx(mixup.item())
    local, mixed = make("manifold-local").step(network, batch)
    total, _ = make("manifold-local", reduction="sum").step(network, batch)
    share, _ = make("manifold-local", reduction="weighted_mean").step(network, batch)
    assert total.item() == pytest.approx(8 * local.item(), rel=1e-5)
    assert share.item() == pytest.approx(total.item() / mixed.weights.sum().item(), rel=1e-5)


def test_weights_do_not_depend_on_the_scale_of_the_layer(make, points, network, batch_of):
    batch = batch_of(make("manifold-local", seed=9), "batch", *points)
    wide = nn.Sequential(network[0], Times(1000.0), *network[1:])
    before = make("manifold-local", layers="1").step(network, batch)[1].weights
    after = make("manifold-local", layers="2").step(wide, batch)[1].weights
    torch.testing.assert_close(before, after)


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Rows(nn.Module):
    """Notes how many rows came through."""

    def forward(self, x):
        self.seen = len(x)
        return x


def test_every_layer_is_drawn_equally_often(make, points, batch_of):
    x, y = points
    method = make("manifold-mixup", layers="0,2,3")
    network = nn.Sequential(Rows(), Rows(), Rows(), nn.Linear(3, 3))
    batch = batch_of(method, "set", x, y)
    counts = {0: 0, 1: 0, 2: 0, 3: 0}
    for _ in range(900):
        method.step(network, batch)
        # both ends run below the layer, 16 rows; the mixed ones above it, 8 rows
        counts[sum(child.seen == 16 for child in network[:3])] += 1
    assert counts[1] == 0
    for layer in (0, 2, 3):  # 4.5 standard errors: false alarms below one in 50,000
        assert counts[layer] == pytest.approx(300, abs=4.5 * math.sqrt(900 * 2 / 9))


def test_pairs_of_the_set_are_random(make, points):
    x, y = points
    first, second = make("manifold-local").pairs(x, y).sample(12_000)
    assert (first.bincount() == 1000).all()
    # 144 cells of 83.3 expected: the statistic has 131 degrees of freedom; its 99.999 % point is about 207
    cells = (first * 12 + second).bincount(minlength=144).double()
    assert float(((cells - 12_000 / 144) ** 2 / (12_000 / 144)).sum()) < 207


@pytest.mark.parametrize("layers", ["", "a", "-1", "0.5", "0,,1", -1.0])
def test_bad_layers_are_refused(make, layers):
    with pytest.raises(ValueError, match="layers must be whole numbers >= 0"):
        make("manifold-mixup", layers=layers)


def test_a_single_layer_may_be_a_number(make):
    assert make("manifold-mixup", layers=1.0).layers == [1]


def test_what_does_not_go_together_is_refused(make, points, network, batch_of):
    batch = batch_of(make("manifold-mixup"), "batch", *points)
    with pytest.raises(ValueError, match=r"layers of manifold-mixup must be of 0 to 3 .*, got 4"):
        make("manifold-mixup", layers="4").step(network, batch)
    with pytest.raises(ValueError, match=r"either a parameter, the decay, or times_median, got 2.0 and 1.0"):
        make("manifold-local", parameter=2.0, times_median=1.0)
    with pytest.raises(ValueError, match="times_median must be >= 0"):
        make("manifold-local", times_median=-1.0)
    with pytest.raises(ValueError, match="options of manifold-mixup must be of layers, got times_median"):
        make("manifold-mixup", times_median=1.0)
    with pytest.raises(ValueError, match=r"must be an nn.Sequential whose last child is the head, got Linear"):
        make("manifold-mixup").step(nn.Linear(3, 3), batch)
