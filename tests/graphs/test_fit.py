"""From a sample of the data to a graph."""

import math

import numpy as np
import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from localmixup import CompleteGraph, ExponentialGraph, KNNGraph, LocalMixup, PairSampler, ThresholdGraph
from localmixup.graphs.fit import sample_distances

X = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
Y = torch.randint(3, (60,), generator=torch.Generator().manual_seed(1))
PAIRS = torch.triu_indices(60, 60, offset=1)


def off_diagonal(w):
    return np.asarray(w)[tuple(PAIRS.numpy())]


def test_all_pairs_are_seen_where_there_are_few():
    sample = sample_distances(X, Y)
    slow = np.sort(off_diagonal(reference.distance_matrix(X)))
    np.testing.assert_allclose(sample.distances, slow, rtol=1e-6)
    assert sample.n_pairs == 60 * 59 // 2
    assert sample.exhaustive
    assert sample.median == pytest.approx(np.median(slow), rel=0.01)
    assert sample.same_class.float().mean() == pytest.approx(off_diagonal(Y[:, None] == Y[None]).mean())


@given(st.floats(0.02, 1.0))
def test_wishes_are_met_exactly_on_what_was_seen(wish):
    kept = fit_graph(X, ThresholdGraph, kept_share=wish)
    share = off_diagonal(reference.threshold(X, kept.graph.radius * (1 + 1e-6))).mean()
    assert wish <= share + 1e-12
    assert share <= wish + 1 / kept.n_pairs + 1e-12
    assert kept.mean_weight == pytest.approx(share)

    mean = fit_graph(X, ExponentialGraph, mean_weight=wish)
    assert off_diagonal(reference.exponential(X, mean.graph.decay)).mean() == pytest.approx(wish, rel=1e-5)
    assert mean.mean_weight == pytest.approx(wish, rel=1e-9)

    size = fit_graph(X, ExponentialGraph, ess_ratio=wish)
    w = off_diagonal(reference.exponential(X, size.graph.decay))
    assert w.sum() ** 2 / (len(w) * (w**2).sum()) == pytest.approx(wish, rel=1e-4)

    few = fit_graph(X, KNNGraph, kept_share=wish)
    assert few.graph.n_neighbors == max(1, round(wish * 59))


@pytest.mark.parametrize(
    ("kind", "wish"),
    [
        (k, w)
        for k in (ThresholdGraph, ExponentialGraph, KNNGraph)
        for w in (0.2, 0.5, 0.9)
        if k is not KNNGraph or w >= 0.5
    ],
)
def test_mixed_share_is_what_the_whole_set_sampler_draws(kind, wish):
    found = fit_graph(X, kind, mixed_share=wish)
    sampler = PairSampler(X, found.graph, 8)
    assert sampler.mixed_share == pytest.approx(wish, abs=0.02)
    assert found.mixed_share == pytest.approx(sampler.mixed_share, abs=0.01)


def test_mixed_share_of_a_batch_is_met_on_average():
    # 600 batches of 16: the standard error of the share is below 0.005, so a right answer passes at four of them
    found = fit_graph(X, ThresholdGraph, mixed_share=0.5, batch_size=16)
    g = torch.Generator().manual_seed(3)
    mix = LocalMixup(found.graph, generator=g)
    counted = mixed = 0.0
    for _ in range(600):
        x = X[torch.randperm(60, generator=g)[:16]]
        plan = mix.plan(x)
        counted += float(plan.weights.sum())
        mixed += float(plan.weights.sum() * plan.mixed_share)
    assert mixed / counted == pytest.approx(0.5, abs=0.02)


def test_times_median_is_free_of_units():
    for scale in (1.0, 255.0):
        found = fit_graph(X * scale, ExponentialGraph, times_median=2.0)
        assert found.graph.decay == pytest.approx(2.0 / found.median_distance)
        assert found.mean_weight == pytest.approx(0.15, abs=0.05)


def test_the_constructor_reads_naturally():
    assert ExponentialGraph.fit(X, mean_weight=0.5) == fit_graph(X, ExponentialGraph, mean_weight=0.5).graph
    assert ThresholdGraph.fit(X, kept_share=0.1, metric="rms").metric == "rms"
    assert KNNGraph.fit(X, kept_share=0.1, batch_size=101).n_neighbors == 10


def test_labels_tell_what_is_kept_within_and_between():
    x = torch.cat([torch.zeros(20, 1) + torch.rand(20, 1), 100 + torch.rand(20, 1)])
    y = torch.arange(2).repeat_interleave(20)
    found = fit_graph(x, ThresholdGraph, y, kept_share=0.2)
    assert found.mean_weight_between_class == 0
    assert found.mean_weight_within_class == pytest.approx(0.2 * (40 * 39 / 2) / (2 * 20 * 19 / 2), abs=0.01)
    assert math.isnan(fit_graph(x, ThresholdGraph, kept_share=0.2).mean_weight_within_class)
    assert math.isnan(fit_graph(x, KNNGraph, y, kept_share=0.2).mean_weight_within_class)


