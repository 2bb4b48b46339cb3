"""From a store to one page, one Markdown file and the figures as PNG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from localmixup.lab.paper import ITEMS, charts
from localmixup.lab.paper.protocols import PROTOCOLS, SCALES
from localmixup.lab.paper.reading import Reading
from localmixup.lab.paper.section import Line, Section, Table
from localmixup.lab.report.page import write_page
from localmixup.lab.report.pictures import png_uri
from localmixup.lab.runs.store import Store, versions

HEAD = [
    "",
    "parameters",
    "paper",
    "ours (95 %)",
    "runs",
    "agreement",
    "paired differences (p after Holm)",
    "mixed",
    "ESS",
]
_MANY = 6


def write(store: Store, page: Path, markdown: Path) -> list[Section]:
    """Write the page, the Markdown file, and beside it a folder of its name with the figures.

    Args:
        store: everything that was run.
        page: path of the HTML file.
        markdown: path of the Markdown file.

    Returns:
        What is in them.
    """
    reading = Reading(store)
    sections = [item.section(reading) for item in ITEMS.values()]
    found = [chart for section in sections for chart in section.charts]
    figures = {chart.name: charts.interactive(chart) for chart in found}
    folder = markdown.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for chart in found:
        (folder / f"{chart.name}.png").write_bytes(charts.png(chart))
    for section in sections:
        for still in section.stills:
            (folder / f"{still.name}.png").write_bytes(still.png)
    runs = sum(len(r.records) for r in reading.arms)
    write_page(
        page,
        "paper.html.j2",
        list(figures.values()),
        sections=sections,
        figures=figures,
        head=HEAD,
        cells=cells,
        where=where,
        command=command,
        uri=png_uri,
        protocols=PROTOCOLS,
        scales=SCALES,
        runs=runs,
        versions=_versions(reading),
    )
    markdown.write_text(_markdown(sections, reading, runs, folder.name), encoding="utf-8")
    return sections


def cells(line: Line, table: Table) -> list[str]:
    """One line of a table as text.

    Args:
        line: of the table.
        table: tells the unit.
    """
    stated = ""
    if line.reported is not None:
        half = "" if math.isnan(line.reported.half) else f" ± {line.reported.half:g}"
        stated = f"{line.reported.mean:g}{half}"
    half = "" if math.isnan(line.ours.low) else f" ± {line.ours.high - line.ours.mean:.2g}"
    digits = 3 if table.unit == "RMSE" else 2
    label = f"↳ control: {line.label}" if line.control_of else line.label
    differences = "; ".join(
        f"{other} {d.mean:+.{digits}f}" + ("" if math.isnan(d.p) else f" ({_p(d.p)})")
        for other, d in line.differences.items()
    )
    runs = f"{line.runs:,}" if line.runs == line.wanted else f"{line.runs:,} of {line.wanted:,}"
    return [
        label, line.chosen, stated, f"{line.ours.mean:.{digits}f}{half}", runs, line.agreement, differences,
        f"{100 * line.mixed_share:.0f} %", f"{line.effective_sample_size:.3g}",
    ]  # fmt: skip


def where(table: Table) -> str:
    """How the runs of a table were made, in words; first of all whether they are of full size.

    Args:
        table: tells protocol, size and setting.
    """
    return f"{table.protocol}, {table.size}; {table.setting}"


def command(section: Section) -> str:
    """The commands that make the runs of a section.

    Args:
        section: of an item.
    """
    made = {(t.protocol, t.scale): None for t in section.tables}
    if not made:
        return f"localmixup paper run {section.item}"
    return "; ".join(f"localmixup paper run {section.item} --protocol {p} --scale {s}" for p, s in made)


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.2g}"


def _versions(reading: Reading) -> list[str]:
    """Versions that the records carry, most frequent first, or this program's where there are none."""
    counts: dict[str, int] = {}
    for result in reading.arms:
        for record in result.records.values():
            text = ", ".join(f"{name} {version}" for name, version in record.versions.items())
            counts[text] = counts.get(text, 0) + 1
    if not counts:
        return [", ".join(f"{name} {version}" for name, version in versions().items())]
    return [f"{text} ({count:,} runs)" for text, count in sorted(counts.items(), key=lambda pair: -pair[1])]


def _markdown(sections: Sequence[Section], reading: Reading, runs: int, folder: str) -> str:
    lines = [
        "# What came out of the paper's experiments",
        "",
        f"Written by `localmixup paper report` from {runs:,} stored runs. Intervals are "
        "Student's 95 % intervals of the mean over seeds; differences are paired by seed, and their p-values corrected "
        "by Holm over the table, in the sentences too. Choices made on the test set, as the paper makes them, are not "
        "corrected for.",
        "",
        "Items that were not run at full size say so: **their errors cannot be compared with the paper's**, only their "
        "differences can, and those with care.",
        "",
        "## The protocols",
        "",
    ]
    for name, protocol in PROTOCOLS.items():
        lines += [f"- **{name}**: {protocol.says}.", *(f"  - {point}" for point in protocol.differs)]
    lines += ["", "Scales: " + "; ".join(f"`{name}`, {scale.says}" for name, scale in SCALES.items()) + "."]
    for section in sections:
        lines += [
            "",
            f"## {section.title}",
            "",
            f"`{command(section)}`. The paper: {section.claim}.",
            "",
        ]
        lines += [f"- {sentence}" for sentence in section.sentences]
        if section.missing:
            lines += ["", "Not run, or not at full size: " + "; ".join(section.missing) + "."]
        for still in section.stills:
            lines += ["", f"![{still.caption}]({folder}/{still.name}.png)"]
        for chart in section.charts:
            lines += ["", f"![{chart.title}]({folder}/{chart.name}.png)"]
        for table in section.tables:
            lines += ["", f"**{table.title}** ({where(table)}), {table.unit}", ""]
            lines += ["| " + " | ".join(HEAD) + " |", "| " + " | ".join("---" for _ in HEAD) + " |"]
            lines += ["| " + " | ".join(cells(line, table)) + " |" for line in table.lines]
            lines += ["", *table.notes] if table.notes else []
    lines += ["", "## Versions", "", *[f"- {text}" for text in _versions(reading)[:_MANY]], ""]
    return "\n".join(lines)
