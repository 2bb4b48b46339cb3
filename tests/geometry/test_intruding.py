"""Intrusion against a loop over mixtures, against random draws of mixup, and on data whose answer is known."""

import functools
import math

import numpy as np
import pytest
import torch
from geometry_data import blobs, rings

from localmixup import CompleteGraph, ExponentialGraph, IdentityGraph, KNNGraph, NearestOfGraph, ThresholdGraph
from localmixup.geometry import intrusion, intrusion_steps, nearest


@functools.cache
def three_classes():
    rng = np.random.default_rng(1)
    y = rng.integers(3, size=22)
    return rng.normal(size=(22, 2)) + 1.5 * np.array([[0, 0], [1, 0], [0, 1]])[y], y


@functools.cache
def outcomes_by_loop(n_nearest):
    """Return pairs, and whether their mixtures intrude, contradict and disagree, averaged over a grid of lam."""
    x, y = three_classes()
    pairs, outcomes = [], []
    for i in range(len(x)):
        for j in range(len(x)):
            if i == j:
                continue
            found = []
            for lam in (np.arange(9) + 0.5) / 9:
                distance = np.linalg.norm(x - (lam * x[i] + (1 - lam) * x[j]), axis=1)
                distance[[i, j]] = np.inf
                label = np.zeros(3)
                label[y[i]] += lam
                label[y[j]] += 1 - lam
                near = y[np.argsort(distance, kind="stable")[:n_nearest]]
                intrudes = [label[c] == 0 for c in near]
                contradicts = [label[c] < label.max() - 1e-12 for c in near]
                found.append([np.mean(intrudes), np.mean(contradicts), np.mean([1 - label[c] for c in near])])
            pairs.append((i, j))
            outcomes.append(np.mean(found, axis=0))
    return np.array(pairs), np.array(outcomes)


@functools.cache
def report_of_three_classes(n_nearest):
    return intrusion(*three_classes(), n_nearest=n_nearest)


@pytest.mark.parametrize("n_nearest", [1, 3])
@pytest.mark.parametrize(
    "graph", [CompleteGraph(), ExponentialGraph(0.7), ThresholdGraph(1.5), KNNGraph(4), KNNGraph(share=0.2), NearestOfGraph(3),
              KNNGraph(3, symmetric=True), ThresholdGraph(0.3, metric="cosine"), IdentityGraph()], ids=repr
)  # fmt: skip
def test_rates_equal_a_loop_over_all_pairs(graph, n_nearest):
    (x, y), report = three_classes(), report_of_three_classes(n_nearest)
    assert report.exhaustive
    (i, j), outcomes = outcomes_by_loop(n_nearest)[0].T, outcomes_by_loop(n_nearest)[1]
    W = graph.matrix(torch.from_numpy(x)).numpy()[i, j]
    found = report.rates(graph)
    for kind, mask in (("all", y[i] >= 0), ("within", y[i] == y[j]), ("between", y[i] != y[j])):
        total = W[mask].sum()
        expected = W[mask] @ outcomes[mask] / total if total else [math.nan] * 3
        rates = [found[kind].intrusion.value, found[kind].contradiction.value, found[kind].disagreement.value]
        np.testing.assert_allclose(rates, expected, rtol=1e-9, atol=1e-12)
        assert found[kind].mean_weight == pytest.approx(W[mask].mean(), rel=1e-6)
        kish = 9 * total**2 / np.square(W[mask]).sum() if total else 0  # each pair has nine values of lam
        assert found[kind].n_effective == pytest.approx(kish, rel=1e-6)
    assert repr(report.overall_rates(graph)) == repr(found["all"])  # NaN is not equal to itself


