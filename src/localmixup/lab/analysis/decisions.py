"""From the answers to the questions to a decision: use local mixup, use mixup, train without mixup, or unclear."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA, Choice, Contrast
from localmixup.lab.analysis.sentences import (
    calibrated,
    equal_or_not,
    headline_of,
    helps,
    no_gain,
    nothing_seen,
    of_harm,
    of_mixup,
    worse_probabilities,
)
from localmixup.lab.analysis.wording import LEVEL

UNCLEAR = "unclear"
"""The decision where nothing can be told."""


class Decision(BaseModel):
    """What to do.

    Attributes:
        use: `"local mixup"`, `"mixup"`, `"vanilla"` or `"unclear"`.
        headline: the decision in words.
        why: one sentence or two.
        contrast: key of the question whose answer decides.
        compared: labels of its two arms.
        probability: that the first one is better, equal within the margin, and worse.
        difference: the first minus the second, with the ends of its interval.
        detectable: difference that would have been shown with a probability of 80 %.
        front: what the rows that choose preferred of mixup and local mixup: the one to try where nothing can be told.
    """

    model_config = ConfigDict(frozen=True)

    use: str
    headline: str
    why: str
    contrast: str
    compared: tuple[str, str]
    probability: dict[str, float]
    difference: tuple[float, float, float]
    detectable: float
    front: str


def decide(contrasts: Mapping[str, Contrast], choice: Choice) -> Decision:
    """Decide by the primary contrasts.

    Mixing has to be shown to be worth it, by fewer errors or by better probabilities at an error that is not larger.
    Between two forms that are, the simpler one is used unless local mixup is shown to be better.

    Args:
        contrasts: from `contrasts_of`.
        choice: made on the rows that choose.
    """
    locality, mixup = contrasts["locality"], contrasts["mixup"]
    of_local = contrasts.get("mixing", locality)
    front = mixup if choice.front == MIXUP else of_local
    if math.isnan(locality.low):
        return _decision(
            UNCLEAR, "A single resample gives no interval and no test: use at least 5.", front, contrasts, choice
        )
    if locality.shown < 0 and _local_is_the_one(contrasts, choice):
        return _decision(LOCAL, helps(locality), locality, contrasts, choice)
    if mixup.shown < 0:
        return _decision(MIXUP, f"{helps(mixup)} {of_mixup(locality)}", mixup, contrasts, choice)
    if of_local.other == VANILLA and of_local.shown < 0:
        return _decision(LOCAL, f"{helps(of_local)} {equal_or_not(locality)}", of_local, contrasts, choice)
    calibration = contrasts.get("calibration")
    if calibration and calibration.shown < 0 and front.worse <= LEVEL:
        return _decision(choice.front, calibrated(front, calibration), calibration, contrasts, choice)
    if mixup.shown > 0:
        return _decision(VANILLA, of_harm(mixup, locality), mixup, contrasts, choice)
    if max(of_local.better, mixup.better) <= LEVEL:
        return _decision(VANILLA, no_gain(of_local, mixup), front, contrasts, choice)
    return _decision(UNCLEAR, nothing_seen(front, calibration), front, contrasts, choice)


def _local_is_the_one(contrasts: Mapping[str, Contrast], choice: Choice) -> bool:
    """Whether local mixup, better than its reference, is not behind the third arm."""
    locality, mixup = contrasts["locality"], contrasts["mixup"]
    if choice.reference == VANILLA:
        return mixup.shown >= 0 or choice.front == LOCAL
    return locality.mean + mixup.mean < 0  # local mixup against vanilla training


def _decision(use: str, why: str, contrast: Contrast, contrasts: Mapping[str, Contrast], choice: Choice) -> Decision:
    calibration = contrasts.get("calibration")
    if calibration and calibration.one == use and calibration.shown > 0:
        why = f"{why} {worse_probabilities(calibration)}"
    return Decision(
        use=use,
        headline=headline_of(use, contrast),
        why=why,
        contrast=contrast.question,
        compared=(contrast.one, contrast.other),
        probability={"better": contrast.better, "equal": contrast.equal, "worse": contrast.worse},
        difference=(contrast.mean, contrast.low, contrast.high),
        detectable=contrast.detectable,
        front=choice.front,
    )
