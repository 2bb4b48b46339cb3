"""Local Mixup of hidden layers: the activations of one layer are mixed, weighed by their distances there.

Manifold Mixup: Better Representations by Interpolating Hidden States (Verma, Lamb, Beckham, Najafi, Mitliagkas,
Lopez-Paz, Bengio, 2019) mixes at a layer drawn anew for each batch; here the plan has the local weights of that layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from localmixup._batch import PLANS, MixedBatch, MixPlan
from localmixup._interpolate import tensors_in
from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError
from localmixup.graphs.adaptive import AdaptiveExponentialGraph
from localmixup.graphs.base import LocalityGraph

INPUT = "input"


class ManifoldLocalMixup(nn.Module):
    """Run a model with the activations of one of its layers mixed: `outputs, batch = manifold(x, y)`.

    The layer is drawn uniformly for each batch, its output is mixed by a forward hook that lives for that one pass,
    and the weights are those of its activations (or `input`, mixed before the model). Distances carry no gradient;
    the mixing does, to all layers below. Where this or the model is in `.eval()` mode, the model runs as it is and the
    weights are 1.

    The model is not registered as a submodule, so it may own this object, and `state_dict()` holds only the state of
    the draws and the scales of the graphs. `mix` is the `LocalMixup` that draws, for `MixingSchedule`.

    Args:
        model: the network; any module.
        layers: names as in `model.named_modules()`, `"input"` for the model's input. A layer that runs several times
            in a pass is mixed the first time; activations have the samples in the first dimension.
        graph: for all layers, or a dict of one a layer. Default: an `AdaptiveExponentialGraph` for each layer, since
            the scale of activations differs between layers and drifts.
        generator: source of all draws, that of the layer too.
        **options: of `LocalMixup`: `mixup_alpha`, `prob`, `per_sample`, `pairing`, `outside`, `reduction`.

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
        self._model = (model,)  # in a tuple, so that it is no submodule
        if isinstance(layers, str) or not layers:
            raise ArgumentError(f"layers must be a list of names of layers, got {layers!r}")
        known = [INPUT, *(name for name, _ in model.named_modules() if name)]
        if unknown := [name for name in layers if name not in known]:
            raise ArgumentError(f"layers must be of {', '.join(map(repr, known))}, got {', '.join(map(repr, unknown))}")
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
        """Run the model once, mixed at one layer; `layer` tells afterwards which it was.

        Args:
            x: what the model takes, shape `(n, ...)`.
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
            return self.model(x, **more), PLANS[self.mix.reduction].batch_type(x, y, y, ones, ones)
        self.layer = self._draw()
        once = _Once(self.mix, y)
        if self.layer == INPUT:
            outputs = self.model(once.mixed(x), **more)
        else:
            hook = self.model.get_submodule(self.layer).register_forward_hook(once)
            try:
                outputs = self.model(x, **more)
            finally:
                hook.remove()
        if once.plan is None:
            raise RuntimeError(f"layer {self.layer!r} did not run, so there was nothing to mix")
        plan = once.plan
        return outputs, plan.batch_type(once.hidden, y, plan.partner_of(y), plan.lam, plan.weights)

    def _draw(self) -> str:
        which, generator = 0, self.mix.generator
        if len(self.layers) > 1:
            device = None if generator is None else generator.device
            which = int(torch.randint(len(self.layers), (1,), generator=generator, device=device))
        if isinstance(self.mix.graph, _GraphOfEachLayer):
            self.mix.graph.which = which
        return self.layers[which]


class _GraphOfEachLayer(nn.Module, LocalityGraph):
    """The graph of the layer that is mixed; those that have a state of their own are saved with this."""

    def __init__(self, graphs: Sequence[LocalityGraph]) -> None:
        super().__init__()
        self.graphs = tuple(graphs)
        self.which = 0
        for index, graph in enumerate(graphs):
            if isinstance(graph, nn.Module):
                self.add_module(str(index), graph)

    def extra_repr(self) -> str:
        """The graphs, for `repr`."""
        return ", ".join(map(repr, self.graphs))

    def matrix(self, features: Tensor) -> Tensor:
        """Of the layer that is mixed, shape `(n, n)`."""
        return self.graphs[self.which].matrix(features)

    def pair_weights(self, features: Tensor, partner: Tensor) -> Tensor:
        """Of the layer that is mixed, shape `(n,)`."""
        return self.graphs[self.which].pair_weights(features, partner)


class _Once:
    """A forward hook that mixes what its layer gives, the first time."""

    def __init__(self, mix: LocalMixup, y: Any) -> None:
        self.mix, self.y = mix, y
        self.plan: MixPlan | None = None
        self.hidden: Any = None

    def mixed(self, hidden: Any) -> Any:
        """What is mixed with its plan, which is drawn here."""
        sizes = {tuple(t.shape[:1]) for t in [*tensors_in(hidden, "activations"), *tensors_in(self.y, "targets")]}
        if len(sizes) != 1:
            shapes = ", ".join(str(tuple(t.shape)) for t in tensors_in(hidden, "activations"))
            raise ArgumentError(
                f"activations must have the samples of the targets in the first dimension, got shape {shapes}"
            )
        self.plan = self.mix.plan(hidden, self.y)
        self.hidden = self.plan.mix(hidden)
        return self.hidden

    def __call__(self, layer: nn.Module, inputs: Any, output: Any) -> Any:
        """The hook."""
        return None if self.plan is not None else self.mixed(output)
