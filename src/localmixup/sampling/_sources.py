"""How the partners of a graph are drawn from a whole training set: uniformly, from lists, or by rejection."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from localmixup._distances import as_features, distances_of_pairs
from localmixup._validate import ArgumentError
from localmixup.graphs.base import LocalityGraph
from localmixup.graphs.distance import DistanceGraph, ExponentialGraph, ThresholdGraph
from localmixup.graphs.nearest_of import NearestOfGraph
from localmixup.graphs.rank import KNNGraph
from localmixup.sampling._cache import Cache
from localmixup.sampling.neighbors import NeighborLists, nearest, of_nearest, within_radius

_DENSE_ROWS = 4096  # a matrix of this many rows takes 128 MB in float64
_LISTED_PAIRS = 600_000_000  # 2.4 GB of indices
_PILOT_PAIRS = 100_000
_ROW_SAMPLE = 200  # columns from which the sums of the rows are estimated


class PairSource(ABC):
    """Pairs of distinct samples of one graph.

    Attributes:
        mass: sum of each row of W without its diagonal, or a bound of it, shape `(m,)`, float64.
        total: sum of W without its diagonal, exact or estimated.
        acceptance: approximate share of the proposals that is accepted.
    """

    mass: Tensor
    total: float
    acceptance: float = 1.0

    @abstractmethod
    def partners(self, first: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw a partner for each row of `first`; return the partners and which of them are accepted."""

    def row_mass(self) -> Tensor:
        """Return the sum of each row of W without its diagonal, exact or estimated, shape `(m,)`, float64."""
        return self.mass

    def from_whole_rows(self, first: Tensor, generator: torch.Generator, *, with_itself: bool) -> Tensor:
        """Draw a partner for each row of `first` from its whole row of W; itself where that is empty.

        Args:
            first: shape `(k,)`.
            generator: source of the draws.
            with_itself: whether a sample may be drawn as its own partner, with its weight of 1.
        """
        return first  # rows without a partner: all others are accepted at the first proposal


