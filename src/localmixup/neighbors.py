"""Neighbour lists of a whole data set, exact: who lies within a radius, who is among the nearest.

A matrix product finds the candidates, its rounding error is bounded, and whatever the bound leaves open is measured
again from the difference of the two samples. So the lists are those of the direct distances, at the speed of a product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from localmixup._shapes import Bool, Float, Int
from localmixup.distances import as_features, distances_of_pairs

_BLOCK_BYTES = 256 * 2**20


class NeighborLists(NamedTuple):
    """For every sample those that it may be mixed with, itself left out.

    Attributes:
        start: where the list of each sample begins, shape `(m + 1,)`, int64.
        neighbor: the lists, one behind the other, each in ascending order, shape `(start[-1],)`, int32.
    """

    start: Tensor
    neighbor: Tensor

    @property
    def degree(self) -> Tensor:
        """Length of every list, shape `(m,)`."""
        return self.start.diff()


def within_radius(features: Tensor, radius: float, *, progress: Callable[[int], object] | None = None) -> NeighborLists:
    """All ordered pairs of distinct samples at a Euclidean distance of at most `radius`.

    Args:
        features: shape `(m, ...)`, finite.
        radius: the largest distance kept, itself included.
        progress: called with the number of rows finished.
    """
    exact, flat = _exact_and_centred(features)
    lengths, found = [torch.zeros(0, dtype=torch.int64)], [torch.zeros(0, dtype=torch.int32)]
    for rows, squares, slack in _square_blocks(flat):
        limit = radius * radius
        sure = squares <= (limit - slack)[:, None]
        for i, j in _open_cases(squares, limit, slack):
            near = distances_of_pairs(exact, i + rows.start, j) <= radius
            sure[i[near], j[near]] = True
        sure[torch.arange(rows.stop - rows.start), torch.arange(rows.start, rows.stop)] = False
        lengths.append(sure.sum(1))
        found.append(sure.nonzero()[:, 1].to(torch.int32))
        if progress:
            progress(rows.stop)
    return _lists(torch.cat(lengths), torch.cat(found))


def nearest(
    features: Tensor, n_neighbors: int, *, progress: Callable[[int], object] | None = None
) -> Int[Tensor, "m k"]:
    """The nearest samples of every sample by Euclidean distance, ties to the lower index, in ascending index order.

    Args:
        features: shape `(m, ...)`, finite.
        n_neighbors: how many, at most m - 1; the sample itself is not counted.
        progress: called with the number of rows finished.

    Returns:
        Indices, shape `(m, n_neighbors)`, int32.
    """
    exact, flat = _exact_and_centred(features)
    m = len(flat)
    result = torch.empty(m, n_neighbors, dtype=torch.int32)
    if n_neighbors == 0:
        return result
    for rows, squares, slack in _square_blocks(flat):
        squares[torch.arange(rows.stop - rows.start), torch.arange(rows.start, rows.stop)] = torch.inf
        last = squares.kthvalue(n_neighbors, dim=1).values
        sure = squares < (last - 2 * slack)[:, None]
        i, j = (~sure & (squares <= (last + 2 * slack)[:, None])).nonzero(as_tuple=True)
        # near the last place the order is open: there the direct distance decides, and then the index
        near = distances_of_pairs(exact, i + rows.start, j)
        order = near.sort(stable=True).indices
        order = order[i[order].sort(stable=True).indices]
        i, j = i[order], j[order]
        rank = torch.arange(len(i)) - torch.searchsorted(i, i)
        chosen = rank < n_neighbors - sure.sum(1)[i]
        sure[i[chosen], j[chosen]] = True
        result[rows] = sure.nonzero()[:, 1].view(-1, n_neighbors).to(torch.int32)
        if progress:
            progress(rows.stop)
    return result


def of_nearest(index: Int[Tensor, "m k"], *, symmetric: bool = False) -> NeighborLists:
    """The lists of a neighbour graph, directed or with the reversed edges.

    Args:
        index: from `nearest`.
        symmetric: take the union with the reversed edges.
    """
    m, k = index.shape
    if not symmetric:
        return _lists(torch.full((m,), k), index.flatten())
    first = torch.arange(m).repeat_interleave(k)
    second = index.flatten().long()
    keys = torch.unique(torch.cat([first * m + second, second * m + first]))
    return _lists(torch.bincount(keys // m, minlength=m), (keys % m).to(torch.int32))


def _exact_and_centred(features: Tensor) -> tuple[Tensor, Tensor]:
    flat = as_features(features)
    if flat.numel() and float(flat.abs().max()) > 1e12:  # squares would overflow float32
        flat = flat.double()
    return flat, (flat - flat.mean(dim=0) if len(flat) else flat)


def _square_blocks(flat: Float[Tensor, "m d"]) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Squared distances of blocks of rows to all rows by a matrix product, and a bound of their error for each row."""
    m, d = flat.shape
    lengths = flat.square().sum(dim=1)
    # |fl(x.y) - x.y| <= d u |x| |y| for any order of summation; the rest of the formula adds a few roundings more
    unit = torch.finfo(flat.dtype).eps
    step = max(1, min(2048, _BLOCK_BYTES // max(1, 4 * flat.element_size() * m)))
    for first in range(0, m, step):
        rows = slice(first, min(m, first + step))
        squares = torch.addmm(lengths[None], flat[rows], flat.T, alpha=-2).add_(lengths[rows, None])
        yield rows, squares, (d + 8) * unit * (lengths[rows] + lengths.max())


def _open_cases(
    squares: Float[Tensor, "r m"], limit: float, slack: Float[Tensor, "r"]
) -> Iterator[tuple[Int[Tensor, "c"], Int[Tensor, "c"]]]:
    between: Bool[Tensor, "r m"] = (squares - limit).abs_() <= slack[:, None]
    pairs = between.nonzero()
    for part in torch.split(pairs, 1_000_000):
        yield part[:, 0], part[:, 1]


def _lists(lengths: Int[Tensor, "m"], index: Tensor) -> NeighborLists:
    return NeighborLists(torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]), index)
