"""What the repository of the paper runs (raphael-baena/Local-Mixup at 84ee255), defects included.

Local Mixup: Interpolation of closest input signals (Baena, Drumetz, Gripon, 2024). No script of its repository trains
eq. (3); these are the two that come closest. For eq. (3) itself see `local.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from localmixup import CompleteGraph, PairSampler, ThresholdGraph
from localmixup._distances import distances_between
from localmixup.lab.methods.base import Batch, PairSource, weighted_losses
from localmixup.lab.methods.local import LocalExponential, LocalThreshold


class PublishedSpirals(LocalThreshold):
    """`Spiral_Experiments.ipynb`: mixup whose loss is scaled by the share of near pairs.

    Defects: the cross entropy is averaged over the batch before it is multiplied by the weights, so the loss is
    mean(l) mean(w). Every pair counts alike, near or far, and the radius only changes the size of the step, which Adam
    nearly cancels. The notebook also trains another network: the model `mlp3-softmax` has a softmax before that of the
    loss.

    Partners are of the batch, or random ones of the set. Weights are measured on the inputs that the model sees.
    """

    title = "published code, spirals"
    drops = False
    weighs_set = True

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Return the source of random pairs: the graph acts through the weights."""
        return PairSampler(x, CompleteGraph(), self.training.batch_size, self.generator)

    def set_weights(self, x: Tensor, partner_x: Tensor) -> Tensor:
        """Return `1[d <= radius]`, shape `(n,)`."""
        return ThresholdGraph(self.parameter).of_distance(distances_between(x, partner_x))

    def reduced(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the mean cross entropy times the mean weight of every run, shape `(R,)`."""
        unweighted = batch._replace(weights=torch.ones_like(batch.weights))
        losses = weighted_losses(outputs, unweighted, self.task)
        return losses.mean(dim=1) * batch.weights.mean(dim=1) * batch.scale


class PublishedCifar(LocalExponential):
    """The local branch of `cifar.ipynb`: near partners instead of weights.

    Defects: the partner j of each sample i is drawn in proportion to `exp(-decay d(i, j))`, i itself included and the
    most likely, and no loss is weighted. This is another law of pairs than eq. (3): every sample comes first equally
    often, however far it is from all others. `lam = U(0, 1/2)`, one per batch, is the share of the sample itself, so
    that the partner always has the larger share. The notebook's branch cannot run on a GPU, and augments a batch of
    images with one crop and one flip; neither is repeated here.

    Partners are of the batch. Where pairs come from the set, they are of the samples drawn together, and distances are
    measured before augmentation.
    """

    title = "published code, cifar"
    by_batch = True

    def partners(self, x: Tensor, y: Tensor) -> Tensor:
        """Draw partners from the rows of W."""
        uniform = torch.rand(len(x), dtype=torch.float64, generator=self.generator)
        return self.graph().draw_partners(x, uniform.to(x.device)).cpu()

    def weights(self, x: Tensor, partner: Tensor, size: int) -> Tensor:
        """Return ones: every pair counts alike."""
        return torch.ones(len(x), device=x.device)

    def lam(self, count: int) -> Tensor:
        """Draw `U(0, 1/2)`."""
        return torch.rand(count, generator=self.generator) / 2

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Return the source of every sample once per epoch, with partners among those drawn together."""
        return _NeighborPairs(x, y, self)


class _NeighborPairs:
    def __init__(self, x: Tensor, y: Tensor, method: PublishedCifar) -> None:
        self.x, self.y, self.method = x, y, method
        self.waiting = torch.zeros(0, dtype=torch.int64)

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Return indices of the samples and of their partners, shape `(count,)` each."""
        while len(self.waiting) < count:
            self.waiting = torch.cat([self.waiting, torch.randperm(len(self.x), generator=self.method.generator)])
        first, self.waiting = self.waiting[:count], self.waiting[count:]
        return first, first[self.method.partners(self.x[first], self.y[first])]
