"""Pairs of the whole set: exact neighbour lists, and draws in proportion to W."""

import math

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2
from torch.utils.data import DataLoader, TensorDataset

import localmixup.sampling.neighbors
import localmixup.sampling.pairs
from localmixup import (
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalityGraph,
    LocalMixup,
    PairDataset,
    PairSampler,
    ThresholdGraph,
)
from localmixup.sampling.neighbors import nearest, of_nearest, within_radius

X = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
GRAPHS = [
    CompleteGraph(),
    IdentityGraph(),
    ExponentialGraph(1.0),
    ExponentialGraph(math.inf),
    ThresholdGraph(1.2),
    ThresholdGraph(0.9, metric="rms"),
    ThresholdGraph(0.3, metric="cosine"),
    KNNGraph(2),
    KNNGraph(2, symmetric=True),
    KNNGraph(3, metric="cosine"),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def as_matrix(lists, m):
    w = torch.eye(m)
    for i in range(m):
        w[i, lists.neighbor[lists.start[i] : lists.start[i + 1]].long()] = 1
    return w


@given(st.integers(0, 2**31), st.integers(1, 30), st.integers(1, 40), st.sampled_from([0.0, 100.0]), st.booleans())
def test_neighbour_lists_are_those_of_the_direct_distances(seed, m, d, offset, whole):
    x = torch.randn(m, d, generator=generator(seed)) + offset
    x = x.round() if whole else x  # whole numbers make ties
    # of whole numbers the direct distance is exact, so the radius may be one of them; of others a hair more
    middle = float(torch.pdist(x.double()).quantile(0.3, interpolation="nearest")) if m > 1 else 1.0
    for radius in (0.0, middle * (1 + 1e-5 * (not whole)), 1e9):
        lists = within_radius(x, radius)
        np.testing.assert_array_equal(as_matrix(lists, m), ThresholdGraph(radius).matrix(x))
    for k in {0, min(3, m - 1), m - 1}:
        index = nearest(x, k)
        np.testing.assert_array_equal(as_matrix(of_nearest(index), m), KNNGraph(k).matrix(x))
        both = as_matrix(of_nearest(index, symmetric=True), m)
        np.testing.assert_array_equal(both, KNNGraph(k, symmetric=True).matrix(x))


def test_blocks_and_progress(monkeypatch):
    x = torch.randn(50, 3, generator=generator())
    whole, near = within_radius(x, 1.0), nearest(x, 5)
    monkeypatch.setattr(localmixup.sampling.neighbors, "_BLOCK_BYTES", 16 * 50 * 7)
    seen = []
    again = within_radius(x, 1.0, progress=seen.append)
    assert seen[-1] == 50
    assert len(seen) > 5
    assert torch.equal(again.neighbor, whole.neighbor)
    assert torch.equal(nearest(x, 5), near)


def chi_squared(sampler, expected, draws=40_000):
    """P-value of the drawn counts; systematic draws of the first ends can only make the statistic smaller."""
    m = len(expected)
    first, second = sampler.sample(draws)
    counts = np.bincount(first.numpy() * m + second.numpy(), minlength=m * m)
    wanted = draws * np.asarray(expected, dtype=float).ravel()
    assert counts[wanted == 0].sum() == 0
    counts, wanted = counts[wanted > 0], wanted[wanted > 0]
    return chi2.sf(((counts - wanted) ** 2 / wanted).sum(), df=max(1, len(wanted) - 1))


# a neighbour graph is no function of the distance: it has no rejection
@pytest.mark.parametrize(
    ("graph", "way"),
    [
        (g, way)
        for g in GRAPHS
        for way in ("as chosen", "by rejection")
        if way == "as chosen" or not isinstance(g, KNNGraph)
    ],
)
def test_pairs_are_drawn_in_proportion_to_w(graph, way, monkeypatch):
    # error rate 1e-4 a case, at fixed seeds
    if way == "by rejection":
        monkeypatch.setattr(localmixup.sampling.pairs, "_DENSE_ROWS", 0)
        monkeypatch.setattr(localmixup.sampling.pairs, "_LISTED_PAIRS", 0)
    w = graph.matrix(X).double()
    sampler = PairSampler(X, graph, 4, generator(1))
    assert chi_squared(sampler, w / w.sum()) > 1e-4
    off = w - torch.eye(9)
    assert sampler.mixed_share == pytest.approx(float(off.sum() / w.sum()), abs=1e-9 if sampler.is_exact else 0.02)
    if off.sum() == 0:
        return
    for share in (0.0, 0.3, 1.0):
        sampler = PairSampler(X, graph, 4, generator(2), mixed_share=share)
        assert sampler.mixed_share == share
        expected = share * off / off.sum() + (1 - share) * torch.eye(9) / 9
        assert chi_squared(sampler, expected) > 1e-4


def test_a_strong_decay_is_sampled_with_a_bound_of_each_row(monkeypatch):
    monkeypatch.setattr(localmixup.sampling.pairs, "_DENSE_ROWS", 0)
    x = torch.randn(9, 6, generator=generator(3)) * 4
    graph = ExponentialGraph(1.0)
    w = graph.matrix(x).double()
    sampler = PairSampler(x, graph, 4, generator(4), mixed_share=1.0)
    assert sampler._pairs.bound.max() < 1
    off = w - torch.eye(9)
    assert chi_squared(sampler, off / off.sum()) > 1e-4  # error rate 1e-4 at a fixed seed


def test_the_ends_are_epochs_of_vanilla_training_and_mixup():
    for graph in (IdentityGraph(), CompleteGraph(), KNNGraph(2)):
        sampler = PairSampler(X, graph, 3, generator(), num_batches=3)
        pairs = [pair for batch in sampler for pair in batch]
        assert sorted(i for i, _ in pairs) == list(range(9))
        if isinstance(graph, IdentityGraph):
            assert all(i == j for i, j in pairs)
    assert PairSampler(X, CompleteGraph(), 3).mixed_share == pytest.approx(8 / 9)


def test_first_ends_follow_the_row_sums_closely():
    w = ThresholdGraph(1.2).matrix(X)
    first, _ = PairSampler(X, ThresholdGraph(1.2), 3, generator()).sample(900)
    wanted = 900 * w.sum(1) / w.sum()
    assert (torch.bincount(first, minlength=9) - wanted).abs().max() <= 100  # one a row and epoch of 9


@pytest.mark.parametrize("graph", [KNNGraph(2), ExponentialGraph(1.0), CompleteGraph()], ids=repr)
@pytest.mark.parametrize("share", [None, 0.5])
def test_a_broken_off_epoch_goes_on_where_it_stopped(graph, share):
    whole = PairSampler(X, graph, 2, generator(5), mixed_share=share, num_batches=6)
    batches = list(whole) + list(whole)
    first = PairSampler(X, graph, 2, generator(5), mixed_share=share, num_batches=6)
    run = iter(first)
    started = [next(run) for _ in range(4)]
    state = first.state_dict()
    next(run)
    again = PairSampler(X, graph, 2, generator(99), mixed_share=share, num_batches=6)
    again.load_state_dict(state)
    rest = list(again)
    assert len(rest) == 2
    assert started + rest + list(again) == batches


def test_an_iteration_that_was_only_begun_loses_no_batch():
    sampler = PairSampler(X, CompleteGraph(), 2, generator(), num_batches=5)
    next(iter(sampler))
    assert len(list(sampler)) == 5
    assert len(list(zip(sampler, range(2), strict=False))) == 2
    assert len(list(sampler)) == 5


def test_values_that_would_overflow_and_nan():
    x = torch.randn(12, 3, generator=generator())
    for graph in (KNNGraph(2), ThresholdGraph(1.0)):
        big = ThresholdGraph(1e20) if isinstance(graph, ThresholdGraph) else graph
        lists = [PairSampler(part, g, 2)._pairs.lists for part, g in ((x, graph), (x * 1e20, big))]
        assert torch.equal(lists[0].neighbor, lists[1].neighbor)
    with pytest.raises(ValueError, match="features must be finite"):
        PairSampler(x * math.nan, KNNGraph(2), 2)


def test_in_a_dataloader():
    y = torch.arange(9)
    mix = LocalMixup(ThresholdGraph(1.2), generator=generator(), per_sample=True)
    sampler = PairSampler(X, ThresholdGraph(1.2), 4, generator(6))
    for workers in (0, 2):
        loader = DataLoader(
            PairDataset(TensorDataset(X, y)), batch_sampler=sampler, collate_fn=mix.collate_pairs, num_workers=workers
        )
        batches = list(loader)
        assert len(batches) == len(sampler) == 3
        for batch in batches:
            assert batch.weights.tolist() == [1.0] * 4
            expected = reference.mixed(X[batch.targets], range(4), [1] * 4) * batch.lam.numpy()[:, None]
            expected += X[batch.partner_targets].numpy() * (1 - batch.lam.numpy()[:, None])
            np.testing.assert_allclose(batch.inputs, expected, atol=1e-6)
            assert torch.isfinite(batch.loss(F.cross_entropy, torch.zeros(4, 9)))


def test_mix_pairs_takes_structures_and_switches_off():
    mix = LocalMixup(CompleteGraph(), generator=generator())
    pair = {"a": torch.zeros(3, 2), "b": torch.zeros(3)}, {"a": torch.ones(3, 2), "b": torch.ones(3)}
    batch = mix.mix_pairs(pair[0], torch.zeros(3), pair[1], torch.ones(3))
    torch.testing.assert_close(batch.inputs["b"], 1 - batch.lam)
    torch.testing.assert_close(batch.inputs["a"], (1 - batch.lam)[:, None].expand(3, 2))
    with pytest.raises(ValueError, match="inputs must be floating point"):
        mix.mix_pairs(
            torch.zeros(3, 2, dtype=torch.uint8), torch.zeros(3), torch.zeros(3, 2, dtype=torch.uint8), torch.zeros(3)
        )
    with pytest.raises(ValueError, match="inputs and those of the partners must be alike"):
        mix.mix_pairs(torch.zeros(3, 2), torch.zeros(3), torch.zeros(3, 1), torch.zeros(3))
    assert mix.eval().mix_pairs(X, X, X, X).inputs is X


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PairSampler(X, CompleteGraph(), 0), "batch_size must be a whole number >= 1, got 0"),
        (lambda: PairSampler(X[:0], CompleteGraph(), 1), "features must be a tensor of at least one row"),
        (lambda: PairSampler(X, CompleteGraph(), 1, mixed_share=2), "mixed_share must be between 0 and 1, got 2"),
        (lambda: PairSampler(X, IdentityGraph(), 1, mixed_share=0.5), "mixed_share must be 0, for IdentityGraph"),
        (lambda: PairSampler(X, CompleteGraph(), 1, num_batches=0), "num_batches must be a whole number >= 1"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_graphs_that_cannot_be_sampled_from_many_rows_say_so(monkeypatch):
    class Odd(LocalityGraph):
        def matrix(self, features):
            return torch.ones(len(features), len(features))

    assert chi_squared(PairSampler(X, Odd(), 2, generator(7)), np.full((9, 9), 1 / 81)) > 1e-4
    monkeypatch.setattr(localmixup.sampling.pairs, "_DENSE_ROWS", 5)
    monkeypatch.setattr(localmixup.sampling.pairs, "_LISTED_PAIRS", 10)
    with pytest.raises(ValueError, match="graph must be a function of the distance"):
        PairSampler(X, Odd(), 2)
    with pytest.raises(ValueError, match="n_neighbors must be at most 1 for 9 rows"):
        PairSampler(X, KNNGraph(3), 2)


def test_one_row():
    sampler = PairSampler(X[:1], ThresholdGraph(1.0), 2)
    assert sampler.mixed_share == 0
    assert list(sampler) == [[(0, 0), (0, 0)]]


def test_a_generator_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"generator must be a torch.Generator or None, got int"):
        PairSampler(torch.randn(10, 2), CompleteGraph(), 4, generator=3)
