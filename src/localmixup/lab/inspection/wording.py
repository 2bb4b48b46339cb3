"""What an inspection found, in words."""

from __future__ import annotations

import numpy as np

from localmixup import CompleteGraph, KNNGraph, NearestOfGraph, ThresholdGraph
from localmixup.geometry import ClassShape
from localmixup.lab.inspection.percents import percent
from localmixup.lab.inspection.result import Inspection
from localmixup.lab.inspection.suggestions import FEWEST_COVERED, Suggested

_FEW_ROWS = 300
"""Rows below which a verdict of "safe" is not taken at its word."""


def describe_recipe(found: Inspection, one: Suggested) -> str:
    """Return what a suggested recipe does, in a sentence or two.

    Args:
        found: an inspection.
        one: one of its suggestions.
    """
    graph, mix = one.mix.graph, one.mix
    how_often = "every sample is mixed" if mix.prob == 1 else f"{percent(mix.prob)} of the samples of a batch are mixed"
    if isinstance(graph, CompleteGraph):
        partner = "with a random one"
    elif isinstance(graph, NearestOfGraph):
        partner = f"with the nearest of {graph.n_candidates} random ones"
    elif isinstance(graph, KNNGraph):
        partner = f"with one of the nearest {percent(graph.share or 0.0)} of the batch (at least one), or with itself"
    else:
        assert isinstance(graph, ThresholdGraph)
        partner = f"with a random one within {graph.radius:g} ({radius_unit(found, graph.radius)}), if there is one"
    return f"{one.title.capitalize()}: {how_often}, each {partner}."


def radius_unit(found: Inspection, radius: float) -> str:
    """Return the unit of a radius; where all columns have one scale, also the radius in the unit of the data.

    Args:
        found: an inspection.
        radius: in the space of its features.
    """
    if not found.measured_on_inputs:
        return f"in the unit of {found.space}"
    scale = np.unique(found.scale[found.scale > 0])
    if len(scale) != 1:
        return "in standard deviations: subtract from each column its mean and divide by its standard deviation first"
    raw = f"{radius / float(scale[0]):.4g} in the unit of the data"
    if found.data.kind == "image" and found.data.x.dtype == np.uint8:
        raw += f", {radius / float(scale[0]) / 255:.4g} for pixels in [0, 1]"
    return f"in standard deviations; {raw}"


def limits(found: Inspection) -> list[str]:
    """Return sentences on what the suggestions do not reach.

    Args:
        found: an inspection.
    """
    lines = []
    if found.verdict.word == "harmful":
        lines.append(
            "This recipe limits the harm; do not expect a gain. On the nine data sets of the benchmark that are called "
            "harmful, such recipes made fewer errors than training without mixup on one, and more on two."
        )
    if found.verdict.word == "safe" and found.total < _FEW_ROWS and found.data.task == "classification":
        lines.append(
            f"The data have {found.total:,} rows only. With 100 rows to train on, mixup of all samples made more "
            "errors on 6 of the 17 data sets of the benchmark that are called safe, and LocalMixup() on 1: compare "
            "before you mix all."
        )
    if not found.taken.fits:
        lines.append(
            "No recipe within a batch stays at what real samples show without mixing. The most careful one is "
            "suggested; train without mixup unless compare shows a gain."
        )
    radius = any(isinstance(one.mix.graph, ThresholdGraph) for one in found.suggestions)
    if not radius and not found.mixup.fits:
        lines.append(
            f"No fixed radius is suggested: at none are {percent(FEWEST_COVERED)} of the samples mixed at some time, "
            "the class shares kept, and mixtures right as often as real samples."
        )
    if len(found.rows) < found.total:
        lines.append(f"Measured on {len(found.rows):,} random rows of {found.total:,}; --samples takes more.")
    return lines


def coincident(found: Inspection) -> str:
    """Name two rows of different classes that coincide; empty if there are none.

    Args:
        found: an inspection.
    """
    if found.curve is None or found.curve.distance[0] > 0:
        return ""
    pair = found.curve_rows[[found.curve.witness.first[0, 0], found.curve.witness.second[0, 0]]]
    names = [found.class_of(int(row)) for row in pair]
    rows = found.rows[pair]
    return (
        f"rows {rows[0]} ({names[0]}) and {rows[1]} ({names[1]}) coincide although their classes differ: no network "
        "can fit both, and the bound is infinite"
    )


def class_name(found: Inspection, shape: ClassShape) -> str:
    """Return the name of the class of a shape.

    Args:
        found: an inspection.
        shape: one of its shapes.
    """
    return found.data.class_names[int(shape.label)] if found.data.class_names else "all samples"
