"""Suggested graphs: they stay below the level, the next one does not, and they can be used as they are."""

import numpy as np
import pytest
import torch
from geometry_data import blobs, rings

from localmixup import KNNGraph, LocalMixup
from localmixup.geometry import intrusion, suggest
from localmixup.geometry.suggestion import GRAPHS, candidate_values
from localmixup.graphs.registry import make_graph


def test_mixup_of_convex_classes_is_safe():
    found = suggest(intrusion(*blobs(classes=3), exhaustive=False))
    assert found.safe
    assert found.graphs["threshold"].rates.mean_weight == 1


def test_suggested_graphs_are_the_least_local_below_the_level():
    x, y = rings()
    report = intrusion(x, y, exhaustive=False)
    found = suggest(report)
    assert (found.safe, found.undecided, found.limit) == (False, False, 0.01)
    assert list(found.graphs) == list(GRAPHS)
    for name, suggested in found.graphs.items():
        assert report.rates(suggested.graph)["all"] == suggested.rates
        assert suggested.rates.intrusion.value <= 0.01
        values = candidate_values(report, name)
        less_local = values[np.flatnonzero(values == suggested.value)[0] + 1 :]
        assert len(less_local)
        rates = [report.rates(make_graph(name, float(value)))["all"].intrusion.value for value in less_local]
        assert min(rates) > 0.01
    assert found.graphs["threshold"].value < 6


def test_suggested_graphs_are_ready_for_a_batch():
    x, y = rings()
    graphs = suggest(intrusion(x, y, exhaustive=False)).graphs
    batch_x, batch_y = torch.from_numpy(x[:64]), torch.from_numpy(y[:64])
    for suggested in graphs.values():
        assert LocalMixup(suggested.graph)(batch_x, batch_y).weights.sum() > 0
    knn = graphs["knn"]
    assert isinstance(knn.graph, KNNGraph)
    assert knn.graph.count(len(x)) == knn.value  # in the whole data set
    assert not knn.graph.is_mixup(64)
    assert [g.parameter for g in graphs.values()] == ["radius", "decay", "n_neighbors"]


def test_overlapping_classes_are_not_mistaken_for_intrusion():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(150, 2)), np.arange(150) % 2  # labels without meaning
    found = suggest(intrusion(x, y, exhaustive=False))
    assert (found.safe, found.undecided, found.graphs) == (False, True, {})
    assert found.limit > 0.3
    # a little overlap and much intrusion: the graphs stay below the overlap plus the level
    x, y = rings()
    flipped = np.where(np.arange(200) % 25 == 0, 1 - y, y)
    report = intrusion(x, flipped, exhaustive=False)
    found = suggest(report, level=0.001)
    assert not found.undecided
    assert found.graphs["threshold"].rates.intrusion.value <= found.limit
    assert found.limit in (0.001, 0.001 + report.overlap.value)


def test_too_few_pairs_are_no_basis_for_a_suggestion():
    # of 40 samples without structure, the nearest pairs alone may not intrude by chance
    rng = np.random.default_rng(0)
    assert suggest(intrusion(rng.normal(size=(40, 5)), rng.integers(0, 2, 40))).undecided


def test_a_level_out_of_range_is_named():
    with pytest.raises(ValueError, match="level must be between"):
        suggest(intrusion(*rings(40), exhaustive=False, n_samples=200), level=2)
