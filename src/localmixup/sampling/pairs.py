"""Pairs of the whole training set, drawn by W.

Within a batch a small radius leaves hardly any pair. Drawn from the whole set, every pair counts 1 and no sample is
wasted, so a small radius costs no more than a large one.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, Dataset, Sampler

from localmixup._random import check_generator
from localmixup._validate import ArgumentError, check_choice, check_integer, check_number
from localmixup.graphs.base import LocalityGraph
from localmixup.graphs.nearest_of import NearestOfGraph
from localmixup.sampling._cache import Cache
from localmixup.sampling._queue import RowQueue
from localmixup.sampling._sources import ProposedPairs, pair_source
from localmixup.sampling.neighbors import NeighborLists

_ROUNDS = 50  # proposals for a partner before the whole row of W is computed


class NoPairsError(ArgumentError):
    """A graph leaves no pair of distinct samples, although some were asked for."""


FIRST_ENDS = ("uniform", "row sums")

_HOW_TO_LOAD = (
    "PairSampler draws pairs of samples: wrap the data set, DataLoader(PairDataset(data), "
    "batch_sampler=PairSampler(...), collate_fn=mix.collate_pairs)"
)


class PairSummary(NamedTuple):
    """How a `PairSampler` uses the samples.

    Attributes:
        mixed_share: share of the pairs whose two ends differ.
        coverage: share of the samples that are ever mixed, because the graph has a partner for them.
        evenness: how evenly the samples serve as first ends: Kish's effective number of samples over their number,
            in (0, 1]; 1 if each serves equally often.
        class_shift: largest change of the share of a class among the first ends of mixed pairs, against its share in
            the data; None without classes.
    """

    mixed_share: float
    coverage: float
    evenness: float
    class_shift: float | None


class Pair:
    """The indices of the two ends of a pair, `first, second = pair`. Index a `PairDataset` with it."""

    __slots__ = ("first", "second")

    def __init__(self, first: int, second: int) -> None:
        self.first, self.second = first, second

    def __iter__(self) -> Iterator[int]:
        return iter((self.first, self.second))

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Pair | tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Pair({self.first}, {self.second})"

    def __len__(self) -> int:
        return 2

    def __index__(self) -> NoReturn:
        """Raise an error: a data set that is not a `PairDataset` would use the pair as one index."""
        raise ArgumentError(_HOW_TO_LOAD)

    def __getitem__(self, place: int) -> NoReturn:
        """Raise the same error: a tensor takes an index for a sequence if it has this method."""
        self.__index__()


class PairSampler(Sampler[list[Pair]]):
    """Draws pairs `(i, j)` of a whole training set: every sample equally often, its partner by the row `W[i]`.

    A sample with itself is a pair too, of weight 1. First ends are drawn without replacement, one epoch at a time. So
    the ends of the range are what one expects: with `IdentityGraph` each epoch has every sample once with itself, with
    `CompleteGraph` every sample once with a random partner.

    Eq. (3) taken literally draws pairs in proportion to `W[i, j]`, and so first ends in proportion to the sum of their
    row: samples in sparse regions are then rarely mixed, and the classes change their shares. `first_ends="row sums"`
    does that; `describe` tells how much it matters.

    It is a batch sampler for `torch.utils.data.DataLoader` with a `PairDataset`. For data in memory call `sample`.

    Args:
        features: what distances are measured on, shape `(m, ...)`; kept, not copied.
        graph: from `localmixup.graphs`, or the `NeighborLists` of any neighbour search. Neighbour and threshold graphs
            are searched once, exactly, if they are sparse; pairs of the others are proposed at random and accepted with
            probability W.
        batch_size: number of pairs in a batch.
        generator: source of the draws; its state is part of `state_dict`.
        mixed_share: share of the samples with a partner in the graph that are mixed, in [0, 1]: how often to mix,
            independent of how locally. A sample without any partner stays unmixed. None: as W gives it.
        first_ends: `"uniform"`, each sample equally often; or `"row sums"`, as in eq. (3).
        num_batches: number of batches in an epoch; default `ceil(m / batch_size)`.
        cache: folder for the results of the neighbour search, which are found again for the same data and graph. It is
            created if it does not exist. None: nothing is written.

    Attributes:
        mixed_share: share of pairs whose two ends differ; lower than what was asked for where samples have no partner.
        is_exact: whether that share is exact, or estimated from random pairs.

    Raises:
        ValueError: an argument is out of range, the graph cannot be sampled for so many rows, or `mixed_share` is above
            zero although the graph has no pair to mix.

    >>> from localmixup import ThresholdGraph
    >>> sampler = PairSampler(torch.tensor([[0.0], [1.0], [9.0]]), ThresholdGraph(2.0), 4)
    >>> round(sampler.mixed_share, 3)
    0.333
    """

    def __init__(
        self,
        features: Tensor,
        graph: LocalityGraph | NeighborLists,
        batch_size: int,
        generator: torch.Generator | None = None,
        *,
        mixed_share: float | None = None,
        first_ends: str = "uniform",
        num_batches: int | None = None,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        self.batch_size = check_integer("batch_size", batch_size, low=1)
        if not isinstance(features, Tensor) or features.ndim == 0 or len(features) == 0:
            given = f"shape {tuple(features.shape)}" if isinstance(features, Tensor) else type(features).__name__
            raise ArgumentError(f"features must be a tensor of at least one row, shape (m, ...), got {given}")
        if not bool(torch.isfinite(features).all()):
            raise ArgumentError("features must be finite, got NaN or infinity")
        self.rows = len(features)
        default = math.ceil(self.rows / self.batch_size)
        self.num_batches = default if num_batches is None else check_integer("num_batches", num_batches, low=1)
        if check_generator(generator) is None:
            generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        assert generator is not None
        self.generator = generator
        self.first_ends = check_choice("first_ends", first_ends, FIRST_ENDS)
        if isinstance(graph, NearestOfGraph) and self.first_ends == "row sums":
            self.first_ends = "uniform"  # all its rows have the same sum
        self._pairs = pair_source(features.detach().cpu(), graph, Cache(cache))
        self.is_exact = not isinstance(self._pairs, ProposedPairs) or mixed_share is not None
        if mixed_share is None:
            if self.first_ends == "row sums":
                self.mixed_share = self._pairs.total / (self.rows + self._pairs.total)
            else:
                mass = self._pairs.row_mass()
                self.mixed_share = float((mass / (1 + mass)).mean())
        else:
            self._wanted_share = check_number("mixed_share", mixed_share, low=0, high=1)
            if self._wanted_share > 0 and self._pairs.total == 0:
                raise NoPairsError(f"mixed_share must be 0 because {graph!r} leaves no pair to mix, got {mixed_share}")
            # first ends that are drawn evenly include samples without any partner
            mixable = 1.0 if self.first_ends == "row sums" else float((self._pairs.mass > 0).double().mean())
            self.mixed_share = self._wanted_share * mixable
        self._as_given = mixed_share is None
        mass = self._pairs.mass
        self._queues = {
            "itself": RowQueue(torch.ones(self.rows)),
            "other": RowQueue(mass),
            "either": RowQueue(1 + mass),
        }
        self._batches_done = self._resume_at = 0

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[Pair]]:
        if sys._getframe(1).f_code is BatchSampler.__iter__.__code__:  # of a DataLoader
            raise ArgumentError(
                f"a PairSampler draws whole batches and cannot be the sampler= of a loader. {_HOW_TO_LOAD}"
            )
        return self._epoch()

    def _epoch(self) -> Iterator[list[Pair]]:
        # an epoch starts at its first batch, unless a state was just loaded; an abandoned epoch does not count
        self._batches_done, self._resume_at = self._resume_at, 0
        while self._batches_done < self.num_batches:
            first, second = self.sample(self.batch_size)
            self._batches_done += 1
            yield [Pair(i, j) for i, j in zip(first.tolist(), second.tolist(), strict=True)]
        self._batches_done = 0

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Draw pairs, for data in memory.

        Args:
            count: number of pairs.

        Returns:
            Indices of the first and of the second ends, int64, shape `(count,)` each.
        """
        if self.first_ends == "uniform":
            return self._draw_evenly(count)
        if self._as_given:
            return self._draw("either", count)
        mixed = torch.rand(count, generator=self.generator) < self._wanted_share
        first = torch.empty(count, dtype=torch.int64)
        second = torch.empty(count, dtype=torch.int64)
        first[mixed], second[mixed] = self._draw("other", int(mixed.sum()))
        first[~mixed] = second[~mixed] = self._queues["itself"].take(int((~mixed).sum()), self.generator)
        return first, second

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the draws, with which an interrupted epoch continues where it stopped.

        With DataLoader workers the sampler is ahead of the training loop by the batches that are prefetched.
        """
        return {
            "rows": self.rows,
            "generator": self.generator.get_state(),
            "batches_done": self._batches_done,
            "queues": {name: queue.waiting.clone() for name, queue in self._queues.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, in a sampler with the same data, graph and arguments.

        Args:
            state: from `state_dict`.

        Raises:
            ValueError: it is something else, or belongs to other data.
        """
        if not isinstance(state, dict) or set(state) != {"rows", "generator", "batches_done", "queues"}:
            raise ArgumentError(f"state must come from PairSampler.state_dict(), got {state!r:.80}")
        queues = state["queues"]
        if state["rows"] != self.rows or set(queues) != set(self._queues):
            raise ArgumentError(f"state must come from a PairSampler of {self.rows} rows, got one of {state['rows']}")
        self.generator.set_state(state["generator"])
        self._batches_done = self._resume_at = int(state["batches_done"]) % self.num_batches
        for name, waiting in queues.items():
            self._queues[name].waiting = waiting.clone()

    def describe(self, classes: Tensor | None = None) -> PairSummary:
        """Return how the samples are used: how many are ever mixed, how evenly, and what that does to the classes.

        Args:
            classes: class of each sample, integers, shape `(m,)`; None without classes.

        Raises:
            ValueError: `classes` do not have one class per sample.
        """
        mass = self._pairs.row_mass()
        mixable = (mass > 0).double()
        served = mixable / (1 + mass) * mass if self._as_given else mixable
        first = torch.ones_like(mass) if self.first_ends == "uniform" else (1 + mass if self._as_given else mass)
        evenness = float(first.sum() ** 2 / (len(first) * first.square().sum())) if float(first.sum()) > 0 else 1.0
        shift = None
        if classes is not None:
            classes = torch.as_tensor(classes)
            if classes.shape != (self.rows,) or classes.is_floating_point():
                raise ArgumentError(
                    f"classes must be integers of shape ({self.rows},), got {classes.dtype} of shape "
                    f"{tuple(classes.shape)}"
                )
            _, index = torch.unique(classes, return_inverse=True)
            used = served if self.first_ends == "uniform" else mass
            shares = torch.bincount(index, weights=used) / used.sum().clamp_min(1e-300)
            shift = float((shares - torch.bincount(index) / self.rows).abs().max()) if float(used.sum()) > 0 else 0.0
        return PairSummary(self.mixed_share, float(mixable.mean()), evenness, shift)

    def _draw_evenly(self, count: int) -> tuple[Tensor, Tensor]:
        """Draw first ends equally often, and for each a partner by its row of W; itself where the row is empty."""
        first = self._queues["itself"].take(count, self.generator)
        second, mass = first.clone(), self._pairs.mass
        waiting = torch.arange(count)
        if not self._as_given:
            waiting = (torch.rand(count, generator=self.generator) < self._wanted_share).nonzero().squeeze(1)
        waiting = waiting[mass[first[waiting]] > 0]
        for _ in range(_ROUNDS):
            if not len(waiting):
                break
            ends = first[waiting]
            found, accepted = self._pairs.partners(ends, self.generator)
            if self._as_given:
                # a sample with itself has weight 1, against the mass of its row
                itself = torch.rand(len(ends), generator=self.generator) * (1 + mass[ends]) < 1
                found, accepted = torch.where(itself, ends, found), accepted | itself
            second[waiting[accepted]] = found[accepted]
            waiting = waiting[~accepted]
        if len(waiting):
            second[waiting] = self._pairs.from_whole_rows(first[waiting], self.generator, with_itself=self._as_given)
        return first, second

    def _draw(self, queue: str, count: int) -> tuple[Tensor, Tensor]:
        firsts, seconds = [torch.zeros(0, dtype=torch.int64)], [torch.zeros(0, dtype=torch.int64)]
        missing = count
        while missing > 0:
            proposals = missing
            if isinstance(self._pairs, ProposedPairs):
                proposals = min(2**20, math.ceil(missing / self._pairs.acceptance * 1.1) + 8)
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


class PairDataset(Dataset[tuple[Any, Any]]):
    """A data set that is indexed by the pairs of `PairSampler`. A sample paired with itself is loaded once.

    Args:
        dataset: map-style, of samples `(x, y)`.

    >>> PairDataset(["a", "b"])[0, 1]
    ('a', 'b')
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.dataset)

    def __getitem__(self, pair: Pair | tuple[int, int]) -> tuple[Any, Any]:
        """Return the two samples of a pair of indices."""
        if isinstance(pair, int | list):
            raise ArgumentError(f"PairDataset is indexed by pairs, batch_sampler=PairSampler(...), got {pair!r:.60}")
        first, second = pair
        sample = self.dataset[first]
        return sample, (sample if second == first else self.dataset[second])
