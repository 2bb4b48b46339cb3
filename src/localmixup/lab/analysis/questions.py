"""The questions of a comparison: which arms face which. Some rows choose the arms, others answer.

Every question has one primary contrast, and Holm's method keeps the probability that any of them is answered wrongly
at `LEVEL`. A fixed sequence would ask the second question only after a positive answer to the first: where mixup helps
and locality adds nothing, it could never say "use mixup". Holm's method has no such order, and as the question of the
probabilities is mostly answered with certainty, the others are in effect tested at `LEVEL / 2` and `LEVEL`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from localmixup.lab.analysis.resampled import Design, Estimate, Measured, difference_of
from localmixup.lab.analysis.statistics import holm
from localmixup.lab.analysis.wording import LEVEL

VANILLA, MIXUP, LOCAL = "vanilla", "mixup", "local mixup"
"""Labels of the three arms among which the decision is."""

POINTS = 0.3
"""Errors in percent that differ by less count as equal, however small they are."""

SHARES = {"%": 0.05, "RMSE": 0.025, "nll": 0.05}
"""Measures that differ by a smaller share count as equal. 2.5 % of the RMSE is 5 % of the mean squared error."""


class Choice(NamedTuple):
    """What the rows that choose preferred.

    Attributes:
        mixup: place of the mixup that was chosen among its candidates.
        local: place of the local mixup that was chosen among its candidates.
        reference: the better of vanilla training and the chosen mixup: what local mixup has to beat.
        front: the better of the chosen mixup and the chosen local mixup: what would be used.
    """

    mixup: int
    local: int
    reference: str
    front: str


def choose(vanilla: float, mixup: Sequence[float], local: Sequence[float]) -> Choice:
    """Choose by the mean validation error. Of equal ones the simpler wins: the first, and vanilla before mixup.

    Args:
        vanilla: mean validation error of vanilla training.
        mixup: of the candidates for mixup, the mildest first.
        local: of the candidates for local mixup, the simplest first.

    >>> choose(3.0, [3.0, 2.0, 2.0], [2.5, 2.0])
    Choice(mixup=1, local=1, reference='mixup', front='mixup')
    """
    best = [first_lowest(errors) for errors in (mixup, local)]
    of_mixup, of_local = mixup[best[0]], local[best[1]]
    reference = (VANILLA, MIXUP)[first_lowest([vanilla, of_mixup])]
    return Choice(best[0], best[1], reference, (MIXUP, LOCAL)[first_lowest([of_mixup, of_local])])


def first_lowest(errors: Sequence[float]) -> int:
    """Return the place of the lowest error, the first of equal ones; NaN counts as infinity."""
    values = np.nan_to_num(np.asarray(errors, dtype=float), nan=math.inf, posinf=math.inf)
    lowest = values.min()
    return int(np.argmax(values <= lowest + 1e-9 * max(1.0, abs(lowest)))) if math.isfinite(lowest) else 0


class Judged(NamedTuple):
    """An arm on the rows that judge.

    Attributes:
        error: the error in percent, or the RMSE.
        nll: the negative log-likelihood; None for regression.
    """

    error: Measured
    nll: Measured | None = None


class Contrast(BaseModel):
    """One arm against another.

    Attributes:
        question: key of the question.
        one: label of the first arm.
        other: label of the second.
        unit: `"%"`, `"RMSE"` or `"nll"`.
        values: means of the two arms.
        mean: `one - other`: negative where the first arm is better.
        low: lower end of the interval.
        high: upper end of the interval.
        confidence: of the interval. An interval leaves out zero if and only if the difference is shown.
        p: p-value, corrected by Holm's method over the questions.
        margin: differences within it count as equal.
        better: probability that the first arm is better by more than the margin.
        equal: probability that the two are equal within the margin.
        worse: probability that the first arm is worse by more than the margin.
        detectable: difference that would have been shown with a probability of 80 %.
        limit: the same with any number of resamples of these data.
        needed: number of resamples at which a difference as large as the margin would be; None if none is enough.
    """

    model_config = ConfigDict(frozen=True)

    question: str
    one: str
    other: str
    unit: str
    values: tuple[float, float]
    mean: float
    low: float
    high: float
    confidence: float
    p: float
    margin: float
    better: float
    equal: float
    worse: float
    detectable: float
    limit: float
    needed: int | None

    @property
    def shown(self) -> int:
        """-1 if the first arm is shown to be better, 1 if it is shown to be worse, else 0."""
        if math.isnan(self.p) or self.p >= LEVEL:
            return 0
        return -1 if self.mean < 0 else 1


def margin_of(unit: str, value: float) -> float:
    """Return the difference up to which two arms count as equal.

    Args:
        unit: `"%"`, `"RMSE"` or `"nll"`.
        value: of the arm that is compared with.

    >>> margin_of("%", 2.0), margin_of("%", 20.0)
    (0.3, 1.0)
    """
    return max(POINTS if unit == "%" else 1e-12, SHARES[unit] * value)


def contrasts_of(judged: Mapping[str, Judged], choice: Choice, design: Design, unit: str) -> dict[str, Contrast]:
    """Return the primary contrast of every question, by its key.

    "locality": local mixup against the better of vanilla training and mixup. "mixup": mixup against vanilla training.
    "mixing": local mixup against vanilla training, where it would be used and has to beat mixup in the first question.
    "calibration": the negative log-likelihood of what would be used against vanilla training.

    Args:
        judged: of `VANILLA`, `MIXUP` and `LOCAL`.
        choice: made on the rows that choose.
        design: how the resamples were drawn.
        unit: of the errors, `"%"` or `"RMSE"`.
    """
    pairs = {"locality": (LOCAL, choice.reference), "mixup": (MIXUP, VANILLA)}
    if choice.reference == MIXUP and choice.front == LOCAL:
        pairs["mixing"] = (LOCAL, VANILLA)
    grain = 100 / design.rows if unit == "%" else 0.0
    found = {
        question: (one, other, unit, difference_of(judged[one].error, judged[other].error, design, grain=grain))
        for question, (one, other) in pairs.items()
    }
    mine, theirs = judged[choice.front].nll, judged[VANILLA].nll
    if mine is not None and theirs is not None:
        found["calibration"] = (choice.front, VANILLA, "nll", difference_of(mine, theirs, design))
    p_values = [estimate.p for *_, estimate in found.values()]
    levels, corrected = levels_of(p_values), holm(p_values)
    return {
        question: _contrast(question, *about, judged, level, p)
        for (question, about), level, p in zip(found.items(), levels, corrected, strict=True)
    }


def levels_of(p_values: Sequence[float]) -> list[float]:
    """Return the level at which Holm's method tests each hypothesis.

    The intervals are given at this level: they leave out zero where the test rejects, and only there.

    Args:
        p_values: not corrected. NaN does not count.

    >>> levels_of([0.001, 0.2, 0.04])
    [0.016666666666666666, 0.025, 0.025]
    """
    order = sorted((p, k) for k, p in enumerate(p_values) if not math.isnan(p))
    levels, rejected, left = [LEVEL] * len(p_values), True, len(order)
    for place, (p, k) in enumerate(order):
        if rejected:
            left = len(order) - place
            rejected = p * left < LEVEL
        levels[k] = LEVEL / left
    return levels


def _contrast(
    question: str,
    one: str,
    other: str,
    unit: str,
    estimate: Estimate,
    judged: Mapping[str, Judged],
    level: float,
    p: float,
) -> Contrast:
    measures = [judged[label].nll if unit == "nll" else judged[label].error for label in (one, other)]
    means = [math.nan if measured is None else float(measured.values.mean()) for measured in measures]
    margin = margin_of(unit, means[1])
    low, high = estimate.interval(level)
    if unit == "%":  # no error in percent is larger
        low, high = max(low, -100.0), min(high, 100.0)
    better, equal, worse = estimate.probabilities(margin)
    return Contrast(
        question=question, one=one, other=other, unit=unit, values=(means[0], means[1]), mean=estimate.mean, low=low,
        high=high, confidence=1 - level, p=p, margin=margin, better=better, equal=equal, worse=worse,
        detectable=estimate.detectable(level), limit=estimate.limit(level),
        needed=estimate.resamples_for(margin, level),
    )  # fmt: skip
