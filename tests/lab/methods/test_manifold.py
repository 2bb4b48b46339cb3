"""Manifold mixup, and Local Mixup at a hidden layer, against their formulas written out."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from localmixup.lab.methods.base import Batch
from localmixup.lab.runs.network import Network


def slow_loss(network, batch, weigh):
    """Row by row: up to the layer, mixed there, and on."""
    layer, lam = int(batch.choices[0]), float(batch.lam[0, 0])
    ends = [
        (network[:layer](a[None]), network[:layer](b[None]))
        for a, b in zip(batch.inputs[0], batch.partner_inputs[0], strict=True)
    ]
    weights = weigh([float((a - b).detach().square().sum().sqrt()) for a, b in ends])
    total = 0.0
    for (a, b), own, other, weight in zip(ends, batch.targets[0], batch.partner_targets[0], weights, strict=True):
        output = network[layer:](lam * a + (1 - lam) * b)
        loss = lam * F.cross_entropy(output, own[None]) + (1 - lam) * F.cross_entropy(output, other[None])
        total = total + weight * loss
    return total / len(ends), weights


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("layers", ["0", "1", "3", "0,1,2"])
def test_manifold_mixup_is_its_formula(make, points, network, draw, step, same_gradients, pairs, layers):
    method = make("manifold-mixup", layers=layers, loss_scale=0.5)
    batch = draw(method, pairs, *points)
    loss, weights = step(method, network, batch)
    slow, _ = slow_loss(network, batch, lambda d: [1.0] * len(d))
    assert loss.item() == pytest.approx(0.5 * slow.item(), rel=1e-5)
    same_gradients(loss, 0.5 * slow, network)
    assert (weights == 1).all()


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("layers", ["0", "2"])
@pytest.mark.parametrize("decay", [None, 0.7, math.inf])
def test_manifold_local_is_its_formula(make, points, network, draw, step, same_gradients, pairs, layers, decay):
    def weigh(distances):
        apart = sorted(d for d in distances if d > 0)
        rate = 1.5 / apart[(len(apart) - 1) // 2] if decay is None else decay
        return [1.0 if d == 0 else math.exp(-rate * d) for d in distances]

    options = {"times_median": 1.5} if decay is None else {"parameter": decay}
    method = make("manifold-local", layers=layers, **options)
    batch = draw(method, pairs, *points)
    loss, weights = step(method, network, batch)
    slow, expected = slow_loss(network, batch, weigh)
    assert weights.tolist() == pytest.approx(expected, rel=1e-5)
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5, abs=1e-9)
    same_gradients(loss, slow, network)


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_the_runs_of_a_stack_are_mixed_each_at_its_layer(make, points, network, draw, step, pairs):
    method = make("manifold-local", layers="0,1,3")
    alone = [draw(method, pairs, *points) for _ in range(20)]
    assert len({int(batch.choices[0]) for batch in alone}) == 3
    together = Batch(
        *(None if v[0] is None else v[0] if isinstance(v[0], int) else torch.cat(v) for v in zip(*alone, strict=True))
    )
    side_by_side = Network([Spread(layer) for layer in network], 20)
    losses, weights = method.losses(side_by_side, together)
    expected = [step(method, network, batch) for batch in alone]
    torch.testing.assert_close(losses, torch.stack([loss for loss, _ in expected]))
    torch.testing.assert_close(weights, torch.stack([weight for _, weight in expected]))


class Spread(nn.Module):
    """A layer applied to the rows of all runs."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def test_the_ends_of_the_local_range_are_manifold_mixup_and_the_sum_is_eq_3(make, points, network, draw, step):
    batch = draw(make("manifold-mixup", seed=9), "set", *points)
    mixup, _ = step(make("manifold-mixup"), network, batch)
    assert step(make("manifold-local", times_median=0), network, batch)[0].item() == pytest.approx(mixup.item())
    local, weights = step(make("manifold-local"), network, batch)
    total, _ = step(make("manifold-local", reduction="sum"), network, batch)
    share, _ = step(make("manifold-local", reduction="weighted_mean"), network, batch)
    assert total.item() == pytest.approx(8 * local.item(), rel=1e-5)
    assert share.item() == pytest.approx(total.item() / weights.sum().item(), rel=1e-5)


def test_weights_do_not_depend_on_the_scale_of_the_layer(make, points, network, draw, step):
    batch = draw(make("manifold-local", layers="1"), "batch", *points)
    wide = nn.Sequential(network[0], Times(1000.0), *network[1:])
    before = step(make("manifold-local"), network, batch)[1]
    after = step(make("manifold-local"), wide, batch._replace(choices=torch.tensor([2])))[1]
    torch.testing.assert_close(before, after)


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def test_every_layer_is_drawn_equally_often(make):
    counts = make("manifold-mixup", layers="0,2,3").choices(900).bincount()
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


def test_what_does_not_go_together_is_refused(make, points, network, draw, step):
    batch = draw(make("manifold-mixup"), "batch", *points)
    with pytest.raises(ValueError, match=r"layers of manifold-mixup must be of 0 to 3 .*, got 4"):
        step(make("manifold-mixup", layers="4"), network, batch)
    with pytest.raises(ValueError, match=r"either a parameter, the decay, or times_median, got 2.0 and 1.0"):
        make("manifold-local", parameter=2.0, times_median=1.0)
    with pytest.raises(ValueError, match="times_median must be >= 0"):
        make("manifold-local", times_median=-1.0)
    with pytest.raises(ValueError, match="options of manifold-mixup must be of layers, got times_median"):
        make("manifold-mixup", times_median=1.0)
