"""The spirals in both readings."""

import numpy as np
import pytest
import torch

from localmixup.lab.data.generators import spirals


def test_both_readings_of_the_spirals():
    # the published draw is mirrored and separable, the paper's noise is not
    x, y = spirals(reading="published")
    np.testing.assert_allclose(x[y == 1], -x[y == 0], atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-3)
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(1)
    order = np.random.default_rng(0).permutation(2000)
    assert cross_val_score(nearest, x[order], y[order]).mean() > 0.99
    x, y = spirals(reading="paper")
    assert 0.6 < cross_val_score(nearest, x[order], y[order]).mean() < 0.75
    distances = torch.pdist(torch.from_numpy(spirals(reading="published")[0]).double())
    # quantiles of the authors' own arrays: one draw of 1,600 points against another of 2,000
    found = torch.quantile(distances, torch.tensor([0.25, 0.5, 0.75, 0.99]).double())
    assert found.tolist() == pytest.approx([1.1345, 1.7923, 2.4470, 3.6202], rel=0.03)
