"""What a locality graph is: a rule from features to the weight matrix W of eq. (3) (section 4.1 of the paper).

Weights lie in [0, 1], and a sample has weight 1 with itself. Each graph has a parameter at whose ends Local Mixup is
vanilla training and classical mixup.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from localmixup._distances import Metric, check_metric
from localmixup._shapes import Float, Int
from localmixup._validate import ArgumentError
from localmixup.graphs.distance_sample import DistanceSample, Wish, make_wish, sample_distances


class LocalityGraph(ABC):
    """A rule from features to weights.

    To write your own graph, derive from this class and define `matrix`. The other methods follow from it; override
    `pair_weights` if a few weights cost less than all of them.

    Attributes:
        name: short name of the graph, as in a configuration or on the command line.
        parameter: name of its main parameter, or None.
        metric: how distances are measured, `"euclidean"`, `"rms"`, `"cosine"`, or a function of two batches.
    """

    name: ClassVar[str] = ""
    parameter: ClassVar[str | None] = None
    metric: Metric = "euclidean"

    @property
    def n_uniform(self) -> int:
        """Number of uniform draws that `draw_partners` needs per sample."""
        return 1

    @abstractmethod
    def matrix(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n n"]:
        """Return the whole weight matrix W.

        Args:
            features: what distances are measured on, shape `(n, ...)`.

        Returns:
            Weights in [0, 1], ones on the diagonal, shape `(n, n)`; float32, or float64 for float64 features.
        """

    def pair_weights(self, features: Float[Tensor, "n ..."], partner: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Return the weight of each sample with its partner, `W[i, partner[i]]`.

        Args:
            features: what distances are measured on, shape `(n, ...)`.
            partner: index of each sample's partner, shape `(n,)`.

        Returns:
            Weights in [0, 1], shape `(n,)`; float32, or float64 for float64 features.
        """
        return self.matrix(features).gather(1, partner[:, None]).squeeze(1)

    def draw_partners(
        self, features: Float[Tensor, "n ..."], uniform: Float[Tensor, "..."], rows: Int[Tensor, "r"] | None = None
    ) -> Int[Tensor, "r"]:
        """Draw a partner for each sample with probability proportional to its row of W, itself included.

        Args:
            features: what distances are measured on, shape `(n, ...)`.
            uniform: uniform draws in [0, 1), float64, shape `(r,)`, or `(r, n_uniform)` if `n_uniform` is not 1.
            rows: the samples that need a partner, shape `(r,)`; None for all, in order.

        Returns:
            Indices of the partners, shape `(r,)`.
        """
        weights = self.matrix(features)
        if rows is not None:
            weights = weights.index_select(0, rows)
        itself = torch.arange(len(features), device=weights.device) if rows is None else rows
        return torch.where(weights.sum(dim=1) == 0, itself, draw_from_rows(weights, uniform))

    def is_vanilla(self, n: int) -> bool:
        """Return whether Local Mixup with this graph among `n` distinct samples is vanilla training.

        Args:
            n: number of samples among which partners are drawn.
        """
        return n < 2

    def is_mixup(self, n: int) -> bool:
        """Return whether Local Mixup with this graph among `n` samples is classical mixup.

        Args:
            n: number of samples among which partners are drawn.
        """
        return n < 2

    def weights_of_distances(self, distances: Tensor, *, population: int) -> Tensor:
        """Return the weights of pairs of distinct samples as a function of their distance, any shape.

        Args:
            distances: >= 0; for a neighbour graph all distances of the sample, in ascending order.
            population: number of samples among which partners are drawn.

        Raises:
            ValueError: the weights of this graph are not a function of the distance.
        """
        raise ArgumentError(f"graph must be a function of the distance, got {self!r}")

    @classmethod
    def from_sample(cls, sample: DistanceSample, wish: Wish, *, metric: Metric) -> Self:
        """Return the graph that fulfils a wish on a sample of distances.

        Args:
            sample: distances of the data.
            wish: what the graph should do to them.
            metric: with which they were measured.

        Raises:
            ValueError: this graph has no parameter, or none that fulfils the wish.
        """
        raise ArgumentError(f"{cls.__name__} has no parameter to fit: fit ExponentialGraph, ThresholdGraph or KNNGraph")

    @classmethod
    def fit(
        cls,
        data: Any,
        labels: Any = None,
        *,
        kept_share: float | None = None,
        mean_weight: float | None = None,
        ess_ratio: float | None = None,
        mixed_share: float | None = None,
        times_median: float | None = None,
        batch_size: int | None = None,
        metric: Metric = "euclidean",
        max_pairs: int = 200_000,
        max_rows: int = 4096,
        seed: int = 0,
    ) -> Self:
        """Return the graph that has a wanted effect on the data, so that nobody has to guess a radius or a decay.

        Give exactly one of the wishes. `localmixup.fit_graph` also says what the graph keeps.

        Args:
            data: features, shape `(m, ...)`, or an iterable of batches such as a DataLoader. Use the tensors that the
                training loop mixes: a radius has their unit.
            labels: class of each row; used by `fit_graph` only.
            kept_share: share of the pairs of distinct samples that are kept, in (0, 1]. For an exponential graph, which
                keeps every pair in part, the same as `mean_weight`.
            mean_weight: mean of W over pairs of distinct samples, in (0, 1].
            ess_ratio: `(sum w)^2 / (p sum w^2)` over pairs of distinct samples, in (0, 1].
            mixed_share: share of the counted samples whose two ends differ, in (0, 1), if each of `batch_size` samples
                meets all others and itself, as in eq. (3).
            times_median: exponential graph only: `decay` as this multiple of one over the median distance.
            batch_size: number of samples among which partners are drawn: the batch size for `LocalMixup`, the number
                of rows for `PairSampler`. `mixed_share` needs it; a `KNNGraph` then gets a count instead of a share.
            metric: `"euclidean"`, `"rms"`, `"cosine"`, or a function of two batches.
            max_pairs: largest number of pairs to measure.
            max_rows: largest number of rows to keep from a stream.
            seed: seed of the sample.

        Raises:
            ValueError: no wish or several, a wish out of range, or one that no parameter fulfils on these data.

        >>> from localmixup import ThresholdGraph
        >>> ThresholdGraph.fit(torch.arange(5.0)[:, None], kept_share=0.4)
        ThresholdGraph(radius=1.0, metric='euclidean')
        """
        wishes = {
            "kept_share": kept_share,
            "mean_weight": mean_weight,
            "ess_ratio": ess_ratio,
            "mixed_share": mixed_share,
            "times_median": times_median,
        }
        wish = make_wish(wishes, batch_size)
        sample = sample_distances(
            data, labels, metric=check_metric(metric), max_pairs=max_pairs, max_rows=max_rows, seed=seed
        )
        return cls.from_sample(sample, wish, metric=metric)


def draw_from_rows(weights: Float[Tensor, "r n"], uniform: Float[Tensor, "r"]) -> Int[Tensor, "r"]:
    """Draw one column per row with probability proportional to its weight.

    Args:
        weights: >= 0, with a positive sum in each row, shape `(r, n)`.
        uniform: one uniform draw in [0, 1) per row, shape `(r,)`.

    >>> draw_from_rows(torch.tensor([[0.0, 1.0], [3.0, 1.0]]), torch.tensor([0.5, 0.9]))
    tensor([1, 1])
    """
    if not len(weights):
        return torch.zeros(0, dtype=torch.int64, device=weights.device)
    cumulated = weights.cumsum(dim=1, dtype=None if weights.is_floating_point() else torch.float32)
    total = cumulated[:, -1:]
    # rounding may put a tick on the total, which stands for no column
    ticks = torch.minimum(uniform.to(total.dtype)[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    # NaN weights may give a column that does not exist
    return torch.searchsorted(cumulated, ticks, right=True).squeeze(1).clamp_max(weights.shape[1] - 1)
