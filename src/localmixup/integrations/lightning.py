"""Local Mixup in Lightning: a mixin for a `LightningModule`, and one for a `LightningDataModule`.

Lightning itself is not imported: the class that uses a mixin brings it along, from `lightning` (the extra `lightning`
of this project) or from `pytorch_lightning`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from localmixup._batch import MixedBatch, MixPlan
from localmixup._interpolate import tensors_in
from localmixup._mixup import LocalMixup
from localmixup._random import rank_and_size, seeded_generator
from localmixup._validate import ArgumentError
from localmixup.distributed import DistributedLocalMixup, RankBatch
from localmixup.distributed._collectives import copy_first_rank, draw_apart

if TYPE_CHECKING:
    _Module = nn.Module
else:
    _Module = object  # the mixin becomes an nn.Module only together with a LightningModule

_STATE = "local_mixup"


class MixedStep(NamedTuple):
    """The results of one training step.

    Attributes:
        loss: the loss of eq. (3), weighted and reduced, over all ranks if there are several.
        outputs: the model's outputs for the mixed inputs.
        batch: the mixed batch, for `batch.accuracy(outputs)` and its `weights`.
    """

    loss: Tensor
    outputs: Any
    batch: MixedBatch


class _Mixing:
    """What both mixins share: which object mixes, which parts of a batch, with which generators.

    Attributes:
        mixed_share: share of the counted samples of the last batch that are mixed, a scalar.
    """

    mix: nn.Module
    mixed_share: Tensor | None = None
    _ranks_agree = False

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for base in cls.__mro__[: cls.__mro__.index(_Mixing)]:
            if base.__name__ in ("LightningModule", "LightningDataModule"):
                mixin = next(b.__name__ for b in cls.__mro__ if issubclass(b, _Mixing) and b.__module__ == __name__)
                raise TypeError(f"{mixin} must come before {base.__name__} in the bases of {cls.__name__}")

    def inputs_and_targets(self, batch: Any) -> tuple[Any, Any]:
        """Return the inputs and the targets of a batch. Override this if batches are not pairs.

        Args:
            batch: what the DataLoader yields.

        Returns:
            Inputs and targets, each a tensor with first dimension n, or a tuple or dict of such tensors.

        Raises:
            ValueError: the batch is not a tuple or list of two.

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
            f"{type(self).__name__} to return the two"
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
        """Return what `self.mix` makes of the inputs and targets of a batch, a `MixedBatch` in most cases."""
        mix, self.mixed_share = self._mix(), None
        x, y = self.inputs_and_targets(batch)
        if not mix.training:
            return mix(x, y)
        parts = _parts_with_generators(mix)
        rank, size = rank_and_size()
        if size > 1 and not self._ranks_agree:
            for part in parts:
                copy_first_rank(part.generator, tensors_in(x, "inputs")[0].device)  # type: ignore[arg-type]
            self._ranks_agree = True
        # a DistributedLocalMixup already draws differently on each rank
        apart = [part for part in parts if not isinstance(part, DistributedLocalMixup)]
        with _recorded(parts) as plans, draw_apart(apart, rank, size):
            found = mix(x, y)
        self.mixed_share = plans[-1].mixed_share if plans else None
        return found


