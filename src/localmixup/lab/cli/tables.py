"""Tables on a console of any width: no word and no number is cut, and no number is split over two lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich import box
from rich.cells import cell_len
from rich.table import Table

from localmixup.lab.cli.console import console, say, wrapped
from localmixup.lab.text import plain

_HEAD = 14  # characters of a line of a heading above numbers


def print_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    dim: Collection[int] = (),
    text: bool = False,
) -> None:
    """Print a table; where the console is too narrow for it, each row as a list of its values.

    Args:
        head: the headings.
        rows: the values, as they are printed.
        title: above the table.
        dim: places of rows in the background.
        text: the values are text, which may be broken between words; otherwise only the first column is.
    """
    is_text = [text or k == 0 for k in range(len(head))]
    widths = _widths(head, rows, is_text, console.width - (2 * len(head) + 1))  # a space on both sides, and one more
    if title:
        say(title, style="italic", to=console)
    if widths is None:
        _print_lists(head, rows, is_text)
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, broken, width in zip(head, is_text, widths, strict=True):
        table.add_column(
            "\n".join(wrapped(name, width)), justify="left" if broken else "right", width=width, no_wrap=True,
            vertical="top" if text else "bottom",
        )  # fmt: skip
    for k, row in enumerate(rows):
        cells = [
            "\n".join(wrapped(cell, width)) if broken else cell
            for cell, broken, width in zip(row, is_text, widths, strict=True)
        ]
        table.add_row(*cells, style="dim" if k in dim else None)
    console.print(table)


def _widths(head: Sequence[str], rows: Sequence[Sequence[str]], is_text: Sequence[bool], room: int) -> list[int] | None:
    """Return the characters of each column, or None where the columns do not fit into `room`.

    A heading and a column of text may be as narrow as their longest word; the widest columns are made narrower first.
    """
    widths, least = [], []
    for k, (name, broken) in enumerate(zip(head, is_text, strict=True)):
        lines = [line for row in rows for line in plain(row[k]).splitlines()]
        words = [word for line in lines for word in line.split()] if broken else lines
        heading = [name] if broken else wrapped(name, _HEAD)
        widths.append(max(map(cell_len, [*heading, *lines]), default=0))
        least.append(max(map(cell_len, [*plain(name).split(), *words]), default=0))
    if sum(least) > room:
        return None
    while sum(widths) > room:
        widest = max((k for k in range(len(widths)) if widths[k] > least[k]), key=widths.__getitem__)
        widths[widest] -= 1
    return widths


def _print_lists(head: Sequence[str], rows: Sequence[Sequence[str]], is_text: Sequence[bool]) -> None:
    for row in rows:
        say(f"\n{row[0]}", to=console)
        for name, value, broken in zip(head[1:], row[1:], is_text[1:], strict=True):
            line = f"  {name}: {value}"
            if broken or cell_len(plain(line)) <= console.width or not console.file.isatty():
                if value:
                    say(line, hang=2, to=console)
            else:  # a number stays whole
                say(f"  {name}:", to=console)
                console.print(f"    {value}", soft_wrap=True)
