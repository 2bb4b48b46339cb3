"""Suggest how local mixup should be: the most mixing at which intrusion stays below a wanted rate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from localmixup._validate import check_number
from localmixup.geometry.intrusion_report import IntrusionReport
from localmixup.geometry.pairs import LAM_GRID
from localmixup.geometry.rates import Rates
from localmixup.graphs import CompleteGraph, KNNGraph, LocalityGraph
from localmixup.graphs.registry import make_graph

GRAPHS = ("threshold", "exponential", "knn")
"""Short names of the graphs that are suggested, as in `localmixup.graphs.registry`."""


class SuggestedGraph(NamedTuple):
    """A graph ready for `LocalMixup`, and what it does on the data.

    Attributes:
        graph: a `ThresholdGraph`, an `ExponentialGraph`, or a `KNNGraph` with a share of the samples present, so that
            it means the same in a batch as in the whole data set.
        value: the radius, the decay, or the number of neighbours in the whole data set.
        rates: over all pairs that the graph keeps.
    """

    graph: LocalityGraph
    value: float
    rates: Rates

    @property
    def parameter(self) -> str:
        """What `value` is: `"radius"`, `"decay"` or `"n_neighbors"`."""
        return str(self.graph.parameter)


class Suggestion(NamedTuple):
    """How local mixup should be on a data set.

    Attributes:
        safe: whether classical mixup stays at or below the wanted level.
        level: wanted rate of intrusion.
        limit: rate that the suggested graphs stay below. This is `level`, or `level` plus the overlap of the classes
            if no graph reaches `level`.
        undecided: whether classical mixup adds less than `level` to an overlap above it. Nearest samples then say
            little about classes in this space, neither for mixup nor against it, and no graph is suggested.
        mixup: rates of classical mixup.
        graphs: the suggested graphs by short name (`"threshold"`, `"exponential"`, `"knn"`); one is missing if no
            value of its parameter stays below `limit`.
    """

    safe: bool
    level: float
    limit: float
    undecided: bool
    mixup: Rates
    graphs: dict[str, SuggestedGraph]


def suggest(report: IntrusionReport, *, level: float = 0.01) -> Suggestion:
    """Suggest the least local graph of each kind at which intrusion stays below a level.

    That is the largest radius, the smallest decay and the largest number of neighbours.

    Args:
        report: from `localmixup.geometry.intrusion`.
        level: wanted rate of intruding virtual samples, in (0, 1).

    Raises:
        ArgumentError: `level` is out of range.

    >>> from localmixup import LocalMixup
    >>> from localmixup.geometry import intrusion
    >>> x = np.array([[0.0], [0.1], [0.2], [4.8], [5.0], [5.1], [2.4], [2.5], [2.6]])
    >>> suggestion = suggest(intrusion(x, [0, 0, 0, 0, 0, 0, 1, 1, 1]), level=0.1)
    >>> LocalMixup(suggestion.graphs["threshold"].graph).graph.radius
    4.9
    """
    check_number("level", level, low=1e-4, high=1)
    mixup = report.overall_rates(CompleteGraph())
    safe = mixup.intrusion.value <= level
    for limit in (level, level + report.overlap.value):
        if limit > level and mixup.intrusion.value <= limit:
            return Suggestion(False, level, limit, True, mixup, {})
        found = {name: _least_local(report, name, limit) for name in GRAPHS}
        graphs = {name: suggested for name, suggested in found.items() if suggested is not None}
        if graphs:
            break
    return Suggestion(safe, level, limit, False, mixup, graphs)


def candidate_values(report: IntrusionReport, name: str) -> np.ndarray:
    """Return values of a graph's parameter in the order from vanilla training to classical mixup.

    Args:
        report: its virtual samples hold the distances.
        name: one of `GRAPHS`.
    """
    distance, share = report.samples.distance, report.samples.share
    order = np.argsort(distance)
    mass = np.cumsum(share[order]) / share.sum()
    if name == "threshold":
        kept = np.geomspace(1e-5, 1, 300)
        radii = np.unique(distance[order][np.minimum(np.searchsorted(mass, kept), len(mass) - 1)])
        return radii[radii > 0]  # a radius of 0 would keep duplicates only
    if name == "exponential":
        median = float(distance[order][np.searchsorted(mass, 0.5)]) or 1.0
        return np.append(np.geomspace(300, 1e-3, 120) / median, 0.0)
    m = len(report.labels)
    return np.unique(np.round(np.geomspace(1, m - 1, 80)).astype(int))


def _least_local(report: IntrusionReport, name: str, limit: float) -> SuggestedGraph | None:
    m = len(report.labels)
    for value in candidate_values(report, name)[::-1]:
        graph = KNNGraph(share=value / (m - 1)) if name == "knn" else make_graph(name, float(value))
        rates = report.overall_rates(graph)
        # with all pairs tried, each stands in both orders and with every lam of the grid
        pairs = rates.n_effective / (2 * LAM_GRID if report.exhaustive else 1)
        enough = pairs >= 0.5 / limit  # fewer pairs could not show such a rate
        if enough and rates.intrusion.value <= limit:
            return SuggestedGraph(graph, float(value), rates)
    return None
