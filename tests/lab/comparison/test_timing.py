"""The estimate of the time covers all runs, and the budget sets the number of resamples."""

import pytest

from localmixup.lab.comparison import budget, timing
from localmixup.lab.comparison.candidates import vanilla_config
from localmixup.lab.comparison.job import Job
from localmixup.lab.comparison.stages import Grids, Runner
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.events import Note
from localmixup.lab.runs.loop import train
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Store

TRAINING = TrainingSpec(model="mlp", updates=40, batch_size=16, pairs="batch")
DATA = DataSpec(name="blobs", fingerprint="x")


def test_the_time_of_a_run_is_what_it_takes_once_and_with_each_update_and_evaluation(prepared, monkeypatch):
    monkeypatch.setattr(timing, "_timed", lambda stack, prepared, workers, device: timing.Cost(1.0, 0.5, 0.25))
    rare, often = (TRAINING.model_copy(update={"curve_points": points}) for points in (1, 40))
    for training, looks in ((rare, 1), (often, evaluations(often, prepared))):
        runs = [RunSpec(data=DATA, training=training, method=MethodSpec(method="vanilla"), seed=k) for k in range(64)]
        seconds = 1 + 40 * 0.5 + 0.25 * (looks - 1)
        # two stacks of 32 runs
        assert timing.seconds_for(runs, prepared, jobs=1) == 2 * seconds
        assert timing.seconds_for(runs, prepared, jobs=2) == seconds
    assert looks > 2
    assert timing.seconds_for([], prepared) == 0


def evaluations(training, prepared):
    """How often a run is evaluated, counted on the curve that it leaves behind."""
    (outcome,) = train([RunSpec(data=DATA, training=training, method=MethodSpec(method="vanilla"), seed=3)], prepared)
    return len(outcome.curve)


@pytest.mark.parametrize(
    "changes",
    [
        {"curve_points": 1}, {"curve_points": 20}, {"curve_points": 7, "updates": 41}, {"updates": 1},
        {"resample": "choose", "validation_share": 0.0}, {"resample": "choose", "train_rows": 16, "curve_points": 9},
        {"resample": "judge", "batch_size": 7},
    ],
)  # fmt: skip
def test_the_evaluations_are_counted_as_they_happen(prepared, changes):
    training = TRAINING.model_copy(update=changes)
    spec = RunSpec(data=DATA, training=training, method=MethodSpec(method="vanilla"), seed=3)
    assert timing.looks(spec, prepared) == evaluations(training, prepared)


def test_evaluations_are_timed_by_a_training_with_and_without_them(prepared, monkeypatch):
    """With a clock that only evaluations and updates move, every part of the cost is found exactly."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def slow(specs, prepared, device):
        training = specs[0].training
        now[0] += 5.0 + 0.5 * training.updates
        now[0] += 0.25 * (evaluations(training, prepared) - 1)

    monkeypatch.setattr(timing, "train", slow)
    for points, look in ((20, 0.25), (1, 0.0)):
        training = TRAINING.model_copy(update={"resample": "choose", "validation_share": 0.0, "curve_points": points})
        spec = RunSpec(data=DATA, training=training, method=MethodSpec(method="vanilla"), seed=0)
        assert timing._seconds([spec], prepared, "cpu") == pytest.approx((5.0, 0.5, look))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_real_estimate_is_of_the_right_size(prepared, jobs):
    runs = [RunSpec(data=DATA, training=TRAINING, method=MethodSpec(method="vanilla"), seed=k) for k in range(32)]
    assert 0 < timing.seconds_for(runs, prepared, jobs=jobs) < 60


@pytest.mark.parametrize(
    ("seconds", "resamples", "said"),
    [
        (1000.0, 90, "fit into the budget"),
        (1.0, 5, "are the fewest allowed and take longer than"),
        (1e9, 200, "fit into"),
    ],
)
def test_the_budget_sets_the_resamples(prepared, monkeypatch, seconds, resamples, said):
    # choosing takes 100 seconds, and so do 10 resamples
    monkeypatch.setattr(budget, "seconds_for", lambda specs, prepared, **options: 100.0)
    store = Store("sqlite://")
    grids = Grids({label: [recipe_spec(vanilla_config())] for label in ("vanilla", "mixup", "local mixup")})
    work = budget.announced(Job("blobs", budget=seconds), Runner(DATA, prepared, TRAINING, TRAINING, store), grids)
    note = next(work)
    with pytest.raises(StopIteration) as stopped:
        next(work)
    store.close()
    assert stopped.value.value == resamples
    assert isinstance(note, Note)
    assert note.text.startswith(f"{resamples} resamples {said}")