class LocalMixupMixin(_Mixing, _Module):
    """Mixin for a `LightningModule`: set `self.mix`, and train with `self.mixed_loss(batch, criterion)`.

    `self.mix` is a `LocalMixup`, a `LearnedMetric` or a `ManifoldLocalMixup`. It is a submodule, so checkpoints contain
    the state of its generator and a resumed run draws the plans that the original run would have drawn. If it has no
    generator, it gets one seeded from PyTorch's seed (`seed_everything`). In `.eval()` mode, which Lightning sets for
    validation, test and prediction, batches pass unchanged.

    With several ranks (DDP), each rank draws its own plans, derived from the next draw of the generator and the rank.
    The state of the generator is then the same on all ranks, and the one that rank 0 saves can be loaded everywhere.

    `mixed_loss` and `mixed_step` log `mean_weight`, the mean weight of the samples of an epoch, and `mixed_share`, the
    share of the counted ones that are mixed (unless the batch came mixed already). With a mean weight near 0 the graph
    keeps hardly any pair; where all samples count, a share near 0 says so.

    Raises:
        TypeError: the mixin comes after `LightningModule` in the bases.

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
        """Mix a batch, for a custom forward pass. Its `loss` runs over all ranks if there are several.

        Args:
            batch: inputs and targets (see `inputs_and_targets`), or a `MixedBatch`, which is not mixed again.

        Raises:
            ValueError: the batch is not a pair, or the inputs cannot be mixed.
        """
        found = batch if isinstance(batch, MixedBatch) else self._draw(batch)
        if not isinstance(found, MixedBatch):
            raise ArgumentError("ManifoldLocalMixup runs the model itself: use mixed_step or mixed_loss, not mixed")
        return RankBatch.of(found) if self.training else found

    def mixed_step(
        self, batch: Any, criterion: Callable[..., Tensor], *, reduction: str = "weighted_mean"
    ) -> MixedStep:
        """Mix a batch, run `self(inputs)` on it and compute its loss. As with any DDP step, every rank must call this.

        Args:
            batch: as for `mixed`.
            criterion: a loss such as `F.cross_entropy`, see `MixedBatch.loss`.
            reduction: see `MixedBatch.loss`.

        Raises:
            ValueError: as for `mixed`, or the criterion does not return one loss per sample.
        """
        is_mixed = isinstance(batch, MixedBatch)
        found = batch if is_mixed else self._draw(batch)
        if isinstance(found, MixedBatch):
            mixed = self.mixed(found)
            outputs = self(mixed.inputs)
        else:
            outputs, mixed = found[0], self.mixed(found[1])
        self._log_counts(mixed, None if is_mixed else self.mixed_share)
        return MixedStep(mixed.loss(criterion, outputs, reduction=reduction), outputs, mixed)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _log_counts(self, batch: MixedBatch, mixed_share: Tensor | None) -> None:
        """Log how much the pairs count; outside a training step of a `Trainer` there is nothing to log to."""
        if not self.training or getattr(self, "_current_fx_name", None) != "training_step":
            return
        log: Callable[..., None] = getattr(self, "log")  # noqa: B009  # of the LightningModule
        weights = batch.weights.detach()
        # the mean over the batches is weighted by what each value is a share of
        values: dict[str, tuple[Tensor, Any]] = {"mean_weight": (weights.mean(), max(1, len(weights)))}
        if mixed_share is not None:
            values["mixed_share"] = (mixed_share, weights.sum().clamp_min(1e-12))
        for name, (value, size) in values.items():
            log(name, value, on_step=False, on_epoch=True, sync_dist=rank_and_size()[1] > 1, batch_size=size)

    def mixed_loss(self, batch: Any, criterion: Callable[..., Tensor], *, reduction: str = "weighted_mean") -> Tensor:
        """Return the loss of `mixed_step`, for `training_step`.

        Args:
            batch: as for `mixed`.
            criterion: as for `mixed_step`.
            reduction: as for `mixed_step`.
        """
        return self.mixed_step(batch, criterion, reduction=reduction).loss


class LocalMixupDataModule(_Mixing):
    """Mixin for a `LightningDataModule`: set `self.mix`, and `training_step` receives each training batch mixed.

    The loss is then `batch.loss(criterion, self(batch.inputs))`, over all ranks if there are several. Batches are mixed
    on the device, and only while `self.trainer.training` is true: not in the sanity check, validation, test or
    prediction. The state of `self.mix` is saved in checkpoints. Generators and ranks are handled as in
    `LocalMixupMixin`.

    If you override `on_after_batch_transfer`, augment the batch first and call `super()` last.

    Raises:
        TypeError: the mixin comes after `LightningDataModule` in the bases.
    """

    trainer: Any

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Mix a training batch. Lightning calls this.

        Args:
            batch: inputs and targets (see `inputs_and_targets`), or a `MixedBatch`, which is not mixed again.
            dataloader_idx: index of the DataLoader that the batch comes from.

        Raises:
            ValueError: the batch is not a pair, or the inputs cannot be mixed.
        """
        batch = super().on_after_batch_transfer(batch, dataloader_idx)  # type: ignore[misc]
        if self.trainer is None or not self.trainer.training:
            return batch
        found = batch if isinstance(batch, MixedBatch) else self._draw(batch)
        if not isinstance(found, MixedBatch):
            raise ArgumentError("ManifoldLocalMixup runs the model: set it as mix of the LightningModule instead")
        return RankBatch.of(found)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the data module and of `self.mix`, which Lightning saves in the checkpoint."""
        return {**super().state_dict(), _STATE: dict(self._mix().state_dict())}  # type: ignore[misc]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a saved state.

        Args:
            state_dict: from `state_dict`.
        """
        rest = {key: value for key, value in state_dict.items() if key != _STATE}
        super().load_state_dict(rest)  # type: ignore[misc]
        if _STATE in state_dict:
            _create_generators(self._mix(), state_dict[_STATE])
            self._mix().load_state_dict(state_dict[_STATE])


def _parts_with_generators(mix: nn.Module) -> list[LocalMixup]:
    """Return every `LocalMixup` in a module; those without a generator get one."""
    parts = [module for module in mix.modules() if isinstance(module, LocalMixup)]
    for part in parts:
        if part.generator is None:
            # hashed, because PyTorch's own generator may have drawn the model's weights from the same seed
            part.generator = seeded_generator(torch.initial_seed(), 0)
    return parts


@contextmanager
def _recorded(parts: list[LocalMixup]) -> Iterator[list[MixPlan]]:
    """Collect the plans that are drawn meanwhile. A `MixedBatch` does not say who was mixed with whom."""
    plans: list[MixPlan] = []

    def recording(draw: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*args: Any, **keywords: Any) -> Any:
            drawn = draw(*args, **keywords)
            plans.append(drawn.plan)
            return drawn

        return recorded

    for part in parts:
        part.__dict__["_draw"] = recording(part._draw)
    try:
        yield plans
    finally:
        for part in parts:
            del part.__dict__["_draw"]


def _create_generators(mix: nn.Module, state: dict[str, Any], prefix: str = "") -> None:
    """Create a generator for each part of a mix whose saved state has one."""
    for name, module in mix.named_modules(prefix=prefix):
        if isinstance(module, LocalMixup) and f"{name}._extra_state".lstrip(".") in state:
            _parts_with_generators(module)


def _prepare_to_load(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    mix = getattr(module, "mix", None)
    if isinstance(mix, nn.Module):
        _create_generators(mix, state, f"{prefix}mix")
