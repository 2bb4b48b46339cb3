"""Distances within a batch, fast enough to draw partners from them: a matrix product, and selection without sorting."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from localmixup._distances import (
    Metric,
    as_features,
    can_ask,
    distance_matrix,
    distances_of_pairs,
    full_precision,
    norm_scale,
    rows_by_difference,
    with_diagonal,
)
from localmixup._shapes import Float, Int

_COLUMNS = 8192  # columns of a batch that are centred at a time, so that they stay in the cache
_LEAST = 1e-24  # squares that are all smaller lose digits in float32
_ROWS = 64  # rows of a block of the upper triangle
_WORTH_HALF = 2**28  # multiplications from which half a product is cheaper than a whole one


def fast_distance_matrix(features: Tensor, metric: Metric = "euclidean") -> Float[Tensor, "n n"]:
    """Return all distances within a batch, from a float32 product where that is accurate enough to draw partners.

    Distances are off by some 1e-6 of the largest ones. Pairs for which that would matter are measured directly.

    Args:
        features: shape `(n, ...)`.
        metric: see `distances_between`.

    Returns:
        Shape `(n, n)`, float32 (float64 for float64 features).
    """
    scale = None if callable(metric) else norm_scale(metric, features[:1].numel())
    if scale is None or features.dtype == torch.float64 or not can_ask(features) or len(features) <= 8:
        return distance_matrix(features, metric)
    flat = as_features(features)
    keys, lengths = _keys_by_product(flat)
    squares = keys.add_(lengths[:, None]).fill_diagonal_(math.inf)
    limit = 2e-2 * float(lengths.max())
    if not _LEAST < limit < math.inf:  # squares that underflow or overflow
        return distance_matrix(features, metric)
    if not bool(squares.min() >= limit):  # near pairs, where the product loses digits
        first, second = (squares < limit).nonzero(as_tuple=True)
        if len(first) > squares.numel() // 50:
            return distance_matrix(features, metric)
        squares[first, second] = distances_of_pairs(flat, first, second).square()
    matrix = squares.clamp_min_(0).sqrt_().fill_diagonal_(0.0)
    return matrix.mul_(scale) if scale != 1 else matrix


def nearest_draw(
    features: Tensor,
    k: int,
    place: Int[Tensor, "r"],
    metric: Metric = "euclidean",
    *,
    rows: Int[Tensor, "r"] | None = None,
) -> Int[Tensor, "r"]:
    """Return one of the `k` nearest other samples of each sample; ties at the k-th place go to the lower index.

    The `k` nearest of each row are selected, not sorted. Where rounding could decide who is among them, the row is
    measured again.

    Args:
        features: shape `(n, ...)`.
        k: number of neighbours, between 1 and n - 2.
        place: which of them to take, in no particular order, in `[0, k)`, shape `(r,)`.
        metric: see `distances_between`.
        rows: the samples whose neighbours are wanted, shape `(r,)`; None for all, in order.

    Returns:
        Indices, shape `(r,)`, on the device of the features.

    >>> nearest_draw(torch.tensor([[0.0], [1.0], [5.0]]), 1, torch.tensor([0, 0, 0]))
    tensor([1, 0, 1])
    """
    flat = as_features(features)
    if torch.compiler.is_compiling():  # no values to ask for: all distances, sorted
        order = with_diagonal(distance_matrix(features, metric), math.inf).sort(dim=1, stable=True).indices
        order = order if rows is None else order.index_select(0, rows)
        return order[:, :k].sort(dim=1).values.gather(1, place[:, None]).squeeze(1)
    by_product = metric in ("euclidean", "rms") and flat.dtype == torch.float32 and flat.device.type == "cpu"
    if by_product:
        keys, lengths = _keys_by_product(flat)
        largest = lengths.max()
        if not _LEAST < float(largest) < math.inf:  # squares that underflow or overflow, or NaN
            return nearest_draw(flat.double(), k, place, metric, rows=rows)
        keys.add_(lengths[:, None]).clamp_min_(0)
        slack = (5 + math.sqrt(flat.shape[1] / 256)) * torch.finfo(flat.dtype).eps * (lengths + largest)
    else:
        keys = distance_matrix(features, metric)
        slack = keys.new_zeros(len(keys))
    keys.fill_diagonal_(math.inf)
    if rows is not None:
        keys, slack = keys.index_select(0, rows), slack.index_select(0, rows)
    if flat.device.type == "cpu":
        partner, unsure = _select(keys.numpy(), k, place.numpy(), slack.numpy(), by_bits=by_product)
    else:
        partner, unsure = _select_on_device(keys, k, place, slack)
    if len(unsure):
        itself = unsure if rows is None else rows[unsure]
        keys, slack = keys.index_select(0, unsure), slack.index_select(0, unsure)
        if by_product:
            _measure_again_(keys, k, slack, flat, itself)
        order = keys.scatter_(1, itself[:, None], math.inf).sort(dim=1, stable=True).indices
        partner[unsure] = order.gather(1, place[unsure, None]).squeeze(1)
    return partner


def _measure_again_(keys: Tensor, k: int, slack: Tensor, flat: Float[Tensor, "n d"], itself: Int[Tensor, "r"]) -> None:
    """Replace keys by such as cannot be misordered at the k-th place.

    Columns that are certainly among the `k` nearest get -1, those that certainly are not get infinity, and the others
    their distance from the difference of the samples. Where there are many of the others, whole rows are measured.

    Args:
        keys: of some rows, shape `(r, n)`; overwritten.
        k: number of neighbours.
        slack: by how much the difference of two keys of a row may be wrong, shape `(r,)`.
        flat: the samples, shape `(n, d)`.
        itself: indices of the rows, shape `(r,)`.
    """
    smallest = keys.topk(k + 1, dim=1, largest=False).values
    nearest = keys < smallest[:, -1:] - slack[:, None]
    open_ = ~nearest & (keys <= smallest[:, -2:-1] + slack[:, None])
    row, column = open_.nonzero(as_tuple=True)
    if len(row) > keys.numel() // 20:
        keys.copy_(rows_by_difference(flat, itself))
        return
    keys.masked_fill_(nearest, -1.0).masked_fill_(~nearest & ~open_, math.inf)
    keys[row, column] = distances_of_pairs(flat, itself[row], column)


def _select(keys: np.ndarray, k: int, place: np.ndarray, slack: np.ndarray, *, by_bits: bool) -> tuple[Tensor, Tensor]:
    """Return the column at `place` among the `k` smallest of each row, and the rows where rounding may matter.

    The bits of float32 numbers that are neither negative nor NaN have the order of the numbers when they are read as
    integers, which NumPy selects twice as fast (`by_bits`). With either it takes a third of the time of `torch.topk`.
    """
    smallest = (
        np.partition(keys.view(np.int32), k, axis=1).view(np.float32) if by_bits else np.partition(keys, k, axis=1)
    )
    last = smallest[:, :k].max(axis=1)
    with np.errstate(invalid="ignore"):  # infinite distances
        unsure = np.flatnonzero(~(smallest[:, k] - last > slack))
    found = np.flatnonzero(keys <= last[:, None])
    start = np.searchsorted(found, np.arange(len(keys)) * keys.shape[1])
    chosen = found[np.minimum(start + place, len(found) - 1)] % keys.shape[1]
    return torch.from_numpy(chosen), torch.from_numpy(unsure)


def _select_on_device(keys: Tensor, k: int, place: Tensor, slack: Tensor) -> tuple[Tensor, Tensor]:
    """Return the same as `_select`, with `torch.topk`."""
    values, index = keys.topk(k + 1, dim=1, largest=False)
    unsure = (~(values[:, k] - values[:, k - 1] > slack)).nonzero().squeeze(1)
    in_order = index[:, :k].sort(dim=1).values  # as `_select` does, so that the same draws give the same partners
    return in_order.gather(1, place[:, None]).squeeze(1), unsure


def _keys_by_product(flat: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n n"], Float[Tensor, "n"]]:
    """Return `|y_j|^2 - 2 y_i.y_j` of the centred rows y by a float32 product, and `|y_i|^2`.

    In each row the keys have the order of the distances; with `|y_i|^2` added they are their squares.
    """
    with full_precision(flat.device):
        product = _centred_product(flat)
    lengths = product.diagonal().clone()
    return product.mul_(-2).add_(lengths), lengths


def _centred_product(flat: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    n, d = flat.shape
    if n * n * d <= _WORTH_HALF or n <= _ROWS:
        centred = flat - flat.mean(dim=0)
        product = centred @ centred.T
    else:
        product = flat.new_zeros(n, n)
        for part in torch.split(flat, _COLUMNS, dim=1):
            centred = part - part.mean(dim=0)
            for start in range(0, n, _ROWS):
                rows = slice(start, start + _ROWS)
                product[rows, start:].addmm_(centred[rows], centred[start:].T)
        for start in range(_ROWS, n, _ROWS):
            rows = slice(start, start + _ROWS)
            product[rows, :start] = product[:start, rows].T
    return product
