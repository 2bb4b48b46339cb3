"""Manifold intrusion: how often a mixed sample falls in the region of a class that has no part in its label.

The class region that a virtual sample `lam x_i + (1 - lam) x_j` falls in is that of its nearest real sample, with i
and j left out. The virtual sample *intrudes* if that class has no part in the mixed label. With two classes only pairs
within a class can intrude, as in the paper's Fig. 1. It *contradicts* if another class has a larger part in the mixed
label.

Virtual samples are drawn at all scales of distance, and a graph weights them afterwards. So one search for nearest
samples serves all graphs.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from torch import Tensor

from localmixup._validate import ArgumentError, check_integer, check_number
from localmixup.geometry._inputs import check_samples
from localmixup.geometry._progress import Progress, run_to_end
from localmixup.geometry.intrusion_report import IntrusionReport
from localmixup.geometry.nearest import nearest_real_steps
from localmixup.geometry.pairs import LAM_GRID, all_pairs, draw_pairs
from localmixup.geometry.rates import Rate, weighted_rate
from localmixup.geometry.virtual import virtual_samples_steps
from localmixup.graphs import CompleteGraph, LocalityGraph

_DOUBLE_VALUES = 5_000_000  # up to this many values everything is measured in float64
_EXHAUSTIVE = 4e8  # up to this product of virtual and real samples all pairs are tried


def intrusion(
    x: Any,
    labels: Any,
    graph: LocalityGraph | None = None,
    *,
    mixup_alpha: float = 1.0,
    n_nearest: int = 1,
    n_samples: int = 20_000,
    exhaustive: bool | None = None,
    seed: int = 0,
) -> IntrusionReport:
    """Measure how often mixed samples fall in the region of another class, for any graph.

    Pairs are drawn around random anchors, a few from every stratum of neighbour ranks (1, 2 to 3, 4 to 7, and so on),
    so that near pairs are measured as well as far ones. Intervals are those of a ratio over anchors. See
    `intrusion_steps` for a version that reports its progress.

    Args:
        x: samples, shape `(m, ...)`, finite, at least 4. Give an embedding to measure in its space.
        labels: class of each sample, shape `(m,)`, at least two classes.
        graph: default graph of the report; None is classical mixup.
        mixup_alpha: lam follows `Beta(mixup_alpha, mixup_alpha)`.
        n_nearest: number of nearest real samples that determine the class region.
        n_samples: number of virtual samples, approximately.
        exhaustive: try all ordered pairs, each with 9 values of lam. None does so if it is little work.
        seed: seed of the draws.

    Raises:
        ArgumentError: the shapes do not fit, values are not finite, or there is only one class.

    >>> from localmixup import ThresholdGraph
    >>> x = np.array([[0.0], [0.1], [0.2], [4.8], [5.0], [5.1], [2.4], [2.5], [2.6]])
    >>> report = intrusion(x, [0, 0, 0, 0, 0, 0, 1, 1, 1])               # class 1 lies inside class 0
    >>> round(report.within_class.intrusion.value, 2), report.rates(ThresholdGraph(1.0))["all"].intrusion.value
    (0.27, 0.0)
    """
    return run_to_end(
        intrusion_steps(
            x, labels, graph, mixup_alpha=mixup_alpha, n_nearest=n_nearest, n_samples=n_samples,
            exhaustive=exhaustive, seed=seed,
        )
    )  # fmt: skip


def intrusion_steps(
    x: Any,
    labels: Any,
    graph: LocalityGraph | None = None,
    *,
    mixup_alpha: float = 1.0,
    n_nearest: int = 1,
    n_samples: int = 20_000,
    exhaustive: bool | None = None,
    seed: int = 0,
) -> Generator[Progress, None, IntrusionReport]:
    """Do the work of `intrusion` step by step; same arguments.

    Yields:
        The number of virtual samples finished.

    Returns:
        The report.
    """
    features, given = check_samples(x, labels)
    m = len(features)
    if m < 4:
        raise ArgumentError(f"x must hold at least 4 samples, got {m}")
    check_number("mixup_alpha", mixup_alpha, low=1e-3, high=1e6)
    check_integer("n_nearest", n_nearest, low=1)
    check_integer("n_samples", n_samples, low=100)
    check_integer("seed", seed, low=0)
    if n_nearest > m - 2:
        raise ArgumentError(f"n_nearest must be at most {m - 2} for {m} samples (two are mixed), got {n_nearest}")
    if features.numel() <= _DOUBLE_VALUES:
        features = features.double()
    classes, codes = np.unique(given, return_inverse=True)
    if exhaustive is None:
        exhaustive = LAM_GRID * m * (m - 1) * m <= _EXHAUSTIVE
    rng = np.random.default_rng(seed)
    centred = features - features.mean(dim=0)
    pairs = all_pairs(centred, mixup_alpha) if exhaustive else draw_pairs(centred, mixup_alpha, n_samples, rng)
    samples = yield from virtual_samples_steps(features, centred, codes, pairs, n_nearest)
    chosen = CompleteGraph() if graph is None else graph
    overlap = _overlap(centred, codes, rng)
    return IntrusionReport(samples, codes, classes, chosen, features, float(mixup_alpha), exhaustive, overlap)


def _overlap(centred: Tensor, codes: np.ndarray, rng: np.random.Generator) -> Rate:
    """Return the share of real samples whose nearest other sample is of another class."""
    m = len(codes)
    rows = np.arange(m) if m <= 4000 else rng.permutation(m)[:2000]
    nearest, _ = run_to_end(nearest_real_steps(centred, rows, rows, np.ones(len(rows)), 1))
    wrong = (codes[nearest[:, 0]] != codes[rows]).astype(float)
    return weighted_rate(np.ones(len(rows)), wrong, rows, exact=len(rows) == m)
