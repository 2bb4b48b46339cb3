"""Turn one column of a table into numbers: what it holds, and what it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.tables.dates import date_parts, read_dates, read_times
from localmixup.lab.data.tables.words import AMONG_NUMBERS, MISSING_WORDS, as_numbers, spelling_of, unquoted

MOST_CATEGORIES = 50
"""Of a text column with more different values, only the frequent ones become categories."""

FREQUENT = 0.01
"""Share of the rows that a category of such a column must have."""

DIFFERENT = 0.9
"""Where a larger share of the values of a text column is different from all others, it names the rows."""

ODD = 0.05
"""A column in which fewer values than this are no numbers holds numbers with mistakes."""


@dataclass
class Understood:
    """What a column holds.

    Attributes:
        kind: `"number"`, `"category"`, `"date"`, `"text"` for what cannot be used, or `"empty"`.
        values: numbers of shape `(rows, parts)` with NaN where a value is missing; codes from 0 of a category.
        labels: of a category, or of the parts of a date.
        missing: which rows have no value, shape `(rows,)`.
        notes: for the user.
        why: of a column that cannot be used, in words.
    """

    kind: str
    values: np.ndarray
    missing: np.ndarray
    labels: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    why: str = ""

    @cached_property
    def distinct(self) -> int:
        """Number of different values."""
        if self.kind == "category":
            return len(self.labels)
        some = self.values[~self.missing]
        return len(np.unique(some if some.shape[1] != 1 else some[:, 0], axis=0)) if some.size else 0

    def rows(self, kept: np.ndarray) -> Understood:
        """Return the same for some of the rows.

        Args:
            kept: their numbers.
        """
        if len(kept) == len(self.missing):
            return self
        return replace(self, values=self.values[kept], missing=self.missing[kept])


def understand(where: str, name: str, column: Any, decimal: str | None = None) -> Understood:
    """Find out what a column holds.

    Args:
        where: the file, for messages.
        name: of the column.
        column: a pandas series.
        decimal: the decimal mark of the file, if it is known.

    Raises:
        ArgumentError: it holds lists, or numbers with a few values that are none.
    """
    import pandas as pd

    column = _plain(where, name, column)
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
        return Understood("number", values[:, None], np.isnan(values))
    if pd.api.types.is_datetime64_any_dtype(column):
        return _dates(column)
    if pd.api.types.is_timedelta64_dtype(column):
        values = column.dt.total_seconds().to_numpy(np.float64)
        return Understood("number", values[:, None], np.isnan(values))
    return _of_text(where, name, column, decimal)


def _plain(where: str, name: str, column: Any) -> Any:
    """Return a column of objects or categories as numbers, dates or text."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if isinstance(column.dtype, pd.PeriodDtype):
        return column.dt.to_timestamp()
    if column.dtype != object:
        return column
    there = column.dropna()
    if any(isinstance(value, (list, tuple, dict, set, np.ndarray)) for value in there.head(1000)):
        raise ArgumentError(
            f"{where}: column {name!r} holds lists or structures, not one value per row; leave it out with --drop"
        )
    if any(isinstance(value, bytes) for value in there.head(1000)):
        return column.map(lambda v: v.decode("utf-8", "replace") if isinstance(v, bytes) else v)
    kinds = {type(value) for value in there.head(100_000)}
    if kinds <= {str}:
        return column
    if kinds and not kinds & {str, bool}:
        inferred = pd.to_numeric(column, errors="coerce")
        if inferred.notna().sum() == len(there):
            return inferred.astype(np.float64)
        dates = pd.to_datetime(column, errors="coerce")
        if dates.notna().sum() == len(there):
            return dates
    return column.map(_as_text, na_action="ignore")


def _as_text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _dates(column: Any) -> Understood:
    values, names = date_parts(column)
    return Understood("date", values, column.isna().to_numpy(), tuple(names))


