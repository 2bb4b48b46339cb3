"""What the report says about one item: tables beside the paper's numbers, figures and sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from localmixup.lab.analysis.statistics import Mean
from localmixup.lab.analysis.table import Row, Table
from localmixup.lab.analysis.wording import ESS, difference_cell, error_text
from localmixup.lab.report.figure import Figure

HEAD = (
    "", "parameters", "paper", "ours (95 %)", "runs", "agreement", "paired differences (p after Holm)", "mixed", ESS,
)  # fmt: skip


class Reported(NamedTuple):
    """A value that the paper prints, and the half-width of its 95 % interval; NaN if it prints none."""

    mean: float
    half: float = math.nan


class PaperTable(NamedTuple):
    """A table beside the numbers that the paper prints.

    Attributes:
        title: data and model.
        protocol: a key of `PROTOCOLS`.
        scale: a key of `SCALES`.
        size: in words, whether this is full size.
        setting: in words, how the arms were trained.
        table: our numbers.
        reported: the paper's numbers, by the label of the row.
        full: whether this is full size, so that errors can be compared with the paper's.
        notes: what one has to know to read it.
    """

    title: str
    protocol: str
    scale: str
    size: str
    setting: str
    table: Table
    reported: Mapping[str, Reported]
    full: bool
    notes: Sequence[str]

    @property
    def heading(self) -> str:
        """What was run and how; above all, whether it is full size."""
        return f"({self.protocol}, {self.size}; {self.setting}), {self.table.unit}"

    def cells(self) -> list[list[str]]:
        """The rows as text, with the columns of `HEAD`."""
        return [self._cells(row) for row in self.table.rows]

    def _cells(self, row: Row) -> list[str]:
        decimals, stated = self.table.decimals, self.reported.get(row.label)
        differences = (f"{other} {difference_cell(d, decimals)}" for other, d in row.differences.items())
        runs = len(row.errors)
        return [
            row.marked_label,
            row.chosen,
            "" if stated is None else f"{stated.mean:g}" + ("" if math.isnan(stated.half) else f" ± {stated.half:g}"),
            error_text(row.error, decimals),
            f"{runs:,}" if runs == row.wanted else f"{runs:,} of {row.wanted:,}",
            "" if stated is None else agreement(stated, row.error) if self.full else "another size: not compared",
            "; ".join(differences),
            f"{100 * row.mixed_share:.0f} %",
            f"{row.ess_ratio:.3g}",
        ]


class Answer(NamedTuple):
    """A claim of the paper and what came of it, each in a few words: a row of the report's first table."""

    claim: str
    paper: str
    ours: str
    verdict: str


class Section(NamedTuple):
    """What the report says about one item.

    Attributes:
        item: its name.
        title: of the figure or table.
        claim: what the paper says that it shows.
        tables: numbers.
        figures: pictures.
        sentences: what came out, and what it says about locality.
        missing: what was not run, or not at full size.
        answers: claims that are not about the difference of two rows of a table.
    """

    item: str
    title: str
    claim: str
    tables: Sequence[PaperTable]
    figures: Sequence[Figure]
    sentences: Sequence[str]
    missing: Sequence[str]
    answers: Sequence[Answer] = ()

    @property
    def command(self) -> str:
        """The commands that make the runs of this section."""
        made = dict.fromkeys((table.protocol, table.scale) for table in self.tables)
        run = f"localmixup paper run {self.item}"
        return "; ".join(f"{run} --protocol {protocol} --scale {scale}" for protocol, scale in made) or run


def agreement(stated: Reported, ours: Mean) -> str:
    """Return whether two intervals overlap, in words.

    Args:
        stated: what the paper prints.
        ours: what came out.

    >>> agreement(Reported(4.0, 0.1), Mean(4.05, 3.95, 4.15))
    'intervals overlap'
    >>> agreement(Reported(4.0, 0.1), Mean(15.0, 14.0, 16.0))
    'no overlap: ours is 11 higher'
    """
    half = 0.0 if math.isnan(stated.half) else stated.half
    low, high = (ours.mean, ours.mean) if math.isnan(ours.low) else (ours.low, ours.high)
    if low <= stated.mean + half and stated.mean - half <= high:
        return "intervals overlap"
    gap = ours.mean - stated.mean
    return f"no overlap: ours is {abs(gap):.3g} {'higher' if gap > 0 else 'lower'}"
