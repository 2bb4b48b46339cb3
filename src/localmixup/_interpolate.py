"""Mixing of tensors: `x~ = lam x + (1 - lam) x_partner` (section 2 of the paper), and its distance on the way.

The difference of a sample and its partner gives both the distance and the mixed sample, so one temporary serves both;
large batches are worked through in blocks that stay in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from localmixup._distances import norms
from localmixup._shapes import Int
from localmixup._validate import ArgumentError

_BLOCK_BYTES = 2 * 2**20

Keep = Callable[[Tensor, slice], Tensor]
"""From distances of a block of rows, and those rows, to which of them are mixed: a boolean mask."""


def map_tensors(function: Callable[[Tensor], Any], value: Any, name: str) -> Any:
    """Apply a function to a tensor, or to every tensor of a tuple, list or dict, nested too.

    Args:
        function: what to apply.
        value: the tensor or tensors.
        name: of the argument, for the message.

    Raises:
        ValueError: something else than a tensor is in it.

    >>> map_tensors(lambda t: t + 1, {"a": torch.tensor(1)}, "inputs")
    {'a': tensor(2)}
    """
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, dict):
        return {key: map_tensors(function, item, f"{name}[{key!r}]") for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        items = [map_tensors(function, item, f"{name}[{i}]") for i, item in enumerate(value)]
        if isinstance(value, tuple):
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        return items
    raise ArgumentError(f"{name} must be a tensor, or a tuple, list or dict of tensors, got {type(value).__name__}")


def tensors_in(value: Any, name: str) -> list[Tensor]:
    """All tensors of a tuple, list or dict, in order.

    Raises:
        ValueError: something else than a tensor is in it.
    """
    found: list[Tensor] = []
    map_tensors(found.append, value, name)
    return found


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """A vector `(n,)` in the shape `(n, 1, ...)` that multiplies the rows of `like`."""
    return values.view(-1, *(1,) * (like.ndim - 1))


def interpolate(x: Tensor, partner: Int[Tensor, "n"], lam: Tensor, *, inplace: bool = False) -> Tensor:
    """Mix every sample with its partner, `lam x + (1 - lam) x[partner]`; differentiable.

    Args:
        x: shape `(n, ...)`, any floating dtype, which the result keeps.
        partner: shape `(n,)`.
        lam: share of the sample itself, shape `(n,)`. Where it is 1 the sample comes out bit for bit.
        inplace: write the result into `x`.

    Returns:
        The mixed samples, in the shape and dtype of `x`.

    Raises:
        ValueError: `x` holds integers, which cannot be mixed.

    >>> interpolate(torch.tensor([0.0, 1.0]), torch.tensor([1, 0]), torch.tensor([0.75, 1.0]))
    tensor([0.2500, 1.0000])
    """
    check_mixable(x)
    mixed = between(x, x.index_select(0, partner), lam)
    return x.copy_(mixed) if inplace else mixed


def check_mixable(x: Tensor) -> None:
    """See that a tensor can be mixed.

    Args:
        x: inputs, any shape.

    Raises:
        ValueError: it does not hold floating point numbers.
    """
    if not x.is_floating_point():
        raise ArgumentError(
            f"inputs must be floating point to be mixed, got {x.dtype}: convert images with .float(), "
            "and mix the embeddings of token ids rather than the ids"
        )


def between(x: Tensor, other: Tensor, lam: Tensor) -> Tensor:
    """The point `lam x + (1 - lam) other` on the segment between two samples; differentiable.

    Args:
        x: one end of each segment, shape `(n, ...)`, floating point.
        other: the other end, in the shape and dtype of `x`.
        lam: share of `x`, shape `(n,)`. Where it is 1, `x` comes out bit for bit.

    Returns:
        In the shape and dtype of `x`; half precision is mixed in float32.

    >>> between(torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor([0.75]))
    tensor([0.2500])
    """
    share = per_row(lam, x)
    half = x.dtype in (torch.float16, torch.bfloat16)
    wide, wide_other = (x.float(), other.float()) if half else (x, other)
    # this form cannot overflow, as a difference of two large values could
    mixed = wide * share + wide_other * (1 - share)
    return torch.where(share == 1, x, mixed.to(x.dtype))


def interpolate_and_measure(
    x: Tensor,
    partner: Int[Tensor, "n"],
    lam: float | Tensor,
    *,
    keep: Keep | None = None,
    flip: bool = False,
    inplace: bool = False,
) -> tuple[Tensor, Tensor]:
    """Mix and measure in one pass, for float32 and float64 batches outside autograd.

    Args:
        x: shape `(n, ...)`, finite.
        partner: shape `(n,)`.
        lam: share of the sample itself: one number for the batch, or one a sample, shape `(n,)`.
        keep: decides from the distances which samples are mixed; None for all. The others come out bit for bit.
        flip: `partner` is the reversed batch, so that every difference serves two samples.
        inplace: write the mixed samples into `x`.

    Returns:
        The mixed samples, and the Euclidean distances of the pairs, shape `(n,)`.
    """
    n = x.shape[0]
    if inplace and flip:
        return x, _flip_inplace(x, lam, keep)
    row_bytes = x[:1].numel() * x.element_size()
    whole = inplace or n * row_bytes <= 2 * _BLOCK_BYTES
    mixed = x.index_select(0, partner) if whole else torch.empty_like(x)
    parts = []
    for rows in [slice(0, n)] if whole else _blocks(n, row_bytes):
        block = mixed if whole else torch.index_select(x, 0, partner[rows], out=mixed[rows])
        parts.append(_mix_block(x[rows], block, lam if isinstance(lam, float) else lam[rows], rows, keep))
    distances = parts[0] if whole else torch.cat(parts)
    if not math.isfinite(distances.sum().item()):
        mixed, distances = _mix_extreme(x, partner, lam, keep)
    return (x.copy_(mixed) if inplace else mixed), distances


def _blocks(n: int, row_bytes: int) -> Iterator[slice]:
    step = max(1, _BLOCK_BYTES // max(1, row_bytes))
    for start in range(0, n, step):
        yield slice(start, min(n, start + step))


def _mix_block(x: Tensor, other: Tensor, lam: float | Tensor, rows: slice, keep: Keep | None) -> Tensor:
    """Mix rows `x` with rows `other`, in the memory of `other`; returns the distances."""
    difference = torch.sub(x, other, out=other)
    distances = norms(difference.flatten(1))
    if keep is not None:
        # a sample that stays needs the difference +0, which subtracted keeps even the sign of a zero
        difference.masked_fill_(per_row(~keep(distances, rows), x), 0.0)
    if isinstance(lam, float):
        torch.sub(x, difference, alpha=1 - lam, out=difference)
    else:
        torch.sub(x, difference.mul_(per_row(1 - lam, x)), out=difference)
    return distances


def _mix_extreme(x: Tensor, partner: Tensor, lam: float | Tensor, keep: Keep | None) -> tuple[Tensor, Tensor]:
    """The same where a difference or its square overflows."""
    n, limit = x.shape[0], torch.finfo(x.dtype).max
    distances = norms((x.double() / 4 - x[partner].double() / 4).flatten(1)).mul(4).clamp_max(limit).to(x.dtype)
    shares = lam if isinstance(lam, Tensor) else x.new_full((n,), lam)
    if keep is not None:
        shares = torch.where(keep(distances, slice(0, n)), shares, 1.0)
    return interpolate(x, partner, shares), distances


def _flip_inplace(x: Tensor, lam: float | Tensor, keep: Keep | None) -> Tensor:
    """Mix sample i with sample n - 1 - i, each difference taken once; returns the distances."""
    n, half = x.shape[0], x.shape[0] // 2
    distances = x.new_zeros(n)
    row_bytes = x[:1].numel() * x.element_size()
    for rows in [slice(0, half)] if n * row_bytes <= 2 * _BLOCK_BYTES else _blocks(half, row_bytes):
        mirror = slice(n - rows.stop, n - rows.start)
        upper, lower = x[rows], x[mirror]
        difference = upper - lower.flip(0)
        near = norms(difference.flatten(1))
        if not math.isfinite(near.sum().item()):
            pair = torch.cat([upper, lower])
            turned = torch.arange(len(pair) - 1, -1, -1)
            shares = torch.cat([lam[rows], lam[mirror]]) if isinstance(lam, Tensor) else lam
            both = None if keep is None else _keep_of(keep, rows, mirror)
            pair, near_both = _mix_extreme(pair, turned, shares, both)
            near = near_both[: len(upper)]
            upper.copy_(pair[: len(upper)])
            lower.copy_(pair[len(upper) :])
        else:
            back = difference.flip(0).neg_()
            _subtract_share(upper, difference, near, lam, rows, keep)
            _subtract_share(lower, back, near.flip(0), lam, mirror, keep)
        distances[rows] = near
        distances[mirror] = near.flip(0)
    return distances


def _keep_of(keep: Keep, rows: slice, mirror: slice) -> Keep:
    def both(distances: Tensor, _: slice) -> Tensor:
        half = len(distances) // 2
        return torch.cat([keep(distances[:half], rows), keep(distances[half:], mirror)])

    return both


def _subtract_share(
    x: Tensor, difference: Tensor, distances: Tensor, lam: float | Tensor, rows: slice, keep: Keep | None
) -> None:
    if keep is not None:
        difference.masked_fill_(per_row(~keep(distances, rows), x), 0.0)
    if isinstance(lam, float):
        x.sub_(difference, alpha=1 - lam)
    else:
        x.sub_(difference.mul_(per_row(1 - lam[rows], x)))
