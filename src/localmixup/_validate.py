"""Checks of arguments: each failure is one line that names the argument, what is allowed and what was given."""

from __future__ import annotations

import functools
import inspect
import math
import sys
import warnings
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, TypeVar

T = TypeVar("T")


class ArgumentError(ValueError):
    """An argument is invalid. The message names it, says what is allowed, and shows what was given."""


class UnknownArgumentError(ArgumentError, TypeError):
    """A keyword argument that does not exist. Also a `TypeError`, as Python itself raises."""


def check_number(name: str, value: Any, *, low: float, high: float = math.inf, meaning: str = "") -> float:
    """Return `value` as a float if it is a number in `[low, high]`.

    Args:
        name: name of the argument, for the message.
        value: what the caller gave.
        low: smallest allowed value.
        high: largest allowed value, inclusive.
        meaning: what the ends of the range mean, for the message.

    Raises:
        ValueError: `value` is not a number, is NaN, or is out of range.

    >>> check_number("decay", 2, low=0)
    2.0
    """
    allowed = f"{name} must be >= {low:g}" if high == math.inf else f"{name} must be between {low:g} and {high:g}"
    if meaning:
        allowed += f" ({meaning})"
    if isinstance(value, bool) or not hasattr(value, "__float__") or isinstance(value, str):
        raise ArgumentError(f"{allowed}, got {value!r:.80}")
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError, RuntimeError):
        raise ArgumentError(f"{allowed}, got {value!r:.80}") from None
    if math.isnan(number) or not low <= number <= high:
        raise ArgumentError(f"{allowed}, got {number}")
    return number


def check_integer(name: str, value: Any, *, low: int, meaning: str = "") -> int:
    """Return `value` as an int if it is a whole number of at least `low`.

    Args:
        name: name of the argument, for the message.
        value: what the caller gave.
        low: smallest allowed value.
        meaning: what the ends of the range mean, for the message.

    Raises:
        ValueError: `value` is not a whole number, or is too small.

    >>> check_integer("n_neighbors", 5, low=0)
    5
    """
    allowed = f"{name} must be a whole number >= {low}" + (f" ({meaning})" if meaning else "")
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentError(f"{allowed}, got {value!r:.80}")
    try:
        number = int(value.__index__())
    except (TypeError, ValueError, RuntimeError):
        raise ArgumentError(f"{allowed}, got {value!r:.80}") from None
    if number < low:
        raise ArgumentError(f"{allowed}, got {number}")
    return number


def check_choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of `allowed`; otherwise suggest the closest one.

    Args:
        name: name of the argument, for the message.
        value: what the caller gave.
        allowed: the allowed names.

    Raises:
        ValueError: `value` is not one of `allowed`.

    >>> check_choice("outside", "unmix", ("discard", "unmix"))
    'unmix'
    """
    names = list(allowed)
    if isinstance(value, str) and value in names:
        return value
    raise ArgumentError(f"{name} must be one of {', '.join(map(repr, names))}, got {value!r:.80}{_hint(value, names)}")


def check_flag(name: str, value: Any) -> bool:
    """Return `value` if it is True or False.

    Args:
        name: name of the argument, for the message.
        value: what the caller gave; NumPy's booleans are accepted.

    Raises:
        ValueError: `value` is not a boolean.

    >>> check_flag("per_sample", True)
    True
    """
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return bool(value)
    raise ArgumentError(f"{name} must be True or False, got {value!r:.80}")


def refuse_unknown(owner: str, given: Iterable[str], known: Iterable[str], similar: dict[str, str]) -> None:
    """Raise an error if a keyword argument is not known; suggest the one that was probably meant.

    Args:
        owner: name of the class or function, for the message.
        given: names of the unknown keyword arguments.
        known: names of its arguments.
        similar: what to suggest for some frequent mistakes.

    Raises:
        ValueError: `given` is not empty. The error is a `TypeError` as well.

    >>> refuse_unknown("LocalMixup", [], ["prob"], {})
    """
    names = list(known)
    for name in given:
        near = [similar[name]] if name in similar else get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(names) or 'no argument'}"
        raise UnknownArgumentError(f"{owner} has no argument {name!r}: {hint}")


def suggests(**similar: str) -> Callable[[type[T]], type[T]]:
    """Return a decorator of classes whose constructor then explains an unknown keyword argument by `refuse_unknown`.

    Args:
        **similar: what to suggest for some frequent mistakes.
    """

    def decorated(cls: type[T]) -> type[T]:
        init = cls.__init__
        known = list(inspect.signature(init).parameters)[1:]

        @functools.wraps(init)
        def checked(self: T, *args: Any, **options: Any) -> None:
            refuse_unknown(cls.__name__, [name for name in options if name not in known], known, similar)
            init(self, *args, **options)

        cls.__init__ = checked  # type: ignore[assignment,method-assign]
        return cls

    return decorated


def _hint(value: Any, names: list[str]) -> str:
    near = get_close_matches(str(value), names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def warn(message: str) -> None:
    """Give a `UserWarning` that points to the line that called the library, not to one of the library or of PyTorch.

    Args:
        message: what happened, and what to do.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("localmixup", "torch"):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