class UniformPairs(PairSource):
    """All pairs alike."""

    def __init__(self, rows: int) -> None:
        self.mass = torch.full((rows,), rows - 1.0, dtype=torch.float64)
        self.total = rows * (rows - 1.0)

    def partners(self, first: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        second = _other_than(first, len(self.mass), generator)
        return second, torch.ones_like(first, dtype=torch.bool)


class ListedPairs(PairSource):
    """Pairs from a list of neighbours for each sample."""

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


class DensePairs(PairSource):
    """Pairs from the rows of the whole matrix."""

    def __init__(self, matrix: Tensor) -> None:
        self.cumulated = matrix.double().fill_diagonal_(0.0).cumsum(dim=1)
        self.mass = self.cumulated[:, -1].clone()
        self.total = float(self.mass.sum())

    def partners(self, first: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        ticks = torch.rand(len(first), 1, dtype=torch.float64, generator=generator) * self.mass[first, None]
        second = torch.searchsorted(self.cumulated[first], ticks, right=True).squeeze(1)
        return second.clamp_max(len(self.mass) - 1), self.mass[first] > 0


class ProposedPairs(PairSource):
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

    def row_mass(self) -> Tensor:
        m = len(self.features)
        if m <= _DENSE_ROWS:
            every = torch.arange(m)
            return torch.stack([self._row(int(i)).sum() for i in every])
        pilot = torch.Generator().manual_seed(1)
        columns = torch.randint(m, (_ROW_SAMPLE,), generator=pilot)
        mass = torch.zeros(m, dtype=torch.float64)
        for column in columns.tolist():
            every = torch.arange(m)
            weights = self._weights(every, torch.full((m,), column)).double()
            weights[column] = 0.0
            mass += weights
        return mass * ((m - 1) / _ROW_SAMPLE)

    def from_whole_rows(self, first: Tensor, generator: torch.Generator, *, with_itself: bool) -> Tensor:
        partner = first.clone()
        for place, row in enumerate(first.tolist()):
            weights = self._row(row)
            weights[row] = float(with_itself)
            if float(weights.sum()) > 0:
                partner[place] = torch.multinomial(weights, 1, generator=generator)[0]
        return partner

    def _row(self, row: int) -> Tensor:
        every = torch.arange(len(self.features))
        weights = self._weights(torch.full_like(every, row), every).double()
        weights[row] = 0.0
        return weights

    def _weights(self, first: Tensor, second: Tensor) -> Tensor:
        return self.graph.of_distance(distances_of_pairs(self.features, first, second, self.graph.metric))


class CandidatePairs(PairSource):
    """The nearest of a few random candidates, without any search."""

    def __init__(self, features: Tensor, graph: NearestOfGraph) -> None:
        self.features, self.graph = features, graph
        m = len(features)
        self.mass = torch.full((m,), float(graph.rank_weights(m - 1).sum()), dtype=torch.float64)
        self.total = float(self.mass.sum())

    def partners(self, first: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        lists = [_other_than(first, len(self.features), generator) for _ in range(self.graph.n_candidates)]
        nearest = self.graph.nearest(self.features, first, torch.stack(lists, dim=1))
        return nearest, torch.ones_like(first, dtype=torch.bool)


def _other_than(first: Tensor, rows: int, generator: torch.Generator) -> Tensor:
    """Return a uniformly random row other than `first`; of a single row, that row."""
    if rows == 1:
        return first
    return (first + 1 + torch.randint(rows - 1, (len(first),), generator=generator)) % rows


def pair_source(features: Tensor, graph: LocalityGraph | NeighborLists, cache: Cache) -> PairSource:
    """Return how to draw from a graph.

    Args:
        features: shape `(m, ...)`, on the CPU.
        graph: a graph, or the neighbour lists themselves.
        cache: keeps the results of searches.

    Raises:
        ValueError: the graph cannot be sampled for so many rows.
    """
    m = len(features)
    if isinstance(graph, NeighborLists):
        return ListedPairs(_checked_lists(graph, m))
    if not hasattr(graph, "is_mixup"):
        raise ArgumentError(f"graph must be a graph such as KNNGraph(share=0.01) or NeighborLists, got {graph!r:.80}")
    if graph.is_mixup(m):
        return UniformPairs(m)
    # a radius of zero still pairs duplicates
    if graph.is_vanilla(m) and not isinstance(graph, ThresholdGraph):
        return ListedPairs(NeighborLists(torch.zeros(m + 1, dtype=torch.int64), torch.zeros(0, dtype=torch.int32)))
    if isinstance(graph, NearestOfGraph):
        return CandidatePairs(features, graph)
    product = _for_products(features, graph)
    if isinstance(graph, KNNGraph) and product is not None:
        return ListedPairs(_nearest_lists(product[0], graph, cache))
    if isinstance(graph, ThresholdGraph) and product is not None:
        proposed = ProposedPairs(features, graph, cache)
        if proposed.total <= _LISTED_PAIRS / 12:
            flat, radius = product[0], graph.radius * product[1]
            return ListedPairs(cache.lists(flat, f"within {radius!r}", lambda: within_radius(flat, radius)))
        return proposed
    if m <= _DENSE_ROWS:
        return DensePairs(graph.matrix(features))
    if isinstance(graph, DistanceGraph):
        return ProposedPairs(features, graph, cache)
    raise ArgumentError(
        f"graph must be a function of the distance, or a neighbour graph with a named metric, for more than "
        f"{_DENSE_ROWS} rows, got {graph!r} for {m}"
    )


def _nearest_lists(flat: Tensor, graph: KNNGraph, cache: Cache) -> NeighborLists:
    m, k = len(flat), graph.count(len(flat))
    if m * k > _LISTED_PAIRS:
        raise ArgumentError(
            f"the graph must have at most {_LISTED_PAIRS // m} neighbours for {m} rows, so that the lists fit in "
            f"memory, got {graph!r}; ThresholdGraph has no such limit"
        )
    search = f"nearest {k}, symmetric" if graph.symmetric else f"nearest {k}"
    return cache.lists(flat, search, lambda: of_nearest(nearest(flat, k), symmetric=graph.symmetric))


def _for_products(features: Tensor, graph: LocalityGraph) -> tuple[Tensor, float] | None:
    """Return features whose Euclidean order is that of the metric, and the factor of the radius there, if any."""
    flat = as_features(features)
    if graph.metric == "euclidean":
        return flat, 1.0
    if graph.metric == "rms":
        return flat, math.sqrt(flat.shape[1])
    return None


def _checked_lists(lists: NeighborLists, rows: int) -> NeighborLists:
    start, neighbor = (torch.as_tensor(values) for values in lists)
    if start.shape != (rows + 1,) or (len(neighbor) and not 0 <= int(neighbor.min()) <= int(neighbor.max()) < rows):
        raise ArgumentError(
            f"graph must hold the neighbours of {rows} rows as a sparse CSR matrix does: start (indptr) of shape "
            f"({rows + 1},) and neighbor (indices) from 0 to {rows - 1}, got start of shape {tuple(start.shape)}"
        )
    if int(start[0]) != 0 or int(start[-1]) != len(neighbor) or bool((start.diff() < 0).any()):
        raise ArgumentError(f"start must rise from 0 to the number of neighbours, {len(neighbor)}, got {start}")
    own = torch.arange(rows).repeat_interleave(start.diff())
    if bool((neighbor == own).any()):  # as scikit-learn's kneighbors_graph(include_self=True)
        kept = neighbor != own
        lengths = torch.bincount(own[kept], minlength=rows)
        start, neighbor = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]), neighbor[kept]
    return NeighborLists(start.long(), neighbor.to(torch.int32))
