"""Find where a table begins in a text or sheet, and what its columns are called."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from localmixup._validate import ArgumentError
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.tables.words import is_missing, is_number

_RULER = re.compile(r"[-=_+|:~*]{3,}")  # a line that is drawn under the names

Row = tuple[int, list[str]]
"""The number of a line, counted from 0, and its values; of an empty line none."""

_PREAMBLE = 60  # lines before the table at most
_RECURRING = 0.8  # share of the values of a first line that come again below it, if it is a row of the table


class Layout(NamedTuple):
    """Where a table begins, and what its columns are called.

    Attributes:
        skip: number of lines before the first row.
        names: of the columns, as many as there are values in a row; "" has no name.
        notes: for the user.
    """

    skip: int
    names: tuple[str, ...]
    notes: tuple[str, ...]


def has_header(reading: Reading) -> bool | None:
    """Return whether the user says that a table begins with names; None if nothing is said."""
    return None if reading.header is None else reading.header == "yes"


def find_layout(where: str, rows: Sequence[Row], header: bool | None) -> Layout:
    """Find the beginning and the names of a table.

    Args:
        where: the file, for messages.
        rows: the first lines of the file.
        header: whether the table begins with names; None finds out.

    Raises:
        ArgumentError: there are fewer or more names than values, or no rows.
    """
    filled = [row for row in rows if row[1] and not _RULER.fullmatch("".join(row[1]))]
    if not filled:
        raise ArgumentError(f"{where}: the table has no rows")
    tail = filled[len(filled) // 3 :][:1000] if len(filled) > 6 else filled[-3:]
    width = Counter(len(values) for _, values in tail).most_common(1)[0][0]
    first = _beginning(filled, width)
    notes = []
    if first:
        notes.append(f"{first} line{'s' * (first > 1)} before the table {'are' if first > 1 else 'is'} left out")
    table = filled[first:]
    if header is None:
        header = _has_names([values for _, values in table], width)
        if not header and any(map(is_number, table[0][1])):
            notes.append(
                "the first line holds values, not names, so the columns are numbered from 1; --header yes takes it as "
                "names"
            )
        elif not header:
            notes.append(
                "the values of the first line come again below it, so it is taken as a row and the columns are "
                "numbered from 1; --header yes takes it as names"
            )
    if not header:
        return Layout(table[0][0], tuple(str(k + 1) for k in range(width)), tuple(notes))
    if len(table) < 2:
        raise ArgumentError(f"{where}: the table has columns but no rows")
    names = _names(where, table, width, notes)
    return Layout(table[1][0], names, tuple(notes))


def _beginning(filled: Sequence[Row], width: int) -> int:
    """Return how many of the filled lines stand before the table."""
    for k, (_, values) in enumerate(filled[:_PREAMBLE]):
        commented = values[0].startswith(("#", "//", "%"))
        follows = filled[k + 1][1] if k + 1 < len(filled) else []
        if commented and follows and (follows[0].startswith(("#", "//", "%")) or len(values) < 2 <= width):
            continue
        if commented and width == 1 and follows:
            continue
        if len(values) in (width, width - 1) and (width > 1 or values[0]):
            return k
        if len(values) > width and _fits_as_names(values, width, follows):
            return k
        if len(values) == width + 1 and commented and values[0] in ("#", "//", "%"):
            return k
    return 0


def _fits_as_names(values: Sequence[str], width: int, follows: Sequence[str]) -> bool:
    return len(follows) == width and sum(map(bool, values)) >= width and not any(map(is_number, values))


def _has_names(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Return whether the first row holds names."""
    first, below = rows[0], rows[1:]
    if len(first) != width:
        return True
    numbers = [value for value in first if is_number(value)]
    if numbers and not _counts_on(numbers, below):
        return False
    if numbers:
        return True
    if any(is_missing(value) and value for value in first):
        return False
    below = [row for row in below if len(row) == width]
    told = [k for k in range(width) if first[k] and not is_number(first[k])]
    if any(sum(is_number(row[k]) for row in below) > 0.5 * len(below) for k in told):
        return True
    again = [any(row[k] == first[k] for row in below) for k in told]
    return not again or sum(again) < _RECURRING * len(again)


def _counts_on(numbers: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Return whether numbers in a first line count on by one, as years or column numbers do, and others do not."""

    def counting(values: Sequence[str]) -> bool:
        if len(values) < 2 or not all(re.fullmatch(r"\d+", value) for value in values):
            return False
        steps = {int(b) - int(a) for a, b in itertools.pairwise(values)}
        return steps == {1}

    return counting(numbers) and not any(counting([v for v in row if is_number(v)]) for row in below[:20])


def _names(where: str, table: Sequence[Row], width: int, notes: list[str]) -> tuple[str, ...]:
    """Return the names of the first row, one for each value of the others."""
    names = list(table[0][1])
    if len(names) == width + 1 and names[0] in ("#", "//", "%"):
        names = names[1:]
    names[0] = re.sub(r"^(#|//|%)\s*", "", names[0]) if len(names[0]) > 1 else names[0]
    rows = [values for _, values in table[1:] if len(values) == width]
    while len(names) > width and not names[-1]:
        names.pop()
    if len(names) == width - 1:
        first, last = [row[0] for row in rows], [row[-1] for row in rows]
        if not any(last):
            return (*names, "")
        if any(not is_number(value) for value in first) or _numbers_rows(first):
            notes.append("the first value of each row has no name: it is taken as the name of the row and left out")
            return ("", *names)
        raise ArgumentError(
            f"{where}: there are {len(names)} names ({', '.join(names[:6])}) for {width} values in a row, and the "
            "first value is no name of a row; complete the first line, or say --header no"
        )
    if len(names) != width:
        raise ArgumentError(
            f"{where}: there are {len(names)} names for {width} values in a row; the first line of the table is "
            f"{', '.join(names)[:120]!r}; say --sep, or --header no"
        )
    return tuple(names)


def _numbers_rows(values: Sequence[str]) -> bool:
    """Return whether values count the rows from 0 or 1."""
    return values[0] in ("0", "1") and all(re.fullmatch(r"\d+", v) for v in values) and (
        [int(v) for v in values] == list(range(int(values[0]), int(values[0]) + len(values)))
    )  # fmt: skip