def _of_text(where: str, name: str, column: Any, decimal: str | None) -> Understood:
    import pandas as pd

    codes, spelled = pd.factorize(column.astype(object))
    texts = pd.Series([unquoted(str(text).strip()) for text in spelled], dtype=object)
    absent = texts.str.lower().isin(MISSING_WORDS).to_numpy(bool)
    there = texts[~absent]
    if not len(there):
        return Understood("empty", np.zeros((len(column), 0)), np.ones(len(column), bool), why="no values")

    def spread(values: np.ndarray) -> np.ndarray:
        """Give each row the value of its text."""
        table = np.append(values, np.nan)
        return np.asarray(table[codes])

    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    if (spelling := spelling_of(there.head(2000), decimal)) is not None:
        numbers = as_numbers(texts.where(~absent), spelling)
        odd = numbers.isna().to_numpy() & ~absent & ~texts.str.lower().isin(AMONG_NUMBERS).to_numpy(bool)
        share = counts[odd].sum() / max(1, counts[~absent].sum())
        if 0 < share < ODD:
            row = int(np.flatnonzero(np.isin(codes, np.flatnonzero(odd)))[0])
            raise ArgumentError(
                f"{where}: row {row + 1}, column {name!r}: {texts[codes[row]]!r} is not a number, most others are; "
                f"mend it, or leave the column out with --drop"
            )
        if share == 0:
            values = spread(numbers.to_numpy(np.float64))
            found = Understood("number", values[:, None], np.isnan(values))
            if note := _spelling_note(name, spelling):
                found.notes.append(note)
            return found
    rows = texts.where(~absent)
    if (dates := read_dates(rows)) is not None:
        values, parts = date_parts(dates)
        values = np.vstack([values, np.full((1, values.shape[1]), np.nan)])[codes]
        lost = np.append(dates.isna().to_numpy(), True)[codes]
        return Understood("date", values, lost, tuple(parts))
    if (seconds := read_times(rows)) is not None:
        values = spread(seconds)
        return Understood("number", values[:, None], np.isnan(values), notes=[f"column {name!r}: times in seconds"])
    return _categories(name, texts, absent, codes, counts)


def _spelling_note(name: str, spelling: Any) -> str:
    if not spelling.words and not spelling.thousands and spelling.decimal == ".":
        return ""
    parts = [f"decimal mark {spelling.decimal!r}"] if spelling.decimal == "," else []
    if spelling.thousands:
        parts.append(f"thousands marked by {spelling.thousands!r}")
    parts += [f"without {word!r}" for word in spelling.words]
    return f"column {name!r} is read as numbers: {', '.join(parts)}"


def _categories(name: str, texts: Any, absent: np.ndarray, codes: np.ndarray, counts: np.ndarray) -> Understood:
    """Return text as categories, which do not differ by case alone."""
    import pandas as pd

    order = np.argsort(-counts, kind="stable")
    spelled: dict[str, str] = {}
    for k in order:  # the most frequent spelling stands for all
        if not absent[k]:
            spelled.setdefault(" ".join(str(texts[k]).casefold().split()), str(texts[k]))
    joined = [None if absent[k] else spelled[" ".join(str(t).casefold().split())] for k, t in enumerate(texts)]
    labels = sorted(spelled.values())
    place = {label: k for k, label in enumerate(labels)}
    of_text = np.array([-1 if label is None else place[label] for label in joined] + [-1])
    found = Understood("category", of_text[codes].astype(np.float64)[:, None], of_text[codes] < 0, tuple(labels))
    found.values[found.missing] = np.nan
    variants = pd.Series(joined)[~absent]
    if len(set(texts[~absent])) > len(labels):
        several = variants[variants.duplicated(keep=False)].unique()
        shown = sorted({str(t) for t, label in zip(texts, joined, strict=True) if label in several[:3] and t != label})
        found.notes.append(
            f"column {name!r}: values that differ by case or blanks alone are taken as one: "
            f"{', '.join(map(repr, shown[:4]))} as {', '.join(map(repr, several[:3]))}"
        )
    return found
