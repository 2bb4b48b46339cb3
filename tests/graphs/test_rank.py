"""Neighbour graphs against sorting, and a share that means the same in a batch and in a whole set."""

import numpy as np
import pytest
import reference
import torch
from helpers import generator, seeded
from hypothesis import given
from hypothesis import strategies as st

from localmixup import KNNGraph, PairSampler


@given(st.integers(1, 12), st.integers(0, 15), st.booleans(), st.booleans(), st.integers(0, 1000))
def test_weights_agree_with_sorting_also_with_ties(n, k, symmetric, on_a_grid, seed):
    x = torch.randn(n, 2, generator=generator(seed))
    x = x.round() if on_a_grid else x
    graph, expected = KNNGraph(k, symmetric=symmetric), reference.knn(x, k, symmetric=symmetric)
    np.testing.assert_array_equal(graph.matrix(x), expected)
    for j in range(n):
        np.testing.assert_array_equal(graph.pair_weights(x, torch.full((n,), j)), expected[:, j])
    assert graph.is_vanilla(n) == (min(k, n - 1) == 0)
    assert graph.is_mixup(n) == (k >= n - 1)


def test_ties_go_to_the_lower_index():
    x = torch.tensor([[0.0], [1.0], [-1.0], [1.0], [0.0]])
    assert KNNGraph(1).matrix(x)[0].tolist() == [1, 0, 0, 0, 1]
    assert KNNGraph(2).matrix(x)[0].tolist() == [1, 1, 0, 0, 1]
    assert KNNGraph(1).matrix(x)[4].tolist() == [1, 0, 0, 0, 1]


@given(st.floats(0, 1), st.integers(1, 400))
def test_a_share_is_rounded_to_whole_neighbours(share, n):
    k = KNNGraph(share=share).count(n)
    assert 0 <= k <= max(0, n - 1)
    if share == 0 or n == 1:
        assert k == 0
    else:
        assert k == max(1, k)
        assert k == 1 or abs(k - share * (n - 1)) <= 0.5 + 1e-9
    assert KNNGraph(share=share).is_mixup(n) == (k >= n - 1)
    assert KNNGraph(share=1.0).count(n) == n - 1


def test_a_share_means_the_same_share_of_pairs_in_a_batch_and_in_the_whole_set():
    x, graph = torch.randn(401, 3, generator=generator()), KNNGraph(share=0.2)
    whole = reference.knn(x[:101], 20)  # counted with a loop: 20 of 100 others
    np.testing.assert_array_equal(graph.matrix(x[:101]), whole)
    for n in (11, 51, 101):
        kept = graph.matrix(x[:n]).sum() - n
        assert float(kept) / (n * (n - 1)) == pytest.approx(0.2, abs=1e-6)
    # what is really drawn: 80 of 400 others in the whole set, 10 of 50 in a batch, and each sample itself
    first, second = PairSampler(x, graph, 8, generator(1)).sample(4010)
    assert float((first != second).float().mean()) == pytest.approx(80 / 81, abs=0.006)  # four standard errors
    mix = seeded(graph, pairing="neighbors")
    moved = [float((mix.plan(x[:51]).partner != torch.arange(51)).float().mean()) for _ in range(80)]
    assert np.mean(moved) == pytest.approx(10 / 11, abs=0.02)


def test_more_neighbours_keep_more():
    x = torch.randn(9, 2, generator=generator())
    for k in range(8):
        assert (KNNGraph(k).matrix(x) <= KNNGraph(k + 1).matrix(x)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KNNGraph(-1), r"n_neighbors must be a whole number >= 0 .*, got -1"),
        (lambda: KNNGraph(2.5), r"n_neighbors must be a whole number >= 0 .*; for a share of the samples use share="),
        (lambda: KNNGraph(True), r"n_neighbors must be a whole number"),
        (lambda: KNNGraph(), r"give one of n_neighbors and share, such as KNNGraph\(share=0.2\), .* got n_neighbors=None"),
        (lambda: KNNGraph(3, share=0.1), "give one of n_neighbors and share, .* got n_neighbors=3, share=0.1"),
        (lambda: KNNGraph(share=1.5), r"share must be between 0 and 1 \(0 is vanilla training, 1 classical mixup\), got 1.5"),
        (lambda: KNNGraph(3, symmetric="yes"), "symmetric must be True or False, got 'yes'"),
        (lambda: KNNGraph(3, metric="l1"), "metric must be one of"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
