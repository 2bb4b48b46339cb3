"""The graphs behind the methods: their parameters, in numbers and in words."""

from __future__ import annotations

from typing import Any

from localmixup import CompleteGraph, ExponentialGraph, IdentityGraph, KNNGraph, LocalityGraph, ThresholdGraph
from localmixup.lab.runs.spec import MethodSpec

GRAPHS: dict[str, type[Any]] = {
    "local-threshold": ThresholdGraph,
    "local-exponential": ExponentialGraph,
    "local-knn": KNNGraph,
}
PARAMETERS = {"local-threshold": "radius", "local-exponential": "decay", "local-knn": "n_neighbors"}


def graph_of(spec: MethodSpec) -> LocalityGraph:
    """The graph that a method mixes along.

    Args:
        spec: the method with its parameters.
    """
    if spec.method in GRAPHS:
        parameter = int(spec.parameter or 0) if spec.method == "local-knn" else float(spec.parameter or 0)
        graph: LocalityGraph = GRAPHS[spec.method](parameter)
        return graph
    return IdentityGraph() if spec.method == "vanilla" else CompleteGraph()


def describe_spec(spec: MethodSpec) -> str:
    """Parameters in words.

    >>> describe_spec(MethodSpec(method="local-threshold", parameter=1.25, kept_share=0.05, mixed_share=0.5))
    'radius 1.25 (nearest 5 % of pairs), 50 % mixed'
    """
    words = []
    if spec.method in PARAMETERS and spec.parameter is not None:
        near = ""
        if spec.kept_share is not None:
            near = f" (nearest {100 * spec.kept_share:.3g} % of pairs)"
            if spec.method == "local-exponential":
                near = f" (mean weight {spec.kept_share:.3g})"
        words.append(f"{PARAMETERS[spec.method]} {spec.parameter:.4g}{near}")
    elif spec.method in ("vanilla", "mixup"):
        words.append("no mixing" if spec.method == "vanilla" else "random partners")
    if spec.mixed_share is not None:
        words.append(f"{100 * spec.mixed_share:.3g} % mixed")
    if spec.loss_scale != 1:
        words.append(f"loss x {spec.loss_scale:.3g}")
    return ", ".join(words)


def check_parameter(method: str, value: float | str) -> float:
    """A graph parameter that the user set.

    Args:
        method: a local method.
        value: of its parameter.

    Raises:
        ValueError: out of range, or not a number.
    """
    whole = method == "local-knn" and isinstance(value, float) and value.is_integer()
    graph = GRAPHS[method](int(value) if whole else value)
    return float(getattr(graph, PARAMETERS[method]))
