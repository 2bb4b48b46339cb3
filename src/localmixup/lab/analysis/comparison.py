"""What `localmixup compare` found: the decision, its grounds, and a table of everything that was measured."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from localmixup.lab.analysis.decisions import Decision
from localmixup.lab.analysis.questions import Contrast
from localmixup.lab.analysis.statistics import Mean
from localmixup.lab.runs.spec import DataSpec, MethodSpec, TrainingSpec


class ComparedArm(BaseModel):
    """One row of the table: an arm on the rows that judge.

    Attributes:
        label: the name that is printed.
        kind: `"arm"` for the three arms of the decision, `"control"`, or `"further"` for a method that was asked for.
        settings: its parameters in words.
        spec: the method.
        errors: test error of every resample.
        error: their mean, with the interval of 95 % that its differences would have.
        scores: means of the other measures, by their key in `localmixup.lab.runs.scores`.
        against_vanilla: difference of the error to vanilla training with its interval of 95 %, not corrected and not
            used for the decision; None for vanilla training.
        mixed_share: share of the samples whose two ends differ.
        train_seconds: mean training time.
        keys: keys of the records, one for each resample.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    kind: str
    settings: str
    spec: MethodSpec
    errors: list[float]
    error: Mean
    scores: dict[str, float]
    against_vanilla: Mean | None
    mixed_share: float
    train_seconds: float
    keys: list[str]


class Candidate(BaseModel):
    """A candidate with its mean error on the rows that choose.

    Attributes:
        label: of the arm that it stands for.
        settings: its parameters in words.
        spec: the method.
        validation_error: mean over the trainings that choose.
        chosen: whether it was chosen.
        keys: keys of the records.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    settings: str
    spec: MethodSpec
    validation_error: float
    chosen: bool
    keys: list[str]


class Comparison(BaseModel):
    """Everything that a comparison found: what `--json` prints and the page shows.

    Attributes:
        decision: what to do, and why.
        recipe: what `LocalMixup.from_config` takes to do it. Where nothing can be told it mixes nothing.
        front: the recipe to try where nothing can be told: that of `decision.front`.
        contrasts: the answer to every question, by its key.
        attribution: one sentence on whether the nearness of the partners is the reason.
        remarks: sentences on what no question was asked about.
        controls: local mixup against its two controls: the mean difference with its interval of 95 %.
        rows: the table.
        candidates: what the rows that choose chose from.
        unit: of the errors, `"%"` or `"RMSE"`.
        decimals: how many decimals errors are printed with.
        task: `"classification"` or `"regression"`.
        data: which data.
        training: what all arms have in common.
        resamples: number of resamples that judge.
        sizes: number of rows: `"train"` in a resample, `"choose"` to choose, `"test"` to judge in a resample.
        own_test_set: whether the test rows are those of a test set of the data.
        notes: what was noticed on the way.
        versions: of the software.
    """

    model_config = ConfigDict(frozen=True)

    decision: Decision
    recipe: dict[str, Any]
    front: dict[str, Any]
    contrasts: dict[str, Contrast]
    attribution: str
    remarks: list[str]
    controls: dict[str, Mean]
    rows: list[ComparedArm]
    candidates: list[Candidate]
    unit: str
    decimals: int
    task: str
    data: DataSpec
    training: TrainingSpec
    resamples: int
    sizes: dict[str, int]
    own_test_set: bool
    notes: list[str]
    versions: dict[str, str]

    def row(self, label: str) -> ComparedArm | None:
        """Return the row of a label, or None.

        Args:
            label: of the row.
        """
        return next((row for row in self.rows if row.label == label), None)
