"""What was read, in a few lines: rows, inputs, target, and what was left out or filled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from localmixup.lab.data.dataset import Column, DataSet

MOST_NAMES = 6
"""How many columns or classes a line names at most; the page of a command names them all."""

_KINDS = {"number": ("number", "numbers"), "category": ("category", "categories"), "date": ("date", "dates")}


def describe(data: DataSet, *, most: int = MOST_NAMES) -> tuple[str, str, str, str]:
    r"""Return what was read in four lines.

    Args:
        data: as read.
        most: how many columns or classes a line names.

    >>> from localmixup.lab.data.dataset import Column
    >>> y = np.repeat([0, 1], [30, 10])
    >>> columns = (Column("size", "number", 1, 2), Column("colour", "category", 3))
    >>> told = {"class_names": ("cat", "dog"), "columns": columns, "target": "kind"}
    >>> print(*describe(DataSet("pets", "table", np.zeros((40, 5)), y, **told)), sep="\n")
    rows: 40
    inputs: 1 number, 1 category (as 3 inputs), 1 that says where a value is missing
    target: kind, 2 classes (classification): cat 30, dog 10
    left out: nothing; filled: size (2 values)
    """
    return _rows(data), _inputs(data), _target(data, most), _left_out(data, most)


def _rows(data: DataSet) -> str:
    rows = f"rows: {len(data.x) + data.without_target:,}"
    if data.total is not None:
        rows += f", drawn at random from {data.total:,}"
    if data.without_target:
        rows += f", {data.without_target:,} of them left out because they have no target"
    if data.x_test is not None:
        rows += f", and {len(data.x_test):,} test rows"
    return rows


def _inputs(data: DataSet) -> str:
    shape = " x ".join(map(str, data.shape))
    if data.kind == "image":
        channels, height, width = data.shape
        return f"inputs: images of {height} x {width} pixels, {channels} channel{'s' * (channels > 1)}"
    if not data.columns:
        return f"inputs: {shape} numbers"
    parts = [text for kind in _KINDS if (text := _of_kind(kind, [c for c in data.columns if c.kind == kind]))]
    if gaps := sum(bool(column.missing) for column in data.columns):
        parts.append(f"{gaps} that say{'s' * (gaps == 1)} where a value is missing")
    return f"inputs: {', '.join(parts)}"


def _of_kind(kind: str, columns: Sequence[Column]) -> str:
    if not columns:
        return ""
    count, width = len(columns), sum(column.width for column in columns)
    text = f"{count:,} {_KINDS[kind][count > 1]}"
    return text if kind == "number" else f"{text} (as {width:,} inputs)"


def _target(data: DataSet, most: int) -> str:
    name = f"{data.target}, " if data.target else ""
    if data.task == "regression":
        different = len(np.unique(data.y))
        low, high = float(np.min(data.y)), float(np.max(data.y))
        return f"target: {name}a quantity (regression) from {low:.6g} to {high:.6g}, {different:,} different values"
    counts = np.bincount(data.y, minlength=len(data.class_names))
    order = np.argsort(-counts, kind="stable") if len(counts) > most else range(len(counts))
    named = [f"{data.class_names[k]} {counts[k]:,}" for k in order]
    return f"target: {name}{len(counts):,} classes (classification): {shortened(named, most)}"


def _left_out(data: DataSet, most: int) -> str:
    left = [f"{column.name or 'a column without a name'} ({column.why})" for column in data.left_out]
    text = f"left out: {shortened(left, most) or 'nothing'}"
    filled = [f"{c.name} ({c.missing:,} value{'s' * (c.missing > 1)})" for c in data.columns if c.missing]
    if filled:
        return f"{text}; filled: {shortened(filled, most)}"
    return f"{text}; no value is missing" if data.columns else text


def shortened(names: Sequence[str], most: int) -> str:
    """Return names with commas between them; of many the first, and how many more there are.

    >>> shortened(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most:,} more"
