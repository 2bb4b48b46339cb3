"""How a source is to be read, where the user says so: what all readers share.

This module imports nothing heavy, so that the command line can check the options before it loads anything else.
"""

from __future__ import annotations

import csv
import re
import shlex
from dataclasses import dataclass, fields
from typing import Any

from localmixup._validate import ArgumentError, check_choice

MISSING = ("impute", "error")
"""What is done about missing values of a table: fill them within the training rows, or refuse the table."""

HEADERS = ("yes", "no")
"""Whether the first line of a text file holds the names of the columns."""

LAYOUTS = ("channels-first", "channels-last", "gray", "sequence")
"""What the axes of an array of three or four dimensions may be."""

_MOST_PIXELS_A_SIDE = 10_000


@dataclass(frozen=True)
class Reading:
    """What the user says about the reading of a source. A field that is None is decided by the data.

    Attributes:
        resize: height and width in pixels that every image gets.
        layout: one of `LAYOUTS`, for arrays of three or four dimensions.
        drop: names of columns of a table that are left out.
        missing: one of `MISSING`, for tables.
        sep: what separates the values of a text file: one character, `"tab"` or `"blanks"`.
        header: one of `HEADERS`, for text files.
        query: the SQL query whose result is the table, for databases.
    """

    resize: tuple[int, int] | None = None
    layout: str | None = None
    drop: tuple[str, ...] | None = None
    missing: str | None = None
    sep: str | None = None
    header: str | None = None
    query: str | None = None

    def only(self, where: str, *allowed: str) -> None:
        """Refuse options that a source would ignore.

        Args:
            where: the source and its kind, such as `"a.npz: arrays"`, for the message.
            allowed: the fields that its reader uses.

        Raises:
            ArgumentError: another field is set.

        >>> Reading(resize=(8, 8)).only("pets: images", "resize")
        """
        for name in self._given():
            if name not in allowed:
                raise ArgumentError(f"{where} cannot be read with --{name.replace('_', '-')}: leave it out")

    def as_options(self) -> str:
        """Return the options as they are typed, each with a blank before it.

        >>> Reading(resize=(8, 9), layout="gray").as_options()
        ' --resize 8x9 --layout gray'
        """
        words = []
        for name, value in self._given().items():
            text = ("," if name == "drop" else "x").join(map(str, value)) if isinstance(value, tuple) else str(value)
            words.append(f" --{name.replace('_', '-')} {shlex.quote(text)}")
        return "".join(words)

    def _given(self) -> dict[str, Any]:
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in found.items() if value is not None}


AS_FOUND = Reading()
"""Everything is decided by the data."""


def refuse_table_options(where: str, *, target: str | None, task: str | None = None) -> None:
    """Refuse `--target`, and a task that images and arrays with classes cannot have.

    Args:
        where: the source and its kind, for the message.
        target: as the user gave it.
        task: as the user gave it; `"regression"` is refused.

    Raises:
        ArgumentError: one of them is set.
    """
    if target is not None:
        raise ArgumentError(f"{where} have no column to predict: leave --target out, got {target!r}")
    if task == "regression":
        raise ArgumentError(f"{where} have classes: --task must be classification, got 'regression'")


def size_of(name: str, value: Any) -> tuple[int, int]:
    """Return a size of images as height and width.

    Args:
        name: of the argument, for the message.
        value: one number, `"HxW"`, or a pair `(height, width)`.

    Raises:
        ArgumentError: it is not a size.

    >>> size_of("resize", "32x48"), size_of("resize", 28), size_of("resize", (8, 9))
    ((32, 48), (28, 28), (8, 9))
    """
    text = "x".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
    match = re.fullmatch(r"([0-9]{1,9})(?:[x,]([0-9]{1,9}))?", text.strip().lower())
    if match is None or not all(1 <= int(side) <= _MOST_PIXELS_A_SIDE for side in match.groups() if side):
        raise ArgumentError(
            f"{name} must be height x width in pixels, such as 32x48, or one number for squares, each 1 to "
            f"{_MOST_PIXELS_A_SIDE}, got {value!r:.80}".lstrip()
        )
    height, width = match.groups()
    return int(height), int(width or height)


def columns_of(name: str, value: Any) -> tuple[str, ...]:
    """Return names of columns.

    Args:
        name: of the argument, for the message.
        value: one name, several with commas between them, or a sequence of names. A name with a comma in it goes into a
            sequence, or between double quotes.

    Raises:
        ArgumentError: there is no name.

    >>> columns_of("drop", 'a, "b, c"'), columns_of("drop", ["a,b"])
    (('a', 'b, c'), ('a,b',))
    """
    if isinstance(value, str):
        value = next(csv.reader([value], skipinitialspace=True), [])
    names = tuple(str(part).strip() for part in value if str(part).strip())
    if not names:
        raise ArgumentError(f"{name} must name at least one column, got {value!r:.80}".lstrip())
    return names


def reading_of(
    *,
    resize: Any = None,
    layout: Any = None,
    drop: Any = None,
    missing: Any = None,
    sep: Any = None,
    header: Any = None,
    query: Any = None,
) -> Reading:
    """Return the arguments of a function as one value, checked.

    Args:
        resize: see `size_of`.
        layout: one of `LAYOUTS`.
        drop: see `columns_of`.
        missing: one of `MISSING`.
        sep: see `Reading`.
        header: one of `HEADERS`, or a bool.
        query: see `Reading`.

    Raises:
        ArgumentError: one of them is wrong.

    >>> reading_of(resize=32, drop="id")
    Reading(resize=(32, 32), layout=None, drop=('id',), missing=None, sep=None, header=None, query=None)
    """
    header = {True: "yes", False: "no"}[header] if isinstance(header, bool) else header
    return Reading(
        resize=None if resize is None else size_of("resize", resize),
        layout=None if layout is None else check_choice("layout", layout, LAYOUTS),
        drop=None if drop is None else columns_of("drop", drop),
        missing=None if missing is None else check_choice("missing", missing, MISSING),
        sep=None if sep is None else str(sep),
        header=None if header is None else check_choice("header", header, HEADERS),
        query=None if query is None else str(query),
    )
