"""Local Mixup in Lightning: a mixin for a `LightningModule`, and one for a `LightningDataModule`.

Lightning itself is not imported: the class that a mixin is for is there already, from `lightning` (`pip install
'localmixup[lightning]'`) or from `pytorch_lightning`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from localmixup._batch import MixedBatch
from localmixup._interpolate import tensors_in
from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError
from localmixup.integrations._rank_batches import RANK_PLANS
from localmixup.integrations._ranks import (
    follow_first_rank,
    generator_of_rank,
    next_generator_of_rank,
    rank_and_size,
)

if TYPE_CHECKING:
    _Module = nn.Module
else:
    _Module = object  # what is a mixin here is an nn.Module only together with its LightningModule

_STATE = "local_mixup"


class MixedStep(NamedTuple):
    """What one training step made.

    Attributes:
        loss: the loss of eq. (3), weighted and reduced; over all ranks where there are several.
        outputs: what the model made of the mixed inputs.
        batch: the mixed batch, for `batch.accuracy(outputs)` and its `weights`.
    """

    loss: Tensor
    outputs: Any
    batch: MixedBatch


class _Mixing:
    """What both mixins share: which mixing, of which part of a batch, drawn from which generator."""

    mix: nn.Module

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for base in cls.__mro__[: cls.__mro__.index(_Mixing)]:
            if base.__name__ in ("LightningModule", "LightningDataModule"):
                mixin = next(b.__name__ for b in cls.__mro__ if issubclass(b, _Mixing) and b.__module__ == __name__)
                raise TypeError(f"{mixin} must stand before {base.__name__} in the bases of {cls.__name__}")

    def inputs_and_targets(self, batch: Any) -> tuple[Any, Any]:
        """The two parts of a batch; override it where the data come otherwise than as pairs.

        Args:
            batch: what the DataLoader yields.

        Returns:
            Inputs and targets, each a tensor with first dimension n, or a tuple or dict of such.

        Raises:
            ValueError: the batch is no tuple or list of two.

        >>> class Model(LocalMixupMixin, nn.Module):
        ...     def inputs_and_targets(self, batch):
        ...         return batch["image"], batch["label"]
        """
        if isinstance(batch, (tuple, list)) and len(batch) == 2:
            return batch[0], batch[1]
        got = type(batch).__name__
        if isinstance(batch, (tuple, list, dict)):
            got = f"{got} of {len(batch)}"
        raise ArgumentError(
            f"batch must be a pair (inputs, targets), got a {got}: override inputs_and_targets(self, batch) in "
            f"{type(self).__name__} to say which parts are which"
        )

    def _mix(self) -> nn.Module:
        mix = getattr(self, "mix", None)
        if not isinstance(mix, nn.Module):
            raise ArgumentError(
                f"{type(self).__name__}.mix must be a LocalMixup (or LearnedMetric, ManifoldLocalMixup), got {mix!r}: "
                "set self.mix = LocalMixup(graph) in __init__"
            )
        return mix

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # draws from a generator cannot be compiled
    def _draw(self, batch: Any) -> Any:
        """The batch mixed, or what else `self.mix` makes of inputs and targets."""
        mix = self._mix()
        x, y = self.inputs_and_targets(batch)
        if not mix.training:
            return mix(x, y)
        generators = _generators_of(mix)
        if rank_and_size()[1] > 1 and not getattr(self, "_ranks_agree", False):
            for generator in generators:
                follow_first_rank(generator, tensors_in(x, "inputs")[0].device)
            self._ranks_agree = True
        with _draws_of_the_rank(mix):
            return mix(x, y)


class LocalMixupMixin(_Mixing, _Module):
    """For a `LightningModule`: set `self.mix`, and train with `self.mixed_loss(batch, criterion)`.

    `self.mix` is a `LocalMixup`, a `LearnedMetric` or a `ManifoldLocalMixup`. As a submodule it is in the checkpoint,
    with its generator's state, so that a resumed run draws the plans that the run would have drawn. One without a
    generator gets its own, seeded from PyTorch's seed (`seed_everything`). In `.eval()` mode, which Lightning sets for
    validation, test and prediction, batches pass as they are.

    With several ranks (DDP) each draws its own plans, from the next draw of the generator and its rank. So the
    generator's state is the same on all of them, and the one that rank 0 saves serves all.

    Raises:
        TypeError: the class stands behind `LightningModule` in the bases.

    >>> from localmixup import ThresholdGraph
    >>> class Model(LocalMixupMixin, nn.Module):  # L.LightningModule
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.net = nn.Linear(1, 2)
    ...         self.mix = LocalMixup(ThresholdGraph(radius=2.0))
    ...     def forward(self, x):
    ...         return self.net(x)
    ...     def training_step(self, batch, batch_idx):
    ...         return self.mixed_loss(batch, nn.functional.cross_entropy)
    >>> loss = Model().training_step((torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([0, 1, 1])), 0)
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.register_load_state_dict_pre_hook(_prepare_to_load)  # type: ignore[no-untyped-call]

    def mixed(self, batch: Any) -> MixedBatch:
        """The batch mixed, for a forward pass of one's own; its `loss` is over all ranks where there are several.

        Args:
            batch: inputs and targets (see `inputs_and_targets`), or a `MixedBatch`, which is not mixed again.

        Raises:
            ValueError: a batch that is no pair, or inputs that cannot be mixed.
        """
        found = batch if isinstance(batch, MixedBatch) else self._draw(batch)
        if not isinstance(found, MixedBatch):
            raise ArgumentError("ManifoldLocalMixup runs the model itself: use mixed_step or mixed_loss, not mixed")
        return _over_ranks(found) if self.training else found

    def mixed_step(self, batch: Any, criterion: Callable[..., Tensor]) -> MixedStep:
        """Mix the batch, run `self(inputs)` on it, and weigh the loss. Every rank must call it, as with any DDP step.

        Args:
            batch: as for `mixed`.
            criterion: a function of `torch.nn.functional`, or a loss made with `reduction="none"`; see
                `MixedBatch.loss`.

        Returns:
            Loss, outputs and mixed batch.

        Raises:
            ValueError: as for `mixed`, or the criterion averages over the batch.
        """
        found = batch if isinstance(batch, MixedBatch) else self._draw(batch)
        if isinstance(found, MixedBatch):
            found = self.mixed(found)
            outputs = self(found.inputs)
        else:
            outputs, found = found[0], self.mixed(found[1])
        return MixedStep(found.loss(criterion, outputs), outputs, found)

    def mixed_loss(self, batch: Any, criterion: Callable[..., Tensor]) -> Tensor:
        """The loss of `mixed_step`, to return from `training_step`.

        Args:
            batch: as for `mixed`.
            criterion: as for `mixed_step`.
        """
        return self.mixed_step(batch, criterion).loss


