import copy

import pytest
import torch
from torch import nn

from localmixup.lab.methods import METHODS
from localmixup.lab.methods.base import Batch
from localmixup.lab.runs.network import stack
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec


@pytest.fixture(scope="session")
def make():
    """A method by its name, with its options as keywords."""

    def build(
        name, *, parameter=None, task="classification", seed=0, loss_scale=1.0, reduction="mean", pairs="set", **options
    ):
        settings = TrainingSpec(model="mlp", updates=1, reduction=reduction, pairs=pairs)
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


@pytest.fixture(scope="session")
def draw():
    """One batch of a method, with pairs of the batch or of the set, as a stack of one run."""

    def batch_of(method, pairs, x, y, count=8):
        if pairs == "batch":
            first, plan = torch.arange(len(x)), method.plan(x, y, len(x))
            second, lam, weights, partner = plan.partner, plan.lam, plan.weights, plan.partner[None]
        else:
            first, second = method.pairs(x, y).sample(count)
            second, lam = method.moved_in_set(first, second, method.lam(1).expand(count))
            weights, partner = method.set_weights(x[first], x[second]), None
        return Batch(
            x[first][None], x[second][None], y[first][None], y[second][None], lam[None], weights[None],
            size=len(first), scale=torch.tensor([method.spec.loss_scale]), moved=(first != second)[None],
            shares=torch.zeros(1, 3), partner=partner, choices=method.choices(1),
        )  # fmt: skip

    return batch_of


@pytest.fixture(scope="session")
def step():
    """The loss of a batch of one run, a scalar, and the weights of its pairs, shape `(n,)`."""

    def loss_of(method, network, batch):
        losses, weights = method.losses(stack([network]), batch)
        assert losses.shape == (1,)
        return losses[0], (batch.weights if weights is None else weights)[0]

    return loss_of


@pytest.fixture
def same_gradients():
    """Assert that two losses have the same gradients for all parameters of some networks."""

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
def _inputs_are_not_changed(points):
    x, y = points
    before = copy.deepcopy((x, y))
    yield
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
