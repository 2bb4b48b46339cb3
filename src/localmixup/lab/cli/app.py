"""The commands and their options; the work is in `localmixup.lab.main_job`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from localmixup._validate import ArgumentError, check_choice, check_number
from localmixup.lab.analysis.comparison import Comparison
from localmixup.lab.cli.console import console, err, number, one_line_errors, positive, whole
from localmixup.lab.cli.paper import paper
from localmixup.lab.data.augmentation import AUGMENTATIONS
from localmixup.lab.methods import ALIASES, METHODS, PUBLISHED
from localmixup.lab.methods.parameters import PARAMETERS, check_parameter
from localmixup.lab.models import MODELS

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

DEFAULT_METHODS = "vanilla,mixup,local"
_METHODS = [name for name in METHODS if name not in PUBLISHED]
_DATA_HELP = (
    "digits, spirals, spirals-gaussian, cifar10, cifar100, fashion_mnist, mnist, svhn, airfoil, no2; a .csv, .parquet "
    "or .npz file; a folder of class folders with images; a folder of Parquet files as on the Hub; or owner/name on "
    "the Hub."
)
_OPTION = {method: name.replace("_", "-") for method, name in PARAMETERS.items()}


app.add_typer(paper, name="paper")


@app.callback()
def localmixup() -> None:
    """Local Mixup: is mixup good for these data, and is it better among neighbours only?"""


@app.command()
def compare(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help=_DATA_HELP,
        ),
    ] = "digits",
    methods: Annotated[str, typer.Option(help=f"Of {', '.join([*_METHODS, *ALIASES])}.")] = DEFAULT_METHODS,
    seeds: Annotated[str, typer.Option(metavar="N", help="Runs of every method.")] = "5",
    epochs: Annotated[str | None, typer.Option(metavar="N", help="Passes over the training data.")] = None,
    model: Annotated[str | None, typer.Option(help=f"Of {', '.join(MODELS)}; by default picked from the data.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results [localmixup-results/DATA--TARGET].")] = None,
    jobs: Annotated[str | None, typer.Option(metavar="N", help="Runs at once [the cores].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of a table to predict.")] = None,
    task: Annotated[str | None, typer.Option(help="classification or regression [told from the target].")] = None,
    pairs: Annotated[str | None, typer.Option(help="Pairs from the whole set or from the batch: set or batch.")] = None,
    train_size: Annotated[str | None, typer.Option(metavar="N", help="Training samples to use [all].")] = None,
    radius: Annotated[str | None, typer.Option(help="Fix the radius of local-threshold, choose nothing.")] = None,
    decay: Annotated[str | None, typer.Option(help="Fix the decay of local-exponential.")] = None,
    n_neighbors: Annotated[str | None, typer.Option(help="Fix the neighbours of local-knn.")] = None,
    kept_shares: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="The grid: shares of nearest pairs [0.01,0.05,0.2].")
    ] = None,
    mixup_alpha: Annotated[str, typer.Option(help="lam is drawn from Beta(mixup_alpha, mixup_alpha).")] = "1",
    batch_size: Annotated[str, typer.Option(metavar="N")] = "64",
    lr: Annotated[str, typer.Option(help="Learning rate of AdamW.")] = "0.002",
    weight_decay: Annotated[str, typer.Option()] = "0.01",
    augment: Annotated[str | None, typer.Option(help=f"Of {', '.join(AUGMENTATIONS)}.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="no (float32), bf16 or fp16.")] = "no",
    data_root: Annotated[Path | None, typer.Option(help="Where named data sets lie, before $LOCALMIXUP_DATA.")] = None,
    store: Annotated[str | None, typer.Option(metavar="URL", help="Of the records: any SQLAlchemy URL.")] = None,
) -> None:
    """Does Local Mixup help on DATA? Trains, chooses on a validation split, tests against controls, and reports.

    Interrupt it whenever you like: the same command goes on from there.
    """
    with one_line_errors():
        settings: dict[str, Any] = {
            "methods": _methods(methods),
            "seeds": whole("--seeds", seeds),
            "epochs": None if epochs is None else positive("--epochs", epochs),
            "model": None if model is None else check_choice("--model", model, MODELS),
            "jobs": None if jobs is None else whole("--jobs", jobs),
            "target": target,
            "task": None if task is None else check_choice("--task", task, ("classification", "regression")),
            "pairs": None if pairs is None else check_choice("--pairs", pairs, ("set", "batch")),
            "train_size": None if train_size is None else whole("--train-size", train_size, low=20),
            "fixed": _fixed({"local-threshold": radius, "local-exponential": decay, "local-knn": n_neighbors}),
            "kept_shares": None if kept_shares is None else _shares(kept_shares),
            "mixup_alpha": positive("--mixup-alpha", mixup_alpha),
            "batch_size": whole("--batch-size", batch_size, low=2),
            "learning_rate": positive("--lr", lr),
            "weight_decay": check_number("--weight-decay", number(weight_decay), low=0),
            "augmentation": None if augment is None else check_choice("--augment", augment, AUGMENTATIONS),
            "device": check_choice("--device", device, ("cpu", "cuda")),
            "precision": check_choice("--precision", precision, ("no", "bf16", "fp16")),
            "data_root": data_root,
            "store": store,
        }
        if unused := [m for m in settings["fixed"] if m not in settings["methods"]]:
            raise ArgumentError(f"--{_OPTION[unused[0]]} is for {unused[0]}, which is not among --methods ({methods})")
        comparison, report = _run(data, out, settings)
        if as_json:
            print(comparison.model_dump_json(indent=1))
        else:
            _print(comparison)
            console.print(f"\nreport: {report}", soft_wrap=True)


@app.command()
def inspect(
    data: Annotated[str, typer.Argument(metavar="DATA", help=_DATA_HELP)] = "digits",
    level: Annotated[str, typer.Option(help="Wanted rate of intrusion.")] = "0.01",
    features: Annotated[Path | None, typer.Option(help="A .npy file, one row a sample: measure on these.")] = None,
    encoder: Annotated[
        Path | None, typer.Option(help="A TorchScript or exported program (.pt2) file: measure on what it returns.")
    ] = None,
    pca: Annotated[str | None, typer.Option(metavar="N", help="Measure on so many principal components.")] = None,
    nearest: Annotated[str, typer.Option(metavar="K", help="Nearest real samples that tell the ground.")] = "1",
    samples: Annotated[str, typer.Option(metavar="N", help="Virtual samples, about.")] = "20000",
    mixup_alpha: Annotated[str, typer.Option(help="lam is drawn from Beta(mixup_alpha, mixup_alpha).")] = "1",
    train_size: Annotated[str | None, typer.Option(metavar="N", help="Look at so many random rows [all].")] = None,
    seed: Annotated[str, typer.Option(help="Of all draws.")] = "0",
    out: Annotated[Path | None, typer.Option(help="Folder of the report [localmixup-results/DATA--TARGET].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    jobs: Annotated[str | None, typer.Option(metavar="N", help="Threads [the cores].")] = None,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of a table to predict.")] = None,
    task: Annotated[str | None, typer.Option(help="classification or regression [told from the target].")] = None,
    data_root: Annotated[Path | None, typer.Option(help="Where named data sets lie, before $LOCALMIXUP_DATA.")] = None,
) -> None:
    """Is mixup safe on DATA, and how local should it be? Measures, suggests and reports; trains nothing."""
    with one_line_errors("nothing was written"):
        settings: dict[str, Any] = {
            "level": check_number("--level", number(level), low=1e-4, high=1),
            "features_file": features,
            "encoder": encoder,
            "pca": None if pca is None else whole("--pca", pca),
            "n_nearest": whole("--nearest", nearest),
            "n_samples": whole("--samples", samples, low=100),
            "mixup_alpha": positive("--mixup-alpha", mixup_alpha),
            "train_size": None if train_size is None else whole("--train-size", train_size, low=20),
            "seed": int(check_number("--seed", whole("--seed", seed, low=0), low=0, high=2**31)),
            "n_jobs": None if jobs is None else whole("--jobs", jobs),
            "target": target,
            "task": None if task is None else check_choice("--task", task, ("classification", "regression")),
            "data_root": data_root,
        }
        _inspect(data, out, settings, as_json)


def _inspect(data: str, out: Path | None, settings: dict[str, Any], as_json: bool) -> None:
    import json

    from localmixup.lab.inspection import inspect, reasons, summary
    from localmixup.lab.main_job import check_writable
    from localmixup.lab.report.inspection_page import HEAD, rows, write_inspection

    folder = out or _folder(data, settings["target"])
    check_writable(folder)
    bars: dict[str, Any] = {}
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        console=err, disable=not err.is_terminal,
    ) as progress:  # fmt: skip

        def told(what: str, done: float, total: float) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=total)
                if not err.is_terminal:
                    err.print(f"  {what}")
            progress.update(bars[what], completed=done)

        def on_data(dataset: Any, features: Any) -> None:
            err.print(f"{dataset.name}: {len(features):,} rows of {features.shape[1]:,} values, {dataset.task}")
            for note in dataset.notes:
                err.print(f"  {note}")

        found = inspect(data, **settings, on_data=on_data, progress=told)
    report = folder / "inspection.html"
    numbers = json.dumps(summary(found), indent=1)
    try:
        (folder / "inspection.json").write_text(numbers, encoding="utf-8")
        write_inspection(report, found)
    except OSError as error:
        raise ArgumentError(f"--out {folder}: cannot be written: {error.strerror or error}") from None
    if as_json:
        print(numbers)
        return
    if table := rows(found):
        printed = Table(title=f"{found.data.name}: {found.space}", title_justify="left", box=box.SIMPLE_HEAD)
        for k, name in enumerate(HEAD):
            printed.add_column(name, justify="right" if k else "left", overflow="fold")
        for row in table:
            printed.add_row(*row)
        console.print(printed)
    for line in reasons(found):
        console.print(f"  {line}", soft_wrap=True)
    console.print(f"\n{found.verdict}", style="bold", soft_wrap=True)
    console.print(f"\nreport: {report}", soft_wrap=True)


def _folder(data: str, target: str | None) -> Path:
    """A folder of its own for each data set and target: their names, with -- for every /."""
    path = Path(data).expanduser()
    if path.exists():
        path, here = path.resolve(), Path.cwd().resolve()
        path = path.relative_to(here) if path != here and path.is_relative_to(here) else path.relative_to(path.anchor)
        data = path.as_posix()
    return Path("localmixup-results") / "/".join([data, *([target] if target else [])]).replace("/", "--")


@app.command()
def theory(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    figures: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw the figures of the docs there.")] = None,
) -> None:
    """What holds in the paper: each lemma and theorem as a check on random data with a fixed seed."""
    import json

    from localmixup.lab.main_job import check_writable
    from localmixup.lab.paper.theorems import check_all, draw

    with one_line_errors("nothing was written"):
        if figures is not None:
            check_writable(figures, "--figures")
        found = check_all()
        if as_json:
            print(json.dumps([finding._asdict() for finding in found], indent=1))
        else:
            table = Table(box=box.SIMPLE_HEAD, show_lines=True)
            for name in ("statement", "claim", "verdict", "what shows it", "what is true"):
                table.add_column(name, overflow="fold")
            for finding in found:
                table.add_row(*finding)
            console.print(table)
        for path in draw(figures) if figures is not None else []:
            err.print(f"figure: {path}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("localmixup-results"),
    jobs: Annotated[str | None, typer.Option(metavar="N", help="Runs at once [the cores].")] = None,
) -> None:
    """`compare digits` and `compare spirals`, in about a minute on two cores."""
    with one_line_errors():
        workers = None if jobs is None else whole("--jobs", jobs)
        done = []
        for data, epochs in (("digits", 25.0), ("spirals", 60.0)):
            settings = {"methods": _methods(DEFAULT_METHODS), "epochs": epochs, "jobs": workers}
            comparison, report = _run(data, out / data, settings)
            _print(comparison)
            done.append((comparison, report))
        console.print("\nIn short:")
        for comparison, report in done:
            console.print(f"  {comparison.verdict}\n    report: {report}", soft_wrap=True)


def _run(data: str, out: Path | None, settings: dict[str, Any]) -> tuple[Comparison, Path]:
    """One job with its progress on standard error."""
    from localmixup.lab.main_job import Job, run_job

    folder = out or _folder(data, settings.get("target"))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        bar = progress.add_task("reading", total=None)
        finished = {"runs": 0, "of": 0}

        def on_data(dataset: Any, training: Any) -> None:
            shape = " x ".join(map(str, dataset.shape))
            err.print(f"{dataset.name}: {len(dataset.x):,} rows of {shape}, {dataset.task}; model {training.model}")
            for note in dataset.notes:
                err.print(f"  {note}")

        def on_plan(wanted: int, done: int) -> None:
            finished.update(runs=done, of=wanted)
            progress.update(bar, description="training", total=wanted, completed=done)
            if done and done < wanted:
                err.print(f"  {done} of {wanted} runs {'is' if done == 1 else 'are'} in the store already")

        def on_finished(spec: Any) -> None:
            finished["runs"] += 1
            progress.advance(bar)
            every = max(1, finished["of"] // 5)
            if not err.is_terminal and finished["runs"] % every == 0:
                err.print(f"  {finished['runs']} of {finished['of']} runs")

        return run_job(
            Job(source=data, out=folder, **settings), on_data=on_data, on_plan=on_plan, on_finished=on_finished
        )


def _print(comparison: Comparison) -> None:
    from localmixup.lab.report.page import cells, head

    seeds = len(comparison.seeds)
    title = f"{comparison.data.name}: {comparison.training.model}, {seeds} {'seed' if seeds == 1 else 'seeds'}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = head(comparison)
    for k, name in enumerate([names[0], *names[2:]]):
        table.add_column(name, justify="right" if k else "left", overflow="fold", min_width=None if k else 34)
    for row in comparison.rows:
        method, chosen, *numbers = cells(row, comparison)
        # a line of its own keeps the table within the width of a terminal
        table.add_row(f"{method}\n  {chosen}" if chosen else method, *numbers, style="dim" if row.control_of else None)
    console.print(table)
    for line in comparison.details:
        console.print(f"  {line}", soft_wrap=True)
    console.print(f"\n{comparison.verdict}", style="bold", soft_wrap=True)


def _methods(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ArgumentError(f"--methods must name at least one of {', '.join(_METHODS)}")
    chosen = [check_choice("--methods", name, [*_METHODS, *ALIASES]) for name in names]
    return tuple(dict.fromkeys(ALIASES.get(name, name) for name in chosen))


def _fixed(given: dict[str, str | None]) -> dict[str, float]:
    found = {}
    for method, text in given.items():
        try:
            if text is not None:
                found[method] = check_parameter(method, number(text))
        except ArgumentError as error:  # the graph knows its argument's name, not the option's
            message = str(error).replace(PARAMETERS[method], f"--{_OPTION[method]}", 1)
            raise ArgumentError(message) from None
    return found


def _shares(text: str) -> tuple[float, ...]:
    return tuple(check_number("--kept-shares", number(part), low=1e-6, high=1) for part in text.split(","))
