"""From a store to tables: everything that the report says is read from there, and nothing is trained or computed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from localmixup.lab.analysis.statistics import Difference, Mean, holm, mean_of, paired
from localmixup.lab.methods.parameters import describe_spec
from localmixup.lab.paper.section import Line, Reported, Table
from localmixup.lab.runs.spec import Arm, TrainingSpec, key_of
from localmixup.lab.runs.store import Finding, Record, Store

ORDER = {"paper": 0, "published": 1, "controlled": 2}


class ArmResult(NamedTuple):
    """An arm with those of its runs that are finished, by seed."""

    arm: Arm
    wanted: int
    records: dict[int, Record]

    @property
    def errors(self) -> list[float]:
        """Test errors of the finished runs, in the order of the seeds."""
        return [record.outcome.test_error for _, record in sorted(self.records.items())]

    def mean(self, name: str) -> float:
        """Mean over the finished runs of a value of their outcome.

        Args:
            name: an attribute of `Outcome`.
        """
        values = [float(getattr(record.outcome, name)) for record in self.records.values()]
        return sum(values) / len(values) if values else math.nan


class Reading:
    """A store as the report reads it.

    Args:
        store: of runs, arms and findings.
    """

    def __init__(self, store: Store) -> None:
        wanted = store.arms()
        runs = {(arm.key, seed): arm.run(seed) for arm, count in wanted for seed in range(count)}
        records = store.get(runs.values())
        self.arms: list[ArmResult] = []
        for arm, count in wanted:
            done = {seed: records[key] for seed in range(count) if (key := runs[arm.key, seed].key) in records}
            self.arms.append(ArmResult(arm, count, done))
        self.findings = store.findings()

    def of(self, item: str) -> list[ArmResult]:
        """The arms of an item that have finished runs, in the order of protocol, panel and place.

        Args:
            item: its name.
        """
        return [result for result in self.wanted(item) if result.records]

    def wanted(self, item: str) -> list[ArmResult]:
        """All arms of an item that were ever asked for, those without a finished run too, in the same order.

        Args:
            item: its name.
        """
        mine = [result for result in self.arms if result.arm.item == item]
        return sorted(mine, key=_place)

    def found(self, item: str) -> list[Finding]:
        """The findings of an item.

        Args:
            item: its name.
        """
        mine = [finding for finding in self.findings if finding.spec.item == item]
        return sorted(mine, key=lambda f: (ORDER.get(f.spec.protocol, 9), f.spec.scale, f.spec.panel, f.spec.settings))


def _place(result: ArmResult) -> tuple[object, ...]:
    """Where an arm stands: both ends first, each control behind the arm whose control it is."""
    arm = result.arm
    first = {"vanilla": 0, "mixup": 1}.get(arm.label, 2)
    own = (arm.control_of or arm.label, arm.control_of is not None, arm.label)
    return (ORDER.get(arm.protocol, 9), arm.scale, arm.panel, arm.x or 0.0, first, *own)


@cache
def reported() -> dict[str, Any]:
    """What the paper prints, by item: its numbers as they stand there."""
    text = resources.files("localmixup.lab.paper").joinpath("reported.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values


def groups(results: Iterable[ArmResult]) -> dict[tuple[str, str, str], list[ArmResult]]:
    """Arms that are compared with one another, by protocol, scale and panel: all on the same data.

    Where a store holds several arms of one name, since a recipe has changed or two stores were merged that used
    other data, those of the data and settings that were run last are taken.

    Args:
        results: of an item.
    """
    by_data: dict[tuple[str, str, str], dict[str, list[ArmResult]]] = {}
    for result in results:
        place = (result.arm.protocol, result.arm.scale, result.arm.panel)
        by_data.setdefault(place, {}).setdefault(key_of(result.arm.data), []).append(result)
    found = {}
    for place, several in by_data.items():
        latest = max(several.values(), key=lambda part: max(map(_last, part)))
        by_name: dict[tuple[str, float | None], ArmResult] = {}
        for result in sorted(latest, key=_last):
            by_name[result.arm.label, result.arm.x] = result
        found[place] = [result for result in latest if by_name[result.arm.label, result.arm.x] is result]
    return found


def _last(result: ArmResult) -> str:
    return max((record.finished for record in result.records.values()), default="")


def table_of(
    results: Sequence[ArmResult],
    values: Callable[[ArmResult], Reported | None] = lambda result: None,
    *,
    full_runs: int,
    title: str | None = None,
    notes: Sequence[str] = (),
    of: Callable[[Record], float] | None = None,
    chosen: Callable[[ArmResult], str] | None = None,
    baselines: Sequence[str] = ("vanilla", "mixup"),
) -> Table:
    """The table of one group of arms, each against the baselines and its own controls.

    Args:
        results: arms of one protocol, scale and panel.
        values: what the paper prints for an arm.
        full_runs: runs of every arm at full size.
        title: default the panel and the model.
        notes: for the reader.
        of: what is compared; default the test error.
        chosen: parameters of an arm, in words; default those of its method.
        baselines: labels of the arms that all others are compared with.
    """
    first = results[0].arm
    measured = of or (lambda record: record.outcome.test_error)
    series = {r.arm.key: {seed: measured(record) for seed, record in r.records.items()} for r in results}
    found: list[tuple[str, str, Difference, frozenset[str]]] = []
    for r in results:
        others = [c for c in results if c.arm.label in baselines or c.arm.control_of == r.arm.label]
        for other in others if r.arm.control_of is None else []:
            # a local method that ended up as one of the baselines is no test against it
            seeds = sorted(set(r.records) & set(other.records))
            if seeds and r.arm.run(0).key != other.arm.run(0).key:
                d = paired(*([series[one.arm.key][seed] for seed in seeds] for one in (r, other)))
                found.append((r.arm.label, other.arm.label, d, frozenset((r.arm.key, other.arm.key))))
    tests = {pair: d.p for _, _, d, pair in found}
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    fewest = min(len(r.records) for r in results)
    full = first.scale == "full" and fewest >= full_runs
    lines = []
    for r in results:
        mine = {label: d._replace(p=corrected[pair]) for own, label, d, pair in found if own == r.arm.label}
        ours = mean_of([series[r.arm.key][seed] for seed in sorted(series[r.arm.key])])
        stated = values(r)
        told = "another size: not compared"
        if stated is None or full:
            told = "" if stated is None else agreement(stated, ours)
        lines.append(
            Line(
                label=r.arm.label,
                chosen=(chosen or _parameters)(r),
                reported=stated,
                ours=ours,
                runs=len(r.records),
                wanted=r.wanted,
                control_of=r.arm.control_of,
                differences=mine,
                mixed_share=r.mean("mixed_share"),
                effective_sample_size=r.mean("effective_sample_size"),
                agreement=told,
            )
        )
    size = "full size" if full else f"NOT full size: scale {first.scale}"
    if first.scale == "full" and not full:
        size = f"NOT full size: {fewest:,} of {full_runs:,} runs"
    return Table(
        title=title or f"{first.panel}, {first.training.model}",
        protocol=first.protocol,
        scale=first.scale,
        setting=setting(first.training),
        unit="RMSE" if first.panel.startswith("regression") else "%",
        lines=lines,
        notes=list(notes),
        size=size,
    )


def _parameters(result: ArmResult) -> str:
    return "" if result.arm.label in ("vanilla", "mixup") else describe_spec(result.arm.method)


def setting(training: TrainingSpec) -> str:
    """How arms were trained, in words.

    Args:
        training: of one of them.
    """
    words = [
        f"{training.updates:,} updates of {training.batch_size}",
        f"{training.optimizer} at {training.learning_rate:g}, {training.schedule}",
        f"weight decay {training.weight_decay:g}",
    ]
    if training.augmentation != "none":
        words.append(training.augmentation)
    if training.validation_share:
        words.append(f"{100 * training.validation_share:g} % held out for validation")
    return ", ".join(words)


def agreement(stated: Reported, ours: Mean) -> str:
    """Whether two intervals overlap, in words.

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


