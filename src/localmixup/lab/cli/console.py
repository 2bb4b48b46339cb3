"""What all commands print through: two consoles, and the progress of long work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from localmixup.lab.runs.events import Event, Note, Read, Stage, Step
from localmixup.lab.text import plain


class PlainConsole(Console):
    """A console for text of strangers: nothing in it is read as markup, as an emoji, or as an order to the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return text to print, with control characters written out."""
        return super().render_str(plain(text), **options)


_PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
_KNOWN = bool(sys.stdout and sys.stdout.isatty()) or "COLUMNS" in os.environ
console = PlainConsole(**_PLAIN, width=None if _KNOWN else 120)
err = PlainConsole(**_PLAIN, stderr=True, soft_wrap=True)


def say(text: str, *, style: str | None = None, hang: int = 0, to: PlainConsole = console) -> None:
    """Print prose: wrapped between words at a terminal, in whole lines elsewhere. Code is not for this.

    Args:
        text: one or several lines. What a line is wrapped into starts below its first letter.
        style: of rich.
        hang: spaces more before all lines but the first that a line is wrapped into.
        to: where to print.
    """
    for line in text.split("\n"):
        for piece in _pieces(line, to.width, hang) if to.file.isatty() else [line]:
            to.print(piece, style=style, soft_wrap=True)


def _pieces(line: str, width: int, hang: int) -> list[str]:
    words = line.strip(" ")
    indent = len(line) - len(line.lstrip(" "))
    first, *others = wrapped(words, width - indent)
    if others:
        others = wrapped(words[len(first) :].lstrip(" "), width - indent - hang)
    return [" " * indent + first, *(" " * (indent + hang) + other for other in others)]


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines into which text is wrapped between words; a word that is longer than a line stays whole.

    Args:
        text: one or several lines.
        width: columns of a terminal. Some characters take two.

    >>> wrapped("the number of epochs", 10)
    ['the number', 'of epochs']
    """
    lines = []
    for line in plain(text).split("\n"):
        piece = ""
        for word in line.split(" "):
            longer = f"{piece} {word}" if piece else word
            if piece and cell_len(longer) > width:
                lines.append(piece.rstrip())
                longer = word
            piece = longer
        lines.append(piece.rstrip())
    return lines


T = TypeVar("T")

LINES_PER_STAGE = 5
"""Lines of progress per stage where standard error is not a terminal."""

SECONDS_PER_LINE = 2.0
"""Time between two such lines at least: a stage that is over sooner prints its title only."""

_REST = 38  # columns of a line of progress beside title and counts: a bar of 10, two times, and spaces


def show(events: Generator[Event, None, T]) -> T:
    """Run long work to its end and show its progress on standard error.

    A terminal gets a bar per stage, anything else a few lines.

    Args:
        events: the work, which yields what happens.

    Returns:
        The result of the work.
    """
    with _Bars() as progress:
        display = _Display(progress)
        try:
            while True:
                display.show(next(events))
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            events.close()


class _Title(ProgressColumn):
    """The title of a stage in one line, which gives way to the other columns."""

    def render(self, task: Task) -> Text:
        return Text(f"  {plain(task.description)}", no_wrap=True, overflow="ellipsis")


class _Bars(Progress):
    """Bars with counts and times where the terminal has room for them; otherwise only the time left."""

    def __init__(self) -> None:
        whole = [
            TextColumn("left", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
        ]
        self.narrow = (_Title(), *whole)
        self.wide = (
            _Title(table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(max_width=40)),  # takes what the others leave
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            *whole,
        )
        super().__init__(*self.wide, console=err, disable=not err.is_terminal)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """Return what is drawn now, by the width that the terminal has now."""
        shown = [task for task in tasks if task.visible]
        needed = [cell_len(plain(task.description)) + 2 * len(f"{task.total:.0f}") + _REST for task in shown]
        self.columns = self.wide if max(needed, default=0) <= err.width else self.narrow
        return super().make_tasks_table(shown)


class _Display:
    """The bars and lines of one piece of work."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.stage = Stage("", 0, 0)
        self.printed = 0
        self.begun, self.done_before, self.told = 0.0, 0.0, 0.0

    def show(self, event: Event) -> None:
        """Draw or print one event."""
        if isinstance(event, Read):
            _print(event.name + (f"; model {event.model}" if event.model else ""))
            for line in event.lines:
                _print(f"  {line}")
            for note in event.notes:
                _print(f"  note: {note}")
        elif isinstance(event, Note):
            _print(f"  {event.text}")
        elif isinstance(event, Stage):
            self._begin(event)
        elif isinstance(event, Step):
            self._advance(event.done)

    def _begin(self, stage: Stage) -> None:
        self.stage = stage
        if not stage.wanted:
            return
        self.printed = self._lines(stage.done)
        self.begun = self.told = time.monotonic()
        self.done_before = stage.done
        for task in self.progress.tasks:
            self.progress.update(task.id, visible=False)
        if stage.done:
            stored = "all" if stage.done >= stage.wanted else f"{stage.done:,}"
            _print(f"  {stage.title}: {stored} of {stage.wanted:,} are in the store already")
        elif not err.is_terminal:
            _print(f"  {stage.title}")
        if stage.done < stage.wanted:
            self.progress.add_task(stage.title, total=stage.wanted, completed=stage.done)

    def _advance(self, done: float) -> None:
        if self.progress.tasks:
            self.progress.update(self.progress.tasks[-1].id, completed=done)
        now = time.monotonic()
        if not err.is_terminal and self._lines(done) > self.printed and now - self.told >= SECONDS_PER_LINE:
            self.printed, self.told = self._lines(done), now
            left = time_left(now - self.begun, done - self.done_before, self.stage.wanted - done)
            _print(f"  {self.stage.title}: {done:,.0f} of {self.stage.wanted:,}{left}")

    def _lines(self, done: float) -> int:
        """Return how many lines of progress are due."""
        return int(LINES_PER_STAGE * done / max(1, self.stage.wanted))


def time_left(passed: float, done: float, wanted: float) -> str:
    """Return how long the rest takes at the speed so far, in words; nothing where the whole takes less than a minute.

    Args:
        passed: seconds since the work began.
        done: what was done in them. What had been done before does not count.
        wanted: what is left to do.

    >>> time_left(30.0, 10, 20), time_left(90.0, 10, 1), time_left(2.0, 10, 1), time_left(9000.0, 10, 10)
    (', about 1 min left', ', less than 1 min left', '', ', about 2.5 h left')
    """
    if done <= 0 or wanted <= 0 or passed / done * (done + wanted) < 60:
        return ""
    minutes = passed / done * wanted / 60
    if minutes < 0.5:
        return ", less than 1 min left"
    return f", about {minutes:.0f} min left" if minutes < 90 else f", about {minutes / 60:.1f} h left"


def _print(text: str) -> None:
    say(text, hang=2, to=err)
