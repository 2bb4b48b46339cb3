"""A warning, given once, if the first batches show that a graph does not do what its user means."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from localmixup._distances import pair_distances
from localmixup._validate import warn

_LOOKS = (1, 2, 4, 8, 16, 32, 64)  # the batches that are looked at: reading a value makes a GPU wait
_ENOUGH = 8  # distinct pairs before anything is said
_HARDLY = 0.02  # mean weight below which hardly any pair counts; a small batch of a sensible graph stays above it
_EVIDENCE = 400  # pairs that are measured before that is said
_ALL = 1 - 1e-5  # mean weight above which the graph is classical mixup
_SHIFTS = 16  # partners of each sample that are measured before a warning


class Notice:
    """Looks at some of the first batches, and warns once if hardly any pair counts, or if all pairs count in full."""

    def __init__(self) -> None:
        self._batches = 0
        self.done = False
        self._measured, self._kept = 0, 0.0

    def silence(self) -> None:
        """Never warn, because the graph was fitted to the very data that are mixed."""
        self.done = True

    def look_at(self, mix: Any, features: Tensor, partner: Tensor, weights: Tensor) -> None:
        """Look at one batch.

        Args:
            mix: the `LocalMixup` that drew it.
            features: what was measured, shape `(n, ...)`.
            partner: partners as drawn, shape `(n,)`.
            weights: weights of the pairs as drawn, shape `(n,)`.
        """
        if self.done or torch.compiler.is_compiling():
            return
        self._batches += 1
        self.done = self._batches == _LOOKS[-1]
        # a graph that is a module, such as the adaptive one, follows the data by itself
        if self._batches not in _LOOKS or isinstance(mix.graph, nn.Module):
            return
        message = self._message(mix, features, partner, weights)
        if message:
            self.done = True
            warn(message)

    def _message(self, mix: Any, features: Tensor, partner: Tensor, weights: Tensor) -> str:
        graph, n = mix.graph, len(partner)
        if mix.prob == 0:
            return ""
        if mix.pairing == "neighbors" or not hasattr(graph, "is_mixup"):
            return _too_many_neighbors(graph, n)
        distinct = partner != torch.arange(n, device=partner.device)
        pairs, weight = torch.stack([distinct.sum().to(weights.dtype), (weights * distinct).sum()]).tolist()
        if pairs < _ENOUGH:
            return ""
        if weight < _HARDLY * pairs and not graph.is_vanilla(n):
            mean = self._mean_over_batches(graph, features)
            if self._measured >= _EVIDENCE and mean < _HARDLY:
                effect = "pair is mixed" if mix.outside == "unmix" else "pair counts in the loss"
                return _warning(graph, features, f"hardly any {effect}, with a mean weight of {mean:.2g}")
        if weight > _ALL * pairs and not graph.is_mixup(n) and _mean_weight(graph, features) > _ALL:
            return _warning(graph, features, "every pair counts in full, so this is classical mixup")
        return _too_many_neighbors(graph, n)

    def _mean_over_batches(self, graph: Any, features: Tensor) -> float:
        """Return the mean weight in the batches measured so far, because a single small batch may keep no pair."""
        pairs = len(features) * min(len(features) - 1, _SHIFTS)
        self._measured += pairs
        self._kept += pairs * _mean_weight(graph, features)
        return self._kept / self._measured


def _too_many_neighbors(graph: Any, n: int) -> str:
    if (getattr(graph, "n_neighbors", None) or 0) < n or n < _ENOUGH:
        return ""
    return (
        f"a batch of {n} has fewer samples than {graph!r} has neighbours, so this is classical mixup: use a share, "
        "which means the same in a batch and in a data set, KNNGraph(share=0.2)"
    )


def _mean_weight(graph: Any, features: Tensor) -> float:
    """Return the mean weight of each sample with several others of the batch."""
    n = len(features)
    itself = torch.arange(n, device=features.device)
    shifts = range(1, min(n - 1, _SHIFTS) + 1)
    return sum(float(graph.pair_weights(features, (itself + k) % n).mean()) for k in shifts) / max(1, len(shifts))


def _warning(graph: Any, features: Tensor, finding: str) -> str:
    n, name = len(features), type(graph).__name__
    itself = torch.arange(n, device=features.device)
    seen = pair_distances(features, (itself + 1) % n, graph.metric)
    low, middle, high = (float(value) for value in (seen.min(), seen.median(), seen.max()))
    example = name if name in ("ExponentialGraph", "ThresholdGraph") else "ThresholdGraph"
    return (
        f"with {graph!r} {finding}: the distances of the pairs are {low:.4g} to {high:.4g}, median {middle:.4g}. Fit "
        f"the graph to the tensors that the loop mixes, {example}.fit(x_train, kept_share=0.2), or use "
        "KNNGraph(share=0.2), which needs no unit"
    )
