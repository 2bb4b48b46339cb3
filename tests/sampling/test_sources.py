"""Every way to draw pairs of a whole set, against the matrix W."""

import math

import numpy as np
import pytest
import torch
from helpers import generator, p_value

import localmixup.sampling._sources
from localmixup import (
    ArgumentError,
    CompleteGraph,
    DistanceGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalityGraph,
    NearestOfGraph,
    NeighborLists,
    PairSampler,
    ThresholdGraph,
)

X = torch.randn(9, 2, generator=generator())
GRAPHS = [
    CompleteGraph(), IdentityGraph(), ExponentialGraph(1.0), ExponentialGraph(math.inf), ThresholdGraph(1.2),
    ThresholdGraph(0.9, metric="rms"), ThresholdGraph(0.3, metric="cosine"), KNNGraph(2), KNNGraph(2, symmetric=True),
    KNNGraph(3, metric="cosine"), KNNGraph(share=0.3),
]  # fmt: skip
ROWS = [*GRAPHS, NearestOfGraph(3), NearestOfGraph(2, metric="cosine")]


def follows(sampler, expected, draws=15_000):
    """Return whether the drawn pairs follow the probabilities, with an error rate of at most 1e-4.

    Systematic draws of the first ends can only make the statistic smaller.
    """
    m = len(expected)
    first, second = sampler.sample(draws)
    counts = np.bincount(first.numpy() * m + second.numpy(), minlength=m * m)
    return p_value(counts, draws * np.asarray(expected, dtype=float).ravel()) > 1e-4


# a neighbour graph is not a function of the distance, so it has no rejection
@pytest.mark.parametrize(
    ("graph", "way"),
    [*((g, "as chosen") for g in GRAPHS), *((g, "by rejection") for g in GRAPHS if not isinstance(g, KNNGraph))],
)
def test_pairs_are_drawn_in_proportion_to_w(graph, way, monkeypatch):
    if way == "by rejection":
        monkeypatch.setattr(localmixup.sampling._sources, "_DENSE_ROWS", 0)
        monkeypatch.setattr(localmixup.sampling._sources, "_LISTED_PAIRS", 0)
    w = graph.matrix(X).double()
    sampler = PairSampler(X, graph, 4, generator(1), first_ends="row sums")
    assert follows(sampler, w / w.sum())
    off = w - torch.eye(9)
    assert sampler.mixed_share == pytest.approx(float(off.sum() / w.sum()), abs=1e-9 if sampler.is_exact else 0.02)
    if off.sum() == 0:
        return
    for share in (0.0, 0.3, 1.0):
        sampler = PairSampler(X, graph, 4, generator(2), mixed_share=share, first_ends="row sums")
        assert sampler.mixed_share == share
        assert follows(sampler, share * off / off.sum() + (1 - share) * torch.eye(9) / 9)


# a neighbour graph is not a function of the distance, so it has no rejection
@pytest.mark.parametrize(
    ("graph", "way"),
    [*((g, "as chosen") for g in ROWS), *((g, "by rejection") for g in ROWS if isinstance(g, DistanceGraph))],
)
def test_every_sample_is_a_first_end_equally_often_and_its_partner_follows_its_row(graph, way, monkeypatch):
    if way == "by rejection":
        monkeypatch.setattr(localmixup.sampling._sources, "_DENSE_ROWS", 0)
        monkeypatch.setattr(localmixup.sampling._sources, "_LISTED_PAIRS", 0)
    w = graph.matrix(X).double()
    sampler = PairSampler(X, graph, 4, generator(1))
    rows = w / w.sum(1, keepdim=True)
    assert follows(sampler, rows / 9)
    assert sampler.mixed_share == pytest.approx(
        1 - float(rows.diagonal().mean()), abs=1e-6 if sampler.is_exact else 0.1
    )
    off = w - torch.eye(9)
    if off.sum() == 0:
        return
    alone = (off.sum(1) == 0).double()
    partner = off / off.sum(1, keepdim=True).clamp_min(1e-300) + torch.diag(alone)
    for share in (0.0, 0.3, 1.0):
        assert follows(
            PairSampler(X, graph, 4, generator(2), mixed_share=share),
            (share * partner + (1 - share) * torch.eye(9)) / 9,
        )


def test_a_row_whose_proposals_are_hardly_ever_accepted_is_drawn_exactly(monkeypatch):
    monkeypatch.setattr(localmixup.sampling._sources, "_DENSE_ROWS", 0)
    monkeypatch.setattr(localmixup.sampling.pairs, "_ROUNDS", 1)
    x = torch.cat([X, torch.full((1, 2), 30.0)])
    w = ExponentialGraph(2.0).matrix(x).double()
    rows = w / w.sum(1, keepdim=True)
    assert follows(PairSampler(x, ExponentialGraph(2.0), 4, generator(3)), rows / 10)


