"""From a sample of the data to a concrete graph, so that nobody has to guess the unit of a radius or a decay.

The paper chose its parameters on the test error and names the histogram of distances as the way to do better
(section 5.3). At its published decays the weights are almost constant; asking for a share of pairs, a mean weight or
an effective sample size instead says how local a graph is, in units that carry over from one data set to the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from localmixup._arrays import as_tensor
from localmixup._distances import Metric, check_metric, distances_of_pairs
from localmixup._validate import ArgumentError, check_integer, check_number

_RESERVOIR_VALUES = 64 * 2**20  # values kept of a stream: 256 MB of float32


class DistanceSample(NamedTuple):
    """Distances of pairs of distinct samples, drawn from a data set.

    Attributes:
        distances: in ascending order, shape `(p,)`, float64.
        same_class: whether the two ends share their class, in the same order, shape `(p,)`; None without labels.
        n_rows: how many rows the data held.
        exhaustive: whether these are all pairs of the data rather than a random part of them.
    """

    distances: Tensor
    same_class: Tensor | None
    n_rows: int
    exhaustive: bool

    @property
    def n_pairs(self) -> int:
        """Number of pairs measured."""
        return int(self.distances.shape[0])

    @property
    def median(self) -> float:
        """Median distance of two distinct samples."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> float:
        """The smallest distance that at least a share of the pairs does not exceed.

        Args:
            share: in [0, 1].

        Returns:
            An observed distance: the smallest `r` with `mean(d <= r) >= share`.
        """
        position = max(0, math.ceil(check_number("share", share, low=0, high=1) * self.n_pairs) - 1)
        return float(self.distances[position])


class Target(NamedTuple):
    """What a calibrated graph is to reach, as one number; see `calibrate` for the meaning of each name."""

    name: str
    value: float


class Calibratable(Protocol):
    """A type of graph with one parameter that `calibrate` can choose."""

    @classmethod
    def from_distances(cls, sample: DistanceSample, target: Target, *, metric: Metric, population: int) -> Any:
        """The graph that reaches `target` on `sample`."""


class Calibration(NamedTuple):
    """A graph and what it does to the pairs that it was calibrated on.

    Attributes:
        graph: the graph, ready for `LocalMixup` or `PairSampler`.
        n_pairs: number of pairs measured.
        n_rows: number of rows of the data seen.
        median_distance: median distance of two distinct samples.
        mean_weight: mean of W over the pairs.
        effective_sample_size: `(sum w)^2 / (p sum w^2)` over the pairs.
        mixed_share: share of counted samples whose two ends differ, among `population` samples each paired with all
            of them and with itself.
        mean_weight_within_class: mean of W over pairs of one class; NaN without labels, and for a neighbour graph.
        mean_weight_between_class: the same over pairs of two classes.
    """

    graph: Any
    n_pairs: int
    n_rows: int
    median_distance: float
    mean_weight: float
    effective_sample_size: float
    mixed_share: float
    mean_weight_within_class: float
    mean_weight_between_class: float


