"""A learned metric: locality in the features of the network that is being trained (the paper's "trainable version").

A second forward pass, without gradient and over the unmixed samples, gives the features of each batch. There is no
second backward pass. The decay of the graph follows the scale of the features.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from localmixup._batch import MixedBatch, MixPlan
from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError, check_number
from localmixup.graphs.adaptive import AdaptiveExponentialGraph
from localmixup.graphs.base import LocalityGraph

PENULTIMATE, OUTPUT = "penultimate", "output"


class _MovingAverage:
    """PyTorch's exponential moving average, as an object that can be pickled."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, averages: Any, current: Any, count: Any) -> None:
        get_ema_multi_avg_fn(self.share)(averages, current, count)  # type: ignore[no-untyped-call]


class LearnedMetric(nn.Module):
    """Local Mixup whose distances are those of a network's features: `batch = learned(x, y)`.

    The features come from a forward pass under `no_grad` in evaluation mode: batch norm uses its running statistics and
    leaves them unchanged (they are those of the mixed batches, so a new network starts from its initial ones), dropout
    is off, and nothing is drawn. So the features of a sample do not depend on the rest of the batch. Afterwards every
    module is in its previous mode.

    The network is not registered as a submodule, but its moving average is, so that `state_dict()` holds it, the
    generator's state and the scale. Move this object to the network's device with `.to(device)`.

    Args:
        model: the network in training, or any encoder of the inputs. If it is wrapped for several processes or
            compiled, give the inner network (`ddp.module`, `compiled._orig_mod`).
        layer: where distances are measured: `"penultimate"`, the input of the last layer with parameters that runs;
            `"output"`; or the output of a layer named in `model.named_modules()`.
        moving_average: measure in the moving average `average = moving_average average + (1 - moving_average) model`
            of weights and buffers instead, in [0, 1). It moves once per batch, before that batch is measured.
        graph: default `AdaptiveExponentialGraph(mean_weight=..., times_median=...)`, whose decay follows the features.
        mean_weight: see `AdaptiveExponentialGraph`; only without a graph.
        times_median: see `AdaptiveExponentialGraph`; only without a graph.
        **options: options of `LocalMixup`: `mixup_alpha`, `prob`, `per_sample`, `pairing`, `outside`, `generator`.

    Raises:
        ValueError: the model has no such layer, or an argument is out of range.

    >>> model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> learned = LearnedMetric(model, mean_weight=0.5)
    >>> batch = learned(torch.randn(6, 2), torch.tensor([0, 1, 2, 0, 1, 2]))
    >>> batch.loss(nn.functional.cross_entropy, model(batch.inputs)).backward()
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        layer: str = PENULTIMATE,
        moving_average: float | None = None,
        graph: LocalityGraph | None = None,
        mean_weight: float | None = None,
        times_median: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self._model = (model,)  # in a tuple, so that it is not a submodule
        known = [PENULTIMATE, OUTPUT, *(name for name, _ in model.named_modules() if name)]
        if layer not in known:
            raise ArgumentError(f"layer must be one of {', '.join(map(repr, known))}, got {layer!r}")
        self.layer = layer
        self.average: AveragedModel | None = None
        if moving_average is not None:
            share = check_number("moving_average", moving_average, low=0, high=1)
            if share == 1:
                raise ArgumentError("moving_average must be < 1 (1 would never move), got 1")
            self.average = AveragedModel(model, multi_avg_fn=_MovingAverage(share), use_buffers=True)
            self.average.requires_grad_(False)
        if graph is None:
            graph = AdaptiveExponentialGraph(mean_weight=mean_weight, times_median=times_median)
        elif (mean_weight, times_median) != (None, None):
            raise ArgumentError(
                "give either a graph, or mean_weight or times_median for the default one, "
                f"got {graph!r}, {mean_weight} and {times_median}"
            )
        self.mix = LocalMixup(graph, **options)

    @property
    def model(self) -> nn.Module:
        """The network in training."""
        return self._model[0]

    def forward(self, x: Any, y: Any, *, inplace: bool = False) -> MixedBatch:
        """Mix a batch along the plan of its features.

        Args:
            x: inputs, as the network takes them, shape `(n, ...)`.
            y: targets of any kind, first dimension n, or a tuple or dict of such.
            inplace: write the mixed inputs into `x`.
        """
        if not self.training:
            return self.mix(x, y)
        return self.plan(x, y).apply(x, y, inplace=inplace)

    def plan(self, x: Any, y: Any = None) -> MixPlan:
        """Draw a plan with the weights of the features of `x`.

        In training the moving average, if there is one, is updated first.

        Args:
            x: inputs, as the network takes them, shape `(n, ...)`.
            y: targets; needed for pairing by class.
        """
        if not self.training:
            return self.mix.plan(x, y)
        if self.average is not None:
            self.average.update_parameters(self.model)
        return self.mix.plan(self.features(x), y)

    @torch.no_grad()
    def features(self, x: Any) -> Any:
        """Return what distances are measured on, by a forward pass without gradient in evaluation mode.

        Args:
            x: inputs, as the network takes them, shape `(n, ...)`.

        Returns:
            The layer's activations, shape `(n, ...)`.

        Raises:
            RuntimeError: the layer did not run.
        """
        network = self.model if self.average is None else self.average.module
        seen: list[Any] = []
        if self.layer == OUTPUT:
            hooks: list[Any] = []
        elif self.layer == PENULTIMATE:
            # the last layer is known only after the pass, so each input replaces the one before
            hooks = [m.register_forward_pre_hook(_InputOf(seen)) for m in network.modules() if _owns_any(m)]
        else:
            hooks = [network.get_submodule(self.layer).register_forward_hook(_OutputOf(seen))]
        try:
            with _evaluating(network):
                output = network(x)
        finally:
            for hook in hooks:
                hook.remove()
        if self.layer == OUTPUT:
            return output
        if not seen:
            raise RuntimeError(f"layer {self.layer!r} did not run, so there are no features")
        return seen[0]


def _owns_any(module: nn.Module) -> bool:
    return next(module.parameters(recurse=False), None) is not None


class _InputOf:
    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def __call__(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor) and inputs[0].is_floating_point():
            self.seen[:] = inputs[:1]


class _OutputOf:
    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def __call__(self, layer: nn.Module, inputs: Any, output: Any) -> None:
        self.seen[:] = [output]


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Set all modules to evaluation mode, and back; only the flag, because some modules' `train()` does more."""
    modes = [(module, module.training) for module in model.modules()]
    for module, _ in modes:
        module.training = False
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
