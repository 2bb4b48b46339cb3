"""Exact neighbour lists of a whole data set: all samples within a radius, or the nearest ones.

A matrix product finds the candidates. Its rounding error is bounded, and whatever the bound leaves open is measured
again from the difference of the two samples. So the lists are those of the direct distances, at the speed of a matrix
product, or of half a product if few neighbours are wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from localmixup._distances import as_features, distances_of_pairs
from localmixup._shapes import Bool, Float, Int

_BLOCK_BYTES = 256 * 2**20
_FEW = 64  # neighbours, up to which the candidates of all rows are kept in memory at once
_GROUP = 16  # columns of which the least is looked at first


class NeighborLists(NamedTuple):
    """The neighbours of each sample, itself not included.

    Attributes:
        start: where the list of each sample begins, shape `(m + 1,)`, int64 (`indptr` of a sparse CSR matrix).
        neighbor: the lists, one after the other, shape `(start[-1],)`, int32 (`indices` of a sparse CSR matrix).
    """

    start: Tensor
    neighbor: Tensor

    @property
    def degree(self) -> Tensor:
        """Number of neighbours of each sample, shape `(m,)`."""
        return self.start.diff()


def within_radius(features: Tensor, radius: float, *, progress: Callable[[int], object] | None = None) -> NeighborLists:
    """Return all ordered pairs of distinct samples at a Euclidean distance of at most `radius`.

    Args:
        features: shape `(m, ...)`, finite.
        radius: largest distance, inclusive.
        progress: called with the number of finished rows.
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
    """Return the nearest samples of each sample by Euclidean distance, in ascending order of their index.

    Ties go to the lower index.

    Args:
        features: shape `(m, ...)`, finite.
        n_neighbors: number of neighbours, at most m - 1; the sample itself is not counted.
        progress: called with the number of finished rows. With few neighbours the first rows take longest.

    Returns:
        Indices, shape `(m, n_neighbors)`, int32.
    """
    exact, flat = _exact_and_centred(features)
    result = torch.empty(len(flat), n_neighbors, dtype=torch.int32)
    if n_neighbors == 0:
        return result
    search = _nearest_by_tiles if n_neighbors <= _FEW else _nearest_by_rows
    for rows, found in search(flat, n_neighbors):
        result[rows] = _closest(exact, rows, found, n_neighbors)
        if progress:
            progress(rows.stop)
    return result