def sample_distances(
    data: Any,
    labels: Any = None,
    *,
    metric: Metric = "euclidean",
    max_pairs: int = 200_000,
    max_rows: int = 4096,
    seed: int = 0,
) -> DistanceSample:
    """Measure distances of pairs of distinct samples: all pairs where there are few, a uniform sample where many.

    Args:
        data: features, a tensor or array of shape `(m, ...)`; or an iterable of batches (a DataLoader), each a tensor
            or a tuple whose first element is the features and whose second, if `labels` is None, the labels. Of a
            stream a uniform sample of rows is kept, so that it is read once and never held in memory.
        labels: class of each row, shape `(m,)`; only with features given as one tensor.
        metric: see `localmixup._distances`.
        max_pairs: how many pairs to measure at the most; with no more pairs than that, all are measured.
        max_rows: how many rows of a stream are kept (fewer where rows are large, 256 MB in all).
        seed: of the sample.

    Raises:
        ValueError: fewer than two rows, rows that are not finite, or labels of another length.

    >>> sample_distances(torch.tensor([[0.0], [1.0], [3.0]])).distances
    tensor([1., 2., 3.], dtype=torch.float64)
    """
    check_metric(metric)
    check_integer("max_pairs", max_pairs, low=1)
    check_integer("max_rows", max_rows, low=2)
    generator = torch.Generator().manual_seed(check_integer("seed", seed, low=0))
    if not isinstance(data, Tensor) and hasattr(data, "__array__"):  # arrays, and tables of numbers
        data = _numbers("data", data)
    if isinstance(data, Tensor):
        if data.ndim == 0:
            raise ArgumentError("data must have shape (m, ...), one row a sample, got a scalar")
        features, n_rows = data, len(data)
        classes = None if labels is None else _classes(labels)
        if classes is not None and classes.shape != (n_rows,):
            raise ArgumentError(f"labels must have one class a row, shape {(n_rows,)}, got {tuple(classes.shape)}")
    elif labels is not None:
        raise ArgumentError(
            "labels of a stream come with its batches: give an iterable of (features, labels) and labels=None"
        )
    else:
        features, classes, n_rows = _reservoir(data, max_rows, generator)
    if len(features) < 2:
        raise ArgumentError(f"data must hold at least 2 rows to measure a distance, got {len(features)}")
    first, second, exhaustive = _pairs(len(features), max_pairs, generator)
    distances = (
        distances_of_pairs(features, first.to(features.device), second.to(features.device), metric).cpu().double()
    )
    if not bool(torch.isfinite(distances).all()):
        raise ArgumentError("data must be finite: a distance came out as NaN or infinity")
    distances, order = distances.sort()
    same = None if classes is None else (classes[first] == classes[second]).cpu()[order]
    return DistanceSample(distances, same, n_rows, exhaustive and len(features) == n_rows)


def calibrate(
    data: Any,
    graph_type: type[Calibratable],
    labels: Any = None,
    *,
    kept_share: float | None = None,
    mean_weight: float | None = None,
    effective_sample_size: float | None = None,
    mixed_share: float | None = None,
    times_median: float | None = None,
    population: int | None = None,
    metric: Metric = "euclidean",
    max_pairs: int = 200_000,
    max_rows: int = 4096,
    seed: int = 0,
) -> Calibration:
    """Choose a graph's parameter such that it has a wanted effect on the data; give one of the five wishes.

    Args:
        data: features, or a stream of batches; see `sample_distances`.
        graph_type: `ExponentialGraph`, `ThresholdGraph` or `KNNGraph`.
        labels: class of each row, to learn what the graph keeps within and between classes.
        kept_share: share of the pairs of distinct samples that are kept, in (0, 1]; for an exponential graph, which
            keeps every pair in part, the same as `mean_weight`.
        mean_weight: mean of W over pairs of distinct samples, in (0, 1].
        effective_sample_size: `(sum w)^2 / (p sum w^2)` over pairs of distinct samples, in (0, 1].
        mixed_share: share of the counted samples whose two ends differ, in (0, 1), where each of `population` samples
            meets every other and itself, as eq. (3) has it.
        times_median: exponential graph only: `decay` as this multiple of one over the median distance.
        population: among how many samples partners are looked for: the batch size for `LocalMixup`, the number of rows
            for `PairSampler`. Default: the number of rows of the data. It matters to `mixed_share` and to `KNNGraph`.
        metric: see `localmixup._distances`.
        max_pairs: see `sample_distances`.
        max_rows: see `sample_distances`.
        seed: of the sample.

    Returns:
        The graph, and what it keeps on the pairs seen. Exact on those.

    Raises:
        ValueError: no wish or several, a wish out of range, or one that no parameter reaches on these data.

    >>> from localmixup.graphs.base import ThresholdGraph
    >>> calibrate(torch.arange(5.0)[:, None], ThresholdGraph, kept_share=0.4).graph
    ThresholdGraph(radius=1.0, metric='euclidean')
    """
    if not hasattr(graph_type, "from_distances"):
        raise ArgumentError(f"graph_type must be ExponentialGraph, ThresholdGraph or KNNGraph, got {graph_type!r}")
    wishes = {
        "kept_share": kept_share,
        "mean_weight": mean_weight,
        "effective_sample_size": effective_sample_size,
        "mixed_share": mixed_share,
        "times_median": times_median,
    }
    given = [Target(name, value) for name, value in wishes.items() if value is not None]
    if len(given) != 1:
        raise ArgumentError(
            f"give exactly one of {', '.join(wishes)}, got {', '.join(t.name for t in given) or 'none'}"
        )
    target = given[0]
    check_number(target.name, target.value, low=0, high=math.inf if target.name == "times_median" else 1)
    if target.value == 0 and target.name != "times_median":
        raise ArgumentError(f"{target.name} must be > 0 (0 would be vanilla training: use IdentityGraph), got 0")
    sample = sample_distances(data, labels, metric=metric, max_pairs=max_pairs, max_rows=max_rows, seed=seed)
    among = sample.n_rows if population is None else check_integer("population", population, low=2)
    graph = graph_type.from_distances(sample, target, metric=metric, population=among)
    return describe(graph, sample, population=among)


