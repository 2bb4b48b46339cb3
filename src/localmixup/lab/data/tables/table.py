"""Read tables: columns become numbers, and the target becomes classes or a quantity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet, LeftOut
from localmixup.lab.data.names import COMPRESSIONS, database_in, table_suffix
from localmixup.lab.data.reading import AS_FOUND, Reading
from localmixup.lab.data.tables.columns import Understood, understand
from localmixup.lab.data.tables.databases import read_database
from localmixup.lab.data.tables.formats import (
    read_arff,
    read_arrow,
    read_excel,
    read_json,
    read_parquet,
    read_stata_or_sas,
)
from localmixup.lab.data.tables.leaks import leaking
from localmixup.lab.data.tables.opening import members_of
from localmixup.lab.data.tables.target import known_column, listed, target_column, understand_target
from localmixup.lab.data.tables.texts import Table, read_separated
from localmixup.lab.data.tables.usable import Used, use
from localmixup.lab.data.tables.words import unquoted

_READERS = {
    (".parquet", ".pq"): (read_parquet, ()),
    (".feather", ".arrow", ".orc"): (read_arrow, ()),
    (".dta", ".sas7bdat", ".xpt"): (read_stata_or_sas, ()),
    (".xlsx", ".xlsm"): (read_excel, ("header",)),
    (".json", ".jsonl", ".ndjson"): (read_json, ("header",)),
    (".arff",): (read_arff, ()),
    (".sqlite", ".sqlite3", ".db"): (read_database, ("query",)),
}


def read_table(
    path: Path, *, target: str | None, task: str | None, reading: Reading = AS_FOUND, name: str | None = None
) -> DataSet:
    """Read a table.

    Args:
        path: the file, of one of the kinds in docs/what-it-reads.md, or a folder of Parquet files.
        target: the column to predict; None if its name is one of `TARGET_NAMES`.
        task: `"classification"` or `"regression"`; None decides by the values of the target.
        reading: how it is to be read.
        name: of the data set; by default that of the file.

    Raises:
        ArgumentError: the file cannot be read, or a column or a cell cannot be used; the message names its place.
    """
    suffix = ".parquet" if path.is_dir() else table_suffix(path.name)
    if path.suffix.lower() == ".zip":
        members = members_of(path)
        suffix = table_suffix(members[0]) if len(members) == 1 else suffix
    reader, allowed = next(
        (found for suffixes, found in _READERS.items() if suffix in suffixes), (read_separated, ("sep", "header"))
    )
    if path.suffix.lower() in COMPRESSIONS and reader not in (read_separated, read_json, read_arff):
        raise ArgumentError(f"{path}: a compressed {suffix} file cannot be read; unpack it first")
    reading.only(f"{path}: this table", "drop", "missing", *allowed)
    return _dataset(reader(path, reading), str(path), name or path.name, target, task, reading)


def read_query(url: str, *, target: str | None, task: str | None, reading: Reading = AS_FOUND) -> DataSet:
    """Read a table from a database.

    Args:
        url: as SQLAlchemy takes it.
        target: see `read_table`.
        task: see `read_table`.
        reading: see `read_table`; `query` selects the rows.

    Raises:
        ArgumentError: see `read_table`.
    """
    name = f"the database {database_in(url)}"
    reading.only(f"{name}: this table", "drop", "missing", "query")
    return _dataset(read_database(url, reading), name, name, target, task, reading)


def dataset_of_table(
    frame: Any, *, where: str, name: str, target: str | None, task: str | None, reading: Reading = AS_FOUND
) -> DataSet:
    """Return a data frame as a data set.

    Args:
        frame: a pandas data frame. It is not changed.
        where: a description of where it comes from, for messages.
        name: of the data set.
        target: as for `read_table`.
        task: as for `read_table`.
        reading: `drop` and `missing`.

    Raises:
        ArgumentError: a column or a cell cannot be used; the message names its place.
    """
    reading.only(f"{where}: a data frame", "drop", "missing")
    return _dataset(Table(frame), where, name, target, task, reading)


def _dataset(table: Table, where: str, name: str, target: str | None, task: str | None, reading: Reading) -> DataSet:
    if not len(table.frame):
        raise ArgumentError(f"{where}: the table has columns but no rows")
    frame, notes = _with_own_names(where, table.frame, target)
    columns = list(frame.columns)
    chosen = target_column(where, columns, target)
    drop = [known_column(where, "--drop", columns, column) for column in reading.drop or ()]
    if chosen in drop:
        raise ArgumentError(f"{where}: --drop must leave the column to predict, got {chosen!r}")
    wanted = understand(where, chosen, frame[chosen], table.decimal)
    if wanted.missing.all():
        raise ArgumentError(f"{where}: column {chosen!r}, which is to be predicted, has no values")
    kept = np.flatnonzero(~wanted.missing)
    lost = len(frame) - len(kept)
    if lost and reading.missing == "error":
        raise ArgumentError(_missing(where, lost, chosen, int(np.argmax(wanted.missing))))
    parts, left_out, remarks = _inputs(where, frame, [chosen, *drop], table.decimal, kept, reading)
    left_out = [*(LeftOut(column, "--drop") for column in drop), *left_out]
    found = understand_target(where, chosen, wanted.rows(kept), task)
    if not parts:
        reasons = listed([f"{left.name} ({left.why})" for left in left_out])
        raise ArgumentError(
            f"{where}: there are no inputs beside the target" + (f"; left out: {reasons}" if reasons else "")
        )
    if leaks := leaking(parts, found.y, len(found.class_names)):
        notes.append(_leak_note(leaks))
    return DataSet(
        name, "table", _joined(parts), found.y, class_names=found.class_names,
        notes=(*table.notes, *notes, *wanted.notes, *remarks),
        columns=tuple(part.column for part in parts), target=chosen, left_out=tuple(left_out), total=table.total,
        without_target=lost,
    )  # fmt: skip


def _inputs(
    where: str, frame: Any, but: Sequence[str], decimal: str | None, kept: np.ndarray, reading: Reading
) -> tuple[list[Used], list[LeftOut], list[str]]:
    """Return what the columns become in the rows that are kept, the columns that are left out, and remarks."""
    parts: list[Used] = []
    left_out, remarks = [], []
    for place, column in enumerate(frame.columns):
        if column in but:
            continue
        held: Understood = understand(where, column, frame[column], decimal)
        used, why, notes = use(where, column, held, kept)
        if used is None:
            left_out.append(LeftOut(column or ("the first column" if place == 0 else "a column without a name"), why))
            continue
        if used.column.missing and reading.missing == "error":
            first = int(kept[np.argmax(used.absent)])
            raise ArgumentError(_missing(where, used.column.missing, column, first))
        parts.append(used)
        remarks += [*held.notes, *notes]
    return parts, left_out, remarks


def _missing(where: str, count: int, column: str, row: int) -> str:
    return (
        f"{where}: {count:,} value{'s are' if count > 1 else ' is'} missing in column {column!r}, the first in row "
        f"{row + 1}; --missing impute fills them within the training rows"
    )


def _with_own_names(where: str, frame: Any, target: str | None) -> tuple[Any, list[str]]:
    """Return the table with a name of its own for each column; of equal columns only the first."""
    import pandas as pd

    names = [_name(column) for column in frame.columns]
    frame, notes = frame.copy(deep=False), []
    kept: dict[str, int] = {}
    left = []
    for k, name in enumerate(names):
        if name not in kept:
            kept[name] = k
            continue
        if frame.iloc[:, k].equals(frame.iloc[:, kept[name]]):
            left.append(k)
            notes.append(f"column {name!r} is there twice with the same values: one of them is left out")
            continue
        if (name and name == target) or (target is None and name.lower() in ("target", "label", "class", "y")):
            raise ArgumentError(f"{where}: column {name!r} is there more than once, with different values")
        number = next(n for n in range(2, len(names) + 2) if f"{name} ({n})" not in names)
        names[k] = f"{name} ({number})"
        kept[names[k]] = k
        notes.append(f"column {name!r} is there more than once: number {number} is called {names[k]!r}")
    frame.columns = pd.Index(names)
    return frame.iloc[:, [k for k in range(len(names)) if k not in left]], notes


def _name(column: Any) -> str:
    if isinstance(column, tuple):
        return " ".join(str(part) for part in column if str(part))
    return "" if column is None or column != column else unquoted(str(column).strip())


def _joined(parts: Sequence[Used]) -> np.ndarray:
    """Return the inputs, shape `(m, d)`; beside a column with missing values stands one that says where."""
    rows, width = len(parts[0].values), sum(part.column.stored for part in parts)
    x, start = np.empty((rows, width)), 0
    for part in parts:
        stop = start + part.column.width
        x[:, start:stop] = part.values
        if part.column.missing:
            x[:, stop] = part.absent
        start += part.column.stored
    return x


def _leak_note(leaks: Sequence[str]) -> str:
    which = f"column {leaks[0]!r}" if len(leaks) == 1 else f"each of {listed([repr(name) for name in leaks], 5)}"
    return (
        f"{which} alone tells the target; if it is not known when one predicts, leave it out: "
        f"--drop {','.join(leaks[:3])!r}"
    )
