"""Pairs of the whole training set, drawn in proportion to W: eq. (3) sampled exactly.

Within a batch a small radius leaves hardly a pair; drawn from the whole set, every pair counts 1 and no sample is
wasted, so that a small radius costs no more than a large one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from localmixup._distances import as_features, distances_of_pairs
from localmixup._validate import ArgumentError, check_integer, check_number
from localmixup.graphs.base import (
    CompleteGraph,
    DistanceGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalityGraph,
    ThresholdGraph,
)
from localmixup.sampling._cache import Cache
from localmixup.sampling.neighbors import NeighborLists, nearest, of_nearest, within_radius

_DENSE_ROWS = 4096  # a matrix of this many rows takes 128 MB in float64
_LISTED_PAIRS = 600_000_000  # 2.4 GB of indices
_PILOT_PAIRS = 100_000


class NoPairsError(ArgumentError):
    """A graph leaves no pair of distinct samples, and some were asked for."""


class PairSampler(Sampler[list[tuple[int, int]]]):
    """Draws pairs `(i, j)` with probability proportional to `W[i, j]` over a whole training set (eq. 3).

    A sample with itself is a pair too, of weight 1. First ends are drawn without replacement, in proportion to the sum
    of their row, an epoch at a time, so that the ends of the range are what one expects: with `IdentityGraph` it yields
    every sample once an epoch with itself, with `CompleteGraph` every sample once with a random partner.

    It is a batch sampler for `torch.utils.data.DataLoader`, over a `PairDataset`; `sample` serves data in memory.

    Args:
        features: what distances are measured on, shape `(m, ...)`; kept, not copied.
        graph: from `localmixup.graphs`. Neighbour and threshold graphs are searched once, as exact neighbour lists,
            where they are sparse; pairs of the others are proposed and accepted with probability W.
        batch_size: pairs a batch.
        generator: source of the draws; its state is part of `state_dict`.
        mixed_share: share of pairs whose two ends differ, in [0, 1]: how often, apart from how locally. None: as W
            gives it.
        num_batches: batches an epoch; default `ceil(m / batch_size)`.
        cache: folder where the lists of a search are kept, and found again for the same data and graph, made where it
            is missing. None: nothing is written.

    Attributes:
        mixed_share: the share of pairs whose two ends differ that it draws.
        is_exact: whether that share is exact, or estimated from 100,000 random pairs (graphs sampled by rejection).

    Raises:
        ValueError: an argument is out of range, a graph that cannot be sampled from so many rows, or a `mixed_share`
            above zero where the graph has no pair to mix.

    >>> sampler = PairSampler(torch.tensor([[0.0], [1.0], [9.0]]), ThresholdGraph(2.0), 4)
    >>> round(sampler.mixed_share, 3)
    0.4
    """

    def __init__(
        self,
        features: Tensor,
        graph: LocalityGraph,
        batch_size: int,
        generator: torch.Generator | None = None,
        *,
        mixed_share: float | None = None,
        num_batches: int | None = None,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        self.batch_size = check_integer("batch_size", batch_size, low=1)
        if not isinstance(features, Tensor) or features.ndim == 0 or len(features) == 0:
            raise ArgumentError("features must be a tensor of at least one row, shape (m, ...)")
        if not bool(torch.isfinite(features).all()):
            raise ArgumentError("features must be finite, got NaN or infinity")
        self.rows = len(features)
        default = math.ceil(self.rows / self.batch_size)
        self.num_batches = default if num_batches is None else check_integer("num_batches", num_batches, low=1)
        if generator is not None and not isinstance(generator, torch.Generator):
            raise ArgumentError(f"generator must be a torch.Generator or None, got {type(generator).__name__}")
        if generator is None:
            generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        self.generator = generator
        self._pairs = _pairs_of(features.detach().cpu(), graph, Cache(cache))
        self.is_exact = mixed_share is not None or not isinstance(self._pairs, _ProposedPairs)
        if mixed_share is None:
            total = self._pairs.total
            self.mixed_share = total / (self.rows + total)
        else:
            self.mixed_share = check_number("mixed_share", mixed_share, low=0, high=1)
            if self.mixed_share > 0 and self._pairs.total == 0:
                raise NoPairsError(f"mixed_share must be 0, for {graph!r} leaves no pair to mix, got {mixed_share}")
        self._as_given = mixed_share is None
        mass = self._pairs.mass
        self._queues = {"itself": _Rows(torch.ones(self.rows)), "other": _Rows(mass), "either": _Rows(1 + mass)}
        self._batches_done = self._resume_at = 0

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        # an epoch starts at its first batch, unless a state was just loaded; one that was only begun does not count
        self._batches_done, self._resume_at = self._resume_at, 0
        while self._batches_done < self.num_batches:
            first, second = self.sample(self.batch_size)
            self._batches_done += 1
            yield list(zip(first.tolist(), second.tolist(), strict=True))
        self._batches_done = 0

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Draw pairs, for data in memory.

        Args:
            count: how many.

        Returns:
            Indices of the first and of the second ends, int64, shape `(count,)` each.
        """
        if self._as_given:
            return self._draw("either", count)
        mixed = torch.rand(count, generator=self.generator) < self.mixed_share
        first = torch.empty(count, dtype=torch.int64)
        second = torch.empty(count, dtype=torch.int64)
        first[mixed], second[mixed] = self._draw("other", int(mixed.sum()))
        first[~mixed] = second[~mixed] = self._queues["itself"].take(int((~mixed).sum()), self.generator)
        return first, second

    def state_dict(self) -> dict[str, Any]:
        """The state of the draws: an epoch that was broken off goes on where it stopped.

        With DataLoader workers the sampler is ahead of the training loop by the batches that are prefetched.
        """
        return {
            "generator": self.generator.get_state(),
            "batches_done": self._batches_done,
            "queues": {name: queue.waiting.clone() for name, queue in self._queues.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`, in a sampler of the same data, graph and arguments.

        Args:
            state: from `state_dict`.
        """
        self.generator.set_state(state["generator"])
        self._batches_done = self._resume_at = int(state["batches_done"]) % self.num_batches
        for name, waiting in state["queues"].items():
            self._queues[name].waiting = waiting.clone()

    def _draw(self, queue: str, count: int) -> tuple[Tensor, Tensor]:
        firsts, seconds = [torch.zeros(0, dtype=torch.int64)], [torch.zeros(0, dtype=torch.int64)]
        missing = count
        while missing > 0:
            proposals = min(2**20, math.ceil(missing / self._pairs.acceptance * 1.1) + 8) if self._rejects else missing
            first = self._queues[queue].take(proposals, self.generator)
            second, accepted = self._pairs.partners(first, self.generator)
            if queue == "either":
                # a sample with itself has weight 1, against the mass of its row
                itself = torch.rand(proposals, generator=self.generator) * (1 + self._pairs.mass[first]) < 1
                second, accepted = torch.where(itself, first, second), accepted | itself
            firsts.append(first[accepted][:missing])
            seconds.append(second[accepted][:missing])
            missing -= len(firsts[-1])
        return torch.cat(firsts), torch.cat(seconds)

    @property
    def _rejects(self) -> bool:
        return isinstance(self._pairs, _ProposedPairs)


class PairDataset(Dataset[tuple[Any, Any]]):
    """A data set indexed by the pairs that `PairSampler` draws; a sample with itself is loaded once.

    Args:
        dataset: map-style, of samples `(x, y)`.

    >>> PairDataset(["a", "b"])[0, 1]
    ('a', 'b')
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __getitem__(self, pair: tuple[int, int]) -> tuple[Any, Any]:
        """The two samples of a pair of indices."""
        first, second = pair
        sample = self.dataset[first]
        return sample, (sample if second == first else self.dataset[second])


class _Rows:
    """Rows in random order, each as often as its mass wants, drawn an epoch at a time (systematic sampling)."""

    def __init__(self, mass: Tensor) -> None:
        self.even = bool((mass == mass[0]).all())
        self.cumulated = mass.double().cumsum(0)
        self.waiting = torch.zeros(0, dtype=torch.int64)

    def take(self, count: int, generator: torch.Generator) -> Tensor:
        """The next rows, shape `(count,)`."""
        while len(self.waiting) < count:
            self.waiting = torch.cat([self.waiting, self._epoch(generator)])
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def _epoch(self, generator: torch.Generator) -> Tensor:
        m = len(self.cumulated)
        order = torch.randperm(m, generator=generator)
        if self.even:
            return order
        ticks = (torch.arange(m, dtype=torch.float64) + torch.rand((), dtype=torch.float64, generator=generator)) / m
        rows = torch.searchsorted(self.cumulated, ticks * self.cumulated[-1], right=True).clamp_max(m - 1)
        return rows[order]


class _Pairs:
    """Pairs of distinct samples of one graph.

    Attributes:
        mass: sum of each row of W without its diagonal, or a bound of it, shape `(m,)`, float64.
        total: sum of W without its diagonal, exact or estimated.
        acceptance: share of the proposals that is accepted, about.
    """

    mass: Tensor
    total: float
    acceptance: float = 1.0

    def partners(self, first: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A partner for every row, and whether it is accepted."""
        raise TypeError(f"{type(self).__name__} draws no partners")


class _UniformPairs(_Pairs):
    def __init__(self, rows: int) -> None:
        self.mass = torch.full((rows,), rows - 1.0, dtype=torch.float64)
        self.total = rows * (rows - 1.0)

    def partners(self, first: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        second = _other_than(first, len(self.mass), generator)
        return second, torch.ones_like(first, dtype=torch.bool)


class _ListedPairs(_Pairs):
    def __init__(self, lists: NeighborLists) -> None:
        self.lists = lists
        self.mass = lists.degree.double()
        self.total = float(self.mass.sum())

    def partners(self, first: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        degree = self.lists.degree[first]
        uniform = torch.rand(len(first), dtype=torch.float64, generator=generator)
        place = torch.minimum((uniform * degree).long(), (degree - 1).clamp_min(0))
        if not len(self.lists.neighbor):
            return first, torch.zeros_like(first, dtype=torch.bool)
        place = (self.lists.start[first] + place).clamp_max(len(self.lists.neighbor) - 1)
        return self.lists.neighbor[place].long(), degree > 0


class _DensePairs(_Pairs):
    def __init__(self, matrix: Tensor) -> None:
        self.cumulated = matrix.double().fill_diagonal_(0.0).cumsum(dim=1)
        self.mass = self.cumulated[:, -1].clone()
        self.total = float(self.mass.sum())

    def partners(self, first: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        ticks = torch.rand(len(first), 1, dtype=torch.float64, generator=generator) * self.mass[first, None]
        second = torch.searchsorted(self.cumulated[first], ticks, right=True).squeeze(1)
        return second.clamp_max(len(self.mass) - 1), self.mass[first] > 0


class _ProposedPairs(_Pairs):
    """Uniform partners, accepted with probability W over a bound of the row."""

    def __init__(self, features: Tensor, graph: DistanceGraph, cache: Cache) -> None:
        self.features, self.graph = features, graph
        m = len(features)
        pilot = torch.Generator().manual_seed(0)
        first = torch.randint(m, (_PILOT_PAIRS,), generator=pilot)
        mean = float(self._weights(first, _other_than(first, m, pilot)).mean())
        self.total = m * (m - 1) * mean
        self.bound = torch.ones(m, dtype=torch.float64)
        if mean < 0.05 and graph.metric in ("euclidean", "rms") and isinstance(graph, ExponentialGraph):
            closest = cache.lists(features, "nearest 1", lambda: of_nearest(nearest(features, 1))).neighbor.long()
            self.bound = self._weights(torch.arange(m), closest).double().clamp_min(1e-300)
        self.mass = self.bound * (m - 1)
        self.acceptance = max(1e-6, min(1.0, self.total / float(self.mass.sum())))

    def partners(self, first: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        second = _other_than(first, len(self.features), generator)
        uniform = torch.rand(len(first), dtype=torch.float64, generator=generator)
        return second, uniform * self.bound[first] < self._weights(first, second)

    def _weights(self, first: Tensor, second: Tensor) -> Tensor:
        return self.graph.of_distance(distances_of_pairs(self.features, first, second, self.graph.metric))


def _other_than(first: Tensor, rows: int, generator: torch.Generator) -> Tensor:
    """A uniformly random row other than `first`; of a single row, that row."""
    if rows == 1:
        return first
    return (first + 1 + torch.randint(rows - 1, (len(first),), generator=generator)) % rows


def _pairs_of(features: Tensor, graph: LocalityGraph, cache: Cache) -> _Pairs:
    """The way to draw from a graph: uniformly, from lists, from the matrix, or by rejection."""
    m = len(features)
    if _is_complete(graph, m):
        return _UniformPairs(m)
    if _is_empty(graph):
        return _ListedPairs(NeighborLists(torch.zeros(m + 1, dtype=torch.int64), torch.zeros(0, dtype=torch.int32)))
    product = _for_products(features, graph)
    if isinstance(graph, KNNGraph) and product is not None:
        if m * graph.n_neighbors > _LISTED_PAIRS:
            raise ArgumentError(
                f"n_neighbors must be at most {_LISTED_PAIRS // m} for {m} rows, so that the lists fit in memory, "
                f"got {graph.n_neighbors}; ThresholdGraph has no such limit"
            )
        flat, k, symmetric = product[0], graph.n_neighbors, graph.symmetric
        search = f"nearest {k}, symmetric" if symmetric else f"nearest {k}"
        return _ListedPairs(cache.lists(flat, search, lambda: of_nearest(nearest(flat, k), symmetric=symmetric)))
    if isinstance(graph, ThresholdGraph) and product is not None:
        proposed = _ProposedPairs(features, graph, cache)
        if proposed.total <= _LISTED_PAIRS / 12:
            flat, radius = product[0], graph.radius * product[1]
            return _ListedPairs(cache.lists(flat, f"within {radius!r}", lambda: within_radius(flat, radius)))
        return proposed
    if m <= _DENSE_ROWS:
        return _DensePairs(graph.matrix(features))
    if isinstance(graph, DistanceGraph):
        return _ProposedPairs(features, graph, cache)
    raise ArgumentError(
        f"graph must be a function of the distance, or a neighbour graph of a named metric, for more than "
        f"{_DENSE_ROWS} rows, got {graph!r} for {m}"
    )


def _for_products(features: Tensor, graph: KNNGraph | ThresholdGraph | LocalityGraph) -> tuple[Tensor, float] | None:
    """Features whose Euclidean order is the metric's, and the factor of the radius there; None if there are none."""
    flat = as_features(features)
    if graph.metric == "euclidean":
        return flat, 1.0
    if graph.metric == "rms":
        return flat, math.sqrt(flat.shape[1])
    return None


def _is_complete(graph: LocalityGraph, rows: int) -> bool:
    return (
        rows == 1
        or isinstance(graph, CompleteGraph)
        or (isinstance(graph, ExponentialGraph) and graph.decay == 0)
        or (isinstance(graph, ThresholdGraph) and graph.radius == math.inf)
        or (isinstance(graph, KNNGraph) and graph.n_neighbors >= rows - 1)
    )


def _is_empty(graph: LocalityGraph) -> bool:
    return (
        isinstance(graph, IdentityGraph)
        or (isinstance(graph, ExponentialGraph) and graph.decay == math.inf)
        or (isinstance(graph, KNNGraph) and graph.n_neighbors == 0)
    )
