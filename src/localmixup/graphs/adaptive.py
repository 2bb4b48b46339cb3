"""An exponential graph whose decay follows the data, for features that change during training.

The features of a network change their scale while it trains, and those of its layers have different scales. A fixed
decay would then mean another locality in each epoch. Here the decay is one over a running scale of the distances.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from localmixup._distances import Metric, check_metric, distance_matrix, pair_distances
from localmixup._shapes import Float, Int
from localmixup._validate import ArgumentError, check_number, suggests
from localmixup.graphs.base import LocalityGraph

_NEWTON_STEPS = 20


@suggests(kept_share="mean_weight", alpha="times_median")
class AdaptiveExponentialGraph(nn.Module, LocalityGraph):
    """Exponential graph with a decay that keeps a wanted effect, `W[i, j] = exp(-d(x_i, x_j) / scale)`.

    Each batch has its own scale, and the running scale follows it:
    `scale = momentum * scale + (1 - momentum) * scale of the batch`. Until a batch has a scale (a single sample or
    duplicates have none), every weight is 1. In `.eval()` mode the scale does not change.

    The scale is a buffer, so `LocalMixup` with this graph has it in its `state_dict()`.

    Args:
        mean_weight: mean weight of the pairs of distinct samples, in (0, 1); default 0.5 unless `times_median` is
            given. A batch whose duplicates alone exceed it leaves the scale unchanged.
        times_median: alternatively, the decay as this multiple of one over the median distance, > 0.
        momentum: share of the old scale that each batch keeps, in [0, 1); 0 uses the scale of each batch alone.
        metric: `"euclidean"`, `"rms"`, `"cosine"`, or a function of two batches.

    Raises:
        ValueError: both `mean_weight` and `times_median` are given, or an argument is out of range.

    >>> graph = AdaptiveExponentialGraph(times_median=1.0)
    >>> graph.pair_weights(torch.tensor([[0.0], [2.0]]), torch.tensor([1, 0]))
    tensor([0.3679, 0.3679])
    >>> graph.decay
    0.5
    """

    name: ClassVar[str] = "adaptive"

    scale: Tensor

    def __init__(
        self,
        *,
        mean_weight: float | None = None,
        times_median: float | None = None,
        momentum: float = 0.9,
        metric: Metric = "euclidean",
    ) -> None:
        super().__init__()
        if mean_weight is not None and times_median is not None:
            raise ArgumentError(f"give one of mean_weight and times_median, got {mean_weight} and {times_median}")
        if times_median is None:
            mean_weight = check_number("mean_weight", 0.5 if mean_weight is None else mean_weight, low=0, high=1)
            if mean_weight in (0, 1):
                raise ArgumentError(
                    f"mean_weight must lie between 0 (IdentityGraph) and 1 (CompleteGraph), got {mean_weight}"
                )
        else:
            times_median = check_number("times_median", times_median, low=0)
            if times_median in (0, float("inf")):
                raise ArgumentError(
                    f"times_median must lie between 0 (CompleteGraph) and inf (IdentityGraph), got {times_median}"
                )
        self.mean_weight = mean_weight
        self.times_median = times_median
        self.momentum = check_number("momentum", momentum, low=0, high=1)
        if self.momentum == 1:
            raise ArgumentError("momentum must be < 1 (1 would never follow), got 1")
        self.metric = check_metric(metric)
        self.register_buffer("scale", torch.tensor(float("nan")))

    def extra_repr(self) -> str:
        """Return the settings, for `repr`."""
        setting = f"times_median={self.times_median}" if self.mean_weight is None else f"mean_weight={self.mean_weight}"
        return f"{setting}, momentum={self.momentum:g}, metric={self.metric!r}"

    @property
    def decay(self) -> float:
        """The current decay, one over the running scale; NaN before the first batch."""
        return 1 / float(self.scale)

    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """Return the whole weight matrix W, shape `(n, n)`; the scale follows its pairs of distinct samples."""
        distances = distance_matrix(features, self.metric)
        itself = torch.eye(len(distances), dtype=torch.bool, device=distances.device)
        return self._weigh(distances, itself)

    def pair_weights(self, features: Float[Tensor, "n ..."], partner: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Return the weight of each sample with its partner, shape `(n,)`; the scale follows the distinct pairs."""
        itself = partner == torch.arange(len(partner), device=partner.device)
        return self._weigh(pair_distances(features, partner, self.metric), itself)

    def weights_of_distances(self, distances: Tensor, *, population: int) -> Tensor:
        """Return the weights at the current scale; the population does not matter."""
        scale = self.scale.to(distances.device, distances.dtype)
        return torch.where(scale.isnan(), 1.0, torch.exp(-distances / scale))

    @torch.no_grad()
    def _weigh(self, distances: Tensor, itself: Tensor) -> Tensor:
        if self.training and distances.numel():
            self._follow(distances, itself)
        return self.weights_of_distances(distances, population=0).masked_fill(itself, 1.0)

    def _follow(self, distances: Tensor, itself: Tensor) -> None:
        """Move the scale towards that of the batch, without a branch on a value, so that a GPU need not wait."""
        median = distances.masked_fill(itself, torch.nan).nanmedian()
        unit = median
        if self.mean_weight is not None:
            unit = median * _scale_of_mean(distances / median, itself, self.mean_weight)
        scale = unit / (self.times_median or 1.0)
        old = self.scale.to(scale.device, scale.dtype)
        moved = torch.where(old.isnan(), scale, self.momentum * old + (1 - self.momentum) * scale)
        known = (scale > 0) & moved.to(self.scale.dtype).isfinite()  # half precision ends at 65504
        self.scale.copy_(torch.where(known, moved, old))


def _scale_of_mean(distances: Tensor, itself: Tensor, mean_weight: float) -> Tensor:
    """Return the scale s at which the mean of `exp(-d / s)` over the distinct pairs is `mean_weight`.

    Newton's method: the mean is convex and falls with the decay, so from 0 the steps never pass the root. Returns NaN
    if no decay reaches it.
    """
    wide = distances.double() if distances.device.type != "mps" else distances
    share = (~itself).to(wide.dtype)
    share = share / share.sum()
    wide = wide.masked_fill(itself, 0.0)
    decay = torch.zeros((), dtype=wide.dtype, device=wide.device)
    for _ in range(_NEWTON_STEPS):
        weights = share * torch.exp(-decay * wide)
        decay = decay + (weights.sum() - mean_weight) / (weights * wide).sum()
    reached = ((share * torch.exp(-decay * wide)).sum() - mean_weight).abs() < 1e-3
    return torch.where(reached, 1 / decay, torch.nan).to(distances.dtype)
