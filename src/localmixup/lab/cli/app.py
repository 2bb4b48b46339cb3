"""The command `localmixup` and its sub-commands.

Nothing here or in the modules of the commands imports PyTorch, NumPy or the rest of the lab before the arguments are
read and checked, so that `--help`, `--version` and a typing error are answered at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from localmixup import __version__
from localmixup.lab.cli.benchmark import benchmark
from localmixup.lab.cli.compare import compare
from localmixup.lab.cli.demo import demo
from localmixup.lab.cli.errors import Commands
from localmixup.lab.cli.help import Command
from localmixup.lab.cli.inspect import inspect
from localmixup.lab.cli.options import examples
from localmixup.lab.cli.paper import paper
from localmixup.lab.cli.theory import theory

app = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command(
    cls=Command,
    short_help="What should I use on a data set?",
    epilog=examples("localmixup compare digits", "localmixup compare table.csv --target price --budget 10m"),
)(compare)
app.command(
    cls=Command,
    short_help="Is mixup safe on a data set?",
    epilog=examples("localmixup inspect digits", "localmixup inspect table.csv --target kind --drop id"),
)(inspect)
app.add_typer(paper, name="paper", short_help="Run and report the paper's experiments.")
app.command(
    cls=Command,
    short_help="Does Local Mixup help on many data sets?",
    epilog=examples("localmixup benchmark --suite small"),
)(benchmark)
app.command(
    cls=Command,
    short_help="Check the paper's lemmas and theorems.",
    epilog=examples("localmixup theory", "localmixup theory --json"),
)(theory)
app.command(
    cls=Command,
    short_help="Two comparisons, in a few minutes.",
    epilog=examples("localmixup demo --jobs 2 --out results"),
)(demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"localmixup {__version__}")
        raise typer.Exit


@app.callback(epilog=examples("localmixup inspect digits", "localmixup compare table.csv --target price"))
def localmixup(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Local Mixup: is mixup good for your data, and is it better among neighbours only?"""
