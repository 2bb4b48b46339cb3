"""`localmixup compare`: what should I use: local mixup, mixup, or neither?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localmixup.lab.cli import options
from localmixup.lab.cli.completion import several_of
from localmixup.lab.cli.errors import interruptible
from localmixup.lab.cli.names import METHODS
from localmixup.lab.data.names import check_source
from localmixup.lab.data.reading import Reading

if TYPE_CHECKING:
    from localmixup.lab.analysis.comparison import Comparison

STORED = "every finished run is stored; the same command continues from there"


def compare(
    data: options.Data = "digits",
    resamples: options.Resamples = 10,
    budget: Annotated[
        float | None,
        typer.Option(
            parser=options.duration, metavar="TIME", help="Fit the resamples to a time, such as 10m or 2h (at least 5)."
        ),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One more candidate: the inspected_mixup.json of `inspect`.")
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help=f"Further methods to compare with: any of {', '.join(METHODS)}.",
            autocompletion=several_of(METHODS),
        ),
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(parser=options.positive("epochs"), metavar="NUMBER", help="Passes over the training data."),
    ] = None,
    model: options.Model = None,
    optimizer: options.Optimizer = None,
    out: options.Out = None,
    jobs: options.Jobs = None,
    as_json: options.AsJson = False,
    target: options.Target = None,
    task: options.Task = None,
    train_size: options.TrainSize = None,
    batch_size: Annotated[int, typer.Option(parser=options.whole("batch_size", 2), metavar="INTEGER")] = 64,
    lr: Annotated[
        float,
        typer.Option(parser=options.positive("learning_rate"), metavar="NUMBER", help="Learning rate at the start."),
    ] = 0.002,
    weight_decay: Annotated[float, typer.Option(parser=options.real("weight_decay", 0), metavar="NUMBER")] = 0.01,
    augment: options.Augment = None,
    device: options.Device = "cpu",
    precision: options.Precision = "no",
    backend: options.Backend = "loky",
    scheduler: options.Scheduler = None,
    drop: options.Drop = None,
    missing: options.Missing = None,
    sep: options.Sep = None,
    header: options.Header = None,
    query: options.Query = None,
    resize: options.Resize = None,
    layout: options.Layout = None,
    data_root: options.DataRoot = None,
    store: options.StoreUrl = None,
) -> None:
    """What should I use on DATA: local mixup, mixup, or neither?

    Candidates for mixup and for local mixup are chosen on some rows and judged on others, in fresh resamples. It ends
    in a decision and the code for it. It can be interrupted at any time: the same command continues from there.
    """
    options.check_scheduler(scheduler, backend)
    settings: dict[str, Any] = {
        "methods": () if methods is None else options.methods_of(methods),
        "resamples": resamples,
        "budget": budget,
        "recipe": recipe,
        "epochs": epochs,
        "model": model,
        "optimizer": optimizer,
        "jobs": jobs,
        "target": target,
        "task": task,
        "train_size": train_size,
        "batch_size": batch_size,
        "learning_rate": lr,
        "weight_decay": weight_decay,
        "augmentation": augment,
        "device": device,
        "precision": precision,
        "backend": backend,
        "scheduler": scheduler,
        "reading": Reading(resize, layout, drop, missing, sep, header, query),
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
    from localmixup.lab.handover import RECIPE_FILE

    of_nothing = " (it mixes nothing)" if comparison.recipe["prob"] == 0 else ""
    console.print(f"\nreport: {page}\nrecipe: {page.with_name(RECIPE_FILE)}{of_nothing}", soft_wrap=True)


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
    from localmixup.lab.comparison import Job, compare

    with interruptible(STORED):
        return show(compare(Job(source=data, out=out, **settings)))


def print_comparison(comparison: Comparison) -> None:
    """Print the decision, the code for it, and below them the grounds."""
    from localmixup.lab.cli.console import console, say
    from localmixup.lab.report.comparison_page import balanced_accuracy, code_of, code_title, step_of

    say(f"\n{comparison.decision.headline}", style="bold")
    say(f"{comparison.decision.why}\n")
    if step := step_of(comparison):
        say(f"{step}\n")
    say(code_title(comparison))
    for line in code_of(comparison).splitlines():
        console.print(f"    {line}", soft_wrap=True)
    _print_table(comparison)
    if balanced := balanced_accuracy(comparison):
        say(f"{balanced}\n")
    _print_answers(comparison)
    for sentence in (comparison.attribution, *comparison.remarks):
        say(sentence)


def _print_table(comparison: Comparison) -> None:
    from localmixup.lab.cli.console import say
    from localmixup.lab.cli.tables import print_table
    from localmixup.lab.models import plain_name
    from localmixup.lab.report.comparison_page import cells, head

    title = f"{comparison.data.name}: {plain_name(comparison.training.model)}, {comparison.resamples} resamples"
    shown = 4  # more columns do not fit into 80 characters; the page has them all
    rows = [cells(row, comparison)[:shown] for row in comparison.rows]
    say("")
    dim = [k for k, row in enumerate(comparison.rows) if row.kind == "control"]
    print_table(head(comparison)[:shown], rows, title=title, dim=dim)
    width = max(len(row.label) for row in comparison.rows)
    for row in comparison.rows:
        say(f"  {row.label:<{width}}  {row.settings}", hang=4)
    say("")


def _print_answers(comparison: Comparison) -> None:
    from localmixup.lab.analysis.sentences import answer, question_of
    from localmixup.lab.cli.console import say

    for contrast in comparison.contrasts.values():
        say(f"{question_of(contrast)} {answer(contrast)}")
