"""A sample of the distances in a data set, and what the user wants a graph to do with them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from localmixup._arrays import as_tensor
from localmixup._distances import Metric, check_metric, distances_of_pairs
from localmixup._validate import ArgumentError, check_integer, check_number, warn

_RESERVOIR_VALUES = 64 * 2**20  # values kept of a stream: 256 MB of float32

WISHES = ("kept_share", "mean_weight", "ess_ratio", "mixed_share", "times_median")


class DistanceSample(NamedTuple):
    """Distances of pairs of distinct samples, drawn from a data set.

    Attributes:
        distances: in ascending order, shape `(p,)`, float64.
        same_class: whether the two ends have the same class, in the same order, shape `(p,)`; None without labels.
        n_rows: number of rows of the data set.
        exhaustive: whether these are all pairs of the data set or a random part of them.
    """

    distances: Tensor
    same_class: Tensor | None
    n_rows: int
    exhaustive: bool

    @property
    def n_pairs(self) -> int:
        """Number of measured pairs."""
        return int(self.distances.shape[0])

    @property
    def median(self) -> float:
        """Median distance of two distinct samples."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> float:
        """Return the smallest distance that at least a share of the pairs does not exceed.

        Args:
            share: in [0, 1].

        Returns:
            An observed distance: the smallest `r` with `mean(d <= r) >= share`.
        """
        position = max(0, math.ceil(check_number("share", share, low=0, high=1) * self.n_pairs) - 1)
        return float(self.distances[position])


class Wish(NamedTuple):
    """What a graph should do to the data: one of `WISHES`, its value, and the batch size if one was given."""

    name: str
    value: float
    batch_size: int | None

    def mean_weight(self) -> float:
        """Return the mean weight over pairs of distinct samples that the wish amounts to.

        Raises:
            ValueError: the wish is `times_median`, or a mixed share that even classical mixup does not reach.

        >>> Wish("mixed_share", 0.5, batch_size=11).mean_weight()
        0.1
        """
        if self.name == "times_median":
            raise ArgumentError("times_median sets a decay: it is for ExponentialGraph only")
        if self.name != "mixed_share":
            return self.value
        if self.batch_size is None:
            raise ArgumentError(
                "mixed_share needs batch_size, the number of samples among which partners are drawn: the batch size "
                "for LocalMixup, the number of rows for PairSampler"
            )
        most = (self.batch_size - 1) / self.batch_size
        if self.value > most:
            raise ArgumentError(
                f"mixed_share must be at most {most:g}, what classical mixup gives among {self.batch_size} samples, "
                f"got {self.value:g}"
            )
        return min(1.0, self.value / (1 - self.value) / (self.batch_size - 1))


def make_wish(values: dict[str, float | None], batch_size: int | None) -> Wish:
    """Return the one wish that was given.

    Args:
        values: the value of each of `WISHES`, None if it was not given.
        batch_size: number of samples among which partners are drawn, or None.

    Raises:
        ValueError: no wish or several, or one out of range.

    >>> make_wish({"kept_share": 0.1, "mean_weight": None}, None)
    Wish(name='kept_share', value=0.1, batch_size=None)
    """
    given = {name: value for name, value in values.items() if value is not None}
    if len(given) != 1:
        raise ArgumentError(f"give exactly one of {', '.join(values)}, got {', '.join(given) or 'none'}")
    ((name, value),) = given.items()
    value = check_number(name, value, low=0, high=math.inf if name == "times_median" else 1)
    if value == 0 and name != "times_median":
        raise ArgumentError(f"{name} must be > 0 (0 is vanilla training: use IdentityGraph), got 0")
    if batch_size is not None:
        check_integer("batch_size", batch_size, low=2)
    return Wish(name, value, batch_size)