def test_the_default_graph_is_used_and_each_virtual_sample_has_the_weight_of_its_pair():
    x, y = three_classes()
    report, graph = intrusion(x, y, ThresholdGraph(1.5)), ThresholdGraph(1.5)
    assert report.all_pairs == report.rates()["all"] == report.rates(graph)["all"]
    assert report.within_class == report.rates()["within"]
    assert report.between_class == report.rates()["between"]
    s = report.samples
    np.testing.assert_array_equal(report.weights(), graph.matrix(torch.from_numpy(x)).numpy()[s.first, s.second])
    np.testing.assert_allclose(s.distance, np.linalg.norm(x[s.first] - x[s.second], axis=1))


def test_intervals_of_sampled_rates_contain_the_rates_of_mixup():
    # 48 intervals at 95 %, seeds fixed. Were they independent, fewer than 41 would hold with a probability below 0.01.
    hits = total = 0
    for seed in range(4):
        x, y = rings(80, seed)
        rng = np.random.default_rng(seed)
        x = x + rng.normal(scale=0.6, size=x.shape)
        sampled = intrusion(x, y, exhaustive=False, n_samples=2500, seed=seed + 1)
        i, shift, lam = rng.integers(80, size=60_000), rng.integers(1, 80, size=60_000), rng.uniform(size=60_000)
        j = (i + shift) % 80
        distance = np.linalg.norm((lam[:, None] * x[i] + (1 - lam[:, None]) * x[j])[:, None] - x, axis=2)
        distance[np.arange(len(i)), i] = distance[np.arange(len(i)), j] = np.inf
        near = y[distance.argmin(axis=1)]
        part = np.where(near == y[i], lam, 0) + np.where(near == y[j], 1 - lam, 0)
        outcomes = {"intrusion": part == 0, "contradiction": part < 0.5, "disagreement": 1 - part}
        for graph in (CompleteGraph(), ThresholdGraph(2.0), ExponentialGraph(1.0), KNNGraph(15)):
            W = graph.matrix(torch.from_numpy(x)).numpy()[i, j]
            rates = sampled.rates(graph)["all"]
            assert rates.mean_weight == pytest.approx(W.mean(), rel=0.1)
            for name, values in outcomes.items():
                rate = getattr(rates, name)
                hits += rate.low <= W @ values / W.sum() <= rate.high
                total += 1
    assert total == 48
    assert hits >= 41


def test_convex_classes_are_not_intruded_and_a_disc_within_a_ring_is():
    for classes in (2, 3):
        report = intrusion(*blobs(classes=classes), exhaustive=False)
        assert report.within_class.intrusion.value == 0
        assert report.within_class.intrusion.high < 0.02
        assert report.overlap.value == 0
    report = intrusion(*rings(), exhaustive=False)
    assert report.within_class.intrusion.low > 0.1
    assert report.between_class.intrusion.value == 0  # with two classes only pairs within one can intrude
    matrix = report.class_matrix()
    np.testing.assert_array_equal(matrix, matrix.T)
    assert matrix[0, 0] > 0.2 > matrix[1, 1]
    worst = report.worst(5)
    assert len(worst) == 5
    assert (report.samples.intrudes[worst] == 1).all()
    assert report.samples.within[worst].all()
    assert len(report.worst(0)) == 0


