"""What the report says of an item, as plain values: lines of tables, charts, pictures and sentences."""

from __future__ import annotations

from typing import NamedTuple

from localmixup.lab.analysis.statistics import Difference, Mean


class Reported(NamedTuple):
    """A value that the paper prints, and the half-width of its 95 % interval; NaN where it prints none."""

    mean: float
    half: float


class Line(NamedTuple):
    """One line of a table.

    Attributes:
        label: what was run.
        chosen: the parameters, in words.
        reported: what the paper prints, or None.
        ours: mean and 95 % interval of what came out.
        runs: finished.
        wanted: runs that were asked for.
        control_of: label of the line whose control it is.
        differences: paired differences to other lines, by their label, with p-values after Holm over the table.
        mixed_share: share of the counted samples that are mixed.
        effective_sample_size: mean over the updates.
        agreement: whether ours and the paper's agree, in words; empty where the paper prints nothing.
    """

    label: str
    chosen: str
    reported: Reported | None
    ours: Mean
    runs: int
    wanted: int
    control_of: str | None
    differences: dict[str, Difference]
    mixed_share: float
    effective_sample_size: float
    agreement: str


class Table(NamedTuple):
    """Lines that belong together: one protocol on one data set.

    Attributes:
        title: data and model.
        protocol: a key of `PROTOCOLS`.
        scale: a key of `SCALES`.
        setting: how it was trained, in words.
        unit: of the values.
        lines: its lines.
        notes: what one must know to read it.
        size: whether it is of full size, in words.
    """

    title: str
    protocol: str
    scale: str
    setting: str
    unit: str
    lines: list[Line]
    notes: list[str]
    size: str

    def line(self, label: str) -> Line | None:
        """The line of that label, or None.

        Args:
            label: of the line.
        """
        return next((line for line in self.lines if line.label == label), None)

    def difference(self, label: str, other: str) -> Difference | None:
        """The paired difference of two lines, its p-value after Holm over the table; None where it is not there.

        Args:
            label: of the one line.
            other: of what is subtracted.
        """
        line = self.line(label)
        return None if line is None else line.differences.get(other)


class Series(NamedTuple):
    """A curve, points, or bars.

    Attributes:
        label: its name.
        x: positions.
        y: values.
        low: lower ends of the intervals; empty for none.
        high: upper ends.
        kind: `"line"`, `"dashed"`, `"points"`, `"bars"` or `"steps"`.
    """

    label: str
    x: list[float]
    y: list[float]
    low: list[float] = []  # noqa: RUF012
    high: list[float] = []  # noqa: RUF012
    kind: str = "line"


class Chart(NamedTuple):
    """A diagram that is drawn in the page and as PNG.

    Attributes:
        name: of the file.
        title: above it.
        x_label: with unit.
        y_label: with unit.
        series: what is drawn.
        log_x: whether the first axis is logarithmic.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: list[Series]
    log_x: bool = False


class Still(NamedTuple):
    """A picture that is no diagram.

    Attributes:
        name: of the file.
        png: its bytes.
        caption: below it.
    """

    name: str
    png: bytes
    caption: str


class Section(NamedTuple):
    """What the report says of one item.

    Attributes:
        item: its name.
        title: of the figure or table.
        claim: what the paper says that it shows.
        tables: numbers.
        charts: diagrams.
        stills: pictures.
        sentences: what came out, and what it says about locality.
        missing: what was not run, or not at full size.
    """

    item: str
    title: str
    claim: str
    tables: list[Table]
    charts: list[Chart]
    stills: list[Still]
    sentences: list[str]
    missing: list[str]
