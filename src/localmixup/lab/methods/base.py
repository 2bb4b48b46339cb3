"""What a method of training is: it draws pairs and weights, and says what the loss of a batch is.

Each run has its own method, which draws from the generator of that run. The loss is computed for a stack of runs at
once, on tensors of shape `(R, B, ...)`: R runs, B pairs of each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from localmixup import IdentityGraph, LocalityGraph, MixedBatch, MixPlan, PairSampler
from localmixup._partners import draw_lam, permutation
from localmixup._validate import ArgumentError
from localmixup.graphs import DistanceGraph
from localmixup.lab.runs.network import Network
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec
from localmixup.sampling.pairs import NoPairsError

LOCAL_MIXUP = (
    "Baena, Drumetz, Gripon. Local Mixup: Interpolation of closest input signals to prevent manifold intrusion. "
    "Signal Processing 219, 2024. doi:10.1016/j.sigpro.2024.109395"
)
"""The citation of all methods of the paper."""

_CPU = torch.device("cpu")  # draws come from there, whatever the device of the data


class Batch(NamedTuple):
    """The pairs of one update, of all runs of a stack.

    Attributes:
        inputs: the samples, shape `(R, B, ...)`.
        partner_inputs: the samples they are mixed with, in the same shape.
        targets: shape `(R, B)`.
        partner_targets: in the same shape.
        lam: share of the sample itself, shape `(R, B)`.
        weights: how much each pair counts, in [0, 1], shape `(R, B)`. Pairs that were only added so that all runs have
            the same number have weight 0.
        size: number of pairs each run has drawn. Pairs of weight zero may have been left out since.
        scale: factor of the loss of each run, shape `(R,)`.
        moved: whether the two ends of each pair differ, shape `(R, B)`.
        shares: mean weight, mean weight of the pairs whose ends differ, and Kish's effective size over `size`, of each
            run as drawn, shape `(R, 3)`.
        partner: for pairs of the batch, the place of each partner in it, shape `(R, B)`; None for pairs of the set.
        choices: what the methods drew beside the pairs, shape `(R, ...)`; None if nothing.
    """

    inputs: Tensor
    partner_inputs: Tensor
    targets: Tensor
    partner_targets: Tensor
    lam: Tensor
    weights: Tensor
    size: int
    scale: Tensor
    moved: Tensor
    shares: Tensor
    partner: Tensor | None = None
    choices: Tensor | None = None


class PairSource(Protocol):
    """Draws pairs of the training set."""

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Return indices of the samples and of their partners, shape `(count,)` each."""


