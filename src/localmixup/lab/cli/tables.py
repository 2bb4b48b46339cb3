"""Tables on a console of any width: no number is cut, and none is split over two lines."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence

from rich import box
from rich.table import Table

from localmixup.lab.cli.console import console
from localmixup.lab.text import plain

_HEAD = 14  # characters of a line of a heading
_GAP = 3  # between two columns, at most


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
    if _least_width(head, rows, text) > console.width:
        _print_lists(head, rows, title)
        return
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for k, name in enumerate(head):
        is_number = k > 0 and not text
        shown = textwrap.fill(name, _HEAD) if is_number else name
        table.add_column(
            shown, justify="right" if is_number else "left", no_wrap=is_number, vertical="top" if text else "bottom"
        )
    for k, row in enumerate(rows):
        table.add_row(*row, style="dim" if k in dim else None)
    console.print(table)


def _print_lists(head: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    if title:
        console.print(title, soft_wrap=True)
    for row in rows:
        console.print(f"\n{row[0]}", soft_wrap=True)
        for name, value in zip(head[1:], row[1:], strict=True):
            if value:
                console.print(f"  {name}: {value}", soft_wrap=True)


def _least_width(head: Sequence[str], rows: Sequence[Sequence[str]], text: bool) -> int:
    """Return the characters that the table needs so that nothing is broken where it must not be."""
    total = 0
    for k, name in enumerate(head):
        cells = [plain(row[k]) for row in rows]
        pieces = [word for cell in cells for word in cell.split()] if text or k == 0 else cells
        total += _GAP + max(len(piece) for piece in [*name.split(), *pieces, ""])
    return total
