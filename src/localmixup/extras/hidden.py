"""Local Mixup of hidden layers: the activations of one layer are mixed, weighed by their distances there.

Manifold Mixup: Better Representations by Interpolating Hidden States (Verma, Lamb, Beckham, Najafi, Mitliagkas,
Lopez-Paz, Bengio, 2019) mixes at a layer that is drawn for each batch. Here the plan has the local weights of
that layer.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction

from localmixup._batch import MixedBatch, MixPlan
from localmixup._interpolate import tensors_in
from localmixup._mixup import LocalMixup
from localmixup._random import next_generator
from localmixup._validate import ArgumentError
from localmixup.graphs.adaptive import AdaptiveExponentialGraph
from localmixup.graphs.base import LocalityGraph

INPUT = "input"
_KEPT = 64  # passes of a layer whose plans are kept for the backward pass


class ManifoldLocalMixup(nn.Module):
    """Run a model with the activations of one of its layers mixed: `outputs, batch = manifold(x, y)`.

    The layer is drawn uniformly for each batch and its output is mixed by a forward hook, with the weights of its
    activations (or `"input"`, which is mixed before the model). Distances carry no gradient; the mixing does, to all
    layers below. If this module or the model is in `.eval()` mode, the model runs unchanged and the weights are 1.

    Under activation checkpointing, a block that is computed again in the backward pass is mixed as it was in its pass,
    also if the model runs several times before (of a layer, the last 64 mixed passes are remembered). For this the
    layer keeps a forward hook, which changes no other use of the model.

    The model is not registered as a submodule, so it may own this object, and `state_dict()` holds only the state of
    the draws and the scales of the graphs. `mix` is the `LocalMixup` that draws, for `MixingSchedule`.

    Args:
        model: the network; any module.
        layers: names as in `model.named_modules()`, or `"input"` for the model's input. A layer that runs several times
            in a pass is mixed the first time. Activations have the samples in the first dimension.
        graph: one for all layers, or a dict with one for each layer. Default: an `AdaptiveExponentialGraph` for each
            layer, because the scale of activations differs between layers and changes during training.
        generator: source of all draws, including that of the layer.
        **options: options of `LocalMixup`: `mixup_alpha`, `prob`, `per_sample`, `pairing`, `outside`.

    Raises:
        ValueError: the model has no such layer, or an argument is out of range.

    >>> model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> manifold = ManifoldLocalMixup(model, ["input", "1"])
    >>> outputs, batch = manifold(torch.randn(6, 2), torch.tensor([0, 1, 2, 0, 1, 2]))
    >>> batch.loss(nn.functional.cross_entropy, outputs).backward()
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[str],
        graph: LocalityGraph | Mapping[str, LocalityGraph] | None = None,
        *,
        generator: torch.Generator | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self._model = (model,)  # in a tuple, so that it is not a submodule
        if isinstance(layers, str) or not layers:
            raise ArgumentError(f"layers must be a list of names of layers, got {layers!r}")
        known = [INPUT, *(name for name, _ in model.named_modules() if name)]
        if unknown := [name for name in layers if name not in known]:
            raise ArgumentError(
                f"layers must be among {', '.join(map(repr, known))}, got {', '.join(map(repr, unknown))}"
            )
        self.layers = tuple(layers)
        if isinstance(graph, Mapping):
            if set(graph) != set(layers):
                raise ArgumentError(f"graph must have one graph for each of {list(layers)}, got {list(graph)}")
            graph = _GraphOfEachLayer([graph[name] for name in self.layers])
        elif graph is None:
            graph = _GraphOfEachLayer([AdaptiveExponentialGraph() for _ in self.layers])
        self.mix = LocalMixup(graph, generator=generator, **options)
        self.layer: str | None = None

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self._model[0]

    def forward(self, x: Any, y: Any, **more: Any) -> tuple[Any, MixedBatch]:
        """Run the model once, mixed at one layer; afterwards `layer` is its name.

        Args:
            x: input of the model, shape `(n, ...)`.
            y: targets of any kind, first dimension n, or a tuple or dict of such.
            **more: keyword arguments of the model.

        Returns:
            The outputs of the model, and the batch that weighs their loss, whose `inputs` are the mixed activations.

        Raises:
            RuntimeError: the layer did not run.
            ValueError: activations that cannot be mixed, or that have another first dimension than the targets.
        """
        if not (self.training and self.model.training):
            self.layer = None
            first = tensors_in(y, "targets")[0]
            ones = torch.ones(first.shape[0], device=first.device)
            return self.model(x, **more), MixedBatch(x, y, y, ones, ones)
        self.layer = self._draw()
        mixing = _Mixing(self.mix, y)
        if self.layer == INPUT:
            hidden = mixing.mixed(x)
            outputs = self.model(hidden, **more)
        else:
            with _hook_of(self.model.get_submodule(self.layer)).mixes(mixing):
                outputs = self.model(x, **more)
                hidden = mixing.hidden
        if mixing.plan is None:
            raise RuntimeError(f"layer {self.layer!r} did not run, so there was nothing to mix")
        return outputs, mixing.plan._batch(hidden, y, mixing.plan.partner_of(y))

    def _draw(self) -> str:
        which, generator = 0, self.mix.generator
        if len(self.layers) > 1:
            device = None if generator is None else generator.device
            which = int(torch.randint(len(self.layers), (1,), generator=generator, device=device))
        if isinstance(self.mix.graph, _GraphOfEachLayer):
            self.mix.graph.which = which
        return self.layers[which]


