"""What all commands of the lab share: two consoles, one-line errors, and options that are numbers."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from localmixup._validate import ArgumentError, check_integer

err = Console(stderr=True, soft_wrap=True, highlight=False)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


@contextmanager
def one_line_errors(
    kept: str = "finished runs are stored; the same command goes on from there",
) -> Iterator[None]:
    """A user's mistake ends in one line and status 2; an interrupt in one line and status 130.

    Args:
        kept: what an interrupt leaves behind, in words.
    """

    def terminated(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, terminated) if main_thread else None
    try:
        yield
    except ArgumentError as error:
        err.print(f"error: {error}", markup=False)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print(f"interrupted: {kept}")
        sys.exit(130)
    finally:
        if main_thread:
            signal.signal(signal.SIGTERM, before)


def number(text: str) -> float | str:
    """An option's text as a number, or as it is, for the check that follows to refuse.

    Args:
        text: as typed.
    """
    try:
        return float(text)
    except ValueError:
        return text


def positive(name: str, text: str) -> float:
    """An option that must be above zero.

    Args:
        name: of the option.
        text: as typed.

    Raises:
        ValueError: it is not.
    """
    value = number(text)
    if isinstance(value, str) or not 0 < value <= 1e9:
        raise ArgumentError(f"{name} must be > 0 and at most 1e+09, got {value!r}")
    return value


def whole(name: str, text: str, *, low: int = 1) -> int:
    """An option that must be a whole number.

    Args:
        name: of the option.
        text: as typed.
        low: the least one allowed.

    Raises:
        ValueError: it is not.
    """
    value = number(text)
    return check_integer(name, int(value) if isinstance(value, float) and value.is_integer() else value, low=low)
