"""Entry point of the command `localmixup`."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line."""
    signal.signal(signal.SIGINT, _leave)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # not every terminal knows every character
    try:
        from localmixup.lab.cli.app import app
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing; in a checkout: pip install -e '.[lab]'", file=sys.stderr)
        sys.exit(2)
    app(prog_name="localmixup")
    sys.exit(0)


def _leave(number: int, frame: object) -> NoReturn:
    """Leave at once. Until a command begins its work nothing can be lost, and an exception may break an import."""
    os.write(2, b"interrupted: nothing was started\n")
    os._exit(130)
