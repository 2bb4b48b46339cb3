"""An item of the paper: it runs on a bench, and reports from a store what came out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from typing import ClassVar

from localmixup._validate import ArgumentError
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.reading import Reading
from localmixup.lab.paper.section import Answer, PaperTable, Section
from localmixup.lab.report.figure import Figure
from localmixup.lab.runs.events import Event


class Item(ABC):
    """One figure or table of the paper."""

    name: ClassVar[str]
    """Name on the command line, and of the arms in the store."""
    title: ClassVar[str]
    claim: ClassVar[str]
    """What the paper says that it shows."""
    size: ClassVar[str]
    """What full size is."""
    protocols: ClassVar[tuple[str, ...]] = ("paper", "published", "controlled")
    """The protocols that it has."""
    default: ClassVar[str] = "controlled"
    """The protocol that is run if none is named."""
    arms_of: ClassVar[str | None] = None
    """Name of another item whose arms are reported; by default its own."""

    @abstractmethod
    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Train and compute whatever is not in the store yet.

        Yields:
            What happens.

        Raises:
            DataMissingError: none of the data were found.
        """

    @abstractmethod
    def section(self, reading: Reading) -> Section:
        """Return what the report says about it."""

    def check(self, protocol: str) -> None:
        """Check that the item has a protocol.

        Raises:
            ArgumentError: it does not.
        """
        if protocol not in self.protocols:
            raise ArgumentError(
                f"--protocol {protocol}: {self.name} has no such protocol, only {' and '.join(self.protocols)}"
            )

    def full_runs(self, panel: str) -> int:
        """Return the number of runs of every arm at full size."""
        return 10

    def panels(self, protocol: str) -> tuple[str, ...]:
        """Return the panels of full size whose data may be missing."""
        return ()

    def reported(
        self,
        reading: Reading,
        sentences: Sequence[str],
        *,
        tables: Sequence[PaperTable] = (),
        figures: Sequence[Figure] = (),
        missing: Sequence[str] | None = None,
        answers: Sequence[Answer] = (),
    ) -> Section:
        """Return the section of this item."""
        lost = self.missing(reading) if missing is None else missing
        return Section(self.name, self.title, self.claim, tables, figures, sentences, lost, answers)

    def missing(self, reading: Reading) -> list[str]:
        """Return what was not run, not finished, or not at full size, in words."""
        found = []
        for protocol in self.protocols:
            mine = [r for r in reading.wanted(self.arms_of or self.name) if r.arm.protocol == protocol]
            if not any(r.records for r in mine):
                found.append(f"{protocol}: not run")
                continue
            full = [r for r in mine if r.arm.scale == "full"]
            scales = sorted({r.arm.scale for r in mine})
            if not full:
                found.append(f"{protocol}: not at full size ({self.size}), but at scale {' and '.join(scales)}")
            fewer = {r.arm.panel for r in full if r.wanted < self.full_runs(r.arm.panel) and not r.arm.control_of}
            if fewer:
                found.append(f"{protocol}: some arms with fewer runs than at full size: {', '.join(sorted(fewer))}")
            if lost := sum(r.wanted - len(r.records) for r in mine):
                found.append(f"{protocol}: {lost:,} of {sum(r.wanted for r in mine):,} runs are not finished")
            if absent := [name for name in self.panels(protocol) if name not in {r.arm.panel for r in mine}]:
                found.append(f"{protocol}: not run on {', '.join(absent)}")
        return found
