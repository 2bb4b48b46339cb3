"""The one kind of error that the command line prints as a line of its own, without a traceback."""


class UserError(Exception):
    """A mistake in what the user gave: the message names it, and what is allowed."""
