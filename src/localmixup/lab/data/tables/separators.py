"""Find what separates the values of a line, and split lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from localmixup._validate import ArgumentError

BLANKS = r"\s+"
"""The separator of values with one or more blanks between them, as pandas takes it."""

NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", ":": "colons", BLANKS: "blanks"}
"""Separators in words."""

_TYPED = {
    "tab": "\t", "\\t": "\t", "tabs": "\t", "blank": BLANKS, "blanks": BLANKS, "space": BLANKS, "spaces": BLANKS,
    " ": BLANKS, "\\s+": BLANKS, "comma": ",", "semicolon": ";", "pipe": "|", "colon": ":",
}  # fmt: skip
_SNIFFED_LINES = 100
_CANDIDATES = [",", ";", "\t", "|", " ", ":", "^", "~"]


def typed_separator(text: str) -> str:
    r"""Return the separator that a user typed.

    Args:
        text: one character, or a name such as `"tab"`.

    Raises:
        ArgumentError: it is neither.

    >>> typed_separator("tab"), typed_separator(";"), typed_separator("blanks")
    ('\t', ';', '\\s+')
    """
    found = _TYPED.get(text.lower(), text)
    if found != BLANKS and (len(found) != 1 or found.isalnum() or found in '"\r\n.+-'):
        raise ArgumentError(f"--sep must be one character such as ; or |, or tab or blanks, got {text!r}")
    return found


def find_separator(lines: Sequence[str]) -> str:
    """Return the separator of some lines; a comma if there is only one value in each.

    Args:
        lines: of the table, with remarks before it.
    """
    import clevercsv

    lines = [line for line in lines if line.strip()]
    if match := re.fullmatch(r"sep=(.)\s*", lines[0] if lines else ""):
        return BLANKS if match[1] == " " else str(match[1])
    table = [line for line in lines if not line.lstrip().startswith(("#", "//"))] or lines
    middle = max(0, min(20, len(table) - 20))  # titles stand at the top
    some = "\n".join(table[middle : middle + _SNIFFED_LINES])
    try:
        found = str(clevercsv.Sniffer().sniff(some, delimiters=_CANDIDATES).delimiter)
    except clevercsv.Error:
        found = ""
    if found not in ("", " ") and _is_regular(table, found):
        return found
    # values that are aligned by blanks look irregular to a sniffer
    for candidate in (",", ";", "\t", "|", BLANKS, ":"):
        if _is_regular(table, candidate):
            return candidate
    return {"": ",", " ": BLANKS}.get(found, found)


def _is_regular(lines: Sequence[str], sep: str) -> bool:
    """Return whether most lines have the same number of values, more than one."""
    counts = Counter(len(row) for _, row in split(lines, sep) if row)
    if not counts:
        return False
    width, often = counts.most_common(1)[0]
    return width > 1 and often >= 0.9 * (sum(counts.values()) - 20) and often > sum(counts.values()) / 2


def split(lines: Iterable[str], sep: str) -> Iterator[tuple[int, list[str]]]:
    """Split lines into values without blanks around them.

    Args:
        lines: with or without their ends.
        sep: one character, or `BLANKS`.

    Yields:
        For each row the number of the line on which it begins, counted from 0, and its values; of an empty line none.
    """
    plain = (line.rstrip("\r\n") for line in lines)
    if sep == BLANKS:
        plain = (line.replace("\t", " ").strip() for line in plain)
    rows = csv.reader(
        (line + "\n" for line in plain), delimiter=" " if sep == BLANKS else sep, skipinitialspace=True, strict=False
    )
    begin = 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:  # a quote that is never closed
            begin = rows.line_num
            continue
        values = [value.strip() for value in row]
        yield begin, values if any(values) or len(values) > 1 else []
        begin = rows.line_num
