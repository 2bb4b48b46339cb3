"""The comparison as a whole: which runs, which rows, which choice, which controls, and what is handed over."""

import html
import json

import pytest
import torch

from localmixup import LocalMixup
from localmixup.lab.analysis.attribution import AS_FAR, AS_OFTEN
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA
from localmixup.lab.comparison import Job, compare
from localmixup.lab.comparison.client import compare_arms
from localmixup.lab.comparison.stages import CHOOSING, Runner
from localmixup.lab.data.prepared import prepare
from localmixup.lab.methods.recipe import config_of
from localmixup.lab.runs.events import Read, Stage
from localmixup.lab.runs.scores import unpack
from localmixup.lab.runs.spec import DataSpec, TrainingSpec
from localmixup.lab.runs.store import Store

TRAINING = TrainingSpec(
    model="mlp", updates=30, batch_size=16, learning_rate=0.01, pairs="batch", reduction="weighted_mean"
)
DATA = DataSpec(name="blobs", fingerprint="x")


def finish(events):
    """The events of a generator, and what it returns."""
    told = []
    while True:
        try:
            told.append(next(events))
        except StopIteration as stop:
            return told, stop.value


@pytest.fixture(scope="module", params=["test rows drawn anew", "one test set"])
def found(request, blobs):
    prepared = prepare(blobs, hold_out=request.param == "one test set")
    store = Store("sqlite://")
    runner = Runner(
        DATA, prepared, TRAINING, TRAINING.model_copy(update={"pairs": "set", "reduction": "mean"}), store, jobs=1
    )
    told, (comparison, records) = finish(
        compare_arms(Job("blobs", ("local-threshold", "c-mixup"), resamples=3), runner)
    )
    yield comparison, records, told, prepared
    store.close()


def test_the_table_has_the_three_arms_the_controls_and_what_was_asked_for(found):
    comparison = found[0]
    assert [row.label for row in comparison.rows] == [
        VANILLA, MIXUP, LOCAL, AS_OFTEN, AS_FAR, "local mixup, threshold", "c-mixup",
    ]  # fmt: skip
    assert [row.kind for row in comparison.rows] == ["arm"] * 3 + ["control"] * 2 + ["further"] * 2
    assert set(comparison.controls) == {AS_OFTEN, AS_FAR}


def test_what_chooses_and_what_judges_share_neither_seeds_nor_rows(found):
    comparison, records, _, _ = found
    judging = [records[key].spec for row in comparison.rows for key in row.keys]
    choosing = [records[key].spec for candidate in comparison.candidates for key in candidate.keys]
    assert {spec.seed for spec in judging} == {0, 1, 2}
    assert {spec.seed for spec in choosing} == set(CHOOSING)
    assert {spec.training.resample for spec in judging} == {"judge"}
    assert {spec.training.resample for spec in choosing} == {"choose"}


def test_the_rows_that_choose_choose(found):
    comparison, records, _, _ = found
    labels = [candidate.label for candidate in comparison.candidates]
    assert labels.count(MIXUP) == labels.count(LOCAL) == 8
    for label in dict.fromkeys(labels):
        of = [candidate for candidate in comparison.candidates if candidate.label == label]
        (chosen,) = [candidate for candidate in of if candidate.chosen]
        assert chosen.validation_error == pytest.approx(min(candidate.validation_error for candidate in of))
        assert comparison.row(label).spec == chosen.spec
        errors = [records[key].outcome.validation_error for key in chosen.keys]
        assert sum(errors) / len(errors) == pytest.approx(chosen.validation_error)


def test_rows_hold_the_errors_of_their_records(found):
    comparison, records, _, _ = found
    for row in comparison.rows:
        outcomes = [records[key].outcome for key in row.keys]
        assert row.errors == [outcome.test_error for outcome in outcomes]
        for outcome in outcomes:
            losses = unpack(outcome.row_losses["error"])
            assert len(losses) == comparison.sizes["test"] == 24
            assert 100 * losses.mean() == pytest.approx(outcome.test_error)
        assert set(row.scores) == {"nll", "brier", "calibration", "balanced_accuracy", "macro_f1", "auroc"}


def test_the_controls_mix_as_often_as_the_local_method(found):
    comparison = found[0]
    local, as_often, as_far = (comparison.row(label) for label in (LOCAL, AS_OFTEN, AS_FAR))
    assert as_often.mixed_share == pytest.approx(local.mixed_share, abs=0.06)
    assert as_far.mixed_share == pytest.approx(local.mixed_share, abs=0.06)
    assert config_of(as_often.spec)["graph"]["name"] == "complete"
    assert config_of(as_far.spec) == config_of(local.spec)


def test_the_recipe_is_what_was_trained(found):
    comparison, _, _, _ = found
    use = comparison.decision.use
    trained = {row.label: row.spec for row in comparison.rows}
    if use == "unclear":
        assert LocalMixup.from_config(comparison.recipe).prob == 0
    else:
        assert comparison.recipe == config_of(trained[use])
    assert comparison.front == config_of(trained[comparison.decision.front])


def test_every_resample_has_all_methods_on_the_same_rows(found):
    _, records, told, prepared = found
    stages = [event for event in told if isinstance(event, Stage)]
    assert [stage.wanted for stage in stages] == [(1 + 8 + 8 + 6 + 1) * len(CHOOSING), 7 * 3]
    assert len(records) == sum(stage.wanted for stage in stages)
    assert len(prepared.x) == (96 if len(prepared.x_test) else 120)


def test_from_the_name_of_the_data_to_the_page_and_the_recipe(tmp_path):
    job = Job("digits", (), resamples=2, epochs=1, train_size=200, out=tmp_path / "out", jobs=1)
    told, (comparison, report) = finish(compare(job))
    assert isinstance(told[0], Read)
    assert (told[0].name, told[0].lines[0]) == ("digits", "rows: 1,797")
    page = html.unescape(report.read_text(encoding="utf-8")).replace("\N{NO-BREAK SPACE}", " ")
    assert comparison.decision.headline in page
    assert comparison.decision.why in page
    written = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert written["decision"]["use"] == comparison.decision.use
    assert LocalMixup.from_config(tmp_path / "out" / "local_mixup.json").to_config() == comparison.recipe
    told, (again, _) = finish(compare(job))
    assert again == comparison
    assert all(event.done == event.wanted for event in told if isinstance(event, Stage))


def test_a_quantity_has_no_probabilities(tmp_path):
    torch.manual_seed(0)
    x = torch.randn(80, 3)
    import pandas as pd

    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": 10 * x[:, 0] + x[:, 2]}).to_csv(tmp_path / "t.csv", index=False)
    job = Job(str(tmp_path / "t.csv"), target="y", resamples=3, epochs=2, out=tmp_path / "out", jobs=1)
    _, (comparison, _) = finish(compare(job))
    assert comparison.unit == "RMSE"
    assert "calibration" not in comparison.contrasts
    assert set(comparison.rows[0].scores) == {"mae", "r2"}
    assert comparison.rows[0].error.mean > 1
