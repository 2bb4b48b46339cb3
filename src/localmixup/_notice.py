"""A warning, given once, if the first batches show that a graph does not do what its user means."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from localmixup._distances import pair_distances
from localmixup._validate import warn

_ENOUGH = 500  # pairs before anything is said: a single small batch of a sensible graph may keep none of its pairs
_SAMPLES = 64  # and samples, since the pairs of a few samples are much alike
_HARDLY = 0.02  # mean weight below which hardly any pair counts
_HARDLY_MIXED = 0.002  # the same for the share of samples that get another one as their drawn partner
_ALL = 1 - 1e-5  # mean weight above which the graph is classical mixup
_SHIFTS = 16  # partners of each sample that are measured before a warning
_FIRST, _LAST = 64, 4096  # batches after which there are no more looks, if there were enough pairs, and in any case
_FEW = 8  # samples of a batch, or batches, that are not enough to say anything about the batch size


class Notice:
    """Looks at the first batches, and warns once if hardly any pair counts, or if all pairs count in full.

    The pairs of all batches are added up, so that small batches are evidence as well. The sums stay on the device and
    are read after 1, 2, 4, 8, ... batches, because reading a value makes a GPU wait.
    """

    def __init__(self) -> None:
        self.done = False
        self._batches, self._samples, self._largest = 0, 0, 0
        self._drawn: Tensor | None = None  # number of drawn pairs, and the sum of what they count
        self._measured, self._kept = 0, 0.0  # the same of further pairs, of batches that looked suspicious

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled and copied; tensors on a device are not."""
        return {**self.__dict__, "_drawn": None}

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
        n = len(partner)
        self._batches += 1
        self._samples += n
        self._largest = max(self._largest, n)
        self.done = self._batches == _LAST
        # a graph that is a module, such as the adaptive one, follows the data by itself
        if n < 2 or mix.prob == 0 or isinstance(mix.graph, nn.Module):
            return
        if hasattr(mix.graph, "is_mixup"):
            self._add(mix, features, partner, weights)
        if self._batches & (self._batches - 1):  # not a power of two
            return
        message = self._message(mix, features)
        if message:
            self.done = True
            warn(message)

    def _add(self, mix: Any, features: Tensor, partner: Tensor, weights: Tensor) -> None:
        if len(partner) < _FEW and mix.pairing == "permutation":  # half of the samples of two meet themselves
            partner = _others(features)[0]
            with torch.no_grad():
                weights = mix.graph.pair_weights(features, partner)
        distinct = (partner != torch.arange(len(partner), device=partner.device)).to(weights.dtype)
        if mix.pairing == "neighbors":  # those that may be mixed, and those that are
            drawn = torch.stack([torch.full_like(weights[0], mix.prob * len(partner)), distinct.sum()])
        else:
            drawn = torch.stack([distinct.sum(), (weights * distinct).sum()])
        self._drawn = drawn if self._drawn is None else self._drawn.to(drawn.device) + drawn

    def _message(self, mix: Any, features: Tensor) -> str:
        graph, n = mix.graph, len(features)
        finding = ""
        if self._drawn is not None:
            pairs, kept = self._drawn.tolist()
            find = self._among_samples if mix.pairing == "neighbors" else self._among_pairs
            finding = find(mix, features, pairs, kept)
        return _warning(graph, features, finding) if finding else self._too_many_neighbors(graph, n)

    def _among_samples(self, mix: Any, features: Tensor, samples: float, mixed: float) -> str:
        self.done |= samples >= _ENOUGH and self._batches >= _FIRST
        if samples < _ENOUGH or mixed >= _HARDLY_MIXED * samples or mix.graph.is_vanilla(len(features)):
            return ""
        return f"hardly any sample is mixed, a share of {mixed / samples:.2g}"

    def _among_pairs(self, mix: Any, features: Tensor, pairs: float, kept: float) -> str:
        graph, n = mix.graph, len(features)
        hardly = kept < _HARDLY * pairs and not graph.is_vanilla(n)
        if hardly or (kept > _ALL * pairs and not graph.is_mixup(n)):
            measured = n * min(n - 1, _SHIFTS)
            self._measured += measured
            self._kept += measured * _mean_weight(graph, features)
        pairs, kept = pairs + self._measured, kept + self._kept
        self.done |= pairs >= _ENOUGH and self._batches >= _FIRST
        if pairs < _ENOUGH or self._samples < _SAMPLES:
            return ""
        if kept < _HARDLY * pairs and not graph.is_vanilla(n):
            effect = "pair is mixed" if mix.outside == "unmix" else "pair counts in the loss"
            return f"hardly any {effect}, with a mean weight of {kept / pairs:.2g}"
        if kept > _ALL * pairs and not graph.is_mixup(n):
            return "every pair counts in full, so this is classical mixup"
        return ""

    def _too_many_neighbors(self, graph: Any, n: int) -> str:
        if (getattr(graph, "n_neighbors", None) or 0) < self._largest or (n < _FEW and self._batches < _FEW):
            return ""
        return (
            f"a batch of {n} has fewer samples than {graph!r} has neighbours, so this is classical mixup: use a share, "
            "which means the same in a batch and in a data set, KNNGraph(share=0.2)"
        )


def _mean_weight(graph: Any, features: Tensor) -> float:
    """Return the mean weight of each sample with several others of the batch."""
    partners = _others(features)
    return sum(float(graph.pair_weights(features, partner).mean()) for partner in partners) / len(partners)


def _others(features: Tensor) -> list[Tensor]:
    """Return up to `_SHIFTS` partners of each sample of a batch of two or more, one vector of shape `(n,)` for each."""
    n = len(features)
    itself = torch.arange(n, device=features.device)
    return [(itself + k) % n for k in range(1, min(n - 1, _SHIFTS) + 1)]


def _warning(graph: Any, features: Tensor, finding: str) -> str:
    name = type(graph).__name__
    seen = torch.cat([pair_distances(features, partner, graph.metric) for partner in _others(features)])
    low, middle, high = (float(value) for value in (seen.min(), seen.median(), seen.max()))
    example = name if name in ("ExponentialGraph", "ThresholdGraph") else "ThresholdGraph"
    return (
        f"with {graph!r} {finding}: the distances of the pairs are {low:.4g} to {high:.4g}, median {middle:.4g}. Fit "
        f"the graph to the tensors that the loop mixes, {example}.fit(x_train, kept_share=0.2), or use "
        "KNNGraph(share=0.2), which needs no unit"
    )
