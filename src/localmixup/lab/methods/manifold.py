"""Manifold Mixup: Better Representations by Interpolating Hidden States (Verma, Lamb, Beckham, Najafi, Mitliagkas,
Lopez-Paz, Bengio, 2019), and Local Mixup in the same places.

Each update picks a layer boundary k uniformly from a set (0 is the input) and mixes the activations there,
`h~ = lam g_k(x_i) + (1 - lam) g_k(x_j)`, and the targets with the same `lam`.
"""  # noqa: D205

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from localmixup import ExponentialGraph
from localmixup._distances import distances_between
from localmixup._validate import ArgumentError, check_number
from localmixup.lab.methods.base import LOCAL_MIXUP, Batch, mixed
from localmixup.lab.methods.mixup import Mixup
from localmixup.lab.runs.network import Network
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec


class ManifoldMixup(Mixup):
    """Random pairs, mixed at a random layer boundary.

    Pairs of the batch share one pass through the lower layers. The two ends of pairs of the set go through them
    together, as one batch of 2B rows.

    The option `layers` lists the boundaries, as `"0,1,2"`: k is the input of the model's child k, 0 that of the model.
    """

    title = "manifold mixup"
    formula = """
        f = f_k after g_k, k random in `layers`
        h~ = lam g_k(x_i) + (1 - lam) g_k(x_j)
        L = mean over pairs (i, j) of  lam l(f_k(h~), y_i) + (1 - lam) l(f_k(h~), y_j)
    """
    citation = (
        "Verma, Lamb, Beckham, Najafi, Mitliagkas, Lopez-Paz, Bengio. Manifold Mixup: Better Representations by "
        "Interpolating Hidden States. ICML 2019. arXiv:1806.05236"
    )
    OPTIONS: ClassVar[dict[str, float | str]] = {"layers": "0,1,2"}

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.layers = _boundaries(self.options["layers"])

    def choices(self, updates: int) -> Tensor:
        """Draw the boundary of every update."""
        return torch.tensor(self.layers)[torch.randint(len(self.layers), (updates,), generator=self.generator)]

    def weights_at(self, own: Tensor, other: Tensor) -> Tensor | None:
        """Return the weights of the pairs by their activations, shape `(R, B)`; None if every pair counts 1.

        Args:
            own: activations of the samples, shape `(R, B, ...)`.
            other: those of their partners, in the same shape.
        """
        return None

    def losses(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the loss of every run, each mixed at its layer.

        Raises:
            ArgumentError: the model has no such layer.
        """
        if max(self.layers) >= len(network.layers):
            allowed = f"0 to {len(network.layers) - 1} for a model of that many children"
            raise ArgumentError(f"layers of {self.spec.method} must be of {allowed}, got {max(self.layers)}")
        assert batch.choices is not None
        chosen, count = sorted(set(batch.choices.tolist())), batch.lam.shape[1]
        if batch.partner is None:
            hidden = torch.cat([batch.inputs, batch.partner_inputs], dim=1)
            partner = torch.arange(count, 2 * count, device=hidden.device).expand_as(batch.lam)
        else:
            hidden, partner = batch.inputs, batch.partner
        weights = batch.weights
        for k, layer in enumerate(network.layers):
            if k in chosen:
                here = batch.choices == k
                own, other = hidden[:, :count], _taken(hidden, partner)
                found = self.weights_at(own, other)
                weights = weights if found is None else torch.where(here[:, None], found, weights)
                here = here.view(-1, *(1,) * (hidden.ndim - 1))
                rest = mixed(own, other, batch.lam)
                if k == chosen[-1]:  # from here on the partners are of no use
                    hidden = torch.where(here, rest, own)
                else:
                    hidden = torch.where(
                        here, rest.repeat(1, hidden.shape[1] // count, *(1,) * (rest.ndim - 2)), hidden
                    )
            hidden = layer(hidden)
        return self.reduced(hidden, batch._replace(weights=weights)), weights


class ManifoldLocal(ManifoldMixup):
    """Local Mixup at a hidden layer: each pair counts `exp(-decay d)` of the distance of its ends at that layer.

    Pairs are random in both modes and weighted as in eq. (3): the distances change with every update, so pairs of the
    set cannot be drawn in proportion to W beforehand. No gradient flows through the weights.

    The decay is `times_median` over the (lower) median distance of the pairs of distinct ends, since the scale of
    activations drifts and differs from layer to layer. A parameter of the method, in one over the unit of the
    activations, takes its place.
    """

    title = "local mixup of hidden layers"
    formula = """
        f = f_k after g_k, k random in `layers`
        h~ = lam g_k(x_i) + (1 - lam) g_k(x_j),  d_ij = |g_k(x_i) - g_k(x_j)|
        L = sum over pairs (i, j) of  w_ij (lam l(f_k(h~), y_i) + (1 - lam) l(f_k(h~), y_j))
        w_ij = exp(-times_median d_ij / (median of all d_ij > 0))
    """
    citation = f"{LOCAL_MIXUP} Hidden layers: {ManifoldMixup.citation}"
    OPTIONS: ClassVar[dict[str, float | str]] = {**ManifoldMixup.OPTIONS, "times_median": 1.0}

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.times_median = check_number("times_median", self.options["times_median"], low=0, meaning="0 is mixup")
        if spec.parameter is not None and "times_median" in dict(spec.options):
            allowed = f"{spec.method} takes either a parameter, the decay, or times_median"
            raise ArgumentError(f"{allowed}, got {spec.parameter} and {self.times_median}")

    def weights_at(self, own: Tensor, other: Tensor) -> Tensor:
        """Return `exp(-decay d)`, shape `(R, B)`."""
        distances = distances_between(own.detach().flatten(0, 1), other.detach().flatten(0, 1)).view(own.shape[:2])
        if self.spec.parameter is not None:
            weights = ExponentialGraph(self.spec.parameter).of_distance(distances)
        else:
            apart = torch.where(distances > 0, distances, torch.nan)
            median = apart.nanmedian(dim=1, keepdim=True).values.nan_to_num(1.0)
            weights = ExponentialGraph(self.times_median).of_distance(distances / median)
        return weights.masked_fill(distances == 0, 1.0)  # at an infinite decay too


def _taken(hidden: Tensor, partner: Tensor) -> Tensor:
    """Return the rows of `hidden`, shape `(R, n, ...)`, at the places `partner`, shape `(R, B)`."""
    return hidden.take_along_dim(partner.view(*partner.shape, *(1,) * (hidden.ndim - 2)), dim=1)


def _boundaries(text: float | str) -> list[int]:
    """Return the numbers in `"0,1,2"`; a single one may come as a number."""
    try:
        numbers = [float(part) for part in str(text).split(",")]
    except ValueError:
        numbers = [-1.0]
    if any(number < 0 or not number.is_integer() for number in numbers):
        raise ArgumentError(f"layers must be whole numbers >= 0 (0 is the input), as '0,1,2', got {text!r}")
    return [int(number) for number in numbers]
