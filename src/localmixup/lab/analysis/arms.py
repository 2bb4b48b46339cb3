"""Arms with their finished runs, the choice among them on validation data, and the controls of a local method."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.spec import MethodSpec
from localmixup.lab.runs.store import Record

SAME_SHARE = "mixup at the same mixed share"
"""Label of the control with random partners."""


class ArmResult(NamedTuple):
    """An arm and those of its runs that are finished.

    Attributes:
        arm: what was run.
        wanted: number of runs that were asked for.
        records: finished runs, by seed.
    """

    arm: Arm
    wanted: int
    records: dict[int, Record]

    @property
    def errors(self) -> list[float]:
        """Test errors in the order of the seeds."""
        return self.values("test_error")

    def values(self, name: str) -> list[float]:
        """Return one value of every finished run, in the order of the seeds.

        Args:
            name: an attribute of `Outcome`.
        """
        return [float(getattr(record.outcome, name)) for _, record in sorted(self.records.items())]

    def mean(self, name: str) -> float:
        """Return the mean over the finished runs; NaN if there are none."""
        values = self.values(name)
        return sum(values) / len(values) if values else math.nan

    def labelled(self, label: str, *, control_of: str | None = None) -> ArmResult:
        """Return the same runs under another label."""
        arm = self.arm.model_copy(update={"label": label, "control_of": control_of})
        return self._replace(arm=arm)


def results_of(arms: Iterable[Arm], seeds: Iterable[int], records: Mapping[str, Record]) -> list[ArmResult]:
    """Collect the runs of arms.

    Args:
        arms: what was run.
        seeds: seeds of every arm.
        records: finished runs by the key of their specification.
    """
    wanted = list(seeds)
    found = []
    for arm in arms:
        keys = {seed: arm.run(seed).key for seed in wanted}
        found.append(ArmResult(arm, len(wanted), {s: records[key] for s, key in keys.items() if key in records}))
    return found


def both(
    one: ArmResult, other: ArmResult, measure: Callable[[Record], float] | None = None
) -> tuple[list[float], list[float]]:
    """Return what two arms have for the seeds that both have finished, in the order of the seeds.

    Args:
        one: an arm.
        other: another arm.
        measure: what is taken from a record; by default the test error.
    """
    value = measure or (lambda record: record.outcome.test_error)
    seeds = sorted(set(one.records) & set(other.records))
    return [value(one.records[seed]) for seed in seeds], [value(other.records[seed]) for seed in seeds]


def validation_error(result: ArmResult) -> float:
    """Return the mean validation error, by which parameters are chosen; infinity if a run has none."""
    mean = result.mean("validation_error")
    return math.inf if math.isnan(mean) else mean


def best_on_validation(results: Iterable[ArmResult]) -> ArmResult:
    """Return the arm with the lowest validation error, the first of several."""
    return min(results, key=validation_error)


def matched_controls(result: ArmResult) -> tuple[MethodSpec, MethodSpec]:
    """Return the two controls of a local method, without which its error says nothing about locality.

    A local graph changes more than the partners. Fewer samples are mixed, and with the weights of eq. (3) the loss is
    smaller.

    Args:
        result: the local method. Its runs tell its mixed share and its mean weight.

    Returns:
        Mixup with random partners at the same mixed share, and mixup with its loss scaled by the same mean weight.
    """
    spec, training = result.arm.method, result.arm.training
    share = spec.mixed_share
    if training.pairs == "batch":
        # in a random permutation one sample on average meets itself, so slightly more samples must be permuted
        share = round(min(1.0, result.mean("mixed_share") / (1 - 1 / training.batch_size)), 3)
    # classical mixup mixes all samples that do not meet themselves, so at a share of 1 it is its own control
    same_share = MethodSpec(method="mixup", mixed_share=None if share == 1 else share)
    return same_share, MethodSpec(method="mixup", loss_scale=round(result.mean("mean_weight"), 3))
