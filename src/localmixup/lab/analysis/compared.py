"""From finished runs to a comparison: what each arm shows on the rows that judge, as the statistics take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from localmixup.lab.analysis.arms import ArmResult
from localmixup.lab.analysis.attribution import attribution_of
from localmixup.lab.analysis.comparison import ComparedArm
from localmixup.lab.analysis.questions import VANILLA, Judged
from localmixup.lab.analysis.resampled import Design, Estimate, Measured, difference_of
from localmixup.lab.analysis.statistics import Mean
from localmixup.lab.runs.outcome import Outcome
from localmixup.lab.runs.scores import unpack


class Arms(NamedTuple):
    """The arms of a comparison on the rows that judge.

    Attributes:
        results: finished runs by label, in the order of the table.
        settings: parameters in words, by label.
        kinds: see `ComparedArm.kind`, by label.
        tests: the places of the test rows of every resample among all rows, one array each.
        design: how the resamples were drawn.
        unit: of the errors, `"%"` or `"RMSE"`.
    """

    results: dict[str, ArmResult]
    settings: dict[str, str]
    kinds: dict[str, str]
    tests: list[np.ndarray]
    design: Design
    unit: str

    def judged(self, label: str) -> Judged:
        """Return what an arm shows.

        Args:
            label: of the arm.
        """
        return judged_of(self.results[label], self.tests, self.unit)

    def difference(self, label: str, other: str) -> Estimate:
        """Return the difference of the errors of two arms.

        Args:
            label: of the first arm.
            other: label of the second.
        """
        grain = 100 / self.design.rows if self.unit == "%" else 0.0
        return difference_of(self.judged(label).error, self.judged(other).error, self.design, grain=grain)

    def table(self) -> list[ComparedArm]:
        """Return the rows of the table."""
        return [self._row(label, result) for label, result in self.results.items()]

    def against(self, label: str, controls: Sequence[str], decimals: int) -> tuple[str, dict[str, Mean]]:
        """Return what the controls of an arm say, in words and in numbers.

        Args:
            label: of the arm.
            controls: labels of its controls.
            decimals: of the numbers.
        """
        found = {control: self.difference(label, control) for control in controls}
        return attribution_of(found, self.unit, decimals), {control: _mean(e) for control, e in found.items()}

    def _row(self, label: str, result: ArmResult) -> ComparedArm:
        error = self.judged(label).error
        nothing = Measured(np.zeros_like(error.values), None if error.rows is None else np.zeros_like(error.rows))
        outcomes = [record.outcome for _, record in sorted(result.records.items())]
        return ComparedArm(
            label=label,
            kind=self.kinds[label],
            settings=self.settings[label],
            spec=result.arm.method,
            errors=result.errors,
            error=_mean(difference_of(error, nothing, self.design)),
            scores={name: float(np.mean([o.scores[name] for o in outcomes])) for name in outcomes[0].scores},
            against_vanilla=None if label == VANILLA else _mean(self.difference(label, VANILLA)),
            mixed_share=result.mean("mixed_share"),
            train_seconds=result.mean("train_seconds"),
            keys=[record.spec.key for _, record in sorted(result.records.items())],
        )


def judged_of(result: ArmResult, tests: Sequence[np.ndarray], unit: str) -> Judged:
    """Return what the runs of an arm show on the rows that judge.

    The RMSE is no mean over the rows. To first order it varies with them as `loss / (2 RMSE) + RMSE / 2` does, whose
    mean is the RMSE.

    Args:
        result: the arm with its runs.
        tests: the places of the test rows of every run among all rows.
        unit: of the errors, `"%"` or `"RMSE"`.
    """
    outcomes = [record.outcome for _, record in sorted(result.records.items())]
    values = np.array([outcome.test_error for outcome in outcomes])
    rows = _rows(outcomes, tests, "error")
    if unit == "%":
        return Judged(
            Measured(values, 100 * rows),
            Measured(np.array([o.scores["nll"] for o in outcomes]), _rows(outcomes, tests, "nll")),
        )
    mean = np.nanmean(rows, axis=1, keepdims=True)
    return Judged(Measured(values, (rows / np.maximum(mean, 1e-300) + 1) / 2 * values[:, None]))


def _rows(outcomes: Sequence[Outcome], tests: Sequence[np.ndarray], name: str) -> np.ndarray:
    """The losses of all rows that are tested at least once, NaN where a run does not test them, shape `(R, M)`."""
    tested, places = np.unique(np.concatenate(tests), return_inverse=True)
    losses = np.full((len(outcomes), len(tested)), np.nan)
    starts = np.cumsum([0, *map(len, tests)])
    for r, outcome in enumerate(outcomes):
        losses[r, places[starts[r] : starts[r + 1]]] = unpack(outcome.row_losses[name])
    return losses


def _mean(estimate: Estimate) -> Mean:
    return Mean(estimate.mean, *estimate.interval())
