"""`DistributedLocalMixup`: Local Mixup where each of several processes (DDP, Accelerate) holds a part of the batch.

The weighted mean of eq. (3) is one of the whole batch: a rank that divides by its own sum of weights trains with
another loss. And a rank finds only those partners that it holds, unless the batch is gathered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from localmixup._batch import MixedBatch, MixPlan
from localmixup._interpolate import check_mixable, map_tensors, tensors_in
from localmixup._mixup import LocalMixup
from localmixup._settings import SETTINGS
from localmixup._validate import ArgumentError, check_integer
from localmixup.graphs.base import LocalityGraph
from localmixup.graphs.registry import graph_from_config, settings_of
from localmixup.integrations._rank_batches import GATHERED_PLANS, RANK_PLANS, GatheredPlan
from localmixup.integrations._ranks import (
    follow_first_rank,
    gather_rows,
    generator_of_rank,
    next_generator_of_rank,
    rank_and_size,
    sum_over_ranks,
)


def mean_over_ranks(loss: Tensor) -> Tensor:
    """The loss of the global batch, for the log: the mean of what `RankBatch.loss` gave on each rank.

    Every rank must call it. Without gradient.

    Args:
        loss: a scalar.
    """
    return sum_over_ranks(loss) / rank_and_size()[1]


class DistributedLocalMixup(LocalMixup):
    """`LocalMixup` for one of several processes, used as that is: `batch = mix(x, y)`, `batch.loss(criterion, ...)`.

    Make it with the same arguments on every rank. With no process group, or one of one process, it is
    `LocalMixup(graph, ..., generator=torch.Generator().manual_seed(seed))`. In `.eval()` mode batches pass as they
    are, and nothing is sent: their loss is that of the rank.

    Args:
        graph: see `LocalMixup`.
        gather: False, partners are found within the rank, and each rank draws for itself. True, among the samples of
            all ranks: inputs, targets and features are gathered on every rank, and the plan is the one that one
            process would draw for the whole batch, in the order of the ranks. Every rank must then mix every batch,
            with `(0, ...)` rows where it has none.
        seed: of all draws, a whole number >= 0. `state_dict()` is the same on every rank, so that of rank 0 serves
            all, and another number of ranks too.
        mixup_alpha: see `LocalMixup`, as all that follow.
        prob: share of the samples that are mixed at all.
        per_sample: draw one `lam` a sample; otherwise one a batch: of the rank, or with `gather=True` of all ranks.
        pairing: who meets whom.
        outside: what becomes of a pair in as far as the graph leaves it out.
        reduction: of `RankBatch.loss`.

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
        graph: LocalityGraph,
        *,
        gather: bool = False,
        seed: int = 0,
        mixup_alpha: float = 1.0,
        prob: float = 1.0,
        per_sample: bool = False,
        pairing: str = "permutation",
        outside: str = "discard",
        reduction: str = "weighted_mean",
    ) -> None:
        super().__init__(
            graph,
            mixup_alpha=mixup_alpha,
            prob=prob,
            per_sample=per_sample,
            pairing=pairing,
            outside=outside,
            reduction=reduction,
            generator=torch.Generator().manual_seed(check_integer("seed", seed, low=0)),
        )
        if not isinstance(gather, bool):
            raise ArgumentError(f"gather must be True or False, got {gather!r}")
        self.gather = gather
        self.seed = int(seed)
        self._of_this_batch: torch.Generator | None = None
        self._rank_of_origin = rank_and_size()

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        return f"{super().extra_repr()}, gather={self.gather}, seed={self.seed}"

    def to_config(self) -> dict[str, Any]:
        """The settings as plain values, for JSON; see `LocalMixup`."""
        return {**super().to_config(), "gather": self.gather, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any], generator: torch.Generator | None = None) -> DistributedLocalMixup:
        """The `DistributedLocalMixup` that `to_config` described.

        Args:
            config: the graph, and any of the settings, those of a `LocalMixup` too; the others take their default.
            generator: in place of that of the seed; in the same state on every rank.

        Raises:
            ValueError: an unknown setting, or one that is missing or out of range.
        """
        settings = settings_of(config, (*SETTINGS, "gather", "seed"), cls.__name__)
        mix = cls(graph_from_config(settings.pop("graph", None)), **settings)
        if generator is not None:
            mix.generator = generator
        return mix

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled; with the rank, which a worker that is started afresh could not know."""
        return {**super().__getstate__(), "_of_this_batch": None, "_rank_of_origin": rank_and_size()}

    def forward(self, x: Any, y: Any, features: Any = None, *, inplace: bool = False) -> MixedBatch:
        """Draw a plan for this rank's part of the batch and mix it.

        Args:
            x: inputs of this rank's samples, see `LocalMixup.forward`.
            y: their targets.
            features: what distances are measured on; gathered too, with `gather=True`.
            inplace: write the mixed inputs into `x`.

        Returns:
            A `RankBatch`; in `.eval()` mode a `MixedBatch`.

        Raises:
            ValueError: inputs that cannot be mixed, batch sizes that differ, or (on all ranks) samples of different
                shapes on different ranks.
        """
        if not self._crosses_ranks():
            with self._draws_of_the_rank():
                return self._of_rank(super().forward(x, y, features, inplace=inplace))
        for tensor in tensors_in(x, "inputs"):
            check_mixable(tensor)
        given = {"inputs": x, "targets": y}
        if features is not None:
            given["features"] = map_tensors(torch.Tensor.detach, features, "features")
        everyone, mine = gather_rows(given, "batch", with_gradient=True)
        plan = self._plan_of_all(everyone["inputs" if features is None else "features"], everyone["targets"], mine)
        return plan.apply_among(x, y, everyone, mine, inplace)

    def plan(self, features: Any, y: Any = None) -> MixPlan:
        """Draw a plan for this rank's part of the batch; nothing is mixed yet.

        Args:
            features: what distances are measured on, of this rank's samples, see `LocalMixup.plan`.
            y: their targets; needed for pairing by class.

        Returns:
            A `RankPlan`, with `gather=True` a `GatheredPlan`, which mixes whatever is of the same samples; in
            `.eval()` mode a `MixPlan`.

        Raises:
            ValueError: no features, or no classes where the pairing needs them.
        """
        if self._crosses_ranks():
            given = {"features": features} if y is None else {"features": features, "targets": y}
            everyone, mine = gather_rows(given, "batch")
            return self._plan_of_all(everyone["features"], everyone.get("targets"), mine)
        with self._draws_of_the_rank():
            plan = super().plan(features, y)
        return RANK_PLANS[self.reduction](*plan) if self.training else plan

    def collate_fn(self, samples: list[Any]) -> MixedBatch:
        """Collate samples `(x, y)` and mix them within the rank; each rank and worker draws for itself.

        Args:
            samples: what the data set returns, pairs of input and target.

        Raises:
            ValueError: `gather=True`.
        """
        self._check_within_rank("collate_fn runs in DataLoader workers, which have no part in the process group")
        return super().collate_fn(samples)

    def mix_pairs(self, x: Any, y: Any, partner_x: Any, partner_y: Any) -> MixedBatch:
        """Mix pairs that `PairSampler` drew on this rank; only `lam` is drawn here, and every pair counts 1.

        Args:
            x: inputs of the samples, see `LocalMixup.mix_pairs`.
            y: their targets.
            partner_x: inputs of the partners.
            partner_y: targets of the partners.

        Raises:
            ValueError: `gather=True`, batch sizes or structures that differ.
        """
        self._check_within_rank("pairs have their partners already, from the whole data set")
        with self._draws_of_the_rank():
            return self._of_rank(super().mix_pairs(x, y, partner_x, partner_y))

    # ---- what is drawn -----------------------------------------------------------------------------------------

    def _crosses_ranks(self) -> bool:
        if not (self.gather and self.training):
            return False
        if get_worker_info() is not None:
            self._check_within_rank("a DataLoader worker has no part in the process group")
        return rank_and_size()[1] > 1

    def _check_within_rank(self, reason: str) -> None:
        if self.gather:
            raise ArgumentError(f"gather must be False here, got True: {reason}. Call mix(x, y) in the training loop")

    def _shared_generator(self) -> torch.Generator:
        if self.generator is None:
            raise ArgumentError("generator must be a torch.Generator where there are several ranks, got None")
        return self.generator

    def _of_rank(self, batch: MixedBatch) -> MixedBatch:
        return RANK_PLANS[self.reduction].batch_type(*batch) if self.training else batch

    def _plan_of_all(self, features: Any, y: Any, mine: slice) -> GatheredPlan:
        """The rows of this rank in the plan of the whole batch."""
        # ranks that drew apart, since one of them skipped a batch say, would mix by different plans and not notice
        follow_first_rank(self._shared_generator(), tensors_in(features, "features")[0].device)
        partner, lam, weights = super().plan(features, y)
        return GATHERED_PLANS[self.reduction](partner[mine] - mine.start, lam[mine], weights[mine])

    @contextmanager
    def _draws_of_the_rank(self) -> Iterator[None]:
        """Within it a batch is drawn from a generator of its own, made of the shared one's next draw and the rank.

        So the state that is saved is the same on all ranks, and the draws are not.
        """
        shared = rank_and_size()[1] == 1 or self._of_this_batch is not None or torch.compiler.is_compiling()
        if shared or not self.training or get_worker_info() is not None:
            yield
            return
        self._of_this_batch = next_generator_of_rank(self._shared_generator())
        try:
            yield
        finally:
            self._of_this_batch = None

    def _random(self, device: torch.device) -> tuple[torch.Generator | None, torch.device]:
        if self._of_this_batch is not None:
            return self._of_this_batch, self._of_this_batch.device
        before = self._worker_generator
        drawn_from = super()._random(device)
        made = self._worker_generator
        if made is None or made is before:
            return drawn_from
        # loaders that were seeded alike on all ranks give their workers the same seeds
        rank, size = rank_and_size() if rank_and_size()[1] > 1 else self._rank_of_origin
        if size > 1:
            self._worker_generator = (made[0], generator_of_rank(made[1].initial_seed(), rank))
        return super()._random(device)