def describe(graph: Any, sample: DistanceSample, *, population: int | None = None) -> Calibration:
    """What a graph does to a sample of distances.

    Args:
        graph: any graph of `localmixup.graphs`.
        sample: from `sample_distances`.
        population: see `calibrate`.
    """
    among = sample.n_rows if population is None else population
    weights = graph.weights_of_distances(sample.distances, population=among)
    mean = float(weights.mean())
    squares = float(weights.square().mean())
    within = between = math.nan
    # of a neighbour graph the pairs kept are the nearest of each row, not of all: their classes are not told here
    if sample.same_class is not None and hasattr(graph, "of_distance"):
        within = float(weights[sample.same_class].mean())
        between = float(weights[~sample.same_class].mean())
    others = (among - 1) * mean
    return Calibration(
        graph=graph,
        n_pairs=sample.n_pairs,
        n_rows=sample.n_rows,
        median_distance=sample.median,
        mean_weight=mean,
        effective_sample_size=mean * mean / squares if squares > 0 else 0.0,
        mixed_share=others / (1 + others),
        mean_weight_within_class=within,
        mean_weight_between_class=between,
    )


def share_of_target(target: Target, population: int) -> float:
    """The mean weight over pairs of distinct samples that a wish asks for, for graphs whose weights are 0 or 1.

    Args:
        target: any wish but `times_median`.
        population: among how many samples partners are looked for.

    Raises:
        ValueError: `times_median`, or a mixed share that not even classical mixup reaches.

    >>> share_of_target(Target("mixed_share", 0.5), population=11)
    0.1
    """
    if target.name == "times_median":
        raise ArgumentError("times_median sets a decay: it is for ExponentialGraph only")
    if target.name != "mixed_share":
        return target.value
    most = (population - 1) / population
    if target.value > most:
        raise ArgumentError(
            f"mixed_share must be at most {most:g}, what classical mixup gives among {population} samples, "
            f"got {target.value:g}"
        )
    return min(1.0, target.value / (1 - target.value) / (population - 1))


