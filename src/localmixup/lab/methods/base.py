"""The one protocol of all methods: a batch in, a scalar training loss out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from localmixup import IdentityGraph, LocalityGraph, LocalMixup, MixedBatch, PairSampler
from localmixup._validate import ArgumentError
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec
from localmixup.sampling.pairs import NoPairsError


class Batch(NamedTuple):
    """What the training loop hands to a method.

    Attributes:
        inputs: shape `(n, ...)`.
        targets: shape `(n,)`.
        partner_inputs: the other ends of the pairs, where they are drawn from the whole set; else None.
        partner_targets: their targets; else None.
    """

    inputs: Tensor
    targets: Tensor
    partner_inputs: Tensor | None = None
    partner_targets: Tensor | None = None


class PairSource(Protocol):
    """Draws pairs of the training set."""

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Indices of the first and of the second ends, shape `(count,)` each."""


class Method(ABC):
    """A way to train.

    Args:
        spec: its parameters.
        training: what all methods have in common.
        task: `"classification"` or `"regression"`.
        generator: source of its draws.

    Raises:
        ValueError: an option that it does not have.
    """

    title: ClassVar[str]
    OPTIONS: ClassVar[dict[str, float | str]] = {}
    """What `MethodSpec.options` may set, with the values that hold otherwise."""

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        self.spec, self.training, self.task, self.generator = spec, training, task, generator
        given = dict(spec.options)
        if unknown := sorted(set(given) - set(self.OPTIONS)):
            allowed = ", ".join(self.OPTIONS) or "none"
            raise ArgumentError(f"options of {spec.method} must be of {allowed}, got {', '.join(unknown)}")
        self.options = {**self.OPTIONS, **given}
        self.criterion: Callable[..., Tensor] = F.cross_entropy if task == "classification" else _squared_error
        self.mix = self.mixer()

    @abstractmethod
    def graph(self) -> LocalityGraph:
        """The graph whose pairs it mixes."""

    def mixer(self) -> LocalMixup:
        """How a batch is mixed."""
        # the control at the same mixed share is classical mixup of some of the samples only
        prob = 1.0 if self.spec.mixed_share is None else self.spec.mixed_share
        return LocalMixup(
            self.graph(),
            mixup_alpha=self.training.mixup_alpha,
            prob=prob,
            reduction=self.training.reduction,
            generator=self.generator,
        )

    def companion(self, model: nn.Module, inputs: Tensor) -> nn.Module | None:
        """A network that is trained beside the model, or None; called once, before the optimiser is made.

        Args:
            model: freshly made.
            inputs: some training inputs, shape `(n, ...)`, for their shape.
        """
        return None

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """The pairs of the whole training set that it mixes."""
        size = self.training.batch_size
        try:
            return PairSampler(x, self.graph(), size, self.generator, mixed_share=self.spec.mixed_share)
        except NoPairsError:  # a split so small that no pair is near: nothing can be mixed
            return PairSampler(x, IdentityGraph(), size, self.generator)

    def mixed(self, batch: Batch) -> MixedBatch:
        """The batch that the model sees."""
        if batch.partner_inputs is not None:
            return self.mix.mix_pairs(batch.inputs, batch.targets, batch.partner_inputs, batch.partner_targets)
        mixed: MixedBatch = self.mix(batch.inputs, batch.targets)
        return mixed

    def loss(self, model: nn.Module, mixed: MixedBatch) -> Tensor:
        """The training loss, a scalar."""
        return mixed.loss(self.criterion, model(mixed.inputs)) * self.spec.loss_scale

    def step(self, model: nn.Module, batch: Batch) -> tuple[Tensor, MixedBatch]:
        """The training loss of a batch, and what was mixed; methods that do more than mix the inputs redefine this.

        Args:
            model: in training mode.
            batch: from the training loop.

        Returns:
            A scalar, and the batch as it was mixed, for the shares of the record.
        """
        mixed = self.mixed(batch)
        return self.loss(model, mixed), mixed


def _squared_error(outputs: Tensor, targets: Tensor, reduction: str = "none") -> Tensor:
    return F.mse_loss(outputs.squeeze(1), targets, reduction=reduction)
