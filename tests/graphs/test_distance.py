"""Exponential and threshold graphs against loops."""

import math

import numpy as np
import pytest
import reference
import torch
from helpers import generator
from hypothesis import given
from hypothesis import strategies as st

from localmixup import ExponentialGraph, ThresholdGraph


def every_pair(graph, x):
    """Return W from `pair_weights` alone, one column at a time."""
    return torch.stack([graph.pair_weights(x, torch.full((len(x),), j)) for j in range(len(x))], dim=1)


@pytest.mark.parametrize(
    ("graph", "slow"),
    [
        (ExponentialGraph(0.7), lambda x: reference.exponential(x, 0.7)),
        (ExponentialGraph(0.7, metric="rms"), lambda x: reference.exponential(x, 0.7, "rms")),
        (ExponentialGraph(2.0, metric="cosine"), lambda x: reference.exponential(x, 2.0, "cosine")),
        (ExponentialGraph(math.inf), lambda x: np.eye(len(x))),
        (ExponentialGraph(1e300), lambda x: np.eye(len(x))),
        (ExponentialGraph(0.0), lambda x: np.ones((len(x), len(x)))),
        (ThresholdGraph(3.0), lambda x: reference.threshold(x, 3.0)),
        (ThresholdGraph(1.2, metric="rms"), lambda x: reference.threshold(x, 1.2, "rms")),
        (ThresholdGraph(0.9, metric="cosine"), lambda x: reference.threshold(x, 0.9, "cosine")),
        (ThresholdGraph(0.0), lambda x: np.eye(len(x))),
        (ThresholdGraph(math.inf), lambda x: np.ones((len(x), len(x)))),
    ],
)
def test_weights_agree_with_a_loop(graph, slow):
    x = torch.randn(15, 2, 3, generator=generator())
    expected = slow(x)
    np.testing.assert_allclose(graph.matrix(x), expected, atol=1e-6)
    np.testing.assert_allclose(every_pair(graph, x), expected, atol=1e-6)
    i, j = torch.triu_indices(15, 15, offset=1)
    distances = torch.tensor(reference.distance_matrix(x, graph.metric))[i, j]
    np.testing.assert_allclose(graph.weights_of_distances(distances, population=15), expected[i, j], atol=1e-6)
    assert graph.matrix(x).dtype == torch.float32
    assert graph.pair_weights(x.double(), torch.arange(15)).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_of_large_rows_and_of_rows_far_from_the_origin(dtype):
    size, offset = ((4, 3072), 100.0) if dtype == torch.float32 else ((4, 3, 224, 224), 0.0)
    x = (torch.randn(size, generator=generator()) + offset).to(dtype)
    partner = torch.tensor([1, 2, 3, 0])
    d = (x.double() - x[partner].double()).flatten(1).norm(dim=1)
    decay = 1 / float(d.median())  # here an error of the distance moves the weight most
    weights = ExponentialGraph(decay).pair_weights(x, partner)
    np.testing.assert_allclose(weights, torch.exp(-decay * d), atol=1e-6)
    assert ThresholdGraph(float(d.max()) * 1.0001).pair_weights(x, partner).tolist() == [1.0] * 4


@pytest.mark.parametrize("metric", ["euclidean", "rms", "cosine"])
def test_duplicates_are_mixed_at_every_finite_parameter(metric):
    x = torch.randn(1, 3, generator=generator()).repeat(2, 1)
    for decay in (0.0, 1.0, 1e30, 1e300):
        assert ExponentialGraph(decay, metric=metric).matrix(x).tolist() == [[1, 1], [1, 1]]
        assert ExponentialGraph(decay, metric=metric).pair_weights(x, torch.tensor([1, 0])).tolist() == [1, 1]
    assert ThresholdGraph(0.0, metric=metric).matrix(x).tolist() == [[1, 1], [1, 1]]
    assert ExponentialGraph(math.inf, metric=metric).matrix(x).tolist() == [[1, 0], [0, 1]]


@given(st.floats(0, 5), st.floats(0, 5))
def test_weights_never_rise_with_locality(a, b):
    x = torch.randn(8, 2, generator=generator(), dtype=torch.float64)
    low, high = sorted([a, b])
    assert (ExponentialGraph(high).matrix(x) <= ExponentialGraph(low).matrix(x)).all()
    assert (ThresholdGraph(low).matrix(x) <= ThresholdGraph(high).matrix(x)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ExponentialGraph(-1.0),
            r"decay must be >= 0 \(0 is classical mixup, inf vanilla training\), got -1.0",
        ),
        (lambda: ExponentialGraph(math.nan), r"decay must be >= 0 .*, got nan"),
        (lambda: ExponentialGraph("far"), r"decay must be >= 0 .*, got 'far'"),
        (lambda: ExponentialGraph(1.0, metric="l2"), r"metric must be one of 'euclidean', 'rms', 'cosine', got 'l2'"),
        (lambda: ThresholdGraph(-0.5), r"radius must be >= 0 .*, got -0.5"),
        (lambda: ThresholdGraph(None), r"radius must be >= 0 .*, got None"),
    ],
)
def test_a_bad_parameter_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
