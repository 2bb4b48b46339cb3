"""Mixing of tensors, `x~ = lam x + (1 - lam) x_partner` (section 2 of the paper), and the distances of the pairs.

The difference of a sample and its partner gives both their distance and the mixed sample, so that measuring costs
hardly more than mixing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from localmixup._distances import TINY, norms
from localmixup._shapes import Int
from localmixup._validate import ArgumentError

_MIXABLE = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_BLOCK_BYTES = 2 * 2**20
_LARGE_BYTES = 16 * 2**20  # from here on a flipped batch is mixed in blocks that stay in the cache


def map_tensors(function: Callable[[Tensor], Any], value: Any, name: str) -> Any:
    """Apply a function to a tensor, or to every tensor of a tuple, list or dict, nested ones included.

    Args:
        function: what to apply.
        value: the tensor or tensors.
        name: name of the argument, for the message.

    Raises:
        ValueError: it contains something other than tensors.

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
    """Return all tensors of a tuple, list or dict, in order.

    Raises:
        ValueError: it contains something other than tensors.
    """
    found: list[Tensor] = []
    map_tensors(found.append, value, name)
    return found


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """Reshape a vector `(n,)` to `(n, 1, ...)`, so that it multiplies the rows of `like`."""
    return values.view(-1, *(1,) * (like.ndim - 1))


def check_mixable(x: Tensor, name: str = "inputs") -> None:
    """Check that a tensor can be mixed.

    Args:
        x: any shape.
        name: name of the argument, for the message.

    Raises:
        ValueError: it is not a dense tensor of floating point numbers.
    """
    if x.dtype in _MIXABLE and x.layout is torch.strided and not x.is_nested:
        return
    check_dense(x, name)
    if x.is_floating_point():
        allowed = "float16, bfloat16, float32 or float64"
        raise ArgumentError(f"{name} must be {allowed} to be mixed, got {x.dtype}: call x.float()")
    raise ArgumentError(
        f"{name} must be floating point to be mixed, got {x.dtype}: convert images with .float(), mix the embeddings "
        "of token ids instead of the ids, and check that inputs and targets are not swapped: mix(x, y)"
    )


def check_dense(x: Tensor, name: str) -> None:
    """Check that a tensor is not sparse, nested or quantised.

    Args:
        x: any shape.
        name: name of the argument, for the message.

    Raises:
        ValueError: it is.
    """
    if x.layout == torch.strided and not x.is_nested and not x.is_quantized:
        return
    if x.is_nested:
        kind, remedy = "a nested tensor", "pad it: torch.nested.to_padded_tensor(x, 0.0)"
    elif x.is_quantized:
        kind, remedy = str(x.dtype), "call x.dequantize()"
    else:
        kind, remedy = str(x.layout), "call x.to_dense()"
    raise ArgumentError(f"{name} must be a dense tensor, got {kind}: {remedy}")


def check_apart(x: Any, y: Any) -> None:
    """Check that no two inputs, and no input and target, are the same memory, which mixing in place writes twice.

    Args:
        x: inputs, one tensor or several.
        y: targets, one tensor or several.

    Raises:
        ValueError: they are.
    """
    if torch.compiler.is_compiling():
        return
    inputs = [tensor for tensor in tensors_in(x, "inputs") if tensor.numel()]
    places = [tensor.data_ptr() for tensor in inputs]
    taken = {tensor.data_ptr() for tensor in tensors_in(y, "targets") if tensor.numel()}
    if len(set(places)) < len(places) or taken.intersection(places):
        raise ArgumentError(
            "inplace must be False where an input is a target or another input as well, as in an autoencoder: writing "
            "into one would change the other. Or clone one of them"
        )


