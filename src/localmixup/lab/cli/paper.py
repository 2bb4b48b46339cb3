"""`localmixup paper`: list, run, report and merge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from localmixup._validate import ArgumentError, check_choice
from localmixup.lab.cli.console import console, err, one_line_errors, whole
from localmixup.lab.runs.engine import BACKENDS

paper = typer.Typer(no_args_is_help=True, help="The paper's figures and tables: run, controlled, and reported.")
_FOLDER = Path("localmixup-results/paper")
_STORE_HELP = "A SQLite file (packed with xz too) or any SQLAlchemy URL; name it again for further ones."


@paper.command("list")
def list_items() -> None:
    """Every item, its full size, and the protocols that it has."""
    from localmixup.lab.paper import ITEMS
    from localmixup.lab.paper.protocols import PROTOCOLS, SCALES

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("item", "what", "full size", "protocols"):
        table.add_column(name, overflow="fold")
    for item in ITEMS.values():
        names = [f"{name}*" if name == item.default else name for name in item.protocols]
        table.add_row(item.name, item.title, item.size, ", ".join(names))
    console.print(table)
    for name, protocol in PROTOCOLS.items():
        console.print(f"  --protocol {name}: {protocol.says}", soft_wrap=True)
    for name, scale in SCALES.items():
        console.print(f"  --scale {name}: {scale.says}", soft_wrap=True)
    console.print("  * where none is named")


@paper.command("run")
def run_items(
    items: Annotated[list[str], typer.Argument(metavar="ITEM...", help="Of `localmixup paper list`, or all.")],
    protocol: Annotated[str | None, typer.Option(help="paper, published or controlled [the item's own].")] = None,
    scale: Annotated[str, typer.Option(help="smoke, cpu or full.")] = "cpu",
    runs: Annotated[str | None, typer.Option(metavar="N", help="Of every arm [what the scale says].")] = None,
    jobs: Annotated[str | None, typer.Option(metavar="N", help="Runs at once [the cores].")] = None,
    backend: Annotated[str, typer.Option(help="loky (this machine) or dask.")] = "loky",
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of a running Dask scheduler.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    data_root: Annotated[Path | None, typer.Option(help="Where named data sets lie, before $LOCALMIXUP_DATA.")] = None,
    store: Annotated[str | None, typer.Option(metavar="URL", help="Of the records: any SQLAlchemy URL.")] = None,
) -> None:
    """Run items of the paper; what is in the store already is not run again.

    Interrupt it whenever you like: the same command goes on from there.
    """
    with one_line_errors():
        import torch

        from localmixup.lab.errors import DataMissingError
        from localmixup.lab.main_job import check_writable
        from localmixup.lab.paper.bench import Bench
        from localmixup.lab.paper.protocols import SCALES
        from localmixup.lab.runs.store import Store

        chosen = _chosen(items, protocol)
        check_choice("--scale", scale, SCALES)
        check_choice("--backend", backend, BACKENDS)
        if scheduler is not None and backend != "dask":
            raise ArgumentError(f"--scheduler needs --backend dask, got --backend {backend}")
        if check_choice("--device", device, ("cpu", "cuda")) == "cuda" and not torch.cuda.is_available():
            raise ArgumentError("--device cuda: PyTorch sees no CUDA device here")
        counts = [None if text is None else whole(name, text) for name, text in (("--runs", runs), ("--jobs", jobs))]
        if store is None:
            check_writable(_FOLDER, "--store")
        opened = Store(store or _FOLDER / "results.sqlite")
        lost: list[ArgumentError] = []
        try:
            for item in chosen:
                own = protocol or item.default
                err.print(f"{item.name}: {item.title} (protocol {own}, scale {scale})")
                with Progress(
                    TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                    TextColumn("left"), TimeRemainingColumn(), console=err, disable=not err.is_terminal,
                ) as progress:  # fmt: skip
                    told = _Told(progress)
                    bench = Bench(
                        opened, own, scale, runs=counts[0], jobs=counts[1], device=device, backend=backend,
                        scheduler=scheduler, data_root=data_root, on_plan=told.plan, on_finished=told.finished,
                        on_note=lambda text: err.print(f"  {text}", markup=False),
                    )  # fmt: skip
                    try:
                        item.run(bench)
                    except DataMissingError as error:  # the other items can be run
                        lost.append(error)
                        if len(chosen) > 1:
                            err.print(f"  {item.name} was not run: {error}", markup=False)
        finally:
            opened.close()
        if lost:
            raise lost[0]
        where = f" --store {store}" if store else ""
        console.print(f"stored: {opened.url}; the page: localmixup paper report{where}", soft_wrap=True)


def _chosen(names: list[str], protocol: str | None) -> list[Any]:
    """The items of those names, all of which have the protocol if one is named; of `all`, those that have it."""
    from localmixup.lab.paper import ITEMS
    from localmixup.lab.paper.protocols import PROTOCOLS

    chosen = [ITEMS[check_choice("ITEM", name, [*ITEMS, "all"])] for name in names if name != "all"]
    if protocol is not None:
        check_choice("--protocol", protocol, PROTOCOLS)
    if "all" in names:
        return [item for item in ITEMS.values() if protocol is None or protocol in item.protocols]
    for item in chosen:
        if protocol is not None:
            item.check(protocol)
    return chosen


class _Told:
    """What is said while runs are under way."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.bar: Any = None
        self.done, self.wanted = 0, 0

    def plan(self, what: str, wanted: int, done: int) -> None:
        self.done, self.wanted = done, wanted
        if self.bar is not None:
            self.progress.update(self.bar, visible=False)
        self.bar = self.progress.add_task(f"  {what}", total=wanted, completed=done)
        if not err.is_terminal or done:
            are = "it is" if wanted == 1 else f"{done:,} of them {'is' if done == 1 else 'are'}"
            kept = f", {are} in the store already" if done else ""
            err.print(f"  {what}: {wanted:,} {'run' if wanted == 1 else 'runs'}{kept}")

    def finished(self, spec: Any) -> None:
        self.done += 1
        self.progress.advance(self.bar)
        if not err.is_terminal and self.done % max(1, self.wanted // 5) == 0:
            err.print(f"  {self.done:,} of {self.wanted:,} runs")


@paper.command("report")
def report(
    store: Annotated[list[str] | None, typer.Option(metavar="URL", help=_STORE_HELP)] = None,
    out: Annotated[Path, typer.Option(help="Folder of the page.")] = _FOLDER,
    markdown: Annotated[Path | None, typer.Option(help="The Markdown file [OUT/reproduction.md].")] = None,
) -> None:
    """One page, one Markdown file and the figures as PNG, from everything that was run. Trains nothing."""
    with one_line_errors("nothing was written"):
        from localmixup._validate import ArgumentError
        from localmixup.lab.main_job import check_writable
        from localmixup.lab.paper.report import write
        from localmixup.lab.paper.stores import opened

        own = _FOLDER / "results.sqlite"
        if not store and not own.is_file():
            raise ArgumentError(f"{own}: no such file; `localmixup paper run ITEM` makes it, --store names another one")
        text = markdown or out / "reproduction.md"
        if text.is_dir() or not text.suffix:
            raise ArgumentError(f"--markdown {text}: must be a file with a suffix, such as {text / 'reproduction.md'}")
        page = out / "paper.html"
        with opened(store or [str(own)]) as merged:
            if not merged.arms() and not merged.findings():
                raise ArgumentError(
                    f"{merged.called}: nothing of the paper is in it; `localmixup paper run ITEM --store URL` adds it "
                    "(runs of `localmixup compare` are no part of the paper)"
                )
            check_writable(out)
            check_writable(text.parent, "--markdown" if markdown else "--out")
            try:
                sections = write(merged, page, text)
            except OSError as error:
                raise ArgumentError(f"{error.filename or out}: cannot be written: {error.strerror or error}") from None
        for section in sections:
            if section.sentences:
                console.print(f"\n{section.title}", style="bold")
                for sentence in section.sentences:
                    console.print(f"  {sentence}", soft_wrap=True)
            for lost in section.missing:
                console.print(f"  ({section.item}: {lost})", style="dim", soft_wrap=True)
        console.print(f"\nreport: {page}\ntext: {text}", soft_wrap=True)


@paper.command("merge")
def merge_stores(
    stores: Annotated[list[str], typer.Argument(metavar="STORE...", help="SQLite files, packed with xz too, or URLs.")],
    into: Annotated[str, typer.Option(metavar="URL", help="What is written; a name ending in .xz is packed.")],
) -> None:
    """Bring the runs of several stores into one."""
    with one_line_errors("nothing was written"):
        from localmixup.lab.paper.stores import merge

        runs, findings = merge(stores, into)
        counts = (
            f"{runs:,} {'run' if runs == 1 else 'runs'} and {findings:,} {'finding' if findings == 1 else 'findings'}"
        )
        console.print(f"new in {into}: {counts}", soft_wrap=True)
