"""The numbers of an inspection, ready for JSON."""

from __future__ import annotations

import math
from typing import Any

from localmixup.geometry.rates import Rate, Rates
from localmixup.graphs import CompleteGraph
from localmixup.graphs.registry import graph_to_config
from localmixup.lab.inspection.result import Inspection
from localmixup.lab.inspection.wording import class_name, coincident


def summary(found: Inspection) -> dict[str, Any]:
    """Return all numbers of an inspection as plain values.

    Infinity, which JSON does not know, becomes `"inf"`, and NaN becomes None.

    Args:
        found: an inspection.
    """
    shapes = [
        {
            "class": class_name(found, shape), "samples": shape.n_samples, "used": shape.n_used,
            "connected_at": shape.connected_at, "loops": None if shape.loops is None else shape.loops.tolist(),
        }
        for shape in found.shapes
    ]  # fmt: skip
    numbers: dict[str, Any] = {
        "data": found.data.name, "task": found.data.task, "rows": len(found.features), "space": found.space,
        "verdict": found.verdict, "settings": found.settings,
        "distance_quantiles": {f"{100 * q:g}%": found.sample.quantile(q) for q in (0.01, 0.25, 0.5, 0.75, 0.99)},
        "shape": shapes,
    }  # fmt: skip
    plain: dict[str, Any] = _plain(numbers | _numbers_of_classes(found))
    return plain


def _numbers_of_classes(found: Inspection) -> dict[str, Any]:
    report, suggestion, curve = found.report, found.suggestion, found.curve
    if report is None or suggestion is None or curve is None:
        return {}
    suggested = {
        graph.parameter: {"value": graph.value, "graph": graph_to_config(graph.graph), **_rates(graph.rates)}
        for graph in suggestion.graphs.values()
    }
    return {
        "safe": suggestion.safe, "undecided": suggestion.undecided, "limit": suggestion.limit,
        "exhaustive": report.exhaustive, "overlap": report.overlap._asdict(),
        "mixup": {kind: _rates(rates) for kind, rates in report.rates(CompleteGraph()).items()},
        "suggestion": suggested,
        "lipschitz": {
            "coincident": coincident(found) or None, "samples": len(found.curve_rows),
            "radius": curve.radius.tolist(), "value": [float(value) for value in curve.value],
        },
    }  # fmt: skip


def _rates(rates: Rates) -> dict[str, Any]:
    return {name: value._asdict() if isinstance(value, Rate) else value for name, value in rates._asdict().items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf"
    return value
