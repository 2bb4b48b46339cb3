"""Runs over processes: the same records whichever way, and nothing lost when a worker is killed."""

import logging
import os
import signal

import psutil
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.runs.engine import MOST_RUNS, run, stack_key, stacks_of
from localmixup.lab.runs.events import Stage, Step
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Store

DATA = DataSpec(name="blobs", fingerprint="x")
NEAR = MethodSpec(method="local-threshold", parameter=0.7, kept_share=0.2)
TRAINING = TrainingSpec(model="mlp", updates=40, batch_size=16, learning_rate=0.01)


def spec(seed=0, method="mixup", **training):
    method = method if isinstance(method, MethodSpec) else MethodSpec(method=method)
    return RunSpec(data=DATA, training=TRAINING.model_copy(update=training), method=method, seed=seed)


def specs(seeds=3, **training):
    """Pairs of the set and of the batch, two methods each, and a method that cannot share a stack."""
    return [
        spec(seed, method, pairs=pairs, **training)
        for pairs in ("set", "batch")
        for method in ("mixup", NEAR, "adamixup")
        for seed in range(seeds)
    ]


def followed(events):
    """The events and the result of a generator."""
    seen = []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as stop:
            return seen, stop.value


def numbers(records):
    """What does not depend on time or rounding: of 24 validation and test rows at most one is on the boundary."""
    return {
        key: (r.outcome.curve[0][1], r.outcome.mixed_share, r.outcome.test_error / 5, r.outcome.validation_error / 6)
        for key, r in records.items()
    }


@pytest.fixture
def quiet_dask():
    """Keep what a killed worker makes Dask log out of the other tests."""
    yield
    logging.getLogger("distributed").setLevel(logging.WARNING)


@pytest.fixture(scope="module")
def in_one_process(tmp_path_factory, prepared):
    return followed(run(specs(updates=150), prepared, Store(tmp_path_factory.mktemp("one") / "runs"), jobs=1))


def assert_same_records(found, expected):
    found, expected = numbers(found), numbers(expected)
    assert found.keys() == expected.keys()
    for key in expected:
        assert found[key] == pytest.approx(expected[key], abs=1)
        assert found[key][:2] == pytest.approx(expected[key][:2], abs=1e-3)


def test_several_processes_give_the_records_of_one(tmp_path, prepared, in_one_process):
    wanted = specs(updates=150)
    seen, records = followed(run(wanted, prepared, Store(tmp_path / "runs"), jobs=2, title="blobs"))
    assert seen[0] == Stage("blobs", len(wanted), 0)
    done = [event.done for event in seen[1:]]
    assert done == sorted(set(done))
    assert done[-1] == len(wanted)
    assert_same_records(records, in_one_process[1])


def test_dask_gives_them_too_when_a_worker_is_killed(tmp_path, prepared, in_one_process, quiet_dask):
    work = run(specs(updates=150), prepared, Store(tmp_path / "runs"), jobs=2, backend="dask")
    killed = []
    while True:
        try:
            event = next(work)
        except StopIteration as stop:
            records = stop.value
            break
        if isinstance(event, Step) and not killed:
            workers = [p for p in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
            assert len(workers) >= 2
            killed.append(workers[0].pid)
            os.kill(workers[0].pid, signal.SIGKILL)
    assert killed
    assert_same_records(records, in_one_process[1])


def test_a_run_that_is_trained_alone_stays_alone_where_it_is_listed_twice(prepared):
    alone = spec(method="adamixup")
    assert stacks_of([alone, alone], prepared, 1) == [[alone], [alone]]


def test_what_is_stored_is_not_run_again(tmp_path, prepared):
    store, wanted = Store(tmp_path / "runs"), specs()
    followed(run(wanted[:5], prepared, store, jobs=1))
    seen, _ = followed(run(wanted, prepared, store, jobs=1))
    assert seen[0] == Stage("training", len(wanted), 5)
    assert seen[1].done > 5
    assert seen[-1] == Step(len(wanted))
    assert followed(run(wanted, prepared, store))[0] == [Stage("training", len(wanted), len(wanted))]


def test_an_interrupt_keeps_what_is_finished(tmp_path, prepared):
    store, wanted = Store(tmp_path / "runs"), specs()
    work = run(wanted, prepared, store, jobs=2)
    while not isinstance(event := next(work), Step):
        pass
    with pytest.raises(KeyboardInterrupt):
        work.throw(KeyboardInterrupt)
    assert len(store.get(wanted)) == event.done > 0


def test_a_scheduler_that_is_not_there_is_named(tmp_path, prepared, quiet_dask):
    with pytest.raises(ArgumentError, match=r"--scheduler tcp://127\.0\.0\.1:9: cannot be reached"):
        followed(run(specs(), prepared, Store(tmp_path / "runs"), backend="dask", scheduler="tcp://127.0.0.1:9"))


def test_runs_that_draw_as_many_pairs_share_a_stack(prepared):
    same = [
        spec(), spec(1, "vanilla"), spec(2, "local-knn"), spec(3, "between-class"),
        spec(4, MethodSpec(method="mixup", loss_scale=0.5)), spec(5, NEAR),
    ]  # fmt: skip
    assert len({stack_key(one, prepared) for one in same}) == 1
    others = [
        spec(pairs="batch"), spec(method=NEAR, pairs="batch"), spec(updates=41), spec(method="regmixup"),
        spec(method=MethodSpec(method="regmixup", options=(("eta", 2.0),))), spec(method="adamixup"),
        spec(1, "adamixup"), spec(learning_rate=0.1), spec(measure=("gaussian 0.1",)),
        spec(method="published-spirals"),
    ]  # fmt: skip
    assert len({stack_key(one, prepared) for one in [*same, *others]}) == 1 + len(others)


def test_stacks_keep_all_workers_busy_and_end_in_seconds(prepared):
    def sizes(count, workers, **training):
        stacks = stacks_of([spec(seed, **training) for seed in range(count)], prepared, workers)
        assert sorted(one.seed for stack in stacks for one in stack) == list(range(count))
        return sorted(len(stack) for stack in stacks)

    assert sizes(45, 2) == [22, 23]
    assert sizes(1000, 2)[-1] <= MOST_RUNS
    assert sizes(10, 8) == [5, 5]
    assert sizes(40, 1, updates=50_000) == [5] * 8
    assert sizes(3, 1, updates=10**7) == [1] * 3
