"""Several processes, one training: rows gathered from all of them, sums over them, draws that differ between them.

Each rank holds a part of the global batch. Wrappers such as DistributedDataParallel average gradients over ranks, so
the loss of a rank is multiplied by their number wherever a sum over all ranks is meant.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from localmixup.interpolation import map_tensors, tensors_in


def rank_and_size() -> tuple[int, int]:
    """Which process this is, and how many there are; `(0, 1)` where no group was started.

    >>> rank_and_size()
    (0, 1)
    """
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


def gather_rows(value: Any, name: str) -> tuple[Any, slice]:
    """The rows of all ranks, one behind the other in the order of the ranks; without gradient.

    Every rank must call it, with rows of the same shape and dtype; their number may differ, also 0.

    Args:
        value: shape `(n, ...)`, or a tuple, list or dict of such; on the device that the group communicates on.
        name: of the argument, for the message.

    Returns:
        The same structure, each tensor with the rows of all ranks, and which of them are those of this rank.

    Raises:
        ValueError: something else than tensors, or another number of rows in one of them.

    >>> gather_rows(torch.tensor([1.0, 2.0]), "inputs")
    (tensor([1., 2.]), slice(0, 2, None))
    """
    tensors = tensors_in(value, name)
    rows = {tuple(t.shape[:1]) for t in tensors}
    if len(rows) != 1 or rows == {()}:
        raise ValueError(
            f"{name} must have the same first dimension, got shapes {', '.join(str(tuple(t.shape)) for t in tensors)}"
        )
    n = int(rows.pop()[0])
    rank, size = rank_and_size()
    if size == 1:
        return value, slice(0, n)
    counts = torch.zeros(size, dtype=torch.int64, device=tensors[0].device)
    counts[rank] = n
    dist.all_reduce(counts)
    numbers = [int(c) for c in counts]
    gathered = map_tensors(lambda t: _gathered(t.detach(), numbers), value, name)
    first = sum(numbers[:rank])
    return gathered, slice(first, first + n)


def sum_over_ranks(value: Tensor) -> Tensor:
    """The sum of a tensor over all ranks, without gradient; every rank must call it.

    Args:
        value: the same shape and dtype on every rank.
    """
    total = value.detach().clone()
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


def _gathered(tensor: Tensor, numbers: list[int]) -> Tensor:
    most = max(numbers)
    # not every backend knows booleans, and none sends parts of different length
    sent = tensor.to(torch.uint8) if tensor.dtype == torch.bool else tensor
    padded = sent.new_zeros(most, *sent.shape[1:])
    padded[: len(sent)] = sent
    parts = [torch.empty_like(padded) for _ in numbers]
    dist.all_gather(parts, padded)
    whole = torch.cat([part[:number] for part, number in zip(parts, numbers, strict=True)])
    return whole.to(tensor.dtype)