def of_nearest(index: Int[Tensor, "m k"], *, symmetric: bool = False) -> NeighborLists:
    """Return the lists of a neighbour graph, directed or with the reversed edges.

    Args:
        index: from `nearest`.
        symmetric: use the union with the reversed edges.
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


class _Found(NamedTuple):
    """Candidates for the nearest of a block of rows, in ascending order, shape `(c,)` each, and their bounds.

    Attributes:
        row: index within the block.
        column: index in the whole set.
        square: squared distance from the product.
        last: k-th smallest square of each row, shape `(r,)`.
        slack: bound on the error of the squares of each row, shape `(r,)`.
    """

    row: Tensor
    column: Tensor
    square: Tensor
    last: Tensor
    slack: Tensor


def _closest(exact: Float[Tensor, "m d"], rows: slice, found: _Found, k: int) -> Int[Tensor, "r k"]:
    i, j, squares, last, slack = found
    chosen = squares < (last - 2 * slack)[i]
    # near the k-th place rounding may decide: there the direct distance decides, and then the index
    places = (~chosen & (squares <= (last + 2 * slack)[i])).nonzero().squeeze(1)
    near = distances_of_pairs(exact, i[places] + rows.start, j[places])
    places = places[near.sort(stable=True).indices]
    places = places[i[places].sort(stable=True).indices]
    missing = k - torch.bincount(i[chosen], minlength=len(last))
    first = i[places]
    rank = torch.arange(len(first)) - torch.searchsorted(first, first)
    chosen[places[rank < missing[first]]] = True
    return j[chosen].view(-1, k).to(torch.int32)


def _nearest_by_rows(flat: Float[Tensor, "m d"], k: int, within: slice = slice(None)) -> Iterator[tuple[slice, _Found]]:
    """Search whole rows at a time: for any number of neighbours and of ties, in bounded memory."""
    for rows, squares, slack in _square_blocks(flat, within):
        squares[torch.arange(rows.stop - rows.start), torch.arange(rows.start, rows.stop)] = torch.inf
        last = (
            squares.topk(k, dim=1, largest=False, sorted=False).values.amax(1)
            if k <= _FEW
            else squares.kthvalue(k, dim=1).values
        )
        i, j = (squares <= (last + 2 * slack)[:, None]).nonzero(as_tuple=True)
        yield rows, _Found(i, j, squares[i, j], last, slack)


def _nearest_by_tiles(flat: Float[Tensor, "m d"], k: int) -> Iterator[tuple[slice, _Found]]:
    """Search tiles of the upper triangle, each for its rows and for its columns, with half the products."""
    m = len(flat)
    lengths = flat.square().sum(dim=1)
    slack = _slack(lengths, flat)
    # few large tiles, because on a busy machine the threads wait for each other after every operation
    tile = max(1, math.isqrt(_BLOCK_BYTES // flat.element_size()))
    blocks = [_Block(slice(a, min(m, a + tile)), k, slack) for a in range(0, m, tile)]

    def squares_of(block: _Block, other: _Block) -> Tensor:
        a, b = block.rows, other.rows
        return torch.addmm(lengths[None, b], flat[a], flat[b].T, alpha=-2).add_(lengths[a, None])

    for block in blocks:  # first, so that no block fills up with far samples
        block.look_at(*_grouped(squares_of(block, block).fill_diagonal_(torch.inf), 1), block.rows.start)
    for number, block in enumerate(blocks, start=1):
        for other in blocks[number:]:
            if not (block.crowded and other.crowded):
                squares = squares_of(block, other)
                block.look_at(*_grouped(squares, 1), other.rows.start)
                other.look_at(*_grouped(squares, 0), block.rows.start)
        if block.crowded:
            yield from _nearest_by_rows(flat, k, block.rows)
        else:
            yield block.rows, block.found()


def _grouped(squares: Float[Tensor, "r c"], dim: int) -> tuple[Float[Tensor, "n g s"], Float[Tensor, "n s"]]:
    """Cut rows (`dim=1`) or columns (`dim=0`) into groups of every s-th value; also return the least of each group."""
    if short := -squares.shape[dim] % _GROUP:
        squares = F.pad(squares, (0, short) if dim else (0, 0, 0, short), value=torch.inf)
    parts = squares.view(*squares.shape[:dim], _GROUP, -1, *squares.shape[dim + 1 :])
    least = parts.amin(dim)  # before the transposition, so that it runs along the memory
    return (parts, least) if dim else (parts.permute(2, 0, 1), least.T)


class _Block:
    """A block of rows whose candidates are collected tile by tile.

    Attributes:
        rows: indices in the whole set.
        crowded: whether so many samples are equally near that the candidates are no longer kept.
    """

    def __init__(self, rows: slice, k: int, slack: Float[Tensor, "m"]) -> None:
        self.rows, self.crowded = rows, False
        self._slack = slack[rows]
        # values in k different columns: the largest of them bounds the k-th smallest
        self._least = torch.full((rows.stop - rows.start, k), torch.inf, dtype=slack.dtype)
        self._parts: list[tuple[Tensor, Tensor, Tensor]] = []
        self._kept, self._room = 0, (rows.stop - rows.start) * (8 * k + 128)

    def look_at(self, parts: Float[Tensor, "r g s"], least: Float[Tensor, "r s"], first_column: int) -> None:
        """Collect the candidates of one tile."""
        if self.crowded:
            return
        self._least = torch.cat([self._least, least], 1).topk(self._least.shape[1], dim=1, largest=False).values
        limit = self._limit()
        i, s = (least <= limit[:, None]).nonzero(as_tuple=True)
        if len(i) > self._room:  # each of these groups holds a candidate: too many to look for
            self.crowded, self._parts = True, []
            return
        squares = parts[i, :, s]
        place, g = (squares <= limit[i, None]).nonzero(as_tuple=True)
        column = first_column + g * least.shape[1] + s[place]
        self._parts.append((i[place].to(torch.int32), column.to(torch.int32), squares[place, g]))
        self._kept += len(place)
        if self._kept > self._room:
            self._parts = [self._within_limit()]
            self._kept = len(self._parts[0][0])
            if self._kept > self._room // 2:
                self.crowded, self._parts = True, []

    def found(self) -> _Found:
        """Return the candidates, after all tiles."""
        row, column, square = self._within_limit()
        i, k = row.long(), self._least.shape[1]
        order = column.sort().indices
        order = order[i[order].sort(stable=True).indices]
        i, column, square = i[order], column[order].long(), square[order]
        order = square.sort().indices
        order = order[i[order].sort(stable=True).indices]
        start = torch.searchsorted(i, torch.arange(len(self._least)))
        self._parts = []
        return _Found(i, column, square, square[order[start + k - 1]], self._slack)

    def _limit(self) -> Float[Tensor, "r"]:
        # finite, so that infinity, which marks the padding, never passes
        return (self._least.amax(1) + 2 * self._slack).clamp_max(torch.finfo(self._least.dtype).max)

    def _within_limit(self) -> tuple[Tensor, Tensor, Tensor]:
        row, column, square = (torch.cat(values) for values in zip(*self._parts, strict=True))
        near = square <= self._limit()[row.long()]
        return row[near], column[near], square[near]


def _slack(lengths: Float[Tensor, "m"], flat: Float[Tensor, "m d"]) -> Float[Tensor, "m"]:
    """Return a bound on the error of the squared distances of each row."""
    # |fl(x.y) - x.y| <= d u |x| |y| for any order of summation; the rest of the formula adds a few roundings more
    return (flat.shape[1] + 8) * torch.finfo(flat.dtype).eps * (lengths + lengths.max())


def _square_blocks(flat: Float[Tensor, "m d"], within: slice = slice(None)) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield squared distances of blocks of rows to all rows, and a bound on their error for each row."""
    m = len(flat)
    lengths = flat.square().sum(dim=1)
    slack = _slack(lengths, flat) if m else lengths
    step = max(1, min(2048, _BLOCK_BYTES // max(1, 4 * flat.element_size() * m)))
    start, stop, _ = within.indices(m)
    for first in range(start, stop, step):
        rows = slice(first, min(stop, first + step))
        squares = torch.addmm(lengths[None], flat[rows], flat.T, alpha=-2).add_(lengths[rows, None])
        yield rows, squares, slack[rows]


def _open_cases(
    squares: Float[Tensor, "r m"], limit: float, slack: Float[Tensor, "r"]
) -> Iterator[tuple[Int[Tensor, "c"], Int[Tensor, "c"]]]:
    between: Bool[Tensor, "r m"] = (squares - limit).abs_() <= slack[:, None]
    pairs = between.nonzero()
    for part in torch.split(pairs, 1_000_000):
        yield part[:, 0], part[:, 1]


def _lists(lengths: Int[Tensor, "m"], index: Tensor) -> NeighborLists:
    return NeighborLists(torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]), index)