def test_how_the_samples_are_used_is_described():
    x = torch.tensor([[0.0], [0.5], [1.0], [5.0], [9.0], [9.2]])
    classes = torch.tensor([0, 0, 0, 1, 1, 1])
    graph = ThresholdGraph(1.0)  # row sums 2, 2, 2, 0, 1, 1 without the diagonal
    even = PairSampler(x, graph, 2, mixed_share=1.0).describe(classes)
    assert even.coverage == pytest.approx(5 / 6)
    assert even.evenness == 1
    assert even.class_shift == pytest.approx(3 / 5 - 1 / 2)
    literal = PairSampler(x, graph, 2, mixed_share=1.0, first_ends="row sums").describe(classes)
    assert literal.evenness == pytest.approx(8**2 / (6 * 14))
    assert literal.class_shift == pytest.approx(6 / 8 - 1 / 2)
    whole = PairSampler(x, CompleteGraph(), 2).describe()
    assert whole == (pytest.approx(5 / 6), 1, 1, None)
    with pytest.raises(ArgumentError, match=r"classes must be integers of shape \(6,\)"):
        PairSampler(x, graph, 2).describe(torch.zeros(3))


def test_a_strong_decay_is_drawn_with_a_bound_for_each_row(monkeypatch):
    monkeypatch.setattr(localmixup.sampling._sources, "_DENSE_ROWS", 0)
    x = torch.randn(9, 6, generator=generator(3)) * 4
    off = ExponentialGraph(1.0).matrix(x).double() - torch.eye(9)
    sampler = PairSampler(x, ExponentialGraph(1.0), 4, generator(4), mixed_share=1.0, first_ends="row sums")
    assert sampler._pairs.bound.max() < 1
    assert follows(sampler, off / off.sum())


def test_duplicates_are_pairs_also_at_radius_zero():
    x = torch.tensor([[0.0], [0.0], [5.0]])
    expected = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) / 5
    assert follows(PairSampler(x, ThresholdGraph(0.0), 4, generator(), first_ends="row sums"), expected)


# ---- neighbours found elsewhere --------------------------------------------------------------------------------------


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("as_tensors", [True, False])
def test_neighbours_of_scikit_learn_serve(include_self, as_tensors):
    from sklearn.neighbors import kneighbors_graph

    found = kneighbors_graph(X.numpy(), 3 if include_self else 2, include_self=include_self)
    arrays = (found.indptr, found.indices)
    lists = NeighborLists(*map(torch.from_numpy, arrays)) if as_tensors else NeighborLists(*arrays)
    sampler = PairSampler(X, lists, 4, generator(5))
    w = KNNGraph(2).matrix(X).double()
    assert sampler.is_exact
    assert sampler.mixed_share == pytest.approx(2 / 3)
    assert follows(sampler, w / w.sum())


@pytest.mark.parametrize(
    ("start", "neighbor", "message"),
    [
        ([0, 1], [0], r"neighbours of 9 rows as a sparse CSR matrix does: start \(indptr\) of shape \(10,\)"),
        ([0] * 9 + [1], [9], r"neighbor \(indices\) from 0 to 8"),
        ([0, 2, 1] + [2] * 7, [1, 2], "start must rise from 0 to the number of neighbours, 2, got"),
        ([0] * 9 + [3], [1, 2], "start must rise from 0"),
    ],
)
def test_lists_that_do_not_belong_to_the_data_are_refused(start, neighbor, message):
    with pytest.raises(ValueError, match=message):
        PairSampler(X, NeighborLists(torch.tensor(start), torch.tensor(neighbor)), 2)


# ---- what cannot be drawn --------------------------------------------------------------------------------------------


class Own(LocalityGraph):
    def matrix(self, features):
        return torch.ones(len(features), len(features))


def test_a_graph_of_the_user_is_drawn_from_its_matrix_if_that_fits(monkeypatch):
    assert follows(PairSampler(X, Own(), 2, generator(7)), np.full((9, 9), 1 / 81))
    monkeypatch.setattr(localmixup.sampling._sources, "_DENSE_ROWS", 5)
    with pytest.raises(
        ValueError, match=r"graph must be a function of the distance, .* for more than 5 rows, got .*Own"
    ):
        PairSampler(X, Own(), 2)


def test_too_many_neighbours_for_the_memory_are_refused(monkeypatch):
    monkeypatch.setattr(localmixup.sampling._sources, "_LISTED_PAIRS", 10)
    with pytest.raises(
        ValueError, match=r"must have at most 1 neighbours for 9 rows, .* ThresholdGraph has no such limit"
    ):
        PairSampler(X, KNNGraph(3), 2)


def test_what_is_not_a_graph_is_refused():
    with pytest.raises(
        ValueError, match=r"graph must be a graph such as KNNGraph\(share=0.01\) or NeighborLists, got 0.5"
    ):
        PairSampler(X, 0.5, 2)
