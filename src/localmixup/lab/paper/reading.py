"""From a store to tables: everything that the report says is read from there, and nothing is trained or computed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from localmixup.lab.paper.section import Line, Reported, Table
from localmixup.lab.parameters import describe_spec
from localmixup.lab.results import Finding, Record, Store
from localmixup.lab.specs import Arm, TrainingSpec
from localmixup.lab.statistics import Difference, Mean, holm, mean_of, paired

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
        mine = [result for result in self.arms if result.arm.item == item and result.records]
        return sorted(mine, key=lambda r: (ORDER.get(r.arm.protocol, 9), r.arm.scale, r.arm.panel, r.arm.x or 0.0))

    def found(self, item: str) -> list[Finding]:
        """The findings of an item.

        Args:
            item: its name.
        """
        mine = [finding for finding in self.findings if finding.spec.item == item]
        return sorted(mine, key=lambda f: (ORDER.get(f.spec.protocol, 9), f.spec.scale, f.spec.panel, f.spec.settings))


@cache
def reported() -> dict[str, Any]:
    """What the paper prints, by item: its numbers as they stand there."""
    text = resources.files("localmixup.lab.paper").joinpath("reported.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values


def groups(results: Iterable[ArmResult]) -> dict[tuple[str, str, str], list[ArmResult]]:
    """Arms that are compared with one another: those of one protocol, scale and panel.

    Args:
        results: of an item.
    """
    found: dict[tuple[str, str, str], list[ArmResult]] = {}
    for result in results:
        found.setdefault((result.arm.protocol, result.arm.scale, result.arm.panel), []).append(result)
    return found


def difference(one: ArmResult, other: ArmResult) -> Difference:
    """The paired difference of two arms, over the seeds that both have finished.

    Args:
        one: an arm.
        other: what is subtracted.
    """
    seeds = sorted(set(one.records) & set(other.records))
    if not seeds:
        return Difference(math.nan, math.nan, math.nan, math.nan)
    return paired(*([r.records[seed].outcome.test_error for seed in seeds] for r in (one, other)))


def table_of(
    results: Sequence[ArmResult],
    values: Callable[[ArmResult], Reported | None] = lambda result: None,
    *,
    title: str | None = None,
    notes: Sequence[str] = (),
    of: Callable[[Record], float] | None = None,
) -> Table:
    """The table of one group of arms, each local method against vanilla training, mixup and its own controls.

    Args:
        results: arms of one protocol, scale and panel.
        values: what the paper prints for an arm.
        title: default the panel and the model.
        notes: for the reader.
        of: what is compared; default the test error.
    """
    first = results[0].arm
    measured = of or (lambda record: record.outcome.test_error)
    series = {r.arm.key: {seed: measured(record) for seed, record in r.records.items()} for r in results}
    baselines = [r for r in results if r.arm.label in ("vanilla", "mixup")]
    found: list[tuple[str, str, Difference, frozenset[str]]] = []
    for r in results:
        own = [c for c in results if c.arm.control_of == r.arm.label]
        for other in [*baselines, *own] if r.arm.control_of is None else []:
            # a local method that ended up as one of the baselines is no test against it
            if other.arm.key != r.arm.key and r.arm.run(0).key != other.arm.run(0).key:
                seeds = sorted(set(r.records) & set(other.records))
                if seeds:
                    d = paired(*([series[one.arm.key][seed] for seed in seeds] for one in (r, other)))
                    found.append((r.arm.label, other.arm.label, d, frozenset((r.arm.key, other.arm.key))))
    tests = {pair: d.p for _, _, d, pair in found}
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    lines = []
    for r in results:
        mine = {label: d._replace(p=corrected[pair]) for own, label, d, pair in found if own == r.arm.label}
        ours = mean_of([series[r.arm.key][seed] for seed in sorted(series[r.arm.key])])
        stated = values(r)
        lines.append(
            Line(
                label=r.arm.label,
                chosen="" if r.arm.label in ("vanilla", "mixup") else describe_spec(r.arm.method),
                reported=stated,
                ours=ours,
                runs=len(r.records),
                wanted=r.wanted,
                control_of=r.arm.control_of,
                differences=mine,
                mixed_share=r.mean("mixed_share"),
                effective_sample_size=r.mean("effective_sample_size"),
                agreement="" if stated is None else agreement(stated, ours),
            )
        )
    unit = "RMSE" if first.panel.startswith("regression") else "%"
    return Table(
        title=title or f"{first.panel}, {first.training.model}",
        protocol=first.protocol,
        scale=first.scale,
        setting=setting(first.training),
        unit=unit,
        lines=lines,
        notes=list(notes),
    )


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


def against(d: Difference, unit: str = "points") -> str:
    """A paired difference in words.

    Args:
        d: the difference, its p-value corrected.
        unit: of its values.

    >>> against(Difference(-1.0, -1.5, -0.5, 0.0001))
    '-1.00 points (95 % -1.50 to -0.50, p < 0.001)'
    """
    if math.isnan(d.low):
        return f"{d.mean:+.2f} {unit}"
    p = "p < 0.001" if d.p < 0.001 else f"p = {d.p:.2g}"
    return f"{d.mean:+.2f} {unit} (95 % {d.low:+.2f} to {d.high:+.2f}, {p})"


def sign_sentence(name: str, stated: float, d: Difference) -> str:
    """Whether a paired difference has the sign and the size that the paper reports.

    Args:
        name: of the comparison.
        stated: difference of the paper's means.
        d: ours.
    """
    if math.isnan(d.low) or d.low <= 0 <= d.high:
        word = "no difference is shown here"
    else:
        word = "the same sign" if d.mean * stated > 0 else "the opposite sign"
        word += ", the paper's value within our interval" if d.low <= stated <= d.high else ", of another size"
    return f"{name}: the paper {stated:+.2f}, ours {against(d)}: {word}."
