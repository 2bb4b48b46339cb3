"""Whether it is the nearness of the partners that helps: local mixup against its two matched controls."""

from __future__ import annotations

from collections.abc import Mapping

from localmixup.lab.analysis.resampled import Estimate
from localmixup.lab.analysis.wording import LEVEL, signed

AS_OFTEN = "control: mixed as often"
"""Label of the control that mixes as many samples, each equally often, with random partners."""

AS_FAR = "control: moved as far"
"""Label of the control that moves as many samples as far, with random partners."""


def attribution_of(estimates: Mapping[str, Estimate], unit: str, decimals: int) -> str:
    """Return whether nearness is the reason, in one sentence.

    Local mixup also mixes other numbers of samples, and moves them less, than mixup does. Only what is left against
    both controls is the effect of nearness. It must be shown against each at a level of 5 %.

    Args:
        estimates: local mixup minus each control, by the label of the control.
        unit: of the errors, `"%"` or `"RMSE"`.
        decimals: of the numbers.
    """
    names = {AS_OFTEN: "mixed as often", AS_FAR: "moved as far"}
    told = " and ".join(
        f"{_range(estimate, unit, decimals)} against random partners {names[label]}"
        for label, estimate in estimates.items()
    )
    if all(estimate.p < LEVEL and estimate.mean < 0 for estimate in estimates.values()):
        return f"That the partners are near is what helps: {told}."
    if any(estimate.p < LEVEL and estimate.mean > 0 for estimate in estimates.values()):
        return f"That the partners are near does not help here: {told}."
    return f"Whether it matters that the partners are near cannot be told: {told}."


def _range(estimate: Estimate, unit: str, decimals: int) -> str:
    low, high = estimate.interval(LEVEL)
    points = " points" if unit == "%" else ""
    return f"{signed(estimate.mean, decimals)}{points} ({signed(low, decimals)} to {signed(high, decimals)})"
