"""What (Local) Mixup does to a linear model: Theorem 4.5 as it holds.

For a linear f with residuals r, the mixed residual is `lam r_i + (1 - lam) r_j`. So the expected loss under W is the
quadratic form `r^T M r` with `M = diag(E[lam^2] W 1 + E[(1 - lam)^2] W^T 1) + E[lam (1 - lam)] (W + W^T)`. The paper
claims that mixup and Local Mixup have the same optimum for every graph. It is the least squares fit for the complete
graph with an intercept, without mixing, and whenever M maps the span of the design columns into itself. In general it
is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from localmixup._arrays import as_float64, same_kind
from localmixup._validate import ArgumentError, check_number


def mixup_coefficients(
    x: Any, y: Any, W: Any, *, beta: tuple[float, float] = (1.0, 1.0), intercept: bool = True
) -> Any:
    """Return the coefficients of the linear model that minimises the expected squared error on the mixed samples.

    This is eq. (3) with the squared error.

    Args:
        x: inputs, shape `(m,)` or `(m, d)`.
        y: outputs, shape `(m,)` or `(m, c)`.
        W: weights of the ordered pairs, shape `(m, m)`, >= 0, such as `graph.matrix(x)`.
        beta: parameters (a, b) of the distribution of lam, both > 0.
        intercept: whether to fit an intercept.

    Returns:
        The intercept, if any, then the slopes, shape `(1 + d,)` or `(d,)`, with a last dimension c if `y` has one; like
        `y`. Of several optima, the one with the smallest norm.

    Raises:
        ArgumentError: the shapes do not fit, values are not finite, or a weight is negative.

    >>> mixup_coefficients([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], np.ones((3, 3))).round(6) + 0.0
    array([0.333333, 0.      ])
    """
    design, outputs, M = _checked(x, y, W, beta, intercept)
    # centre and scale the columns, so that offsets and units do not decide what counts as singular
    centre = design.mean(axis=0) if intercept else np.zeros(design.shape[1])
    if intercept:
        centre[0] = 0.0
    spread = np.abs(design - centre).max(axis=0, initial=0)
    spread = np.where(spread > 0, spread, 1.0)
    scaled = (design - centre) / spread
    found = np.linalg.lstsq(scaled.T @ M @ scaled, scaled.T @ (M @ outputs), rcond=None)[0]
    found = (found.T / spread).T
    if intercept:
        found[0] = found[0] - centre[1:] @ found[1:]
    return same_kind(found, y)


def mixing_form(W: Any, *, beta: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Return the matrix M of the expected loss `r^T M r` of a linear model with residuals r.

    Args:
        W: weights of the ordered pairs, shape `(m, m)`, >= 0.
        beta: parameters (a, b) of the distribution of lam, both > 0.

    >>> mixing_form(np.eye(2))
    array([[1., 0.],
           [0., 1.]])
    """
    weights = as_float64("W", W, ndim=(2,))
    if weights.shape[0] != weights.shape[1] or weights.min(initial=0) < 0:
        raise ArgumentError(f"W must be square with entries >= 0, got shape {weights.shape}")
    if np.ndim(beta) != 1 or len(beta) != 2:
        raise ArgumentError(f"beta must be two numbers > 0, got {beta!r}")
    a, b = (check_number("beta", value, low=1e-6, high=1e6) for value in beta)
    norm = (a + b) * (a + b + 1)
    own, other, both = a * (a + 1) / norm, b * (b + 1) / norm, a * b / norm
    M: np.ndarray = np.diag(own * weights.sum(axis=1) + other * weights.sum(axis=0)) + both * (weights + weights.T)
    return M


def is_least_squares(
    x: Any,
    W: Any,
    *,
    y: Any = None,
    beta: tuple[float, float] = (1.0, 1.0),
    intercept: bool = True,
    tolerance: float = 1e-9,
) -> bool:
    """Return whether the optimum under W is the least squares fit (Theorem 4.5, corrected).

    For all outputs at once, this means that M maps the span of the design Z into itself (Kruskal's condition). For
    given outputs, it means `Z^T M r = 0` for the residuals r of their least squares fit.

    Args:
        x: inputs, shape `(m,)` or `(m, d)`.
        W: weights of the ordered pairs, shape `(m, m)`.
        y: outputs; None for all outputs at once.
        beta: parameters of the distribution of lam.
        intercept: see `mixup_coefficients`.
        tolerance: relative tolerance.

    >>> is_least_squares([0.0, 1.0, 2.0], np.ones((3, 3)))
    True
    """
    design, outputs, M = _checked(x, np.zeros(len(as_float64("x", x))) if y is None else y, W, beta, intercept)
    basis, values, _ = np.linalg.svd(design, full_matrices=False)
    basis = basis[:, values > 1e-12 * values.max(initial=0)]
    norm = np.abs(M).sum(axis=1).max(initial=0) or 1.0
    if y is None:
        image = M @ basis
        return bool(np.abs(image - basis @ (basis.T @ image)).max(initial=0) <= tolerance * norm)
    residual = outputs - basis @ (basis.T @ outputs)
    size = np.abs(outputs).max(initial=0) or 1.0
    return bool(np.abs(basis.T @ (M @ residual)).max(initial=0) <= tolerance * norm * size)


def _checked(
    x: Any, y: Any, W: Any, beta: tuple[float, float], intercept: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    inputs, outputs, M = as_float64("x", x), as_float64("y", y), mixing_form(W, beta=beta)
    if not len(inputs) == len(outputs) == len(M):
        raise ArgumentError(
            f"x, y and W must have the same number of rows, got {len(inputs)}, {len(outputs)} and {len(M)}"
        )
    columns = inputs.reshape(len(inputs), -1)
    return (np.column_stack([np.ones(len(columns)), columns]) if intercept else columns), outputs, M
