"""`localmixup benchmark`: does local mixup help, over many data sets?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localmixup.lab.cli import options
from localmixup.lab.cli.compare import STORED
from localmixup.lab.cli.completion import suites
from localmixup.lab.cli.errors import interruptible

SIZES = ("100", "300", "2000")
FOLDER = Path("localmixup-results/benchmark")


def benchmark(
    suite: Annotated[
        str,
        typer.Option(metavar="small|all|NAME,...", help="Five sets, all 28, or some by name.", autocompletion=suites),
    ] = "all",
    size: Annotated[str, options.choice(SIZES, help="Training rows at most.")] = "2000",
    resamples: options.Resamples = 10,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the page and the store.")] = FOLDER,
    jobs: options.Jobs = None,
    backend: options.Backend = "loky",
    scheduler: options.Scheduler = None,
    data_root: options.DataRoot = None,
    store: options.StoreUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Does local mixup help? Many data sets, many methods, one protocol (docs/benchmark.md).

    The whole suite trains about 12,000 small networks. It can be interrupted at any time: the same command continues
    from there.
    """
    options.check_scheduler(scheduler, backend)
    from localmixup.lab.analysis.benchmark_contrasts import contrasts
    from localmixup.lab.analysis.benchmark_words import primary_sentence
    from localmixup.lab.benchmark.client import Job
    from localmixup.lab.benchmark.client import benchmark as work
    from localmixup.lab.cli.console import console, say, show
    from localmixup.lab.cli.tables import print_table

    job = Job(suite, int(size), resamples, out, jobs, backend, scheduler, store, data_root)
    with interruptible(STORED):
        found, page = show(work(job))
    if as_json:
        print(found.model_dump_json(indent=1))
        return
    say(f"\n{primary_sentence(found.sets)}\n", style="bold")
    table = contrasts(found.sets)
    print_table(table.head[:5], [row[:5] for row in table.rows], text=True)
    say(f"{table.remark} The page has the p-values and probabilities.")
    say("\nWhat to use on your own data: localmixup compare DATA")
    console.print(f"report: {page}", soft_wrap=True)
