"""What an item of the paper is: it runs on a bench, and says from a store what came out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from localmixup.lab.errors import UserError
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.protocols import PROTOCOLS
from localmixup.lab.paper.reading import ArmResult, Reading
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
            UserError: it has not.
        """
        if protocol not in self.protocols:
            raise UserError(
                f"--protocol {protocol}: {self.name} has {', '.join(self.protocols)} "
                f"({protocol}: {PROTOCOLS[protocol].says})"
            )

    @abstractmethod
    def run(self, bench: Bench) -> None:
        """Train and compute whatever is not in the store yet.

        Args:
            bench: tells protocol and scale, and keeps the results.

        Raises:
            UserError: data that are not there.
        """

    @abstractmethod
    def section(self, reading: Reading) -> Section:
        """What the report says of it.

        Args:
            reading: of a store.
        """

    def missing(self, results: list[ArmResult]) -> list[str]:
        """What was not run, or not at full size, in words.

        Args:
            results: the arms of this item.
        """
        found = []
        for protocol in self.protocols:
            mine = [r for r in results if r.arm.protocol == protocol]
            if not mine:
                found.append(f"{protocol}: not run")
                continue
            scales = {r.arm.scale for r in mine}
            if "full" not in scales:
                found.append(f"{protocol}: not at full size ({self.size}), but at scale {' and '.join(sorted(scales))}")
            if short := [r for r in mine if len(r.records) < r.wanted]:
                lost = sum(r.wanted - len(r.records) for r in short)
                found.append(f"{protocol}: {lost} of {sum(r.wanted for r in mine)} runs are not finished")
        return found
