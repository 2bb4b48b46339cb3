"""Closed forms on the ring against exact enumeration, reference numbers, and what is proved about them."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from localmixup.theory import ring

REFERENCE = json.loads((Path(__file__).parents[1] / "theory_reference.json").read_text())
signals = arrays(np.float64, st.integers(1, 24), elements=st.floats(-5, 5, width=32))


def enumerated(y, K):
    """Eq. (4) pair by pair in exact arithmetic: the average of the mixed outputs at every lattice point."""
    n, y = len(y), [Fraction(v) for v in y]
    found = []
    for i in range(n):
        values = [y[i]] * (2 * K)  # i is an end of 2 K pairs
        for length in range(1, K + 1):
            for k in range(1, length):
                share = Fraction(k, length)
                values.append((1 - share) * y[(i - k) % n] + share * y[(i + length - k) % n])
        found.append(float(sum(values) / len(values)))
    return found


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("K", [1, 2, 3, 7, 17])
def test_the_optimum_is_the_average_of_eq_4(n, K):
    y = np.random.default_rng(n).normal(size=n)
    np.testing.assert_allclose(ring.local_mixup_optimum(y, reach=K), enumerated(y, K), rtol=1e-12, atol=1e-13)


def density_enumerated(y, K):
    """The minimiser for lam uniform beside a lattice point, both sides averaged: weights 1 / length."""
    n, found = len(y), []
    for i in range(n):
        total = weight = 0.0
        for length in range(1, K + 1):
            for k in range(length + 1):
                w = (1 if 0 < k < length else 0.5) / length
                total += w * ((1 - k / length) * y[(i - k) % n] + k / length * y[(i + length - k) % n])
                weight += w
        found.append(total / weight)
    return found


@pytest.mark.parametrize("K", [1, 2, 5, 11])
def test_the_density_optimum_weighs_segments_by_one_over_their_length(K):
    y = np.random.default_rng(0).normal(size=7)
    np.testing.assert_allclose(
        ring.local_mixup_optimum(y, reach=K, kind="density"), density_enumerated(y, K), rtol=1e-12
    )


@pytest.mark.parametrize("case", REFERENCE["periodic_fK"], ids=lambda c: f"n={c['n']}")
def test_reference_numbers_of_the_ring(case):
    y = np.array(case["y"])
    for r in case["results"]:
        for key, kind in (("f", "paper"), ("f_density", "density"), ("f_plain_open", "open")):
            np.testing.assert_allclose(
                ring.local_mixup_optimum(y, reach=r["K"], kind=kind), r[key], rtol=1e-10, atol=1e-12
            )
        assert ring.prediction_variance(y, reach=r["K"]) == pytest.approx(r["var"], rel=1e-10)
        assert ring.prediction_variance(y, reach=r["K"], kind="density") == pytest.approx(r["var_density"], rel=1e-10)
        assert ring.train_bias2(y, reach=r["K"]) == pytest.approx(r["bias2"], rel=1e-10, abs=1e-14)
    found = [ring.prediction_variance(y, reach=K) for K in range(1, 3 * len(y) + 1)]
    np.testing.assert_allclose(found, case["var_K_1_to_3n"], rtol=1e-10)


def test_reference_kernels_and_transfer_functions():
    for K, values in REFERENCE["kernel_coefficients"].items():
        K = int(K)
        np.testing.assert_allclose(ring.kernel(K)[1:] * K * (K + 3) / 2, values["a"], rtol=1e-11)
        np.testing.assert_allclose(ring.kernel(K, kind="density")[1:] * K, values["b"], rtol=1e-11)
    theta = np.array(REFERENCE["transfer"]["theta"])
    for name, kind in (("paper", "paper"), ("plain_open", "open"), ("density", "density")):
        for K, values in REFERENCE["transfer"][name].items():
            np.testing.assert_allclose(ring.transfer(theta, reach=int(K), kind=kind), values, rtol=1e-10)


def test_reference_variances_of_iid_outputs():
    for K, values in REFERENCE["var_iid"].items():
        for name, kind in (("paper", "paper"), ("plain_open", "open"), ("density", "density")):
            assert ring.iid_variance(reach=int(K), kind=kind) == pytest.approx(values[name], rel=1e-11)
        if values["fraction"]:
            assert ring.iid_variance_exact(reach=int(K)) == Fraction(values["fraction"])


def test_bounds_of_theorem_4_4():
    for K in range(1, 400):
        variance, bounds = ring.iid_variance(reach=K), ring.iid_variance_bounds(reach=K)
        assert bounds.lower <= variance * (1 + 1e-12)
        assert variance <= bounds.upper < bounds.paper_upper
        assert (bounds.paper_lower <= variance) == (K >= 12)
    for kind, constant in (("paper", 28 / 27), ("open", 28 / 27), ("density", 5 / 3)):
        assert ring.iid_variance(reach=200_000, kind=kind) * 200_000 == pytest.approx(constant, rel=1e-3)


@settings(max_examples=50)
@given(signals, st.integers(1, 60))
def test_variance_never_rises_and_bias_never_falls_with_the_reach(y, K):
    size = max(1e-300, float(np.var(y)) + float(np.mean(y)) ** 2)
    assert ring.prediction_variance(y, reach=K + 1) <= ring.prediction_variance(y, reach=K) + 1e-14 * size
    assert ring.train_bias2(y, reach=K + 1) >= ring.train_bias2(y, reach=K) - 1e-14 * size


@settings(max_examples=50)
@given(signals, st.integers(0, 60), st.sampled_from(ring.KINDS))
def test_the_mean_stays_and_the_kernel_sums_to_one(y, K, kind):
    c = ring.kernel(K, kind=kind)
    assert c.min() > 0
    assert c[0] + 2 * c[1:].sum() == pytest.approx(1, abs=1e-12)
    assert np.mean(ring.local_mixup_optimum(y, reach=K, kind=kind)) == pytest.approx(np.mean(y), abs=1e-12)


def test_lemma_4_3_as_it_holds():
    y = np.array([1.0, 0.0, -1.0, 0.0])
    np.testing.assert_allclose(ring.indirect_sum(y, distance=4), [-1, 0, 1, 0], atol=1e-14)
    np.testing.assert_allclose(ring.indirect_sum(y, distance=6), [-2 / 3, 0, 2 / 3, 0], atol=1e-14)
    z = np.random.default_rng(1).normal(size=6)
    np.testing.assert_allclose(ring.indirect_sum(z, distance=18), 18 * z.mean() - z, atol=1e-12)


def test_kinds_of_arrays_and_several_outputs():
    y = torch.randn(9, 2)
    found = ring.local_mixup_optimum(y, reach=3)
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float32
    one = ring.local_mixup_optimum(y[:, 1].double(), reach=3)
    torch.testing.assert_close(found[:, 1].double(), one, rtol=1e-5, atol=1e-6)
    assert ring.prediction_variance(y, reach=3).shape == (2,)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ([1.0, 2.0], {"reach": -1}, "reach must be a whole number >= 0"),
        ([1.0, 2.0], {"reach": 1.5}, "reach must be a whole number >= 0"),
        ([1.0, np.nan], {"reach": 1}, "y must be finite, got nan at position"),
        ([], {"reach": 1}, "length of y"),
        ("abc", {"reach": 1}, "y must hold numbers"),
        ([1.0], {"reach": 1, "kind": "papr"}, "did you mean 'paper'"),
    ],
)
def test_mistakes_are_named(y, options, message):
    with pytest.raises(ValueError, match=message):
        ring.local_mixup_optimum(y, **options)
