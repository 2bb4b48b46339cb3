"""The settings of `LocalMixup`: which there are, and what each may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from localmixup._batch import REDUCTIONS
from localmixup._partners import PAIRINGS
from localmixup._validate import ArgumentError, check_choice, check_number
from localmixup.graphs.base import LocalityGraph

OUTSIDE = ("discard", "unmix")

SETTINGS = ("graph", "mixup_alpha", "prob", "per_sample", "pairing", "outside", "reduction")
"""Those that a config holds."""


def checked(name: str, value: Any) -> Any:
    """A value for an attribute of `LocalMixup`, as it is kept; what is no setting passes as it is.

    Args:
        name: of the attribute.
        value: what the caller gave.

    Raises:
        ValueError: the setting cannot be that.

    >>> checked("prob", 1)
    1.0
    """
    return _CHECKS[name](value) if name in _CHECKS else value


def _checked_graph(graph: Any) -> LocalityGraph:
    if not (hasattr(graph, "matrix") and hasattr(graph, "pair_weights")) or isinstance(graph, type):
        raise ArgumentError(f"graph must be a graph such as ThresholdGraph(radius=1.0), got {graph!r}")
    checked: LocalityGraph = graph
    return checked


def _checked_alpha(mixup_alpha: Any) -> float:
    number = check_number("mixup_alpha", mixup_alpha, low=0, meaning="Beta(mixup_alpha, mixup_alpha)")
    if number == 0:
        raise ArgumentError("mixup_alpha must be > 0 (for vanilla training use prob=0 or IdentityGraph()), got 0")
    return number


def _checked_per_sample(per_sample: Any) -> bool:
    if not isinstance(per_sample, (bool, np.bool_)):
        raise ArgumentError(f"per_sample must be True or False, got {per_sample!r}")
    return bool(per_sample)


def _checked_generator(generator: Any) -> torch.Generator | None:
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ArgumentError(f"generator must be a torch.Generator or None, got {type(generator).__name__}")
    return generator


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "graph": _checked_graph,
    "mixup_alpha": _checked_alpha,
    "prob": lambda value: check_number("prob", value, low=0, high=1),
    "per_sample": _checked_per_sample,
    "pairing": lambda value: check_choice("pairing", value, PAIRINGS),
    "outside": lambda value: check_choice("outside", value, OUTSIDE),
    "reduction": lambda value: check_choice("reduction", value, REDUCTIONS),
    "generator": _checked_generator,
}
