"""Words for missing values, and numbers as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

MISSING_WORDS = frozenset(
    {
        "", "na", "n/a", "n.a.", "n.a", "nan", "-nan", "null", "(null)", "?", "??", "-", "--", "---",
        "\u2013", "\u2014", ".", "..", "...", "*", "#n/a", "#na", "#n/a n/a", "<na>", "#null!", "#div/0!", "#value!",
        "#ref!", "#num!", "#name?", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "nat", "(missing)", "<missing>",
        "n/d", "\\n",
    }
)  # fmt: skip
"""Words that stand for a missing value, in lower case."""

AMONG_NUMBERS = frozenset(
    {
        "none",
        "nil",
        "missing",
        "undefined",
        "not available",
        "not applicable",
        "unknown",
        "unk",
        "nd",
        "n.d.",
        "none given",
        "tbd",
        "void",
        "empty",
        "no data",
        "m",
        "x",
        "/",
        "_",
    }
)
"""Words that stand for a missing value where all other values are numbers; among text they are values like others."""

_MINUS, _APOSTROPHE = "\u2212", "\u2019"
_CURRENCY = r"(?:[$€£¥₹₽₩₺]|USD|EUR|GBP|CHF|JPY|US\$|C\$|A\$|R\$|kr|Rs\.?|zł)"
_UNIT = r"(?:%|‰|°[CF]?|[A-Za-zµμ°Ω]{1,4}[²³23]?(?:/[A-Za-z]{1,3}[²³23]?)?)"
_SPACES = " \u00a0\u202f\u2009"
_DIGITS = rf"[+\-]?(?:\d[\d.,'{_APOSTROPHE}{_SPACES}]*|[.,]\d+)(?:[eE][+\-]?\d+)?"
_WRITTEN = re.compile(
    rf"(?P<sign>[+\-]?)\s*(?P<before>{_CURRENCY}?)\s*(?P<number>{_DIGITS}?)(?P<gap>\s*)(?P<after>{_CURRENCY}|{_UNIT})?"
)
_PLAIN = re.compile(r"[+\-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+\-]?\d+)?")
_THOUSANDS = re.compile(rf"\d{{1,3}}(?:([.,'{_APOSTROPHE}{_SPACES}])\d{{3}})(?:\1\d{{3}})*")


def unquoted(text: str) -> str:
    """Return a text without single quotes around it; double ones are taken off when a file is read.

    >>> unquoted("'40-49'"), unquoted("'"), unquoted("rock 'n' roll")
    ('40-49', "'", "rock 'n' roll")
    """
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] == "'" else text


def is_missing(text: str) -> bool:
    """Return whether a text stands for a missing value.

    >>> is_missing(" N/A "), is_missing("nobody")
    (True, False)
    """
    return text.strip().lower() in MISSING_WORDS


def is_number(text: str) -> bool:
    """Return whether a text is a number in any of the usual spellings.

    >>> [is_number(text) for text in ("1,5", "$3", "7 %", "1e-3", "2020-01-01", "a1", "inf")]
    [True, True, True, True, False, False, False]
    """
    return _written(text) is not None


def _written(text: str) -> re.Match[str] | None:
    match = _WRITTEN.fullmatch(unquoted(text.strip()).replace(_MINUS, "-"))
    return match if match and _is_sound(match["number"]) and _may_follow(match["gap"], match["after"] or "") else None


def _is_sound(number: str) -> bool:
    """Return whether separators stand where they can in a number: dates and versions do not pass."""
    number = re.split("[eE]", number.lstrip("+-"))[0].strip(_SPACES)
    marks = [c for c in number if not c.isdigit()]
    if len(marks) < 2:
        return True
    whole, decimal = number, ""
    if marks[-1] in ".," and marks.count(marks[-1]) == 1:
        whole, _, decimal = number.rpartition(marks[-1])
    return bool(_THOUSANDS.fullmatch(whole)) and (not decimal or decimal.isdigit())


class Spelling(NamedTuple):
    """How the numbers of a column are written.

    Attributes:
        decimal: `"."` or `","`.
        thousands: what groups digits, or "".
        words: what stands before and after the numbers, such as `"$"` or `"%"`.
    """

    decimal: str
    thousands: str
    words: tuple[str, ...]


def decimal_mark(texts: Iterable[str]) -> str | None:
    """Return the decimal mark that some texts show beyond doubt, or None.

    `1,5` and `1.234,5` show a comma, `1.5` and `1,234.5` a point; `1,234` shows nothing.

    >>> decimal_mark(["1,5", "2"]), decimal_mark(["1,024"]), decimal_mark(["a", "0.5"])
    (',', None, '.')
    """
    found = {"point": 0, "comma": 0}
    for text in texts:
        match = _written(text)
        if match is None:
            continue
        number = re.split("[eE]", match["number"].lstrip("+-"))[0]
        commas, points = number.count(","), number.count(".")
        if commas and points:
            found["comma" if number.rfind(",") > number.rfind(".") else "point"] += 1
        elif commas == 1 and not re.fullmatch(r"[1-9]\d{0,2},\d{3}", number):
            found["comma"] += 1
        elif points == 1 and not re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", number):
            found["point"] += 1
    if found["comma"] == found["point"] == 0:
        return None
    return "," if found["comma"] > found["point"] else "."


def spelling_of(texts: Iterable[str], decimal: str | None) -> Spelling | None:
    """Return how the numbers among some texts are written, or None if hardly any is a number.

    Args:
        texts: different values of a column.
        decimal: the decimal mark of the file, where it is known; the column itself goes first.
    """
    texts = list(texts)
    matches = [match for text in texts if (match := _written(text))]
    if len(matches) < 0.5 * max(1, len(texts)):
        return None
    before = {match["before"] for match in matches}
    units = {match["after"] or "" for match in matches} - {""}
    if len(units) > 1 or len(before - {""}) > 1:
        return None
    mark = decimal_mark(texts) or decimal or "."
    marks = {c for match in matches for c in match["number"].strip(_SPACES) if not c.isdigit() and c not in "+-eE"}
    other = "".join(sorted(marks - {mark}))
    return Spelling(mark, other, tuple(sorted((before | units) - {""})))


def _may_follow(gap: str, unit: str) -> bool:
    """Return whether letters after a number can be a unit: in `3B` or `10th` they are not."""
    return not unit or bool(gap) or unit in _UNITS or not unit[0].isalpha()


_UNITS = frozenset(
    [
        "kg",
        "g",
        "mg",
        "lb",
        "lbs",
        "oz",
        "t",
        "km",
        "m",
        "cm",
        "mm",
        "nm",
        "µm",
        "μm",
        "mi",
        "ft",
        "in",
        "yd",
        "h",
        "min",
        "s",
        "ms",
        "us",
        "hr",
        "hrs",
        "sec",
        "l",
        "ml",
        "dl",
        "kW",
        "W",
        "kWh",
        "V",
        "mV",
        "A",
        "mA",
        "Hz",
        "kHz",
        "MHz",
        "GHz",
        "K",
        "C",
        "F",
        "Pa",
        "kPa",
        "bar",
        "psi",
        "J",
        "kJ",
        "cal",
        "kcal",
        "cc",
        "hp",
        "bhp",
        "km/h",
        "mph",
        "kmpl",
        "CC",
        "kr",
        "EUR",
        "USD",
        "GBP",
        "CHF",
        "JPY",
        "GB",
        "MB",
        "KB",
        "TB",
        "px",
        "pt",
        "m2",
        "m3",
        "m²",
        "m³",
        "cm2",
        "cm3",
        "ha",
        "mol",
        "mM",
    ]
)


def as_numbers(texts: Any, spelling: Spelling) -> Any:
    """Return a column of text as numbers; what is not a number becomes NaN.

    Args:
        texts: a pandas series of text.
        spelling: from `spelling_of`.
    """
    import pandas as pd

    plain = texts.str.strip().str.replace(_MINUS, "-")
    for word in spelling.words:
        plain = plain.str.replace(word, "", regex=False)
    for mark in spelling.thousands:
        plain = plain.str.replace(mark, "", regex=False)
    plain = plain.str.replace(" ", "", regex=False)
    if spelling.decimal == ",":
        plain = plain.str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(plain, errors="coerce").astype(np.float64)
    return numbers.where(plain.str.fullmatch(_PLAIN.pattern).fillna(False).astype(bool))
