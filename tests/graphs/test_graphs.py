import math

import numpy as np
import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st

from localmixup import CompleteGraph, ExponentialGraph, IdentityGraph, KNNGraph, ThresholdGraph


def every_pair(graph, x):
    """W from `pair_weights` alone, one partner at a time."""
    n = len(x)
    columns = [graph.pair_weights(x, torch.full((n,), j)) for j in range(n)]
    return torch.stack(columns, dim=1)


@pytest.fixture
def x():
    return torch.randn(15, 2, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("graph", "slow"),
    [
        (ExponentialGraph(0.7), lambda x: reference.exponential(x, 0.7)),
        (ExponentialGraph(0.7, metric="rms"), lambda x: reference.exponential(x, 0.7, "rms")),
        (ExponentialGraph(2.0, metric="cosine"), lambda x: reference.exponential(x, 2.0, "cosine")),
        (ExponentialGraph(math.inf), lambda x: np.eye(len(x))),
        (ExponentialGraph(0.0), lambda x: np.ones((len(x), len(x)))),
        (ThresholdGraph(3.0), lambda x: reference.threshold(x, 3.0)),
        (ThresholdGraph(0.0), lambda x: np.eye(len(x))),
        (ThresholdGraph(math.inf), lambda x: np.ones((len(x), len(x)))),
        (KNNGraph(0), lambda x: np.eye(len(x))),
        (KNNGraph(4), lambda x: reference.knn(x, 4)),
        (KNNGraph(4, symmetric=True), lambda x: reference.knn(x, 4, symmetric=True)),
        (KNNGraph(14), lambda x: np.ones((len(x), len(x)))),
        (CompleteGraph(), lambda x: np.ones((len(x), len(x)))),
        (IdentityGraph(), lambda x: np.eye(len(x))),
    ],
)
def test_weights_agree_with_a_loop(graph, slow, x):
    expected = slow(x)
    np.testing.assert_allclose(graph.matrix(x), expected, atol=1e-6)
    np.testing.assert_allclose(every_pair(graph, x), expected, atol=1e-6)
    assert graph.matrix(x).dtype == torch.float32
    assert graph.pair_weights(x.double(), torch.arange(15)).dtype == torch.float64
    assert (graph.matrix(x).diagonal() == 1).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_of_imagenet_sized_and_far_off_rows(dtype):
    size = (4, 3, 224, 224) if dtype != torch.float32 else (4, 3072)
    offset = 0.0 if dtype != torch.float32 else 100.0
    x = (torch.randn(size, generator=torch.Generator().manual_seed(0)) + offset).to(dtype)
    partner = torch.tensor([1, 2, 3, 0])
    d = (x.double() - x[partner].double()).flatten(1).norm(dim=1)
    decay = 1 / float(d.median())  # where an error of the distance moves the weight most
    weights = ExponentialGraph(decay).pair_weights(x, partner)
    np.testing.assert_allclose(weights, torch.exp(-decay * d), atol=1e-6)
    assert ThresholdGraph(float(d.max()) * 1.0001).pair_weights(x, partner).tolist() == [1.0] * 4


def test_ties_among_neighbours_go_to_the_lower_index():
    x = torch.tensor([[0.0], [1.0], [-1.0], [1.0], [0.0]])
    assert KNNGraph(1).matrix(x)[0].tolist() == [1, 0, 0, 0, 1]
    assert KNNGraph(2).matrix(x)[0].tolist() == [1, 1, 0, 0, 1]
    assert KNNGraph(1).matrix(x)[4].tolist() == [1, 0, 0, 0, 1]


def test_duplicates_are_mixed_at_every_finite_parameter_only():
    x = torch.zeros(2, 3)
    assert ExponentialGraph(1e30).matrix(x).tolist() == [[1, 1], [1, 1]]
    assert ThresholdGraph(0.0).matrix(x).tolist() == [[1, 1], [1, 1]]
    assert ExponentialGraph(math.inf).matrix(x).tolist() == [[1, 0], [0, 1]]
    assert IdentityGraph().matrix(x).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ExponentialGraph(-1.0), r"decay must be >= 0 .*, got -1.0"),
        (lambda: ExponentialGraph(math.nan), r"decay must be >= 0 .*, got nan"),
        (lambda: ExponentialGraph("far"), r"decay must be >= 0 .*, got 'far'"),
        (lambda: ExponentialGraph(1.0, metric="l2"), r"metric must be one of"),
        (lambda: ThresholdGraph(-0.5), r"radius must be >= 0 .*, got -0.5"),
        (lambda: ThresholdGraph(None), r"radius must be >= 0 .*, got None"),
        (lambda: KNNGraph(-1), r"n_neighbors must be a whole number >= 0 .*, got -1"),
        (lambda: KNNGraph(2.5), r"n_neighbors must be a whole number >= 0 .*, got 2.5"),
        (lambda: KNNGraph(True), r"n_neighbors must be a whole number"),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@given(st.floats(0, 5), st.floats(0, 5))
def test_weights_never_rise_with_locality(a, b):
    x = torch.randn(8, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    low, high = sorted([a, b])
    assert (ExponentialGraph(high).matrix(x) <= ExponentialGraph(low).matrix(x)).all()
    assert (ThresholdGraph(low).matrix(x) <= ThresholdGraph(high).matrix(x)).all()
    assert (KNNGraph(int(low)).matrix(x) <= KNNGraph(int(high)).matrix(x)).all()


def test_an_empty_batch_and_a_batch_of_one():
    for graph in (ExponentialGraph(1.0), ThresholdGraph(1.0), KNNGraph(1), CompleteGraph(), IdentityGraph()):
        assert graph.matrix(torch.zeros(0, 3)).shape == (0, 0)
        assert graph.matrix(torch.zeros(1, 3)).tolist() == [[1.0]]
        assert graph.pair_weights(torch.ones(1, 3), torch.tensor([0])).tolist() == [1.0]