class Method(ABC):
    """A way to train.

    Args:
        spec: its parameters.
        training: what all methods have in common.
        task: `"classification"` or `"regression"`.
        generator: source of the draws of this run.

    Raises:
        ArgumentError: an option that the method does not have.
    """

    title: ClassVar[str]
    """The name of the method in tables."""
    formula: ClassVar[str]
    """What is minimised, in plain text: `l` is the loss, `f` the network, `x~` its input, `w` the weight of a pair."""
    citation: ClassVar[str]
    """Authors, title, venue, year, and DOI or number at arXiv."""
    OPTIONS: ClassVar[dict[str, float | str]] = {}
    """The options that `MethodSpec.options` may set, with their defaults."""
    stacks: ClassVar[bool] = True
    """Whether `losses` works for several runs at once."""
    drops: ClassVar[bool] = True
    """Whether a pair of weight zero does nothing, so that it can be left out before the forward pass."""
    weighs_set: ClassVar[bool] = False
    """Whether pairs of the set have other weights than 1; see `set_weights`."""
    by_batch: ClassVar[bool] = False
    """Whether pairs of the set must be drawn one batch at a time."""

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        self.spec, self.training, self.task, self.generator = spec, training, task, generator
        given = dict(spec.options)
        if unknown := sorted(set(given) - set(self.OPTIONS)):
            allowed = ", ".join(self.OPTIONS) or "none"
            raise ArgumentError(f"options of {spec.method} must be of {allowed}, got {', '.join(unknown)}")
        self.options = {**self.OPTIONS, **given}
        self.mixup_alpha = training.mixup_alpha
        # the control at the same mixed share is classical mixup of a share of the samples
        self.prob = 1.0 if spec.mixed_share is None else spec.mixed_share

    @abstractmethod
    def graph(self) -> LocalityGraph:
        """Return the graph of the pairs."""

    # ---- draws of one run ---------------------------------------------------------------------------------------

    def plan(self, x: Tensor, y: Tensor, size: int) -> MixPlan:
        """Draw the pairs of several batches.

        The partners, lam and the unmixed samples of one batch are drawn as `LocalMixup` draws them.

        Args:
            x: inputs of the batches, one after another, shape `(S * size, ...)`.
            y: their targets, shape `(S * size,)`.
            size: of a batch.

        Returns:
            One plan for all of them, in which no partner is of another batch.
        """
        partner, lam, moves = [], [], []
        for one_x, one_y in zip(torch.split(x, size), torch.split(y, size), strict=True):
            partner.append(self.partners(one_x, one_y))
            lam.append(self.lam(1))
            if self.prob < 1:
                moves.append(torch.rand(size, generator=self.generator) < self.prob)
        itself = torch.arange(len(x)).view(-1, size)
        partners, lams = torch.stack(partner) + itself[:, :1], torch.stack(lam).expand(-1, size)
        if moves:
            moved = torch.stack(moves)
            partners, lams = torch.where(moved, partners, itself), torch.where(moved, lams, 1.0)
        partners = partners.flatten().to(x.device)
        return MixPlan(partners, lams.flatten().to(x.device), self.weights(x, partners, size))

    def partners(self, x: Tensor, y: Tensor) -> Tensor:
        """Draw a partner within the batch for each of its samples, shape `(n,)`, on the CPU."""
        return permutation(x.shape[0], device=_CPU, generator=self.generator)

    def lam(self, count: int) -> Tensor:
        """Draw the mixing coefficients of `count` batches, one each."""
        return draw_lam(count, self.mixup_alpha, dtype=torch.float32, device=_CPU, generator=self.generator)

    def weights(self, x: Tensor, partner: Tensor, size: int) -> Tensor:
        """Return the weights of the pairs of several batches; see `plan`."""
        graph = self.graph()
        if isinstance(graph, DistanceGraph):
            return graph.pair_weights(x, partner)
        starts = range(0, len(x), size)
        return torch.cat([graph.pair_weights(x[k : k + size], partner[k : k + size] - k) for k in starts])

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Return the source of pairs of the training set.

        Args:
            x: inputs of the training set, shape `(m, ...)`.
            y: their targets, shape `(m,)`.
        """
        size = self.training.batch_size
        try:
            return PairSampler(
                x, self.graph(), size, self.generator, mixed_share=self.spec.mixed_share,
                first_ends=self.training.first_ends,
            )  # fmt: skip
        except NoPairsError:  # a split so small that no pair is near: nothing can be mixed
            return PairSampler(x, IdentityGraph(), size, self.generator)

    def moved_in_set(self, first: Tensor, second: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        """Return the partners and the lam of pairs of the set, shape `(n,)` each: as they were drawn.

        Args:
            first: index of each sample in the training set, shape `(n,)`.
            second: index of each partner, likewise.
            lam: shape `(n,)`.
        """
        return second, lam

    def set_weights(self, x: Tensor, partner_x: Tensor) -> Tensor:
        """Return the weights of pairs of the set, shape `(n,)`: 1, as they are drawn in proportion to the graph."""
        return torch.ones(len(x), device=x.device)

    def choices(self, updates: int) -> Tensor | None:
        """Draw what the updates need beside pairs, shape `(updates, ...)`; None if nothing."""
        return None

    # ---- the loss of a stack ------------------------------------------------------------------------------------

    def companion(self, model: nn.Module, inputs: Tensor) -> nn.Module | None:
        """Return a network that is trained beside the model, or None; called once, before training.

        Args:
            model: freshly made.
            inputs: some training inputs, shape `(n, ...)`.
        """
        return None

    def seen_by(self, network: Network, batch: Batch) -> Batch:
        """Return the pairs of an update, where they depend on the networks as they are then.

        Args:
            network: in training mode; it stays as it is.
            batch: as drawn.
        """
        return batch

    def losses(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the training losses of a stack of runs.

        Args:
            network: in training mode.
            batch: the pairs of this update.

        Returns:
            The loss of every run, shape `(R,)`, and the weights of the pairs, shape `(R, B)`, or None if they are those
            of the batch.
        """
        inputs = mixed(batch.inputs, batch.partner_inputs, batch.lam)
        return self.reduced(network(inputs), batch), None

    def reduced(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the loss of eq. (3) of every run, shape `(R,)`.

        Args:
            outputs: of the network for the mixed inputs, shape `(R, B, c)`.
            batch: has the targets, lam and weights.
        """
        losses = weighted_losses(outputs, batch, self.task).sum(dim=1)
        if self.training.reduction == "mean":
            return losses * (batch.scale / batch.size)
        if self.training.reduction == "sum":
            return losses * batch.scale
        return losses * batch.scale / batch.weights.sum(dim=1).clamp_min(torch.finfo(batch.weights.dtype).tiny)


def mixed(x: Tensor, partner_x: Tensor, lam: Tensor) -> Tensor:
    """Return `lam x + (1 - lam) partner_x`; exactly `x` where lam is 1.

    Args:
        x: shape `(R, B, ...)`.
        partner_x: in the same shape.
        lam: shape `(R, B)`.
    """
    return torch.lerp(partner_x, x, lam.view(lam.shape + (1,) * (x.ndim - 2)).to(x.dtype))


def weighted_losses(outputs: Tensor, batch: Batch, task: str) -> Tensor:
    """Return `w (lam l(f, y) + (1 - lam) l(f, y_partner))` of every pair, shape `(R, B)`.

    Args:
        outputs: of the network, shape `(R, B, c)`.
        batch: has the targets, lam and weights.
        task: `"classification"`, with the cross entropy, or `"regression"`, with the squared error.
    """
    flat = MixedBatch(None, *(t.flatten() for t in (batch.targets, batch.partner_targets, batch.lam, batch.weights)))
    if task == "classification":
        # one logarithm serves both targets
        return flat.loss(F.nll_loss, outputs.float().log_softmax(dim=-1).flatten(0, 1), reduction="none").view_as(
            batch.lam
        )
    return flat.loss(F.mse_loss, outputs.float().flatten(), reduction="none").view_as(batch.lam)


def shares(moved: Tensor, weights: Tensor, size: int) -> Tensor:
    """Return the mean weight, the mean weight of the pairs whose ends differ, and Kish's effective size over `size`.

    Args:
        moved: whether the two ends of each pair differ, shape `(..., K)`.
        weights: how much each pair counts, in the same shape. Pairs of weight zero may be missing.
        size: number of pairs, with those that are missing.

    Returns:
        Shape `(..., 3)`, float64.
    """
    weights = weights.double()
    total = weights.sum(dim=-1)
    ess = total.square() / (size * weights.square().sum(dim=-1)).clamp_min(1e-300)
    return torch.stack([total / size, (weights * moved).sum(dim=-1) / size, ess], dim=-1)
