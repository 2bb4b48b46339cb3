"""The user's own models and optimisers: found, checked before any run, and given a name that no other one has.

The name, such as `nets:make@3f1c9a2b7d04e8aa`, is where it is defined and a key of its code and of the values that a
model starts from. It stands in the specification of a run, so that two models never share stored runs.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from localmixup._validate import ArgumentError
from localmixup.lab.errors import first_line
from localmixup.lab.models.identity import code_key, model_key

Factory = Callable[..., Any]

_ADOPTED: dict[str, Factory] = {}
_STACKABLE = (nn.Sequential, nn.Linear, nn.Flatten, nn.ReLU, nn.LeakyReLU)


def is_own(name: str) -> bool:
    """Return whether a name is that of the user's own model or optimiser: one of the library has no colon.

    >>> is_own("nets:make@3f1c9a2b7d04e8aa"), is_own("mlp")
    (True, False)
    """
    return ":" in name


def plain_name(name: str) -> str:
    """Return a name without its key, as it is printed.

    >>> plain_name("nets:make@3f1c9a2b7d04e8aa"), plain_name("mlp")
    ('nets:make', 'mlp')
    """
    return name.partition("@")[0]


def adopt_model(model: str | Factory, shape: tuple[int, ...], outputs: int) -> str:
    """Check the user's own model on a small batch and return its name.

    Args:
        model: `"package.module:factory"`, or the factory itself. It is called with the shape of one input and the
            number of outputs, and returns a new `torch.nn.Module` each time.
        shape: of one input.
        outputs: number of classes, or 1 for a quantity.

    Returns:
        The name by which `build_own` makes it.

    Raises:
        ArgumentError: it cannot be imported, is not a factory of modules, or its outputs have another shape.
    """
    factory = _imported(model, "model") if isinstance(model, str) else model
    if isinstance(factory, nn.Module):
        raise ArgumentError(
            "model must be a function that returns a new module for each run, such as lambda shape, outputs: Net(), "
            f"got a {type(factory).__name__} that is made already"
        )
    where = _where(factory, "model")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first = _made(factory, where, shape, outputs)
        _check_outputs(first, where, shape, outputs)
        torch.manual_seed(0)
        second = _made(factory, where, shape, outputs)
        _check_is_new(first, second, where)
        key = model_key(_materialised(second, shape))
    return _adopt(factory, where, key)


def adopt_optimizer(optimizer: str | Factory) -> str:
    """Check the user's own optimiser by a step and return its name.

    Args:
        optimizer: `"package.module:factory"`, or the factory itself. It is called with the parameters, and returns a
            `torch.optim.Optimizer` with its own learning rate, at which the schedule starts.

    Raises:
        ArgumentError: it cannot be imported, is not a factory of optimisers, or cannot make a step.
    """
    factory = _imported(optimizer, "optimizer") if isinstance(optimizer, str) else optimizer
    where = _where(factory, "optimizer")
    weight = nn.Parameter(torch.ones(2, 2))
    try:
        made = factory([weight])
        if isinstance(made, torch.optim.Optimizer):
            weight.grad = torch.ones(2, 2)
            made.step()
    except Exception as error:
        raise ArgumentError(f"optimizer {where} failed: {type(error).__name__}: {first_line(error)}") from None
    if not isinstance(made, torch.optim.Optimizer):
        raise ArgumentError(f"optimizer {where} must return a torch.optim.Optimizer, got {type(made).__name__}")
    return _adopt(factory, where, f"{code_key(type(made))}")


def build_own(name: str, shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Make the user's own model.

    Args:
        name: from `adopt_model`, in this process or in another one.
        shape: of one input.
        outputs: number of classes, or of values.

    Returns:
        The model itself if it is an `nn.Sequential`, otherwise a sequence of it alone.

    Raises:
        ArgumentError: the code has changed since it was adopted.
    """
    model = _materialised(_made(own_factory(name), plain_name(name), shape, outputs), shape)
    if all(type(module) in _STACKABLE for module in model.modules()) and not _acts_on_rows(model, shape):
        return nn.Sequential(_Whole(model))  # so that it is not taken for one that can be stacked
    return model if isinstance(model, nn.Sequential) else nn.Sequential(model)


def own_factory(name: str) -> Factory:
    """Return the factory of a name, imported if this is another process than the one that adopted it.

    Args:
        name: from `adopt_model` or `adopt_optimizer`.

    Raises:
        ArgumentError: the code has changed since it was adopted.
    """
    return _ADOPTED[name] if name in _ADOPTED else _reimported(name)


def stays_here(name: str) -> bool:
    """Return whether other processes cannot import it, because it is defined in a notebook, a script or a function.

    Args:
        name: of a model or optimiser, of the user or of the library.
    """
    if name not in _ADOPTED:
        return False
    module, _, path = plain_name(name).partition(":")
    if module == "__main__":
        return True
    try:
        return _attribute(importlib.import_module(module), path) is not _ADOPTED[name]
    except (ImportError, AttributeError):
        return True


