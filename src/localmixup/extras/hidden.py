"""Local Mixup of hidden layers: the activations of one layer are mixed, weighed by their distances there.

Manifold Mixup: Better Representations by Interpolating Hidden States (Verma, Lamb, Beckham, Najafi, Mitliagkas,
Lopez-Paz, Bengio, 2019) mixes at a layer that is drawn for each batch. Here the plan has the local weights of
that layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from localmixup._batch import MixedBatch, MixPlan
from localmixup._interpolate import tensors_in
from localmixup._mixup import LocalMixup
from localmixup._random import next_generator
from localmixup._validate import ArgumentError
from localmixup.graphs.adaptive import AdaptiveExponentialGraph
from localmixup.graphs.base import LocalityGraph

INPUT = "input"


class ManifoldLocalMixup(nn.Module):
    """Run a model with the activations of one of its layers mixed: `outputs, batch = manifold(x, y)`.

    The layer is drawn uniformly for each batch and its output is mixed by a forward hook, with the weights of its
    activations (or `"input"`, which is mixed before the model). Distances carry no gradient; the mixing does, to all
    layers below. If this module or the model is in `.eval()` mode, the model runs unchanged and the weights are 1.

    Under activation checkpointing the same mixing is repeated when a block is computed again in the backward pass.

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
        self._hook: RemovableHandle | None = None

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
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        if not (self.training and self.model.training):
            self.layer = None
            first = tensors_in(y, "targets")[0]
            ones = torch.ones(first.shape[0], device=first.device)
            return self.model(x, **more), MixedBatch(x, y, y, ones, ones)
        self.layer = self._draw()
        mixing = _Mixing(self.mix, y)
        if self.layer == INPUT:
            outputs = self.model(mixing.mixed(x), **more)
        else:
            # the hook stays until the next pass, for blocks that are computed again in the backward pass
            self._hook = self.model.get_submodule(self.layer).register_forward_hook(mixing)
            try:
                outputs = self.model(x, **more)
            except BaseException:
                self._hook.remove()
                raise
        hidden, mixing.hidden = mixing.hidden, None
        mixing.passed = True
        if mixing.plan is None:
            raise RuntimeError(f"layer {self.layer!r} did not run, so there was nothing to mix")
        return outputs, mixing.plan._batch(hidden, y, mixing.plan.partner_of(y))

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled; a hook in the model is not."""
        return {**self.__dict__, "_hook": None}

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
    """A forward hook that mixes the output of its layer the first time in a pass, and again when it is recomputed."""

    def __init__(self, mix: LocalMixup, y: Any) -> None:
        self.mix, self.y = mix, y
        self.plan: MixPlan | None = None
        self.hidden: Any = None
        self.passed = False
        self._calls = 0
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

    def __call__(self, layer: nn.Module, inputs: Any, output: Any) -> Any:
        """Mix the output of the layer, or leave it unchanged by returning None."""
        if not self.passed:
            self._calls += 1
            return self.mixed(output) if self._calls == 1 else None
        if torch._C._current_graph_task_id() == -1:  # not in a backward pass: another use of the model
            return None
        if self._calls > 1:
            raise RuntimeError(
                "a layer that runs several times in a pass cannot be mixed under activation checkpointing, since only "
                "its first output is mixed: mix another layer, or do not checkpoint this one"
            )
        assert self.plan is not None
        return self.plan.mix(output)


def _generator_of_pass(mix: LocalMixup) -> torch.Generator | None:
    if torch.compiler.is_compiling():
        return None
    if mix.generator is not None:
        return next_generator(mix.generator)
    return torch.Generator().manual_seed(int(torch.randint(2**62, (1,))))
