"""What of a Hugging Face batch is mixed, where its distances are measured, and which loss its model has.

Inputs of floating point are mixed as they are. Token ids cannot be: their embeddings are, inside the model, by a
forward hook on its embedding layer that lives for one pass. The model still sees token ids, those of the longer
sequence of each pair, so that what it derives from them (positions, the place of the last token) stays right.
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
from localmixup._validate import ArgumentError
from localmixup.extras.sequences import masked_features, mix_sequences

TOKENS, MASK = "input_ids", "attention_mask"

# values of `loss_type` of the models whose loss is that of `problem_type`
_CLASSIFIERS = tuple(f"For{kind}Classification" for kind in ("Sequence", "Image", "Video", "Audio"))


def embedding_features(model: nn.Module, inputs: Mapping[str, Any]) -> Tensor:
    """The mean token embedding of each text, padding left out: what `LocalMixupTrainer` measures texts on.

    For choosing a radius or a decay before training: `ThresholdGraph.calibrated(embedding_features(model, inputs))`.

    Args:
        model: a Hugging Face model, or anything with `get_input_embeddings()`.
        inputs: `input_ids`, shape `(n, length)`, and where there is padding `attention_mask`, 0 where it is.

    Returns:
        Shape `(n, d)`, float32 (float64 for float64), without gradient.
    """
    embedding = model.get_input_embeddings()  # type: ignore[operator]
    mode = embedding.training
    try:
        # NEFTune's noise, and whatever else is for training only, is no part of a distance
        embedding.eval()
        with torch.no_grad():
            embeddings: Tensor = embedding(inputs[TOKENS])
    finally:
        embedding.train(mode)
    return masked_features(embeddings, padding_of(inputs))


def padding_of(inputs: Mapping[str, Any]) -> Tensor:
    """Where tokens are padding, shape `(n, length)`: the inverse of `attention_mask`; nowhere if there is none.

    Raises:
        ValueError: the mask is not one value a token.
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
    """See that a batch, without its labels, is one that can be mixed.

    Raises:
        ValueError: it holds something that follows neither the mixed inputs nor the tokens.
    """
    tensors = {key: value for key, value in inputs.items() if isinstance(value, Tensor)}
    if TOKENS in inputs:
        shape = inputs[TOKENS].shape
        odd = [key for key, t in tensors.items() if t.is_floating_point() or t.shape != shape]
        rule = f"beside {TOKENS} only whole numbers of the same shape, one a token, can follow the mixed texts"
    else:
        odd = [key for key, t in tensors.items() if not t.is_floating_point()]
        rule = f"all inputs must be floating point to be mixed, or hold {TOKENS} (images: give pixel_values as floats)"
    odd += [key for key, value in inputs.items() if not isinstance(value, Tensor)]
    if odd or not tensors:
        kinds = {key: inputs[key] for key in odd or inputs}
        found = ", ".join(
            f"{key} ({f'{v.dtype} of shape {tuple(v.shape)}' if isinstance(v, Tensor) else type(v).__name__})"
            for key, v in kinds.items()
        )
        raise ArgumentError(f"{rule}, got {found or 'no inputs'}")


def features_of(model: nn.Module, inputs: Mapping[str, Any]) -> Any:
    """What distances are measured on by default: token embeddings, or the inputs themselves."""
    if TOKENS in inputs:
        return embedding_features(model, inputs)
    return next(iter(inputs.values())) if len(inputs) == 1 else dict(inputs)


def run_mixed(model: nn.Module, inner: nn.Module, inputs: Mapping[str, Any], plan: MixPlan, *, check: bool) -> Any:
    """Run a model on a mixed batch.

    Args:
        model: what is called, in whatever wrapper.
        inner: the model itself, of which the embedding layer is taken.
        inputs: the batch without its labels.
        plan: who is mixed with whom.
        check: see that the embedding layer gets the very token ids; costs a wait for the device.

    Returns:
        The model's outputs.

    Raises:
        ValueError: the model does not look up its tokens once, in its embedding layer.
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
            f"model must look its {TOKENS} up once in get_input_embeddings() for its embeddings to be mixed there, "
            f"got {type(inner).__name__}, which does so {len(calls)} times"
        )
    return outputs


def _tokens_of_pairs(plan: MixPlan, inputs: Mapping[str, Any], padding: Tensor) -> dict[str, Any]:
    """Each sample's own tokens, the partner's where those have ended; a token is attended to if one of both is."""
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
                f"model must look {TOKENS} up as they are for its embeddings to be mixed there, shape "
                f"{tuple(padding.shape)}; its {type(module).__name__} got others, of shape {_shape(ids)}"
            )
        # own tokens stand where there are any, so this is the sample's own embedding, and nothing in its padding
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
    """Whether the embedding layer of a model runs inside `torch.compile`."""
    embedding = inner.get_input_embeddings()  # type: ignore[operator]
    compiled = (m for m in model.modules() if hasattr(m, "_orig_mod") or m._compiled_call_impl is not None)
    return any(embedding is part for m in compiled for part in m.modules())


def logits_of(outputs: Any) -> Tensor:
    """The logits of a model's output, taken up to float32 where they are of half precision."""
    if isinstance(outputs, Mapping):
        logits = outputs.get("logits")
    else:
        logits = outputs if isinstance(outputs, Tensor) else outputs[0]
    if not isinstance(logits, Tensor):
        raise ArgumentError(f"model must return logits, got {sorted(outputs)}")
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def criterion_of(model: nn.Module, labels: Tensor, label_smoothing: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss that a Hugging Face classifier computes itself, but one value a sample.

    The rules of `transformers.loss.loss_utils.ForSequenceClassificationLoss`: cross-entropy, squared error or binary
    cross-entropy by `config.problem_type`, which without one follows from `num_labels` and the dtype of the labels.

    Args:
        model: the model, out of its wrappers.
        labels: of one batch, first dimension n.
        label_smoothing: `args.label_smoothing_factor`, where transformers would apply it.

    Returns:
        A function of logits and labels that returns n losses.

    Raises:
        ValueError: another loss than these, or smoothing with another than cross-entropy.
    """
    loss_type, config = getattr(model, "loss_type", None), getattr(model, "config", None)
    if loss_type not in _CLASSIFIERS or config is None:
        raise ArgumentError(
            f"criterion must be given for {type(model).__name__}: only the losses of Hugging Face's models for the "
            f"classification of whole samples ({', '.join(_CLASSIFIERS)}) are known, got loss_type {loss_type!r}"
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


def _cross_entropy(logits: Tensor, labels: Tensor, *, num_labels: int, label_smoothing: float) -> Tensor:
    if logits.shape != (len(labels), num_labels) or labels.numel() != len(labels):
        raise ArgumentError(
            f"labels must hold one class a sample, and logits have shape ({len(labels)}, {num_labels}), "
            f"got shapes {tuple(labels.shape)} and {tuple(logits.shape)}"
        )
    return F.cross_entropy(logits, labels.view(-1), reduction="none", label_smoothing=label_smoothing)


def _squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    if logits.numel() != labels.numel():
        raise ArgumentError(
            f"labels must hold one value for each of the logits, shape {tuple(logits.shape)}, "
            f"got shape {tuple(labels.shape)}"
        )
    return F.mse_loss(logits, labels.to(logits.dtype).view_as(logits), reduction="none")
