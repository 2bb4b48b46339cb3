"""`localmixup inspect`: is mixup safe on a data set, and how local should it be?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localmixup._validate import ArgumentError
from localmixup.lab.cli import options
from localmixup.lab.cli.errors import interruptible
from localmixup.lab.data.names import check_source

if TYPE_CHECKING:
    from localmixup.lab.inspection import Inspection


def inspect(
    data: options.Data = "digits",
    level: Annotated[
        float, typer.Option(parser=options.real(1e-4, 1), help="The rate of intrusion that is acceptable.")
    ] = 0.01,
    features: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Measure distances on the rows of this .npy file, one row per sample."),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Measure distances on the output of this TorchScript or exported (.pt2) file."
        ),
    ] = None,
    pca: Annotated[
        int | None, typer.Option(parser=options.whole(), help="Measure distances on this many principal components.")
    ] = None,
    nearest: Annotated[
        int, typer.Option(parser=options.whole(), help="Nearest real samples that decide the class of a mixed one.")
    ] = 1,
    samples: Annotated[int, typer.Option(parser=options.whole(100), help="Number of mixed samples, about.")] = 20_000,
    mixup_alpha: options.MixupAlpha = 1.0,
    train_size: options.TrainSize = None,
    seed: Annotated[int, typer.Option(parser=options.whole(0, 2**31), help="Seed of all draws.")] = 0,
    out: options.Out = None,
    as_json: options.AsJson = False,
    jobs: Annotated[int | None, typer.Option(parser=options.whole(), help="Threads [number of cores].")] = None,
    target: options.Target = None,
    task: options.Task = None,
    data_root: options.DataRoot = None,
) -> None:
    """Is mixup safe on DATA, and how local should it be? Measure, suggest and report; nothing is trained."""
    settings: dict[str, Any] = {
        "level": level,
        "features_file": features,
        "encoder": encoder,
        "pca": pca,
        "n_nearest": nearest,
        "n_samples": samples,
        "mixup_alpha": mixup_alpha,
        "train_size": train_size,
        "seed": seed,
        "n_jobs": jobs,
        "target": target,
        "task": task,
        "data_root": data_root,
    }
    check_source(data)
    _inspect(data, out or options.results_folder(data, target), settings, as_json)


def _inspect(data: str, folder: Path, settings: dict[str, Any], as_json: bool) -> None:
    import json

    from localmixup.lab.cli.console import show
    from localmixup.lab.files import check_writable
    from localmixup.lab.inspection import inspect, summary
    from localmixup.lab.report.inspection_page import write_inspection

    with interruptible("nothing was written"):
        check_writable(folder)
        found = show(inspect(data, **settings))
        numbers = json.dumps(summary(found), indent=1)
        try:
            (folder / "inspection.json").write_text(numbers, encoding="utf-8")
            write_inspection(folder / "inspection.html", found)
        except OSError as error:
            raise ArgumentError(f"--out {folder}: cannot be written: {error.strerror or error}") from None
    if as_json:
        print(numbers)
    else:
        _print(found, folder / "inspection.html")


def _print(found: Inspection, page: Path) -> None:
    from rich import box
    from rich.table import Table

    from localmixup.lab.cli.console import console
    from localmixup.lab.inspection import reasons
    from localmixup.lab.report.inspection_page import HEAD, rows

    if numbers := rows(found):
        table = Table(title=f"{found.data.name}: {found.space}", title_justify="left", box=box.SIMPLE_HEAD)
        for k, name in enumerate(HEAD):
            table.add_column(name, justify="right" if k else "left", overflow="fold")
        for row in numbers:
            table.add_row(*row)
        console.print(table)
    for line in reasons(found):
        console.print(f"  {line}", soft_wrap=True)
    console.print(f"\n{found.verdict}", style="bold", soft_wrap=True)
    console.print(f"\nreport: {page}", soft_wrap=True)
