"""An inspection measures what the geometry says, reports its progress, and copes with awkward data."""

import numpy as np
import pytest
import torch

from localmixup import CompleteGraph
from localmixup.geometry import intrusion, lipschitz_lower_bound
from localmixup.geometry._progress import run_to_end
from localmixup.lab.data.description import describe
from localmixup.lab.inspection import inspect, measure
from localmixup.lab.runs.events import Note, Read, Stage, Step


def finish(events):
    seen = []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as end:
            return seen, end.value


def run(source, **options):
    return run_to_end(inspect(source, **options))


def test_it_measures_the_standardised_inputs(inspected_rings):
    _, found = inspected_rings
    x = found.inputs.numpy()
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, rtol=1e-5)
    assert torch.equal(found.features, found.inputs)
    expected = intrusion(x, found.data.y, n_samples=500)
    assert found.report.rates(CompleteGraph()) == expected.rates(CompleteGraph())
    np.testing.assert_array_equal(found.curve.value, lipschitz_lower_bound(x, found.data.y).value)
    assert [shape.n_samples for shape in found.shapes] == [50, 50]


def test_progress_is_yielded_stage_by_stage(inspected_rings):
    events, found = inspected_rings
    assert events[0] == Read("rings.npz", describe(found.data), notes=found.data.notes)
    stages = [event for event in events if isinstance(event, Stage)]
    assert [stage.title for stage in stages] == [
        "mixed samples and their neighbours", "class regions", "Lipschitz bound", "shape of the classes",
    ]  # fmt: skip
    places = [*(events.index(stage) for stage in stages), len(events)]
    for stage, start, end in zip(stages, places[:-1], places[1:], strict=True):
        steps = events[start + 1 : end]
        assert all(isinstance(step, Step) for step in steps)
        assert steps[-1].done == stage.wanted


def test_q_uses_at_most_so_many_samples_about_as_many_of_each_class(inspected_rings, monkeypatch, folder):
    _, found = inspected_rings
    np.savez("rings.npz", x=found.data.x, y=found.data.y)
    monkeypatch.setattr(measure, "LIPSCHITZ_SAMPLES", 40)
    part = run("rings.npz", n_samples=200)
    assert np.bincount(part.data.y[part.curve_rows]).tolist() == [20, 20]
    assert part.curve.value[-1] <= found.curve.value[-1]  # more samples can only raise it


def test_a_part_of_the_rows_keeps_its_features(inspected_rings, folder):
    _, found = inspected_rings
    np.savez("rings.npz", x=found.data.x, y=found.data.y)
    np.save("radius.npy", np.linalg.norm(found.data.x, axis=1)[:, None])
    part = run("rings.npz", features_file=folder / "radius.npy", train_size=60, n_samples=200)
    assert part.features.shape == (60, 1)
    np.testing.assert_allclose(part.features[:, 0], np.linalg.norm(part.data.x, axis=1))


def test_of_large_data_random_rows_are_measured(folder, monkeypatch):
    monkeypatch.setattr(measure, "FEWEST_ROWS", 60)
    x = np.random.default_rng(0).normal(size=(500, 3))
    np.savez("large.npz", x=x, y=np.arange(500) % 3)
    events, found = finish(inspect("large.npz", n_samples=400))
    assert (len(found.rows), found.total) == (100, 500)
    assert any(isinstance(event, Note) and event.text.startswith("100 random rows of 500") for event in events)
    measured = x[found.rows]  # standardised by themselves
    np.testing.assert_allclose(found.features, (measured - measured.mean(0)) / measured.std(0), atol=1e-5)
    np.testing.assert_array_equal(found.targets, found.data.y[found.rows])


def test_many_columns_change_no_distance_and_no_rate(folder):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 400)) + (np.arange(60) % 2)[:, None] * 0.2, np.arange(60) % 2
    np.savez("wide.npz", x=x, y=y)
    found = run("wide.npz", n_samples=300)
    assert found.features.shape == (60, 60)
    np.testing.assert_allclose(torch.pdist(found.features), torch.pdist(found.inputs), rtol=1e-4)
    expected = intrusion(found.inputs, y, n_samples=300)
    assert found.report.rates(CompleteGraph())["within"].intrusion.value == pytest.approx(
        expected.rates(CompleteGraph())["within"].intrusion.value, abs=1e-3
    )


def test_regression_has_a_measure_of_its_own(folder):
    rng = np.random.default_rng(0)
    np.savez("houses.npz", x=rng.normal(size=(40, 3)), y=rng.normal(size=40))
    found = run("houses.npz", task="regression")
    assert (found.report, found.curve) == (None, None)
    assert found.verdict.score == found.target_report.gap(CompleteGraph()).value
    assert found.sample.same_class is None
    assert [shape.n_samples for shape in found.shapes] == [40]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_nearest": 99}, "--nearest must be between 1 and 98 here"),
        ({"train_size": 40, "n_nearest": 39}, "--nearest must be between 1 and 38 here"),
        ({"pca": 3}, "--pca must be between 1 and 2 here"),
    ],
)
def test_mistakes_are_named(inspected_rings, folder, options, message):
    _, found = inspected_rings
    np.savez("rings.npz", x=found.data.x, y=found.data.y)
    with pytest.raises(ValueError, match=message):
        run("rings.npz", **options)
