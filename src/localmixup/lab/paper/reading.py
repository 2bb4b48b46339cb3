"""A store as the report reads it: the arms of every item in groups, and a table for each group."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from localmixup.lab.analysis.arms import ArmResult, best_on_validation, results_of
from localmixup.lab.analysis.statistics import mean_of
from localmixup.lab.analysis.table import BASELINES, Table, table_of
from localmixup.lab.analysis.wording import effect, no_effect, setting
from localmixup.lab.paper.section import PaperTable, Reported
from localmixup.lab.report.figure import Series
from localmixup.lab.runs.spec import key_of
from localmixup.lab.runs.store import Finding, Record, Store

ORDER = {"paper": 0, "published": 1, "controlled": 2}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


class Group(NamedTuple):
    """Arms that are compared with one another: one protocol and scale, on the same data.

    Attributes:
        protocol: a key of `PROTOCOLS`.
        scale: a key of `SCALES`.
        panel: which part of the item.
        results: the arms with their runs.
    """

    protocol: str
    scale: str
    panel: str
    results: list[ArmResult]

    @property
    def where(self) -> str:
        """The group in words."""
        return f"{self.panel}, {self.protocol} ({self.scale})"

    @property
    def by_label(self) -> dict[str, ArmResult]:
        """The arms by their label."""
        return {result.arm.label: result for result in self.results}

    @property
    def validated(self) -> bool:
        """Whether parameters were chosen on a validation split, rather than on the test set as in the paper."""
        return self.results[0].arm.training.validation_share > 0

    @property
    def chosen_by(self) -> str:
        """By what parameters were chosen, in words."""
        return "the validation split" if self.validated else "the test set, as in the paper and not corrected for that,"

    def best_of(self, results: Sequence[ArmResult]) -> ArmResult:
        """Return the best of some arms, by what parameters were chosen by.

        Args:
            results: arms of this group.
        """
        return best_on_validation(results) if self.validated else min(results, key=lambda r: r.mean("test_error"))


class Reading:
    """A store, read once.

    Args:
        store: holds runs, arms and findings.
    """

    def __init__(self, store: Store) -> None:
        wanted = store.arms()
        self.records = store.get(arm.run(seed) for arm, count in wanted for seed in range(count))
        self.arms = [results_of([arm], range(count), self.records)[0] for arm, count in wanted]
        self.findings = store.findings()
        self.runs = store.count()

    def wanted(self, item: str) -> list[ArmResult]:
        """Return all arms of an item, in the order of protocol, panel and place, finished or not.

        Args:
            item: its name.
        """
        return sorted((result for result in self.arms if result.arm.item == item), key=_place)

    def of(self, item: str) -> list[ArmResult]:
        """Return the arms of an item that have finished runs, in the same order."""
        return [result for result in self.wanted(item) if result.records]

    def groups(self, item: str) -> list[Group]:
        """Return the arms of an item that are compared with one another."""
        return groups(self.of(item))

    def found(self, item: str) -> list[Finding]:
        """Return the findings of an item."""
        mine = [finding for finding in self.findings if finding.spec.item == item]
        return sorted(mine, key=lambda f: (ORDER.get(f.spec.protocol, 9), f.spec.scale, f.spec.panel, f.spec.settings))


def _place(result: ArmResult) -> tuple[object, ...]:
    """The place of an arm: both ends first, each control after the arm whose control it is."""
    arm = result.arm
    first = {"vanilla": 0, "mixup": 1}.get(arm.label, 2)
    own = (_in_order(arm.control_of or arm.label), arm.control_of is not None, _in_order(arm.label))
    return (ORDER.get(arm.protocol, 9), arm.scale, arm.panel, arm.x or 0.0, first, *own)


def _in_order(label: str) -> tuple[str | float, ...]:
    """Split a label at its numbers, so that K = 5 comes before K = 10."""
    return tuple(float(part) if k % 2 else part for k, part in enumerate(_NUMBER.split(label)))


def groups(results: Iterable[ArmResult]) -> list[Group]:
    """Group arms by protocol, scale and panel, on the same data.

    A store can hold several arms of one name, because a recipe has changed or because two merged stores used different
    data. Those that were run last count.

    Args:
        results: arms of an item.
    """
    by_data: dict[tuple[str, str, str], dict[str, list[ArmResult]]] = {}
    for result in results:
        place = (result.arm.protocol, result.arm.scale, result.arm.panel)
        by_data.setdefault(place, {}).setdefault(key_of(result.arm.data), []).append(result)
    found = []
    for place, several in by_data.items():
        latest = max(several.values(), key=lambda part: max(map(_last, part)))
        by_name = {(result.arm.label, result.arm.x): result for result in sorted(latest, key=_last)}
        found.append(Group(*place, [r for r in latest if by_name[r.arm.label, r.arm.x] is r]))
    return found


def _last(result: ArmResult) -> str:
    return max((record.finished for record in result.records.values()), default="")


@cache
def reported() -> dict[str, Any]:
    """Return the numbers that the paper prints, by item."""
    text = resources.files("localmixup.lab.paper").joinpath("reported.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values


def paper_table(
    results: Sequence[ArmResult],
    stated: Mapping[str, Reported] | None = None,
    *,
    full_runs: int,
    title: str | None = None,
    notes: Sequence[str] = (),
    baselines: Sequence[str] = BASELINES,
    measure: Callable[[Record], float] | None = None,
    chosen: Callable[[ArmResult], str] | None = None,
) -> PaperTable:
    """Build the table of one group of arms, beside the paper's numbers.

    Args:
        results: arms of one group.
        stated: what the paper prints, by label.
        full_runs: number of runs of every arm at full size.
        title: by default the panel and the model.
        notes: what one has to know to read the table.
        baselines: see `table_of`.
        measure: see `table_of`.
        chosen: see `table_of`.
    """
    first = results[0].arm
    fewest = min(len(r.records) for r in results)
    full = first.scale == "full" and fewest >= full_runs
    size = "full size" if full else f"NOT full size: scale {first.scale}"
    if first.scale == "full" and not full:
        size = f"NOT full size: {fewest:,} of {full_runs:,} runs"
    unit, decimals = ("RMSE", 3) if first.panel.startswith("regression") else ("%", 2)
    return PaperTable(
        title=title or f"{first.panel}, {first.training.model}",
        protocol=first.protocol,
        scale=first.scale,
        size=size,
        setting=setting(first.training),
        table=table_of(
            results, unit=unit, decimals=decimals, baselines=baselines, measure=measure, chosen=chosen, by_label=True
        ),
        reported=stated or {},
        full=full,
        notes=notes,
    )


def sign_sentence(table: Table, label: str, other: str, stated: float) -> str:
    """Return whether a paired difference has the sign and the size that the paper reports.

    Args:
        table: holds the difference.
        label: of the one row.
        other: of the row that is subtracted.
        stated: difference of the paper's means.
    """
    d = table.difference(label, other)
    if d is None or not effect(d):
        word = no_effect("difference", d, table.unit, table.decimals)
    else:
        word = "the same sign" if d.mean * stated > 0 else "the opposite sign"
        word += ", the paper's value within our interval" if d.low <= stated <= d.high else ", of another size"
    return f"{label} against {other}: the paper {stated:+.2f}, ours {table.against(label, other)}: {word}."


def series_of(label: str, x: Sequence[float], values: Sequence[Sequence[float]], **options: Any) -> Series:
    """Return a curve of means with their intervals.

    Args:
        label: its name.
        x: positions.
        values: values of all seeds at each position.
        **options: for `Series`.
    """
    means = [mean_of(one) for one in values]
    low, high = ([], []) if len(values[0]) < 2 else ([m.low for m in means], [m.high for m in means])
    return Series(label, list(x), [m.mean for m in means], low, high, **options)
