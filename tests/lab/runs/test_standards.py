"""Tables are filled and standardised by the training rows of each run: other rows change nothing that is trained."""

import numpy as np
import pytest
import torch

from localmixup.lab.data.dataset import Column, DataSet
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.resampling import resampled_rows
from localmixup.lab.data.standard import CLIP, fit
from localmixup.lab.runs import draws, loop
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec

RNG = np.random.default_rng(0)
SEEDS = (0, 1, 2)


def table(task):
    """A number with gaps, a category with gaps, and a number in a huge unit."""
    x = np.column_stack([RNG.normal(size=120), np.eye(3)[np.arange(120) % 3], 1e9 + 1e3 * RNG.normal(size=120)])
    x = np.insert(x, 1, 0.0, axis=1)
    x = np.insert(x, 5, 0.0, axis=1)
    x[::5, 0], x[::5, 1] = np.nan, 1.0
    x[::7, 2:5], x[::7, 5] = np.nan, 1.0
    columns = (Column("a", "number", 1, 24), Column("c", "category", 3, 18), Column("u", "number", 1))
    y = np.nan_to_num(x[:, 0]) + RNG.normal(size=120) / 4
    if task == "regression":
        return DataSet("made up", "table", x, 50 + 10 * y, columns=columns)
    return DataSet("made up", "table", x, (y > 0).astype(np.int64), class_names=("no", "yes"), columns=columns)


def specs(data, stage, method, pairs="batch"):
    training = TrainingSpec(
        model="mlp", pairs=pairs, first_ends="uniform", updates=12, batch_size=16, resample=stage, standardise="run",
        validation_share=0.0, curve_points=1, reduction="mean" if pairs == "set" else "weighted_mean",
    )  # fmt: skip
    spec = DataSpec(name=data.name, fingerprint=data.fingerprint)
    return [RunSpec(data=spec, training=training, method=method, seed=seed) for seed in SEEDS]


def trained(data, runs, monkeypatch):
    """Return the parameters of the networks after training, and the outcomes."""
    kept = []
    monkeypatch.setattr(loop, "stack", lambda models, stack=loop.stack: kept.append(stack(models)) or kept[-1])
    outcomes = loop.train(runs, prepare(data, hold_out=False))
    return [p.detach().clone() for p in kept[0].parameters()], outcomes


METHODS = {
    "random partners": (MethodSpec(method="mixup"), "batch"),
    "pairs of the set": (MethodSpec(method="local-knn", parameter=5), "set"),
}


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize(("method", "pairs"), METHODS.values(), ids=METHODS)
def test_rows_that_judge_change_nothing_that_is_trained(task, method, pairs, monkeypatch):
    data = table(task)
    runs = specs(data, "judge", method, pairs)[:1]
    judged = resampled_rows(prepare(data, hold_out=False), "judge", runs[0].seed).test
    x, y = data.x.copy(), data.y.copy()
    x[judged, 0], x[judged, 6] = 1e6, -3e9
    if task == "regression":
        y[judged] = 1e5
    other = DataSet(data.name, data.kind, x, y, class_names=data.class_names, columns=data.columns)
    parameters, outcomes = trained(data, runs, monkeypatch)
    changed, of_changed = trained(other, runs, monkeypatch)
    assert all(torch.equal(a, b) for a, b in zip(parameters, changed, strict=True))
    assert outcomes[0].test_error != of_changed[0].test_error


def test_large_tables_are_standardised_when_rows_are_taken(monkeypatch):
    data = table("regression")
    runs = specs(data, "judge", MethodSpec(method="mixup"))
    at_once, _ = trained(data, runs, monkeypatch)
    monkeypatch.setattr(draws, "_WHOLE_VALUES", 0)
    in_parts, _ = trained(data, runs, monkeypatch)
    assert all(torch.equal(a, b) for a, b in zip(at_once, in_parts, strict=True))


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_run_of_a_stack_is_what_it_is_alone(task, monkeypatch):
    data = table(task)
    runs = specs(data, "judge", MethodSpec(method="mixup"))
    _, together = trained(data, runs, monkeypatch)
    alone = [trained(data, [run], monkeypatch)[1][0] for run in runs]
    for one, other in zip(together, alone, strict=True):
        assert one.test_error == pytest.approx(other.test_error, rel=1e-4)


def test_a_stack_predicts_what_a_loop_over_its_rows_says():
    """The error of a regression, from the networks and plain NumPy."""
    data = table("regression")
    runs = specs(data, "judge", MethodSpec(method="mixup"))
    ready = prepare(data, hold_out=False)
    kept = []
    original = loop.stack
    loop.stack = lambda models: kept.append(original(models)) or kept[-1]
    try:
        outcomes = loop.train(runs, ready)
    finally:
        loop.stack = original
    for r, (run, outcome) in enumerate(zip(runs, outcomes, strict=True)):
        rows = resampled_rows(ready, "judge", run.seed)
        x = data.x.copy()
        x[np.isnan(x[:, 0]), 0] = np.nanmedian(x[rows.train, 0])
        most = np.nansum(x[rows.train, 2:5], axis=0).argmax()
        x[np.isnan(x[:, 2])] = np.where(np.arange(7) == 2 + most, 1.0, np.where(
            (np.arange(7) > 1) & (np.arange(7) < 5), 0.0, x[np.isnan(x[:, 2])]))  # fmt: skip
        part = x[rows.train]
        deviation = part.std(axis=0)
        scaled = np.clip((x - part.mean(axis=0)) / np.where(deviation > 0, deviation, 1), -CLIP, CLIP)
        test = torch.from_numpy(scaled[rows.test]).float().expand(len(runs), -1, -1)
        with torch.no_grad():
            outputs = kept[0](test)[r, :, 0].double().numpy()
        y = data.y[rows.train]
        error = np.sqrt(np.square(outputs * y.std() + y.mean() - data.y[rows.test]).mean())
        assert outcome.test_error == pytest.approx(error, rel=1e-3)


def test_the_standard_of_rows_is_that_of_numpy():
    x = table("classification").x
    standard = fit(x, gaps=[0, 2, 3, 4], categories=[(2, 5)])
    found = standard.apply(torch.from_numpy(x)).numpy()
    whole = ~np.isnan(x[:, 0])
    expected = x[:, 0].copy()
    expected[~whole] = np.median(x[whole, 0])
    np.testing.assert_allclose(found[:, 0], (expected - expected.mean()) / expected.std(), rtol=1e-5, atol=1e-6)
    assert np.isfinite(found).all()
    counts = np.nansum(x[:, 2:5], axis=0)
    assert standard.fill[0, 2:5].tolist() == [float(k == counts.argmax()) for k in range(3)]
