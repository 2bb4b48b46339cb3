"""Runs spread over processes. Only this process writes to the store, each run as soon as it is finished."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from localmixup.lab.dataset import Prepared
from localmixup.lab.errors import UserError
from localmixup.lab.results import Record, Store
from localmixup.lab.specs import RunSpec
from localmixup.lab.training import Outcome, train


def run_all(
    specs: Sequence[RunSpec],
    prepared: Prepared,
    store: Store,
    *,
    jobs: int | None = None,
    device: str = "cpu",
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
        on_finished: called after a record is stored.

    Returns:
        All wanted records, by key.

    Raises:
        UserError: a worker was ended from outside.
    """
    wanted = {spec.key: spec for spec in specs}
    done = store.get(specs)
    pending = [spec for key, spec in wanted.items() if key not in done]
    workers = min(len(pending), jobs or (1 if device == "cuda" else os.cpu_count() or 1))
    if workers <= 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for spec in pending:
                store.add(spec, train(spec, prepared, device=device))
                on_finished(spec)
        finally:
            torch.set_num_threads(threads)
        return store.get(specs)
    with tempfile.TemporaryDirectory(prefix="localmixup-") as folder:
        path = Path(folder) / "prepared.pt"
        torch.save(tuple(prepared), path)
        parallel = joblib.Parallel(
            n_jobs=workers, return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1
        )
        finished = parallel(joblib.delayed(_run)(spec, str(path), device) for spec in pending)
        try:
            for key, outcome in finished:
                store.add(wanted[key], outcome)
                on_finished(wanted[key])
        except TerminatedWorkerError:
            raise UserError(
                "a process was ended from outside, most often for want of memory; finished runs are stored: "
                "the same command with fewer --jobs goes on from there"
            ) from None
        except BaseException:
            _stop_workers()
            raise
    return store.get(specs)


def _run(spec: RunSpec, path: str, device: str) -> tuple[str, Outcome]:
    _leave_with_parent()
    torch.set_num_threads(1)
    return spec.key, train(spec, _load(path), device=device)


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