def test_large_data_are_sampled_with_a_seed():
    x = torch.randn(3000, 2, generator=torch.Generator().manual_seed(0))
    a, b = (sample_distances(x, max_pairs=20_000, seed=s) for s in (0, 0))
    other = sample_distances(x, max_pairs=20_000, seed=1)
    assert a.n_pairs == 20_000
    assert not a.exhaustive
    assert torch.equal(a.distances, b.distances)
    assert not torch.equal(a.distances, other.distances)
    exact = sample_distances(x[:600])
    assert a.median == pytest.approx(exact.median, rel=0.05)
    assert (a.distances > 0).all(), "a sample was paired with itself"


def test_a_stream_is_read_once_and_sampled_evenly():
    x = torch.arange(5000.0)[:, None]
    loader = DataLoader(TensorDataset(x, (x[:, 0] % 2).long()), batch_size=100)
    sample = sample_distances(loader, max_rows=500, max_pairs=50_000)
    assert sample.n_rows == 5000
    assert sample.median == pytest.approx(5000 * (1 - math.sqrt(0.5)), rel=0.1)  # of |u - v|, u and v uniform
    assert sample.same_class.float().mean() == pytest.approx(0.5, abs=0.05)
    whole = sample_distances([x[:30], x[30:60]])
    assert torch.equal(whole.distances, sample_distances(x[:60]).distances)
    assert fit_graph(loader, KNNGraph, kept_share=0.01).graph.n_neighbors == 50


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_graph(X, CompleteGraph, kept_share=0.1), "graph_type must be ExponentialGraph"),
        (lambda: fit_graph(X, ThresholdGraph), "give exactly one of .*, got none"),
        (lambda: fit_graph(X, ThresholdGraph, kept_share=0.1, mean_weight=0.1), "got kept_share, mean_weight"),
        (lambda: fit_graph(X, ThresholdGraph, kept_share=1.1), "kept_share must be between 0 and 1, got 1.1"),
        (lambda: fit_graph(X, ThresholdGraph, kept_share=0), "kept_share must be > 0"),
        (lambda: fit_graph(X, ThresholdGraph, times_median=1), "times_median sets a decay"),
        (lambda: fit_graph(X, KNNGraph, mixed_share=0.999), "mixed_share must be at most 0.98"),
        (lambda: fit_graph(X[:1], KNNGraph, kept_share=0.1), "data must hold at least 2 rows"),
        (lambda: fit_graph(X * math.nan, ThresholdGraph, kept_share=0.1), "data must be finite"),
        (lambda: fit_graph(X, ThresholdGraph, Y[:3], kept_share=0.1), "labels must have one class a row"),
        (lambda: fit_graph(iter([]), ThresholdGraph, kept_share=0.1), "got an empty stream"),
        (lambda: fit_graph([X], ThresholdGraph, Y, kept_share=0.1), "labels of a stream come with its batches"),
        (lambda: fit_graph(X * 0, ExponentialGraph, mean_weight=0.5), "mean_weight=0.5 is out of reach"),
        (lambda: fit_graph(X * 0, ExponentialGraph, times_median=1), "times_median needs a median distance above 0"),
        (lambda: fit_graph(X, ThresholdGraph, kept_share=0.1, metric="l1"), "metric must be one of"),
    ],
)  # fmt: skip
def test_bad_wishes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_tables_and_labels_of_text_are_taken():
    import pandas as pd

    x = np.random.default_rng(0).normal(size=(30, 3))
    classes = np.arange(30) % 2
    expected = fit_graph(torch.from_numpy(x), ThresholdGraph, torch.from_numpy(classes), kept_share=0.3)
    named = np.array(["b", "a"])[classes]
    for data, labels in ((x, named), (pd.DataFrame(x), pd.Series(named)), (pd.DataFrame(x), list(classes))):
        assert fit_graph(data, ThresholdGraph, labels, kept_share=0.3) == expected
    assert (
        fit_graph([(x[:10], named[:10]), (x[10:], named[10:])], ThresholdGraph, kept_share=0.3).graph == expected.graph
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([[0.0, 1.0], [2.0, 3.0]], "an iterable of batches .*got a list of list"),
        ([1.0, 2.0], "got a list of float"),
        (None, "data must be a tensor, an array or an iterable of batches, got None"),
        ("data.csv", "an iterable of batches, got 'data.csv'"),
        (torch.tensor(1.0), "one row a sample, got a scalar"),
        (np.array(["a", "b"]), "data must hold numbers, got ndarray"),
    ],
)
def test_data_that_cannot_be_measured_are_named(data, message):
    with pytest.raises(ValueError, match=message):
        ThresholdGraph.fit(data, kept_share=0.5)
