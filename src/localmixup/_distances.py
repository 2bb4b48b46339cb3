"""Distances between samples: of pairs and of a whole batch, safe in half precision and far from the origin.

Distances are always taken from the difference of two samples, in float32 at least (float64 for float64): the product
form `|x|^2 + |y|^2 - 2 x.y`, which `torch.cdist` uses by default for more than 25 rows, loses all digits where the
data has an offset, and a sum of squares in float16 overflows beyond 256.

Where squares do not fit into float32, because all lengths are below 1e-12 or one is above 1e18, they are measured in
float64. A GPU and a compiled function do not look at the values: scale such data, or use float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from localmixup._shapes import Float, Int
from localmixup._validate import ArgumentError, check_choice

Metric = str | Callable[[Tensor, Tensor], Tensor]
"""`"euclidean"`, `"rms"`, `"cosine"`, or a function of two batches `(n, ...)` that returns distances `(n,)`."""

METRICS = ("euclidean", "rms", "cosine")

TINY = 1e-12
"""Lengths that are all smaller lose digits in float32, because their squares do."""

_SUM_LENGTH = 4096  # a float32 sum of squares over more terms than this is off by more than 1e-6
_BLOCK_BYTES = 64 * 2**20


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Turn autocast off, under which products are computed in half precision: distances need all digits.

    Args:
        device: of what is multiplied.
    """
    compiling = torch.compiler.is_compiling()  # which cannot ask
    if compiling or (torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def can_ask(values: Tensor) -> bool:
    """Return whether a value may be read: a GPU would have to be waited for, and a compiled function has none yet.

    Args:
        values: whose value it is.
    """
    return values.device.type == "cpu" and not torch.compiler.is_compiling()


def with_diagonal(matrix: Float[Tensor, "n n"], value: float) -> Float[Tensor, "n n"]:
    """Return a matrix with one value on the diagonal; the matrix itself, changed, where that is possible.

    Args:
        matrix: shape `(n, n)`.
        value: of the diagonal.
    """
    if not torch.compiler.is_compiling():
        return matrix.fill_diagonal_(value)
    # torch 2.9 cannot compile `fill_diagonal_` for batches of any size
    return matrix.masked_fill(torch.eye(len(matrix), dtype=torch.bool, device=matrix.device), value)


def check_metric(metric: Metric) -> Metric:
    """Return `metric` if it is valid.

    Raises:
        ValueError: it is neither a known name nor callable.

    >>> check_metric("rms")
    'rms'
    """
    return metric if callable(metric) else check_choice("metric", metric, METRICS)


def check_features(features: Tensor) -> None:
    """Check that distances can be measured on a tensor.

    Args:
        features: any tensor.

    Raises:
        ValueError: there is no batch dimension, or the values are complex.
    """
    if features.ndim == 0:
        raise ArgumentError("features must have shape (n, ...), one row per sample, got a scalar")
    if features.is_complex():
        raise ArgumentError(f"features must be real, got {features.dtype}: use torch.view_as_real(features)")


def as_features(features: Tensor) -> Tensor:
    """Return features as a detached batch of vectors, shape `(n, d)`, in float32, or float64 for float64.

    Args:
        features: one row per sample, shape `(n, ...)`; integers become floating point.

    Raises:
        ValueError: there is no batch dimension, or the features are complex.
    """
    check_features(features)
    detached = features.detach()
    flat = detached.flatten(1) if features.ndim > 1 else detached[:, None]
    return flat if flat.dtype == torch.float64 else flat.float()


def norms(difference: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
    """Return the Euclidean norm of each row, accurate to 1e-6 for any number of columns.

    Args:
        difference: shape `(n, d)`, float32 or float64.

    Returns:
        The norms, shape `(n,)`.

    >>> norms(torch.tensor([[3.0, 4.0]]))
    tensor([5.])
    """
    length: Tensor
    if difference.shape[1] <= _SUM_LENGTH:
        length = torch.linalg.vector_norm(difference, dim=1)
    else:
        parts = [torch.linalg.vector_norm(part, dim=1) for part in torch.split(difference, _SUM_LENGTH, dim=1)]
        length = torch.linalg.vector_norm(torch.stack(parts), dim=0)
    return length


def norm_scale(metric: Metric, dimensions: int) -> float | None:
    """Return the factor from a Euclidean norm to the distance, or None if the metric is not such a norm.

    Args:
        metric: see `Metric`.
        dimensions: number of values of one sample.

    >>> norm_scale("rms", 4)
    0.5
    """
    if metric == "euclidean":
        return 1.0
    if metric == "rms":
        return 1.0 / math.sqrt(max(dimensions, 1))
    return None


def distances_between(a: Tensor, b: Tensor, metric: Metric = "euclidean") -> Float[Tensor, "n"]:
    """Return the distance between row i of `a` and row i of `b`.

    Args:
        a: shape `(n, ...)`.
        b: shape `(n, ...)`.
        metric: `"euclidean"`; `"rms"`, the Euclidean distance over the square root of the number of values, which
            does not grow with the size of a sample; `"cosine"`, one minus the cosine (1 where a row is zero); or a
            function of two batches.

    Returns:
        Distances >= 0, shape `(n,)`, float32 (float64 for float64 rows).

    Raises:
        ValueError: `metric` is unknown, or a function returned another shape.

    >>> distances_between(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]), "rms")
    tensor([3.5355])
    """
    check_metric(metric)
    if callable(metric):
        distances = metric(a.detach(), b.detach())
        if not isinstance(distances, Tensor) or distances.shape != (a.shape[0],):
            raise ArgumentError(
                f"metric must return one distance per pair, shape {(a.shape[0],)}, got {_described(distances)}"
            )
        return distances.detach() if distances.dtype == torch.float64 else distances.detach().float()
    flat_a, flat_b = as_features(a), as_features(b)
    scale = norm_scale(metric, flat_a.shape[1])
    if scale is None:
        return _one_minus((_unit(flat_a) * _unit(flat_b)).sum(dim=1)).to(flat_a.dtype)
    return _rescued(norms(flat_a - flat_b), flat_a, flat_b) * scale


def _rescued(lengths: Float[Tensor, "n"], a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
    """Measure lengths again if their squares do not fit into float32; on a GPU reading a value would make it wait."""
    if lengths.dtype == torch.float64 or not can_ask(lengths):
        return lengths
    if not len(lengths):
        return lengths
    largest = lengths.max().item()
    if TINY < largest < math.inf:
        return lengths
    wide: Tensor = torch.linalg.vector_norm(a.double() - b.double(), dim=1)
    return wide.to(lengths.dtype)


def _described(value: object) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def pair_distances(features: Tensor, partner: Int[Tensor, "n"], metric: Metric = "euclidean") -> Float[Tensor, "n"]:
    """Return the distance of each sample to its partner, `d(x_i, x_partner[i])`; exactly 0 if that is itself.

    Args:
        features: what distances are measured on, shape `(n, ...)`.
        partner: index of each sample's partner, shape `(n,)`.
        metric: see `distances_between`.

    Returns:
        Distances >= 0, shape `(n,)`, float32 (float64 for float64 features).

    >>> pair_distances(torch.tensor([[0.0], [3.0]]), torch.tensor([1, 1]))
    tensor([3., 0.])
    """
    distances = distances_between(features, features.index_select(0, partner), metric)
    itself = partner == torch.arange(len(partner), device=partner.device)
    return distances.masked_fill(itself, 0.0)


def distance_matrix(features: Tensor, metric: Metric = "euclidean") -> Float[Tensor, "n n"]:
    """Return all distances within a batch, `D[i, j] = d(x_i, x_j)` (section 4.1), with an exact zero diagonal.

    Args:
        features: shape `(n, ...)`.
        metric: see `distances_between`.

    Returns:
        Symmetric for a symmetric metric, shape `(n, n)`, float32 (float64 for float64 features).

    >>> distance_matrix(torch.tensor([[0.0], [3.0]]))
    tensor([[0., 3.],
            [3., 0.]])
    """
    check_metric(metric)
    n = features.shape[0]
    if callable(metric):
        rows = [distances_between(features[i : i + 1].expand_as(features), features, metric) for i in range(n)]
        matrix = torch.stack(rows) if rows else features.new_zeros(0, 0, dtype=torch.float32)
    elif metric == "cosine":
        flat = as_features(features)
        unit = _unit(flat)
        matrix = _one_minus(unit @ unit.T).to(flat.dtype)
    else:
        flat = as_features(features)
        by_product = flat.dtype == torch.float32 and can_ask(flat) and n > 8
        matrix = _matrix_by_product(flat) if by_product else _matrix_by_difference(flat)
        matrix = matrix * (norm_scale(metric, flat.shape[1]) or 1.0)
    return matrix.masked_fill(torch.eye(n, dtype=torch.bool, device=matrix.device), 0.0)


def _unit(flat: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Return rows of length 1 in float64, in which the cosine of offset data keeps its digits; zero rows stay zero."""
    wide = flat.double()
    largest = wide.abs().amax(dim=1, keepdim=True) if flat.numel() else wide
    wide = wide / torch.where(largest > 0, largest, 1.0)
    lengths: Tensor = torch.linalg.vector_norm(wide, dim=1, keepdim=True)
    return wide / lengths.clamp_min(1e-300)


def _one_minus(cosine: Tensor) -> Tensor:
    """Return the cosine distance; exactly 0 for equal rows, whose product is 1 up to rounding."""
    distance = 1 - cosine
    return distance.masked_fill_(distance < 1e-14, 0.0)


def rows_by_difference(flat: Float[Tensor, "n d"], rows: Int[Tensor, "r"]) -> Float[Tensor, "r n"]:
    """Return the Euclidean distances of some rows to all rows, from their differences.

    Args:
        flat: shape `(n, d)`, float32 or float64.
        rows: indices, shape `(r,)`.

    Returns:
        Shape `(r, n)`.
    """
    matrix = flat.new_zeros(len(rows), len(flat))
    for part in torch.split(flat, _SUM_LENGTH, dim=1):
        matrix = torch.hypot(matrix, torch.cdist(part[rows], part, compute_mode="donot_use_mm_for_euclid_dist"))
    return matrix


def _matrix_by_difference(flat: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    return rows_by_difference(flat, torch.arange(len(flat), device=flat.device))


def _matrix_by_product(flat: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    """Return the same for float32, faster on images: a float64 product, and near pairs from their difference."""
    centred = flat.double() - flat.double().mean(dim=0)
    lengths = centred.square().sum(dim=1)
    sums = lengths[:, None] + lengths
    squares = (sums - 2 * (centred @ centred.T)).clamp_min_(0)
    matrix = squares.sqrt().float()
    # the product is off by some 1e-14 of the sums: above this limit a float32 distance keeps all its digits
    first, second = (squares < 1e-5 * sums).triu(diagonal=1).nonzero(as_tuple=True)
    if len(first) > squares.numel() // 50 or not bool(torch.isfinite(lengths).all()):
        return _matrix_by_difference(flat)
    near = distances_of_pairs(flat, first, second)
    matrix[first, second] = near
    matrix[second, first] = near
    return matrix


def distances_of_pairs(
    features: Tensor, first: Int[Tensor, "p"], second: Int[Tensor, "p"], metric: Metric = "euclidean"
) -> Float[Tensor, "p"]:
    """Return the distances of any list of pairs, computed in blocks so that memory stays bounded.

    Args:
        features: shape `(m, ...)`.
        first: index of one end of each pair, shape `(p,)`.
        second: index of the other end, shape `(p,)`.
        metric: see `distances_between`.

    Returns:
        Distances, shape `(p,)`; exactly 0 if both ends are the same sample.

    >>> distances_of_pairs(torch.tensor([[0.0], [3.0]]), torch.tensor([0]), torch.tensor([1]))
    tensor([3.])
    """
    block = max(1, _BLOCK_BYTES // max(1, 4 * features[:1].numel()))
    parts = [
        distances_between(features[a], features[b], metric)
        for a, b in zip(torch.split(first, block), torch.split(second, block), strict=True)
    ]
    if not parts:
        return torch.zeros(0, dtype=torch.float64 if features.dtype == torch.float64 else torch.float32)
    return torch.cat(parts).masked_fill(first == second, 0.0)
