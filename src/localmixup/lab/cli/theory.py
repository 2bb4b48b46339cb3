"""`localmixup theory`: what holds in the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localmixup.lab.cli import options
from localmixup.lab.cli.errors import interruptible


def theory(
    as_json: options.AsJson = False,
    figures: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw the figures of the docs there.")] = None,
) -> None:
    """Check each lemma and theorem of the paper on random data with a fixed seed."""
    import json

    from localmixup.lab.cli.console import err, say
    from localmixup.lab.cli.tables import print_table
    from localmixup.lab.files import make_folder
    from localmixup.lab.paper.theorems import check_all, draw, summary

    with interruptible("nothing was written"):
        if figures is not None:
            figures = make_folder(figures, "--figures")
        found = check_all()
        if as_json:
            print(json.dumps([finding._asdict() for finding in found], indent=1))
        else:
            print_table(("statement", "claim", "verdict", "what shows it", "what is true"), found, text=True)
            say(summary(found))
        for path in draw(figures) if figures is not None else []:
            err.print(f"figure: {path}")
