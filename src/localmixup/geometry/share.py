"""Suggest how local mixup should be: the widest neighbourhood within which mixup adds no intrusion."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from localmixup._validate import check_integer, check_number
from localmixup.geometry.rates import Rate
from localmixup.geometry.regions import RegionReport, class_regions
from localmixup.graphs import KNNGraph

SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
"""Shares of the nearest samples of a batch that are tried, from classical mixup to a single neighbour."""

TOLERANCE = 0.01
"""Intrusion within classes may exceed the error on the samples themselves by this much, or by its standard error."""


class ShareSuggestion(NamedTuple):
    """How wide the neighbourhood may be.

    Attributes:
        share: the widest share of the nearest samples of a batch at which intrusion within classes stays at the error
            on the samples themselves, or the narrowest one if none does.
        fits: whether it stays there.
        within: intrusion within classes at that share.
        error: share of the samples themselves that the classifier gets wrong; see `class_regions`.
        rows: number of samples that were measured.
    """

    share: float
    fits: bool
    within: Rate
    error: Rate
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
        features: what distances are measured on, shape `(m, ...)`, finite, at least 12 rows. Use the tensors that the
            training loop mixes.
        labels: class of each sample, shape `(m,)`, at least two classes.
        widest: largest share to consider, in (0, 1].
        batch_size: number of samples of a batch of the training loop.
        max_samples: of larger data so many random samples are measured.
        n_samples: number of mixed samples, approximately.
        seed: seed of the draws.

    Raises:
        ArgumentError: the shapes do not fit, values are not finite, or there are too few samples or classes.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(300, 2))
    >>> suggest_share(x, x[:, 0] > 0).share, suggest_share(x, (x**2).sum(axis=1) > 1).share < 1
    (1.0, True)
    """
    check_number("widest", widest, low=1e-6, high=1)
    check_integer("batch_size", batch_size, low=2)
    report = class_regions(features, labels, n_samples=n_samples, max_samples=max_samples, seed=seed)
    within = Rate(math.nan, math.nan, math.nan)
    for share in [widest, *(share for share in SHARES if share < widest)]:
        within = report.rates(KNNGraph(share=share), batch_size=batch_size)["within"]
        if within.value <= accepted_within(report):
            return ShareSuggestion(share, True, within, report.error, report.rows)
    return ShareSuggestion(share, False, within, report.error, report.rows)


def accepted_within(report: RegionReport) -> float:
    """Return the rate of intrusion within classes that still counts as no more than the error on the samples.

    Args:
        report: from `class_regions`.
    """
    error = report.error.value
    return error + max(TOLERANCE, math.sqrt(error * (1 - error) / report.rows))
