"""Read tables: columns become numbers, and the target becomes classes or a quantity."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from localmixup._optional import require
from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.errors import first_line

TARGET_NAMES = ("target", "label", "class", "y")
"""Names by which the target column is found if the user names none."""

MOST_CLASSES = 20
"""Whole numbers with more different values than this are taken as a quantity."""

MOST_CATEGORIES = 50
"""A text column with more different values than this is refused."""


def read_table(path: Path, *, target: str | None, task: str | None) -> DataSet:
    """Read a `.csv` or `.parquet` table.

    Args:
        path: the file, or a folder of Parquet files.
        target: the column to predict; None if its name is one of `TARGET_NAMES`.
        task: `"classification"` or `"regression"`; None decides by the values of the target.

    Raises:
        ArgumentError: the file cannot be read, or a column or a cell cannot be used; the message names its place.
    """
    table, notes = _read_file(path)
    return dataset_of_table(table, where=str(path), name=path.name, target=target, task=task, notes=notes)


def dataset_of_table(
    table: Any, *, where: str, name: str, target: str | None, task: str | None, notes: Sequence[str] = ()
) -> DataSet:
    """Return a data frame as a data set.

    Args:
        table: a pandas data frame with text as names of the columns. It is not changed.
        where: the file, or another description of where it comes from, for messages.
        name: of the data set.
        target: as for `read_table`.
        task: as for `read_table`.
        notes: what was found while reading.

    Raises:
        ArgumentError: a column or a cell cannot be used; the message names its place.
    """
    columns = list(table.columns)
    chosen = _target_column(where, columns, target)
    _refuse_missing(where, table)
    y, class_names, kind = _target(where, table[chosen], task)
    parts, found = [], [f"target {chosen!r}: {kind}", *notes]
    for column in columns:
        if column != chosen:
            values, note = _column(where, table[column])
            parts.append(values)
            found += [note] if note else []
    x = np.concatenate(parts, axis=1) if parts else np.zeros((len(table), 0))
    return DataSet(name, "table", x, y, class_names=class_names, notes=tuple(found))


def _read_file(path: Path) -> tuple[Any, list[str]]:
    """Return the table as a data frame without a column of row numbers, and notes for the user."""
    import pandas as pd

    if path.suffix.lower() != ".csv":
        require("pyarrow", extra="hub")
    try:
        if path.suffix.lower() == ".csv":
            head = [str(c).strip() for c in pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0] if pd.notna(c)]
            table = pd.read_csv(path, skipinitialspace=True)
        else:
            table = pd.read_parquet(path)
            if any(table.index.names):
                table = table.reset_index()
            head = [str(c) for c in table.columns]
    except Exception as error:
        raise ArgumentError(f"{path}: cannot be read as a table: {first_line(error)}") from None
    if repeated := sorted({name for name in head if head.count(name) > 1}):
        raise ArgumentError(f"{path}: column {repeated[0]!r} is there more than once")
    table.columns = pd.Index([str(c) for c in table.columns])
    if not len(table):
        raise ArgumentError(f"{path}: the table has columns but no rows")
    first = str(table.columns[0])
    if first.startswith("Unnamed") and (table[first].to_numpy() == np.arange(len(table))).all():
        return table.drop(columns=first), ["the first column numbers the rows and is left out"]
    return table, []


def _target_column(where: str, columns: Sequence[str], target: str | None) -> str:
    present = ", ".join(columns)
    if target is None:
        found = [column for column in columns if column.lower() in TARGET_NAMES]
        if len(found) != 1:
            raise ArgumentError(f"{where}: say which column to predict with --target; there are {present}")
        return found[0]
    if target not in columns:
        near = get_close_matches(target, columns, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ArgumentError(f"{where}: --target must be one of {present}, got {target!r}{hint}")
    return target


def _refuse_missing(where: str, table: Any) -> None:
    missing = table.isna().to_numpy()
    if missing.any():
        row, place = (int(i) for i in np.argwhere(missing)[0])
        total = int(missing.sum())
        raise ArgumentError(
            f"{where}: {total} value{'s' * (total > 1)} missing, the first in row {row + 1}, "
            f"column {str(table.columns[place])!r}; fill or drop them first"
        )


def _target(where: str, column: Any, task: str | None) -> tuple[np.ndarray, tuple[str, ...], str]:
    """Return the target as classes or values, the names of the classes, and a description."""
    import pandas as pd

    column = _with_plain_numbers(where, column)
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    distinct = column.nunique()
    whole = bool(numeric and np.isfinite(column.to_numpy(float)).all() and (column.to_numpy(float) % 1 == 0).all())
    classes = task == "classification" or (task is None and (not numeric or (whole and distinct <= MOST_CLASSES)))
    if not classes:
        if not numeric:
            raise ArgumentError(
                f"{where}: --task regression needs numbers in column {column.name!r}, got {column.iloc[0]!r}"
            )
        _refuse_infinity(where, column)
        return column.to_numpy(np.float64), (), f"a quantity (regression), {distinct} different values"
    if distinct > len(column) // 2:
        raise ArgumentError(
            f"{where}: column {column.name!r} cannot be classes: it has {distinct} different values in {len(column)} "
            "rows"
        )
    codes, values = pd.factorize(column, sort=True)
    return codes.astype(np.int64), tuple(str(v) for v in values), f"{distinct} classes (classification)"


def _column(where: str, column: Any) -> tuple[np.ndarray, str | None]:
    """Return one column as numbers, shape `(rows, ...)`, and a note if it was encoded."""
    import pandas as pd

    column = _with_plain_numbers(where, column)
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        _refuse_infinity(where, column)
        return column.to_numpy(np.float64)[:, None], None
    if pd.api.types.is_datetime64_any_dtype(column):
        raise ArgumentError(
            f"{where}: column {column.name!r} holds dates; turn them into numbers or leave the column out"
        )
    text = column.astype(str)
    wrong = pd.to_numeric(text, errors="coerce").isna().to_numpy()
    if 0 < wrong.sum() < len(text) / 2:
        row = int(np.argmax(wrong))
        raise ArgumentError(
            f"{where}: row {row + 1}, column {column.name!r}: {text.iloc[row]!r} is not a number, most others are"
        )
    if column.nunique() > MOST_CATEGORIES:
        raise ArgumentError(
            f"{where}: column {column.name!r} holds text with {column.nunique()} different values "
            f"(at most {MOST_CATEGORIES} are taken as categories); leave it out"
        )
    dummies = pd.get_dummies(text)
    return dummies.to_numpy(np.float64), f"column {column.name!r}: {dummies.shape[1]} categories, one column each"


def _refuse_infinity(where: str, column: Any) -> None:
    infinite = ~np.isfinite(column.to_numpy(float))
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ArgumentError(
            f"{where}: row {row + 1}, column {column.name!r}: {column.iloc[row]} is not a finite number"
        )


def _with_plain_numbers(where: str, column: Any) -> Any:
    """Return a column as floats if it holds numbers that pandas keeps as objects, such as decimals."""
    import pandas as pd

    if column.dtype != object:
        return column
    values = column.to_numpy()
    if any(isinstance(value, (list, tuple, dict, set, np.ndarray)) for value in values[:1000]):
        raise ArgumentError(f"{where}: column {column.name!r} holds lists or structures, not one value per row")
    if any(isinstance(value, (str, bool)) for value in values):
        return column
    numbers = pd.to_numeric(column.astype(str), errors="coerce")
    return column if bool(numbers.isna().any()) else numbers.astype(float).rename(column.name)
