"""The recipes that an inspection suggests, and which of them to take."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from localmixup import CompleteGraph, LocalMixup, ThresholdGraph
from localmixup.geometry import IntrusionReport, RegionReport, TargetReport, effect_of
from localmixup.geometry.recommendation import ladder
from localmixup.geometry.target_gap import SAFE_GAP

FEWEST_COVERED = 0.9
"""A recipe must mix at least this share of the samples at some time."""

LARGEST_SHIFT = 0.05
"""The class shares of the mixed labels may differ from those of the data by this much."""

_RADII = np.geomspace(1.0, 0.02, 40)  # in units of the largest distance


class Suggested(NamedTuple):
    """A recipe, and what it does to the data.

    Attributes:
        title: what it is, in a few words.
        mix: the recipe.
        error: what must stay low: intrusion within classes, or the gap of a regression.
        error_of_all: intrusion of all its mixtures; None for a regression.
        shift: how far the class shares of the mixed labels are from those of the data; None for a regression.
        mixed_share: share of the samples of a batch that are mixed.
        coverage: share of the samples that are ever mixed.
        fits: whether `error` stays at what real samples show without mixing.
        take: whether this is the one to take.
    """

    title: str
    mix: LocalMixup
    error: float
    error_of_all: float | None
    shift: float | None
    mixed_share: float
    coverage: float
    fits: bool
    take: bool


class Suggestions(NamedTuple):
    """What is suggested for a data set.

    Attributes:
        recipes: the suggested ones, the one to take first.
        mixup: classical mixup of all samples, for comparison.
    """

    recipes: list[Suggested]
    mixup: Suggested


def suggestions_for_classes(report: IntrusionReport, regions: RegionReport, *, batch_size: int) -> Suggestions:
    """Return the suggested recipes for data with classes.

    Args:
        report: from `localmixup.geometry.intrusion`.
        regions: from `localmixup.geometry.class_regions`.
        batch_size: number of samples of a batch of the training loop.
    """

    def judged(title: str, mix: LocalMixup) -> Suggested:
        effect = effect_of(report, mix, batch_size=batch_size)
        rates = regions.rates_of_recipe(mix, batch_size=batch_size)
        within, every = rates["within"].value, rates["all"].value
        fits = (
            regions.accepts(mix, batch_size=batch_size)
            and effect.coverage >= FEWEST_COVERED
            and effect.shift <= LARGEST_SHIFT
        )
        return Suggested(title, mix, within, every, effect.shift, effect.mixed_share, effect.coverage, fits, take=False)

    return _chosen(judged, float(report.samples.distance.max()))


def suggestions_for_targets(report: TargetReport, *, batch_size: int) -> Suggestions:
    """Return the suggested recipes for a regression.

    Args:
        report: from `localmixup.geometry.target_gap`.
        batch_size: number of samples of a batch of the training loop.
    """

    def judged(title: str, mix: LocalMixup) -> Suggested:
        frequency, mixed_share, coverage = report.pairs.mixing(mix, batch_size=batch_size)
        gap = report.gap_of(np.divide(frequency, report.pairs.share)).value
        fits = gap <= SAFE_GAP and coverage >= FEWEST_COVERED
        return Suggested(title, mix, gap, None, None, mixed_share, coverage, fits, take=False)

    return _chosen(judged, float(report.pairs.distance.max()))


def _chosen(judged: Callable[[str, LocalMixup], Suggested], largest: float) -> Suggestions:
    found = [judged(title, mix) for title, mix in ladder()]
    taken = next((one for one in found if one.fits), found[-1])._replace(take=True)
    mixup = judged("mixup of all samples", LocalMixup(CompleteGraph()))
    radius = None if mixup.fits else _radius(judged, taken.mix, largest)  # a radius that holds all pairs is mixup
    return Suggestions([taken] if radius is None else [taken, radius], mixup)


def _radius(judged: Callable[[str, LocalMixup], Suggested], like: LocalMixup, largest: float) -> Suggested | None:
    """Return the recipe with the largest radius that fits, rounded to three digits; None if there is none."""
    for share in _RADII:
        graph = ThresholdGraph(float(f"{share * largest:.3g}"))
        one = judged("a fixed radius", LocalMixup(graph, prob=like.prob, pairing="neighbors"))
        if one.fits:
            return one
        if one.coverage < FEWEST_COVERED:  # smaller radii cover less
            return None
    return None