def decay_of_target(sample: DistanceSample, target: Target, population: int) -> float:
    """The decay at which the exponential graph reaches a wish on a sample, by bisection in float64.

    Args:
        sample: from `sample_distances`.
        target: any wish.
        population: see `share_of_target`.

    Raises:
        ValueError: no decay reaches it (duplicated samples keep weight 1 at every decay).
    """
    if target.name == "times_median":
        if sample.median == 0:
            raise ArgumentError("times_median needs a median distance above 0: half of the pairs are duplicates")
        return target.value / sample.median
    by_size = target.name == "effective_sample_size"
    wanted = target.value if by_size else share_of_target(target, population)
    if wanted == 1:
        return 0.0
    distances = sample.distances
    nearest = float(distances[0])

    def reached(decay: float) -> float:
        # a common factor cancels in the effective sample size, and without it nothing underflows
        weights = torch.exp(-decay * (distances - nearest if by_size else distances))
        mean = float(weights.mean())
        return mean * mean / float(weights.square().mean()) if by_size else mean

    low, high = 0.0, 1.0 / max(sample.median, float(distances[-1]) * 1e-12, 1e-300)
    for _ in range(200):
        if reached(high) <= wanted:
            break
        low, high = high, high * 2
    else:
        raise ArgumentError(
            f"{target.name}={target.value:g} is out of reach: the nearest pairs keep more than that at every decay "
            f"(duplicated samples?)"
        )
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if reached(middle) > wanted else (low, middle)
    return high


def _pairs(n: int, max_pairs: int, generator: torch.Generator) -> tuple[Tensor, Tensor, bool]:
    """Indices of all pairs i < j if there are at most `max_pairs`, else of that many random ordered pairs."""
    if n * (n - 1) // 2 <= max_pairs:
        first, second = torch.triu_indices(n, n, offset=1)
        return first, second, True
    first = torch.randint(n, (max_pairs,), generator=generator)
    second = (first + 1 + torch.randint(n - 1, (max_pairs,), generator=generator)) % n
    return first, second, False


def _reservoir(batches: Iterable[Any], max_rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None, int]:
    """A uniform sample of the rows of a stream: those with the smallest of random keys."""
    if not isinstance(batches, Iterable) or isinstance(batches, str | bytes | dict):
        raise ArgumentError(f"data must be a tensor, an array or an iterable of batches, got {batches!r:.80}")
    rows: Tensor | None = None
    classes: Tensor | None = None
    keys = torch.zeros(0, dtype=torch.float64)
    seen, kept = 0, max_rows
    for batch in batches:
        several = isinstance(batch, (tuple, list)) and len(batch) > 0
        features = _numbers("a batch of data", batch[0] if several else batch)
        if features.ndim == 0:
            raise ArgumentError(
                f"data must be a tensor or an array of shape (m, ...), or an iterable of batches (tensors, or tuples "
                f"that begin with one), got a {type(batches).__name__} of {type(batch).__name__}"
            )
        labels = _classes(batch[1]) if several and len(batch) > 1 else None
        if rows is None:
            kept = max(2, min(max_rows, _RESERVOIR_VALUES // max(1, features[:1].numel())))
        seen += len(features)
        keys = torch.cat([keys, torch.rand(len(features), generator=generator, dtype=torch.float64)])
        rows = features if rows is None else torch.cat([rows, features])
        if labels is not None and labels.ndim == 1:
            classes = labels if classes is None else torch.cat([classes, labels])
        if len(rows) > kept:
            chosen = keys.argsort()[:kept].sort().values
            keys, rows = keys[chosen], rows[chosen]
            classes = None if classes is None else classes[chosen]
    if rows is None:
        raise ArgumentError("data must hold at least 2 rows to measure a distance, got an empty stream")
    return rows, classes, seen


def _numbers(name: str, value: Any) -> Tensor:
    try:
        return value if isinstance(value, Tensor) else as_tensor(np.asarray(value))
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} must hold numbers, got {type(value).__name__} {value!r:.80}") from None


def _classes(labels: Any) -> Tensor:
    """Labels of any kind, text too, as numbers."""
    if isinstance(labels, Tensor):
        return labels
    array = np.asarray(labels)
    return as_tensor(array if array.dtype.kind in "biuf" else np.unique(array, return_inverse=True)[1])
