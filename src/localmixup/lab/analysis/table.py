"""The table of a group of arms: errors, paired differences, and p-values corrected over the whole table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict

from localmixup.lab.analysis.arms import ArmResult, both
from localmixup.lab.analysis.statistics import Difference, Mean, holm, mean_of, paired
from localmixup.lab.analysis.wording import difference_text
from localmixup.lab.methods.graphs import describe_spec
from localmixup.lab.runs.spec import MethodSpec
from localmixup.lab.runs.store import Record

BASELINES = ("vanilla", "mixup")
"""Labels of the arms that every other arm is compared with."""


class Row(BaseModel):
    """One row of a table: a method with its parameters, over all seeds.

    Attributes:
        label: the name that is printed.
        spec: the method and its parameters.
        control_of: label of the local method whose control this is; None for a method in its own right.
        chosen: the parameters in words; empty if there is nothing to tell.
        errors: measured value of every seed, by default the test error.
        validation_errors: validation error of every seed.
        error: mean of `errors` and its 95 % interval.
        wanted: number of runs that were asked for.
        differences: paired differences to other rows, by their label. The p-values are corrected by Holm's method over
            all tests of the table; the intervals are not adjusted.
        train_seconds: mean training time.
        mixed_share: share of the counted samples whose two ends differ.
        ess_ratio: Kish's effective sample size over the number of samples, mean over the updates.
        mean_weight: mean weight of a sample.
        keys: keys of the records, one per seed.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    spec: MethodSpec
    control_of: str | None
    chosen: str
    errors: list[float]
    validation_errors: list[float]
    error: Mean
    wanted: int
    differences: dict[str, Difference]
    train_seconds: float
    mixed_share: float
    ess_ratio: float
    mean_weight: float
    keys: list[str]

    @property
    def marked_label(self) -> str:
        """The label, marked if this is a control."""
        return f"↳ control: {self.label.removeprefix(f'{self.control_of}: ')}" if self.control_of else self.label


class Table(BaseModel):
    """Rows that were run on the same data and are compared with one another.

    Attributes:
        rows: the rows, each control after the method it belongs to.
        unit: unit of the errors, `"%"` or `"RMSE"`.
        decimals: how many decimals the errors are printed with.
    """

    model_config = ConfigDict(frozen=True)

    rows: list[Row]
    unit: str
    decimals: int = 2

    def row(self, label: str) -> Row | None:
        """Return the row of a label, or None.

        Args:
            label: of the row.
        """
        return next((row for row in self.rows if row.label == label), None)

    def controls_of(self, label: str) -> list[Row]:
        """Return the controls of a row."""
        return [row for row in self.rows if row.control_of == label]

    def difference(self, label: str, other: str) -> Difference | None:
        """Return the paired difference of two rows, or None if they were not compared."""
        row = self.row(label)
        return None if row is None else row.differences.get(other)

    def against(self, label: str, other: str) -> str:
        """Return the paired difference of two rows in words."""
        return difference_text(self.difference(label, other), self.unit, self.decimals)

    def against_both(self, label: str) -> str:
        """Return the paired differences of a row to vanilla training and to mixup in words."""
        vanilla, mixup = (self.against(label, other) for other in BASELINES)
        return f"{label} against vanilla training {vanilla}, against mixup {mixup}"


def table_of(
    results: Sequence[ArmResult],
    *,
    unit: str = "%",
    decimals: int = 2,
    baselines: Sequence[str] = BASELINES,
    measure: Callable[[Record], float] | None = None,
    chosen: Callable[[ArmResult], str] | None = None,
    by_label: bool = False,
) -> Table:
    """Build the table of a group of arms, each compared with the baselines and with its own controls.

    Args:
        results: arms on the same data, in the order of the table.
        unit: of the errors.
        decimals: how many decimals errors are printed with.
        baselines: labels of the arms that all others are compared with.
        measure: what is compared; by default the test error.
        chosen: describes the parameters of an arm; by default those of its method, and nothing for a baseline.
        by_label: what counts as one test of the family: a pair of runs (False), or a pair of labels (True). They differ
            if two labels stand for the same runs, such as a control that is mixup itself; by label is stricter.
    """
    value = measure or (lambda record: record.outcome.test_error)
    describe = chosen or (lambda r: "" if r.arm.label in BASELINES else describe_spec(r.arm.method))
    differences = _differences(results, baselines, value, by_label)
    rows = [
        Row(
            label=r.arm.label,
            spec=r.arm.method,
            control_of=r.arm.control_of,
            chosen=describe(r),
            errors=(errors := [value(record) for _, record in sorted(r.records.items())]),
            validation_errors=r.values("validation_error"),
            error=mean_of(errors),
            wanted=r.wanted,
            differences=differences.get(r.arm.label, {}),
            train_seconds=r.mean("train_seconds"),
            mixed_share=r.mean("mixed_share"),
            ess_ratio=r.mean("ess_ratio"),
            mean_weight=r.mean("mean_weight"),
            keys=[record.spec.key for _, record in sorted(r.records.items())],
        )
        for r in results
    ]
    return Table(rows=rows, unit=unit, decimals=decimals)


def _differences(
    results: Sequence[ArmResult], baselines: Sequence[str], value: Callable[[Record], float], by_label: bool
) -> dict[str, dict[str, Difference]]:
    """The family of tests: every arm against the baselines and its own controls, each pair once."""
    found: list[tuple[str, str, Difference, frozenset[str]]] = []
    for r in results:
        if r.arm.control_of is not None:
            continue
        for other in results:
            if other.arm.label not in baselines and other.arm.control_of != r.arm.label:
                continue
            mine, others = both(r, other, value)
            runs = frozenset((r.arm.run(0).key, other.arm.run(0).key))
            if mine and len(runs) == 2:  # a method that ended up as one of the baselines is not a test against it
                pair = frozenset((r.arm.label, other.arm.label)) if by_label else runs
                found.append((r.arm.label, other.arm.label, paired(mine, others), pair))
    tests = {pair: d.p for _, _, d, pair in found}
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    differences: dict[str, dict[str, Difference]] = {}
    for label, other_label, d, pair in found:
        differences.setdefault(label, {})[other_label] = d._replace(p=corrected[pair])
    return differences