def against(d: Difference | None, unit: str = "points") -> str:
    """A paired difference in words.

    Args:
        d: the difference, its p-value corrected; None where there is none.
        unit: of its values.

    >>> against(Difference(-1.0, -1.5, -0.5, 0.0001))
    '-1.00 points (95 % -1.50 to -0.50, p < 0.001)'
    """
    if d is None:
        return "not compared"
    if math.isnan(d.p):
        return f"{d.mean:+.2f} {unit} (one run: no test)"
    p = "p < 0.001" if d.p < 0.001 else f"p = {d.p:.2g}"
    spread = "" if math.isnan(d.low) else f"95 % {d.low:+.2f} to {d.high:+.2f}, "
    return f"{d.mean:+.2f} {unit} ({spread}{p})"


def effect(d: Difference | None) -> int:
    """The sign of a difference that is shown: -1 less error, 1 more, 0 not shown.

    Args:
        d: the difference, its p-value corrected.

    >>> effect(Difference(-1.0, -1.5, -0.5, 0.0001)), effect(Difference(-1.0, -1.5, -0.5, 0.2)), effect(None)
    (-1, 0, 0)
    """
    if d is None or math.isnan(d.p) or d.p >= 0.05:
        return 0
    return -1 if d.mean < 0 else 1


def locality(d: Difference | None) -> str:
    """What the difference of a local method to its control says.

    Args:
        d: the difference, its p-value corrected.
    """
    return {-1: "locality helps", 0: "no effect of locality is shown", 1: "locality harms"}[effect(d)]


def sign_sentence(name: str, stated: float, d: Difference | None) -> str:
    """Whether a paired difference has the sign and the size that the paper reports.

    Args:
        name: of the comparison.
        stated: difference of the paper's means.
        d: ours, its p-value corrected.
    """
    if d is None or not effect(d):
        word = "no difference is shown here"
    else:
        word = "the same sign" if d.mean * stated > 0 else "the opposite sign"
        word += ", the paper's value within our interval" if d.low <= stated <= d.high else ", of another size"
    return f"{name}: the paper {stated:+.2f}, ours {against(d)}: {word}."
