"""Numbers, differences and effects in words: the one place that decides how they are printed."""

from __future__ import annotations

import math

from localmixup.lab.analysis.statistics import Difference, Mean
from localmixup.lab.runs.spec import TrainingSpec

LEVEL = 0.05
"""A difference is called shown if its corrected p-value is below this."""

ESS = "ESS / n"
"""Column head of `ess_ratio`."""


def decimals_of(unit: str, largest: float) -> int:
    """Return how many decimals errors need: 2 for percentages, and otherwise four digits of the largest error.

    Args:
        unit: of the errors.
        largest: the largest of them.

    >>> decimals_of("%", 17.25), decimals_of("RMSE", 2.9), decimals_of("RMSE", 1450.0), decimals_of("RMSE", 0.003)
    (2, 3, 0, 6)
    """
    if unit == "%" or not 0 < largest < math.inf:
        return 2
    return max(0, 3 - math.floor(math.log10(largest)))


def error_text(error: Mean, decimals: int = 2) -> str:
    """Return a mean and the half-width of its interval.

    Args:
        error: the mean.
        decimals: of the mean.

    >>> error_text(Mean(2.5, 2.2, 2.8)), error_text(Mean(2.5, math.nan, math.nan))
    ('2.50 ± 0.3', '2.50')
    """
    half = "" if math.isnan(error.low) else f" ± {error.high - error.mean:.2g}"
    return f"{error.mean:.{decimals}f}{half}"


def p_text(p: float) -> str:
    """Return a p-value with its relation.

    >>> p_text(0.0004), p_text(0.0312), p_text(1.0)
    ('p < 0.001', 'p = 0.031', 'p = 1')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def signed(value: float, decimals: int = 2) -> str:
    """Return a number with its sign; what is rounded to zero has a plus.

    >>> signed(-0.25), signed(-0.001)
    ('-0.25', '+0.00')
    """
    return f"{round(value, decimals) + 0.0:+.{decimals}f}"


def difference_cell(d: Difference | None, decimals: int = 2) -> str:
    """Return a difference as it stands in a table, with its p-value in brackets.

    Args:
        d: the difference, or None for an empty cell.
        decimals: of the difference.

    >>> difference_cell(Difference(-1.0, -1.5, -0.5, 0.0001)), difference_cell(Difference(0.5, 0.1, 0.9, 0.3))
    ('-1.00 (<0.001)', '+0.50 (0.3)')
    """
    if d is None:
        return ""
    p = "" if math.isnan(d.p) else f" ({p_text(d.p).removeprefix('p ').removeprefix('= ').replace('< ', '<')})"
    return f"{d.mean:+.{decimals}f}{p}"


def difference_text(d: Difference | None, unit: str = "%", decimals: int = 2) -> str:
    """Return a paired difference in words.

    Args:
        d: the difference, its p-value corrected; None if there is none.
        unit: of the errors.
        decimals: of the numbers.

    >>> difference_text(Difference(-1.0, -1.5, -0.5, 0.0001))
    '-1.00 points (95 % -1.50 to -0.50, p < 0.001)'
    """
    if d is None:
        return "not compared"
    mean = f"{d.mean:+.{decimals}f} {_points(unit)}"
    if math.isnan(d.p):
        return f"{mean} (one run: no test)"
    spread = "" if math.isnan(d.low) else f"95 % {d.low:+.{decimals}f} to {d.high:+.{decimals}f}, "
    return f"{mean} ({spread}{p_text(d.p)})"


def effect(d: Difference | None) -> int:
    """Return the sign of a difference that is shown: -1 for a lower error, 1 for a higher one, 0 for not shown.

    Args:
        d: the difference, its p-value corrected.

    >>> effect(Difference(-1.0, -1.5, -0.5, 0.0001)), effect(Difference(-1.0, -1.5, -0.5, 0.2)), effect(None)
    (-1, 0, 0)
    """
    if d is None or math.isnan(d.p) or d.p >= LEVEL:
        return 0
    return -1 if d.mean < 0 else 1


def not_excluded(d: Difference | None, unit: str = "%", decimals: int = 2) -> str:
    """Return how large a difference the interval leaves possible; empty if there is no interval.

    Args:
        d: the difference.
        unit: of the errors.
        decimals: of the number.

    >>> not_excluded(Difference(0.1, -0.7, 0.9, 0.8))
    'up to 0.90 points are not excluded'
    """
    if d is None or math.isnan(d.low):
        return ""
    return f"up to {max(abs(d.low), abs(d.high)):.{decimals}f} {_points(unit)} are not excluded"


def no_effect(what: str, d: Difference | None, unit: str = "%", decimals: int = 2) -> str:
    """Return "no WHAT is shown", with how large it may still be.

    Args:
        what: such as `"difference"`.
        d: the difference.
        unit: of the errors.
        decimals: of the number.
    """
    still = not_excluded(d, unit, decimals)
    return f"no {what} is shown" + (f", {still}" if still else "")


def locality(d: Difference | None, unit: str = "%", decimals: int = 2) -> str:
    """Return what the difference of a local method to its control says.

    Args:
        d: the difference, its p-value corrected.
        unit: of the errors.
        decimals: of the number.
    """
    shown = {-1: "locality helps", 1: "locality harms"}.get(effect(d))
    return shown or no_effect("effect of locality", d, unit, decimals)


def setting(training: TrainingSpec) -> str:
    """Return how arms were trained, in words.

    Args:
        training: what they have in common.
    """
    words = [
        f"{training.updates:,} updates of {training.batch_size}",
        f"{training.optimizer} at {training.learning_rate:g}, {training.schedule}",
        f"weight decay {training.weight_decay:g}",
    ]
    if training.augmentation != "none":
        words.append(training.augmentation)
    if training.validation_share:
        words.append(f"{100 * training.validation_share:g} % held out for validation")
    return ", ".join(words)


def _points(unit: str) -> str:
    return "points" if unit == "%" else unit
