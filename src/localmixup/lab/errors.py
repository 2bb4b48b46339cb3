"""The one kind of error that the command line prints as a line of its own, without a traceback."""


class UserError(Exception):
    """A mistake in what the user gave: the message names it, and what is allowed."""


class DataMissingError(UserError):
    """A named data set is nowhere to be found."""


def first_line(error: BaseException) -> str:
    """What another library's error says, cut to its first line.

    Args:
        error: any.
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
