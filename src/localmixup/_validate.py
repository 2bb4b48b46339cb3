"""Checks of arguments: one line that names the argument, what is allowed and what was given."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class ArgumentError(ValueError):
    """An argument is not as it should be; the message names it, what is allowed, and what was given."""


def check_number(name: str, value: Any, *, low: float, high: float = math.inf, meaning: str = "") -> float:
    """Return `value` as a float if it is a number in `[low, high]`.

    Args:
        name: the argument's name, for the message.
        value: what the caller gave.
        low: the least value allowed.
        high: the largest value allowed, itself included.
        meaning: a word on what the ends of the range mean, for the message.

    Raises:
        ValueError: `value` is not a number, is NaN, or lies outside.

    >>> check_number("decay", 2, low=0)
    2.0
    """
    allowed = f"{name} must be >= {low:g}" if high == math.inf else f"{name} must be between {low:g} and {high:g}"
    if meaning:
        allowed += f" ({meaning})"
    if isinstance(value, bool) or not hasattr(value, "__float__") or isinstance(value, str):
        raise ArgumentError(f"{allowed}, got {value!r}")
    number = float(value)
    if math.isnan(number) or not low <= number <= high:
        raise ArgumentError(f"{allowed}, got {number}")
    return number


def check_integer(name: str, value: Any, *, low: int, meaning: str = "") -> int:
    """Return `value` as an int if it is a whole number of at least `low`.

    Raises:
        ValueError: `value` is not a whole number, or is smaller.

    >>> check_integer("n_neighbors", 5, low=0)
    5
    """
    allowed = f"{name} must be a whole number >= {low}" + (f" ({meaning})" if meaning else "")
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentError(f"{allowed}, got {value!r}")
    if (number := int(value.__index__())) < low:
        raise ArgumentError(f"{allowed}, got {number}")
    return number


def check_choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of `allowed`; otherwise name the nearest one.

    Raises:
        ValueError: `value` is none of `allowed`.

    >>> check_choice("outside", "unmix", ("discard", "unmix"))
    'unmix'
    """
    names = list(allowed)
    if isinstance(value, str) and value in names:
        return value
    near = get_close_matches(str(value), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ArgumentError(f"{name} must be one of {', '.join(map(repr, names))}, got {value!r}{hint}")
