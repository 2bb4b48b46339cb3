"""A key of the user's own code, so that runs of one model are never taken for those of another.

The key follows the code that is loaded, not the text of its file: it works in a notebook, and comments do not count.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable, Iterable
from inspect import getclosurevars
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn

_NOT_CODE = (
    "__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__firstlineno__", "__static_attributes__",
)  # fmt: skip
_PLAIN = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis))


def code_key(factory: Callable[..., Any]) -> str:
    """Return a key of a function or class and of everything of the user's that its code refers to by name.

    Args:
        factory: a function, a class, a method or a `functools.partial`.

    >>> def one(x):
    ...     return x + 1
    >>> code_key(one) == code_key(lambda x: x + 2)
    False
    """
    parts: list[str] = []
    _describe(factory, parts, set())
    return _hash(parts)


def model_key(model: nn.Module) -> str:
    """Return a key of a freshly made model: its modules with their settings and code, and the values it starts from.

    Args:
        model: made with a fixed seed.
    """
    parts: list[str] = []
    seen: set[int] = set()
    for name, module in model.named_modules():
        parts += [name, type(module).__qualname__, module.extra_repr()]
        _describe(type(module), parts, seen)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        content = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
        digest = hashlib.sha256(content).hexdigest()
        parts.append(f"{name} {tuple(tensor.shape)} {tensor.dtype} {tensor.requires_grad} {digest}")
    return _hash(parts)


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _describe(value: Any, parts: list[str], seen: set[int]) -> None:
    """Add descriptions of a value, and of what its code refers to, to `parts`."""
    if isinstance(value, _PLAIN):
        parts.append(repr(value))
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, (list, tuple)):
        for item in value:
            _describe(item, parts, seen)
    elif isinstance(value, (set, frozenset)):
        parts.append(repr(sorted(map(repr, value))))
    elif isinstance(value, dict):
        for key, item in value.items():
            parts.append(repr(key) if isinstance(key, _PLAIN) else type(key).__qualname__)
            _describe(item, parts, seen)
    elif isinstance(value, functools.partial):
        _describe([value.func, value.args, value.keywords], parts, seen)
    elif isinstance(value, property):
        _describe([value.fget, value.fset], parts, seen)
    elif isinstance(value, MethodType):
        _describe([value.__func__, value.__self__], parts, seen)
    elif isinstance(value, (FunctionType, type)):
        _describe_code(value, parts, seen)
    else:
        parts.append(type(value).__qualname__)  # its address, as in repr, would differ in each process


def _describe_code(value: Any, parts: list[str], seen: set[int]) -> None:
    parts.append(f"{value.__module__}.{value.__qualname__}")
    if not _is_own(value.__module__):
        return
    if isinstance(value, type):
        for base in value.__bases__:
            _describe(base, parts, seen)
        for name, member in sorted(vars(value).items()):
            if name not in _NOT_CODE:
                parts.append(name)
                _describe(getattr(member, "__func__", member), parts, seen)
        return
    cells = list(getclosurevars(value).nonlocals.values())
    _describe([value.__defaults__, value.__kwdefaults__, cells], parts, seen)
    _describe_bytes(value.__code__, value.__globals__, parts, seen)


def _describe_bytes(code: CodeType, names: dict[str, Any], parts: list[str], seen: set[int]) -> None:
    parts.append(f"{code.co_code.hex()} {code.co_names} {code.co_varnames}")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _describe_bytes(constant, names, parts, seen)
        else:
            _describe(constant, parts, seen)
    for name in code.co_names:
        found = names.get(name)
        if isinstance(found, ModuleType):
            if _is_own(found.__name__):
                _describe([getattr(found, attribute, None) for attribute in code.co_names], parts, seen)
        elif found is not None:
            _describe(found, parts, seen)


@functools.cache
def _is_own(module: str) -> bool:
    """Return whether a module is the user's: neither of Python nor installed."""
    if module.partition(".")[0] in sys.stdlib_module_names - {"__main__"}:
        return False
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return not any(folder in file for folder in ("site-packages", "dist-packages"))
