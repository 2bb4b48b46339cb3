"""Local Mixup on the ring Z/nZ: eqs. (4) and (5), Lemmas 4.1 and 4.3, Theorems 4.2 and 4.4.

There is one sample at each integer of the n-periodic line. Pairs (a, b) with 0 < b - a <= K are kept. They are pairs on
the line, not on the ring, so that K can grow without bound. K is called `reach`. There are three optima, which the
paper does not tell apart:

- `"paper"`: eq. (4), the average over the mixed samples at an integer, direct ones included. It minimises a criterion
  that counts mixed samples at integers only.
- `"open"`: the same average next to an integer, where the direct samples of one side remain.
- `"density"`: the minimiser for lam uniform on [0, 1], which weights every segment by one over its length.

All three are circular convolutions with a positive symmetric kernel that sums to 1.

The paper's "Bias" is a training error and its "Var" a spread over the inputs (Definition 4.1). They are not the bias
and variance over draws of the training set, so their trade-off says nothing about generalisation.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from localmixup._arrays import as_float64, same_kind
from localmixup._validate import check_choice, check_integer

KINDS = ("paper", "open", "density")


class Bounds(NamedTuple):
    """Bounds of the variance of f_K over i.i.d. outputs, in units of their variance.

    Attributes:
        lower: `16 / (K + 3)^2`, the part of the direct samples; holds for every K >= 1.
        upper: `1.5 / K`; holds for every K >= 1.
        paper_lower: `16 / K^2` as printed in Theorem 4.4; holds from K = 12 on.
        paper_upper: `8 / K` as printed in Theorem 4.4.
    """

    lower: float
    upper: float
    paper_lower: float
    paper_upper: float


def kernel(reach: int, *, kind: str = "paper") -> np.ndarray:
    """Return the kernel of f_K: `f(i) = c[0] y(i) + sum_k c[k] (y(i - k) + y(i + k))`, from eqs. (4) and (5).

    Args:
        reach: the paper's K, >= 0; 0 and 1 leave y unchanged.
        kind: `"paper"`, `"open"` or `"density"`, see the module's docstring.

    Returns:
        `c[0], ..., c[max(reach, 1) - 1]`, float64.

    Raises:
        ArgumentError: `reach` is not a whole number >= 0, or `kind` is unknown.

    >>> kernel(2)
    array([0.8, 0.1])
    """
    reach = check_integer("reach", reach, low=0, meaning="the paper's K; 0 is vanilla training")
    check_choice("kind", kind, KINDS)
    if reach <= 1:
        return np.ones(1)
    steps = np.arange(1.0, reach + 1)
    # a_k = sum_{l>k} (l - k) / l and b_k = sum_{l>k} (l - k) / l^2 as sums of sums, without cancellation
    tail = np.cumsum(1 / (steps if kind != "density" else steps**2)[::-1])[::-1]
    sums = np.cumsum(tail[::-1])[::-1]  # at k - 1: a_{k-1} or b_{k-1}
    if kind == "density":
        return np.concatenate([[np.cumsum(1 / steps)[-1]], sums[1:]]) / reach
    direct, count = (2 * reach, reach * (reach + 3) / 2) if kind == "paper" else (reach, reach * (reach + 1) / 2)
    return np.concatenate([[direct], sums[1:]]) / count


def local_mixup_optimum(y: Any, *, reach: int, kind: str = "paper") -> Any:
    """Return what Local Mixup learns at the samples of the ring, f_K of eq. (4), in O(n log n + K).

    Args:
        y: outputs, shape `(n,)` or `(n, c)`, repeated n-periodically.
        reach: the paper's K, >= 0: largest distance of two mixed samples. 0 and 1 are vanilla training.
        kind: `"paper"` (eqs. (4) and (5)), `"open"` or `"density"` (the true minimiser), see the module's docstring.

    Returns:
        f_K at every sample, like `y`.

    Raises:
        ArgumentError: `y` is empty or not finite, `reach` is negative, or `kind` is unknown.

    >>> local_mixup_optimum([1.0, 0.0, -1.0, 0.0], reach=2)
    array([ 0.8,  0. , -0.8,  0. ])
    """
    values = as_float64("y", y)
    n = len(values)
    check_integer("the length of y", n, low=1)
    c = kernel(reach, kind=kind)
    folded = np.zeros(n)
    places = np.arange(1, len(c))
    folded[0] = c[0]
    np.add.at(folded, places % n, c[1:])
    np.add.at(folded, -places % n, c[1:])
    spectrum = np.fft.rfft(values, axis=0)
    response = np.fft.rfft(folded).real
    response = response if values.ndim == 1 else response[:, None]
    return same_kind(np.fft.irfft(spectrum * response, n, axis=0), y)


def transfer(theta: Any, *, reach: int, kind: str = "paper") -> Any:
    """Return the transfer function of the kernel: the factor by which f_K shrinks a wave of frequency theta.

    With the Fejer kernels `F_l = sin^2(l theta / 2) / (l sin^2(theta / 2))` it is

    - `"paper"`: `2 / (K (K + 3)) (K + sum_l F_l)`,
    - `"open"`: `2 / (K (K + 1)) sum_l F_l`,
    - `"density"`: `1 / K sum_l F_l / l`.

    It decreases with K at every theta, which proves Theorem 4.2 for every K.

    Args:
        theta: frequencies in radians per sample, any shape.
        reach: the paper's K, >= 0.
        kind: see the module's docstring.

    Returns:
        Values in (0, 1], like `theta`.
    """
    angle = as_float64("theta", theta, ndim=())
    c = kernel(reach, kind=kind)
    total = np.full(angle.shape, c[0])
    for start in range(1, len(c), 1024):
        steps = np.arange(start, min(len(c), start + 1024))
        total += 2 * np.cos(angle[..., None] * steps) @ c[steps]
    return same_kind(total, theta)


def train_bias2(y: Any, *, reach: int, kind: str = "paper") -> Any:
    """Return Definition 4.1's squared bias, `mean_i (f_K(i) - y(i))^2`. It never decreases with K.

    This is the training error, not the bias over draws of the training set.

    Args:
        y: outputs, shape `(n,)` or `(n, c)`.
        reach: the paper's K, >= 0.
        kind: see the module's docstring.

    Returns:
        A number, or one per column, shape `(c,)`.
    """
    values = as_float64("y", y)
    return same_kind(np.square(local_mixup_optimum(values, reach=reach, kind=kind) - values).mean(axis=0), y)


def prediction_variance(y: Any, *, reach: int, kind: str = "paper") -> Any:
    """Return Definition 4.1's variance: the spread of f_K over the samples. It never increases with K (Theorem 4.2).

    This is not the variance over draws of the training set; see `iid_variance` for that. For `"paper"` it tends to
    `4 Var(y) / K^2`.

    Args:
        y: outputs, shape `(n,)` or `(n, c)`.
        reach: the paper's K, >= 0.
        kind: see the module's docstring.

    Returns:
        A number, or one per column, shape `(c,)`.
    """
    return same_kind(local_mixup_optimum(as_float64("y", y), reach=reach, kind=kind).var(axis=0), y)


def iid_variance(*, reach: int, kind: str = "paper") -> float:
    """Return the variance of f_K at a point over i.i.d. outputs of variance 1 on the whole line (Theorem 4.4).

    It is `c_0^2 + 2 sum_k c_k^2`, and tends to `28 / (27 K)` for `"paper"` and `"open"`, and to `5 / (3 K)` for
    `"density"`.

    Args:
        reach: the paper's K, >= 0.
        kind: see the module's docstring.

    >>> round(iid_variance(reach=2), 12)
    0.66
    """
    c = kernel(reach, kind=kind)
    return float(c[0] ** 2 + 2 * np.square(c[1:]).sum())


def iid_variance_exact(*, reach: int) -> Fraction:
    """Return `iid_variance(reach=reach)` as a fraction, for `"paper"`; slow beyond a few hundred.

    Args:
        reach: the paper's K, >= 1.

    >>> iid_variance_exact(reach=3)
    Fraction(701, 1458)
    """
    reach = check_integer("reach", reach, low=1)
    a, tail, squares = Fraction(0), Fraction(0), Fraction(0)
    for k in range(reach - 1, 0, -1):  # a_k = a_{k+1} + sum_{l > k} 1 / l
        tail += Fraction(1, k + 1)
        a += tail
        squares += a * a
    return (4 * reach**2 + 2 * squares) / Fraction(reach * (reach + 3), 2) ** 2


def iid_variance_bounds(*, reach: int) -> Bounds:
    """Return bounds of `iid_variance(reach=reach)`: bounds that hold for every reach, and those of the paper.

    Args:
        reach: the paper's K, >= 1.
    """
    reach = check_integer("reach", reach, low=1)
    return Bounds(16 / (reach + 3) ** 2, 1.5 / reach, 16 / reach**2, 8 / reach)


def indirect_sum(y: Any, *, distance: int) -> Any:
    """Return the paper's A_K(i), the sum of the mixed outputs at i over the pairs around i at distance K (eq. (5)).

    Lemma 4.3 as it holds: `A_K = K mean(y) - y` plus a bounded remainder, which is 0 if n divides K.

    Args:
        y: outputs, shape `(n,)`.
        distance: K, the distance of the two samples of each pair, >= 1.
    """
    values = as_float64("y", y, ndim=(1,))
    distance = check_integer("distance", distance, low=1)
    check_integer("the length of y", len(values), low=1)
    n, steps = len(values), np.arange(1, distance)
    weight = (distance - steps) / distance
    folded = np.bincount(steps % n, weight, n) + np.bincount(-steps % n, weight, n)
    return same_kind(np.fft.irfft(np.fft.rfft(values) * np.fft.rfft(folded).real, n), y)
