"""Errors and interrupts of all commands: one line on standard error and an exit status."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from errno import ENOSPC
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from localmixup._optional import MissingPackageError
from localmixup._validate import ArgumentError
from localmixup.lab.cli.help import HelpContext
from localmixup.lab.text import one_line

# typer has its own copy of click's exceptions or imports them from click, depending on its version
_ClickException: type[Exception] = typer.BadParameter.__mro__[2]

USAGE = 2
INTERRUPTED = 130
_NARROWEST_OF_CLICK = 52  # columns; it writes a help of this width in a narrower terminal too


class Commands(TyperGroup):
    """A group of commands in which every mistake of the user ends in one line and status 2."""

    context_class = HelpContext

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the command that the arguments name, and leave with its exit status."""
        columns = shutil.get_terminal_size().columns
        if columns < _NARROWEST_OF_CLICK:
            kwargs["terminal_width"] = max(1, columns - 2)
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except (ArgumentError, MissingPackageError) as mistake:
            fail(str(mistake))
        except BrokenPipeError:
            raise  # whoever read the output has gone: `main` leaves without a word
        except OSError as refused:
            fail(system_message(refused))
        except ModuleNotFoundError as missing:
            fail(missing_package(missing))
        except _ClickException as raised:
            error: Any = raised
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
                sys.exit(USAGE)
            fail(_usage_message(error))
        sys.exit(status or 0)


def fail(message: str) -> NoReturn:
    """Print an error in one line and leave with status 2.

    Args:
        message: names the argument, the value it got and what is allowed.
    """
    _tell(f"error: {one_line(message)}")
    sys.exit(USAGE)


def _tell(line: str) -> None:
    if not sys.stderr.isatty():
        print(line, file=sys.stderr)
        return
    from localmixup.lab.cli.console import err, say

    say(line, to=err)


def system_message(error: OSError) -> str:
    """Return what the operating system refused, and for which file.

    Args:
        error: such as that a disk is full or a folder may not be read.

    >>> system_message(PermissionError(13, "Permission denied", "data"))
    'data: permission denied'
    """
    reason = (error.strerror or str(error) or type(error).__name__).strip()
    reason = reason[:1].lower() + reason[1:]
    if error.filename is None:
        return f"the output cannot be written: {reason}" if error.errno == ENOSPC else reason
    return f"{os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename}: {reason}"


def missing_package(error: ModuleNotFoundError) -> str:
    """Return the message for a package that is not installed.

    Args:
        error: raised by an import.

    Raises:
        ModuleNotFoundError: it is a module of this project, so that this is a defect and not the user's mistake.
    """
    if error.name is None or error.name.partition(".")[0] == "localmixup":
        raise error
    return f"{error.name.partition('.')[0]} is missing; in a checkout: pip install -e '.[lab]'"


@contextmanager
def interruptible(kept: str) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the work inside with one line and status 130.

    Args:
        kept: what an interrupt leaves behind, such as `"nothing was written"`.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def unraisable(found: Any) -> None:
        if not issubclass(found.exc_type, KeyboardInterrupt):
            hook(found)
            return
        # it came while an object was deleted, where Python only prints exceptions: once more, a little later
        waiting.append(threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)))
        waiting[-1].daemon = True
        waiting[-1].start()

    waiting: list[threading.Timer] = []
    signals = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, interrupt) for number in signals}
    hook = sys.unraisablehook
    sys.unraisablehook = unraisable if signals else hook
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if not _from_interrupt(error):
            raise
        for number in signals:
            signal.signal(number, lambda *_: os._exit(INTERRUPTED))  # a second one ends the cleaning up
        _tell(f"interrupted: {kept}")
        sys.exit(INTERRUPTED)
    finally:
        sys.unraisablehook = hook
        for timer in waiting:  # the work is over
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _from_interrupt(error: BaseException | None) -> bool:
    """Return whether an exception is an interrupt, or was raised where a library cleaned up after one."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _usage_message(error: Any) -> str:
    """Return typer's message in the words of this command line, with a hint to the help."""
    parameter = getattr(error, "param", None)
    if near := getattr(error, "possibilities", None):
        nearest = get_close_matches(error.option_name, near, n=1, cutoff=0)[0]
        message = f"no such option: {error.option_name}; did you mean {nearest}?"
    elif parameter is not None and error.message:
        name = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar or parameter.name
        message = f"{name} {error.message}" if error.message.startswith("must ") else f"{name}: {error.message}"
    else:
        text = error.format_message()
        message = text[:1].lower() + text[1:].removesuffix(".")
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message} (help: {context.command_path} --help)"
