"""`localmixup compare`: does Local Mixup help on a data set?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localmixup._validate import ArgumentError
from localmixup.lab.cli import options
from localmixup.lab.cli.errors import interruptible
from localmixup.lab.cli.names import ALIASES, METHODS, PARAMETERS
from localmixup.lab.data.names import check_source

if TYPE_CHECKING:
    from localmixup.lab.analysis.comparison import Comparison

DEFAULT_METHODS = "vanilla,mixup,local"
STORED = "finished runs are stored; the same command continues from there"

_RADIUS = "0 is vanilla training, inf classical mixup"
_DECAY = "0 is classical mixup, inf vanilla training"


def compare(
    data: options.Data = "digits",
    methods: Annotated[
        str, typer.Option(metavar="A,B,...", help=f"Any of {', '.join([*METHODS, *ALIASES])}.")
    ] = DEFAULT_METHODS,
    seeds: Annotated[int, typer.Option(parser=options.whole(), help="Runs per method.")] = 5,
    epochs: Annotated[
        float | None, typer.Option(parser=options.positive(), help="Passes over the training data.")
    ] = None,
    model: options.Model = None,
    out: options.Out = None,
    jobs: options.Jobs = None,
    as_json: options.AsJson = False,
    target: options.Target = None,
    task: options.Task = None,
    pairs: Annotated[
        str | None,
        typer.Option(
            parser=options.choice(("set", "batch")),
            metavar="set|batch",
            help="Mix pairs of the whole training set or of the batch [set if it fits into memory].",
        ),
    ] = None,
    train_size: options.TrainSize = None,
    radius: Annotated[
        float | None,
        typer.Option(parser=options.real(0, meaning=_RADIUS), help="Radius of local-threshold; nothing is chosen."),
    ] = None,
    decay: Annotated[
        float | None,
        typer.Option(parser=options.real(0, meaning=_DECAY), help="Decay of local-exponential; nothing is chosen."),
    ] = None,
    n_neighbors: Annotated[
        int | None, typer.Option(parser=options.whole(0), help="Neighbours of local-knn; nothing is chosen.")
    ] = None,
    kept_shares: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Grid of local methods: shares of nearest pairs.")
    ] = None,
    mixup_alpha: options.MixupAlpha = 1.0,
    batch_size: Annotated[int, typer.Option(parser=options.whole(2))] = 64,
    lr: Annotated[float, typer.Option(parser=options.positive(), help="Learning rate of AdamW.")] = 0.002,
    weight_decay: Annotated[float, typer.Option(parser=options.real(0))] = 0.01,
    augment: options.Augment = None,
    device: options.Device = "cpu",
    precision: options.Precision = "no",
    data_root: options.DataRoot = None,
    store: options.StoreUrl = None,
) -> None:
    """Does Local Mixup help on DATA? Train, choose on a validation split, test against controls, and report.

    It can be interrupted at any time: the same command continues from there.
    """
    chosen = options.methods_of(methods)
    given = {"local-threshold": radius, "local-exponential": decay, "local-knn": n_neighbors}
    fixed = {method: float(value) for method, value in given.items() if value is not None}
    for method in fixed:
        if method not in chosen:
            raise ArgumentError(f"--{PARAMETERS[method]} is for {method}, which is not among --methods ({methods})")
    settings: dict[str, Any] = {
        "methods": chosen,
        "seeds": seeds,
        "epochs": epochs,
        "model": model,
        "jobs": jobs,
        "target": target,
        "task": task,
        "pairs": pairs,
        "train_size": train_size,
        "fixed": fixed,
        "kept_shares": None if kept_shares is None else options.shares_of(kept_shares),
        "mixup_alpha": mixup_alpha,
        "batch_size": batch_size,
        "learning_rate": lr,
        "weight_decay": weight_decay,
        "augmentation": augment,
        "device": device,
        "precision": precision,
        "data_root": data_root,
        "store": store,
    }
    check_source(data)
    comparison, page = run(data, out or options.results_folder(data, target), settings)
    if as_json:
        print(comparison.model_dump_json(indent=1))
        return
    print_comparison(comparison)
    from localmixup.lab.cli.console import console

    console.print(f"\nreport: {page}", soft_wrap=True)


def run(data: str, out: Path, settings: dict[str, Any]) -> tuple[Comparison, Path]:
    """Run a comparison and show its progress.

    Args:
        data: the data set.
        out: the folder for the results.
        settings: of `Job`.

    Returns:
        The comparison, and the path of its page.
    """
    from localmixup.lab.cli.console import show
    from localmixup.lab.compare import Job, compare

    with interruptible(STORED):
        return show(compare(Job(source=data, out=out, **settings)))


def print_comparison(comparison: Comparison) -> None:
    """Print the table of a comparison and what it shows."""
    from rich import box
    from rich.table import Table

    from localmixup.lab.cli.console import console
    from localmixup.lab.report.comparison_page import cells, head

    seeds = len(comparison.seeds)
    title = f"{comparison.data.name}: {comparison.training.model}, {seeds} {'seed' if seeds == 1 else 'seeds'}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = head(comparison)
    for k, name in enumerate([names[0], *names[2:]]):
        table.add_column(name, justify="right" if k else "left", overflow="fold", min_width=None if k else 34)
    for row in comparison.rows:
        method, chosen, *numbers = cells(row, comparison)
        # the parameters get their own line, so that the table fits the terminal
        table.add_row(f"{method}\n  {chosen}" if chosen else method, *numbers, style="dim" if row.control_of else None)
    console.print(table)
    for line in comparison.details:
        console.print(f"  {line}", soft_wrap=True)
    console.print(f"\n{comparison.verdict}", style="bold", soft_wrap=True)
