"""The target of a table: which column it is, and whether it holds classes or a quantity."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.tables.columns import Understood

TARGET_NAMES = ("target", "label", "class", "y")
"""Names by which the target column is found if the user names none."""

MOST_CLASSES = 20
"""Whole numbers with more different values than this are taken as a quantity."""


class Target(NamedTuple):
    """The target of the rows that have one.

    Attributes:
        y: classes as int64, or values as float64, shape `(m,)`.
        class_names: empty for a quantity.
    """

    y: np.ndarray
    class_names: tuple[str, ...]


def target_column(where: str, columns: Sequence[str], target: str | None) -> str:
    """Return the name of the column to predict.

    Args:
        where: the file, for messages.
        columns: all names.
        target: what the user says, or None.

    Raises:
        ArgumentError: it is no column, or no column has one of the names in `TARGET_NAMES`.
    """
    if target is None:
        found = [column for column in columns if column.strip().lower() in TARGET_NAMES]
        if len(found) != 1:
            raise ArgumentError(
                f"{where}: say which column to predict with --target; there are {listed([c for c in columns if c])}"
            )
        return found[0]
    return known_column(where, "--target", columns, target)


def known_column(where: str, option: str, columns: Sequence[str], name: str) -> str:
    """Return the name of a column as the table spells it.

    Raises:
        ArgumentError: there is no such column; the message suggests the nearest one.
    """
    if name in columns:
        return name
    stripped = [column for column in columns if column.strip() == name.strip()]
    if len(stripped) == 1:
        return stripped[0]
    lower = {column.lower(): column for column in columns if column}
    near = get_close_matches(name.lower(), lower, n=1)
    hint = f"; did you mean {lower[near[0]]!r}?" if near else ""
    raise ArgumentError(f"{where}: {option} must be one of {listed([c for c in columns if c])}, got {name!r}{hint}")


def listed(names: Sequence[str], most: int = 30) -> str:
    """Return names with commas between them; of many the first and the last, which in a table often is the target."""
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, {len(names) - most} more, and {names[-1]}"


def understand_target(where: str, name: str, found: Understood, task: str | None) -> Target:
    """Return the target as classes or as a quantity.

    Args:
        where: the file, for messages.
        name: of the column.
        found: what it holds; no value is missing.
        task: `"classification"`, `"regression"`, or None, where the values decide.

    Raises:
        ArgumentError: the values do not suit the task.
    """
    rows = len(found.missing)
    if found.kind == "date":
        raise ArgumentError(f"{where}: column {name!r} holds dates, which cannot be predicted; choose another --target")
    numeric = found.kind == "number"
    values = found.values[:, 0]
    whole = numeric and bool(np.isfinite(values).all() and (values % 1 == 0).all())
    if task == "classification" or (task is None and (not numeric or (whole and found.distinct <= MOST_CLASSES))):
        if found.distinct > rows // 2:
            raise ArgumentError(
                f"{where}: column {name!r} cannot be classes: it has {found.distinct} different values in {rows} rows"
            )
        distinct, y = np.unique(values, return_inverse=True)
        names = [found.labels[int(v)] for v in distinct] if not numeric else [_spelled(v) for v in distinct]
        return Target(y.astype(np.int64), tuple(names))
    if not numeric:
        raise ArgumentError(f"{where}: --task regression needs numbers in column {name!r}, got {_example(found)!r}")
    infinite = ~np.isfinite(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ArgumentError(f"{where}: row {row + 1}, column {name!r}: {values[row]} is not a finite number")
    return Target(values, ())


def _spelled(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else str(value)


def _example(found: Understood) -> str:
    return found.labels[int(found.values[0, 0])] if found.labels else ""
