"""Rates as text."""

from __future__ import annotations


def percent(value: float) -> str:
    """Return a rate as text.

    Args:
        value: in [0, 1], or NaN.

    >>> percent(0.1234), percent(0.00004), percent(0.0), percent(float("nan"))
    ('12.3 %', '0.004 %', '0 %', '-')
    """
    if value != value:
        return "-"
    return f"{100 * value:.1f} %" if value >= 0.00995 else f"{100 * value:.2g} %"
