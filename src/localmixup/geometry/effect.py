"""What a recipe does to a data set: how often its mixtures intrude, whom it mixes, and with whom."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from localmixup import LocalMixup
from localmixup._validate import ArgumentError
from localmixup.geometry.batch_ranks import weights_by_rank
from localmixup.geometry.intrusion_report import IntrusionReport
from localmixup.geometry.rates import Rate

DRAWN = "neighbors"


class Effect(NamedTuple):
    """What a recipe does to a data set.

    Attributes:
        within: rate of intrusion among its mixtures within a class.
        intrusion: rate of intrusion among all its mixtures.
        mixed_share: share of the samples of a batch that are mixed with another one, on average.
        coverage: share of the samples that are ever mixed as first end.
        shift: how far the class shares of the mixed labels are from those of the data, half the sum of the absolute
            differences, in [0, 1].
    """

    within: Rate
    intrusion: Rate
    mixed_share: float
    coverage: float
    shift: float


def effect_of(report: IntrusionReport, mix: LocalMixup, *, batch_size: int = 64) -> Effect:
    """Return what a recipe does to the data of a report.

    Args:
        report: from `intrusion`.
        mix: a recipe that draws partners (`pairing="neighbors"`), or that mixes random pairs.
        batch_size: number of samples of a batch of the training loop.

    Raises:
        ArgumentError: its pairs depend on the classes.
    """
    if mix.pairing not in (DRAWN, "permutation", "flip"):
        raise ArgumentError(f"mix must draw partners or mix random pairs, got pairing={mix.pairing!r}")
    first, second, share = report.pairs
    W = report.pair_weights(mix.graph, batch_size=batch_size)
    m, c = len(report.labels), len(report.classes)
    size = min(batch_size, m)
    each = np.bincount(first, share, m)
    there = each > 0
    mean_weight = np.divide(np.bincount(first, share * W, m), each, out=np.zeros(m), where=there)
    by_rank = weights_by_rank(mix.graph, size - 1)
    if mix.pairing != DRAWN:
        W = W / size
    elif by_rank is not None:
        W = W / (1 + by_rank.sum())  # the sample itself is in its row, too
    else:
        W = W * _mean_inverse_row(mean_weight[first], size - 2)
    frequency = (size - 1) * share * W / each[first]  # how often the sample is mixed with this partner
    anchors = int(there.sum())
    mixed_share = mix.prob * float(frequency.sum()) / anchors
    partners = np.bincount(report.labels[second], frequency, c) / anchors
    own = np.bincount(report.labels[first], frequency, c) / anchors
    rates = report.rates_of(W)
    return Effect(
        rates["within"].intrusion,
        rates["all"].intrusion,
        mixed_share,
        float((mean_weight[there] > 0).mean()) if mix.prob > 0 else 0.0,
        mix.prob * 0.5 * 0.5 * float(np.abs(partners - own).sum()),
    )


def _mean_inverse_row(mean_weight: np.ndarray, others: int) -> np.ndarray:
    """Return the mean of `1 / (2 + X)`, with X binomial: neighbours of a sample in a batch beside one, and itself."""
    p = np.maximum(mean_weight, 1e-6)
    inverse: np.ndarray = ((others + 2) * p - 1 + (1 - p) ** (others + 2)) / ((others + 1) * (others + 2) * p**2)
    return np.where(mean_weight > 1e-4, inverse, 0.5 - others * mean_weight / 6)