class _GraphOfEachLayer(nn.Module, LocalityGraph):
    """The graph of the layer that is mixed; graphs with a state are saved with this module."""

    def __init__(self, graphs: Sequence[LocalityGraph]) -> None:
        super().__init__()
        self.graphs = tuple(graphs)
        self.which = 0
        for index, graph in enumerate(graphs):
            if isinstance(graph, nn.Module):
                self.add_module(str(index), graph)

    def extra_repr(self) -> str:
        """Return the graphs, for `repr`."""
        return ", ".join(map(repr, self.graphs))

    def matrix(self, features: Tensor) -> Tensor:
        """Return W of the layer that is mixed, shape `(n, n)`."""
        return self.graphs[self.which].matrix(features)

    def pair_weights(self, features: Tensor, partner: Tensor) -> Tensor:
        """Return the weights of the layer that is mixed, shape `(n,)`."""
        return self.graphs[self.which].pair_weights(features, partner)

    def is_vanilla(self, n: int) -> bool:
        """Return whether this is vanilla training at the layer that is mixed."""
        return self.graphs[self.which].is_vanilla(n)

    def is_mixup(self, n: int) -> bool:
        """Return whether this is classical mixup at the layer that is mixed."""
        return self.graphs[self.which].is_mixup(n)


class _Mixing:
    """The mixing of one pass: the plan is drawn from the activations of its layer."""

    def __init__(self, mix: LocalMixup, y: Any) -> None:
        self.mix, self.y = mix, y
        self.plan: MixPlan | None = None
        self.hidden: Any = None
        self.calls = 0  # of the layer
        self.nodes: tuple[int, float] = (0, 0)  # of the autograd graph: the first, and the one after the last
        # The draws of the plan must not move the global generator inside a block that may be computed again: what
        # comes after them in the block, dropout say, would draw differently the second time.
        self._generator = _generator_of_pass(mix)

    def mixed(self, hidden: Any) -> Any:
        """Draw the plan from the activations and mix them."""
        sizes = {tuple(t.shape[:1]) for t in [*tensors_in(hidden, "activations"), *tensors_in(self.y, "targets")]}
        if len(sizes) != 1:
            shapes = ", ".join(str(tuple(t.shape)) for t in tensors_in(hidden, "activations"))
            raise ArgumentError(
                f"activations must have the samples of the targets in the first dimension, got shape {shapes}"
            )
        given, self.mix.generator = self.mix.generator, self._generator
        try:
            self.plan = self.mix.plan(hidden, self.y)
        finally:
            self.mix.generator = given
        self.hidden = self.plan.mix(hidden)
        return self.hidden

    def end(self) -> None:
        """End the pass; only what a block that is computed again needs is kept."""
        self.nodes = self.nodes[0], _next_node()
        self.y = self.hidden = self._generator = None


