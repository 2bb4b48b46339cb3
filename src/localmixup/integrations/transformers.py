"""`LocalMixupTrainer`: Hugging Face's `Trainer` with Local Mixup, for images and for texts.

transformers is imported when the class is first asked for. The mixin is there for those with a `Trainer` of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from localmixup._batch import MixPlan
from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError, check_choice
from localmixup.integrations._ranks import generator_of_rank, rank_and_size, sum_over_ranks
from localmixup.integrations._transformers_inputs import (
    TOKENS,
    check_kind,
    criterion_of,
    features_of,
    is_compiled,
    logits_of,
    run_mixed,
)
from localmixup.integrations._transformers_inputs import embedding_features as embedding_features

if TYPE_CHECKING:
    from transformers import Trainer as _Trainer
else:
    _Trainer = object

_KEY = "local_mixup"  # beside the inputs of a batch, until the loss is computed
_REDUCTIONS = ("weighted_mean", "mean", "sum")


class _Update:
    """The batches of one optimizer step, whose plans are drawn together: their weights have one sum."""

    def __init__(self, inputs: list[Mapping[str, Any]]) -> None:
        self.inputs = inputs
        self.plans: list[MixPlan] = []
        self.scale = torch.tensor(1.0)


class LocalMixupTrainerMixin(_Trainer):  # type: ignore[misc,unused-ignore]
    """A `Trainer` that mixes its training batches: `LocalMixupTrainer(mix=LocalMixup(graph), model=model, ...)`.

    Images and all other inputs of floating point are mixed as they are; of texts, the token embeddings are, and
    distances are those of each text's mean embedding. The loss is the one that the model would compute, one value a
    sample, weighted by the graph. It is exact over gradient accumulation and over processes: an optimizer step is that
    of `sum(w l) / sum(w)` over all the samples that go into it. Pairs stay inside a batch of one process. Evaluation
    and prediction are the plain `Trainer`'s.

    With the training loss it logs `mean_weight`, the mean of the weights of this process's samples since the last time,
    and `mixed_share`, the share of what counts that is mixed. A mean weight near 0 means that hardly any pair counts.

    Checkpoints hold the state of the draws, so that a resumed training goes on with the same pairs.

    Args:
        *args: of `Trainer`.
        mix: who is mixed with whom, and what a pair counts. Where it has no generator it gets one, from `args.seed`;
            in several processes, one for each, from its seed and the rank. In `.eval()` mode nothing is mixed.
        criterion: the loss, from logits and labels to one value a sample, as in `MixedBatch.loss`. Default: that of
            Hugging Face's models for classification and regression, by `config.problem_type`.
        features: from a batch without labels to what distances are measured on, shape `(n, ...)`; called without
            gradient. Default: the inputs themselves, or `embedding_features`.
        **kwargs: of `Trainer`.

    Raises:
        ValueError: `mix` is none, or an option of `Trainer` cannot go with it.
    """

    # of transformers: the loss needs no division by the number of accumulated batches
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *args: Any,
        mix: LocalMixup,
        criterion: Callable[..., Tensor] | None = None,
        features: Callable[[dict[str, Any]], Tensor] | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(mix, LocalMixup):
            raise ArgumentError(
                f"mix must be a LocalMixup, such as LocalMixup(ThresholdGraph(radius=1.0)), got {type(mix).__name__}"
            )
        check_choice("reduction of mix", mix.reduction, _REDUCTIONS)
        super().__init__(*args, **kwargs)
        if self.compute_loss_func is not None:
            raise ArgumentError(
                "compute_loss_func never sees both labels of a mixed sample and returns a mean, to which no weight "
                "can be applied: give criterion instead, which returns one loss a sample"
            )
        if criterion is not None and self.args.label_smoothing_factor:
            raise ArgumentError(
                "label_smoothing_factor must be 0 where criterion is given, which has to smooth itself, "
                f"got {self.args.label_smoothing_factor}"
            )
        if self.get_tp_size() * self.get_cp_size() * self.get_sp_size() != 1:
            raise ArgumentError("parallelism_config must have no tensor, context or sequence parallelism")
        self.mix, self.criterion, self.features = mix, criterion, features
        self._tokens_checked = False
        self._counted: Tensor | None = None
        if mix.generator is None:
            mix.generator = generator_of_rank(self.args.seed)
        elif rank_and_size()[1] > 1:
            mix.generator = generator_of_rank(mix.generator.initial_seed())

    # ---- what Trainer calls ------------------------------------------------------------------------------------

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> tuple[list[Any], Any]:
        """The batches of one optimizer step; each knows the others, to be weighed with them."""
        samples, num_items = super().get_batch_samples(*args, **kwargs)
        update = _Update(samples)
        # drawn at the first of them: only by then is the state of a checkpoint loaded
        return [{**inputs, _KEY: (update, i)} for i, inputs in enumerate(samples)], num_items

    def compute_loss(
        self, model: nn.Module, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The weighted loss of a mixed batch, as a share of its optimizer step; in evaluation the plain one.

        Args:
            model: in whatever wrapper.
            inputs: the batch; one that did not come through `get_batch_samples` is a step of its own.
            return_outputs: whether to return the model's outputs, on the mixed inputs, as well.
            num_items_in_batch: for the plain loss.
        """
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        inputs, labels, (update, i) = self._split(inputs)
        inner = self.accelerator.unwrap_model(model, keep_torch_compile=False)
        self._check(model, inner, inputs)
        if not update.plans:
            self._draw(update, inner)
        plan = update.plans[i]
        outputs = run_mixed(model, inner, inputs, plan, check=not self._tokens_checked)
        self._tokens_checked = True
        criterion = self.criterion
        if criterion is None:
            criterion = criterion_of(inner, labels, self._label_smoothing)
        batch = plan.batch_type(inputs, labels, plan.partner_of(labels), plan.lam, plan.weights)
        loss = batch.loss(criterion, logits_of(outputs), reduction="sum") * update.scale
        if self._divides(num_items_in_batch):
            loss = loss * self.current_gradient_accumulation_steps
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log, and beside the training loss how much the samples counted and how many were mixed.

        Args:
            logs: what is logged.
            *args: of `Trainer.log`.
            **kwargs: of `Trainer.log`.
        """
        if "loss" in logs and self._counted is not None:
            samples, weight, mixed = self._counted.tolist()
            logs = {**logs, "mean_weight": weight / samples, "mixed_share": mixed / weight if weight else 0.0}
            self._counted = None
        super().log(logs, *args, **kwargs)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        torch.save(self.mix.state_dict(), self._state_file(output_dir))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        super()._load_rng_state(checkpoint)
        if checkpoint is not None and os.path.isfile(file := self._state_file(checkpoint)):
            self.mix.load_state_dict(torch.load(file, weights_only=True))

    # ---- parts -------------------------------------------------------------------------------------------------

    def _divides(self, num_items_in_batch: Any) -> bool:
        """Whether this version of transformers (5.0 does) divides the loss by the number of batches in any case."""
        told = hasattr(super(), "loss_is_scaled_for_ga") or not hasattr(self, "current_gradient_accumulation_steps")
        return not told and not (self.model_accepts_loss_kwargs and num_items_in_batch is not None)

    @property
    def _label_smoothing(self) -> float:
        # transformers has no smoother where it does not smooth: for several labels a sample
        return 0.0 if self.label_smoother is None else float(self.args.label_smoothing_factor)

    def _state_file(self, folder: str) -> str:
        rank, size = rank_and_size()
        return os.path.join(folder, "local_mixup_state.pth" if size == 1 else f"local_mixup_state_{rank}.pth")

    def _split(self, batch: Mapping[str, Any]) -> tuple[dict[str, Any], Tensor, tuple[_Update, int]]:
        """Inputs, labels, and the place in an optimizer step."""
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

    def _check(self, model: nn.Module, inner: nn.Module, inputs: Mapping[str, Any]) -> None:
        """See that the embeddings of tokens can be mixed in the wrappers that the model is in."""
        if self._tokens_checked or TOKENS not in inputs:
            return
        if getattr(getattr(inner, "config", None), "is_encoder_decoder", False):
            reason = f"{type(inner).__name__} has an encoder and a decoder, whose tokens would have to be mixed too"
        elif self.args.n_gpu > 1:
            reason = "DataParallel splits a batch in the model, where its pairs are mixed: start one process a GPU"
        elif self.is_fsdp_enabled or self.is_deepspeed_enabled:
            reason = "FSDP and DeepSpeed keep the embedding layer in parts, so that distances cannot be measured on it"
        elif is_compiled(model, inner):
            reason = "a compiled model does not see the hook that mixes the embeddings: torch_compile must be off"
        else:
            return
        raise ArgumentError(f"texts cannot be mixed here: {reason}")

    @torch.no_grad()
    def _draw(self, update: _Update, inner: nn.Module) -> None:
        """Draw the plans of all batches of an optimizer step, and what the sum of their losses is multiplied by."""
        for batch in update.inputs:
            inputs, labels, _ = self._split(self._prepare_inputs(batch))
            features = features_of(inner, inputs) if self.features is None else self.features(inputs)
            update.plans.append(self.mix.plan(features, labels))
        counted = torch.stack([_counted(plan) for plan in update.plans]).sum(0)
        self._counted = counted if self._counted is None else self._counted + counted
        reduction = check_choice("reduction of mix", self.mix.reduction, _REDUCTIONS)
        counts = torch.cat([plan.weights for plan in update.plans])
        if reduction != "weighted_mean":
            counts = torch.ones_like(counts)
        total = counts.new_ones(()) if reduction == "sum" else sum_over_ranks(counts.sum())
        # several processes: the gradient is averaged over them, and a sum is meant
        update.scale = rank_and_size()[1] / total.clamp_min(torch.finfo(total.dtype).tiny)


def _counted(plan: MixPlan) -> Tensor:
    """How many samples there are, the sum of their weights, and that of the mixed ones."""
    total = plan.weights.sum()
    return torch.stack([torch.full_like(total, len(plan.weights)), total, plan.mixed_share * total])


if TYPE_CHECKING:

    class LocalMixupTrainer(LocalMixupTrainerMixin):
        """See `LocalMixupTrainerMixin`."""


def __getattr__(name: str) -> Any:
    """`LocalMixupTrainer`, made when it is first asked for."""
    if name != "LocalMixupTrainer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from transformers import Trainer
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        raise ImportError(
            "LocalMixupTrainer needs transformers: pip install 'localmixup[transformers]'", name="transformers"
        ) from error
    members = {"__module__": __name__, "__doc__": LocalMixupTrainerMixin.__doc__}
    made = type(name, (LocalMixupTrainerMixin, Trainer), members)
    globals()[name] = made
    return made
