"""`localmixup inspect`: is mixup safe on a data set, and how local should it be?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localmixup.lab.cli import options
from localmixup.lab.cli.errors import interruptible
from localmixup.lab.data.names import check_source
from localmixup.lab.data.reading import Reading

if TYPE_CHECKING:
    from localmixup.lab.inspection import Inspection


def inspect(
    data: options.Data = "digits",
    features: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Measure distances on the rows of this .npy file, one row per sample."),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Measure distances on the output of this TorchScript or exported (.pt2) file. It is a program, which "
            "this command runs: use only encoders that you trust.",
        ),
    ] = None,
    pca: Annotated[
        int | None,
        typer.Option(
            parser=options.whole("pca"), metavar="INTEGER", help="Measure distances on this many principal components."
        ),
    ] = None,
    nearest: Annotated[
        int,
        typer.Option(
            parser=options.whole("n_nearest"),
            metavar="INTEGER",
            help="Nearest real samples that decide the class of a mixed one.",
        ),
    ] = 1,
    samples: Annotated[
        int,
        typer.Option(
            parser=options.whole("n_samples", 100),
            metavar="INTEGER",
            help="Number of mixed samples, about; of large data a quarter as many rows are measured.",
        ),
    ] = 20_000,
    batch_size: Annotated[
        int,
        typer.Option(
            parser=options.whole("batch_size", 2), metavar="INTEGER", help="Samples in a batch of your training loop."
        ),
    ] = 64,
    mixup_alpha: options.MixupAlpha = 1.0,
    train_size: options.TrainSize = None,
    seed: Annotated[
        int, typer.Option(parser=options.whole("seed", 0), metavar="INTEGER", help="Seed of all draws.")
    ] = 0,
    out: options.Out = None,
    as_json: options.AsJson = False,
    jobs: Annotated[
        int | None, typer.Option(parser=options.whole("jobs"), metavar="INTEGER", help="Threads [number of cores].")
    ] = None,
    target: options.Target = None,
    task: options.Task = None,
    drop: options.Drop = None,
    missing: options.Missing = None,
    sep: options.Sep = None,
    header: options.Header = None,
    query: options.Query = None,
    resize: options.Resize = None,
    layout: options.Layout = None,
    data_root: options.DataRoot = None,
) -> None:
    """Is mixup safe on DATA, and which recipe should I use? Measure, suggest and report; nothing is trained."""
    settings: dict[str, Any] = {
        "features_file": features,
        "encoder": encoder,
        "pca": pca,
        "n_nearest": nearest,
        "n_samples": samples,
        "batch_size": batch_size,
        "mixup_alpha": mixup_alpha,
        "train_size": train_size,
        "seed": seed,
        "n_jobs": jobs,
        "target": target,
        "task": task,
        "reading": Reading(resize, layout, drop, missing, sep, header, query),
        "data_root": data_root,
    }
    check_source(data)
    _inspect(data, out or options.results_folder(data, target), settings, as_json)


def _inspect(data: str, folder: Path, settings: dict[str, Any], as_json: bool) -> None:
    import json
    import shlex

    from localmixup.lab.cli.console import show
    from localmixup.lab.files import as_path, cannot_write, check_writable, make_folder, write_file
    from localmixup.lab.handover import INSPECTED_FILE, RECIPE_FILE, write_recipe
    from localmixup.lab.inspection import inspect, summary
    from localmixup.lab.report.inspection_page import write_inspection

    target = settings["target"]
    compare = shlex.join(["localmixup", "compare", data, *(["--target", target] if target else [])])
    compare += settings["reading"].as_options()
    with interruptible("nothing was written"):
        folder = as_path(folder, "--out")
        compare += f" --recipe {shlex.quote(str(folder / INSPECTED_FILE))}"
        check_writable(folder)
        found = show(inspect(data, **settings))
        numbers = json.dumps(summary(found), indent=1)
        try:
            write_file(make_folder(folder) / "inspection.json", numbers)
            for name in (RECIPE_FILE, INSPECTED_FILE):
                write_recipe(folder / name, found.taken.mix)
            write_inspection(folder / "inspection.html", found, compare=compare)
        except OSError as error:
            raise cannot_write("--out", folder, error) from None
    if as_json:
        print(numbers)
    else:
        _print(found, folder, compare)


def _print(found: Inspection, folder: Path, compare: str) -> None:
    from localmixup.lab.cli.console import console, say
    from localmixup.lab.cli.tables import print_table
    from localmixup.lab.handover import snippet
    from localmixup.lab.inspection import describe_recipe, limits
    from localmixup.lab.report.inspection_page import head, rows

    verdict = found.verdict
    say(f"\n{verdict.first_line}", style="bold")
    say(f"{verdict.why}\n")
    say(f"{describe_recipe(found, found.taken)}\n")
    code = snippet(found.taken.mix, "pytorch", task=found.data.task).rstrip()
    console.print("\n".join(f"    {line}".rstrip() for line in code.splitlines()), soft_wrap=True)
    say("\nTo see whether it makes the model better:\n")
    console.print(f"    {compare}\n", soft_wrap=True)
    print_table(head(found), rows(found))
    for line in limits(found):
        say(f"\n{line}")
    console.print(f"\npage: {folder / 'inspection.html'}", soft_wrap=True)