def test_a_class_between_two_others_is_intruded_by_their_mixtures():
    x = np.concatenate([np.linspace(0, 1, 15), np.linspace(2, 3, 15), np.linspace(4, 5, 15)])[:, None]
    report = intrusion(x, np.arange(45) // 15)
    matrix = report.class_matrix()
    assert matrix[0, 2] > 0.3
    assert matrix[0, 0] == matrix[1, 1] == 0
    assert report.between_class.intrusion.value > 0.1
    assert report.within_class.intrusion.value == 0


def test_offsets_blocks_kinds_of_input_and_names_do_not_matter(monkeypatch):
    x, y = rings(100)
    plain = intrusion(x, y, exhaustive=False, n_samples=1000)
    monkeypatch.setattr(nearest, "_BLOCK_BYTES", 2**14)
    moved = intrusion(torch.from_numpy(x + 1000.0), torch.from_numpy(y), exhaustive=False, n_samples=1000)
    assert moved.all_pairs.intrusion.value == pytest.approx(plain.all_pairs.intrusion.value, abs=1e-9)
    named = intrusion(x, np.array(["in", "out"])[y], exhaustive=False, n_samples=1000)
    assert named.classes.tolist() == ["in", "out"]
    assert named.all_pairs == plain.all_pairs


def test_a_small_mixup_alpha_hardly_mixes():
    x, y = rings(60)
    for exhaustive in (True, False):
        rates = [intrusion(x, y, mixup_alpha=alpha, exhaustive=exhaustive).all_pairs for alpha in (0.1, 1.0)]
        assert rates[0].intrusion.value < 0.5 * rates[1].intrusion.value


def test_progress_counts_the_virtual_samples(monkeypatch):
    monkeypatch.setattr(nearest, "_BLOCK_BYTES", 2**14)
    x, y = rings(100)
    progress = list(intrusion_steps(x, y, exhaustive=False, n_samples=1000))
    assert len(progress) > 1
    assert [p.done for p in progress] == sorted(p.done for p in progress)
    assert progress[-1].done == progress[-1].total == len(intrusion(x, y, exhaustive=False, n_samples=1000).samples.lam)


def test_tiny_weights_ties_and_far_groups_are_measured():
    rng = np.random.default_rng(0)
    y = np.arange(100) % 2
    rates = intrusion(rng.normal(size=(100, 50)) + 3 * y[:, None], y, exhaustive=False).rates(ExponentialGraph(60.0))
    assert 0 <= rates["all"].intrusion.value <= 1
    assert rates["all"].n_effective > 0
    # coincident samples of two classes: the class that comes first in the file must not win every tie
    x, y = rng.integers(0, 2, (80, 3)).astype(float), np.repeat([0, 1], 40)
    matrix = intrusion(x, y, exhaustive=False, n_samples=4000).class_matrix()
    assert abs(matrix[0, 0] - matrix[1, 1]) < 0.45
    x, y = rings(100)
    x[:50] += 1e5
    narrow, wide = (intrusion(torch.tensor(x, dtype=d), y, exhaustive=False) for d in (torch.float32, torch.float64))
    assert narrow.overlap.value < 0.05
    assert narrow.all_pairs.intrusion.value == pytest.approx(wide.all_pairs.intrusion.value, abs=0.03)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.zeros((5, 2)), [0, 1], {}, r"labels must hold the class of each sample, shape \(5,\), got \(2,\)"),
        (np.zeros((3, 2)), [0, 1, 1], {}, "x must hold at least 4 samples, got 3"),
        (np.full((5, 2), np.inf), [0, 1, 1, 0, 1], {}, "x must be finite, but row 0 is not"),
        (np.zeros((5, 2)), [1] * 5, {}, "labels must name at least 2 classes, got 1"),
        (np.zeros((5, 2)), [0, 1, 1, 0, 1], {"n_nearest": 4}, "n_nearest must be at most 3 for 5 samples"),
        (np.zeros((5, 2)), [0, 1, 1, 0, 1], {"mixup_alpha": 0}, "mixup_alpha must be between"),
        (np.zeros((5, 2)), [0, 1, 1, 0, 1], {"n_samples": 5}, "n_samples must be a whole number >= 100"),
    ],
)
def test_mistakes_are_named(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        intrusion(x, y, **options)


def test_a_graph_that_needs_all_distances_is_refused_for_many_samples():
    report = intrusion(np.random.default_rng(0).normal(size=(5002, 2)), np.arange(5002) % 2, n_samples=200)
    with pytest.raises(ValueError, match="for more than 5,000 samples"):
        report.rates(KNNGraph(2, symmetric=True))
    assert report.rates(KNNGraph(5001))["all"].mean_weight == 1
