"""Packages that only a part of the library needs: imported on use, and named when they are missing."""

import importlib
from types import ModuleType


class MissingPackageError(ModuleNotFoundError):
    """A package of an extra is not installed; the message says how to install it."""


def require(module: str, extra: str) -> ModuleType:
    """Import a module that belongs to an extra.

    Args:
        module: the module's name, such as `"numba"`.
        extra: the extra of this project that installs it.

    Returns:
        The module.

    Raises:
        MissingPackageError: the package is not installed.

    >>> require("json", extra="lab").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is there, but one that it needs is not
        message = f"{package} is needed for this but not installed; in a checkout: pip install -e '.[{extra}]'"
        raise MissingPackageError(message, name=package) from None
