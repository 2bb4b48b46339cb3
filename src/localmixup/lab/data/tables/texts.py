"""Read text files of separated values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO, Any, NamedTuple

from localmixup._validate import ArgumentError
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.tables.layout import Layout, find_layout, has_header
from localmixup.lab.data.tables.opening import Text, is_plain, read_text, read_text_again
from localmixup.lab.data.tables.sampling import CHUNK_ROWS, rows_to_keep, sample
from localmixup.lab.data.tables.separators import NAMES, find_separator, split, typed_separator
from localmixup.lab.data.tables.words import MISSING_WORDS, decimal_mark
from localmixup.lab.errors import first_line

_SPELLED = sorted(
    {spelled for word in MISSING_WORDS for spelled in (word, word.upper(), word.capitalize())} | {"NaN", "-NaN", "NaT"}
)
_LINES = 2000  # looked at to find the layout
_ALLOWANCE = 1.3  # a table that is a little larger than `rows_to_keep` is read as a whole
_PACKED = 20  # so many times larger may the contents of a compressed file be


class Table(NamedTuple):
    """A table as read, before its columns are understood.

    Attributes:
        frame: a pandas data frame; a column named "" is the name of the row.
        notes: for the user.
        total: number of rows in the file, where only some are kept; else None.
        decimal: the decimal mark of the file, if it shows one.
    """

    frame: Any
    notes: tuple[str, ...] = ()
    total: int | None = None
    decimal: str | None = None


def read_separated(path: Path, reading: Reading) -> Table:
    """Read a text file with one row of values in each line.

    Args:
        path: of the file, which may be compressed.
        reading: what the user says.

    Raises:
        ArgumentError: it is not such a file, or a line has too few or too many values.
    """
    text = read_text(path)
    try:
        return _read(text, reading)
    except UnicodeDecodeError:
        return _read(read_text_again(text), reading)


def _read(text: Text, reading: Reading) -> Table:
    lines = re.split(r"\r\n|\n|\r", text.head, maxsplit=_LINES)[:_LINES]
    sep = find_separator(lines) if reading.sep is None else typed_separator(reading.sep)
    rows = list(split(lines, sep))
    layout = find_layout(str(text.path), rows, has_header(reading))
    width, notes = len(layout.names), [*text.notes, *layout.notes]
    if width == 1:
        raise ArgumentError(
            f"{text.path}: there is only one value in a line (no comma, semicolon, tab, vertical bar or blank "
            "separates several); say --sep if something else does"
        )
    if sep != ",":
        notes.insert(0, f"values are separated by {NAMES.get(sep, repr(sep))}")
    cells = [value for at, values in rows if at >= layout.skip for value in values]
    decimal = decimal_mark(cells) or ("," if sep == ";" else None)
    frame, total = _frame(text, sep, layout, decimal, rows)
    frame.columns = list(layout.names)
    return Table(frame, tuple(notes), total, decimal)


def _frame(
    text: Text, sep: str, layout: Layout, decimal: str | None, rows: list[tuple[int, list[str]]]
) -> tuple[Any, int | None]:
    import pandas as pd

    width = len(layout.names)
    commented = any(values and values[0].startswith("#") for at, values in rows if at >= layout.skip)
    in_cells = any("#" in value[1:] for _, values in rows for value in values)
    settings: dict[str, Any] = {
        "sep": sep,
        "header": None,
        "names": range(width),
        "index_col": None,
        "skipinitialspace": True,
        "decimal": decimal or ".",
        "comment": "#" if commented and not in_cells else None,
        "na_values": _SPELLED,
        "keep_default_na": False,
        "low_memory": False,
    }
    bytes_of_row = max(1, len(text.head) // max(1, len(rows) if text.whole else text.head.count("\n")))
    most = rows_to_keep(width)
    expected = text.path.stat().st_size * (1 if is_plain(text.path) else _PACKED) / bytes_of_row
    try:
        with text.open() as stream:
            _skip(stream, layout.skip)
            if expected < _ALLOWANCE * most:
                frame, total = pd.read_csv(stream, **settings), None
            else:
                with pd.read_csv(stream, chunksize=CHUNK_ROWS, **settings) as chunks:
                    frame, total = sample(chunks, most)
    except UnicodeDecodeError:
        raise
    except Exception as error:
        raise ArgumentError(f"{text.path}: {_reason(error, layout.skip)}") from None
    if not isinstance(frame.index, pd.RangeIndex):
        _refuse_ragged(text, sep, width, layout.skip)
        raise ArgumentError(f"{text.path}: some lines hold more than the {width} values of the first ones")
    if len(frame) and frame.iloc[:, -1].isna().any():
        _refuse_ragged(text, sep, width, layout.skip)
    return frame, (None if total is None or total <= len(frame) else total)


def _skip(stream: IO[str], count: int) -> None:
    for _ in range(count):
        stream.readline()


def _reason(error: Exception, skipped: int) -> str:
    message = first_line(error)
    if match := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message):
        wanted, line, saw = map(int, match.groups())
        return f"line {line + skipped} holds {saw} values, the lines before it {wanted}"
    return f"cannot be read as a table: {message}"


def _refuse_ragged(text: Text, sep: str, width: int, skip: int) -> None:
    """Raise an error if a line has too few or too many values; blanks at their end do not count."""
    with text.open() as stream:
        _skip(stream, skip)
        for at, values in split(stream, sep):
            if values and not values[0].startswith("#") and len(values) != width:
                raise ArgumentError(
                    f"{text.path}: line {skip + at + 1} holds {len(values)} values, the lines before it {width}"
                )
