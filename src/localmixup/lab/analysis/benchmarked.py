"""What the benchmark found on one data set, as it is stored beside the runs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from scipy import special

from localmixup.lab.runs.spec import MethodSpec


class Effect(BaseModel):
    """One arm against another on one data set.

    Attributes:
        one: label of the first arm.
        other: label of the second.
        measure: `"error"` in the unit of the set, or `"nll"`.
        mean: `one - other`: negative where the first arm is better.
        error: its standard error, from the effects of single rows, see `localmixup.lab.analysis.resampled`.
        bound: the standard error by Nadeau and Bengio's rule, which takes all of the variance for effects of the rows.
        df: degrees of freedom of `error`.
        resamples: number of resamples.
        margin: differences within it count as equal.
    """

    model_config = ConfigDict(frozen=True)

    one: str
    other: str
    measure: str
    mean: float
    error: float
    bound: float
    df: float
    resamples: int
    margin: float

    def interval(self) -> tuple[float, float]:
        """Return the interval of 95 %."""
        half = self.error * float(special.stdtrit(self.df, 0.975))
        return self.mean - half, self.mean + half

    def widest_interval(self) -> tuple[float, float]:
        """Return the interval of 95 % by Nadeau and Bengio's rule."""
        half = self.bound * float(special.stdtrit(self.resamples - 1, 0.975))
        return self.mean - half, self.mean + half


class ArmOnSet(BaseModel):
    """An arm on one data set.

    Attributes:
        label: of the arm.
        settings: what the rows that choose chose, in words.
        learning_rate: likewise.
        method: the method with its parameters.
        choosing_error: mean error on the rows that choose; None for a control, which chooses nothing.
        errors: test error of every resample.
        scores: means of the other measures, by their key in `localmixup.lab.runs.scores`.
        mixed_share: share of the samples whose two ends differ.
    """

    model_config = ConfigDict(frozen=True)

    label: str
    settings: str
    learning_rate: float
    method: MethodSpec
    choosing_error: float | None
    errors: list[float]
    scores: dict[str, float]
    mixed_share: float

    @property
    def error(self) -> float:
        """Mean test error."""
        return sum(self.errors) / len(self.errors)


class SetResult(BaseModel):
    """Everything that was found on one data set.

    Attributes:
        name: of the set.
        kind: see `localmixup.lab.benchmark.suite.Member`.
        untouched: see there.
        task: `"classification"` or `"regression"`.
        unit: of the errors, `"%"` or `"RMSE"`.
        columns: number of inputs.
        classes: number of classes; 0 for a regression.
        train_rows: rows that a run that judges trained on.
        test_rows: rows that it was judged on.
        arms: every arm and control, in the order of the table.
        reference: label of the better of vanilla training and tuned mixup on the rows that choose.
        winner: label of the local arm that the controls belong to.
        effects: differences between arms.
        verdict: the word of `localmixup inspect`: `"safe"`, `"harmful"` or `"unclear"`.
        trainings: number of trainings.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    untouched: bool
    task: str
    unit: str
    columns: int
    classes: int
    train_rows: int
    test_rows: int
    arms: list[ArmOnSet]
    reference: str
    winner: str
    effects: list[Effect]
    verdict: str
    trainings: int

    def arm(self, label: str) -> ArmOnSet:
        """Return an arm by its label."""
        return next(arm for arm in self.arms if arm.label == label)

    def effect(self, one: str, other: str, measure: str = "error") -> Effect | None:
        """Return the difference of two arms, or None if it was not measured."""
        wanted = (one, other, measure)
        return next((e for e in self.effects if (e.one, e.other, e.measure) == wanted), None)
