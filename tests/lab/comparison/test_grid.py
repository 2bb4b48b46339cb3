"""The candidates of further methods."""

import pytest

from localmixup import ExponentialGraph, KNNGraph, ThresholdGraph
from localmixup.graphs.fit import sample_distances
from localmixup.lab.comparison.grid import grid_of
from localmixup.lab.methods.graphs import graph_of
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

SET = TrainingSpec(model="mlp", updates=30, batch_size=16, learning_rate=0.01)
BATCH = SET.model_copy(update={"pairs": "batch"})
ROWS = 77


@pytest.fixture(scope="module")
def sample(prepared):
    return sample_distances(prepared.x)


@pytest.mark.parametrize("method", ["local-threshold", "local-exponential", "local-knn"])
@pytest.mark.parametrize("training", [SET, BATCH], ids=["set", "batch"])
def test_the_grid_of_a_graph_is_in_units_of_the_data(method, training, prepared, sample):
    grid = grid_of(method, sample, ROWS, training)
    assert {spec.kept_share for spec in grid} == ({0.01, 0.05, 0.2} if training is SET else {0.25, 0.5})
    assert {spec.mixed_share for spec in grid} == ({0.5, 1.0} if training is SET else {None})
    for spec in grid:
        graph = graph_of(spec)
        if isinstance(graph, KNNGraph):
            among = ROWS if training is SET else min(ROWS, round(16 / spec.kept_share))
            assert graph.n_neighbors == pytest.approx(spec.kept_share * (among - 1), abs=1)
        else:
            assert isinstance(graph, ThresholdGraph | ExponentialGraph)
            w = graph.matrix(prepared.x)
            kept = float((w.sum() - len(w)) / (len(w) * (len(w) - 1)))
            assert kept == pytest.approx(spec.kept_share, abs=0.01)


def test_a_method_without_a_graph_has_one_candidate(sample):
    assert grid_of("cutmix", sample, ROWS, SET) == [MethodSpec(method="cutmix")]
