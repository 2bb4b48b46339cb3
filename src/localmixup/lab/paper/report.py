"""From a store to one page, one Markdown file and the figures as PNG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from localmixup.lab.files import write_file
from localmixup.lab.paper import ITEMS
from localmixup.lab.paper.claims import CLAIM_HEAD, claims
from localmixup.lab.paper.protocols import PROTOCOLS, SCALES
from localmixup.lab.paper.reading import Reading
from localmixup.lab.paper.section import HEAD, Section
from localmixup.lab.report.page import write_page
from localmixup.lab.runs.store import Store, versions

_VERSIONS = 6

CLAIMS_SAY = (
    "Negative differences are lower errors. Of each item the most telling protocol is shown, with the numbers of the "
    "paper's own setting beside it; the paper's networks follow where only its own protocol was run with them. A claim "
    "holds, or its opposite does, if the difference is shown after Holm's correction; *not shown* does not mean that "
    "there is none."
)
"""How to read the first table."""

_INTRODUCTION = (
    "Intervals are Student's 95 % intervals of the mean over seeds and are not adjusted for the number of "
    "comparisons. Differences are paired by seed. Their p-values are corrected by Holm over the table, in the "
    "sentences too. Choices made on the test set, as the paper makes them, are not corrected for. Where no difference "
    "is shown, the sentence says how large a difference its interval leaves possible.",
    "In the tables, *mixed* is the share of the counted samples whose two ends differ. *ESS / n* is `ess_ratio`, "
    "Kish's effective sample size over the number of samples: at 1 all pairs count equally, and nothing is local.",
    "Items that were not run at full size say so: **their errors cannot be compared with the paper's**, only their "
    "differences can, and those with care.",
)


def write(store: Store, page: Path, markdown: Path) -> list[Section]:
    """Write the page, the Markdown file, and beside it a folder of the same name with the figures.

    Args:
        store: holds everything that was run.
        page: path of the HTML file.
        markdown: path of the Markdown file.

    Returns:
        What is in them.
    """
    reading = Reading(store)
    sections = [item.section(reading) for item in ITEMS.values()]
    folder = markdown.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for figure in section.figures:
            write_file(folder / f"{figure.name}.png", figure.png())
    write_file(markdown, as_markdown(sections, reading, folder.name))
    write_page(
        page,
        "paper.html.j2",
        introduction=[f"Written from {reading.runs:,} stored runs.", *_INTRODUCTION],
        sections=sections,
        claim_head=CLAIM_HEAD,
        claims=claims(sections),
        says=CLAIMS_SAY,
        head=HEAD,
        protocols=PROTOCOLS,
        scales=SCALES,
        versions=_versions(reading),
    )
    return sections


def as_markdown(sections: Sequence[Section], reading: Reading, folder: str) -> str:
    """Return the Markdown file.

    Args:
        sections: of the report.
        reading: of the store.
        folder: of the figures, relative to the file.
    """
    lines = [
        "# What came out of the paper's experiments",
        "",
        f"Written from {reading.runs:,} stored runs. In a checkout, this command writes the page and its "
        "figures again. It trains nothing:",
        "",
        "```",
        "localmixup paper report --store results/paper --markdown docs/reproduction.md",
        "```",
        "",
    ]
    lines += ["## Claims and verdicts", "", CLAIMS_SAY, ""]
    lines += ["| " + " | ".join(row) + " |" for row in [CLAIM_HEAD, ["---"] * len(CLAIM_HEAD), *claims(sections)]]
    lines += ["", "## How to read the rest", ""]
    for text in _INTRODUCTION:
        lines += [text, ""]
    lines += ["## The protocols", ""]
    for name, protocol in PROTOCOLS.items():
        lines += [f"- **{name}**: {protocol.says}.", *(f"  - {point}" for point in protocol.differs)]
    lines += ["", "Scales: " + "; ".join(f"`{name}`, {scale.says}" for name, scale in SCALES.items()) + "."]
    for section in sections:
        lines += _section(section, folder)
    lines += ["", "## Versions", "", *[f"- {text}" for text in _versions(reading)], ""]
    return "\n".join(lines)


def _section(section: Section, folder: str) -> list[str]:
    lines = ["", f"## {section.title}", "", f"`{section.command}`. The paper: {section.claim}.", ""]
    lines += [f"- {sentence}" for sentence in section.sentences]
    if section.missing:
        lines += ["", "Not run, or not at full size: " + "; ".join(section.missing) + "."]
    for figure in section.figures:
        lines += ["", f"![{figure.title}]({folder}/{figure.name}.png)"]
    for table in section.tables:
        lines += ["", f"**{table.title}** {table.heading}", ""]
        lines += ["| " + " | ".join(row) + " |" for row in [HEAD, ["---"] * len(HEAD), *table.cells()]]
        lines += ["", *table.notes] if table.notes else []
    return lines


def _versions(reading: Reading) -> list[str]:
    """The versions that the records carry, most frequent first, or those of this program if there are no records."""
    counts = Counter(_text(record.versions) for record in reading.records.values())
    if not counts:
        return [_text(versions())]
    if len(counts) == 1:
        return list(counts)
    return [f"{text} ({count:,} runs)" for text, count in counts.most_common(_VERSIONS)]


def _text(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())