def interpolate(
    x: Tensor, partner: Int[Tensor, "n"], lam: Tensor, *, inplace: bool = False, rows: Tensor | None = None
) -> Tensor:
    """Mix each sample with its partner, `lam x + (1 - lam) x[partner]`; differentiable.

    Args:
        x: shape `(n, ...)`, any floating dtype and memory format, which the result keeps.
        partner: shape `(n,)`.
        lam: share of the sample itself, shape `(n,)`. Where it is 1 the sample is returned bit for bit.
        inplace: write the result into `x`.
        rows: indices of all samples for which `lam` is not 1, and perhaps of others, if the caller knows them.

    Returns:
        The mixed samples, in the shape and dtype of `x`.

    Raises:
        ValueError: `x` holds integers, which cannot be mixed.

    >>> interpolate(torch.tensor([0.0, 1.0]), torch.tensor([1, 0]), torch.tensor([0.75, 1.0]))
    tensor([0.2500, 1.0000])
    """
    check_mixable(x)
    traced = (x.requires_grad and torch.is_grad_enabled()) or torch.compiler.is_compiling()
    if traced or x.dtype not in (torch.float32, torch.float64) or x.ndim < 2 or not is_dense_in_rows(x):
        mixed = between(x, x.index_select(0, partner), lam)
        return x.copy_(mixed) if inplace else mixed
    flat = flat_rows(x)
    if x.device.type != "cpu":  # reading a value makes a GPU wait
        share = lam[:, None]
        mixed = torch.addcmul(flat.index_select(0, partner).mul_(1 - share), flat, share)
        mixed = _unflat(torch.where(share == 1, flat, mixed), x)
        return x.copy_(mixed) if inplace else mixed
    if rows is None:
        rows = (lam != 1).nonzero().squeeze(1)
    if 2 * len(rows) > len(flat):  # mixing every row is faster than gathering many
        share = lam[:, None]
        mixed = flat.index_select(0, partner).mul_(1 - share).addcmul_(flat, share)
        still = (lam == 1).nonzero().squeeze(1)
        if len(still):
            mixed.index_copy_(0, still, flat.index_select(0, still))
        return x.copy_(_unflat(mixed, x)) if inplace else _unflat(mixed, x)
    ends, share = partner.index_select(0, rows), lam.index_select(0, rows)[:, None]
    moved = flat.index_select(0, ends).mul_(1 - share).addcmul_(flat.index_select(0, rows), share)
    target = flat if inplace else flat.clone()
    target.index_copy_(0, rows, moved)
    return x if inplace else _unflat(target, x)


def between(x: Tensor, other: Tensor, lam: Tensor) -> Tensor:
    """Return the point `lam x + (1 - lam) other` on the segment between two samples; differentiable.

    Args:
        x: one end of each segment, shape `(n, ...)`, floating point.
        other: the other end, in the shape and dtype of `x`.
        lam: share of `x`, shape `(n,)`. Where it is 1, `x` is returned bit for bit.

    Returns:
        In the shape, dtype and memory format of `x`. Half precision is mixed in float32.

    >>> between(torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor([0.75]))
    tensor([0.2500])
    """
    share = per_row(lam, x)
    half = x.dtype in (torch.float16, torch.bfloat16)
    wide, wide_other = (x.float(), other.float()) if half else (x, other)
    # this form cannot overflow, as the difference of two large values could
    mixed = wide * share + wide_other * (1 - share)
    return torch.where(share == 1, x, mixed.to(x.dtype))


