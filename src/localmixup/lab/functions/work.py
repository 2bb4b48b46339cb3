"""How the functions run the work of the commands: progress or silence, and messages that name arguments."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from localmixup._validate import ArgumentError, check_integer, check_number
from localmixup.lab.cli.console import show
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.objects import dataset_of
from localmixup.lab.data.reading import AS_FOUND, Reading
from localmixup.lab.data.sources import load
from localmixup.lab.limits import MOST
from localmixup.lab.runs.events import Event, Note

T = TypeVar("T")

_RENAMED = {"lr": "learning_rate", "augment": "augmentation", "samples": "n_samples", "nearest": "n_nearest"}


def finish(work: Generator[Event, None, T], *, progress: bool) -> T:
    """Run the work of a command to its end. The global random state of PyTorch is left as it was.

    Args:
        work: what the command would run.
        progress: show on standard error, or in the notebook, what happens; otherwise nothing is printed.

    Returns:
        The result of the work.

    Raises:
        ArgumentError: what the command would refuse; the message names arguments instead of options.
    """
    work = _renamed(work)
    try:
        # runs of this process set the global seed
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            return show(work) if progress else _drained(work)
    except ArgumentError as error:
        raise type(error)(as_arguments(str(error))) from None


def check_numbers(wholes: Mapping[str, tuple[Any, int]], positive: Mapping[str, Any]) -> None:
    """Check arguments that are numbers; None is left to the work itself.

    Args:
        wholes: by name, whole numbers, and the smallest that is allowed.
        positive: by name, numbers above zero.

    Raises:
        ArgumentError: one of them is out of range.

    >>> check_numbers({"jobs": (None, 1)}, {"epochs": 0.5})
    """
    for name, (value, low) in wholes.items():
        if value is not None:
            check_number(name, check_integer(name, value, low=low), low=low, high=MOST[name])
    for name, value in positive.items():
        if value is not None and not 0 < check_number(name, value, low=0) <= MOST[name]:
            raise ArgumentError(f"{name} must be > 0 and at most {MOST[name]:g}, got {value!r}")


def read(
    data: Any, *, target: Any, test: Any = None, task: str | None, name: str, reading: Reading = AS_FOUND
) -> DataSet:
    """Return the data that a function was given: an object, or what the commands take, a name or path.

    Args:
        data: see `localmixup.lab.data.objects.dataset_of` and `localmixup.lab.data.sources.load`.
        target: see there.
        test: see `dataset_of`.
        task: see there.
        name: of the data set if it is an object.
        reading: how the data are to be read.

    Raises:
        ArgumentError: it cannot be read or trained on.
    """
    try:
        if not isinstance(data, (str, Path)):
            return dataset_of(data, target=target, test=test, task=task, name=name, reading=reading)
        if test is not None or not isinstance(target, (str, type(None))):
            raise ArgumentError("target must be the name of a column and test None if data is a name or path")
        return load(str(data), target=target, task=task, reading=reading)
    except ArgumentError as error:
        raise type(error)(as_arguments(str(error))) from None


def as_arguments(text: str) -> str:
    """Return a message of a command with the names of arguments instead of options.

    >>> as_arguments("--train-size must keep at least two classes, got 3")
    'train_size must keep at least two classes, got 3'
    """

    def argument(option: re.Match[str]) -> str:
        name = option[1].replace("-", "_")
        return _RENAMED.get(name, name)

    return re.sub(r"--([a-z][a-z-]*)", argument, text)


def _drained(work: Generator[Event, None, T]) -> T:
    try:
        while True:
            next(work)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _renamed(work: Generator[Event, None, T]) -> Generator[Event, None, T]:
    try:
        while True:
            event = next(work)
            yield Note(as_arguments(event.text)) if isinstance(event, Note) else event
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        work.close()
