"""What every integration accepts as `recipe`: a `LocalMixup`, its configuration, or the path of a JSON file."""

from __future__ import annotations

import inspect
from typing import Any

from localmixup._mixup import LocalMixup
from localmixup._settings import SETTINGS
from localmixup._validate import ArgumentError


def recipe_of(recipe: Any) -> LocalMixup:
    """Return a recipe as a `LocalMixup`: the object itself if it is one.

    Args:
        recipe: a `LocalMixup`, what its `to_config()` returned, or the path of a file such as `local_mixup.json`.

    Raises:
        ValueError: it is something else, or invalid.
    """
    return recipe if isinstance(recipe, LocalMixup) else LocalMixup.from_config(recipe)


def settings_of_recipe(
    recipe: Any, given: dict[str, Any], owner: type, because: str = "beside recipe, which holds all settings"
) -> dict[str, Any]:
    """Return the keyword arguments of `LocalMixup`: those of the recipe, or without one those given separately.

    Args:
        recipe: see `recipe_of`; None if there is none.
        given: the settings that the integration takes as arguments of their own.
        owner: the class of the integration, whose signature holds their defaults.
        because: why they cannot be given, for the message.

    Raises:
        ValueError: the recipe is invalid, or a setting is given beside it.
    """
    if recipe is None:
        return given
    parameters = inspect.signature(owner.__init__).parameters  # type: ignore[misc]
    for name, value in given.items():
        if value is not parameters[name].default and value != parameters[name].default:
            raise ArgumentError(f"{name} must not be given {because}, got {value!r:.80}")
    mix = recipe_of(recipe)
    return {name: getattr(mix, name) for name in SETTINGS}
