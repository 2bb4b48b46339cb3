"""Communication between ranks: gather rows, add up numbers, agree on a generator, draw differently on each rank.

Wrappers such as DistributedDataParallel average the gradients over the ranks. Wherever a sum over all ranks is meant,
the loss of each rank is therefore multiplied by the number of ranks.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from localmixup._interpolate import map_tensors, tensors_in
from localmixup._mixup import LocalMixup
from localmixup._random import next_generator, rank_and_size
from localmixup._validate import ArgumentError


def gather_rows(value: Any, name: str, *, with_gradient: bool = False) -> tuple[Any, slice]:
    """Concatenate the rows of all ranks, in the order of the ranks.

    Every rank must call this with rows of the same shape and dtype. The number of rows may differ and may be 0. Rows
    are sent as bytes, so any dtype and any backend works.

    Args:
        value: a tensor of shape `(n, ...)`, or a tuple, list or dict of such tensors, on the device that the process
            group communicates on.
        name: the argument's name, for error messages.
        with_gradient: let gradients flow back to the rank that a row comes from, summed over the ranks that used it.
            Every rank must then run the backward pass.

    Returns:
        The same structure with the rows of all ranks in each tensor, and the slice of the rows of this rank.

    Raises:
        ValueError: `value` holds something other than tensors, its tensors have different numbers of rows, or (raised
            on every rank) the rows have different shapes or dtypes on different ranks.

    >>> gather_rows(torch.tensor([1.0, 2.0]), "inputs")
    (tensor([1., 2.]), slice(0, 2, None))
    """
    tensors = tensors_in(value, name)
    rows = {tuple(t.shape[:1]) for t in tensors}
    if len(rows) != 1 or rows == {()}:
        raise ArgumentError(
            f"{name} must have the same first dimension, got shapes {', '.join(str(tuple(t.shape)) for t in tensors)}"
        )
    n = int(rows.pop()[0])
    rank, size = rank_and_size()
    if size == 1:
        return value, slice(0, n)
    follows = [with_gradient and torch.is_grad_enabled() and t.requires_grad for t in tensors]
    counts = _rows_per_rank(n, tensors, follows, name)
    first = sum(counts[:rank])
    following = iter(follows)

    def gathered(tensor: Tensor) -> Tensor:
        if not next(following):
            return _all_rows(tensor.detach(), counts)
        whole: Tensor = _AllRows.apply(tensor, counts, first)  # type: ignore[no-untyped-call]
        return whole

    return map_tensors(gathered, value, name), slice(first, first + n)


def sum_over_ranks(value: Tensor) -> Tensor:
    """Return the sum of a tensor over all ranks, without gradient. Every rank must call this.

    Args:
        value: a tensor of the same shape and dtype on every rank.
    """
    total = value.detach().clone(memory_format=torch.contiguous_format)
    if rank_and_size()[1] > 1:
        dist.all_reduce(total)
    return total


def mean_over_ranks(loss: Tensor) -> Tensor:
    """Return the mean of a scalar over all ranks, without gradient. Every rank must call this.

    The mean of `RankBatch.loss` over the ranks is the loss of the whole batch, which is the value to log.

    Args:
        loss: a scalar.
    """
    return sum_over_ranks(loss) / rank_and_size()[1]


def copy_first_rank(generator: torch.Generator, device: torch.device) -> None:
    """Give a generator the state it has on rank 0, so that all ranks draw the same. Every rank must call this.

    Args:
        generator: a generator of the same kind on every rank.
        device: a device that the process group communicates on; the state (5 kB for a CPU generator) is sent from it.
    """
    if rank_and_size()[1] > 1:
        state = generator.get_state().to(device)
        dist.broadcast(state, src=0)
        generator.set_state(state.cpu())


@contextmanager
def draw_apart(mixes: Iterable[LocalMixup], rank: int, size: int) -> Iterator[None]:
    """Let each rank draw its own plans within this context.

    Each generator is replaced by one derived from its next draw and the rank. The draws then differ between the ranks
    while the generators keep the same state on all of them, so the state that rank 0 saves can be loaded on every rank.

    Args:
        mixes: modules whose generators are in the same state on every rank.
        rank: the number of this rank.
        size: the number of ranks; with one rank nothing is replaced.
    """
    shared = [(mix, mix.generator) for mix in mixes if size > 1 and mix.generator is not None]
    try:
        for mix, generator in shared:
            mix.generator = next_generator(generator, rank)
        yield
    finally:
        for mix, generator in shared:
            mix.generator = generator


def _rows_per_rank(n: int, tensors: list[Tensor], follows: list[bool], name: str) -> list[int]:
    """Return the number of rows on each rank, after checking that the rows are alike.

    Gathering rows of different shapes would hang or crash the process group.
    """
    rank, size = rank_and_size()
    kinds = [f"{t.dtype} {tuple(t.shape[1:])}" for t in tensors]
    table = torch.zeros(size, 2, dtype=torch.int64, device=tensors[0].device)
    table[rank, 0], table[rank, 1] = n, zlib.crc32(repr((kinds, follows)).encode())
    dist.all_reduce(table)
    counts, checksums = table.T.tolist()
    if len(set(checksums)) > 1:
        raise ArgumentError(
            f"{name} must have rows of the same shape and dtype on every rank, got {', '.join(kinds)} on rank {rank}"
        )
    return [int(count) for count in counts]


def _all_rows(tensor: Tensor, counts: list[int]) -> Tensor:
    # as bytes, because not every backend knows every dtype; padded, because none gathers parts of different lengths
    width = tensor[:1].numel() if len(tensor) else tensor.new_empty(1, *tensor.shape[1:]).numel()
    if not (longest := max(counts) * width):
        return tensor.new_empty(sum(counts), *tensor.shape[1:])
    sent = tensor.contiguous().flatten()
    if len(sent) < longest:
        sent = torch.cat([sent, sent.new_zeros(longest - len(sent))])
    parts = [torch.empty_like(sent) for _ in counts]
    dist.all_gather([part.view(torch.uint8) for part in parts], sent.view(torch.uint8))
    whole = torch.cat([part[: count * width] for part, count in zip(parts, counts, strict=True)])
    return whole.view(sum(counts), *tensor.shape[1:])


class _AllRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, counts: list[int], first: int) -> Tensor:
        ctx.rows = slice(first, first + len(tensor))
        return _all_rows(tensor, counts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return sum_over_ranks(gradients[0])[ctx.rows], None, None
