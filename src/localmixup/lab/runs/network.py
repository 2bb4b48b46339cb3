"""The networks of a stack of runs as one module: inputs `(R, B, ...)` in, outputs `(R, B, c)` out.

Letters of shapes: R runs of a stack, B samples of a batch, c outputs. Small fully connected networks are stacked: each
layer holds the weights of all runs as one tensor `(R, in, out)`. Any other network is a stack of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from localmixup._validate import ArgumentError

_ELEMENTWISE = (nn.ReLU, nn.LeakyReLU)


class Network(nn.Module):
    """Networks that run side by side and never exchange anything.

    Args:
        layers: modules that are run one after another, from `(R, B, ...)` to `(R, B, ...)`; the last one is the head.
        runs: R.

    Attributes:
        layers: as above. Hidden layers can be mixed between them.
        runs: as above.
        rows_are_independent: whether the output of a sample depends on that sample alone, so that samples of weight
            zero can be left out. It does not where batch normalisation is used.
    """

    def __init__(self, layers: Sequence[nn.Module], runs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.runs = runs
        self.rows_are_independent = not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in self.modules())

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, shape `(R, B, c)`, of inputs of shape `(R, B, ...)`."""
        return self.part(0, len(self.layers))(x)

    def part(self, start: int, stop: int) -> Callable[[Tensor], Tensor]:
        """Return the function that runs the layers from `start` up to and without `stop`; negative as in slices."""
        layers = self.layers[start:stop]

        def run(x: Tensor) -> Tensor:
            for layer in layers:
                x = layer(x)
            return x

        return run


def stack(models: Sequence[nn.Sequential]) -> Network:
    """Make one network of the models of several runs.

    Args:
        models: one per run, alike but for their weights, as `localmixup.lab.models.build_model` makes them.

    Raises:
        ArgumentError: there are several models of a kind that cannot be stacked.

    >>> models = [nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)) for _ in range(4)]
    >>> stack(models)(torch.zeros(4, 5, 2)).shape
    torch.Size([4, 5, 1])
    """
    if can_stack(models[0]):
        return Network([_stacked(layers) for layers in zip(*models, strict=True)], len(models))
    if len(models) > 1:
        raise ArgumentError(f"models must be fully connected to be stacked, got {len(models)} of {models[0]}")
    return Network([_Alone(layer) for layer in models[0]], 1)


def can_stack(model: nn.Module) -> bool:
    """Return whether models like this one can be stacked: fully connected layers and elementwise functions."""
    known = (nn.Sequential, nn.Linear, nn.Flatten, nn.Softmax, *_ELEMENTWISE)
    return all(type(module) in known for module in model.modules())


class _Alone(nn.Module):
    """A layer of the only run of a stack."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.layer(x.squeeze(0))
        return outputs.unsqueeze(0)


class _Linear(nn.Module):
    """The same fully connected layer of every run."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]).contiguous())
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[None] for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


def _stacked(layers: Sequence[nn.Module]) -> nn.Module:
    """The module that does to `(R, B, ...)` what each layer does to the `(B, ...)` of its run."""
    first = layers[0]
    if isinstance(first, nn.Sequential):
        return nn.Sequential(*(_stacked(inner) for inner in zip(*layers, strict=True)))
    if isinstance(first, nn.Linear):
        return _Linear(layers)  # type: ignore[arg-type]
    if isinstance(first, nn.Flatten):
        return nn.Flatten(start_dim=2)
    if isinstance(first, nn.Softmax):
        return nn.Softmax(dim=-1)
    # the layer before keeps nothing that this one could overwrite
    return nn.ReLU(inplace=True) if isinstance(first, nn.ReLU) else first
