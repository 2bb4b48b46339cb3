import copy

import pytest
import torch
from torch import nn

from localmixup.lab.methods import METHODS, Batch
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec


@pytest.fixture
def make():
    """A method by its name, with the options of its own as keywords."""

    def build(name, *, parameter=None, task="classification", seed=0, loss_scale=1.0, reduction="mean", **options):
        settings = TrainingSpec(model="mlp", updates=1, reduction=reduction)
        given = tuple(sorted(options.items()))
        spec = MethodSpec(method=name, parameter=parameter, loss_scale=loss_scale, options=given)
        return METHODS[name](spec, settings, task, torch.Generator().manual_seed(seed))

    return build


@pytest.fixture
def points():
    """Twelve points of three classes."""
    return torch.randn(12, 3, generator=torch.Generator().manual_seed(5)), torch.arange(12) % 3


@pytest.fixture
def network():
    """Three layers and a head."""
    torch.manual_seed(7)
    hidden = [nn.Sequential(nn.Linear(a, b), nn.Tanh()) for a, b in ((3, 5), (5, 4), (4, 4))]
    return nn.Sequential(*hidden, nn.Linear(4, 3))


@pytest.fixture
def batch_of():
    """A batch without partners, or with partners of the whole set."""

    def draw(method, pairs, x, y, count=8):
        if pairs == "batch":
            return Batch(x, y)
        first, second = method.pairs(x, y).sample(count)
        return Batch(x[first], y[first], x[second], y[second])

    return draw


@pytest.fixture
def same_gradients():
    """That two losses have the same gradients for all parameters of some networks."""

    def check(loss, slow, *networks):
        parameters = [p for network in networks for p in network.parameters()]
        for a, b in zip(
            torch.autograd.grad(loss, parameters, allow_unused=True),
            torch.autograd.grad(slow, parameters, allow_unused=True),
            strict=True,
        ):
            assert (a is None) == (b is None)
            if a is not None:
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)

    return check


@pytest.fixture(autouse=True)
def _nothing_of_the_callers_is_changed(points):
    x, y = points
    before = copy.deepcopy((x, y))
    yield
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
