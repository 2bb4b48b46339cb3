"""What an inspection found, in words."""

from __future__ import annotations

from typing import Literal

from localmixup.geometry import ClassShape, IntrusionReport, SuggestedGraph, Suggestion
from localmixup.lab.inspection.result import Inspection

Decision = Literal["safe", "not safe", "undecided"]

_EXTREMES = {"threshold": "largest radius", "exponential": "smallest decay", "knn": "largest number of neighbours"}
_UP_TO = {"threshold": "Up to a radius of", "exponential": "From a decay of", "knn": "Up to n_neighbors ="}


def decide(suggestion: Suggestion) -> Decision:
    """Decide whether mixup is safe. This is the only place that does so.

    Args:
        suggestion: the rates of mixup, and the graphs that stay below the limit.
    """
    if suggestion.safe:
        return "safe"
    return "undecided" if suggestion.undecided else "not safe"


def verdict_sentence(name: str, median: float, report: IntrusionReport | None, suggestion: Suggestion | None) -> str:
    """Return the decision and its reason in one or two sentences.

    Args:
        name: of the data set.
        median: median distance of two samples.
        report: intrusion; None for regression.
        suggestion: how local mixup should be; None for regression.
    """
    if report is None or suggestion is None:
        return (
            f"{name} has no classes (regression), so nothing intrudes: see the distances and the shape. Half of the "
            f"pairs are farther apart than {median:.4g}; `localmixup compare` shows whether mixing far pairs harms."
        )
    mixup, overlap = suggestion.mixup.intrusion, percent(report.overlap.value)
    interval = "" if report.exhaustive else f" (95 % interval {percent(mixup.low)} to {percent(mixup.high)})"
    rate = f"{percent(mixup.value)}{interval} of the mixed samples lie nearest to a class with no part in their label"
    decision = decide(suggestion)
    if decision == "safe":
        return f"Mixup is safe on {name}: {rate}, not more than the accepted {percent(suggestion.level)}."
    if decision == "undecided":
        return (
            f"Nearest samples cannot show whether mixup is safe on {name} in this space: {rate}, but the nearest "
            f"sample of {overlap} of the real samples is of another class too. Measure in a space where nearest "
            "samples share their class: use --features, --encoder or --pca."
        )
    sentence = f"Mixup is not safe on {name}: {rate}."
    if suggestion.limit > suggestion.level:
        sentence += (
            f" No graph brings that to {percent(suggestion.level)} for certain, because the classes overlap: the "
            f"nearest sample is of another class for {overlap} of the real samples."
        )
    limit = percent(suggestion.limit)
    for graph_name in _EXTREMES:
        if graph_name in suggestion.graphs:
            suggested = suggestion.graphs[graph_name]
            return (
                f"{sentence} {_UP_TO[graph_name]} {_value(suggested)} it stays at "
                f"{percent(suggested.rates.intrusion.value)}, below {limit}; that keeps "
                f"{percent(suggested.rates.mean_weight)} of the pairs."
            )
    return f"{sentence} No graph stays below {limit} either: train without mixup here."


def reasons(found: Inspection) -> list[str]:
    """Return a sentence for each suggested graph.

    Args:
        found: an inspection.
    """
    suggestion = found.suggestion
    if suggestion is None or decide(suggestion) == "undecided":
        return []
    sentences, limit = [], percent(suggestion.limit)
    for name, extreme in _EXTREMES.items():
        suggested = suggestion.graphs.get(name)
        if suggested is None:
            sentences.append(f"{name}: no {extreme.split(' ', 1)[1]} is known to keep intrusion below {limit}")
            continue
        rates = suggested.rates
        sentences.append(
            f"{suggested.parameter} = {_value(suggested)}: the {extreme} at which intrusion stays below {limit} "
            f"({percent(rates.intrusion.value)}); mean weight of a pair {percent(rates.mean_weight)}, contradiction "
            f"{percent(rates.contradiction.value)}"
        )
    return sentences


def coincident(found: Inspection) -> str:
    """Name two rows of different classes that coincide; empty if there are none.

    Args:
        found: an inspection.
    """
    if found.curve is None or found.curve.distance[0] > 0:
        return ""
    pair = found.curve_rows[[found.curve.witness.first[0, 0], found.curve.witness.second[0, 0]]]
    names = [found.data.class_names[int(found.data.y[row])] for row in pair]
    return (
        f"rows {pair[0]} ({names[0]}) and {pair[1]} ({names[1]}) coincide although their classes differ: no network "
        "can fit both, and Q is infinite"
    )


def class_name(found: Inspection, shape: ClassShape) -> str:
    """Return the name of the class of a shape.

    Args:
        found: an inspection.
        shape: one of its shapes.
    """
    return found.data.class_names[int(shape.label)] if found.data.class_names else "all samples"


def percent(value: float) -> str:
    """Return a rate as text.

    Args:
        value: in [0, 1], or NaN.

    >>> percent(0.1234), percent(0.00004), percent(0.0), percent(float("nan"))
    ('12.3 %', '0.004 %', '0 %', '-')
    """
    if value != value:
        return "-"
    return f"{100 * value:.1f} %" if value >= 0.00995 else f"{100 * value:.2g} %"


def _value(suggested: SuggestedGraph) -> str:
    return f"{suggested.value:,.0f}" if suggested.parameter == "n_neighbors" else f"{suggested.value:.4g}"
