"""Runs spread over processes or hosts, many of them as stacks.

Only this process writes to the store. The runs of a stack are stored as soon as it ends, so an interruption loses the
stacks in progress and nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Generator, Hashable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from localmixup._optional import require
from localmixup._validate import ArgumentError
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.errors import first_line
from localmixup.lab.methods import METHODS, Method
from localmixup.lab.models import build_model
from localmixup.lab.models.own import is_own, plain_name, stays_here
from localmixup.lab.runs.events import Event, Note, Stage, Step
from localmixup.lab.runs.loop import train
from localmixup.lab.runs.network import can_stack
from localmixup.lab.runs.outcome import Outcome
from localmixup.lab.runs.spec import RunSpec
from localmixup.lab.runs.store import Record, Store
from localmixup.lab.scratch import temporary_folder

BACKENDS = ("loky", "dask")
MOST_RUNS = 32
"""Runs of a stack at most. Beyond it hardly anything is gained, and more is lost by an interruption."""
_FEWEST_RUNS = 8  # fewer in a stack are not worth a second process
_RUN_UPDATES = 250_000  # updates of a stack, of all its runs together: seconds
_STACK_VALUES = 100_000_000  # inputs of a stack where each run standardises its own: 400 MB

T = TypeVar("T")
Finished = list[tuple[str, Outcome]]


def run(
    specs: Sequence[RunSpec],
    prepared: Prepared,
    store: Store,
    *,
    jobs: int | None = None,
    device: str = "cpu",
    backend: str = "loky",
    scheduler: str | None = None,
    title: str = "training",
) -> Generator[Event, None, dict[str, Record]]:
    """Run what is not in the store yet.

    Args:
        specs: the runs that are wanted; a run that is listed twice is run once.
        prepared: the data of all these runs.
        store: where records are looked up and stored.
        jobs: number of processes, one thread each; None for one per core.
        device: `"cpu"` or `"cuda"`.
        backend: `"loky"`, processes of this machine, or `"dask"`, which repeats the work of a worker that died.
        scheduler: address of a running Dask scheduler; None starts workers on this machine.
        title: of the stage.

    Yields:
        One `Stage`, and a `Step` whenever more runs are stored.

    Returns:
        All wanted records, by key.

    Raises:
        ArgumentError: a worker was ended from outside, or the scheduler cannot be reached.
    """
    wanted = {spec.key: spec for spec in specs}
    done = store.get(specs)
    yield Stage(title, len(wanted), len(done))
    pending = [spec for key, spec in wanted.items() if key not in done]
    if not pending:
        return done
    if device == "cpu":
        prepared = prepared._replace(pixels=None)  # only a GPU uses them
    here = staying_here(pending)
    if here and (jobs != 1 or backend == "dask"):
        names = " and ".join(sorted(map(plain_name, here)))
        yield Note(f"{names} cannot be imported by other processes, so all runs are trained in this one")
        backend = "loky"
    workers = workers_for(pending, jobs, device)
    stacks = stacks_of(pending, prepared, workers)
    workers, stored = min(workers, len(stacks)), len(done)
    if backend == "dask":
        finished = _with_dask(stacks, prepared, workers, device, scheduler)
    elif workers == 1:
        finished = _in_this_process(stacks, prepared, device)
    else:
        finished = on_workers(_run, stacks, prepared, workers, device)
    with contextlib.closing(finished):
        for outcomes in finished:
            for key, outcome in outcomes:
                store.add(wanted[key], outcome)
            stored += len(outcomes)
            yield Step(stored)
    return store.get(specs)


def staying_here(specs: Sequence[RunSpec]) -> set[str]:
    """Return the names of the user's own models and optimisers that other processes cannot import."""
    return {name for spec in specs for name in (spec.training.model, spec.training.optimizer) if stays_here(name)}


def workers_for(specs: Sequence[RunSpec], jobs: int | None, device: str) -> int:
    """Return how many processes train runs.

    Args:
        specs: the runs.
        jobs: number of processes that is asked for; None for one per core, or one on a GPU.
        device: `"cpu"` or `"cuda"`.
    """
    if staying_here(specs):
        return 1
    return jobs or (1 if device == "cuda" else os.cpu_count() or 1)


