"""Optional frameworks: import them on use, and name the command that installs a missing one."""

from __future__ import annotations

import importlib
from typing import Any


def require(package: str, user: str, extra: str) -> Any:
    """Import an optional package.

    Args:
        package: its import name.
        user: what needs it, for the message.
        extra: the extra of this project that installs it.

    Returns:
        The module.

    Raises:
        ImportError: the package is not installed. If it is installed but something it needs is missing, that error is
            raised unchanged.

    >>> require("math", "The example", "lab").pi > 3
    True
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        command = f"pip install -e '.[{extra}]'"
        raise ImportError(f"{user} needs {package}: run {command} in a checkout of localmixup", name=package) from error


def combine(name: str, mixin: type, base: type) -> type:
    """Create a class from a mixin of this project and a class of a framework that was imported on use.

    Args:
        name: name of the new class.
        mixin: gives it its documentation and module, so that it can be pickled.
        base: the class of the framework.
    """
    return type(name, (mixin, base), {"__module__": mixin.__module__, "__doc__": mixin.__doc__})
