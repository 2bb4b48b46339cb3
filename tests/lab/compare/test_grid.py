"""The candidates of a method."""

import pytest

from localmixup import ExponentialGraph, KNNGraph, ThresholdGraph
from localmixup._validate import ArgumentError
from localmixup.graphs.fit import sample_distances
from localmixup.lab.compare.grid import candidates
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
def test_the_grid_holds_both_ends_and_is_in_units_of_the_data(method, training, prepared, sample):
    shares = (0.01, 0.2) if training is SET else (0.3, 0.5)
    grid = candidates(method, sample, ROWS, training, kept_shares=shares)
    assert MethodSpec(method="vanilla") in grid
    assert MethodSpec(method="mixup") in grid
    own = [spec for spec in grid if spec.method == method]
    assert {spec.kept_share for spec in own} == set(shares)
    assert {spec.mixed_share for spec in own} == ({0.5, 1.0} if training is SET else {None})
    for spec in own:
        graph = graph_of(spec)
        if isinstance(graph, KNNGraph):
            among = ROWS if training is SET else 16 / spec.kept_share
            assert graph.n_neighbors == pytest.approx(spec.kept_share * (among - 1), abs=1)
        else:
            assert isinstance(graph, ThresholdGraph | ExponentialGraph)
            w = graph.matrix(prepared.x)
            kept = float((w.sum() - len(w)) / (len(w) * (len(w) - 1)))
            assert kept == pytest.approx(spec.kept_share, abs=0.01)


def test_a_method_without_a_graph_has_one_candidate(sample):
    assert candidates("cutmix", sample, ROWS, SET) == [MethodSpec(method="cutmix")]


def test_a_parameter_that_the_user_set_is_not_chosen(sample, prepared):
    grid = candidates("local-threshold", sample, ROWS, SET, fixed=0.5)
    assert [(spec.method, spec.parameter, spec.mixed_share) for spec in grid] == [
        ("local-threshold", 0.5, 0.5), ("local-threshold", 0.5, 1.0)
    ]  # fmt: skip
    far = ThresholdGraph(0.5).matrix(prepared.x)
    assert grid[0].kept_share == pytest.approx(float((far.sum() - len(far)) / (len(far) * (len(far) - 1))), abs=1e-3)
    assert {spec.parameter for spec in candidates("local-knn", sample, ROWS, SET, fixed=3.0)} == {3.0}


def test_a_batch_larger_than_the_data_is_refused(sample):
    large = BATCH.model_copy(update={"batch_size": 64})
    with pytest.raises(ArgumentError, match="77 training samples are too few"):
        candidates("local-threshold", sample, ROWS, large, kept_shares=(0.1,))
    with pytest.raises(ArgumentError, match="use --pairs set"):
        candidates("local-knn", sample, ROWS, large, fixed=3.0)
