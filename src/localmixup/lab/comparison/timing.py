"""How long runs will take, from a few updates of the very stacks that will be trained."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from math import ceil
from statistics import fmean
from typing import NamedTuple

import torch

from localmixup.lab.data.prepared import Prepared, split_validation
from localmixup.lab.data.resampling import resampled_rows
from localmixup.lab.runs.engine import loaded, on_workers, stack_key, stacks_of, workers_for
from localmixup.lab.runs.loop import train
from localmixup.lab.runs.spec import MethodSpec, RunSpec

SHORT, LONG = 4, 36
"""Updates of the two trainings that are timed: their difference leaves out what is done once."""

_LOOKS = 8  # evaluations of a training that is timed with and without them


class Cost(NamedTuple):
    """What a stack takes, in seconds.

    Attributes:
        once: to begin, and to measure at the end.
        update: each update.
        look: each evaluation on the way.
    """

    once: float
    update: float
    look: float

    def of(self, spec: RunSpec, prepared: Prepared) -> float:
        """Return the seconds of a whole training."""
        return self.once + self.update * spec.training.updates + self.look * (looks(spec, prepared) - 1)


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
    kinds: dict[Hashable, Cost] = {}
    total, longest = 0.0, 0.0
    stacks = stacks_of(specs, prepared, workers)
    for stack in stacks:
        # stacks of one kind are timed once, and one of half the runs is taken to last as long: the calls dominate
        kind = (stack_key(stack[0], prepared), len(stack)) if len(stack) > 1 else _kind(stack[0])
        if kind not in kinds:
            kinds[kind] = _timed(stack, prepared, min(workers, len(stacks)), device)
        seconds = kinds[kind].of(stack[0], prepared)
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


def looks(spec: RunSpec, prepared: Prepared) -> int:
    """Return how often a run is evaluated: at most once in an epoch, and at its end.

    Args:
        spec: the run.
        prepared: its data.
    """
    training = spec.training
    if training.resample == "none":
        rows, _ = split_validation(prepared, spec.seed, training.validation_share)
    else:
        rows = resampled_rows(
            prepared, training.resample, spec.seed, split_seed=spec.data.split_seed, most=training.train_rows
        ).train
    every = max(ceil(len(rows) / training.batch_size), ceil(training.updates / training.curve_points))
    return ceil(training.updates / every)


def _timed(stack: list[RunSpec], prepared: Prepared, workers: int, device: str) -> Cost:
    """What a stack takes.

    Processes that work side by side share caches and memory, and often the units of a core: with several of them each
    trains the stack at the same time. They go on to train the runs, so that their start is over before the estimate.
    """
    if workers == 1:
        return _seconds(stack, prepared, device)
    found = list(on_workers(_seconds_of_worker, [stack] * workers, prepared, workers, device))
    return Cost(*(fmean(of_workers) for of_workers in zip(*found, strict=True)))


def _seconds_of_worker(stack: list[RunSpec], path: str, device: str) -> Cost:
    return _seconds(stack, loaded(path), device)


def _seconds(stack: Sequence[RunSpec], prepared: Prepared, device: str) -> Cost:
    """What a stack takes on one thread, as in the engine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # the first training warms up
        _, short, long = (_took(stack, prepared, device, updates=updates) for updates in (SHORT, SHORT, LONG))
        update = max(0.0, long - short) / (LONG - SHORT)
        look = _seconds_of_look(stack, prepared, device) if looks(stack[0], prepared) > 1 else 0.0
    finally:
        torch.set_num_threads(threads)
    return Cost(max(0.0, short - SHORT * update), update, look)


def _seconds_of_look(stack: Sequence[RunSpec], prepared: Prepared, device: str) -> float:
    """The seconds of an evaluation: of epochs of one batch, so that it is due after every update.

    It takes as long whatever the method, so the simplest one is trained.
    """
    plain = [spec.model_copy(update={"method": MethodSpec(method="vanilla")}) for spec in stack]
    short = {"updates": _LOOKS + 1, "train_rows": stack[0].training.batch_size}
    _took(plain, prepared, device, **short)
    without = _took(plain, prepared, device, **short)
    return max(0.0, _took(plain, prepared, device, **short, curve_points=_LOOKS + 1) - without) / _LOOKS


def _took(stack: Sequence[RunSpec], prepared: Prepared, device: str, **changes: int) -> float:
    start = time.perf_counter()
    changed = {"curve_points": 1, "regions": False, **changes}
    train(
        [s.model_copy(update={"training": s.training.model_copy(update=changed)}) for s in stack], prepared,
        device=device,
    )  # fmt: skip
    return time.perf_counter() - start