def sample_distances(
    data: Any,
    labels: Any = None,
    *,
    metric: Metric = "euclidean",
    max_pairs: int = 200_000,
    max_rows: int = 4096,
    seed: int = 0,
) -> DistanceSample:
    """Measure distances of pairs of distinct samples: all pairs if there are few, else a uniform sample of them.

    Args:
        data: features, a tensor or array of shape `(m, ...)`; or an iterable of batches such as a DataLoader, each a
            tensor, or a tuple of features and (if `labels` is None) labels. A stream is read once, and a uniform
            sample of its rows is kept.
        labels: class of each row, shape `(m,)`; only with features given as one tensor.
        metric: `"euclidean"`, `"rms"`, `"cosine"`, or a function of two batches.
        max_pairs: largest number of pairs to measure.
        max_rows: largest number of rows to keep from a stream (fewer if rows are large: 256 MB in all).
        seed: seed of the sample.

    Raises:
        ValueError: fewer than two rows, values that are not finite, or labels of another length.

    >>> sample_distances(torch.tensor([[0.0], [1.0], [3.0]])).distances
    tensor([1., 2., 3.], dtype=torch.float64)
    """
    check_metric(metric)
    check_integer("max_pairs", max_pairs, low=1)
    check_integer("max_rows", max_rows, low=2)
    generator = torch.Generator().manual_seed(check_integer("seed", seed, low=0))
    features, classes, n_rows = _rows(data, labels, max_rows, generator)
    if len(features) < 2:
        raise ArgumentError(f"data must hold at least 2 rows to measure a distance, got {len(features)}")
    if features.dtype == torch.uint8:
        warn(
            "data are torch.uint8, so the fitted parameter is in pixel values from 0 to 255: LocalMixup mixes floating "
            "point batches, so fit on what the training loop mixes, such as data / 255",
        )
    first, second, exhaustive = _pairs(len(features), max_pairs, generator)
    distances = (
        distances_of_pairs(features, first.to(features.device), second.to(features.device), metric).cpu().double()
    )
    if not bool(torch.isfinite(distances).all()):
        raise ArgumentError("data must be finite, got a distance that is NaN or infinite")
    distances, order = distances.sort()
    same = None if classes is None else (classes[first] == classes[second]).cpu()[order]
    return DistanceSample(distances, same, n_rows, exhaustive and len(features) == n_rows)


def _rows(data: Any, labels: Any, max_rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None, int]:
    """Return features, classes and the number of rows of the whole data."""
    if not isinstance(data, Tensor) and hasattr(data, "__array__"):
        data = as_tensor(data, "data")
    if not isinstance(data, Tensor):
        if labels is not None:
            raise ArgumentError(
                "labels must be None if data are an iterable: it yields (features, labels) instead, "
                f"got {type(labels).__name__}"
            )
        return _reservoir(data, max_rows, generator)
    if data.ndim == 0:
        raise ArgumentError("data must have shape (m, ...), one row per sample, got a scalar")
    classes = None if labels is None else _classes(labels)
    if classes is not None and classes.shape != (len(data),):
        raise ArgumentError(f"labels must have one class per row, shape {(len(data),)}, got {tuple(classes.shape)}")
    return data, classes, len(data)


def _pairs(n: int, max_pairs: int, generator: torch.Generator) -> tuple[Tensor, Tensor, bool]:
    """Return indices of all pairs i < j if there are at most `max_pairs`, else of that many random ordered pairs."""
    if n * (n - 1) // 2 <= max_pairs:
        first, second = torch.triu_indices(n, n, offset=1)
        return first, second, True
    first = torch.randint(n, (max_pairs,), generator=generator)
    second = (first + 1 + torch.randint(n - 1, (max_pairs,), generator=generator)) % n
    return first, second, False


def _reservoir(batches: Any, max_rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None, int]:
    """Return a uniform sample of the rows of a stream: those with the smallest random keys."""
    if not isinstance(batches, Iterable) or isinstance(batches, str | bytes | dict):
        raise ArgumentError(f"data must be a tensor, an array or an iterable of batches, got {batches!r:.80}")
    rows: Tensor | None = None
    classes: Tensor | None = None
    keys = torch.zeros(0, dtype=torch.float64)
    seen, kept = 0, max_rows
    for batch in batches:
        several = isinstance(batch, (tuple, list)) and len(batch) > 0
        features = as_tensor(batch[0] if several else batch, "a batch of data")
        if features.ndim == 0:
            raise ArgumentError(
                "data must be a tensor or an array of shape (m, ...), or an iterable of batches (tensors, or tuples "
                f"that start with one), got a {type(batches).__name__} of {type(batch).__name__}"
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


def _classes(labels: Any) -> Tensor:
    """Return labels of any kind, including text, as numbers."""
    if isinstance(labels, Tensor):
        return labels
    array = np.asarray(labels)
    return as_tensor(array if array.dtype.kind in "biuf" else np.unique(array, return_inverse=True)[1])