def stacks_of(specs: Sequence[RunSpec], prepared: Prepared, workers: int) -> list[list[RunSpec]]:
    """Divide runs into stacks, each trained at once.

    Args:
        specs: the runs.
        prepared: their data.
        workers: number of processes to keep busy.

    Returns:
        Stacks of at most `MOST_RUNS` runs; fewer where the runs are long, where their
        inputs are many, or where a process would have nothing to do.
    """
    groups: dict[Hashable, list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault(stack_key(spec, prepared), []).append(spec)
    found = []
    for key, group in groups.items():
        if isinstance(key, str):  # of a run that is trained alone, also where it is listed twice
            found += [[spec] for spec in group]
            continue
        most = min(MOST_RUNS, max(_FEWEST_RUNS, -(-len(specs) // workers)))
        most = max(1, min(most, _RUN_UPDATES // max(1, group[0].training.updates)))
        if group[0].training.standardise == "run":
            most = max(1, min(most, _STACK_VALUES // prepared.x.numel()))
        parts = -(-len(group) // most)
        found += [group[k::parts] for k in range(parts)]
    return found


def stack_key(spec: RunSpec, prepared: Prepared) -> Hashable:
    """Return a value that is equal for runs that can be trained in one stack, and for no other.

    Args:
        spec: a run.
        prepared: its data.
    """
    training, method, kind = spec.training, spec.method, METHODS[spec.method.method]
    # an optimiser of the user's own may look at all parameters together
    plain = training.augmentation == "none" and not training.measure and not is_own(training.optimizer)
    if not (plain and kind.stacks and _stackable(training.model, tuple(prepared.x.shape[1:]), prepared.outputs)):
        return spec.key
    # methods that only draw pairs and weights share one loss
    own = None if _draws_only(kind) else (method.method, method.parameter, method.options)
    drawn = training.batch_size if training.pairs == "set" else round(training.batch_size / (method.kept_share or 1.0))
    return spec.data, training, drawn, own


def _draws_only(kind: type[Method]) -> bool:
    return all(
        getattr(kind, name) is getattr(Method, name) for name in ("losses", "reduced", "choices", "drops", "seen_by")
    )


@lru_cache(maxsize=64)
def _stackable(model: str, shape: tuple[int, ...], outputs: int) -> bool:
    if is_own(model):  # its factory may need values
        with torch.random.fork_rng(devices=[]):
            return can_stack(build_model(model, shape, outputs))
    with torch.device("meta"):
        return can_stack(build_model(model, shape, outputs))


def _in_this_process(stacks: list[list[RunSpec]], prepared: Prepared, device: str) -> Generator[Finished, None, None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for stack in stacks:
            yield _train(stack, prepared, device)
    finally:
        torch.set_num_threads(threads)


def on_workers(
    work: Callable[[list[RunSpec], str, str], T],
    stacks: list[list[RunSpec]],
    prepared: Prepared,
    workers: int,
    device: str,
) -> Generator[T, None, None]:
    """Let processes of this machine work on stacks, each as soon as one is free.

    Args:
        work: gets a stack, the path of the data, which `loaded` reads, and the device; importable by name.
        stacks: the runs.
        prepared: their data.
        workers: number of processes.
        device: `"cpu"` or `"cuda"`.

    Yields:
        What `work` returns, in the order in which it is done.

    Raises:
        ArgumentError: the data cannot be handed over, or a process was ended from outside.
    """
    with temporary_folder() as folder:
        path = folder / "prepared.pt"
        try:
            torch.save(tuple(prepared), path)
        except (OSError, RuntimeError) as error:
            raise ArgumentError(
                f"$TMPDIR: the data cannot be handed to the processes: {first_line(error)[:120]}; --jobs 1 needs none"
            ) from None
        parallel = joblib.Parallel(
            n_jobs=workers, backend="loky", return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1,
            initializer=_leave_with, initargs=(os.getpid(), os.getcwd()),
        )  # fmt: skip
        # a worker that has grown is replaced, and its stacks are trained by the others: nobody has to know
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)
        outcomes: Generator[T, None, None] | None = None
        try:
            outcomes = parallel(joblib.delayed(work)(stack, str(path), device) for stack in stacks)
            # not `yield from`, which would close the generator of joblib by itself
            for finished in outcomes:  # noqa: UP028
                yield finished
        except TerminatedWorkerError:
            raise ArgumentError(
                "a process was ended from outside, most often because memory ran out; finished runs are stored: "
                "the same command with fewer --jobs continues from there"
            ) from None
        except BaseException:
            # it ends its workers itself, and may complain that they are gone
            with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
                if outcomes is not None:
                    outcomes.close()
            _stop_workers()
            raise


def _with_dask(
    stacks: list[list[RunSpec]], prepared: Prepared, workers: int, device: str, scheduler: str | None
) -> Generator[Finished, None, None]:
    distributed = require("distributed", "dask")
    # the workers' messages on restarts would be printed over the progress; errors still come through
    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        client = (
            distributed.Client(scheduler, timeout=10)
            if scheduler
            else distributed.Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)
        )
    except (OSError, ValueError) as error:
        raise ArgumentError(f"--scheduler {scheduler}: cannot be reached: {first_line(error)}") from None
    with client:
        # on every worker, so that no single one is the only owner
        data = client.scatter([tuple(prepared)], broadcast=True, hash=False)[0]
        waiting = distributed.as_completed(
            [client.submit(_run_on_dask, stack, data, device, pure=False) for stack in stacks]
        )
        for future in waiting:
            try:
                finished: Finished = future.result()
            except distributed.KilledWorker:
                raise ArgumentError(
                    "several workers were ended from outside while at the same run, most often because memory ran "
                    "out; finished runs are stored: the same command with fewer --jobs continues from there"
                ) from None
            yield finished
            future.release()


def _train(stack: Sequence[RunSpec], prepared: Prepared, device: str) -> Finished:
    return [(spec.key, outcome) for spec, outcome in zip(stack, train(stack, prepared, device=device), strict=True)]


def _run(stack: Sequence[RunSpec], path: str, device: str) -> Finished:
    torch.set_num_threads(1)
    return _train(stack, loaded(path), device)


def _run_on_dask(stack: Sequence[RunSpec], prepared: Any, device: str) -> Finished:
    torch.set_num_threads(1)
    return _train(stack, Prepared(*prepared), device)


@lru_cache(maxsize=1)
def loaded(path: str) -> Prepared:
    """Return the data that were handed to this process, which reads them once."""
    return Prepared(*torch.load(path, mmap=True))


def _leave_with(parent: int, folder: str) -> None:
    """Let this worker end when its parent is gone, which cannot stop it if it was killed.

    Called before the first stack: a worker that waits for one would stay for minutes, with the parent's output open.

    Args:
        parent: its process.
        folder: the current folder of the parent, in which models of the user are looked for. Workers of an earlier
            call are used again only if it is the same.
    """
    os.chdir(folder)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _stop_workers() -> None:
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=False, kill_workers=True)
