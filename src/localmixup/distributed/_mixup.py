"""`DistributedLocalMixup`: `LocalMixup` for one of several ranks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from localmixup._batch import MixedBatch, MixPlan
from localmixup._interpolate import check_mixable, map_tensors, tensors_in
from localmixup._mixup import LocalMixup, _Draw
from localmixup._random import rank_and_size
from localmixup._settings import SETTINGS
from localmixup._validate import ArgumentError, check_flag, check_integer
from localmixup.distributed._batch import GatheredPlan, RankBatch, RankPlan
from localmixup.distributed._collectives import copy_first_rank, draw_apart, gather_rows
from localmixup.graphs import LocalityGraph
from localmixup.graphs.registry import graph_from_config, read_config, settings_of


class DistributedLocalMixup(LocalMixup):
    """`LocalMixup` for one of several ranks, used in the same way: `batch = mix(x, y)`, `batch.loss(criterion, ...)`.

    Create it with the same arguments on every rank. Without a process group, or with a single rank, it is exactly
    `LocalMixup(graph, ..., generator=torch.Generator().manual_seed(seed))`. In `.eval()` mode batches pass unchanged,
    nothing is sent, and the loss is that of the rank alone.

    Args:
        graph: how much a pair counts, see `LocalMixup`; None for the recommended recipe.
        gather: if False, partners are on the same rank and each rank draws its own plan. If True, partners may be on
            any rank: inputs, targets and features are gathered on every rank, and the plan is the one that a single
            process would draw for the whole batch in the order of the ranks. Every rank must then mix every batch, with
            inputs of shape `(0, ...)` if it has no samples.
        seed: seed of all draws, an integer >= 0. `state_dict()` is the same on every rank, so the one of rank 0 can be
            loaded on all of them, and also with another number of ranks.
        mixup_alpha: see `LocalMixup`, as for all following arguments.
        prob: share of the samples that are mixed at all.
        per_sample: draw one `lam` per sample instead of one per batch (of the rank, or of all ranks with
            `gather=True`).
        pairing: how partners are chosen.
        outside: what to do with pairs that the graph considers too far apart.

    Raises:
        ValueError: an argument is out of range.

    >>> from localmixup import ThresholdGraph
    >>> mix = DistributedLocalMixup(ThresholdGraph(radius=2.0), gather=True, seed=0)
    >>> batch = mix(torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([0, 1, 1]))
    >>> batch.loss(torch.nn.functional.cross_entropy, torch.zeros(3, 2))
    tensor(0.6931)
    """

    def __init__(
        self,
        graph: LocalityGraph | None = None,
        *,
        gather: bool = False,
        seed: int = 0,
        mixup_alpha: float | None = None,
        prob: float | None = None,
        per_sample: bool | None = None,
        pairing: str | None = None,
        outside: str = "discard",
    ) -> None:
        super().__init__(
            graph,
            mixup_alpha=mixup_alpha,
            prob=prob,
            per_sample=per_sample,
            pairing=pairing,
            outside=outside,
            generator=torch.Generator().manual_seed(check_integer("seed", seed, low=0)),
        )
        self.gather = check_flag("gather", gather)
        self.seed = int(seed)
        self._origin = rank_and_size()

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return f"{super().extra_repr()}, gather={self.gather}, seed={self.seed}"

    def to_config(self) -> dict[str, Any]:
        """Return the settings as plain values for JSON, see `LocalMixup.to_config`."""
        return {**super().to_config(), "gather": self.gather, "seed": self.seed}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any] | str | os.PathLike[str], generator: torch.Generator | None = None
    ) -> DistributedLocalMixup:
        """Create a `DistributedLocalMixup` from what `to_config` returned.

        Args:
            config: the graph and any other settings, also from a `LocalMixup`; missing ones take their defaults. Or
                the path of a JSON file that holds them.
            generator: used instead of one seeded with `seed`; must be in the same state on every rank.

        Raises:
            ValueError: a setting is unknown, missing or out of range.
        """
        settings = settings_of(read_config(config), (*SETTINGS, "gather", "seed"), cls.__name__)
        mix = cls(graph_from_config(settings.pop("graph")) if "graph" in settings else None, **settings)
        if generator is not None:
            mix.generator = generator
        return mix

    def __getstate__(self) -> dict[str, Any]:
        """Add the rank, which a DataLoader worker that is not forked cannot find out."""
        return {**super().__getstate__(), "_origin": rank_and_size()}

    def forward(self, x: Any, y: Any, features: Any = None, *, inplace: bool = False) -> MixedBatch:
        """Draw a plan for the part of the batch on this rank and mix it.

        Args:
            x: inputs of the samples of this rank, see `LocalMixup.forward`.
            y: their targets.
            features: what distances are measured on; gathered as well with `gather=True`.
            inplace: write the mixed inputs into `x`.

        Returns:
            A `RankBatch`; in `.eval()` mode a `MixedBatch`.

        Raises:
            ValueError: the inputs cannot be mixed, batch sizes differ, or (raised on every rank) the samples have
                different shapes or dtypes on different ranks.
        """
        if not self._gathers():
            return super().forward(x, y, features, inplace=inplace)
        for tensor in tensors_in(x, "inputs"):
            check_mixable(tensor)
        given = {"inputs": x, "targets": y}
        if features is not None:
            given["features"] = map_tensors(torch.Tensor.detach, features, "features")
        everyone, mine = gather_rows(given, "batch", with_gradient=True)
        plan = super().plan(everyone["inputs" if features is None else "features"], everyone["targets"])
        return _rows_of(plan, mine).apply_among(x, y, everyone, mine, inplace)

    def plan(self, features: Any, y: Any = None) -> MixPlan:
        """Draw a plan for the part of the batch on this rank, without mixing anything yet.

        Args:
            features: what distances are measured on, for the samples of this rank; see `LocalMixup.plan`.
            y: their targets, needed for pairing by class.

        Returns:
            A `RankPlan`, or with `gather=True` a `GatheredPlan`; in `.eval()` mode a `MixPlan`.

        Raises:
            ValueError: there are no features, or no classes although the pairing needs them.
        """
        if not self._gathers():
            return super().plan(features, y)
        everyone, mine = gather_rows(
            {"features": features} if y is None else {"features": features, "targets": y}, "batch"
        )
        return _rows_of(super().plan(everyone["features"], everyone.get("targets")), mine)

    def collate_fn(self, samples: list[Any]) -> MixedBatch:
        """Collate samples `(x, y)` and mix them within the rank. Each rank and each worker draws its own plans.

        Args:
            samples: pairs of an input and a target, as returned by the data set.

        Raises:
            ValueError: `gather=True`.
        """
        self._check_within_rank("collate_fn runs in DataLoader workers, which do not belong to the process group")
        return super().collate_fn(samples)

    def mix_pairs(self, x: Any, y: Any, partner_x: Any, partner_y: Any) -> MixedBatch:
        """Mix pairs that a `PairSampler` drew on this rank. Only `lam` is drawn, and every pair has weight 1.

        Args:
            x: inputs of the samples, see `LocalMixup.mix_pairs`.
            y: their targets.
            partner_x: inputs of the partners.
            partner_y: targets of the partners.

        Raises:
            ValueError: `gather=True`, or batch sizes or structures differ.
        """
        self._check_within_rank("these pairs already have their partners, from the whole data set")
        with self._draw_apart():
            batch = super().mix_pairs(x, y, partner_x, partner_y)
        return RankBatch.of(batch) if self.training else batch

    def _draw(self, features: Tensor, y: Any, *, shared: bool) -> _Draw:
        if self._gathers():
            # otherwise, ranks whose generators differ (because one of them skipped a batch) would use different plans
            copy_first_rank(self._shared_generator(), features.device)
            return super()._draw(features, y, shared=shared)
        with self._draw_apart():
            drawn = super()._draw(features, y, shared=shared)
        return drawn._replace(plan=RankPlan(*drawn.plan))

    def _draw_apart(self) -> AbstractContextManager[None]:
        rank, size = rank_and_size()
        if size == 1 and get_worker_info() is not None:
            rank, size = self._origin
        if size > 1:
            self._shared_generator()
        return draw_apart([self] if self.training else [], rank, size)

    def _shared_generator(self) -> torch.Generator:
        if self.generator is None:
            raise ArgumentError("generator must be a torch.Generator with several ranks, got None")
        return self.generator

    def _gathers(self) -> bool:
        if not (self.gather and self.training):
            return False
        if get_worker_info() is not None:
            self._check_within_rank("a DataLoader worker does not belong to the process group")
        return rank_and_size()[1] > 1

    def _check_within_rank(self, reason: str) -> None:
        if self.gather:
            raise ArgumentError(f"gather must be False here, got True: {reason}. Call mix(x, y) in the training loop")


def _rows_of(plan: MixPlan, mine: slice) -> GatheredPlan:
    """Return the rows of one rank in the plan of the whole batch."""
    partner, lam, weights = plan
    return GatheredPlan(partner[mine] - mine.start, lam[mine], weights[mine])
