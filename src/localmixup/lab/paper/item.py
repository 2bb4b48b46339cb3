"""What an item of the paper is: it runs on a bench, and says from a store what came out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from localmixup._validate import ArgumentError
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.reading import Reading
from localmixup.lab.paper.section import Section


class Item(ABC):
    """One figure or table of the paper."""

    name: ClassVar[str]
    title: ClassVar[str]
    claim: ClassVar[str]
    """What the paper says that it shows."""
    size: ClassVar[str]
    """What full size is."""
    protocols: ClassVar[tuple[str, ...]] = ("paper", "published", "controlled")
    """Those that it has."""
    default: ClassVar[str] = "controlled"
    """The protocol that is run where none is named."""

    def check(self, protocol: str) -> None:
        """See that the item has a protocol.

        Args:
            protocol: a key of `PROTOCOLS`.

        Raises:
            ArgumentError: it has not.
        """
        if protocol not in self.protocols:
            raise ArgumentError(
                f"--protocol {protocol}: {self.name} has no such protocol, only {' and '.join(self.protocols)}"
            )

    @abstractmethod
    def run(self, bench: Bench) -> None:
        """Train and compute whatever is not in the store yet.

        Args:
            bench: tells protocol and scale, and keeps the results.

        Raises:
            ArgumentError: data that are not there.
        """

    @abstractmethod
    def section(self, reading: Reading) -> Section:
        """What the report says of it.

        Args:
            reading: of a store.
        """

    def full_runs(self, panel: str) -> int:
        """Runs of every arm at full size.

        Args:
            panel: name of the panel.
        """
        return 10

    def panels(self, protocol: str) -> tuple[str, ...]:
        """Panels at full size that data may be missing for.

        Args:
            protocol: a key of `PROTOCOLS`.
        """
        return ()

    def missing(self, reading: Reading, *, item: str | None = None) -> list[str]:
        """What was not run, not finished, or not at full size, in words.

        Args:
            reading: of a store.
            item: name of the item whose arms are its own; default its own name.
        """
        found = []
        for protocol in self.protocols:
            mine = [r for r in reading.wanted(item or self.name) if r.arm.protocol == protocol]
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
