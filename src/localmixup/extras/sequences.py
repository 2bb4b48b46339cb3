"""Padded sequences, such as embeddings of audio and text: mixed and measured without their padding."""

from __future__ import annotations

import torch
from torch import Tensor

from localmixup._batch import MixPlan
from localmixup._interpolate import check_mixable
from localmixup._validate import ArgumentError


def mix_sequences(plan: MixPlan, x: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mix padded sequences. The longer one of each pair decides the length.

    Padding counts as 0, whatever its value: where only one of the two sequences continues, its share remains.

    Args:
        plan: from `LocalMixup.plan(features, targets)`; features may be `masked_mean(x, padding_mask)`.
        x: shape `(n, length, ...)`, floating point.
        padding_mask: True where `x` is padding, shape `(n, length)`, as PyTorch's `key_padding_mask`; the inverse of
            an `attention_mask`.

    Returns:
        The mixed sequences, and their padding mask: True where both sequences are padding.

    Raises:
        ValueError: the sequences are not floating point, or the mask does not belong to them.

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


def masked_mean(x: Tensor, padding_mask: Tensor) -> Tensor:
    """Return the mean of each sequence over the positions that are not padding, so that distances ignore the padding.

    For embeddings of tokens and frames of audio. The mean of a raw waveform says nothing about it.

    Args:
        x: shape `(n, length, ...)`.
        padding_mask: True where `x` is padding, shape `(n, length)`.

    Returns:
        Shape `(n, ...)`, float32 (float64 for float64); 0 for a sequence of padding only.

    Raises:
        ValueError: the mask does not belong to `x`.

    >>> masked_mean(torch.tensor([[4.0, 6.0, 9.0]]), torch.tensor([[False, False, True]]))
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
