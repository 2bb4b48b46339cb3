"""The comparison: which runs, which choice, which controls, which rows."""

import json

import pytest

from localmixup.graphs.fit import sample_distances
from localmixup.lab.compare import Job, compare
from localmixup.lab.compare.client import compare_methods
from localmixup.lab.runs.events import Read, Stage
from localmixup.lab.runs.spec import DataSpec, TrainingSpec
from localmixup.lab.runs.store import Store

TRAINING = TrainingSpec(model="mlp", updates=30, batch_size=16, learning_rate=0.01)
DATA = DataSpec(name="blobs", fingerprint="x")
METHODS = ("vanilla", "mixup", "local-threshold", "local-exponential", "local-knn", "between-class")


def finish(events):
    """The events of a generator, and what it returns."""
    told = []
    while True:
        try:
            told.append(next(events))
        except StopIteration as stop:
            return told, stop.value


@pytest.fixture(scope="module", params=["set", "batch"])
def found(request, prepared):
    training = TRAINING.model_copy(update={"pairs": request.param})
    shares = (0.3, 0.5) if request.param == "batch" else None
    store = Store("sqlite://")
    told, (comparison, records) = finish(
        compare_methods(
            DATA, prepared, sample_distances(prepared.x), training, METHODS, range(2), store, kept_shares=shares, jobs=1
        )
    )
    yield comparison, records, told
    store.close()


def test_every_local_method_stands_before_its_two_controls(found):
    comparison, _, _ = found
    labels = [row.label for row in comparison.rows]
    for row in comparison.rows:
        if row.spec.method.startswith("local"):
            share, scaled = comparison.controls_of(row.label)
            assert {share.label, scaled.label, "vanilla", "mixup"} == set(row.differences)
            assert labels.index(share.label) == labels.index(row.label) + 1
            assert share.mixed_share == pytest.approx(row.mixed_share, abs=0.06)
            assert scaled.spec.loss_scale == pytest.approx(row.mean_weight, abs=1e-3)
            if comparison.training.pairs == "set":
                assert scaled.spec.loss_scale == 1
            else:
                assert scaled.spec.loss_scale < 0.7


def test_the_choice_is_the_lowest_validation_error(found):
    comparison, _, _ = found
    for method, grid in comparison.grid.items():
        errors = comparison.grid_errors[method]
        label = {"local-threshold": "local mixup, threshold", "vanilla": "vanilla"}.get(method)
        if label is not None:
            row = comparison.row(label)
            assert row.spec == grid[errors.index(min(errors))]
            assert sum(row.validation_errors) / 2 == pytest.approx(min(errors))
        own = [error for spec, error in zip(grid, errors, strict=True) if spec.method == method]
        best = [row for row in comparison.rows if row.spec.method == method and row.control_of is None]
        assert any(sum(row.validation_errors) / 2 == pytest.approx(min(own)) for row in best)


def test_rows_hold_the_errors_of_their_records(found):
    comparison, records, _ = found
    for row in comparison.rows:
        assert row.errors == [records[key].outcome.test_error for key in row.keys]
        assert all(records[key].spec.method == row.spec for key in row.keys)


def test_no_run_is_asked_for_twice(found):
    _, records, told = found
    stages = [event for event in told if isinstance(event, Stage)]
    assert {stage.done for stage in stages} == {0}
    assert len(records) <= sum(stage.wanted for stage in stages)


def test_the_sizes_are_those_of_the_parts(found, prepared):
    sizes = found[0].sizes
    assert sizes["train"] + sizes["validation"] == len(prepared.x) == 96
    assert sizes["validation"] == 19
    assert sizes["test"] == len(prepared.x_test)


def test_from_the_name_of_the_data_to_the_page(tmp_path):
    job = Job("digits", ("vanilla", "mixup"), seeds=2, epochs=1, train_size=200, out=tmp_path / "out", jobs=1)
    told, (comparison, report) = finish(compare(job))
    assert isinstance(told[0], Read)
    assert told[0][:5] == ("digits", 1797, (1, 8, 8), "classification", told[0].model)
    page = report.read_text(encoding="utf-8")
    assert comparison.verdict in page.replace("&#39;", "'")
    written = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert [row["label"] for row in written["rows"]] == ["vanilla", "mixup"]
    told, (again, _) = finish(compare(job))
    assert again.rows == comparison.rows
    assert all(event.done == event.wanted for event in told if isinstance(event, Stage))
