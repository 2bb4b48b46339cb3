"""Remarks of a comparison: what the reader wants to know, and no question was asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from localmixup.lab.analysis.comparison import Candidate
from localmixup.lab.analysis.decisions import UNCLEAR
from localmixup.lab.analysis.questions import MIXUP, Contrast
from localmixup.lab.analysis.resampled import Estimate
from localmixup.lab.analysis.wording import LEVEL, signed
from localmixup.lab.runs.spec import MethodSpec


def of_probabilities(use: str, values: tuple[float, float], estimate: Estimate) -> str:
    """Return how good the probabilities of the arm are that is used, where the question was about another one.

    Args:
        use: label of the arm.
        values: negative log-likelihoods of the arm and of vanilla training.
        estimate: their difference.
    """
    low, high = estimate.interval(LEVEL)
    mine, theirs = (f"{value:.3f}" for value in values)
    mean, *ends = (signed(value, 3) for value in (estimate.mean, low, high))
    return (
        f"The negative log-likelihood of {use}, about which no question was asked beforehand, is {mine}, and {theirs} "
        f"without mixup: {mean}, between {ends[0]} and {ends[1]} with 95 % confidence."
    )


def of_unasked(use: str, contrasts: Mapping[str, Contrast], estimate: Estimate, unit: str, decimals: int) -> str:
    """Return that local mixup is ahead of training without mixup, where only mixup was compared with it; else nothing.

    Args:
        use: the decision.
        contrasts: the questions that were asked.
        estimate: error of local mixup minus that of training without mixup.
        unit: of the errors, `"%"` or `"RMSE"`.
        decimals: of the errors.
    """
    low, high = estimate.interval(LEVEL)
    asked = "mixing" in contrasts or contrasts["locality"].other != MIXUP
    if use != UNCLEAR or asked or not high < 0:
        return ""
    mean, *ends = (signed(value, decimals) for value in (estimate.mean, low, high))
    return (
        f"In the table local mixup has a lower error than training without mixup ({mean}{' points' * (unit == '%')}, "
        f"between {ends[0]} and {ends[1]} with 95 % confidence). That was no question here, because local mixup did "
        "no better than mixup on the rows that choose. Take it as a hint; its settings stand with the table."
    )


def of_recipe(name: str, candidates: Sequence[Candidate], spec: MethodSpec, unit: str, decimals: int) -> str:
    """Return how one recipe did on the rows that choose; empty if it is no candidate.

    Args:
        name: of the recipe.
        candidates: of all arms.
        spec: of the recipe.
        unit: of the errors, `"%"` or `"RMSE"`.
        decimals: of the errors.
    """
    mine = next((candidate for candidate in candidates if candidate.spec == spec), None)
    if mine is None:
        return ""
    if mine.chosen:
        return f"{name} is the {mine.label} of this table."
    best = next(candidate for candidate in candidates if candidate.label == mine.label and candidate.chosen)
    errors = [f"{candidate.validation_error:.{decimals}f}{' %' * (unit == '%')}" for candidate in (mine, best)]
    return (
        f"{name} had an error of {errors[0]} on the rows that choose, where the {best.label} of this table was chosen "
        f"with {errors[1]}."
    )
