"""`localmixup demo`: two comparisons with few resamples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localmixup.lab.cli import options
from localmixup.lab.cli.compare import print_comparison, run

EPOCHS = {"digits": 16.0, "spirals": 30.0}
RESAMPLES = 5


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the results.")] = Path("localmixup-results/demo"),
    jobs: options.Jobs = None,
) -> None:
    """`compare digits` and `compare spirals` with few resamples, in a few minutes on two cores."""
    done = []
    for data, epochs in EPOCHS.items():
        settings = {"resamples": RESAMPLES, "epochs": epochs, "jobs": jobs}
        comparison, report = run(data, out / data, settings)
        print_comparison(comparison)
        done.append((comparison, report))
    from localmixup.lab.cli.console import console, say

    say("\nIn short:")
    for comparison, report in done:
        say(f"  {comparison.data.name}: {comparison.decision.headline}. {comparison.decision.why}")
        console.print(f"    report: {report}", soft_wrap=True)
    say(
        f"\nThese comparisons are short: {RESAMPLES} resamples and few epochs. localmixup compare digits asks at full "
        "length, and localmixup compare my.csv --target COLUMN asks the same of your own table."
    )
