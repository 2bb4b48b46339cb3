"""The settings of `LocalMixup`: their names, and what each may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from localmixup import _partners
from localmixup._distances import can_ask
from localmixup._random import check_generator
from localmixup._validate import ArgumentError, check_choice, check_flag, check_number
from localmixup.graphs.base import LocalityGraph
from localmixup.graphs.nearest_of import NearestOfGraph

OUTSIDE = ("discard", "unmix")

SETTINGS = ("graph", "mixup_alpha", "prob", "per_sample", "pairing", "outside")
"""Names of the settings that a configuration holds."""

PAPER: dict[str, Any] = {"mixup_alpha": 1.0, "prob": 1.0, "per_sample": False, "pairing": "permutation"}
"""The defaults of a `LocalMixup` with a graph: those of the paper."""

RECOMMENDED: dict[str, Any] = {
    "graph": NearestOfGraph(n_candidates=4),
    "mixup_alpha": 1.0,
    "prob": 0.15,
    "per_sample": False,
    "pairing": "neighbors",
}
"""The defaults of a `LocalMixup` without a graph."""

SIMILAR = {"alpha": "mixup_alpha", "beta": "mixup_alpha", "p": "prob", "probability": "prob", "seed": "generator"}
"""Arguments that people write, and what they mean."""


def _check_graph(graph: Any) -> LocalityGraph:
    if not (hasattr(graph, "matrix") and hasattr(graph, "pair_weights")) or isinstance(graph, type):
        remedy = ""
        if isinstance(graph, (int, float)):
            remedy = ": a number alone does not say which graph"
        raise ArgumentError(f"graph must be a graph such as KNNGraph(share=0.2), got {graph!r:.80}{remedy}")
    checked: LocalityGraph = graph
    return checked


def checked_weights(graph: Any, weights: Any) -> Tensor:
    """Return the weights of pairs by a graph of the user's own, as floating point numbers.

    Args:
        graph: which gave them.
        weights: of the pairs.

    Raises:
        ValueError: they are no vector, or lie outside of [0, 1].
    """
    if not isinstance(weights, Tensor) or weights.ndim != 1:
        got = f"shape {tuple(weights.shape)}" if isinstance(weights, Tensor) else type(weights).__name__
        raise ArgumentError(f"graph must give one weight per pair, a vector, got {got} from {graph!r:.80}")
    found = weights if weights.dtype in (torch.float32, torch.float64) else weights.float()
    if can_ask(found) and len(found) and not (float(found.min()) >= 0 and float(found.max()) <= 1 + 1e-6):
        worst = float(found.min() if float(found.min()) < 0 else found.max())
        if worst == worst:  # NaN: features that diverged, which the loss shows
            raise ArgumentError(f"graph must give weights in [0, 1], got {worst:g} from {graph!r:.80}")
    return found


def _check_alpha(mixup_alpha: Any) -> float:
    number = check_number("mixup_alpha", mixup_alpha, low=0, meaning="Beta(mixup_alpha, mixup_alpha)")
    if number == 0:
        raise ArgumentError("mixup_alpha must be > 0 (for vanilla training use prob=0 or IdentityGraph()), got 0")
    return number


CHECKS: dict[str, Callable[[Any], Any]] = {
    "graph": _check_graph,
    "mixup_alpha": _check_alpha,
    "prob": lambda value: check_number("prob", value, low=0, high=1),
    "per_sample": lambda value: check_flag("per_sample", value),
    "pairing": lambda value: check_choice("pairing", value, _partners.PAIRINGS),
    "outside": lambda value: check_choice("outside", value, OUTSIDE),
    "generator": check_generator,
}
"""How each setting is checked and converted."""
