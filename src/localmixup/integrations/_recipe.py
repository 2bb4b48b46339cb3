"""What every integration accepts as `recipe`: a `LocalMixup`, its configuration, or the path of a JSON file."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Mapping
from typing import Any

import torch

from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError
from localmixup.distributed import DistributedLocalMixup


def recipe_of(recipe: Any) -> LocalMixup:
    """Return a recipe as a `LocalMixup`: the object itself if it is one.

    Args:
        recipe: a `LocalMixup`, what its `to_config()` returned, or the path of a file such as `local_mixup.json`.

    Raises:
        ValueError: it is something else, or invalid; or a `DistributedLocalMixup`, whose batches know about ranks that
            the integrations handle themselves, or do not handle.
    """
    if isinstance(recipe, DistributedLocalMixup) or not isinstance(recipe, (LocalMixup, Mapping, str, os.PathLike)):
        raise ArgumentError(
            "recipe must be a LocalMixup, such as LocalMixup(KNNGraph(share=0.2)), its configuration or the path "
            f"of local_mixup.json, also with several processes, got {type(recipe).__name__}"
        )
    if isinstance(recipe, LocalMixup):
        return recipe
    try:
        return LocalMixup.from_config(recipe)
    except ArgumentError as error:
        raise ArgumentError(str(error).replace("config must be", "recipe must be", 1)) from None


def own_recipe(recipe: Any, generator: torch.Generator | None = None) -> LocalMixup:
    """Return a copy of a recipe, of the same type and in the same mode, which later changes of it do not reach.

    Args:
        recipe: see `recipe_of`.
        generator: source of all draws; default: that of the recipe, which is not copied.

    Raises:
        ValueError: the recipe is invalid.
    """
    given = recipe_of(recipe)
    mix = copy.deepcopy(given)
    mix.generator = given.generator if generator is None else generator
    return mix


def refuse_settings(
    given: dict[str, Any], owner: type, because: str = "beside recipe, which holds all settings"
) -> None:
    """Check that no setting has another value than its default.

    Args:
        given: the settings that the integration takes as arguments of their own.
        owner: the class of the integration, whose signature holds their defaults.
        because: why they cannot be given, for the message.

    Raises:
        ValueError: one has.
    """
    parameters = inspect.signature(owner.__init__).parameters  # type: ignore[misc]
    for name, value in given.items():
        if value is not parameters[name].default and value != parameters[name].default:
            raise ArgumentError(f"{name} must not be given {because}, got {value!r:.80}")
