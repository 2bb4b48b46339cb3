"""The numbers of an inspection, ready for JSON."""

from __future__ import annotations

import math
from typing import Any

from localmixup.geometry.rates import Rate, Rates
from localmixup.graphs import CompleteGraph
from localmixup.lab.inspection.result import Inspection
from localmixup.lab.inspection.wording import class_name, coincident, describe_recipe


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
        "verdict": found.verdict._asdict(), "recipe": found.taken.mix.to_config(),
        "data": found.data.name, "task": found.data.task, "rows": found.total, "measured_rows": len(found.rows),
        "space": found.space, "settings": found.settings, "suggestions": _suggestions(found),
        "distance_quantiles": {f"{100 * q:g}%": found.sample.quantile(q) for q in (0.01, 0.25, 0.5, 0.75, 0.99)},
        "shape": shapes,
    }  # fmt: skip
    if found.target_report is not None:
        gap = found.target_report.gap(CompleteGraph())
        numbers["mixup"] = {"gap": gap._asdict(), "noise_floors": found.target_report.floors.tolist()}
    plain: dict[str, Any] = _plain(numbers | _numbers_of_classes(found))
    return plain


def _suggestions(found: Inspection) -> list[dict[str, Any]]:
    listed = []
    for one in found.suggestions:
        effect = {} if one.shift is None else {"intrusion": one.error_of_all, "shift": one.shift}
        what = "gap" if one.shift is None else "intrusion_within_classes"
        listed.append(
            {
                "title": one.title, "take": one.take, "text": describe_recipe(found, one), "fits": one.fits,
                "recipe": one.mix.to_config(), what: one.error, "mixed_share": one.mixed_share,
                "coverage": one.coverage, **effect,
            }
        )  # fmt: skip
    return listed


def _numbers_of_classes(found: Inspection) -> dict[str, Any]:
    report, curve = found.report, found.curve
    if report is None or curve is None or found.regions is None:
        return {}
    rates = found.regions.rates(CompleteGraph())
    regions = {
        "within": rates["within"]._asdict(),
        "all": rates["all"]._asdict(),
        "error": found.regions.error._asdict(),
    }
    return {
        "regions": regions | {"rows": found.regions.rows},
        "exhaustive": report.exhaustive, "overlap": report.overlap._asdict(),
        "mixup": {kind: _rates(rates) for kind, rates in report.rates(CompleteGraph()).items()},
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
