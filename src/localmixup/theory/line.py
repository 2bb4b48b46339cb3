"""What mixup and Local Mixup learn in one dimension: eq. (1), Lemma 3.1 and Theorem 3.2 as they hold.

Let lam follow Beta(a, b) with density g. The function that minimises the squared error on the mixed samples is, at each
point, an average of the mixed outputs of all segments over that point. Segment (i, j) has the weight
`W_ij g(lam_ij) / |x_i - x_j|`, the density with which its mixed samples reach the point. The paper's eq. (1) leaves
this weight out (`weights="plain"`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from localmixup._arrays import as_float64, same_kind
from localmixup._validate import ArgumentError, check_choice, check_number

_BLOCK_PAIRS = 4_000_000


def mixup_optimum(
    x: Any,
    y: Any,
    query: Any,
    *,
    weights: str = "density",
    beta: tuple[float, float] = (1.0, 1.0),
    graph: Any = None,
) -> Any:
    """Return what (Local) Mixup of m samples on a line learns at any point.

    At a sample, `"density"` gives its output (the mean over ties), because pairs of a sample with itself put a positive
    probability on it, and segments that pass over it do not. `one_sided_limits` gives the values next to it. For
    `beta=(1, 1)` both optima are linear between neighbouring samples. In general they jump at the samples, contrary to
    Theorem 3.2.

    Args:
        x: positions of the samples, shape `(m,)`.
        y: their outputs, shape `(m,)` or `(m, c)`.
        query: where to evaluate, shape `(q,)`.
        weights: `"density"`, the true minimiser, or `"plain"`, eq. (1) as printed: every unordered pair whose closed
            segment contains the point has the same weight.
        beta: parameters (a, b) of the distribution of lam, both > 0. Eq. (1) is for (1, 1) only.
        graph: a locality graph, or its matrix W of shape `(m, m)`; None for classical mixup.

    Returns:
        Shape `(q,)` or `(q, c)`, like `query`; NaN where no kept segment contains the point. Time O(m^2 + q log m) for
        beta (1, 1) (`"plain"` at a sample O(m^2)), else O(q m^2); memory O(m^2) with a graph, else O((q + m) c).

    Raises:
        ArgumentError: the shapes do not fit, values are not finite, or `beta` is given with `"plain"`.

    >>> mixup_optimum([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.5, 1.0, 3.0])
    array([0.        , 0.33333333, 1.        ,        nan])
    """
    places, outputs, W, a, b = _checked(x, y, weights, beta, graph)
    at = as_float64("query", query, ndim=(1,))
    found = _on_knots(places, outputs, W, at, weights, a, b)
    inside = ~np.isin(at, places)
    if (a, b) == (1.0, 1.0):
        left, right = _limits(places, outputs, W, weights)
        knots = np.unique(places)
        k = np.searchsorted(knots, at[inside]).clip(1, max(1, len(knots) - 1))
        with np.errstate(invalid="ignore"):
            if len(knots) > 1:
                share = ((at[inside] - knots[k - 1]) / (knots[k] - knots[k - 1]))[:, None]
                value = (1 - share) * right[k - 1] + share * left[k]
                out = (at[inside] < knots[0]) | (at[inside] > knots[-1])
                found[inside] = np.where(out[:, None], np.nan, value)
    else:
        found[inside] = _between(places, outputs, W, at[inside], a, b)
    return same_kind(found if np.ndim(y) > 1 else found[:, 0], query)


def one_sided_limits(x: Any, y: Any, *, weights: str = "density", graph: Any = None) -> tuple[Any, Any]:
    """Return the limits of the optimum from the left and from the right at every sample, for lam uniform on [0, 1].

    Theorem 3.2 claims that the optimum is continuous. In general the two limits differ from each other and from the
    value at the sample.

    Args:
        x: positions of the samples, shape `(m,)`, in any order.
        y: their outputs, shape `(m,)` or `(m, c)`.
        weights: `"density"` or `"plain"`, see `mixup_optimum`.
        graph: a locality graph, its matrix, or None.

    Returns:
        Left and right limits in the order of the samples, each like `y`; NaN where no kept segment is.

    >>> one_sided_limits([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], weights="plain")
    (array([nan, 0.5, 0. ]), array([0. , 0.5, nan]))
    """
    places, outputs, W, _, _ = _checked(x, y, weights, (1.0, 1.0), graph)
    left, right = _limits(places, outputs, W, weights)
    back = np.searchsorted(np.unique(places), as_float64("x", x, ndim=(1,)))
    left, right = left[back], right[back]
    left, right = (part if np.ndim(y) > 1 else part[:, 0] for part in (left, right))
    return same_kind(left, y), same_kind(right, y)


def _checked(
    x: Any, y: Any, weights: str, beta: tuple[float, float], graph: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, float, float]:
    """Return the samples and W in ascending order of the samples, and the parameters of beta."""
    check_choice("weights", weights, ("density", "plain"))
    places, outputs = as_float64("x", x, ndim=(1,)), as_float64("y", y)
    if len(places) != len(outputs) or not len(places):
        raise ArgumentError(
            f"x and y must have the same number of rows, at least 1, got {len(places)} and {len(outputs)}"
        )
    if np.ndim(beta) != 1 or len(beta) != 2:
        raise ArgumentError(f"beta must be two numbers > 0, got {beta!r}")
    a, b = (check_number("beta", value, low=1e-6, high=1e6) for value in beta)
    if weights == "plain" and (a, b) != (1.0, 1.0):
        raise ArgumentError(
            f"beta must be (1, 1) with weights='plain', because eq. (1) is for lam uniform on [0, 1], got {beta!r}"
        )
    W = matrix_of(graph, places[:, None])
    order = np.argsort(places, kind="stable")
    return places[order], outputs.reshape(len(outputs), -1)[order], None if W is None else W[np.ix_(order, order)], a, b


def matrix_of(graph: Any, features: np.ndarray) -> np.ndarray | None:
    """Return the weight matrix W of a graph, or None for None.

    Args:
        graph: a locality graph, a matrix of shape `(m, m)`, or None.
        features: shape `(m, d)`.

    Raises:
        ArgumentError: the matrix has another shape or negative entries.
    """
    if graph is None:
        return None
    W = graph.matrix(torch.from_numpy(features)) if hasattr(graph, "matrix") else graph
    W = as_float64("graph", W, ndim=(2,))
    m = len(features)
    if W.shape != (m, m) or W.min(initial=0) < 0:
        raise ArgumentError(f"graph must be a locality graph or a matrix >= 0 of shape {(m, m)}, got shape {W.shape}")
    return W


def _row(W: np.ndarray | None, i: int, rows: slice) -> np.ndarray | float:
    """Return W_ij + W_ji of one sample with others; both orders of a pair are alike for Beta(1, 1)."""
    return 2.0 if W is None else W[i, rows] + W[rows, i]


def _limits(
    places: np.ndarray, outputs: np.ndarray, W: np.ndarray | None, weights: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the left and right limits at the distinct positions, for lam uniform, in O(m^2).

    Between two neighbouring samples the sum over the segments is linear in the query. A segment is added to the sum at
    its left end and subtracted at its right end.
    """
    m, c = outputs.shape
    knots, which = np.unique(places, return_inverse=True)
    scale = knots[-1] - knots[0] if len(knots) > 1 else 1.0
    # sums over the segments above the interval after knot k: weight, weight * value at the knot, weight * slope
    weight, intercept, slope = np.zeros(len(knots)), np.zeros((len(knots), c)), np.zeros((len(knots), c))
    left, right = np.full((len(knots), c), np.nan), np.full((len(knots), c), np.nan)
    for i in range(m):
        rest = slice(i + 1, m)
        length = places[rest] - places[i]
        far = length > 0
        if not far.any():
            continue
        w = np.broadcast_to(_row(W, i, rest), length.shape)[far].astype(float)
        length, ends = length[far], which[rest][far]
        if weights == "density":
            w = w / (length / scale)
        gradient = (outputs[rest][far] - outputs[i]) / length[:, None]
        # segments from i lie above the interval before each knot if they end there or later
        tail = np.zeros(len(knots) + 1)
        np.add.at(tail, ends, w)
        tail = np.cumsum(tail[::-1])[::-1]
        steep = np.zeros((len(knots) + 1, c))
        np.add.at(steep, ends, w[:, None] * gradient)
        steep = np.cumsum(steep[::-1], axis=0)[::-1]
        span = slice(which[i], len(knots) - 1)
        after = slice(which[i] + 1, len(knots))
        weight[span] += tail[after]
        slope[span] += steep[after]
        intercept[span] += tail[after, None] * outputs[i] + steep[after] * (knots[span] - places[i])[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        if len(knots) > 1:
            right[:-1] = np.where(weight[:-1, None] > 0, intercept[:-1] / weight[:-1, None], np.nan)
            end = intercept[:-1] + slope[:-1] * np.diff(knots)[:, None]
            left[1:] = np.where(weight[:-1, None] > 0, end / weight[:-1, None], np.nan)
    return left, right


def _on_knots(
    places: np.ndarray, outputs: np.ndarray, W: np.ndarray | None, at: np.ndarray, weights: str, a: float, b: float
) -> np.ndarray:
    """Return the values at queries that are samples, NaN at the others."""
    found = np.full((len(at), outputs.shape[1]), np.nan)
    for q in np.flatnonzero(np.isin(at, places)):
        here = np.flatnonzero(places == at[q])
        if weights == "density":
            W_here = np.ones((len(here), len(here))) if W is None else W[np.ix_(here, here)]
            share = (a * W_here.sum(axis=1) + b * W_here.sum(axis=0)) / (a + b)
            found[q] = share @ outputs[here] / share.sum() if share.sum() > 0 else np.nan
            continue
        first, last = here[0], here[-1]
        pairs, total = 0.0, np.zeros(outputs.shape[1])
        for i in range(last + 1):
            rest = slice(max(i + 1, first), len(places))
            length = places[rest] - places[i]
            w = np.broadcast_to(_row(W, i, rest), length.shape)
            share = np.where(length > 0, (at[q] - places[i]) / np.where(length > 0, length, 1), 0.5)
            pairs += float(w.sum())
            total += (w * (1 - share)).sum() * outputs[i] + (w * share) @ outputs[rest]
        if pairs > 0:
            found[q] = total / pairs
        elif W is None or W[here, here].any():
            found[q] = outputs[here].mean(axis=0)  # no segment is here, only the samples themselves
    return found


def _between(
    places: np.ndarray, outputs: np.ndarray, W: np.ndarray | None, at: np.ndarray, a: float, b: float
) -> np.ndarray:
    """Return the values at queries between samples, for any Beta, pair by pair."""
    found = np.full((len(at), outputs.shape[1]), np.nan)
    for q, point in enumerate(at):
        k = int(np.searchsorted(places, point))
        if k in (0, len(places)):
            continue
        top, total, pairs = -np.inf, np.zeros(outputs.shape[1]), 0.0
        step = max(1, _BLOCK_PAIRS // (len(places) - k))
        for start in range(0, k, step):
            rows = slice(start, min(k, start + step))
            i, j = places[rows, None], places[None, k:]
            length = j - i
            share = (point - i) / length  # of the right end
            log_g = [(p - 1) * np.log1p(-share) + (r - 1) * np.log(share) - np.log(length) for p, r in ((a, b), (b, a))]
            if W is not None:
                with np.errstate(divide="ignore"):
                    log_g = [log_g[0] + np.log(W[rows, k:]), log_g[1] + np.log(W[k:, rows].T)]
            log_w = np.logaddexp(*log_g)
            if (highest := float(log_w.max())) == -np.inf:
                continue
            if highest > top:  # weights may span hundreds of powers of ten, so keep them relative to the largest
                factor = np.exp(top - highest)
                total, pairs, top = total * factor, pairs * factor, highest
            w = np.exp(log_w - top)
            pairs += float(w.sum())
            total += (w * (1 - share)).sum(axis=1) @ outputs[rows] + (w * share).sum(axis=0) @ outputs[k:]
        if pairs > 0:
            found[q] = total / pairs
    return found
