"""Lemma 3.1 and Theorem 3.2: mixup in one dimension."""

from __future__ import annotations

import numpy as np

from localmixup.lab.paper.theorems.finding import FALSE, HOLDS, Finding, line_samples, verdict
from localmixup.theory import line

_DRAWS, _BINS = 2_000_000, 200


def lemma_3_1() -> Finding:
    """Check eq. (1): the optimum is the plain average of all combinations that give a point."""
    x, y = line_samples(0, 6)
    rng = np.random.default_rng(1)
    i, j, lam = rng.integers(6, size=_DRAWS), rng.integers(6, size=_DRAWS), rng.uniform(size=_DRAWS)
    keep = i != j
    mixed, target = (lam * v[i] + (1 - lam) * v[j] for v in (x, y))
    edges = np.linspace(x[0], x[-1], _BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    which = np.digitize(mixed[keep], edges) - 1
    count = np.bincount(which, minlength=_BINS)[:_BINS]
    mean = np.bincount(which, target[keep], _BINS)[:_BINS] / count
    error = np.sqrt((np.bincount(which, target[keep] ** 2, _BINS)[:_BINS] / count - mean**2) / count)
    clear = np.abs(centres[:, None] - x).min(axis=1) > 1.5 * (edges[1] - edges[0])  # the optimum jumps at the samples
    rms = {}
    for weights in ("plain", "density"):
        z = (mean - line.mixup_optimum(x, y, centres, weights=weights)) / error
        rms[weights] = float(np.sqrt(np.mean(z[clear] ** 2)))
    return Finding(
        "Lemma 3.1, eq. (1)",
        "the optimum at a point is the plain average over all pairs and lam that give it",
        FALSE if rms["plain"] > 3 else HOLDS,
        f"2 million draws of mixup differ from eq. (1) by {rms['plain']:.0f} standard errors, from the corrected "
        f"average by {rms['density']:.2f}",
        "each pair has a weight of one over its length (times the density of lam)",
    )


def theorem_3_2_linear() -> Finding:
    """Check, for lam uniform as in the paper, that the optimum is linear between neighbouring samples."""
    x, y = line_samples(2, 7)
    inside = x[:-1, None] + np.diff(x)[:, None] * np.array([0.25, 0.5, 0.75])
    bends = {}
    for beta in ((1.0, 1.0), (2.0, 2.0)):
        values = line.mixup_optimum(x, y, inside.ravel(), beta=beta).reshape(inside.shape)
        bends[beta] = float(np.abs(values[:, 0] - 2 * values[:, 1] + values[:, 2]).max())
    return Finding(
        "Theorem 3.2 (linear)",
        "for lam uniform, the optimum is linear between neighbouring samples",
        verdict(bends[(1.0, 1.0)] < 1e-12, corrected=False),
        f"largest second difference {bends[(1.0, 1.0)]:.0e}",
        f"on the open intervals; for other distributions of lam, which the theorem leaves out, it bends (by up to "
        f"{bends[(2.0, 2.0)]:.2f} for Beta(2, 2))",
    )


def theorem_3_2_continuous() -> Finding:
    """Check, for lam uniform as in the paper, that the optimum is continuous."""
    x, y = line_samples(2, 7)
    jumps = {}
    for weights in ("plain", "density"):
        left, right = line.one_sided_limits(x, y, weights=weights)
        jumps[weights] = float(np.abs(right - left)[1:-1].max())
    return Finding(
        "Theorem 3.2 (continuous)",
        "for lam uniform, the optimum is continuous everywhere",
        FALSE if min(jumps.values()) > 1e-6 else HOLDS,
        f"it jumps at a sample by {jumps['plain']:.2f} (eq. (1)) and {jumps['density']:.2f} (the true optimum)",
        "in general it jumps at the samples, where it takes the value of the sample",
    )
