"""The first table of the report: what the paper claims, its number, ours, and a verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean
from typing import NamedTuple

from localmixup.lab.analysis.statistics import Difference
from localmixup.lab.analysis.table import Row
from localmixup.lab.analysis.wording import effect, signed
from localmixup.lab.paper.protocols import SCALES
from localmixup.lab.paper.section import Answer, PaperTable, Section

CLAIM_HEAD = ("item", "claim", "paper", "ours (95 %)", "verdict")
"""Column names of the table."""

_PROTOCOLS = ("controlled", "paper", "published")  # the most telling one first
NO_VERDICT = "none at scale smoke"
"""The verdict of runs that only show whether everything works."""
_SCALES = ("full", "gpu", "cpu", "smoke")


class Contrast(NamedTuple):
    """A claim about the errors of two arms.

    Attributes:
        one: picks the first row among those of a table; None if it is not there.
        other: label of the row that it is compared with.
        sign: what the paper says about the difference: -1 if the first has a lower error, 1 if a higher one.
        words: the claim, without the data.
    """

    one: Callable[[PaperTable], Row | None]
    other: str
    sign: int
    words: str


def _labelled(label: str) -> Callable[[PaperTable], Row | None]:
    return lambda part: part.table.row(label)


def _best(prefix: str) -> Callable[[PaperTable], Row | None]:
    """Pick the row that the paper's value stands beside, or else the one that was chosen on the validation split."""

    def pick(part: PaperTable) -> Row | None:
        rows = [r for r in part.table.rows if r.label.startswith(prefix) and not r.control_of and "sum(" not in r.label]
        stated = [row for row in rows if row.label in part.reported]
        return min(stated or rows, key=_chosen_by, default=None)

    return pick


def _chosen_by(row: Row) -> float:
    known = [value for value in row.validation_errors if not math.isnan(value)]
    return fmean(known) if known else row.error.mean


_LOCAL = _best("local mixup")
CONTRASTS: dict[str, tuple[Contrast, ...]] = {
    "figure4": (
        Contrast(_best("radius"), "mixup", -1, "the best radius is better than mixup"),
        Contrast(_best("radius"), "vanilla", -1, "the best radius is better than vanilla training"),
        Contrast(_labelled("mixup"), "vanilla", -1, "mixup is better than vanilla training"),
    ),
    "table1": (
        Contrast(_LOCAL, "mixup", -1, "Local Mixup is better than mixup"),
        Contrast(_LOCAL, "vanilla", -1, "Local Mixup is better than vanilla training"),
    ),
    "table2": (Contrast(_LOCAL, "mixup", -1, "Local Mixup is better than mixup under noise"),),
    "adamixup": (Contrast(_LOCAL, "AdaMixUp", -1, "Local Mixup is better than AdaMixUp"),),
    "figure6": (Contrast(_LOCAL, "AdaMixUp", 1, "AdaMixUp is better in the end"),),
    "classes": (
        Contrast(_labelled("within classes"), "mixup", 1, "mixing within classes only is worse than mixup"),
        Contrast(_labelled("between classes"), "mixup", 1, "mixing between classes only is worse than mixup"),
    ),
    "table3": tuple(
        Contrast(_labelled(f"batch, K = {k}"), "vanilla", 1, f"K = {k} in the batch is worse than vanilla training")
        for k in (1, 5, 10)
    ),
    "figure7": (Contrast(_labelled("decay 0.001"), "mixup", -1, "a decay of 1e-3 is better than mixup"),),
}  # fmt: skip
"""The claims about errors, by the name of the item."""


def claims(sections: Sequence[Section]) -> list[list[str]]:
    """Return the rows of the first table, with the columns of `CLAIM_HEAD`.

    Of each item its most telling protocol is taken, at the largest scale that was run; see `most_telling`.

    Args:
        sections: of the report.
    """
    return [
        [section.item, answer.claim, answer.paper, answer.ours, answer.verdict]
        for section in sections
        for answer in (*section.answers, *_compared(section))
    ]


def _compared(section: Section) -> Iterator[Answer]:
    stated_only = section.item == "table2"  # the paper has no more corruptions than these
    parts = most_telling(section.tables)
    names = Counter(_data(part.title) for part in parts)
    for contrast in CONTRASTS.get(section.item, ()):
        for part in parts:
            row = contrast.one(part)
            if row is not None and (part.reported or not stated_only):
                name = _data(part.title)
                yield _answer(contrast, part, row, part.title if names[name] > 1 else name)


def most_telling(tables: Sequence[PaperTable]) -> list[PaperTable]:
    """Return the tables of the most telling protocol that was run, for each data set those at the largest scale.

    Those of the protocol "paper" follow for networks of full size that the most telling one was not run with.
    """
    present = [name for name in _PROTOCOLS if any(table.protocol == name for table in tables)]
    mine = [table for table in tables if table.protocol == present[0]] if present else []
    large = [table for table in tables if table.protocol == "paper" and SCALES[table.scale].large]
    best: dict[str, PaperTable] = {}
    for some in (mine, large):
        for table in sorted(some, key=lambda table: _SCALES.index(table.scale)):
            best.setdefault(table.title, table)
    return list(best.values())


def _answer(contrast: Contrast, part: PaperTable, row: Row, data: str) -> Answer:
    difference, unit = row.differences.get(contrast.other), "" if part.table.unit == "%" else f" {part.table.unit}"
    stated, other = part.reported.get(row.label), part.reported.get(contrast.other)
    if stated and other:
        paper = f"{signed(stated.mean - other.mean)} points"
    else:
        paper = "lower" if contrast.sign < 0 else "higher"
    size = "" if part.full else "; not at full size"
    claim = f"{contrast.words}: {data}"
    told = NO_VERDICT if part.scale == "smoke" else verdict(difference, contrast.sign) + size
    return Answer(claim, paper, _ours(difference, part.table.decimals, unit), told)


def _data(title: str) -> str:
    """The data and what was done to them, without the model."""
    data, _, rest = title.partition(", ")
    return ", ".join([data, *rest.split(", ")[1:]])


def _ours(difference: Difference | None, decimals: int, unit: str) -> str:
    if difference is None:
        return "not compared"
    low, high = signed(difference.low, decimals), signed(difference.high, decimals)
    spread = "" if math.isnan(difference.low) else f" ({low} to {high})"
    return f"{signed(difference.mean, decimals)}{unit or ' points'}{spread}"


def verdict(difference: Difference | None, sign: int) -> str:
    """Return whether a claim about a difference holds.

    Args:
        difference: ours, its p-value corrected.
        sign: of the claimed difference.

    >>> verdict(Difference(-1.0, -1.5, -0.5, 0.0001), -1), verdict(Difference(-1.0, -1.5, -0.5, 0.0001), 1)
    ('holds', 'the opposite holds')
    >>> verdict(Difference(-1.0, -3.0, 1.0, 0.3), -1)
    'not shown'
    """
    shown = effect(difference)
    return "not shown" if not shown else "holds" if shown == sign else "the opposite holds"
