"""What a recipe does to data with classes: how often its mixtures intrude, whom it mixes, and with whom."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from localmixup import LocalMixup
from localmixup.geometry.intrusion_report import IntrusionReport
from localmixup.geometry.rates import Rate


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
    pairs, c = report.pairs, len(report.classes)
    frequency, mixed_share, coverage = pairs.mixing(mix, batch_size=batch_size)
    anchors = len(np.unique(pairs.first))
    partners = np.bincount(report.labels[pairs.second], frequency, c) / anchors
    own = np.bincount(report.labels[pairs.first], frequency, c) / anchors
    # a partner has half of the label on average
    shift = 0.5 * 0.5 * float(np.abs(partners - own).sum())
    rates = report.rates_of(np.divide(frequency, pairs.share))
    return Effect(rates["within"].intrusion, rates["all"].intrusion, mixed_share, coverage, shift)
