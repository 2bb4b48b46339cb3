"""The suggested recipes keep almost every sample in play, and the first that adds nothing is the one to take."""

import numpy as np
import pytest

from localmixup import LocalMixup, ThresholdGraph, recommend
from localmixup.geometry import class_regions, effect_of, intrusion, target_gap
from localmixup.lab.inspection.suggestions import (
    FEWEST_COVERED,
    LARGEST_SHIFT,
    ladder,
    suggestions_for_classes,
    suggestions_for_targets,
)


def stripes(count, n=300):
    x = np.random.default_rng(0).uniform(0, 1, (n, 2))
    return x, (x[:, 0] * count).astype(int) % 2


@pytest.mark.parametrize("count", [1, 2, 6, 40])
def test_the_first_recipe_that_fits_is_taken(count):
    x, y = stripes(count) if count > 1 else (stripes(2)[0], stripes(2)[0][:, 0] > 0.7)
    report, regions = intrusion(x, y, n_samples=4000, exhaustive=False), class_regions(x, y)
    found = suggestions_for_classes(report, regions, batch_size=32)
    limit = regions.accepted_within
    within = [regions.rates_of_recipe(mix, batch_size=32)["within"].value for _, mix in ladder()]
    expected = next((k for k, rate in enumerate(within) if rate <= limit), len(within) - 1)
    assert [one.take for one in found.recipes] == [True] + [False] * (len(found.recipes) - 1)
    assert found.recipes[0].mix.to_config() == [mix for _, mix in ladder()][expected].to_config()
    assert recommend(x, y, batch_size=32).to_config() == found.recipes[0].mix.to_config()
    assert found.recipes[0].error == within[expected]
    assert found.recipes[0].fits == (within[expected] <= limit)
    assert found.mixup.shift == effect_of(report, found.mixup.mix, batch_size=32).shift
    if count == 1:  # two convex classes
        assert found.mixup.fits
        assert found.recipes[0].mix.to_config() == LocalMixup().to_config()


def test_a_suggested_radius_is_the_largest_that_keeps_samples_classes_and_labels():
    report, regions = intrusion(*stripes(4), n_samples=4000, exhaustive=False), class_regions(*stripes(4))
    (radius,) = [one for one in suggestions_for_classes(report, regions, batch_size=32).recipes if not one.take]
    assert isinstance(radius.mix.graph, ThresholdGraph)
    assert radius.fits
    assert radius.coverage >= FEWEST_COVERED
    assert radius.shift <= LARGEST_SHIFT
    wider = LocalMixup(ThresholdGraph(1.15 * radius.mix.graph.radius), prob=radius.mix.prob, pairing="neighbors")
    assert regions.rates_of_recipe(wider, batch_size=32)["within"].value > regions.accepted_within


def test_regression_narrows_where_the_target_bends():
    x = np.random.default_rng(0).uniform(0, 1, (400, 1))
    noise = 0.1 * np.random.default_rng(1).normal(size=400)
    straight, bent = (
        suggestions_for_targets(target_gap(x, y + noise, n_samples=4000), batch_size=32)
        for y in (x[:, 0], np.sin(12 * x[:, 0]))
    )
    assert straight.recipes[0].mix.to_config() == LocalMixup().to_config()
    assert straight.mixup.fits
    assert not bent.mixup.fits
    assert bent.recipes[0].mix.to_config() != LocalMixup().to_config()
    assert bent.recipes[0].error < bent.mixup.error
