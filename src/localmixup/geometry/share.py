"""Suggest how local mixup should be: the widest neighbourhood within which mixup adds no intrusion."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from localmixup._validate import check_integer, check_number
from localmixup.geometry._inputs import check_samples
from localmixup.geometry.intruding import intrusion
from localmixup.geometry.intrusion_report import IntrusionReport
from localmixup.geometry.rates import Rate
from localmixup.graphs import KNNGraph

SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
"""Shares of the nearest samples of a batch that are tried, from classical mixup to a single neighbour."""

TOLERANCE = 0.01
"""Intrusion within classes may exceed the overlap of the real samples by this much, or by the standard error of it."""


class ShareSuggestion(NamedTuple):
    """How wide the neighbourhood may be.

    Attributes:
        share: the widest share of the nearest samples of a batch at which intrusion within classes stays at the overlap
            of the real samples, or the narrowest one if none does.
        fits: whether intrusion within classes stays at the overlap there.
        within: intrusion within classes at that share.
        overlap: share of the real samples whose nearest other sample is of another class.
        rows: number of samples that were measured.
    """

    share: float
    fits: bool
    within: Rate
    overlap: Rate
    rows: int


def suggest_share(
    features: Any,
    labels: Any,
    *,
    widest: float = 1.0,
    batch_size: int = 64,
    max_samples: int = 2000,
    n_samples: int = 10_000,
    seed: int = 0,
) -> ShareSuggestion:
    """Suggest the share of `KNNGraph(share=...)` for mixing within batches.

    Args:
        features: what distances are measured on, shape `(m, ...)`, finite, at least 4 rows. Use the tensors that the
            training loop mixes.
        labels: class of each sample, shape `(m,)`, at least two classes.
        widest: largest share to consider, in (0, 1].
        batch_size: number of samples of a batch of the training loop.
        max_samples: of larger data so many random samples are measured.
        n_samples: number of mixed samples, approximately.
        seed: seed of the draws.

    Raises:
        ArgumentError: the shapes do not fit, values are not finite, or there is only one class.

    >>> x = np.concatenate([np.linspace(0, 1, 30), np.linspace(4, 5, 30), np.linspace(2, 3, 40)])[:, None]
    >>> suggest_share(x, np.repeat([0, 0, 1], [30, 30, 40])).share          # class 1 lies inside class 0
    0.5
    """
    check_number("widest", widest, low=1e-6, high=1)
    check_integer("batch_size", batch_size, low=2)
    check_integer("max_samples", max_samples, low=4)
    x, classes = check_samples(features, labels)
    if len(x) > max_samples:
        rows = np.sort(np.random.default_rng(seed).permutation(len(x))[:max_samples])
        x, classes = x[rows], classes[rows]
    return share_of_report(intrusion(x, classes, n_samples=n_samples, seed=seed), widest=widest, batch_size=batch_size)


def share_of_report(report: IntrusionReport, *, widest: float = 1.0, batch_size: int = 64) -> ShareSuggestion:
    """Suggest the share from a report that is there already; see `suggest_share`.

    Args:
        report: from `intrusion`.
        widest: largest share to consider.
        batch_size: number of samples of a batch of the training loop.
    """
    shares = [widest, *(share for share in SHARES if share < widest)]
    rows, limit = len(report.labels), accepted_within(report)
    within = Rate(np.nan, np.nan, np.nan)
    for share in shares:
        within = report.rates(KNNGraph(share=share), batch_size=batch_size)["within"].intrusion
        if within.value <= limit:
            return ShareSuggestion(share, True, within, report.overlap, rows)
    return ShareSuggestion(shares[-1], False, within, report.overlap, rows)


def accepted_within(report: IntrusionReport) -> float:
    """Return the rate of intrusion within classes that still counts as no more than the overlap of the real samples.

    Args:
        report: from `intrusion`.
    """
    overlap = report.overlap.value
    return overlap + max(TOLERANCE, math.sqrt(overlap * (1 - overlap) / len(report.labels)))
