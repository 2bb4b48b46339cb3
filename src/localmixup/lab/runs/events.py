"""Progress of long work as values: generators yield these events and return their result.

    def work() -> Generator[Event, None, int]:
        yield Stage("runs", wanted=3, done=0)
        ...
        return 3

A caller passes events on with `result = yield from work()`; the command line draws them.
"""

from __future__ import annotations

from typing import NamedTuple


class Read(NamedTuple):
    """A data set was read.

    Attributes:
        name: as the user gave it.
        lines: what was read, from `localmixup.lab.data.description.describe`.
        model: key of the model that will be trained, or "" where none is.
        notes: remarks of the reader.
    """

    name: str
    lines: tuple[str, ...]
    model: str = ""
    notes: tuple[str, ...] = ()


class Stage(NamedTuple):
    """A stage begins.

    Attributes:
        title: what is done.
        wanted: number of runs, or of steps, in the stage.
        done: how many of them are in the store already.
    """

    title: str
    wanted: int
    done: int


class Step(NamedTuple):
    """Progress within the stage.

    Attributes:
        done: how many runs or steps of the stage are finished now, those of the store included.
    """

    done: int


class Note(NamedTuple):
    """A remark for the user."""

    text: str


Event = Read | Stage | Step | Note
