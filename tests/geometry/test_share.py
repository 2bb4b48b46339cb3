"""The suggested share: nested classes narrow it, convex ones do not, and overlap is not mistaken for intrusion."""

import numpy as np
import pytest
from geometry_data import blobs, rings

from localmixup import KNNGraph
from localmixup.geometry import class_regions, suggest_share
from localmixup.geometry.share import SHARES, TOLERANCE, accepted_within


def test_convex_classes_may_be_mixed_as_a_whole():
    found = suggest_share(*blobs(classes=3))
    assert (found.share, found.fits, found.rows) == (1.0, True, 150)
    assert suggest_share(*blobs(classes=3), widest=0.3).share == 0.3


def test_a_ring_around_a_disc_narrows_the_share_to_the_widest_that_fits():
    x, y = rings()
    found = suggest_share(x, y, batch_size=50)
    report = class_regions(x, y, n_samples=10_000)
    within = {s: report.rates(KNNGraph(share=s), batch_size=50)["within"].value for s in SHARES}
    assert found.fits
    assert found.share == max(s for s, rate in within.items() if rate <= accepted_within(report)) < 1
    assert found.within.value == within[found.share]
    assert accepted_within(report) >= report.error.value + TOLERANCE


def test_labels_without_meaning_are_as_wrong_without_mixing():
    shares = []
    for seed in range(6):
        found = suggest_share(np.random.default_rng(seed).normal(size=(400, 2)), np.arange(400) % 2, n_samples=4000)
        assert found.error.value > 0.4
        shares.append(found.share)
    assert sum(share == 1 for share in shares) >= 4


def test_large_data_are_sampled():
    x, y = rings(3000)
    found = suggest_share(x, y, max_samples=300, n_samples=2000)
    assert found.rows == 300
    assert found == suggest_share(x, y, max_samples=300, n_samples=2000)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"widest": 0}, "widest must be"), ({"batch_size": 1}, "batch_size must be"), ({"max_samples": 1}, "max_samples")],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        suggest_share(*rings(40), **options)
