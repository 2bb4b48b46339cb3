"""Runs over processes: the same records whichever way, and nothing lost when a worker is killed."""

import logging
import os
import signal

import psutil
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.runs import fleet
from localmixup.lab.runs.engine import run_all
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Store

DATA = DataSpec(name="blobs", fingerprint="x")


def specs(updates=40, seeds=3):
    """Runs of the plain loop and of a fleet."""
    training = TrainingSpec(model="mlp", updates=updates, batch_size=16, learning_rate=0.01)
    fleets = training.model_copy(update={"pairs": "batch", "optimizer": "adam"})
    methods = [MethodSpec(method="mixup"), MethodSpec(method="local-threshold", parameter=0.7, kept_share=0.2)]
    return [
        RunSpec(data=DATA, training=kind, method=method, seed=seed)
        for kind in (training, fleets)
        for method in methods
        for seed in range(seeds)
    ]


def without_time(records):
    return {key: record.outcome._replace(train_seconds=0) for key, record in records.items()}


@pytest.fixture
def quiet_dask():
    """What a killed worker makes Dask log belongs to this test, not to the user."""
    yield
    logging.getLogger("distributed").setLevel(logging.WARNING)


def test_one_process_several_and_dask_give_the_same_records(tmp_path, prepared, quiet_dask):
    wanted = specs()
    assert {fleet.can_train(spec, prepared) for spec in wanted} == {True, False}
    ways = {"one": {"jobs": 1}, "loky": {"jobs": 2}, "dask": {"jobs": 2, "backend": "dask"}}
    found = {}
    for name, options in ways.items():
        finished = []
        records = run_all(wanted, prepared, Store(tmp_path / name), on_finished=finished.append, **options)
        assert {spec.key for spec in finished} == {spec.key for spec in wanted}
        found[name] = without_time(records)
    assert len(found["one"]) == len(wanted)
    assert found["one"] == found["loky"] == found["dask"]


def test_a_killed_worker_of_dask_loses_nothing(tmp_path, prepared, quiet_dask):
    wanted = [spec for spec in specs(updates=300, seeds=8) if not fleet.can_train(spec, prepared)]
    killed = []

    def kill_one(spec):
        if killed:
            return
        workers = [p for p in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
        assert len(workers) >= 2
        killed.append(workers[0].pid)
        os.kill(workers[0].pid, signal.SIGKILL)

    records = run_all(
        wanted, prepared, Store(tmp_path / "runs"), jobs=2, backend="dask", on_finished=kill_one
    )  # fmt: skip
    assert killed
    assert len(records) == len(wanted)
    undisturbed = run_all(wanted, prepared, Store(tmp_path / "again"), jobs=1)
    assert without_time(records) == without_time(undisturbed)


def test_what_is_stored_is_not_run_again(tmp_path, prepared):
    store = Store(tmp_path / "runs")
    wanted = specs()
    run_all(wanted[:5], prepared, store, jobs=1)
    finished = []
    run_all(wanted, prepared, store, jobs=1, on_finished=finished.append)
    assert len(finished) == len(wanted) - 5


def test_an_interrupt_keeps_what_is_finished(tmp_path, prepared):
    store, finished = Store(tmp_path / "runs"), []

    def stop(spec):
        finished.append(spec)
        if len(finished) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(specs(), prepared, store, jobs=2, on_finished=stop)
    assert len(store.get(specs())) == 4


def test_a_scheduler_that_is_not_there_is_named(tmp_path, prepared, quiet_dask):
    with pytest.raises(ArgumentError, match=r"--scheduler tcp://127\.0\.0\.1:9: cannot be reached"):
        run_all(specs(), prepared, Store(tmp_path / "runs"), backend="dask", scheduler="tcp://127.0.0.1:9")