class Difference:
    """The difference of each sample and its partner, used once for their distance and once to mix them.

    For dense float32 and float64 batches outside autograd. On a GPU the partner is kept instead of the difference, as
    reading a value to check for an overflow would make the device wait.

    Args:
        x: shape `(n, ...)`, any dense memory format.
        partner: shape `(n,)`.
        flipped: whether the partner of sample i is sample n - 1 - i. A large batch that is mixed in place is then
            worked through in blocks, and each pair is read once.
    """

    def __init__(self, x: Tensor, partner: Int[Tensor, "n"], *, flipped: bool = False) -> None:
        self.x, self.partner = x, partner
        self._flat = flat_rows(x)
        self._on_cpu = x.device.type == "cpu"
        self._in_blocks = flipped and self._on_cpu and self._flat.nbytes > _LARGE_BYTES
        self.out_of_range = False
        if not self._on_cpu:
            self._difference = self._flat.index_select(0, partner)
            self.distances = norms(self._flat - self._difference)
            return
        if self._in_blocks:
            self._difference = self._flat
            self.distances = _flipped_distances(self._flat)
        else:
            other = self._flat.index_select(0, partner)
            self._difference = torch.sub(self._flat, other, out=other)
            self.distances = norms(self._difference)
        largest = self.distances.max().item() if len(partner) else 0.0
        self.out_of_range = not TINY < largest < math.inf

    def mix(self, lam: Tensor, moves: Tensor | None, *, inplace: bool) -> Tensor:
        """Mix each sample with its partner. Call it once: the difference is overwritten.

        Args:
            lam: share of the sample itself, shape `(n,)`, or `(1,)` for all.
            moves: which samples are mixed, shape `(n,)`; None for all. The others are returned bit for bit.
            inplace: write the result into `x`.
        """
        if self._in_blocks:
            mixed = self._flat if inplace else self._flat.clone()
            _mix_flipped_(mixed, lam, moves)
            return self.x if inplace else _unflat(mixed, self.x)
        difference = self._difference
        if not self._on_cpu:
            share = (lam if moves is None else torch.where(moves, lam, 1.0))[:, None]
            target = self._flat if inplace else difference
            return self._shaped(torch.addcmul(difference.mul_(1 - share), self._flat, share, out=target), inplace)
        if moves is not None:
            # a sample that stays needs the difference +0: subtracted, it keeps even the sign of a zero
            difference.masked_fill_(~moves[:, None], 0.0)
        target = self._flat if inplace else difference
        if len(lam) == 1:
            return self._shaped(torch.sub(self._flat, difference, alpha=1 - lam.item(), out=target), inplace)
        return self._shaped(torch.sub(self._flat, difference.mul_(1 - lam[:, None]), out=target), inplace)

    def _shaped(self, mixed: Tensor, inplace: bool) -> Tensor:
        return self.x if inplace else _unflat(mixed, self.x)


def is_dense_in_rows(x: Tensor) -> bool:
    """Return whether the values of each row lie next to each other in memory, in whatever order."""
    n = x.shape[0]
    if x.is_contiguous():
        return True
    if n == 0 or x.numel() == 0 or x.stride(0) != x.numel() // n:
        return False
    size = 1
    for stride, length in sorted((x.stride(k), x.shape[k]) for k in range(1, x.ndim) if x.shape[k] > 1):
        if stride != size:
            return False
        size *= length
    return True


def flat_rows(x: Tensor) -> Tensor:
    """Return a view of shape `(n, d)` with the values of each row in the order of the memory.

    Args:
        x: for which `is_dense_in_rows` holds.
    """
    n = x.shape[0]
    if x.ndim == 2 and x.is_contiguous():
        return x
    width = x.numel() // n if n else 0
    return x.as_strided((n, width), (width, 1), x.storage_offset())


def _unflat(flat: Tensor, like: Tensor) -> Tensor:
    """Return a view of a flat result in the shape and memory format of `like`."""
    return flat if flat.shape == like.shape else flat.as_strided(like.shape, like.stride())


def _flipped_distances(flat: Tensor) -> Tensor:
    n = len(flat)
    distances = flat.new_zeros(n)
    for rows, mirror in _mirrored_blocks(flat):
        distances[rows] = norms(flat[rows] - flat[mirror].flip(0))
        distances[mirror] = distances[rows].flip(0)
    return distances


def _mix_flipped_(flat: Tensor, lam: Tensor, moves: Tensor | None) -> None:
    share = (1 - lam).expand(len(flat))[:, None]
    for rows, mirror in _mirrored_blocks(flat):
        difference = flat[rows] - flat[mirror].flip(0)
        back = difference.flip(0).mul_(share[mirror])
        difference.mul_(share[rows])
        if moves is not None:
            # zeros of the sign that keeps even the sign of a zero
            back.masked_fill_(~moves[mirror, None], -0.0)
            difference.masked_fill_(~moves[rows, None], 0.0)
        flat[mirror] += back
        flat[rows] -= difference


def _mirrored_blocks(flat: Tensor) -> Iterator[tuple[slice, slice]]:
    """Yield blocks of the first half of the rows, and their mirror images in the second half."""
    n = len(flat)
    step = max(1, _BLOCK_BYTES // max(1, flat[:1].nbytes))
    for start in range(0, n // 2, step):
        stop = min(n // 2, start + step)
        yield slice(start, stop), slice(n - stop, n - start)
