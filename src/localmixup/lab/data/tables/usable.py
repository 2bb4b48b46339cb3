"""Which columns of a table are used as inputs, and as what."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import Column
from localmixup.lab.data.tables.columns import DIFFERENT, FREQUENT, MOST_CATEGORIES, Understood

_NAMES_OF_ROWS = {
    "", "id", "ids", "index", "idx", "rowname", "rownames", "rownumber", "rownum", "rowid", "row", "rows", "no", "nr",
    "num", "number", "obs", "observation", "serial", "serialno", "serialnumber", "sno", "slno", "srno", "uid", "uuid",
    "guid", "key", "recordid", "record", "case", "caseno", "sample", "sampleid", "sampleno", "level0",
}  # fmt: skip
COVERED = 0.2
"""Share of the rows that the frequent categories of a text column must have for it to be used."""

_FEW = 10  # so many rows tell nothing about whether a column names them


class Used(NamedTuple):
    """The part of the inputs that a column becomes.

    Attributes:
        values: shape `(rows, width)`, with NaN where a value is missing.
        absent: which rows have no value, shape `(rows,)`.
        column: its description.
    """

    values: np.ndarray
    absent: np.ndarray
    column: Column


def why_left_out(name: str, found: Understood) -> str:
    """Return why a column is not used as an input, or "" if it is.

    Args:
        name: of the column.
        found: what it holds.
    """
    rows = len(found.missing)
    if found.kind == "empty" or found.missing.all():
        return "no values"
    there = ~found.missing
    if found.distinct == 1 and there.all():
        return "the same value in every row"
    if found.kind == "date" and found.values.shape[1] == 0:
        return "the same date in every row"
    if rows < _FEW or not there.all():
        different = found.distinct > DIFFERENT * there.sum() and there.sum() > _FEW
        return "text, nearly every value is different" if found.kind == "category" and different else ""
    return _names_rows(name, found, rows)


def _names_rows(name: str, found: Understood, rows: int) -> str:
    """Return why a column without missing values only names the rows, or ""."""
    simple = re.sub(r"[^a-z0-9]", "", re.sub(r"\.\d+$", "", name.lower()))
    like_a_name = simple in _NAMES_OF_ROWS or simple.startswith("unnamed") or bool(
        re.search(r"(_| |-|\.)id$", name.lower()) or re.search(r"[a-z](ID|Id)$", name)
    )  # fmt: skip
    if found.kind == "category":
        if found.distinct > DIFFERENT * rows or (like_a_name and found.distinct == rows):
            return "text, nearly every value is different"
        return ""
    if found.kind != "number":
        return ""
    values = found.values[:, 0]
    if values[0] in (0, 1) and np.array_equal(values, np.arange(rows) + values[0]):
        return "numbers the rows"
    whole = bool(np.isfinite(values).all() and (values % 1 == 0).all())
    if like_a_name and whole and found.distinct == rows:
        return "a different whole number in every row: an identifier"
    return ""


def use(where: str, name: str, found: Understood, kept: np.ndarray) -> tuple[Used | None, str, list[str]]:
    """Return the inputs that a column becomes, or why it becomes none, and notes.

    Args:
        where: the file, for messages.
        name: of the column.
        found: what it holds.
        kept: the rows that are kept.

    Raises:
        ArgumentError: a number is infinite.
    """
    if why := why_left_out(name, found):
        return None, why, []
    found = found.rows(kept)
    if found.missing.all():
        return None, "no values where there is a target", []
    missing = int(found.missing.sum())
    if found.kind == "number":
        _refuse_infinity(where, name, found.values[:, 0])
        if found.distinct == 1:  # only whether it is there can tell anything
            return _only_whether(found, Column(name, "number", 0, missing))
        return Used(found.values, found.missing, Column(name, "number", 1, missing)), "", []
    if found.kind == "date":
        note = f"column {name!r}: dates, as {', '.join(found.labels)}"
        return (
            Used(found.values, found.missing, Column(name, "date", found.values.shape[1], missing, found.labels)),
            "",
            [note],
        )
    return _one_hot(name, found, missing)


def _one_hot(name: str, found: Understood, missing: int) -> tuple[Used | None, str, list[str]]:
    codes = np.where(found.missing, -1, found.values[:, 0]).astype(np.int64)
    labels, notes = list(found.labels), []
    if len(labels) > MOST_CATEGORIES:
        counts = np.bincount(codes[codes >= 0], minlength=len(labels))
        frequent = np.argsort(-counts, kind="stable")[: MOST_CATEGORIES - 1]
        frequent = np.sort(frequent[counts[frequent] >= max(5, FREQUENT * len(codes))])
        if len(frequent) < 2 or counts[frequent].sum() < COVERED * counts.sum():
            return None, f"text with {len(labels)} different values, hardly one of them frequent", []
        place = np.full(len(labels) + 1, len(frequent))
        place[frequent], place[-1] = np.arange(len(frequent)), -1
        notes.append(
            f"column {name!r}: text with {len(labels)} different values; the {len(frequent)} frequent ones are "
            "categories, all others are one more"
        )
        codes, labels = place[codes], [*(labels[k] for k in frequent), "all others"]
    if len(labels) == 1:
        return _only_whether(found, Column(name, "category", 0, missing, tuple(labels)))
    values = np.zeros((len(codes), len(labels)))
    values[np.arange(len(codes)), codes] = 1.0
    values[found.missing] = np.nan
    return Used(values, found.missing, Column(name, "category", len(labels), missing, tuple(labels))), "", notes


def _only_whether(found: Understood, column: Column) -> tuple[Used | None, str, list[str]]:
    """Return a column with one value only: whether it is there is all that it can tell."""
    if not column.missing:
        return None, "the same value in every row with a target", []
    return Used(np.zeros((len(found.missing), 0)), found.missing, column), "", []


def _refuse_infinity(where: str, name: str, values: np.ndarray) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ArgumentError(
            f"{where}: row {row + 1}, column {name!r}: {values[row]} is not a finite number; mend it, or leave the "
            "column out with --drop"
        )
