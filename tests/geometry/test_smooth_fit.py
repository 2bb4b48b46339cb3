"""Samples left out of a smooth fit: against fits that never saw them, by scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge

from localmixup.geometry import smooth_fit as module
from localmixup.geometry.smooth_fit import smooth_fit


def noisy(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    return x, x[:, 0] ** 2 + 3 + 0.2 * rng.normal(size=rows)


def refitted(fit, x, y, left_out, place):
    kept = np.setdiff1d(np.arange(len(x)), [k for k in left_out if k >= 0])
    penalty = np.linalg.inv(fit.inverse)[0, 0] - 1  # the kernel is 1 on the diagonal
    peer = KernelRidge(alpha=penalty, kernel="rbf", gamma=fit.width).fit(x[kept], y[kept] - fit.mean)
    return peer.predict(place[None])[0] + fit.mean


@pytest.mark.parametrize(("first", "second"), [(3, 17), (0, -1), (-1, 5), (-1, -1)])
def test_leaving_out_is_fitting_without(first, second):
    x, y = noisy()
    fit = smooth_fit(torch.from_numpy(x), y)
    place = 0.3 * x[3] + 0.7 * x[17]
    found = fit.without(torch.from_numpy(place[None]), np.array([first]), np.array([second]))[0]
    assert found == pytest.approx(refitted(fit, x, y, (first, second), place), rel=1e-6)


def test_the_error_is_that_of_leaving_out_each_sample_and_no_other_setting_has_a_lower_one():
    x, y = noisy()
    fit = smooth_fit(torch.from_numpy(x), y)
    alone = [fit.without(torch.from_numpy(x[k : k + 1]), np.array([k]), np.array([-1]))[0] for k in range(len(x))]
    assert fit.error == pytest.approx(np.square(alone - y).mean(), rel=1e-6)
    for width in (fit.width / 3, fit.width * 3):
        peer = KernelRidge(alpha=0.1, kernel="rbf", gamma=width)
        errors = [
            (peer.fit(np.delete(x, k, 0), np.delete(y, k) - y.mean()).predict(x[k : k + 1])[0] + y.mean() - y[k]) ** 2
            for k in range(len(x))
        ]
        assert fit.error < np.mean(errors) * 1.001


def test_blocks_do_not_change_the_values(monkeypatch):
    x, y = noisy()
    fit, ends = smooth_fit(torch.from_numpy(x), y), np.arange(40)
    whole = fit.without(torch.from_numpy(x), ends, ends[::-1].copy())
    monkeypatch.setattr(module, "_BLOCK", 7)
    np.testing.assert_allclose(fit.without(torch.from_numpy(x), ends, ends[::-1].copy()), whole)
