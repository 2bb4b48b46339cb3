"""How long runs will take, from a few updates of the very stacks that will be trained."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from statistics import fmean

import torch

from localmixup.lab.data.prepared import Prepared
from localmixup.lab.runs.engine import loaded, on_workers, stack_key, stacks_of, workers_for
from localmixup.lab.runs.loop import train
from localmixup.lab.runs.spec import RunSpec

SHORT, LONG = 4, 36
"""Updates of the two trainings that are timed: their difference leaves out what is done once."""


def seconds_for(specs: Sequence[RunSpec], prepared: Prepared, *, jobs: int | None = None, device: str = "cpu") -> float:
    """Return how many seconds some runs will take, roughly.

    Args:
        specs: the runs.
        prepared: their data.
        jobs: number of processes.
        device: `"cpu"` or `"cuda"`.
    """
    if not specs:
        return 0.0
    workers = workers_for(specs, jobs, device)
    kinds: dict[Hashable, tuple[float, float]] = {}
    total, longest = 0.0, 0.0
    stacks = stacks_of(specs, prepared, workers)
    for stack in stacks:
        # stacks of one kind are timed once, and one of half the runs is taken to last as long: the calls dominate
        kind = (stack_key(stack[0], prepared), len(stack)) if len(stack) > 1 else _kind(stack[0])
        if kind not in kinds:
            kinds[kind] = _timed(stack, prepared, min(workers, len(stacks)), device)
        once, each = kinds[kind]
        seconds = once + each * stack[0].training.updates
        total, longest = total + seconds, max(longest, seconds)
    return max(longest, total / min(workers, len(stacks)))


def duration(seconds: float) -> str:
    """Return a duration in words.

    >>> [duration(s) for s in (4, 75, 600, 9000)]
    ['10 s', '1 min', '10 min', '2.5 h']
    """
    if seconds < 50:
        return f"{max(10, 10 * round(seconds / 10))} s"
    return f"{max(1, round(seconds / 60))} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _kind(spec: RunSpec) -> Hashable:
    return spec.training, spec.method.method


def _timed(stack: list[RunSpec], prepared: Prepared, workers: int, device: str) -> tuple[float, float]:
    """The seconds that a stack takes once, and with every update.

    Processes that work side by side share caches and memory, and often the units of a core: with several of them each
    trains the stack at the same time. They go on to train the runs, so that their start is not lost.
    """
    if workers == 1:
        return _seconds(stack, prepared, device)
    found = list(on_workers(_seconds_of_worker, [stack] * workers, prepared, workers, device))
    return fmean(once for once, _ in found), fmean(each for _, each in found)


def _seconds_of_worker(stack: list[RunSpec], path: str, device: str) -> tuple[float, float]:
    return _seconds(stack, loaded(path), device)


def _seconds(stack: Sequence[RunSpec], prepared: Prepared, device: str) -> tuple[float, float]:
    """The seconds that a stack takes once, and with every update, on one thread as in the engine."""
    took = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for updates in (SHORT, SHORT, LONG):  # the first training warms up
        start = time.perf_counter()
        short = {"updates": updates, "curve_points": 1, "regions": False}
        train(
            [s.model_copy(update={"training": s.training.model_copy(update=short)}) for s in stack], prepared,
            device=device,
        )  # fmt: skip
        took.append(time.perf_counter() - start)
    torch.set_num_threads(threads)
    each = max(0.0, took[2] - took[1]) / (LONG - SHORT)
    return max(0.0, took[1] - SHORT * each), each
