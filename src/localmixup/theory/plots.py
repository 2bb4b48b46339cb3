"""Pictures of the closed forms. Each function draws onto matplotlib axes that the caller made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from localmixup._plotting import COLORS
from localmixup.graphs import ThresholdGraph
from localmixup.theory import line, linear_model, ring


def draw_line_optima(axes: Any, x: np.ndarray, y: np.ndarray, radii: Sequence[float]) -> None:
    """Draw what Local Mixup learns on a line for several radii, with eq. (1) for classical mixup dotted.

    Args:
        axes: matplotlib axes.
        x: inputs, shape `(m,)`.
        y: outputs, shape `(m,)`.
        radii: radii of threshold graphs; `inf` is classical mixup.
    """
    query = np.linspace(x.min(), x.max(), 2001)
    for radius, color in zip(radii, (COLORS[2], COLORS[4], COLORS[0], COLORS[3], COLORS[5]), strict=False):
        label = "mixup" if radius == np.inf else f"radius {radius:g}"
        optimum = line.mixup_optimum(x, y, query, graph=ThresholdGraph(radius))
        axes.plot(query, optimum, ".", ms=1.5, color=color)  # points, because the optimum jumps
        axes.plot([], [], color=color, label=label)
    printed = line.mixup_optimum(x, y, query, weights="plain")
    axes.plot(query, printed, lw=1, ls=":", color=COLORS[7], label="eq. (1)")
    axes.plot(x, y, "o", color=COLORS[1], label="samples, and the optimum there")
    axes.set(xlabel="x", ylabel="optimum")
    axes.legend(fontsize="small")


def draw_bias_and_variance(axes: Any, y: np.ndarray, reaches: Sequence[int] | np.ndarray) -> None:
    """Draw Definition 4.1's bias and variance of f_K on the ring against the reach.

    Args:
        axes: matplotlib axes.
        y: outputs on the ring, shape `(n,)`.
        reaches: values of the paper's K, >= 1.
    """
    K = np.asarray(reaches, dtype=float)
    variance = [ring.prediction_variance(y, reach=int(reach)) for reach in reaches]
    bias2 = [ring.train_bias2(y, reach=int(reach)) for reach in reaches]
    axes.loglog(K, variance, color=COLORS[0], label="variance of f_K over the inputs")
    axes.loglog(K, bias2, color=COLORS[1], label="squared bias (training error)")
    axes.loglog(K, 4 * np.var(y) / K**2, ":", color=COLORS[7], label="4 Var(y) / K^2")
    axes.set(xlabel="reach K", title=f"a ring of {len(y)} samples", ylim=(1e-4, 3))
    axes.legend(fontsize="x-small")


def draw_iid_variance(axes: Any, reaches: Sequence[int] | np.ndarray) -> None:
    """Draw the variance of f_K over i.i.d. outputs of variance 1, with the bounds of Theorem 4.4 and sharper ones.

    Args:
        axes: matplotlib axes.
        reaches: values of the paper's K, >= 1.
    """
    K = np.asarray(reaches, dtype=float)
    bounds = [ring.iid_variance_bounds(reach=int(reach)) for reach in reaches]
    axes.loglog(K, [ring.iid_variance(reach=int(reach)) for reach in reaches], color=COLORS[0], label="exact")
    axes.loglog(K, [b.paper_upper for b in bounds], "--", color=COLORS[1], label="8 / K (paper)")
    axes.loglog(K, [b.paper_lower for b in bounds], "--", color=COLORS[2], label="16 / K^2 (paper)")
    axes.loglog(K, [b.upper for b in bounds], ":", color=COLORS[1], label="1.5 / K")
    axes.loglog(K, [b.lower for b in bounds], ":", color=COLORS[2], label="16 / (K + 3)^2")
    axes.set(xlabel="reach K", title="variance, i.i.d. outputs")
    axes.legend(fontsize="x-small")


def draw_linear_fits(axes: Any, x: np.ndarray, y: np.ndarray, radii: Sequence[float]) -> None:
    """Draw the line that Local Mixup fits for several radii; where it is the least squares fit, the legend says so.

    Args:
        axes: matplotlib axes.
        x: inputs, shape `(m,)`.
        y: outputs, shape `(m,)`.
        radii: radii of threshold graphs; 0 is vanilla training.
    """
    margin = 0.075 * float(np.ptp(x))
    ends = np.array([x.min() - margin, x.max() + margin])
    colors = (COLORS[7], COLORS[1], COLORS[4], COLORS[2], COLORS[0])
    for k, radius in enumerate(radii):
        near = (np.abs(x[:, None] - x) <= radius).astype(float)
        intercept, slope = linear_model.mixup_coefficients(x, y, near)
        label = f"radius {radius:g}"
        label += " (mixup)" if near.all() else ""
        label += ": least squares" if linear_model.is_least_squares(x, near, y=y) else ""
        axes.plot(ends, intercept + slope * ends, color=colors[k % len(colors)], lw=1.4 if k else 3, label=label)
    axes.plot(x, y, "o", color=COLORS[7])
    axes.set(xlabel="x", ylabel="fit of a line")
    axes.legend(fontsize="small")
