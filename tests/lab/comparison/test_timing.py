"""The estimate of the time covers all runs, and the budget sets the number of resamples."""

import pytest

from localmixup.lab.comparison import budget, timing
from localmixup.lab.comparison.candidates import vanilla_config
from localmixup.lab.comparison.job import Job
from localmixup.lab.comparison.stages import Grids, Runner
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.events import Note
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Store

TRAINING = TrainingSpec(model="mlp", updates=40, batch_size=16, pairs="batch")
DATA = DataSpec(name="blobs", fingerprint="x")


def test_the_time_of_a_run_is_what_it_takes_once_and_with_each_update(prepared, monkeypatch):
    monkeypatch.setattr(timing, "_timed", lambda stack, prepared, workers, device: (1.0, 0.5))
    runs = [RunSpec(data=DATA, training=TRAINING, method=MethodSpec(method="vanilla"), seed=k) for k in range(64)]
    # two stacks of 32 runs
    assert timing.seconds_for(runs, prepared, jobs=1) == 2 * (1 + 40 * 0.5)
    assert timing.seconds_for(runs, prepared, jobs=2) == 1 + 40 * 0.5
    assert timing.seconds_for([], prepared) == 0


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
