"""Manifold Mixup: Better Representations by Interpolating Hidden States (Verma, Lamb, Beckham, Najafi, Mitliagkas,
Lopez-Paz, Bengio, 2019), and Local Mixup in the same places.

Each update picks a layer boundary k uniformly from a set (0 = the input) and mixes what flows there,
`h~ = lam g_k(x_i) + (1 - lam) g_k(x_j)`, and the targets with the same `lam`.
"""  # noqa: D205

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from localmixup import CompleteGraph, ExponentialGraph, LocalityGraph, MixedBatch
from localmixup._distances import distances_between
from localmixup._interpolate import between
from localmixup._validate import ArgumentError, check_number
from localmixup.lab.methods.base import Batch, Method
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec


class ManifoldMixup(Method):
    """Random pairs, mixed at a random layer boundary.

    Pairs of the batch share one pass through the lower layers; the two ends of pairs of the set go through them
    together, as one batch of 2n rows.

    The option `layers` names the boundaries, as `"0,1,2"`: k is the input of the model's child k, 0 the model's own.
    """

    title = "manifold mixup"
    OPTIONS: ClassVar[dict[str, float | str]] = {"layers": "0,1,2"}

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.layers = _boundaries(self.options["layers"])

    def graph(self) -> LocalityGraph:
        """Who meets whom does not depend on distance."""
        return CompleteGraph()

    def weights(self, own: Tensor, other: Tensor) -> Tensor:
        """How much each pair counts: 1.

        Args:
            own: activations of the samples, shape `(n, ...)`.
            other: those of their partners, likewise.
        """
        return torch.ones(len(own), device=own.device)

    def step(self, model: nn.Module, batch: Batch) -> tuple[Tensor, MixedBatch]:
        """The loss of the batch mixed at one of the layers.

        The batch that is returned for the record is mixed at the input, whatever the layer was.

        Raises:
            ValueError: the model has no such layer.
        """
        children = layers_of(model)
        if max(self.layers) >= len(children):
            allowed = (
                f"layers of {self.spec.method} must be of 0 to {len(children) - 1} for a model of that many children"
            )
            raise ArgumentError(f"{allowed}, got {max(self.layers)}")
        layer = self.layers[int(torch.randint(len(self.layers), (), generator=self.generator))]
        own, other, mixed = self._ends(children[:layer], batch)
        mixed = mixed._replace(weights=self.weights(own, other))
        outputs = children[layer:](between(own, other, mixed.lam))
        return mixed.loss(self.criterion, outputs) * self.spec.loss_scale, mixed

    def _ends(self, lower: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, MixedBatch]:
        """Activations of both ends of the pairs, and the pairs mixed at the input."""
        if batch.partner_inputs is None:
            plan = self.mix.plan(batch.inputs, batch.targets)
            hidden = lower(batch.inputs)
            return hidden, hidden[plan.partner], plan.apply(batch.inputs, batch.targets)
        own, other = lower(torch.cat([batch.inputs, batch.partner_inputs])).chunk(2)
        return own, other, self.mixed(batch)


class ManifoldLocal(ManifoldMixup):
    """Local Mixup at a hidden layer: each pair counts `exp(-decay d)` of the distance of its ends at that layer.

    Random pairs in both modes, weighed as in eq. (3): the distances change with every update, so pairs of the set
    cannot be drawn in proportion to W beforehand. No gradient flows through the weights.

    The decay is `spec.parameter`, in one over the unit of the activations; or, since their scale drifts and differs
    from layer to layer, `times_median` over the (lower) median distance of the pairs of distinct ends.
    """

    title = "local mixup of hidden layers"
    OPTIONS: ClassVar[dict[str, float | str]] = {**ManifoldMixup.OPTIONS, "times_median": 1.0}

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.times_median = check_number("times_median", self.options["times_median"], low=0, meaning="0 is mixup")
        if spec.parameter is not None and "times_median" in dict(spec.options):
            allowed = f"{spec.method} takes either a parameter, the decay, or times_median"
            raise ArgumentError(f"{allowed}, got {spec.parameter} and {self.times_median}")

    def weights(self, own: Tensor, other: Tensor) -> Tensor:
        """How much each pair counts, `exp(-decay d)`, shape `(n,)`."""
        distances = distances_between(own, other)
        if self.spec.parameter is not None:
            weights = ExponentialGraph(self.spec.parameter).of_distance(distances)
        else:
            median = torch.where(distances > 0, distances, torch.nan).nanmedian().nan_to_num(1.0)
            weights = ExponentialGraph(self.times_median).of_distance(distances / median)
        return weights.masked_fill(distances == 0, 1.0)  # at an infinite decay too


def layers_of(model: nn.Module) -> nn.Sequential:
    """The model, as the layers that run one after another.

    Args:
        model: from `localmixup.lab.models`.

    Raises:
        ValueError: it is no `nn.Sequential`.
    """
    if not isinstance(model, nn.Sequential):
        raise ArgumentError(f"model must be an nn.Sequential whose last child is the head, got {type(model).__name__}")
    return model


def _boundaries(text: float | str) -> list[int]:
    """The numbers in `"0,1,2"`; a single one may come as a number."""
    try:
        numbers = [float(part) for part in str(text).split(",")]
    except ValueError:
        numbers = [-1.0]
    if any(number < 0 or not number.is_integer() for number in numbers):
        raise ArgumentError(f"layers must be whole numbers >= 0 (0 is the input), as '0,1,2', got {text!r}")
    return [int(number) for number in numbers]
