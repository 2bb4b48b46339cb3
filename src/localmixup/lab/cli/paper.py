"""`localmixup paper`: list, run, report and merge the paper's figures and tables."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localmixup._validate import ArgumentError, check_choice
from localmixup.lab.cli import options
from localmixup.lab.cli.compare import STORED
from localmixup.lab.cli.completion import one_of
from localmixup.lab.cli.errors import Commands, interruptible
from localmixup.lab.cli.help import Command
from localmixup.lab.cli.names import ITEMS, PROTOCOLS, SCALES
from localmixup.lab.files import as_path

if TYPE_CHECKING:
    from localmixup.lab.errors import DataMissingError
    from localmixup.lab.paper.bench import Bench
    from localmixup.lab.paper.item import Item
    from localmixup.lab.runs.events import Event

paper = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="The paper's figures and tables: run them, with controls, and report.",
    epilog=options.examples("localmixup paper report", "localmixup paper run figure4 --scale smoke"),
)
FOLDER = Path("localmixup-results/paper")
_STORE_HELP = (
    "A SQLite file (also packed with xz), a folder of such files or any SQLAlchemy URL; may be given several times."
)


@paper.command("list", cls=Command, short_help="List every item.", epilog=options.examples("localmixup paper list"))
def list_items() -> None:
    """List every item with its full size and its protocols."""
    from localmixup.lab.cli.console import say
    from localmixup.lab.cli.tables import print_table
    from localmixup.lab.paper import ITEMS as ALL_ITEMS
    from localmixup.lab.paper.protocols import PROTOCOLS as ALL_PROTOCOLS
    from localmixup.lab.paper.protocols import SCALES as ALL_SCALES

    rows = []
    for item in ALL_ITEMS.values():
        names = [f"{name}*" if name == item.default else name for name in item.protocols]
        rows.append([item.name, item.title, item.size, ", ".join(names)])
    print_table(("item", "what", "full size", "protocols"), rows, text=True)
    for name, protocol in ALL_PROTOCOLS.items():
        say(f"  --protocol {name}: {protocol.says}", hang=4)
    for name, scale in ALL_SCALES.items():
        say(f"  --scale {name}: {scale.says}", hang=4)
    say("  * the default")


@paper.command(
    "run",
    cls=Command,
    short_help="Run items, except what is stored already.",
    epilog=options.examples(
        "localmixup paper run figure4 --scale smoke", "localmixup paper run all --protocol controlled --scale cpu"
    ),
)
def run_items(
    items: Annotated[
        list[str],
        typer.Argument(
            metavar="ITEM...", help=f"Any of {', '.join(ITEMS)}, or all.", autocompletion=one_of([*ITEMS, "all"])
        ),
    ],
    protocol: Annotated[
        str | None,
        options.choice(PROTOCOLS, help="[the item's default]"),
    ] = None,
    scale: Annotated[str, options.choice(SCALES)] = "cpu",
    runs: Annotated[
        int | None, typer.Option(parser=options.whole("runs"), metavar="INTEGER", help="Runs per arm [by the scale].")
    ] = None,
    jobs: options.Jobs = None,
    backend: options.Backend = "loky",
    scheduler: options.Scheduler = None,
    device: options.Device = "cpu",
    data_root: options.DataRoot = None,
    store: options.StoreUrl = None,
) -> None:
    """Run items of the paper, except what is in the store already.

    It can be interrupted at any time: the same command continues from there.
    """
    for name in items:
        check_choice("ITEM", name, [*ITEMS, "all"])
    options.check_scheduler(scheduler, backend)
    import torch

    from localmixup.lab.cli.console import show
    from localmixup.lab.files import make_folder
    from localmixup.lab.paper.bench import Bench
    from localmixup.lab.runs.store import Store

    chosen = _chosen(items, protocol)
    if device == "cuda" and not torch.cuda.is_available():
        raise ArgumentError("--device cuda: PyTorch sees no CUDA device here")
    if store is None:
        make_folder(FOLDER, "--store")

    def bench(item: Item) -> Bench:
        return Bench(
            opened, protocol or item.default, scale, runs=runs, jobs=jobs, device=device, backend=backend,
            scheduler=scheduler, data_root=data_root,
        )  # fmt: skip

    with interruptible(STORED), closing(Store(store or FOLDER / "results.sqlite")) as opened:
        lost = show(_run_items(chosen, bench))
    if lost:
        raise lost[0]
    _print_stored(opened.shown)


def _run_items(items: list[Item], bench: Callable[[Item], Bench]) -> Generator[Event, None, list[DataMissingError]]:
    """Run each item on its bench; return the errors of those whose data are missing, which do not stop the others."""
    from localmixup.lab.errors import DataMissingError
    from localmixup.lab.runs.events import Note

    lost = []
    for item in items:
        own = bench(item)
        yield Note(f"{item.name}: {item.title} (protocol {own.protocol}, scale {own.scale})")
        try:
            yield from item.run(own)
        except DataMissingError as error:
            lost.append(error)
            if len(items) > 1:
                yield Note(f"{item.name} was not run: {error}")
    return lost


def _print_stored(where: str) -> None:
    from localmixup.lab.cli.console import console

    option = "" if where == str(FOLDER / "results.sqlite") else f" --store {shlex.quote(where)}"
    console.print(f"stored: {where}; for the page: localmixup paper report{option}", soft_wrap=True)


def _chosen(names: list[str], protocol: str | None) -> list[Item]:
    """Return the items of those names, which must have the protocol; of "all", those that have it."""
    from localmixup.lab.paper import ITEMS as ALL_ITEMS

    if "all" in names:
        return [item for item in ALL_ITEMS.values() if protocol is None or protocol in item.protocols]
    chosen = [ALL_ITEMS[name] for name in names]
    if protocol is not None:
        for item in chosen:
            item.check(protocol)
    return chosen


@paper.command(
    "report",
    cls=Command,
    short_help="Write the page from stored runs.",
    epilog=options.examples("localmixup paper report", "localmixup paper report --store my.sqlite --out page"),
)
def report(
    store: Annotated[list[str] | None, typer.Option(metavar="URL", help=_STORE_HELP)] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the page.")] = FOLDER,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The Markdown file [OUT/reproduction.md].")
    ] = None,
) -> None:
    """Write one page, one Markdown file and the figures as PNG from stored runs. Nothing is trained.

    Without --store it takes the runs of `localmixup paper run` in this folder, or else those that come with localmixup.
    """
    own = FOLDER / "results.sqlite"
    out = as_path(out, "--out")
    text = as_path(markdown, "--markdown") if markdown else out / "reproduction.md"
    if text.is_dir() or not text.suffix:
        raise ArgumentError(f"--markdown {text}: must be a file with a suffix, such as {text / 'reproduction.md'}")
    from localmixup.lab.cli.console import console, err, say
    from localmixup.lab.cli.tables import print_table
    from localmixup.lab.files import make_folder
    from localmixup.lab.paper.claims import CLAIM_HEAD, claims
    from localmixup.lab.paper.report import write
    from localmixup.lab.paper.stores import opened, shipped_stores
    from localmixup.lab.runs.database import shown

    stores = store or [str(own if own.is_file() else shipped_stores())]
    if not store:
        err.print(f"reading {', '.join(map(shown, stores))}")
        if own.is_file():
            err.print(
                f"to read the runs that come with localmixup instead: --store {shlex.quote(str(shipped_stores()))}"
            )
    page = out / "paper.html"
    with interruptible("nothing was written"), opened(stores) as merged:
        if not merged.arms() and not merged.findings():
            raise ArgumentError(
                f"{merged.called}: there is nothing of the paper in it; `localmixup paper run ITEM --store URL` adds "
                "it (runs of `localmixup compare` do not belong to the paper)"
            )
        make_folder(out)
        make_folder(text.parent, "--markdown" if markdown else "--out")
        try:
            sections = write(merged, page, text)
        except OSError as error:
            raise ArgumentError(f"{error.filename or out}: cannot be written: {error.strerror or error}") from None
    told = claims(sections)
    print_table(CLAIM_HEAD, told, text=True)
    counts = Counter(row[-1].partition(";")[0] for row in told)
    say("  " + ", ".join(f"{word}: {count}" for word, count in counts.most_common()))
    say(
        "  A negative difference is a lower error. 'Not shown' means that p is not below 0.05 after Holm's correction; "
        "an interval is not corrected, and may exclude zero all the same.\n",
        style="dim",
    )
    for section in sections:
        for lost in section.missing:
            say(f"  ({section.item}: {lost})", style="dim")
    console.print(f"\nreport: {page}\ntext: {text}", soft_wrap=True)


@paper.command(
    "merge",
    cls=Command,
    short_help="Merge several stores into one.",
    epilog=options.examples("localmixup paper merge a.sqlite b.sqlite --into both.sqlite.xz"),
)
def merge_stores(
    stores: Annotated[
        list[str],
        typer.Argument(metavar="STORE...", help="SQLite files, also packed, folders of them, or URLs."),
    ],
    into: Annotated[str, typer.Option(metavar="URL", help="The store to write; a name that ends in .xz is packed.")],
) -> None:
    """Merge the runs of several stores into one."""
    from localmixup.lab.cli.console import console
    from localmixup.lab.paper.stores import merge
    from localmixup.lab.runs.database import shown

    with interruptible("nothing was written"):
        runs, findings = merge(stores, into)
    counts = f"{runs:,} {'run' if runs == 1 else 'runs'} and {findings:,} {'finding' if findings == 1 else 'findings'}"
    console.print(f"new in {shown(into)}: {counts}", soft_wrap=True)
