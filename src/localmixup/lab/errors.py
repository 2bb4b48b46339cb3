"""Errors of the lab beside `ArgumentError`, and how to quote those of other libraries."""

from localmixup._validate import ArgumentError


class DataMissingError(ArgumentError):
    """A named data set cannot be found."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where it has none.

    Args:
        error: any exception.
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