class _Whole(nn.Module):
    """A model of any kind as one layer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        return self.model(x)


def _adopt(factory: Factory, where: str, key: str) -> str:
    name = f"{where}@{code_key(factory)}{key}"
    _ADOPTED[name] = factory
    return name


def _where(factory: Any, argument: str) -> str:
    if not callable(factory):
        raise ArgumentError(
            f"{argument} must be a name, 'package.module:factory' or a function, got {type(factory).__name__}"
        )
    inner = getattr(factory, "func", factory)  # of a partial
    module = getattr(inner, "__module__", None) or "__main__"
    return f"{module}:{getattr(inner, '__qualname__', type(factory).__qualname__)}"


def _imported(text: str, argument: str) -> Factory:
    """Import `package.module:factory`; the current folder is searched first."""
    module, _, path = text.partition(":")
    if not module or not path:
        raise ArgumentError(f"{argument} must be of the form package.module:factory, got {text!r}")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            raise ArgumentError(
                f"{argument} {text}: no module {error.name!r} in the current folder ({here}) or among those installed"
            ) from None
        raise ArgumentError(f"{argument} {text}: {module} cannot be imported: {first_line(error)}") from None
    except Exception as error:
        kind = type(error).__name__
        raise ArgumentError(f"{argument} {text}: {module} cannot be imported: {kind}: {first_line(error)}") from None
    try:
        found: Factory = _attribute(loaded, path)
    except AttributeError:
        near = get_close_matches(path, dir(loaded), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ArgumentError(f"{argument} {text}: {module} has no {path!r}{hint}") from None
    return found


def _attribute(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name)
    return value


@lru_cache(maxsize=64)
def _reimported(name: str) -> Factory:
    where, wanted = plain_name(name), name.partition("@")[2][:8]
    with torch.random.fork_rng(devices=[]):  # importing may draw, and the seed of the run is set already
        factory = _imported(where, "model")
        if code_key(factory) != wanted:  # this process outlived a change of the file
            importlib.reload(sys.modules[where.partition(":")[0]])
            factory = _imported(where, "model")
    if code_key(factory) != wanted:
        raise ArgumentError(f"{where} was changed while runs were under way: start the command again")
    return factory


def _made(factory: Factory, where: str, shape: tuple[int, ...], outputs: int) -> nn.Module:
    try:
        model = factory(shape, outputs)
    except Exception as error:
        raise ArgumentError(
            f"model {where} failed when called with the shape {shape} and {outputs} outputs: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from None
    if not isinstance(model, nn.Module):
        raise ArgumentError(f"model {where} must return a torch.nn.Module, got {type(model).__name__}")
    return model


def _materialised(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """Give lazy layers their shapes."""
    if any(isinstance(parameter, nn.UninitializedParameter) for parameter in model.parameters()):
        with torch.no_grad():
            model(torch.zeros(2, *shape))
    return model


def _check_outputs(model: nn.Module, where: str, shape: tuple[int, ...], outputs: int) -> None:
    try:
        with torch.no_grad():
            found = model(torch.zeros(2, *shape))
    except Exception as error:
        raise ArgumentError(
            f"model {where} failed on a batch of shape {(2, *shape)}: {type(error).__name__}: {first_line(error)}"
        ) from None
    got = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
    if not isinstance(found, Tensor) or found.shape != (2, outputs):
        what = "one score per class" if outputs > 1 else "one value per sample"
        raise ArgumentError(
            f"model {where} must map a batch of shape {(2, *shape)} to shape {(2, outputs)}, {what}, got {got}"
        )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ArgumentError(f"model {where} must have parameters to train, got none")


def _check_is_new(first: nn.Module, second: nn.Module, where: str) -> None:
    own = {id(parameter) for parameter in first.parameters()}
    if first is second or any(id(parameter) in own for parameter in second.parameters()):
        raise ArgumentError(
            f"model {where} must return a new module for each run, got the same parameters twice: make it inside the "
            "function"
        )


def _acts_on_rows(model: nn.Module, shape: tuple[int, ...]) -> bool:
    """Return whether fully connected layers act on whole rows, with biases, and all of it is trained."""
    layers = [module for module in model.modules() if not isinstance(module, nn.Sequential)]
    flat = len(shape) == 1 or isinstance(layers[0], nn.Flatten)
    shared = len(list(model.named_parameters(remove_duplicate=False))) != len(list(model.parameters()))
    whole = all(
        (layer.bias is not None) if isinstance(layer, nn.Linear) else (layer.start_dim, layer.end_dim) == (1, -1)
        for layer in layers
        if isinstance(layer, (nn.Linear, nn.Flatten))
    )
    trained = all(p.requires_grad and p.dtype == torch.float32 for p in model.parameters())
    return flat and whole and trained and not shared
