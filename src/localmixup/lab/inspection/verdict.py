"""Decide whether mixup is safe, and say why. This is the only place that does so."""

from __future__ import annotations

from typing import Literal, NamedTuple

from localmixup.geometry import RegionReport, TargetReport
from localmixup.geometry.target_gap import SAFE_GAP
from localmixup.graphs import CompleteGraph
from localmixup.lab.inspection.percents import percent

Word = Literal["safe", "harmful", "unclear"]

SAFE_UP_TO = 1.0
"""Percentage points of `RegionReport.excess` up to which mixup is called safe."""

HARMFUL_FROM = 3.0
"""Percentage points of `RegionReport.excess` from which mixup is called harmful."""

HARMFUL_GAP = 2.0
"""Gap of the mixed targets of a regression from which mixup is called harmful."""

FIRST_LINE = {
    "safe": "Mixup is safe here.",
    "harmful": "Mixup would harm here.",
    "unclear": "Unclear: mixup may help or harm here.",
}
"""What each word says, as the first line of the command and of the page."""

_SAFE = "It is not expected to harm. Run localmixup compare to see whether it helps."
_WITHOUT = "Train without mixup, unless localmixup compare shows a gain."


class Verdict(NamedTuple):
    """Whether mixup is safe.

    Attributes:
        word: the decision.
        why: the reason in a sentence or two.
        score: what it rests on: with classes the excess of `localmixup.geometry.RegionReport`, in percentage points;
            for a regression the gap of the mixed targets.
    """

    word: Word
    why: str
    score: float

    @property
    def first_line(self) -> str:
        """The decision as a sentence."""
        return FIRST_LINE[self.word]


def word_for(score: float, task: str) -> Word:
    """Return the decision that belongs to a score.

    Args:
        score: see `Verdict`.
        task: `"classification"` or `"regression"`.

    >>> word_for(-2.0, "classification"), word_for(30.0, "classification"), word_for(0.8, "regression")
    ('safe', 'harmful', 'safe')
    """
    low, high = (SAFE_UP_TO, HARMFUL_FROM) if task == "classification" else (SAFE_GAP, HARMFUL_GAP)
    if score >= high:
        return "harmful"
    return "safe" if score <= low else "unclear"


def verdict_on_classes(report: RegionReport) -> Verdict:
    """Return the verdict on data with classes.

    Args:
        report: from `localmixup.geometry.class_regions`.
    """
    within, error = report.rates(CompleteGraph())["within"].value, report.error.value
    score = 100 * report.excess
    word = word_for(score, "classification")
    numbers = (
        "When two samples of the same class are mixed, the result looks like another class in "
        f"{percent(within)} of the cases. Of the samples themselves, {percent(error)} look like another class."
    )
    reason = {
        "safe": f"Mixing adds no confusion. {_SAFE}",
        "harmful": f"So mixing puts many samples where their label is wrong. {_WITHOUT}",
        "unclear": "With such a small difference mixup harmed on some data sets and helped on others: compare both.",
    }[word]
    return Verdict(word, f"{numbers} {reason}", score)


def verdict_on_targets(report: TargetReport) -> Verdict:
    """Return the verdict on a regression.

    Args:
        report: from `localmixup.geometry.target_gap`.
    """
    score = report.gap(CompleteGraph()).value
    word = word_for(score, "regression")
    numbers = (
        "The target of a mixed sample is compared with what real samples say about the same place. The mean squared "
        f"difference is {score:.2g} times the one that real samples have themselves."
    )
    reason = {
        "safe": f"Mixing adds no error to the targets. {_SAFE}",
        "harmful": f"So the target bends between the samples, and mixed targets are wrong. {_WITHOUT}",
        "unclear": "So mixed targets are somewhat less exact than real ones: compare both.",
    }[word]
    return Verdict(word, f"{numbers} {reason}", score)
