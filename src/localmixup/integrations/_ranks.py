"""Several processes, one training: rows gathered from all of them, sums over them, draws that differ between them.

Each rank holds a part of the global batch. Wrappers such as DistributedDataParallel average gradients over ranks, so
the loss of a rank is multiplied by their number wherever a sum over all ranks is meant.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from localmixup._interpolate import map_tensors, tensors_in
from localmixup._validate import ArgumentError


def rank_and_size() -> tuple[int, int]:
    """Which process this is, and how many there are; `(0, 1)` where no group was started.

    >>> rank_and_size()
    (0, 1)
    """
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


def gather_rows(value: Any, name: str, *, with_gradient: bool = False) -> tuple[Any, slice]:
    """The rows of all ranks, one behind the other in the order of the ranks.

    Every rank must call it, with rows of the same shape and dtype; their number may differ, also 0. Each rank receives
    all rows of the others, as bytes, so any dtype and backend serves.

    Args:
        value: shape `(n, ...)`, or a tuple, list or dict of such; on the device that the group communicates on.
        name: of the argument, for the message.
        with_gradient: let gradients flow back to the rank that a row comes from, summed over the ranks that used it.
            Every rank must then run the backward pass.

    Returns:
        The same structure, each tensor with the rows of all ranks, and which of them are those of this rank.

    Raises:
        ValueError: something else than tensors, another number of rows in one of them, or (on all ranks) rows that
            are not alike on all ranks.

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
    numbers = _numbers_of_rows(n, tensors, follows, name)
    first = sum(numbers[:rank])
    following = iter(follows)

    def gathered(tensor: Tensor) -> Tensor:
        if not next(following):
            return _gathered(tensor.detach(), numbers)
        whole: Tensor = _GatheredRows.apply(tensor, numbers, first)  # type: ignore[no-untyped-call]
        return whole

    return map_tensors(gathered, value, name), slice(first, first + n)


def sum_over_ranks(value: Tensor) -> Tensor:
    """The sum of a tensor over all ranks, without gradient; every rank must call it.

    Args:
        value: the same shape and dtype on every rank.
    """
    total = value.detach().clone(memory_format=torch.contiguous_format)
    if rank_and_size()[1] > 1:
        dist.all_reduce(total)
    return total


def generator_of_rank(seed: int, rank: int | None = None) -> torch.Generator:
    """A generator on the CPU whose draws differ from rank to rank, and are the same in each run with that seed.

    Args:
        seed: a whole number >= 0, the same on every rank.
        rank: for which rank; default this one.

    >>> bool(generator_of_rank(0, 0).initial_seed() == generator_of_rank(0, 1).initial_seed())
    False
    """
    rank = rank_and_size()[0] if rank is None else rank
    state = np.random.SeedSequence([seed, rank]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) % 2**63)


def next_generator_of_rank(shared: torch.Generator) -> torch.Generator:
    """A generator for one batch of this rank, made of the next draw of one that all ranks have in the same state.

    So the state that is saved is the same on all ranks, and the draws are not.

    Args:
        shared: moves on by one draw.
    """
    drawn = torch.randint(2**62, (1,), device=shared.device, generator=shared)
    return generator_of_rank(int(drawn))


def follow_first_rank(generator: torch.Generator, device: torch.device) -> None:
    """Put a generator into the state that it has on rank 0, so that all ranks draw the same; every rank must call it.

    Args:
        generator: of the same kind on every rank.
        device: where the group communicates. The state, 5 kB of a generator on the CPU, is sent from there.
    """
    if rank_and_size()[1] > 1:
        state = generator.get_state().to(device)
        dist.broadcast(state, src=0)
        generator.set_state(state.cpu())


def _numbers_of_rows(n: int, tensors: list[Tensor], follows: list[bool], name: str) -> list[int]:
    """How many rows each rank has; rows that are not alike would hang or crash the group, so that is found out here."""
    rank, size = rank_and_size()
    kinds = [f"{t.dtype} {tuple(t.shape[1:])}" for t in tensors]
    said = torch.zeros(size, 2, dtype=torch.int64, device=tensors[0].device)
    said[rank, 0], said[rank, 1] = n, zlib.crc32(repr((kinds, follows)).encode())
    dist.all_reduce(said)
    numbers, marks = said.T.tolist()
    if len(set(marks)) > 1:
        raise ArgumentError(f"{name} must have rows alike on every rank, got {', '.join(kinds)} on rank {rank}")
    return [int(number) for number in numbers]


def _gathered(tensor: Tensor, numbers: list[int]) -> Tensor:
    # as bytes, since not every backend knows every dtype; padded, since none sends parts of different length
    width = tensor[:1].numel() if len(tensor) else tensor.new_empty(1, *tensor.shape[1:]).numel()
    if not (most := max(numbers) * width):
        return tensor.new_empty(sum(numbers), *tensor.shape[1:])
    sent = tensor.contiguous().flatten()
    if len(sent) < most:
        sent = torch.cat([sent, sent.new_zeros(most - len(sent))])
    parts = [torch.empty_like(sent) for _ in numbers]
    dist.all_gather([part.view(torch.uint8) for part in parts], sent.view(torch.uint8))
    whole = torch.cat([part[: number * width] for part, number in zip(parts, numbers, strict=True)])
    return whole.view(sum(numbers), *tensor.shape[1:])


class _GatheredRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, numbers: list[int], first: int) -> Tensor:
        ctx.rows = slice(first, first + len(tensor))
        return _gathered(tensor, numbers)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return sum_over_ranks(gradients[0])[ctx.rows], None, None
