"""What `localmixup compare` found: a table with the grid behind its choices, and a verdict."""

from __future__ import annotations

from localmixup.lab.analysis.table import BASELINES, Table
from localmixup.lab.analysis.wording import ESS, difference_cell, error_text
from localmixup.lab.runs.spec import DataSpec, MethodSpec, TrainingSpec


class Comparison(Table):
    """Everything that a comparison found: what `--json` prints and the report draws.

    Attributes:
        data: which data.
        training: what all methods have in common.
        task: `"classification"` or `"regression"`.
        seeds: seeds of every method.
        sizes: number of rows of the parts `"train"`, `"validation"` and `"test"`.
        grid: candidates of each method, from which the validation split chose.
        grid_errors: their mean validation errors.
        verdict: one sentence for the reader.
        details: one sentence for each comparison behind it.
        notes: what was noticed while the data were read.
        versions: of the software.
    """

    data: DataSpec
    training: TrainingSpec
    task: str
    seeds: list[int]
    sizes: dict[str, int]
    grid: dict[str, list[MethodSpec]]
    grid_errors: dict[str, list[float]]
    verdict: str
    details: list[str]
    notes: list[str]
    versions: dict[str, str]

    def head(self) -> list[str]:
        """Return the column names of the table, as the terminal and the page print it."""
        error = "test error" if self.unit == "%" else "test RMSE"
        compared = [f"vs {label} (p)" for label in self._baselines()]
        return ["method", "chosen on validation", f"{error} (95 %)", *compared, "mixed", ESS, "s / run"]

    def cells(self) -> list[list[str]]:
        """Return the rows of the table as text."""
        return [
            [
                row.marked_label,
                row.chosen,
                error_text(row.error, self.decimals),
                *(difference_cell(row.differences.get(label), self.decimals) for label in self._baselines()),
                f"{100 * row.mixed_share:.0f} %",
                f"{row.ess_ratio:.2f}",
                f"{row.train_seconds:.1f}",
            ]
            for row in self.rows
        ]

    def _baselines(self) -> list[str]:
        return [label for label in BASELINES if self.row(label) is not None]
