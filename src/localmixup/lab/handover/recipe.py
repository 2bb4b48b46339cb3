"""A recipe, which is a `LocalMixup` with all its settings: as constructor code, and as a JSON file."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localmixup import LocalMixup
from localmixup.graphs.registry import graph_to_config
from localmixup.lab.files import write_file

RECIPE_FILE = "local_mixup.json"
"""Name of the file that both commands write beside their page."""
INSPECTED_FILE = "inspected_mixup.json"
"""Name of the file with the recipe of `inspect`, which `compare` can be given and never overwrites."""

Recipe = LocalMixup | Mapping[str, Any]
"""A `LocalMixup`, or what its `to_config()` returned."""

_MANY = 10**6  # samples, so that a share of them is not rounded to none


def as_mix(recipe: Recipe) -> LocalMixup:
    """Return a recipe as a `LocalMixup`.

    Args:
        recipe: a `LocalMixup`, or its configuration.

    Raises:
        ValueError: the configuration is invalid.
    """
    return recipe if isinstance(recipe, LocalMixup) else LocalMixup.from_config(dict(recipe))


def mixes_nothing(mix: LocalMixup) -> bool:
    """Return whether training with this recipe is training without mixup.

    Args:
        mix: the recipe.

    >>> from localmixup import CompleteGraph
    >>> mixes_nothing(LocalMixup(CompleteGraph(), prob=0.0))
    True
    """
    return mix.prob == 0 or mix.graph.is_vanilla(_MANY)


def constructor(mix: LocalMixup) -> str:
    """Return the code that makes a recipe, without arguments that equal their default.

    Args:
        mix: the recipe. The recommended one is `LocalMixup()`.

    Raises:
        ValueError: the graph or its metric is an object of the user's own.

    >>> from localmixup import KNNGraph
    >>> constructor(LocalMixup(KNNGraph(share=0.2), prob=0.3, pairing="neighbors"))
    'LocalMixup(KNNGraph(share=0.2), prob=0.3, pairing="neighbors")'
    """
    if mix.to_config() == LocalMixup().to_config():
        return "LocalMixup()"
    return written_out(mix)


def written_out(mix: LocalMixup) -> str:
    """Return the code that makes a recipe with its graph, also for the recommended one.

    Args:
        mix: the recipe.

    >>> written_out(LocalMixup()).startswith("LocalMixup(NearestOfGraph(n_candidates=")
    True
    """
    config, default = mix.to_config(), LocalMixup(mix.graph).to_config()
    changed = [f"{name}={_literal(value)}" for name, value in config.items() if value != default[name]]
    return f"LocalMixup({', '.join([_graph(mix), *changed])})"


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe to a JSON file, which `LocalMixup.from_config` reads.

    Args:
        path: the file, by custom `RECIPE_FILE` in the folder of the results.
        recipe: a `LocalMixup`, or its configuration. All settings are written, also those that equal their default.

    Raises:
        ValueError: the configuration is invalid, or the graph is an object of the user's own.
        OSError: the file cannot be written.
    """
    write_file(path, json.dumps(as_mix(recipe).to_config(), indent=1) + "\n")


def _graph(mix: LocalMixup) -> str:
    graph: Any = mix.graph
    config = graph_to_config(graph)
    default = inspect.signature(type(graph)).parameters
    changed = [
        f"{name}={_literal(value)}"
        for name, value in config.items()
        if name != "name" and value != default[name].default
    ]
    return f"{type(graph).__name__}({', '.join(changed)})"


def _literal(value: Any) -> str:
    if value == "inf":
        return 'float("inf")'
    return f'"{value}"' if isinstance(value, str) else repr(value)
