"""From data to a graph: what was asked for is what the graph keeps, in a batch and in the whole set."""

import math

import numpy as np
import pytest
import reference
import torch
from helpers import generator, seeded
from hypothesis import given, settings
from hypothesis import strategies as st

from localmixup import CompleteGraph, ExponentialGraph, KNNGraph, PairSampler, ThresholdGraph, fit_graph

X = torch.randn(60, 3, generator=generator())
Y = torch.randint(3, (60,), generator=generator(1))
PAIRS = np.triu_indices(60, 1)
DISTANCES = reference.distance_matrix(X)[PAIRS]


@settings(max_examples=20)
@given(st.floats(0.02, 1.0))
def test_a_wish_is_fulfilled_exactly_on_the_data(wish):
    kept = fit_graph(X, ThresholdGraph, kept_share=wish)
    share = (kept.graph.radius * (1 + 1e-6) >= DISTANCES).mean()
    assert wish <= share + 1e-12
    assert share <= wish + 1 / kept.n_pairs + 1e-12
    assert kept.mean_weight == pytest.approx(share)

    mean = fit_graph(X, ExponentialGraph, mean_weight=wish)
    assert np.exp(-mean.graph.decay * DISTANCES).mean() == pytest.approx(wish, rel=1e-5)
    assert mean.mean_weight == pytest.approx(wish, rel=1e-9)

    size = fit_graph(X, ExponentialGraph, ess_ratio=wish)
    w = np.exp(-size.graph.decay * DISTANCES)
    assert w.sum() ** 2 / (len(w) * (w**2).sum()) == pytest.approx(wish, rel=1e-4)

    assert fit_graph(X, KNNGraph, kept_share=wish).graph == KNNGraph(share=wish)
    assert fit_graph(X, KNNGraph, kept_share=wish, batch_size=32).graph == KNNGraph(max(1, round(wish * 31)))


@pytest.mark.parametrize("kind", [ThresholdGraph, ExponentialGraph, KNNGraph])
@pytest.mark.parametrize("wish", [0.05, 0.3])
def test_a_fitted_graph_keeps_the_same_share_of_pairs_in_batches_and_in_the_whole_set(kind, wish):
    # 200 batches: the standard error of the share is below 0.006, and four of them are allowed
    graph = kind.fit(X, mean_weight=wish)
    whole = np.asarray(graph.matrix(X))
    assert whole[~np.eye(60, dtype=bool)].mean() == pytest.approx(wish, abs=0.015)
    g, counted = generator(3), []
    for _ in range(200):
        w = np.asarray(graph.matrix(X[torch.randperm(60, generator=g)[:21]]))
        counted.append(w[~np.eye(21, dtype=bool)].mean())
    assert np.mean(counted) == pytest.approx(wish, abs=0.025)


@pytest.mark.parametrize("kind", [ThresholdGraph, ExponentialGraph, KNNGraph])
@pytest.mark.parametrize("options", [{}, {"batch_size": 32}, {"batch_size": 60}])
def test_no_fitted_graph_is_classical_mixup(kind, options):
    for wish in ("kept_share", "mean_weight", "ess_ratio"):
        for value in (0.05, 0.5, 0.9):
            graph = kind.fit(X, **{wish: value}, **options)
            n = options.get("batch_size", 16)
            assert not graph.is_mixup(n)
            assert not (graph.matrix(X[:n]) == 1).all()
            assert not graph.is_vanilla(n)


@pytest.mark.parametrize("kind", [ThresholdGraph, ExponentialGraph])
@pytest.mark.parametrize("wish", [0.2, 0.5, 0.9])
def test_a_mixed_share_of_the_whole_set_is_what_eq_3_draws(kind, wish):
    found = fit_graph(X, kind, mixed_share=wish, batch_size=60)
    sampler = PairSampler(X, found.graph, 8, first_ends="row sums")
    assert sampler.mixed_share == pytest.approx(wish, abs=0.02)
    assert found.mixed_share == pytest.approx(sampler.mixed_share, abs=0.01)


@pytest.mark.parametrize(("wish", "batch_size"), [(0.5, 3), (0.2, 5), (0.9, 60)])
def test_a_mixed_share_is_that_of_a_sample_which_meets_all_others_and_itself(wish, batch_size):
    found = fit_graph(X, ExponentialGraph, mixed_share=wish, batch_size=batch_size)
    others = (batch_size - 1) * np.exp(-found.graph.decay * DISTANCES).mean()
    assert others / (others + 1) == pytest.approx(wish, rel=1e-5)
    assert found.mixed_share == pytest.approx(wish, rel=1e-9)


