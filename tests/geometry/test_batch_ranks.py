"""Ranks in a random batch against batches that are drawn."""

import numpy as np
import pytest
import torch

from localmixup import KNNGraph, NearestOfGraph, ThresholdGraph
from localmixup.geometry.batch_ranks import mean_weight_in_batch, weights_by_rank


@pytest.mark.parametrize(("population", "size"), [(30, 8), (12, 12), (9, 2)])
@pytest.mark.parametrize("graph", [KNNGraph(3), KNNGraph(share=0.5), NearestOfGraph(4)], ids=repr)
def test_the_mean_weight_equals_that_in_drawn_batches(population, size, graph):
    rng, draws = np.random.default_rng(0), 400
    ranks = np.arange(1, population)
    weights = weights_by_rank(graph, size - 1)
    np.testing.assert_allclose(weights, graph.matrix(line(size))[0, 1:], rtol=1e-6)
    total = np.zeros(len(ranks))
    for r in ranks:
        others = np.delete(ranks, r - 1)  # ranks of the samples that may fill the batch
        for _ in range(draws):
            total[r - 1] += weights[(rng.permutation(others)[: size - 2] < r).sum()]
    found = mean_weight_in_batch(ranks, population, weights)
    np.testing.assert_allclose(found, total / draws, atol=0.1)
    assert found.sum() * (size - 1) / (population - 1) == pytest.approx(weights.sum())


def line(count):
    """Samples on a line, each farther from the first one than the one before."""
    return torch.arange(count, dtype=torch.float64)[:, None]


def test_a_batch_of_the_whole_set_keeps_the_ranks_and_distances_have_none():
    weights = weights_by_rank(KNNGraph(5), 19)
    np.testing.assert_allclose(mean_weight_in_batch(np.arange(1, 20), 20, weights), weights)
    assert weights_by_rank(ThresholdGraph(1.0), 19) is None
    assert weights_by_rank(KNNGraph(5, symmetric=True), 19) is None


def test_a_wrong_number_of_weights_is_named():
    with pytest.raises(ValueError, match="weights must be those of 1 to 19 other samples, got 20"):
        mean_weight_in_batch(np.arange(3), 20, np.ones(20))
