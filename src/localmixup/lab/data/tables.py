"""The user's own tables: columns to numbers, the target to classes or a quantity, each mistake with its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.errors import first_line

_TARGET_NAMES = ("target", "label", "class", "y")
MOST_CLASSES = 20  # a column of whole numbers with more values than this is taken as a quantity
_MOST_CATEGORIES = 50


def read_table(path: Path, *, target: str | None, task: str | None) -> DataSet:
    """Read a `.csv` or `.parquet` table.

    Args:
        path: of the file.
        target: column to predict; None where one column has a name that says so.
        task: overrides what the target column says.

    Raises:
        ArgumentError: a cell, a column or the whole file is not as it should be; with its place.
    """
    import pandas as pd

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
    if twice := sorted({name for name in head if head.count(name) > 1}):
        raise ArgumentError(f"{path}: column {twice[0]!r} is there more than once")
    table.columns = pd.Index([str(c) for c in table.columns])
    notes = []
    first = str(table.columns[0])
    if first.startswith("Unnamed") and len(table) and (table[first].to_numpy() == np.arange(len(table))).all():
        table = table.drop(columns=first)
        notes.append("the first column numbers the rows: left out")
    columns = list(table.columns)
    if not len(table):
        raise ArgumentError(f"{path}: the table has columns but no rows")
    chosen = target or _only_one(_TARGET_NAMES, columns)
    if chosen is None:
        raise ArgumentError(f"{path}: say which column to predict with --target; there are {', '.join(columns)}")
    if chosen not in columns:
        raise ArgumentError(f"{path}: --target {chosen!r} is no column; there are {', '.join(columns)}")
    missing = table.isna()
    if bool(missing.to_numpy().any()):
        row, place = (int(i) for i in np.argwhere(missing.to_numpy())[0])
        total = int(missing.to_numpy().sum())
        raise ArgumentError(
            f"{path}: {total} value{'s' * (total > 1)} missing, the first in row {row + 1}, "
            f"column {columns[place]!r}; fill or drop them first"
        )
    y, names, told = _target(path, table[chosen], task)
    parts, notes = [], [f"target {chosen!r}: {told}", *notes]
    for column in columns:
        if column != chosen:
            values, note = _column(path, table[column])
            parts.append(values)
            notes += [note] if note else []
    x = np.concatenate(parts, axis=1) if parts else np.zeros((len(table), 0))
    return DataSet(path.name, "table", x, y, class_names=names, notes=tuple(notes))


def _target(path: Path, column: Any, task: str | None) -> tuple[np.ndarray, tuple[str, ...], str]:
    import pandas as pd

    column = _plain(path, column)
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    distinct = column.nunique()
    whole = bool(numeric and np.isfinite(column.to_numpy(float)).all() and (column.to_numpy(float) % 1 == 0).all())
    classes = task == "classification" or (task is None and (not numeric or (whole and distinct <= MOST_CLASSES)))
    if not classes:
        if not numeric:
            raise ArgumentError(
                f"{path}: --task regression needs numbers in column {column.name!r}, got {column.iloc[0]!r}"
            )
        _refuse_infinity(path, column)
        return column.to_numpy(np.float64), (), f"a quantity (regression), {distinct} different values"
    if distinct > len(column) // 2:
        raise ArgumentError(
            f"{path}: column {column.name!r} has {distinct} different values in {len(column)} rows: no classes"
        )
    codes, values = pd.factorize(column, sort=True)
    return codes.astype(np.int64), tuple(str(v) for v in values), f"{distinct} classes (classification)"


def _column(path: Path, column: Any) -> tuple[np.ndarray, str | None]:
    """One column as numbers, shape `(rows, ...)`, and what was done to it."""
    import pandas as pd

    column = _plain(path, column)
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        _refuse_infinity(path, column)
        return column.to_numpy(np.float64)[:, None], None
    if pd.api.types.is_datetime64_any_dtype(column):
        raise ArgumentError(
            f"{path}: column {column.name!r} holds dates; turn them into numbers or leave the column out"
        )
    text = column.astype(str)
    numbers = pd.to_numeric(text, errors="coerce")
    wrong = numbers.isna().to_numpy()
    if 0 < wrong.sum() < len(text) / 2:
        row = int(np.argmax(wrong))
        raise ArgumentError(
            f"{path}: row {row + 1}, column {column.name!r}: {text.iloc[row]!r} is no number, most others are"
        )
    if column.nunique() > _MOST_CATEGORIES:
        raise ArgumentError(
            f"{path}: column {column.name!r} holds text with {column.nunique()} different values "
            f"(at most {_MOST_CATEGORIES} are taken as categories); leave it out"
        )
    dummies = pd.get_dummies(text)
    return dummies.to_numpy(np.float64), f"column {column.name!r}: {dummies.shape[1]} categories, one column each"


def _refuse_infinity(path: Path, column: Any) -> None:
    infinite = ~np.isfinite(column.to_numpy(float))
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ArgumentError(f"{path}: row {row + 1}, column {column.name!r}: {column.iloc[row]} is not a finite number")


def _plain(path: Path, column: Any) -> Any:
    """A column whose values are numbers of a kind that pandas keeps as objects (decimals, huge integers) as floats."""
    import pandas as pd

    if column.dtype != object:
        return column
    values = column.to_numpy()
    if any(isinstance(value, (list, tuple, dict, set, np.ndarray)) for value in values[:1000]):
        raise ArgumentError(f"{path}: column {column.name!r} holds lists or structures, not one value a row")
    if any(isinstance(value, (str, bool)) for value in values):
        return column
    numbers = pd.to_numeric(column.astype(str), errors="coerce")
    return column if bool(numbers.isna().any()) else numbers.astype(float).rename(column.name)


def _only_one(names: Sequence[str], there: Sequence[str]) -> str | None:
    found = [column for column in there if column.lower() in names]
    return found[0] if len(found) == 1 else None
