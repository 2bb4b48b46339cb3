"""`LocalMixupTrainer`: Hugging Face's `Trainer` with Local Mixup, for images and texts.

transformers is imported when `LocalMixupTrainer` is first accessed. To combine Local Mixup with your own `Trainer`
class, use `LocalMixupTrainerMixin`.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from localmixup._batch import MixedBatch, MixPlan
from localmixup._mixup import LocalMixup
from localmixup._optional import require
from localmixup._random import rank_and_size, seeded_generator
from localmixup._validate import ArgumentError
from localmixup.distributed._collectives import sum_over_ranks
from localmixup.integrations._counts import PairCounts
from localmixup.integrations._recipe import recipe_of
from localmixup.integrations._transformers_inputs import (
    TOKENS,
    check_kind,
    criterion_of,
    features_of,
    is_compiled,
    label_counts,
    logits_of,
    run_mixed,
)
from localmixup.integrations._transformers_inputs import embedding_features as embedding_features

if TYPE_CHECKING:
    from transformers import Trainer as _Trainer
else:
    _Trainer = object

_KEY = "local_mixup"  # stored among the inputs of a batch until its loss is computed


class _Update:
    """The batches of one optimizer step. Their plans are drawn together, because their weights share one sum."""

    def __init__(self, inputs: list[Mapping[str, Any]]) -> None:
        self.inputs = inputs
        self.plans: list[MixPlan] = []
        self.scale = torch.tensor(1.0)


class LocalMixupTrainerMixin(_Trainer):  # type: ignore[misc,unused-ignore]
    """A `Trainer` that mixes its training batches: `LocalMixupTrainer(recipe=LocalMixup(graph), model=model, ...)`.

    Images and all other floating point inputs are mixed directly. For texts the token embeddings are mixed, and
    distances are measured between the mean embeddings of the texts. The loss is the one the model would compute, per
    sample and weighted by the graph. It is exact under gradient accumulation and with several processes: an optimizer
    step uses `sum(w l) / sum(w)` over all the samples that go into it, without ignored labels (-100). Partners are
    always in the same batch of the same process. Evaluation and prediction are those of the plain `Trainer`.

    Next to the training loss it logs `mean_weight`, the mean weight of this process's samples since the last log, and
    `mixed_share`, the share of the counted samples that are mixed.

    Checkpoints contain the state of the draws, so that a resumed training continues with the same pairs.

    Args:
        *args: arguments of `Trainer`.
        recipe: how to mix: a `LocalMixup`, its configuration, or the path of `local_mixup.json`, which the commands
            write. If it has no generator, it gets one seeded with `args.seed`; with several processes each one gets its
            own, derived from the seed and the rank. In `.eval()` mode nothing is mixed.
        criterion: a loss that maps logits and labels to one value per sample, see `MixedBatch.loss`. Default: the loss
            of Hugging Face's models for classification and regression, chosen by `config.problem_type`.
        features: a function that maps a batch without labels to the features on which distances are measured, shape
            `(n, ...)`; called without gradient. Default: the inputs themselves, or `embedding_features`.
        **kwargs: arguments of `Trainer`.

    Raises:
        ValueError: `recipe` is invalid, or an option of `Trainer` cannot be combined with it.
    """

    # read by transformers: the loss must not be divided by the number of accumulated batches
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *args: Any,
        recipe: Any = None,
        criterion: Callable[..., Tensor] | None = None,
        features: Callable[[dict[str, Any]], Tensor] | None = None,
        **kwargs: Any,
    ) -> None:
        if recipe is None:
            recipe = LocalMixup()
        mix = copy.deepcopy(recipe_of(recipe))  # its generator is set here, and its graph may follow the data
        super().__init__(*args, **kwargs)
        if self.compute_loss_func is not None:
            raise ArgumentError(
                "compute_loss_func cannot be used: it does not receive both labels of a mixed sample, and it returns a "
                "mean, to which no weight can be applied. Pass criterion instead, which returns one loss per sample"
            )
        if criterion is not None and self.args.label_smoothing_factor:
            raise ArgumentError(
                "label_smoothing_factor must be 0 if criterion is given (the criterion can smooth the labels itself), "
                f"got {self.args.label_smoothing_factor}"
            )
        if self.get_tp_size() * self.get_cp_size() * self.get_sp_size() != 1:
            raise ArgumentError("parallelism_config must not use tensor, context or sequence parallelism")
        self.mix, self.criterion, self.features = mix, criterion, features
        self._tokens_checked = False
        self._counts = PairCounts()
        rank, size = rank_and_size()
        if mix.generator is None:
            mix.generator = seeded_generator(self.args.seed, rank)
        elif size > 1:
            mix.generator = seeded_generator(mix.generator.initial_seed(), rank)

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> tuple[list[Any], Any]:
        """Return the batches of one optimizer step, each linked to the others so that they are weighted together."""
        samples, num_items = super().get_batch_samples(*args, **kwargs)
        update = _Update(samples)
        # the plans are drawn in compute_loss, because the state of a checkpoint is loaded after this
        return [{**inputs, _KEY: (update, i)} for i, inputs in enumerate(samples)], num_items

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the weighted loss of a mixed batch, as its share of the optimizer step. In evaluation, the plain loss.

        Args:
            model: the model, possibly wrapped.
            inputs: the batch. One that does not come from `get_batch_samples` is an optimizer step of its own.
            return_outputs: whether to return the model's outputs for the mixed inputs as well.
            num_items_in_batch: used by the plain loss.
        """
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        inputs, labels, (update, i) = self._split(inputs)
        inner = self.accelerator.unwrap_model(model, keep_torch_compile=False)
        self._check_texts(model, inner, inputs)
        if not update.plans:
            self._draw(update, inner)
        plan = update.plans[i]
        outputs = run_mixed(model, inner, inputs, plan, check=not self._tokens_checked)
        self._tokens_checked = True
        criterion = self._criterion_of(inner, labels)
        batch = MixedBatch(inputs, labels, plan.partner_of(labels), plan.lam, plan.weights)
        loss = batch.loss(criterion, logits_of(outputs), reduction="sum") * update.scale
        if self._divides(num_items_in_batch):
            loss = loss * self.current_gradient_accumulation_steps
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the mean weight and the share of mixed samples to the training loss, and log.

        Args:
            logs: the values to log.
            *args: arguments of `Trainer.log`.
            **kwargs: arguments of `Trainer.log`.
        """
        if "loss" in logs and self._counts:
            logs = {**logs, **self._counts.take()}
        super().log(logs, *args, **kwargs)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        torch.save(self.mix.state_dict(), self._state_file(output_dir))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        super()._load_rng_state(checkpoint)
        if checkpoint is not None and os.path.isfile(file := self._state_file(checkpoint)):
            self.mix.load_state_dict(torch.load(file, weights_only=True))

    def _state_file(self, folder: str) -> str:
        rank, size = rank_and_size()
        return os.path.join(folder, "local_mixup_state.pth" if size == 1 else f"local_mixup_state_{rank}.pth")

    def _divides(self, num_items_in_batch: Any) -> bool:
        """Return whether this version of transformers divides the loss by the number of batches anyway (5.0 does)."""
        scaled = hasattr(super(), "loss_is_scaled_for_ga") or not hasattr(self, "current_gradient_accumulation_steps")
        return not scaled and not (self.model_accepts_loss_kwargs and num_items_in_batch is not None)

    def _criterion_of(self, inner: nn.Module, labels: Tensor) -> Callable[..., Tensor]:
        return criterion_of(inner, labels, self._label_smoothing) if self.criterion is None else self.criterion

    @property
    def _label_smoothing(self) -> float:
        # transformers has no label smoother for problems that it does not smooth, such as several labels per sample
        return 0.0 if self.label_smoother is None else float(self.args.label_smoothing_factor)

    def _split(self, batch: Mapping[str, Any]) -> tuple[dict[str, Any], Tensor, tuple[_Update, int]]:
        """Return the inputs, the labels, and the place of the batch in its optimizer step."""
        inputs = {key: value for key, value in batch.items() if value is not None}
        step = inputs.pop(_KEY, None) or (_Update([batch]), 0)
        if len(self.label_names) != 1 or self.label_names[0] not in inputs:
            raise ArgumentError(
                f"a batch must hold its labels under one name to be mixed, label_names are {self.label_names}, "
                f"got {sorted(inputs)}"
            )
        labels = inputs.pop(self.label_names[0])
        check_kind(inputs)
        return inputs, labels, step

    def _check_texts(self, model: nn.Module, inner: nn.Module, inputs: Mapping[str, Any]) -> None:
        """Check that token embeddings can be mixed with the wrappers around this model."""
        if self._tokens_checked or TOKENS not in inputs:
            return
        if getattr(getattr(inner, "config", None), "is_encoder_decoder", False):
            reason = f"{type(inner).__name__} has an encoder and a decoder, and the decoder's tokens are not mixed"
        elif self.args.n_gpu > 1:
            reason = "DataParallel splits the batch before the embeddings are mixed: start one process per GPU"
        elif self.is_fsdp_enabled or self.is_deepspeed_enabled:
            reason = "FSDP and DeepSpeed split the embedding layer, so that distances cannot be measured with it"
        elif is_compiled(model, inner):
            reason = "a compiled model does not run the hook that mixes the embeddings: torch_compile must be off"
        else:
            return
        raise ArgumentError(f"texts cannot be mixed here: {reason}")

    @torch.no_grad()
    def _draw(self, update: _Update, inner: nn.Module) -> None:
        """Draw the plans of all batches of an optimizer step, and compute the factor that scales their losses."""
        sizes = []
        for batch in update.inputs:
            inputs, labels, _ = self._split(self._prepare_inputs(batch))
            features = features_of(inner, inputs) if self.features is None else self.features(inputs)
            plan = self.mix.plan(features, labels)
            counts = label_counts(self._criterion_of(inner, labels), labels, plan.weights)
            sizes.append((plan.weights * (plan.lam * counts + (1 - plan.lam) * plan.partner_of(counts))).sum())
            update.plans.append(plan)
            self._counts.add_plan(plan)
        total = sum_over_ranks(torch.stack(sizes).sum())
        # gradients are averaged over the processes, but their sum is needed; and no sample may count
        update.scale = torch.where(total > 0, rank_and_size()[1] / total, 0.0)


if TYPE_CHECKING:

    class LocalMixupTrainer(LocalMixupTrainerMixin):
        """See `LocalMixupTrainerMixin`."""


def __getattr__(name: str) -> Any:
    """Create `LocalMixupTrainer` when it is first accessed."""
    if name != "LocalMixupTrainer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    transformers = require("transformers", extra="transformers")
    members = {"__module__": __name__, "__doc__": LocalMixupTrainerMixin.__doc__}
    globals()[name] = made = type(name, (LocalMixupTrainerMixin, transformers.Trainer), members)
    return made
