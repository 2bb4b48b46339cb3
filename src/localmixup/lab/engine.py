"""Runs spread over processes or hosts. Only this process writes to the store, each run as soon as it is finished."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from localmixup.lab import fleet
from localmixup.lab.dataset import Prepared
from localmixup.lab.errors import UserError, first_line
from localmixup.lab.results import Record, Store
from localmixup.lab.specs import RunSpec
from localmixup.lab.training import Outcome, train

BACKENDS = ("loky", "dask")

_Task = list[RunSpec]


def run_all(
    specs: Sequence[RunSpec],
    prepared: Prepared,
    store: Store,
    *,
    jobs: int | None = None,
    device: str = "cpu",
    backend: str = "loky",
    scheduler: str | None = None,
    on_finished: Callable[[RunSpec], object] = lambda spec: None,
) -> dict[str, Record]:
    """Run what is not in the store yet.

    Interrupted at any moment it loses the runs under way and no other.

    Args:
        specs: what is wanted; the same run twice is run once.
        prepared: the data of all these runs.
        store: where records are, and go.
        jobs: processes at once, one thread each, so that results do not depend on their number; None for the cores.
        device: `"cpu"` or `"cuda"`.
        backend: `"loky"`, processes of this machine, or `"dask"`, where what a worker that died was at is done again.
        scheduler: address of a running Dask scheduler; None starts workers on this machine.
        on_finished: called after a record is stored.

    Returns:
        All wanted records, by key.

    Raises:
        UserError: a worker was ended from outside, or there is no such scheduler.
    """
    wanted = {spec.key: spec for spec in specs}
    done = store.get(specs)
    tasks = list(_tasks([spec for key, spec in wanted.items() if key not in done], prepared))
    workers = min(len(tasks), jobs or (1 if device == "cuda" else os.cpu_count() or 1))
    if device == "cpu":
        prepared = prepared._replace(pixels=None)  # they serve a GPU only

    def keep(finished: list[tuple[str, Outcome]]) -> None:
        for key, outcome in finished:
            store.add(wanted[key], outcome)
            on_finished(wanted[key])

    if not tasks:
        return done
    if backend == "dask":
        _run_with_dask(tasks, prepared, workers, device, scheduler, keep)
    elif workers <= 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for task in tasks:
                keep(_train_all(task, prepared, device))
        finally:
            torch.set_num_threads(threads)
    else:
        _run_with_loky(tasks, prepared, workers, device, keep)
    return store.get(specs)


def _run_with_loky(
    tasks: Sequence[_Task], prepared: Prepared, workers: int, device: str, keep: Callable[[Any], None]
) -> None:
    with tempfile.TemporaryDirectory(prefix="localmixup-") as folder:
        path = Path(folder) / "prepared.pt"
        torch.save(tuple(prepared), path)
        parallel = joblib.Parallel(
            n_jobs=workers, return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1
        )
        outcomes = parallel(joblib.delayed(_run)(task, str(path), device) for task in tasks)
        try:
            for finished in outcomes:
                keep(finished)
        except TerminatedWorkerError:
            raise UserError(
                "a process was ended from outside, most often for want of memory; finished runs are stored: "
                "the same command with fewer --jobs goes on from there"
            ) from None
        except BaseException:
            _stop_workers()
            with contextlib.suppress(Exception):  # that its workers are gone
                outcomes.close()
            raise


def _run_with_dask(
    tasks: Sequence[_Task],
    prepared: Prepared,
    workers: int,
    device: str,
    scheduler: str | None,
    keep: Callable[[Any], None],
) -> None:
    try:
        import distributed
    except ModuleNotFoundError:
        raise UserError("--backend dask needs: pip install 'localmixup[dask]'") from None
    # the workers' own words on restarts would be printed over the progress; errors still come through
    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        client = (
            distributed.Client(scheduler, timeout=20)
            if scheduler
            else distributed.Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)
        )
    except (OSError, ValueError) as error:
        raise UserError(f"--scheduler {scheduler}: cannot be reached: {first_line(error)}") from None
    with client:
        # on every worker, so that none is the only one to have them
        data = client.scatter([tuple(prepared)], broadcast=True, hash=False)[0]
        waiting = distributed.as_completed(
            [client.submit(_run_on_dask, task, data, device, pure=False) for task in tasks]
        )
        for future in waiting:
            try:
                finished = future.result()
            except distributed.KilledWorker:
                raise UserError(
                    "several workers were ended from outside while at the same run, most often for want of memory; "
                    "finished runs are stored: the same command with fewer --jobs goes on from there"
                ) from None
            keep(finished)
            future.release()


def _tasks(specs: Sequence[RunSpec], prepared: Prepared) -> Iterator[_Task]:
    """What one process does at a time: one run, or a few of a fleet."""
    fleets: dict[tuple[Any, ...], _Task] = {}
    for spec in specs:
        if not fleet.can_train(spec, prepared):
            yield [spec]
            continue
        size = (spec.training, spec.method)
        fleets.setdefault(size, []).append(spec)
        if len(fleets[size]) >= fleet.RUNS_AT_ONCE:
            yield fleets.pop(size)
    yield from fleets.values()


def _train_all(task: _Task, prepared: Prepared, device: str) -> list[tuple[str, Outcome]]:
    if device == "cpu" and fleet.can_train(task[0], prepared):
        return [(spec.key, outcome) for spec, outcome in zip(task, fleet.train_many(task, prepared), strict=True)]
    return [(spec.key, train(spec, prepared, device=device)) for spec in task]


def _run(task: _Task, path: str, device: str) -> list[tuple[str, Outcome]]:
    _leave_with_parent()
    torch.set_num_threads(1)
    return _train_all(task, _load(path), device)


def _run_on_dask(task: _Task, prepared: Any, device: str) -> list[tuple[str, Outcome]]:
    torch.set_num_threads(1)
    return _train_all(task, Prepared(*prepared), device)


@lru_cache(maxsize=1)
def _load(path: str) -> Prepared:
    return Prepared(*torch.load(path, mmap=True))


@lru_cache(maxsize=1)
def _leave_with_parent() -> None:
    """Let this worker end when the parent is gone: one that was killed cannot tell it to."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _stop_workers() -> None:
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=False, kill_workers=True)
