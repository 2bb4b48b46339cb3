"""What the repository of the paper really runs (raphael-baena/Local-Mixup at 84ee255), defects included.

Local Mixup: Interpolation of closest input signals (Baena, Drumetz, Gripon, 2024). No script of its repository trains
eq. (3); these are the two that come nearest. For eq. (3) itself see `local.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from localmixup import CompleteGraph, LocalMixup, MixedBatch, PairSampler, ThresholdGraph
from localmixup._batch import PLANS
from localmixup._distances import distances_between
from localmixup._interpolate import between
from localmixup.lab.methods.base import Batch, PairSource
from localmixup.lab.methods.local import LocalExponential, LocalThreshold


class PublishedSpirals(LocalThreshold):
    """`Spiral_Experiments.ipynb`: mixup whose loss is scaled by the share of near pairs.

    Defects: the cross entropy is averaged over the batch before it is multiplied by the weights, so the loss is
    mean(l) mean(w): every pair counts alike, near or far, and the radius acts on the size of the step only, which Adam
    hardly heeds. The notebook's network is another: the model `mlp3-softmax` has its softmax before the loss's.

    Pairs of the batch, or random ones of the set, the weights measured on the inputs that the model sees.
    """

    title = "published code, spirals"

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Random pairs: the graph is in the weights."""
        return PairSampler(x, CompleteGraph(), self.training.batch_size, self.generator)

    def mixed(self, batch: Batch) -> MixedBatch:
        """The mixed batch, with `1[d <= radius]` as weights."""
        mixed = super().mixed(batch)
        if batch.partner_inputs is None:
            return mixed
        weights = ThresholdGraph(self.parameter).of_distance(distances_between(batch.inputs, batch.partner_inputs))
        return mixed._replace(weights=weights)

    def loss(self, model: nn.Module, mixed: MixedBatch) -> Tensor:
        """Mean cross entropy times mean weight."""
        unweighted = mixed._replace(weights=torch.ones_like(mixed.weights))
        mean_loss = unweighted.loss(self.criterion, model(mixed.inputs), reduction="mean")
        return mean_loss * mixed.weights.mean() * self.spec.loss_scale


class PublishedCifar(LocalExponential):
    """The local branch of `cifar.ipynb`: near partners instead of weights.

    Defects: the partner j of each sample i is drawn in proportion to `exp(-decay d(i, j))`, i itself included and the
    likeliest, and no loss is weighed: eq. (3) is another law of pairs, for here every sample is a first end equally
    often, however far from all others. `lam = U(0, 1/2)`, one a batch, is the share of the sample itself, so the
    partner always has the larger one, and a sample that is near many stands for them. The notebook's branch cannot run
    on a GPU, and augments a batch of images with one crop and one flip; neither is repeated here.

    Partners are of the batch; where pairs come from the set, of the batch that is drawn together, as it lies in the
    set: distances are then measured before augmentation.
    """

    title = "published code, cifar"

    def mixer(self) -> LocalMixup:
        """Partners drawn from the rows of W."""
        return LocalMixup(
            self.graph(), pairing="neighbors", reduction=self.training.reduction, generator=self.generator
        )

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Every sample once an epoch, with partners of those drawn together."""
        return _NeighborPairs(x, self.mix, self.generator)

    def mixed(self, batch: Batch) -> MixedBatch:
        """The mixed batch, in which every pair counts 1."""
        n, device = len(batch.inputs), batch.inputs.device
        lam = (torch.rand(1, generator=self.generator) / 2).to(device).expand(n)
        if batch.partner_inputs is None:
            plan = self.mix.plan(batch.inputs, batch.targets)
            lam = torch.where(plan.partner == torch.arange(n, device=device), 1.0, lam)
            return plan._replace(lam=lam).apply(batch.inputs, batch.targets)
        inputs = between(batch.inputs, batch.partner_inputs, lam)
        batch_type = PLANS[self.training.reduction].batch_type
        return batch_type(inputs, batch.targets, batch.partner_targets, lam, torch.ones(n, device=device))


class _NeighborPairs:
    def __init__(self, x: Tensor, mix: LocalMixup, generator: torch.Generator) -> None:
        self.x, self.mix, self.generator = x, mix, generator
        self.waiting = torch.zeros(0, dtype=torch.int64)

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Indices of the first and of the second ends, shape `(count,)` each."""
        while len(self.waiting) < count:
            self.waiting = torch.cat([self.waiting, torch.randperm(len(self.x), generator=self.generator)])
        first, self.waiting = self.waiting[:count], self.waiting[count:]
        return first, first[self.mix.plan(self.x[first]).partner.cpu()]
