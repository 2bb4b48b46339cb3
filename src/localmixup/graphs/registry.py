"""The registry of graphs: a short name for each, and graphs as plain values for a JSON file."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localmixup._validate import ArgumentError, check_choice
from localmixup.graphs.adaptive import AdaptiveExponentialGraph
from localmixup.graphs.base import LocalityGraph
from localmixup.graphs.distance import ExponentialGraph, ThresholdGraph
from localmixup.graphs.ends import CompleteGraph, IdentityGraph
from localmixup.graphs.nearest_of import NearestOfGraph
from localmixup.graphs.rank import KNNGraph

_ALL: tuple[type[LocalityGraph], ...] = (
    ExponentialGraph, ThresholdGraph, KNNGraph, NearestOfGraph, CompleteGraph, IdentityGraph, AdaptiveExponentialGraph,
)  # fmt: skip

GRAPHS: dict[str, type[LocalityGraph]] = {graph.name: graph for graph in _ALL}
"""Every graph of the library by its short name."""

_SETTINGS: dict[str, tuple[str, ...]] = {
    "exponential": ("decay", "metric"),
    "threshold": ("radius", "metric"),
    "knn": ("n_neighbors", "share", "symmetric", "metric"),
    "nearest-of": ("n_candidates", "metric"),
    "complete": (),
    "identity": (),
    "adaptive": ("mean_weight", "times_median", "momentum", "metric"),
}


def make_graph(name: str, value: float | None = None, **options: Any) -> LocalityGraph:
    """Make a graph from its short name and the value of its main parameter.

    Args:
        name: a key of `GRAPHS`.
        value: of the parameter that `GRAPHS[name].parameter` names; None for graphs without one.
        **options: further arguments of the graph, such as `metric`.

    Raises:
        ValueError: an unknown name, or a value that is missing or out of range.

    >>> make_graph("threshold", 2.0)
    ThresholdGraph(radius=2.0, metric='euclidean')
    """
    graph = GRAPHS[check_choice("graph", name, GRAPHS)]
    if graph.parameter is None:
        return graph(**options)
    if value is None:
        raise ArgumentError(f"{graph.parameter} must be given for the graph {name!r}, got None")
    whole = graph in (KNNGraph, NearestOfGraph) and isinstance(value, float) and value.is_integer()
    return graph(**{graph.parameter: int(value) if whole else value}, **options)


def graph_to_config(graph: Any) -> dict[str, Any]:
    """Return a graph as its short name and its parameters.

    Args:
        graph: a graph of the library, with a metric that has a name.

    Returns:
        Text, numbers and booleans. Infinity, which JSON does not know, becomes `"inf"`.

    Raises:
        ValueError: the graph or its metric is an object of the user's own, which only its owner can make again.

    >>> graph_to_config(ThresholdGraph(radius=2.0))
    {'name': 'threshold', 'radius': 2.0, 'metric': 'euclidean'}
    """
    name = getattr(graph, "name", "")
    if GRAPHS.get(name) is not type(graph):
        raise ArgumentError(
            f"graph must be one of {', '.join(g.__name__ for g in _ALL)} to be written as a configuration, got "
            f"{graph!r}: keep your own graph beside the configuration, and set `mix.graph` after from_config"
        )
    if callable(getattr(graph, "metric", None)):
        raise ArgumentError(
            "metric must have a name ('euclidean', 'rms', 'cosine') to be written as a configuration, got "
            f"{graph.metric!r}"
        )
    values = {key: getattr(graph, key) for key in _SETTINGS[name]}
    if name == "knn":
        del values["share" if values["share"] is None else "n_neighbors"]
    return {"name": name, **{key: to_plain(value) for key, value in values.items()}}


def graph_from_config(config: Any) -> LocalityGraph:
    """Return the graph that `graph_to_config` described.

    Args:
        config: `name`, and any of the graph's parameters; the others take their default.

    Raises:
        ValueError: an unknown name or parameter, or one that is missing or out of range.

    >>> graph_from_config({"name": "exponential", "decay": "inf"})
    ExponentialGraph(decay=inf, metric='euclidean')
    """
    if not isinstance(config, Mapping) or "name" not in config:
        raise ArgumentError(f"graph must be a dict with a name, one of {', '.join(GRAPHS)}, got {config!r}")
    name = check_choice("graph name", config["name"], GRAPHS)
    settings = {key: value for key, value in config.items() if key != "name"}
    parameters = settings_of(settings, _SETTINGS[name], f"the graph {name!r}")
    needed = GRAPHS[name].parameter
    if needed and needed not in parameters and not (name == "knn" and "share" in parameters):
        raise ArgumentError(f"{needed} must be given for the graph {name!r}, got {dict(config)!r}")
    return GRAPHS[name](**parameters)


def read_config(config: Any) -> Any:
    """Return a configuration, read from its file if a path is given.

    Args:
        config: the configuration, which is returned as it is; or the path of a JSON file.

    Raises:
        ValueError: the file cannot be read, or is not JSON.
    """
    if not isinstance(config, (str, os.PathLike)):
        return config
    path = Path(config)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArgumentError(f"config must be a dict or the path of a JSON file, got {path}: {error.strerror}") from None
    except ValueError as error:
        raise ArgumentError(f"config must be the path of a JSON file, got {path}, which is none: {error}") from None


def settings_of(config: Any, allowed: tuple[str, ...], owner: str) -> dict[str, Any]:
    """Return the keyword arguments that a configuration holds.

    Args:
        config: a dict, such as one from a JSON file.
        allowed: names that may be in it.
        owner: what the settings belong to, for the message.

    Raises:
        ValueError: it is not a dict, or holds something else.
    """
    if not isinstance(config, Mapping):
        raise ArgumentError(f"config must be a dict of the settings of {owner}, got {type(config).__name__}")
    for key in config:
        check_choice(f"setting of {owner}", key, allowed)
    return {key: math.inf if value == "inf" else value for key, value in config.items()}


def to_plain(value: Any) -> Any:
    """Return a setting as a value that JSON knows; infinity becomes `"inf"`.

    >>> to_plain(5), to_plain(math.inf)
    (5, 'inf')
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if hasattr(value, "item"):  # of NumPy or PyTorch
        value = value.item()
    if isinstance(value, (bool, int)):
        return value
    return "inf" if float(value) == math.inf else float(value)
