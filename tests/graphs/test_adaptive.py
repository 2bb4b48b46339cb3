"""The exponential graph whose decay follows the data."""

import math

import numpy as np
import pytest
import reference
import torch
from helpers import generator
from hypothesis import given, settings
from hypothesis import strategies as st

from localmixup import AdaptiveExponentialGraph, ExponentialGraph


def test_the_running_scale_is_its_formula():
    graph = AdaptiveExponentialGraph(times_median=1.5, momentum=0.8)
    scale = None
    for step in range(6):
        x = torch.randn(9, 4, generator=generator(step)) * (1 + step)
        partner = torch.randperm(9, generator=generator(step + 50))
        distances = reference.distance_matrix(x)[np.arange(9), partner.numpy()]
        distinct = np.sort(distances[partner.numpy() != np.arange(9)])
        unit = distinct[(len(distinct) - 1) // 2] / 1.5  # the lower median
        scale = unit if scale is None else 0.8 * scale + 0.2 * unit
        weights = graph.pair_weights(x, partner)
        assert graph.decay == pytest.approx(1 / scale, rel=1e-5)
        np.testing.assert_allclose(weights, np.exp(-distances / scale), rtol=1e-5)
    graph.eval()
    frozen = graph.decay
    graph.pair_weights(100 * x, partner)
    assert graph.decay == frozen


@pytest.mark.parametrize("mean_weight", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_the_mean_weight_of_a_batch_is_what_was_wished(mean_weight):
    x = torch.randn(40, 6, generator=generator())
    graph = AdaptiveExponentialGraph(mean_weight=mean_weight)
    matrix = graph.matrix(x)
    others = ~torch.eye(40, dtype=torch.bool)
    assert float(matrix[others].mean()) == pytest.approx(mean_weight, rel=1e-4)
    assert (matrix.diagonal() == 1).all()
    fitted = ExponentialGraph.fit(x, mean_weight=mean_weight)
    assert graph.decay == pytest.approx(fitted.decay, rel=1e-4)
    np.testing.assert_allclose(matrix, reference.exponential(x, fitted.decay), rtol=1e-3)


@settings(max_examples=25)
@given(
    st.integers(2, 20), st.floats(1e-12, 1e12), st.sampled_from([{"mean_weight": 0.3}, {"times_median": 2.0}]),
    st.sampled_from(["euclidean", "rms"]),
)  # fmt: skip
def test_scaled_features_give_the_same_weights(n, factor, wish, metric):
    plain, scaled = (AdaptiveExponentialGraph(**wish, metric=metric) for _ in range(2))
    for step in range(3):
        x = torch.randn(n, 3, generator=generator(step), dtype=torch.float64)
        partner = torch.arange(n).roll(1)
        a, b = plain.pair_weights(x, partner), scaled.pair_weights(x * factor, partner)
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)
    assert a.dtype == torch.float64


def test_the_scale_follows_a_drift():
    graph = AdaptiveExponentialGraph(mean_weight=0.5)
    x = torch.randn(64, 8, generator=generator())
    means = [
        float(graph.pair_weights(x * 1.02**step, torch.randperm(64, generator=generator(step))).mean())
        for step in range(150)
    ]
    assert abs(np.mean(means[50:]) - 0.5) < 0.1  # about 9 steps behind a growth of 2 % per step


@given(
    st.lists(st.sampled_from([0.0, 1.0, 3e38, -3e38, 1e-40, 5.0]), min_size=1, max_size=6),
    st.sampled_from([{"mean_weight": 0.3}, {"times_median": 1.0}, {}]),
)
def test_duplicates_single_samples_and_extremes_give_numbers(values, wish):
    graph = AdaptiveExponentialGraph(**wish)
    x = torch.tensor(values)[:, None]
    for partner in (torch.arange(len(x)), torch.arange(len(x)).roll(1), torch.arange(len(x)).flip(0)):
        for weights in (graph.pair_weights(x, partner), graph.matrix(x)):
            assert ((weights >= 0) & (weights <= 1)).all()
    assert graph.pair_weights(x[:0], partner[:0]).shape == (0,)


def test_a_batch_without_a_scale_leaves_it_unchanged():
    graph = AdaptiveExponentialGraph()
    flip = torch.tensor([1, 0])
    assert graph.pair_weights(torch.zeros(2, 1), flip).tolist() == [1, 1]
    assert math.isnan(graph.decay)
    graph.pair_weights(torch.tensor([[0.0], [2.0]]), flip)
    decay = graph.decay
    assert decay == pytest.approx(math.log(2) / 2)
    graph.pair_weights(torch.zeros(2, 1), flip)
    graph.pair_weights(torch.tensor([[0.0], [9.0]]), torch.arange(2))
    assert graph.decay == decay
    assert graph.weights_of_distances(torch.tensor([2.0]), population=2).tolist() == pytest.approx([0.5])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean_weight": 0.5, "times_median": 1.0}, "give one of mean_weight and times_median, got 0.5 and 1.0"),
        ({"mean_weight": 1}, r"mean_weight must lie between 0 \(IdentityGraph\) and 1 \(CompleteGraph\), got 1"),
        ({"mean_weight": 1.5}, "mean_weight must be between 0 and 1, got 1.5"),
        ({"times_median": 0}, r"times_median must lie between 0 \(CompleteGraph\) and inf"),
        ({"momentum": 1}, "momentum must be < 1"),
        ({"metric": "l3"}, "metric must be one of"),
    ],
)
def test_a_bad_wish_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveExponentialGraph(**options)


def test_a_scale_beyond_half_precision_is_not_taken_over():
    graph = AdaptiveExponentialGraph().half()
    graph.matrix(torch.randn(8, 3, generator=generator(1)))
    known = float(graph.scale)
    graph.matrix(1e7 * torch.randn(8, 3, generator=generator(1)))
    assert math.isfinite(known)
    assert float(graph.scale) == known