class LocalMixupDataModule(_Mixing):
    """For a `LightningDataModule`: set `self.mix`, and `training_step` receives each training batch mixed.

    `batch.loss(criterion, self(batch.inputs))` is then the loss, over all ranks where there are several. Batches are
    mixed on the device, and only while `self.trainer.training`: not in the sanity check, validation, test and
    prediction. The state of `self.mix` is in the checkpoint; generators and ranks as with `LocalMixupMixin`.

    An `on_after_batch_transfer` of one's own augments the batch and then calls `super()`.

    Raises:
        TypeError: the class stands behind `LightningDataModule` in the bases.
    """

    trainer: Any

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Mix a training batch; Lightning calls it.

        Args:
            batch: inputs and targets (see `inputs_and_targets`), or a `MixedBatch`, which is not mixed again.
            dataloader_idx: which DataLoader it is from.

        Raises:
            ValueError: a batch that is no pair, or inputs that cannot be mixed.
        """
        batch = super().on_after_batch_transfer(batch, dataloader_idx)  # type: ignore[misc]
        if self.trainer is None or not self.trainer.training:
            return batch
        found = batch if isinstance(batch, MixedBatch) else self._draw(batch)
        if not isinstance(found, MixedBatch):
            raise ArgumentError("ManifoldLocalMixup runs the model: set it as mix of the LightningModule instead")
        return _over_ranks(found)

    def state_dict(self) -> dict[str, Any]:
        """The state of the data module and of `self.mix`; Lightning writes it into the checkpoint."""
        return {**super().state_dict(), _STATE: dict(self._mix().state_dict())}  # type: ignore[misc]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a saved one stopped.

        Args:
            state_dict: from `state_dict`.
        """
        rest = {key: value for key, value in state_dict.items() if key != _STATE}
        super().load_state_dict(rest)  # type: ignore[misc]
        if _STATE in state_dict:
            _give_generators(self._mix(), state_dict[_STATE])
            self._mix().load_state_dict(state_dict[_STATE])


# ---- generators and ranks ------------------------------------------------------------------------------------------


def _generators_of(mix: nn.Module) -> list[torch.Generator]:
    """Those that a mix draws from; one that has none gets its own."""
    found = []
    for module in mix.modules():
        if isinstance(module, LocalMixup):
            if module.generator is None:
                # hashed, since PyTorch's own generator may have drawn the weights of the model from that seed
                module.generator = generator_of_rank(torch.initial_seed(), rank=0)
            found.append(module.generator)
    return found


def _give_generators(mix: nn.Module, state: dict[str, Any], prefix: str = "") -> None:
    """A generator for each part of a mix whose saved state holds one."""
    for name, module in mix.named_modules(prefix=prefix):
        if isinstance(module, LocalMixup) and f"{name}._extra_state".lstrip(".") in state:
            _generators_of(module)


def _prepare_to_load(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    mix = getattr(module, "mix", None)
    if isinstance(mix, nn.Module):
        _give_generators(mix, state, f"{prefix}mix")


@contextmanager
def _draws_of_the_rank(mix: nn.Module) -> Iterator[None]:
    """Within it, draws come from a generator made of the shared one's next draw and the rank.

    So the state that is saved is the same on all ranks, and the draws are not.
    """
    # what has an option to gather is made for ranks and cares for its draws itself
    parts = [m for m in mix.modules() if isinstance(m, LocalMixup) and not hasattr(m, "gather")]
    shared = [part.generator for part in parts]
    if rank_and_size()[1] > 1:
        for part, generator in zip(parts, shared, strict=True):
            assert generator is not None
            part.generator = next_generator_of_rank(generator)
    try:
        yield
    finally:
        for part, generator in zip(parts, shared, strict=True):
            part.generator = generator


def _over_ranks(batch: MixedBatch) -> MixedBatch:
    """The same batch, with a loss that is weighed over all ranks."""
    return RANK_PLANS[batch.reduction].batch_type(*batch)
