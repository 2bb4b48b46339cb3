"""Entry point of the command `localmixup`."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import NoReturn

GONE = 141  # of a command whose output nobody reads, as for SIGPIPE
UNWRITTEN = 2


def main() -> NoReturn:
    """Run the command line."""
    signal.signal(signal.SIGINT, _leave)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started the command
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  # until the process ends
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal knows every character
    status: int | str | None = 0
    try:
        try:
            _run()
        except SystemExit as end:
            status = end.code
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        sys.exit(GONE)
    except OSError as error:
        _drop_output()
        print(f"error: the output cannot be written: {error.strerror or error}", file=sys.stderr)
        sys.exit(UNWRITTEN)
    sys.exit(status)


def _run() -> None:
    try:
        from localmixup.lab.cli.app import app
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing; in a checkout: pip install -e '.[lab]'", file=sys.stderr)
        sys.exit(2)
    app(prog_name="localmixup")


def _drop_output() -> None:
    """Send what is left of the output nowhere, so that Python does not complain about it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def _leave(number: int, frame: object) -> NoReturn:
    """Leave at once. Until a command begins its work nothing can be lost, and an exception may break an import."""
    os.write(2, b"interrupted: nothing was started\n")
    os._exit(130)
