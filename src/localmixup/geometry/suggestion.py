"""How local mixup should be on a data set: the largest range at which intrusion stays below a wanted level."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from localmixup._validate import check_number
from localmixup.geometry.intrusion import GRID, IntrusionReport, Rates, graph_with

PARAMETERS = ("radius", "decay", "n_neighbors")


class Choice(NamedTuple):
    """A suggested value of one graph's parameter.

    Attributes:
        parameter: `"radius"`, `"decay"` or `"n_neighbors"`.
        value: the largest range that stays below the limit: the largest radius or n_neighbors, the smallest decay.
        rates: over all pairs that it keeps.
    """

    parameter: str
    value: float
    rates: Rates


class Suggestion(NamedTuple):
    """How local mixup should be here.

    Attributes:
        safe: whether mixup of all pairs stays below the wanted level.
        level: the wanted level of intrusion.
        limit: the level that the choices stay below: `level`, or, where no range reaches that because the classes
            themselves overlap, `level` above their overlap.
        undecided: whether mixup adds less than `level` to an overlap that is above it: nearest samples then hardly tell
            classes in this space, and say nothing against mixup, nor for it; there are no choices.
        mixup: rates of classical mixup.
        choices: by parameter; one is missing where no range stays below the limit either.
    """

    safe: bool
    level: float
    limit: float
    undecided: bool
    mixup: Rates
    choices: dict[str, Choice]


def suggest(report: IntrusionReport, *, level: float = 0.01) -> Suggestion:
    """The largest locality at which intrusion stays below a level, for each kind of graph.

    Args:
        report: from `localmixup.geometry.intrusion`.
        level: wanted rate of intruding virtual samples, in (0, 1).

    Raises:
        ValueError: a level out of range.
    """
    check_number("level", level, low=1e-4, high=1)
    mixup = report.rates(graph_with("decay", 0.0))["all"]
    safe = mixup.intrusion.value <= level
    for limit in (level, level + report.overlap.value):
        if limit > level and mixup.intrusion.value <= limit:
            return Suggestion(False, level, limit, True, mixup, {})
        found = {p: _largest(report, p, limit) for p in PARAMETERS}
        choices = {name: choice for name, choice in found.items() if choice is not None}
        if choices:
            break
    return Suggestion(safe, level, limit, False, mixup, choices)


def candidates(report: IntrusionReport, parameter: str) -> np.ndarray:
    """Values of a parameter from the most local to all pairs.

    Args:
        report: tells the distances.
        parameter: of `PARAMETERS`.
    """
    distance, share = report.samples.distance, report.samples.share
    order = np.argsort(distance)
    mass = np.cumsum(share[order]) / share.sum()
    if parameter == "radius":
        kept = np.geomspace(1e-5, 1, 300)
        return np.unique(distance[order][np.minimum(np.searchsorted(mass, kept), len(mass) - 1)])
    if parameter == "decay":
        median = float(distance[order][np.searchsorted(mass, 0.5)]) or 1.0
        return np.append(np.geomspace(300, 1e-3, 120) / median, 0.0)
    m = len(report.labels)
    return np.unique(np.round(np.geomspace(1, m - 1, 80)).astype(int))


def _largest(report: IntrusionReport, parameter: str, limit: float) -> Choice | None:
    for value in candidates(report, parameter)[::-1]:
        rates = report.rates(graph_with(parameter, float(value)))["all"]
        # fewer pairs than this cannot tell such a rate; where all are tried each stands there in both orders and for
        # every lam of the grid
        pairs = rates.effective_samples / (2 * GRID if report.exhaustive else 1)
        enough = pairs >= 0.5 / limit
        if parameter == "radius" and value == 0:
            continue  # duplicates only: vanilla training
        if enough and rates.intrusion.value <= limit:
            return Choice(parameter, float(value), rates)
    return None
