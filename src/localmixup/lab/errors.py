"""Errors of the lab in addition to `ArgumentError`, and how to quote the errors of other libraries."""

from localmixup._validate import ArgumentError


class DataMissingError(ArgumentError):
    """A named data set was not found."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its type if the message is empty.

    Args:
        error: any exception.
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
