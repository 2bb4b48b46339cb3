"""Intrusion against a loop that mixes and looks for the nearest sample, on data whose answer is known, and its intervals."""

import math
import sys

import numpy as np
import pytest
import torch

from localmixup import CompleteGraph, ExponentialGraph, IdentityGraph, KNNGraph, ThresholdGraph
from localmixup.geometry import class_shapes, intrusion, suggest
from localmixup.geometry.intrusion import GRID, graph_with


def rings(n=300, seed=0):
    """A ring of one class around a disc of another."""
    rng = np.random.default_rng(seed)
    angle, y = rng.uniform(0, 2 * np.pi, n), np.arange(n) % 2
    length = np.where(y == 0, rng.uniform(3.0, 3.3, n), np.sqrt(rng.uniform(0, 1.5, n)))
    return np.column_stack([length * np.cos(angle), length * np.sin(angle)]), y


def blobs(n=400, classes=2, seed=0):
    """Well separated convex blobs."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    return rng.uniform(-1, 1, size=(n, 3)) + 20 * np.eye(classes, 3)[y], y


def looped(x, y, W, lams, n_nearest=1):
    """Weighted rates of intrusion, contradiction, and mean disagreement, sample by sample."""
    sums = {"all": np.zeros(4), "within": np.zeros(4), "between": np.zeros(4)}
    for i in range(len(x)):
        for j in range(len(x)):
            if i == j or W[i, j] == 0:
                continue
            for lam in lams:
                far = np.linalg.norm(x - (lam * x[i] + (1 - lam) * x[j]), axis=1)
                far[[i, j]] = np.inf
                label = np.zeros(y.max() + 1)
                label[y[i]] += lam
                label[y[j]] += 1 - lam
                near = y[np.argsort(far, kind="stable")[:n_nearest]]
                found = [
                    np.mean([label[c] == 0 for c in near]),
                    np.mean([label[c] < label.max() - 1e-12 for c in near]),
                    np.mean([1 - label[c] for c in near]),
                    1,
                ]
                for key in ("all", "within" if y[i] == y[j] else "between"):
                    sums[key] += W[i, j] * np.array(found)
    return {k: v[:3] / v[3] if v[3] else [math.nan] * 3 for k, v in sums.items()}


@pytest.mark.parametrize("n_nearest", [1, 3])
@pytest.mark.parametrize(
    "graph", [CompleteGraph(), ExponentialGraph(0.7), ThresholdGraph(1.5), KNNGraph(4), KNNGraph(3, symmetric=True),
              ThresholdGraph(0.3, metric="cosine"), IdentityGraph()], ids=repr
)  # fmt: skip
def test_rates_are_those_of_a_loop_over_all_pairs(graph, n_nearest):
    rng = np.random.default_rng(1)
    y = rng.integers(3, size=26)
    x = rng.normal(size=(26, 2)) + 1.5 * np.array([[0, 0], [1, 0], [0, 1]])[y]
    report = intrusion(x, y, graph, n_nearest=n_nearest)
    assert report.exhaustive
    W = graph.matrix(torch.from_numpy(x)).numpy()
    expected = looped(x, y, W, (np.arange(GRID) + 0.5) / GRID, n_nearest)
    for kind, rates in report.rates().items():
        found = [rates.intrusion.value, rates.contradiction.value, rates.disagreement.value]
        np.testing.assert_allclose(found, expected[kind], rtol=1e-9, atol=1e-12)
    off = ~np.eye(26, dtype=bool)
    assert report.all_pairs.mean_weight == pytest.approx(W[off].mean(), rel=1e-6)
    assert report.within_class == report.rates()["within"]
    assert report.between_class == report.rates()["between"]


def test_sampled_rates_agree_with_all_pairs_within_their_intervals(monkeypatch):
    # 60 intervals at 95 % (1,440 of them held in 97 % of the cases): 51 or fewer of independent ones would hold with
    # a probability below 0.004; seeds are fixed
    monkeypatch.setattr(sys.modules["localmixup.geometry.intrusion"], "GRID", 60)  # lam is continuous in the sample
    hits = total = 0
    for seed in range(5):
        x, y = rings(160, seed)
        x = x + np.random.default_rng(seed).normal(scale=0.6, size=x.shape)
        exact = intrusion(x, y, exhaustive=True)
        sampled = intrusion(x, y, exhaustive=False, n_samples=3000, seed=seed + 1)
        for graph in (CompleteGraph(), ThresholdGraph(2.0), ExponentialGraph(1.0), KNNGraph(30)):
            a, b = exact.rates(graph)["all"], sampled.rates(graph)["all"]
            assert b.mean_weight == pytest.approx(a.mean_weight, rel=0.1)
            for what in ("intrusion", "contradiction", "disagreement"):
                true, rate = getattr(a, what).value, getattr(b, what)
                hits += rate.low <= true <= rate.high
                total += 1
    assert total == 60
    assert hits >= 52


def test_blobs_are_safe_and_rings_and_spirals_are_not():
    for classes in (2, 3):
        report = intrusion(*blobs(classes=classes), exhaustive=False)
        assert report.within_class.intrusion.value == 0
        assert report.within_class.intrusion.high < 0.01
        assert report.overlap.value == 0
        assert suggest(report).safe
    x, y = rings()
    report = intrusion(x, y, exhaustive=False)
    assert report.within_class.intrusion.low > 0.1
    assert report.between_class.intrusion.value == 0  # two classes: only pairs within one can intrude
    found = suggest(report)
    assert not found.safe
    assert found.limit == 0.01
    assert found.choices["radius"].value < 6
    for choice in found.choices.values():
        assert report.rates(graph_with(choice.parameter, choice.value))["all"].intrusion.value <= 0.01
    matrix = report.class_matrix()
    assert matrix.shape == (2, 2)
    assert matrix[0, 0] > 0.2 > matrix[1, 1]
    np.testing.assert_array_equal(matrix, matrix.T)
    worst = report.worst(5)
    assert (report.samples.intrudes[worst] == 1).all()
    assert (report.samples.within[worst]).all()
    assert report.plot().get_xlabel() == "radius"


def test_three_classes_with_one_between_the_others():
    x, y = (
        np.concatenate([np.linspace(0, 1, 30), np.linspace(2, 3, 30), np.linspace(4, 5, 30)])[:, None],
        np.arange(90) // 30,
    )
    report = intrusion(x, y)
    matrix = report.class_matrix()
    assert matrix[0, 2] > 0.3  # the third class lies between
    assert matrix[0, 0] == matrix[1, 1] == 0
    assert report.between_class.intrusion.value > 0.1
    assert report.within_class.intrusion.value == 0


def test_overlapping_classes_are_told_apart_from_intrusion():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 2)), np.arange(400) % 2  # labels without meaning
    found = suggest(intrusion(x, y, exhaustive=False), level=0.01)
    assert not found.safe
    assert found.undecided
    assert found.limit > 0.3
    assert not found.choices
    # a little overlap beside much intrusion: the choices stay within the overlap and the level
    x, y = rings(600)
    flipped = np.where(np.arange(600) % 25 == 0, 1 - y, y)
    found = suggest(intrusion(x, flipped, exhaustive=False), level=0.001)
    assert not found.undecided
    assert found.choices["radius"].rates.intrusion.value <= found.limit
    assert found.limit in (0.001, pytest.approx(0.001 + intrusion(x, flipped).overlap.value, abs=0.02))


def test_it_does_not_depend_on_offset_blocks_or_the_kind_of_input(monkeypatch):

    x, y = rings()
    plain = intrusion(x, y, exhaustive=False, n_samples=2000)
    monkeypatch.setattr(sys.modules["localmixup.geometry.intrusion"], "_BLOCK_BYTES", 2**16)
    moved = intrusion(torch.from_numpy(x + 1000.0), torch.from_numpy(y), exhaustive=False, n_samples=2000)
    assert plain.all_pairs.intrusion.value == pytest.approx(moved.all_pairs.intrusion.value, abs=1e-9)
    named = intrusion(x, np.array(["in", "out"])[y], exhaustive=False, n_samples=2000)
    assert named.classes.tolist() == ["in", "out"]
    assert named.all_pairs == plain.all_pairs
    narrow = intrusion(x, y, mixup_alpha=0.1, exhaustive=False, n_samples=4000)
    assert narrow.all_pairs.intrusion.value < 0.5 * plain.all_pairs.intrusion.value  # lam near 0 or 1: hardly mixed


def test_tiny_weights_ties_and_far_groups():
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    rates = intrusion(rng.normal(size=(400, 50)) + 3 * y[:, None], y).rates(ExponentialGraph(60.0))["all"]
    assert 0 <= rates.intrusion.value <= 1
    # coincident samples of two classes: neither owns the place by standing first in the file
    x, y = rng.integers(0, 2, (200, 3)).astype(float), np.repeat([0, 1], 100)
    matrix = intrusion(x, y).class_matrix()
    assert abs(matrix[0, 0] - matrix[1, 1]) < 0.45
    rings_x, rings_y = rings(400)
    rings_x[:200] += 1e5
    narrow, wide = (intrusion(torch.tensor(rings_x, dtype=d), rings_y) for d in (torch.float32, torch.float64))
    assert narrow.overlap.value < 0.05
    assert narrow.all_pairs.intrusion.value == pytest.approx(wide.all_pairs.intrusion.value, abs=0.03)
    assert len(wide.worst(0)) == 0
    # pairs so few that they tell nothing are no ground for a suggestion
    found = suggest(intrusion(rng.normal(size=(100, 5)), rng.integers(0, 2, 100)))
    assert found.undecided


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.zeros((5, 2)), [0, 1], {}, "labels must have one class a sample"),
        (np.zeros((3, 2)), [0, 1, 1], {}, "at least 4 samples, got 3"),
        (np.full((5, 2), np.inf), [0, 1, 1, 0, 1], {}, "x must be finite, row 0"),
        (np.zeros((5, 2)), [1] * 5, {}, "at least two classes"),
        (np.zeros((5, 2)), [0, 1, 1, 0, 1], {"n_nearest": 4}, "n_nearest must be at most m - 2 = 3"),
        (np.zeros((5, 2)), [0, 1, 1, 0, 1], {"mixup_alpha": 0}, "mixup_alpha must be between"),
        (np.zeros((5, 2)), [0, 1, 1, 0, 1], {"n_samples": 5}, "n_samples must be a whole number >= 100"),
    ],
)
def test_mistakes_are_named(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        intrusion(x, y, **options)


def test_a_graph_that_needs_all_distances_is_refused_on_many_samples():
    report = intrusion(np.random.default_rng(0).normal(size=(6000, 2)), np.arange(6000) % 2, n_samples=200)
    with pytest.raises(ValueError, match="at most 5,000 samples, got 6000"):
        report.rates(KNNGraph(2, symmetric=True))
    with pytest.raises(ValueError, match="parameter must be"):
        report.curve("reach", [1])
    with pytest.raises(ValueError, match="level must be between"):
        suggest(report, level=2)


def prim(points):
    """Edges of a minimum spanning tree, the slow way."""
    inside, edges = {0}, []
    while len(inside) < len(points):
        best = min(
            (float(np.linalg.norm(points[i] - points[j])), j)
            for i in inside
            for j in range(len(points))
            if j not in inside
        )
        edges.append(best[0])
        inside.add(best[1])
    return sorted(edges)


def test_shapes_of_classes():
    x, y = rings(160)
    shapes = class_shapes(torch.from_numpy(x), y, max_loop_samples=80)
    for shape in shapes:
        np.testing.assert_allclose(shape.merges, prim(x[y == shape.label]), rtol=1e-6)
        assert (shape.n_samples, shape.n_used) == (80, 80)
    ring, disc = shapes
    assert ring.loops[0, 1] - ring.loops[0, 0] > 2  # a ring of radius 3 has a loop, a disc has none
    assert len(disc.loops) == 0 or disc.loops[0, 1] - disc.loops[0, 0] < 0.8
    part = class_shapes(x, y, max_samples=10, loops=False)[0]
    assert (part.n_samples, part.n_used, part.loops) == (80, 10, None)
    assert class_shapes(np.zeros((1, 2)), loops=False)[0].connected_at == 0
    with pytest.raises(ValueError, match="labels must have one class a sample"):
        class_shapes(x, y[:3])
