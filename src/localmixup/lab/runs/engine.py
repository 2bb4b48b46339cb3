"""Runs spread over processes or hosts. Only this process writes to the store, each run as soon as it is finished."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from localmixup._validate import ArgumentError
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.errors import first_line
from localmixup.lab.runs import fleet
from localmixup.lab.runs.spec import RunSpec
from localmixup.lab.runs.store import Record, Store
from localmixup.lab.runs.train import Outcome, train

BACKENDS = ("loky", "dask")


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
        ArgumentError: a worker was ended from outside, or there is no such scheduler.
    """
    wanted = {spec.key: spec for spec in specs}
    done = store.get(specs)
    pending = [spec for key, spec in wanted.items() if key not in done]
    workers = min(len(pending), jobs or (1 if device == "cuda" else os.cpu_count() or 1))
    if device == "cpu":
        prepared = prepared._replace(pixels=None)  # they serve a GPU only

    def keep(key: str, outcome: Outcome) -> None:
        store.add(wanted[key], outcome)
        on_finished(wanted[key])

    if not pending:
        return done
    if backend == "dask":
        _run_with_dask(pending, prepared, workers, device, scheduler, keep)
    elif workers <= 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for spec in pending:
                keep(*_train(spec, prepared, device))
        finally:
            torch.set_num_threads(threads)
    else:
        _run_with_loky(pending, prepared, workers, device, keep)
    return store.get(specs)


def _run_with_loky(
    specs: Sequence[RunSpec], prepared: Prepared, workers: int, device: str, keep: Callable[[str, Outcome], None]
) -> None:
    with tempfile.TemporaryDirectory(prefix="localmixup-") as folder:
        path = Path(folder) / "prepared.pt"
        torch.save(tuple(prepared), path)
        parallel = joblib.Parallel(
            n_jobs=workers, return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1
        )
        outcomes = parallel(joblib.delayed(_run)(spec, str(path), device) for spec in specs)
        try:
            for finished in outcomes:
                keep(*finished)
        except TerminatedWorkerError:
            raise ArgumentError(
                "a process was ended from outside, most often for want of memory; finished runs are stored: "
                "the same command with fewer --jobs goes on from there"
            ) from None
        except BaseException:
            with contextlib.suppress(Exception):  # it ends its workers itself, and may complain that they are gone
                outcomes.close()
            _stop_workers()
            raise


def _run_with_dask(
    specs: Sequence[RunSpec],
    prepared: Prepared,
    workers: int,
    device: str,
    scheduler: str | None,
    keep: Callable[[str, Outcome], None],
) -> None:
    try:
        import distributed
    except ModuleNotFoundError:
        raise ArgumentError("--backend dask needs: pip install 'localmixup[dask]'") from None
    # the workers' own words on restarts would be printed over the progress; errors still come through
    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        client = (
            distributed.Client(scheduler, timeout=20)
            if scheduler
            else distributed.Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)
        )
    except (OSError, ValueError) as error:
        raise ArgumentError(f"--scheduler {scheduler}: cannot be reached: {first_line(error)}") from None
    with client:
        # on every worker, so that none is the only one to have them
        data = client.scatter([tuple(prepared)], broadcast=True, hash=False)[0]
        waiting = distributed.as_completed(
            [client.submit(_run_on_dask, spec, data, device, pure=False) for spec in specs]
        )
        for future in waiting:
            try:
                finished = future.result()
            except distributed.KilledWorker:
                raise ArgumentError(
                    "several workers were ended from outside while at the same run, most often for want of memory; "
                    "finished runs are stored: the same command with fewer --jobs goes on from there"
                ) from None
            keep(*finished)
            future.release()


def _train(spec: RunSpec, prepared: Prepared, device: str) -> tuple[str, Outcome]:
    if device == "cpu" and fleet.can_train(spec, prepared):
        return spec.key, fleet.train_many([spec], prepared)[0]
    return spec.key, train(spec, prepared, device=device)


def _run(spec: RunSpec, path: str, device: str) -> tuple[str, Outcome]:
    _leave_with_parent()
    torch.set_num_threads(1)
    return _train(spec, _load(path), device)


def _run_on_dask(spec: RunSpec, prepared: Any, device: str) -> tuple[str, Outcome]:
    torch.set_num_threads(1)
    return _train(spec, Prepared(*prepared), device)


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
