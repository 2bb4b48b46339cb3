"""Hugging Face batches: what is mixed, where distances are measured, and which loss the model has.

Floating point inputs are mixed directly. Token ids cannot be mixed, so their embeddings are, inside the model, by a
forward hook on its embedding layer that exists for a single pass. The model still receives token ids, those of the
longer sequence of each pair, so that whatever it derives from them (positions, the place of the last token) stays
correct.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from localmixup._batch import MixPlan
from localmixup._criterion import target_counts
from localmixup._validate import ArgumentError
from localmixup.extras.sequences import masked_mean, mix_sequences

TOKENS, MASK = "input_ids", "attention_mask"

# the `loss_type` of models whose loss depends on `problem_type`
_CLASSIFIERS = tuple(f"For{kind}Classification" for kind in ("Sequence", "Image", "Video", "Audio"))


def embedding_features(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
    """Return the mean token embedding of each text, without padding, as used by `LocalMixupTrainer` for texts.

    It can be used to fit a graph before training: `ThresholdGraph.fit(embedding_features(model, inputs))`.

    Args:
        model: a Hugging Face model, or any object with `get_input_embeddings()`.
        inputs: `input_ids`, shape `(n, length)`, and with padding also `attention_mask`, which is 0 for padding.

    Returns:
        Shape `(n, d)`, float32 (float64 for float64 embeddings), without gradient.
    """
    embedding = model.get_input_embeddings()  # type: ignore[operator]
    mode = embedding.training
    try:
        # distances must not depend on NEFTune's noise or anything else that exists in training only
        embedding.eval()
        with torch.no_grad():
            embeddings: Tensor = embedding(inputs[TOKENS])
    finally:
        embedding.train(mode)
    return masked_mean(embeddings, padding_of(inputs))


def padding_of(inputs: Mapping[str, Any]) -> Tensor:
    """Return where tokens are padding, shape `(n, length)`, from `attention_mask`; all False without a mask.

    Raises:
        ValueError: the mask does not have one value per token.
    """
    ids: Tensor = inputs[TOKENS]
    mask: Tensor | None = inputs.get(MASK)
    if mask is None:
        return torch.zeros_like(ids, dtype=torch.bool)
    if mask.shape != ids.shape:
        raise ArgumentError(
            f"{MASK} must have the shape of {TOKENS}, {tuple(ids.shape)}, to be mixed, got {tuple(mask.shape)}"
        )
    return mask == 0


def check_kind(inputs: Mapping[str, Any]) -> None:
    """Check that a batch, without its labels, can be mixed.

    Raises:
        ValueError: it holds something that can neither be mixed nor be taken from one of the two samples.
    """
    tensors = {key: value for key, value in inputs.items() if isinstance(value, Tensor)}
    if TOKENS in inputs:
        shape = inputs[TOKENS].shape
        odd = [key for key, t in tensors.items() if t.is_floating_point() or t.shape != shape]
        rule = f"next to {TOKENS} a batch of texts may hold only integers of the same shape, one per token"
    else:
        odd = [key for key, t in tensors.items() if not t.is_floating_point()]
        rule = f"a batch must hold {TOKENS} or only floating point inputs to be mixed (images: pixel_values as floats)"
    odd += [key for key, value in inputs.items() if not isinstance(value, Tensor)]
    if odd or not tensors:
        kinds = {key: inputs[key] for key in odd or inputs}
        found = ", ".join(
            f"{key} ({f'{v.dtype} of shape {tuple(v.shape)}' if isinstance(v, Tensor) else type(v).__name__})"
            for key, v in kinds.items()
        )
        raise ArgumentError(f"{rule}, got {found or 'no inputs'}")


def features_of(model: nn.Module, inputs: Mapping[str, Any]) -> Any:
    """Return what distances are measured on by default: token embeddings, or the inputs themselves."""
    if TOKENS in inputs:
        return embedding_features(model, inputs)
    return next(iter(inputs.values())) if len(inputs) == 1 else dict(inputs)


def run_mixed(model: nn.Module, inner: nn.Module, inputs: Mapping[str, Any], plan: MixPlan, *, check: bool) -> Any:
    """Run a model on a mixed batch.

    Args:
        model: the model to call, possibly wrapped.
        inner: the model itself, which has the embedding layer.
        inputs: the batch without its labels.
        plan: the plan to mix by.
        check: check that the embedding layer receives exactly the token ids; this synchronises with the device.

    Returns:
        The model's outputs.

    Raises:
        ValueError: the model does not look up its tokens exactly once in its embedding layer.
    """
    if TOKENS not in inputs:
        return model(**plan.mix(dict(inputs)))
    padding = padding_of(inputs)
    paired = _tokens_of_pairs(plan, inputs, padding)
    embedding = inner.get_input_embeddings()  # type: ignore[operator]
    with _mixed_embeddings(embedding, plan, padding, paired[TOKENS] if check else None) as calls:
        outputs = model(**paired)
    if len(calls) != 1:
        raise ArgumentError(
            f"model must look up its {TOKENS} once in get_input_embeddings() so that the embeddings can be mixed, "
            f"got {type(inner).__name__}, which does so {len(calls)} times"
        )
    return outputs


def _tokens_of_pairs(plan: MixPlan, inputs: Mapping[str, Any], padding: Tensor) -> dict[str, Any]:
    """Return each sample's own tokens, continued by the partner's if those are longer, with the union of the masks."""
    paired = {}
    for key, value in inputs.items():
        other = value.index_select(0, plan.partner)
        paired[key] = torch.maximum(value, other) if key == MASK else torch.where(padding, other, value)
    return paired


@contextlib.contextmanager
def _mixed_embeddings(
    embedding: nn.Module, plan: MixPlan, padding: Tensor, expected: Tensor | None
) -> Iterator[list[None]]:
    calls: list[None] = []

    def mix(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        calls.append(None)
        ids = args[0] if args else None
        if output.shape[:2] != padding.shape or (expected is not None and not _same(ids, expected)):
            raise ArgumentError(
                f"model must look up its {TOKENS} unchanged so that the embeddings can be mixed, shape "
                f"{tuple(padding.shape)}; its {type(module).__name__} received others, of shape {_shape(ids)}"
            )
        # where a sample has tokens of its own, `output` holds their embeddings; mix_sequences ignores its padding
        mixed, both = mix_sequences(plan, output, padding)
        return torch.where(both[..., None], output, mixed)

    handle = embedding.register_forward_hook(mix)
    try:
        yield calls
    finally:
        handle.remove()


def _same(ids: Any, expected: Tensor) -> bool:
    return isinstance(ids, Tensor) and ids.shape == expected.shape and torch.equal(ids, expected)


def _shape(ids: Any) -> Any:
    return tuple(ids.shape) if isinstance(ids, Tensor) else type(ids).__name__


def is_compiled(model: nn.Module, inner: nn.Module) -> bool:
    """Return whether the embedding layer of a model runs inside `torch.compile`."""
    embedding = inner.get_input_embeddings()  # type: ignore[operator]
    compiled = (m for m in model.modules() if hasattr(m, "_orig_mod") or m._compiled_call_impl is not None)
    return any(embedding is part for m in compiled for part in m.modules())


def logits_of(outputs: Any) -> Tensor:
    """Return the logits of a model's output, converted to float32 if they are in half precision."""
    if isinstance(outputs, Mapping):
        logits = outputs.get("logits")
    else:
        logits = outputs if isinstance(outputs, Tensor) else outputs[0]
    if not isinstance(logits, Tensor):
        raise ArgumentError(f"model must return logits, got {sorted(outputs)}")
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def criterion_of(model: nn.Module, labels: Tensor, label_smoothing: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss that a Hugging Face classifier computes itself, but with one value per sample.

    It follows `transformers.loss.loss_utils.ForSequenceClassificationLoss`: cross-entropy, squared error or binary
    cross-entropy, chosen by `config.problem_type` or, if that is None, by `num_labels` and the dtype of the labels.

    Args:
        model: the model without wrappers.
        labels: the labels of one batch, first dimension n.
        label_smoothing: `args.label_smoothing_factor`, or 0 if transformers would not apply it.

    Returns:
        A function of logits and labels that returns n losses.

    Raises:
        ValueError: the model has a different loss, or smoothing is used with a loss other than cross-entropy.
    """
    loss_type, config = getattr(model, "loss_type", None), getattr(model, "config", None)
    if loss_type not in _CLASSIFIERS or config is None:
        raise ArgumentError(
            f"criterion must be given for {type(model).__name__}: only the losses of Hugging Face's models that "
            f"classify whole samples ({', '.join(_CLASSIFIERS)}) are known, got loss_type {loss_type!r}"
        )
    problem, num_labels = config.problem_type, config.num_labels
    if problem is None:
        one_class = labels.dtype in (torch.int64, torch.int32)
        problem = "single_label_classification" if one_class else "multi_label_classification"
        problem = "regression" if num_labels == 1 else problem
    if problem == "single_label_classification":
        return functools.partial(_cross_entropy, num_labels=num_labels, label_smoothing=label_smoothing)
    if problem == "regression" and label_smoothing:
        raise ArgumentError(f"label_smoothing_factor must be 0 for regression, got {label_smoothing}")
    return _squared_error if problem == "regression" else F.binary_cross_entropy_with_logits


def label_counts(criterion: Callable[..., Tensor], labels: Tensor, like: Tensor) -> Tensor:
    """Return what the mean of a criterion divides by, of each sample: 0 for an ignored label, else its class weight.

    Args:
        criterion: from `criterion_of`, or of the user's own.
        labels: the labels of one batch, first dimension n.
        like: in whose dtype and on whose device, shape `(n,)`.

    Returns:
        Shape `(n,)`; ones for a criterion that divides by the number of samples.
    """
    if isinstance(criterion, functools.partial) and criterion.func is _cross_entropy:
        criterion, labels = F.cross_entropy, labels.reshape(len(labels), -1)
    counts = target_counts(criterion, labels, like)
    return torch.ones_like(like) if counts is None else counts


def _cross_entropy(logits: Tensor, labels: Tensor, *, num_labels: int, label_smoothing: float) -> Tensor:
    if logits.shape != (len(labels), num_labels) or labels.numel() != len(labels):
        raise ArgumentError(
            f"labels must hold one class per sample and logits have shape ({len(labels)}, {num_labels}), "
            f"got shapes {tuple(labels.shape)} and {tuple(logits.shape)}"
        )
    return F.cross_entropy(logits, labels.view(-1), reduction="none", label_smoothing=label_smoothing)


def _squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    if logits.numel() != labels.numel():
        raise ArgumentError(
            f"labels must hold one value per logit, shape {tuple(logits.shape)}, got shape {tuple(labels.shape)}"
        )
    return F.mse_loss(logits, labels.to(logits.dtype).view_as(logits), reduction="none")
