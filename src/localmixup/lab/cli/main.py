"""The command `localmixup`: parses, calls, prints; no logic of its own."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Entry point of the command."""
    try:
        from localmixup.lab.cli.app import app
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing; the command needs: pip install 'localmixup[lab]'", file=sys.stderr)
        sys.exit(2)
    app()
    sys.exit(0)
