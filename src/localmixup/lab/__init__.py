"""The lab: is mixup safe on your data, and what should you use? As commands, and as functions for notebooks.

    import localmixup.lab as lab

    lab.inspect(frame, target="diagnosis")
    lab.compare(None, frame, target="diagnosis")

Nothing heavy is imported before a function is called.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localmixup.lab.functions.comparing import compare as compare
    from localmixup.lab.functions.inspecting import inspect as inspect

__all__ = ["compare", "inspect"]

_HOME = {"compare": "comparing", "inspect": "inspecting"}


def __getattr__(name: str) -> Any:
    """Import a function on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'localmixup.lab' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"localmixup.lab.functions.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
