import itertools

import pytest
import torch
from scipy.stats import chisquare

from localmixup import ArgumentError, LocalMixup, NearestOfGraph
from localmixup.graphs.registry import graph_from_config, graph_to_config


def slow_matrix(x, candidates):
    """W by going through all lists of candidates."""
    n = len(x)
    distances = [[float((a - b).norm()) for b in x] for a in x]
    W = torch.eye(n, dtype=torch.float64)
    for i in range(n):
        hits = [0] * n
        for drawn in itertools.product([j for j in range(n) if j != i], repeat=candidates):
            hits[min(drawn, key=lambda j: (distances[i][j], j))] += 1
        W[i] += torch.tensor(hits, dtype=torch.float64) / max(hits)
    return W


@pytest.mark.parametrize("candidates", [1, 2, 3, 5])
def test_matrix_equals_a_count_of_all_lists_of_candidates(candidates):
    x = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(candidates))
    torch.testing.assert_close(NearestOfGraph(candidates).matrix(x), slow_matrix(x, candidates))


def test_ties_go_to_the_lower_index():
    x = torch.tensor([[0.0], [1.0], [1.0], [-1.0], [0.0]], dtype=torch.float64)
    torch.testing.assert_close(NearestOfGraph(3).matrix(x), slow_matrix(x, 3))


@pytest.mark.parametrize("metric", ["euclidean", "cosine", lambda a, b: (a - b).abs().amax(dim=1)])
@pytest.mark.parametrize("rows", [None, torch.tensor([7, 2, 5])])
def test_partners_are_drawn_from_the_rows_of_w(metric, rows):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(9, 4, generator=generator)
    graph, draws = NearestOfGraph(3, metric=metric), 12_000
    first = torch.arange(9) if rows is None else rows
    repeated = first.repeat(draws)
    uniform = torch.rand(len(repeated), graph.n_uniform, dtype=torch.float64, generator=generator)
    partner = graph.draw_partners(x, uniform, repeated)
    counts = torch.zeros(9, 9).index_put_((repeated, partner), torch.ones(len(partner)), accumulate=True)
    if rows is None:
        assert torch.equal(graph.draw_partners(x, uniform[:9]), partner[:9])
    weights = graph.matrix(x).double()
    for i in first.tolist():
        expected = weights[i] / weights[i].sum() * draws
        assert chisquare(counts[i].double().numpy(), expected.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("n", [1, 2, 3, 700])
@pytest.mark.parametrize("shape", [(), (3, 5, 5)])
def test_any_batch(n, shape):
    mix = LocalMixup(NearestOfGraph(4), pairing="neighbors")
    batch = mix(torch.randn(n, *shape), torch.arange(n))
    assert torch.isfinite(batch.inputs).all()
    assert batch.weights.eq(1).all()


def test_many_columns_are_compared_in_blocks():
    x = torch.randn(40, 60_000, generator=torch.Generator().manual_seed(0)) + 100
    graph = NearestOfGraph(2)
    candidates = torch.tensor([[1, 2], [5, 9], [30, 4]])
    chosen = graph.nearest(x, torch.tensor([0, 3, 12]), candidates)
    for i, row, got in zip([0, 3, 12], candidates, chosen, strict=True):
        assert int(got) == int(min(row, key=lambda j, i=i: float((x[i].double() - x[j].double()).norm())))


def test_one_candidate_is_mixup_and_many_are_the_nearest():
    assert NearestOfGraph(1).is_mixup(50)
    assert not NearestOfGraph(2).is_mixup(50)
    x = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    W = NearestOfGraph(400).matrix(x)
    torch.testing.assert_close(
        W, torch.eye(4) + torch.tensor([[0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.0]])
    )


def test_mean_rank_is_that_of_a_minimum():
    weights = NearestOfGraph(4).rank_weights(5000)
    mean = (weights / weights.sum() * torch.arange(1, 5001)).sum() / 5000
    assert float(mean) == pytest.approx(1 / 5, rel=1e-3)


def test_configuration():
    graph = NearestOfGraph(3, metric="cosine")
    assert graph_from_config(graph_to_config(graph)) == graph
    with pytest.raises(ArgumentError, match="n_candidates must be a whole number >= 1"):
        NearestOfGraph(0)
