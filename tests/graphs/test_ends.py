"""The two ends of every graph, and where each graph says that it is one of them."""

import math

import pytest
import torch
from helpers import GRAPHS, generator

from localmixup import CompleteGraph, ExponentialGraph, IdentityGraph, KNNGraph, ThresholdGraph


def test_the_two_ends_are_their_matrices():
    x = torch.randn(5, 2, generator=generator())
    partner = torch.tensor([1, 1, 0, 3, 2])
    assert torch.equal(CompleteGraph().matrix(x), torch.ones(5, 5))
    assert torch.equal(IdentityGraph().matrix(x), torch.eye(5))
    assert CompleteGraph().pair_weights(x, partner).tolist() == [1.0] * 5
    assert IdentityGraph().pair_weights(x, partner).tolist() == [0.0, 1.0, 0.0, 1.0, 0.0]
    # two samples at the same place are two samples
    assert torch.equal(IdentityGraph().matrix(torch.zeros(2, 3)), torch.eye(2))


@pytest.mark.parametrize(
    "graph",
    [
        *GRAPHS, ExponentialGraph(0.0), ExponentialGraph(math.inf), ThresholdGraph(0.0), ThresholdGraph(math.inf),
        KNNGraph(0), KNNGraph(9), KNNGraph(10), KNNGraph(share=0.0), KNNGraph(share=1.0), KNNGraph(share=0.3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("n", [1, 2, 10])
def test_a_graph_knows_where_it_is_vanilla_training_and_mixup(graph, n):
    x = torch.randn(n, 3, generator=generator())
    matrix = graph.matrix(x)
    if graph.is_vanilla(n):
        assert torch.equal(matrix, torch.eye(n))
    if graph.is_mixup(n):
        assert torch.equal(matrix, torch.ones(n, n))
    if n == 10:  # these graphs, seen from these data
        assert graph.is_vanilla(n) == torch.equal(matrix, torch.eye(n))
        assert graph.is_mixup(n) == torch.equal(matrix, torch.ones(n, n))


@pytest.mark.parametrize("graph", GRAPHS, ids=repr)
def test_an_empty_batch_and_a_batch_of_one(graph):
    assert graph.matrix(torch.zeros(0, 3)).shape == (0, 0)
    assert graph.matrix(torch.zeros(1, 3)).tolist() == [[1.0]]
    assert graph.pair_weights(torch.ones(1, 3), torch.tensor([0])).tolist() == [1.0]
    assert graph.draw_partners(torch.zeros(0, 3), torch.zeros(0, dtype=torch.float64)).shape == (0,)
