"""What a comparison found, as frozen values: the table's rows, and everything that the report draws."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from localmixup.lab.analysis.statistics import Difference, Mean
from localmixup.lab.runs.spec import DataSpec, MethodSpec, TrainingSpec


class Row(BaseModel):
    """One line of the table: a method with the parameters that it ended up with, over all seeds.

    Attributes:
        label: as printed.
        method: the method's name.
        spec: its parameters.
        control_of: the local method whose control it is; None for a method of its own.
        chosen: in words, what the validation split chose; empty where there was nothing to choose.
        errors: test error of every seed.
        validation_errors: validation error of every seed.
        error: mean test error and interval.
        differences: paired differences of the test error to other rows, by their label.
        p_holm: the p-values of those differences after Holm, over the whole table.
        train_seconds: mean time of a training.
        mixed_share: share of counted samples that are mixed.
        effective_sample_size: mean over the updates.
        mean_weight: mean weight of a sample.
        keys: of its records, one a seed.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    method: str
    spec: MethodSpec
    control_of: str | None
    chosen: str
    errors: list[float]
    validation_errors: list[float]
    error: Mean
    differences: dict[str, Difference]
    p_holm: dict[str, float]
    train_seconds: float
    mixed_share: float
    effective_sample_size: float
    mean_weight: float
    keys: list[str]


class Comparison(BaseModel):
    """Everything that a comparison found: what `--json` prints and the report draws."""

    model_config = ConfigDict(frozen=True)

    data: DataSpec
    training: TrainingSpec
    task: str
    unit: str
    seeds: list[int]
    sizes: dict[str, int]
    grid: dict[str, list[MethodSpec]]
    grid_errors: dict[str, list[float]]
    rows: list[Row]
    verdict: str
    details: list[str]
    notes: list[str]
    versions: dict[str, str]