class _MixingHook:
    """The forward hook of a layer: mixes its first output in a pass, and again where a block is computed again.

    Between a pass and its backward pass the model may run any number of times, mixed or not. The node of the autograd
    graph that asks for the computation tells to which of them it belongs: nodes are numbered as they are made.
    """

    def __init__(self) -> None:
        self._running: tuple[_Mixing, int] | None = None  # with the backward pass in which it runs, -1 for none
        self._passes: deque[_Mixing] = deque()
        self._forgotten = 0.0  # nodes before this one may belong to passes that are no longer kept

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what is pickled and copied: a hook without passes, whose graphs stay with the original."""
        return type(self), ()

    @contextmanager
    def mixes(self, mixing: _Mixing) -> Iterator[None]:
        """Mix the layer in the pass of the model inside the `with` block."""
        mixing.nodes = _next_node(), math.inf
        self._running = mixing, _backward_pass()
        self._passes.append(mixing)
        try:
            yield
        finally:
            self._running = None
            mixing.end()
            if len(self._passes) > _KEPT:
                self._forgotten = self._passes.popleft().nodes[1]

    def __call__(self, layer: nn.Module, inputs: Any, output: Any) -> Any:
        """Mix the output of the layer, or leave it unchanged by returning None."""
        backward_pass = _backward_pass()
        if self._running is not None and backward_pass == self._running[1]:
            mixing = self._running[0]
            mixing.calls += 1
            return mixing.mixed(output) if mixing.calls == 1 else None
        return None if backward_pass == -1 else self._mixed_again(output)

    def _mixed_again(self, output: Any) -> Any:
        node = _node_that_computes_again()._sequence_nr()
        mixing = next((one for one in reversed(self._passes) if one.nodes[0] <= node < one.nodes[1]), None)
        if mixing is None and node < self._forgotten:
            raise RuntimeError(
                f"a checkpointed block cannot be computed again after more than {_KEPT} mixed passes of its layer: "
                "call backward earlier, or do not checkpoint this block"
            )
        if mixing is None or mixing.plan is None:  # a pass that is not mixed
            return None
        if mixing.calls > 1:
            raise RuntimeError(
                "a layer that runs several times in a pass cannot be mixed under activation checkpointing, since only "
                "its first output is mixed: mix another layer, or do not checkpoint this one"
            )
        return mixing.plan.mix(output)


def _hook_of(layer: nn.Module) -> _MixingHook:
    """Return the mixing hook of a layer, which gets one if it has none."""
    for hook in layer._forward_hooks.values():
        if isinstance(hook, _MixingHook):
            return hook
    hook = _MixingHook()
    layer.register_forward_hook(hook)
    return hook


def _backward_pass() -> int:
    """Return the number of the backward pass that runs in this thread, -1 if none does."""
    return torch._C._current_graph_task_id()


def _next_node() -> int:
    """Return the sequence number of the next node of the autograd graph that is made in this thread."""
    return torch._C._autograd._get_sequence_nr()


def _node_that_computes_again() -> Any:
    """Return the node of the graph of the forward pass that computes its block again.

    A block inside another may be asked for by a node that was made in the backward pass itself. The outermost
    `autograd.Function` whose backward runs, which checkpoints the block around it, belongs to the forward pass.
    """
    node, frame = torch._C._current_autograd_node(), sys._getframe().f_back
    while frame is not None:
        if frame.f_code is BackwardCFunction.apply.__code__:
            node = frame.f_locals["self"]
        frame = frame.f_back
    return node


def _generator_of_pass(mix: LocalMixup) -> torch.Generator | None:
    if torch.compiler.is_compiling():
        return None
    if mix.generator is not None:
        return next_generator(mix.generator)
    return torch.Generator().manual_seed(int(torch.randint(2**62, (1,))))
