"""What `localmixup compare` found: a table with the grid behind its choices, and a verdict."""

from __future__ import annotations

from localmixup.lab.analysis.table import Table
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
