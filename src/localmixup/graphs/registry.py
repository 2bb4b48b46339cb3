"""Settings as plain values for a JSON file, and back: a graph as its name and parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from localmixup._validate import ArgumentError, check_choice
from localmixup.graphs.adaptive import AdaptiveExponentialGraph
from localmixup.graphs.base import (
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalityGraph,
    ThresholdGraph,
)

_GRAPHS: dict[str, tuple[type[LocalityGraph], tuple[str, ...]]] = {
    "ExponentialGraph": (ExponentialGraph, ("decay", "metric")),
    "ThresholdGraph": (ThresholdGraph, ("radius", "metric")),
    "KNNGraph": (KNNGraph, ("n_neighbors", "symmetric", "metric")),
    "CompleteGraph": (CompleteGraph, ()),
    "IdentityGraph": (IdentityGraph, ()),
    "AdaptiveExponentialGraph": (AdaptiveExponentialGraph, ("mean_weight", "times_median", "momentum", "metric")),
}
_NEEDED = {"ExponentialGraph": "decay", "ThresholdGraph": "radius", "KNNGraph": "n_neighbors"}
_PLAIN: dict[str, Callable[[Any], Any]] = {"n_neighbors": int, "symmetric": bool, "per_sample": bool}


def graph_to_config(graph: Any) -> dict[str, Any]:
    """A graph as its name and parameters.

    Args:
        graph: one of `localmixup.graphs`, or `AdaptiveExponentialGraph`, with a metric that has a name.

    Returns:
        Text, numbers and booleans; an infinite parameter, which JSON does not know, as `"inf"`.

    Raises:
        ValueError: the graph, or its metric, is an object of one's own, of which only its owner knows how to make it.

    >>> graph_to_config(ThresholdGraph(radius=2.0))
    {'name': 'ThresholdGraph', 'radius': 2.0, 'metric': 'euclidean'}
    """
    name = type(graph).__name__
    if name not in _GRAPHS or type(graph) is not _GRAPHS[name][0]:
        raise ArgumentError(
            f"graph must be one of {', '.join(_GRAPHS)} to be written as a config, got {graph!r}: keep a graph of "
            "your own beside the config, and set `mix.graph` after from_config"
        )
    if callable(getattr(graph, "metric", None)):
        raise ArgumentError(
            f"metric must have a name ('euclidean', 'rms', 'cosine') to be written as a config, got {graph.metric!r}"
        )
    return {"name": name, **{key: to_plain(key, getattr(graph, key)) for key in _GRAPHS[name][1]}}


def graph_from_config(config: Any) -> LocalityGraph:
    """The graph that `graph_to_config` described.

    Args:
        config: `name`, and any of the graph's parameters; the others take their default.

    Raises:
        ValueError: an unknown name or parameter, or one that is missing or out of range.

    >>> graph_from_config({"name": "ExponentialGraph", "decay": "inf"})
    ExponentialGraph(decay=inf, metric='euclidean')
    """
    if not isinstance(config, Mapping) or "name" not in config:
        raise ArgumentError(f"graph must be a dict with a name, one of {', '.join(_GRAPHS)}, got {config!r}")
    graph_type, allowed = _GRAPHS[check_choice("graph name", config["name"], _GRAPHS)]
    parameters = settings_of({key: value for key, value in config.items() if key != "name"}, allowed, config["name"])
    if config["name"] in _NEEDED and _NEEDED[config["name"]] not in parameters:
        raise ArgumentError(f"{config['name']} needs its {_NEEDED[config['name']]}, got {dict(config)!r}")
    return graph_type(**parameters)


def settings_of(config: Any, allowed: tuple[str, ...], name: str) -> dict[str, Any]:
    """The keyword arguments that a config holds.

    Args:
        config: from a JSON file, say.
        allowed: the names that may be in it.
        name: whose settings they are, for the message.

    Raises:
        ValueError: something else is in it.
    """
    if not isinstance(config, Mapping):
        raise ArgumentError(f"config must be a dict of the settings of {name}, got {type(config).__name__}")
    for key in config:
        check_choice(f"setting of {name}", key, allowed)
    return {key: math.inf if value == "inf" else value for key, value in config.items()}


def to_plain(name: str, value: Any) -> Any:
    """A setting as a value that JSON knows: numbers of NumPy and torch become Python's own, infinity `"inf"`.

    >>> to_plain("n_neighbors", 5), to_plain("mixup_alpha", math.inf)
    (5, 'inf')
    """
    if value is None or isinstance(value, str):
        return value
    plain = _PLAIN.get(name, float)(value)
    return "inf" if plain == math.inf else plain
