"""The graphs behind the methods, through the one registry `localmixup.graphs.registry`."""

from __future__ import annotations

from typing import Any

from localmixup import CompleteGraph, IdentityGraph, LocalityGraph
from localmixup._validate import ArgumentError
from localmixup.graphs.registry import GRAPHS, make_graph
from localmixup.lab.methods import METHODS, Local
from localmixup.lab.runs.spec import MethodSpec


def graph_type(method: str) -> type[Any]:
    """Return the graph class of a local method.

    Args:
        method: a key of `METHODS`.

    Raises:
        ArgumentError: the method has no graph with a parameter.

    >>> graph_type("local-threshold").parameter
    'radius'
    """
    kind = METHODS[method]
    if not issubclass(kind, Local):
        raise ArgumentError(f"method must be a local one, got {method!r}")
    return GRAPHS[kind.graph_name]


def graph_of(spec: MethodSpec) -> LocalityGraph:
    """Return the graph that a method mixes along.

    Args:
        spec: the method with its parameters.
    """
    kind = METHODS[spec.method]
    if issubclass(kind, Local):
        return make_graph(kind.graph_name, spec.parameter or 0.0)
    return IdentityGraph() if spec.method == "vanilla" else CompleteGraph()


def describe_spec(spec: MethodSpec) -> str:
    """Return the parameters of a method in words.

    >>> describe_spec(MethodSpec(method="local-threshold", parameter=1.25, kept_share=0.05, mixed_share=0.5))
    'radius 1.25 (nearest 5 % of pairs), 50 % mixed'
    >>> describe_spec(MethodSpec(method="regmixup", options=(("eta", 0.3), ("mixup_alpha", 10.0))))
    'eta 0.3, mixup_alpha 10'
    """
    words = []
    kind = METHODS[spec.method]
    if issubclass(kind, Local) and spec.parameter is not None:
        near = ""
        if spec.kept_share is not None:
            near = f" (nearest {100 * spec.kept_share:.3g} % of pairs)"
            if kind.graph_name == "exponential":
                near = f" (mean weight {spec.kept_share:.3g})"
        words.append(f"{graph_type(spec.method).parameter} {spec.parameter:.4g}{near}")
    elif spec.method in ("vanilla", "mixup"):
        words.append("no mixing" if spec.method == "vanilla" else "random partners")
    words += [f"{name} {value:g}" for name, value in spec.options if not isinstance(value, str)]
    if spec.mixed_share is not None:
        words.append(f"{100 * spec.mixed_share:.3g} % mixed")
    if spec.loss_scale != 1:
        words.append(f"loss x {spec.loss_scale:.3g}")
    return ", ".join(words)
