"""Sequences of different lengths in one batch, as audio and text embeddings are: mixed and measured without padding."""

from __future__ import annotations

import torch
from torch import Tensor

from localmixup._batch import MixPlan
from localmixup._interpolate import check_mixable
from localmixup._validate import ArgumentError


def mix_sequences(plan: MixPlan, x: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mix padded sequences; the longer of two decides the length.

    Padding counts as 0, whatever stands there: where only one of the two sequences still runs, its share is left.

    Args:
        plan: from `LocalMixup.plan(features, targets)`, where features may be `masked_features(x, padding_mask)`.
        x: shape `(n, length, ...)`, floating point.
        padding_mask: True where `x` is padding, as PyTorch's `key_padding_mask`, shape `(n, length)`; the inverse of
            an `attention_mask`.

    Returns:
        The mixed sequences, and their padding mask: True where both sequences are padding.

    Raises:
        ValueError: no floating point sequences, or a mask that does not belong to them.

    >>> plan = MixPlan(torch.tensor([1, 0]), torch.tensor([0.75, 0.75]), torch.ones(2))
    >>> x = torch.tensor([[4.0, 4.0, 9.0], [8.0, 9.0, 9.0]])
    >>> mix_sequences(plan, x, padding_mask=x == 9)[0]
    tensor([[5., 3., 0.],
            [7., 1., 0.]])
    """
    check_mixable(x)
    _check_mask(x, padding_mask)
    mixed: Tensor = plan.mix(x.masked_fill(_as_wide_as(padding_mask, x), 0.0))
    return mixed, padding_mask & plan.partner_of(padding_mask)


def masked_features(x: Tensor, padding_mask: Tensor) -> Tensor:
    """The mean of each sequence over the places that are no padding: features whose distances ignore padding.

    For embeddings of tokens and frames of audio. Of a raw waveform it would be the mean amplitude, which says nothing.

    Args:
        x: shape `(n, length, ...)`.
        padding_mask: True where `x` is padding, shape `(n, length)`.

    Returns:
        Shape `(n, ...)`, float32 (float64 for float64); 0 where a sequence is nothing but padding.

    Raises:
        ValueError: a mask that does not belong to `x`.

    >>> masked_features(torch.tensor([[4.0, 6.0, 9.0]]), torch.tensor([[False, False, True]]))
    tensor([5.])
    """
    _check_mask(x, padding_mask)
    wide = x if x.dtype == torch.float64 else x.float()
    total = wide.masked_fill(_as_wide_as(padding_mask, x), 0.0).sum(dim=1)
    count = (~padding_mask).sum(dim=1).clamp_min(1).view(-1, *(1,) * (x.ndim - 2))
    return total / count


def _check_mask(x: Tensor, padding_mask: Tensor) -> None:
    if padding_mask.dtype != torch.bool or x.ndim < 2 or padding_mask.shape != x.shape[:2]:
        raise ArgumentError(
            f"padding_mask must be torch.bool of the shape (n, length) of the sequences, {tuple(x.shape[:2])}, "
            f"got {padding_mask.dtype} of shape {tuple(padding_mask.shape)}"
        )


def _as_wide_as(padding_mask: Tensor, x: Tensor) -> Tensor:
    return padding_mask.view(*padding_mask.shape, *(1,) * (x.ndim - 2))
