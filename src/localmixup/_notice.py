"""A warning, given once, if the first batches show that a graph does not do what its user means."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from localmixup._distances import pair_distances

if TYPE_CHECKING:
    from localmixup._batch import MixPlan

_LOOKS = (1, 2, 4, 8, 16, 32, 64)  # the batches that are looked at: reading a value makes a GPU wait
_ENOUGH = 16  # distinct pairs before anything is said
_HARDLY = 0.05  # mean weight below which hardly a pair counts
_ALL = 1 - 1e-5  # mean weight above which the graph is classical mixup


class Notice:
    """Looks at some of the first batches, and warns once if hardly a pair counts, or if all pairs count in full."""

    def __init__(self) -> None:
        self._batches = 0
        self._pairs = self._weight = 0.0
        self._done = False

    def look_at(self, mix: Any, features: Tensor, partner: Tensor, weights: Tensor, plan: MixPlan) -> None:
        """Look at one batch.

        Args:
            mix: the `LocalMixup` that drew it.
            features: what was measured, shape `(n, ...)`.
            partner: partners as drawn, shape `(n,)`.
            weights: weights of the pairs as drawn, shape `(n,)`.
            plan: the plan.
        """
        if self._done or torch.compiler.is_compiling():
            return
        self._batches += 1
        if self._batches not in _LOOKS:
            return
        self._done = self._batches == _LOOKS[-1]
        distinct = partner != torch.arange(len(partner), device=partner.device)
        pairs, weight = torch.stack([distinct.sum().to(weights.dtype), (weights * distinct).sum()]).tolist()
        self._pairs, self._weight = self._pairs + pairs, self._weight + weight
        n = len(partner)
        if self._pairs < _ENOUGH:
            return
        mean = self._weight / self._pairs
        graph = mix.graph
        message = ""
        if mean < _HARDLY and not _is(graph, "is_vanilla", n) and mix.pairing != "neighbors":
            message = f"hardly any pair counts in the loss: their mean weight is {mean:.2g}"
            if mix.outside == "unmix":
                message = f"hardly any pair is mixed: {100 * mean:.2g} % of them"
        elif mean > _ALL and not _is(graph, "is_mixup", n, default=True) and mix.pairing != "neighbors":
            message = "every pair counts in full, so this is classical mixup"
        elif mix.pairing == "neighbors" and getattr(graph, "n_neighbors", None) is not None and graph.n_neighbors >= n:
            message = (
                f"every sample of a batch of {n} is among the {graph.n_neighbors} nearest: this is classical mixup"
            )
        if message:
            self._done = True
            warnings.warn(
                f"with {graph!r} {message}. {_distances_seen(graph, features, partner, distinct)}Fit the graph to the "
                f"tensors that the loop mixes, such as {_example(graph)}.fit(x_train, kept_share=0.2), or use "
                "KNNGraph(share=0.2), which needs no unit",
                stacklevel=6,
            )


def _example(graph: Any) -> str:
    name = type(graph).__name__
    return name if name in ("ExponentialGraph", "ThresholdGraph", "KNNGraph") else "ThresholdGraph"


def _is(graph: Any, name: str, n: int, *, default: bool = False) -> bool:
    method = getattr(graph, name, None)
    return default if method is None else bool(method(n))


def _distances_seen(graph: Any, features: Tensor, partner: Tensor, distinct: Tensor) -> str:
    metric = getattr(graph, "metric", None)
    if metric is None or not bool(distinct.any()):
        return ""
    seen = pair_distances(features, partner, metric)[distinct]
    low, middle, high = (float(value) for value in (seen.min(), seen.median(), seen.max()))
    return f"The distances of the pairs are {low:.4g} to {high:.4g}, median {middle:.4g}. "