@pytest.mark.filterwarnings("ignore:.*hardly any pair")
def test_a_mixed_share_of_a_batch_is_met_on_average():
    # 400 batches of 16: the standard error of the share is below 0.006, and four of them are allowed
    found = fit_graph(X, ThresholdGraph, mixed_share=0.5, batch_size=16)
    g, mix = generator(3), seeded(found.graph, 4)
    plans = [mix.plan(X[torch.randperm(60, generator=g)[:16]]) for _ in range(400)]
    counted = sum(float(plan.weights.sum()) for plan in plans)
    mixed = sum(float(plan.weights.sum() * plan.mixed_share) for plan in plans)
    assert mixed / counted == pytest.approx(0.5, abs=0.025)


def test_a_multiple_of_the_median_is_free_of_units():
    for scale in (1.0, 255.0):
        found = fit_graph(X * scale, ExponentialGraph, times_median=2.0)
        assert found.graph.decay == pytest.approx(2.0 / (np.median(DISTANCES) * scale), rel=0.01)
        assert found.mean_weight == pytest.approx(0.15, abs=0.05)


def test_fit_of_a_class_is_the_graph_of_fit_graph():
    assert ExponentialGraph.fit(X, mean_weight=0.5) == fit_graph(X, ExponentialGraph, mean_weight=0.5).graph
    assert ThresholdGraph.fit(X, kept_share=0.1, metric="rms").metric == "rms"
    assert ThresholdGraph.fit(X, kept_share=0.1, metric="rms").radius == pytest.approx(
        ThresholdGraph.fit(X, kept_share=0.1).radius / math.sqrt(3), rel=1e-6
    )


def test_labels_tell_what_is_kept_within_and_between_classes():
    x = torch.cat([torch.rand(20, 1, generator=generator()), 100 + torch.rand(20, 1, generator=generator(1))])
    y = torch.arange(2).repeat_interleave(20)
    found = fit_graph(x, ThresholdGraph, y, kept_share=0.2)
    assert found.mean_weight_between_class == 0
    assert found.mean_weight_within_class == pytest.approx(0.2 * (40 * 39 / 2) / (2 * 20 * 19 / 2), abs=0.01)
    assert math.isnan(fit_graph(x, ThresholdGraph, kept_share=0.2).mean_weight_within_class)
    assert math.isnan(fit_graph(x, KNNGraph, y, kept_share=0.2).mean_weight_within_class)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_graph(X, CompleteGraph, kept_share=0.1), "CompleteGraph has no parameter to fit: fit ExponentialGraph"),
        (
            lambda: fit_graph(ThresholdGraph, X, kept_share=0.1),
            r"graph_type must be .*, got Tensor of shape \(60, 3\): the order is fit_graph\(data, graph_type\)$",
        ),
        (lambda: fit_graph(ThresholdGraph, X.tolist(), kept_share=0.1), r"got \[.{79}: the order is fit_graph"),
        (lambda: fit_graph(X, "knn", kept_share=0.1), "graph_type must be ExponentialGraph, .*, got 'knn'"),
        (lambda: fit_graph(X, ThresholdGraph), "give exactly one of .*, got none"),
        (lambda: fit_graph(X, ThresholdGraph, kept_share=0.1, mean_weight=0.1), "got kept_share, mean_weight"),
        (lambda: fit_graph(X, ThresholdGraph, share=0.1), "give exactly one of kept_share, .*, got share"),
        (lambda: fit_graph(X, ThresholdGraph, kept_share=1.1), "kept_share must be between 0 and 1, got 1.1"),
        (lambda: fit_graph(X, ThresholdGraph, kept_share=0), r"kept_share must be > 0 \(0 is vanilla training"),
        (lambda: fit_graph(X, ThresholdGraph, times_median=1), "times_median sets a decay: it is for ExponentialGraph only"),
        (lambda: fit_graph(X, KNNGraph, mixed_share=0.5), "mixed_share needs batch_size, .*: the batch size for LocalMixup"),
        (lambda: fit_graph(X, KNNGraph, mixed_share=0.999, batch_size=60), "mixed_share must be at most 0.98"),
        (lambda: fit_graph(X, KNNGraph, kept_share=0.1, batch_size=1), "batch_size must be a whole number >= 2, got 1"),
        (lambda: fit_graph(X * 0, ExponentialGraph, mean_weight=0.5), "must be larger than what duplicated samples keep"),
        (lambda: fit_graph(X * 0, ExponentialGraph, times_median=1), "times_median needs a median distance above 0"),
        (lambda: fit_graph(X, ThresholdGraph, kept_share=0.1, metric="l1"), "metric must be one of"),
    ],
)  # fmt: skip
def test_a_bad_wish_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
