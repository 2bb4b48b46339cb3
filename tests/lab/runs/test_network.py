"""A stack of networks against each network alone."""

import pytest
import torch
from torch import nn

from localmixup.lab.models import MODELS, build_model
from localmixup.lab.runs.network import can_stack, stack

DENSE = ("mlp", "mlp3-softmax", "mlp-leaky")


def test_only_fully_connected_models_can_be_stacked():
    assert [name for name in MODELS if can_stack(build_model(name, (1, 28, 28), 3))] == list(DENSE)
    two = [build_model("lenet5", (1, 28, 28), 3) for _ in range(2)]
    with pytest.raises(ValueError, match="models must be fully connected to be stacked, got 2"):
        stack(two)


@pytest.mark.parametrize("name", DENSE)
def test_a_stack_is_its_networks_and_so_are_its_gradients(name):
    torch.manual_seed(0)
    models = [build_model(name, (1, 2, 3), 4) for _ in range(5)]
    network, x = stack(models), torch.randn(5, 7, 1, 2, 3)
    outputs = network(x)
    expected = torch.stack([model(part) for model, part in zip(models, x, strict=True)])
    torch.testing.assert_close(outputs, expected)
    hidden = network.part(0, -1)(x)
    torch.testing.assert_close(hidden[3], models[3][:-1](x[3]))
    torch.testing.assert_close(network.part(-1, len(network.layers))(hidden), outputs)
    outputs.square().sum().backward()
    expected.square().sum().backward()
    for k, parameter in enumerate(network.parameters()):
        alone = torch.stack([list(model.parameters())[k].grad for model in models])
        torch.testing.assert_close(parameter.grad, alone.transpose(1, 2) if alone.ndim == 3 else alone[:, None])


@pytest.mark.parametrize("name", ["lenet5", "resnet"])
def test_any_other_network_is_a_stack_of_one(name):
    model = build_model(name, (1, 16, 16), 3).eval()
    x = torch.randn(4, 1, 16, 16)
    assert torch.equal(stack([model])(x[None])[0], model(x))
    assert stack([model]).rows_are_independent == (name == "lenet5")


def test_a_stack_of_plain_layers_counts_as_rows_that_do_not_depend_on_one_another():
    assert stack([nn.Sequential(nn.Linear(2, 2))]).rows_are_independent
