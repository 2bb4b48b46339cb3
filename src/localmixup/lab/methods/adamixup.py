"""MixUp as Locally Linear Out-Of-Manifold Regularization, "AdaMixUp" (Guo, Mao, Zhang, 2019), folds of two.

A policy region generator gives every pair an interval of mixing coefficients; an intrusion discriminator, which shares
the classifier's backbone, keeps mixed samples out of the data manifold. The authors' code (SITE5039/AdaMixUp) is
followed but for these defects:

- there the generator's images are neither normalised nor in the order of axes that its convolutions expect;
- there partners come from the whole batch, so that "unseen" samples may have been mixed;
- there it trains 3.5 times as long as the mixup that it is compared with. That is up to the experiment here.

The backbone runs once over mixed, plain and unseen samples, so batch normalisation sees them all together; there it
runs over 2 n/2 rows for the classifier and over 3 n/2 for the discriminator. Weight decay is the optimiser's.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from localmixup import CompleteGraph, LocalityGraph, MixedBatch
from localmixup._batch import PLANS
from localmixup._interpolate import between
from localmixup._validate import ArgumentError
from localmixup.lab.methods.base import Batch, Method, PairSource
from localmixup.lab.methods.manifold import layers_of
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

_HEAD_STD = 1e-3  # of the fresh weights of both heads, as in the authors' code


class AdaMixUp(Method):
    """Mixup in learned regions.

    Of a batch of n samples the first half is mixed and the second half stays unseen by the classifier, which learns
    from the mixed samples and their plain first ends: n rows. Partners are of the first half of the batch; where pairs
    come from the set, they are random ones of the set, and the second half are samples with themselves.
    """

    title = "adamixup"

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.networks: _Networks | None = None

    def graph(self) -> LocalityGraph:
        """Every pair."""
        return CompleteGraph()

    def companion(self, model: nn.Module, inputs: Tensor) -> nn.Module:
        """The policy region generator, with its own copy of the backbone, and the head of the discriminator.

        Fresh weights from the global random state, as those of the model.
        """
        self.networks = _Networks(layers_of(model)[:-1], inputs)
        return self.networks

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Random pairs, and as many samples that stay unseen."""
        return _HalfPairs(super().pairs(x, y))

    def step(self, model: nn.Module, batch: Batch) -> tuple[Tensor, MixedBatch]:
        """Loss of the classifier plus that of the discriminator, 1 to 1.

        The targets take `lam` as a constant; its gradient comes through the mixed inputs.

        Raises:
            ValueError: a batch of one sample, or `companion` was not called.
        """
        layers, networks, half = layers_of(model), self.networks, len(batch.inputs) // 2
        if networks is None:
            raise ArgumentError("companion of adamixup must be called before its first step, for it makes the networks")
        if half == 0:
            raise ArgumentError(f"adamixup needs batches of at least 2 samples, got {len(batch.inputs)}")
        (own, unseen), (targets, other_targets) = (t.tensor_split([half]) for t in (batch.inputs, batch.targets))
        if batch.partner_inputs is None or batch.partner_targets is None:
            partner = torch.randperm(half, generator=self.generator).to(own.device)
            other, partner_targets = own[partner], targets[partner]
        else:
            other, partner_targets = batch.partner_inputs[:half], batch.partner_targets[:half]
        lam = self._lam(networks, own, other)
        mixed = between(own, other, lam)

        features = layers[:-1](torch.cat([mixed, own, unseen]))
        fixed, ones = lam.detach(), torch.ones(len(unseen), device=own.device)
        batch_type = PLANS[self.training.reduction].batch_type
        twice = torch.cat([targets, targets]), torch.cat([partner_targets, targets]), torch.cat([fixed, ones[:half]])
        seen = batch_type(torch.cat([mixed, own]), *twice, torch.ones_like(twice[2]))
        loss = seen.loss(self.criterion, layers[-1](features[: 2 * half]))
        # class 0 are the mixed samples, class 1 the real ones
        real = torch.cat([torch.zeros(half), torch.ones(len(features) - half)]).long().to(own.device)
        reduction = "sum" if self.training.reduction == "sum" else "mean"
        loss = loss + F.cross_entropy(networks.intrusion(features), real, reduction=reduction)
        record = batch_type(
            torch.cat([mixed.detach(), unseen]),
            batch.targets,
            torch.cat([partner_targets, other_targets]),
            torch.cat([fixed, ones]),
            torch.ones(len(batch.inputs), device=own.device),
        )
        return loss * self.spec.loss_scale, record

    def _lam(self, networks: _Networks, own: Tensor, other: Tensor) -> Tensor:
        """`lam = a + u D` with (a, D, rest) the softmax of the generator and `u ~ U(0, 1)`, one a pair; (n/2,)."""
        masks = torch.empty(2, *own.shape)
        nn.init.trunc_normal_(masks, generator=self.generator)  # N(0, 1) within two deviations, a mask an image
        masks = masks.to(own.device)
        low, extent, _ = networks.region((masks[0] * own + masks[1] * other) / 2).float().unbind(dim=1)
        return low + torch.rand(len(own), generator=self.generator).to(own.device) * extent


class _Networks(nn.Module):
    """What is trained beside the classifier.

    Args:
        backbone: all of the classifier but its head; copied.
        inputs: shape `(n, ...)`, to find the number of its features.
    """

    def __init__(self, backbone: nn.Module, inputs: Tensor) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(backbone)
        for module in self.backbone.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
        parameter = next(self.backbone.parameters(), inputs)
        with torch.no_grad():
            width = self.backbone.eval()(inputs[:1].to(parameter.device)).shape[1]
        self.backbone.train()
        self.policy = nn.Sequential(nn.Linear(width, 100), nn.Linear(100, 3))
        self.intrusion = nn.Sequential(nn.Linear(width, 10), nn.Linear(10, 2))
        for layer in (*self.policy, *self.intrusion):
            nn.init.normal_(layer.weight, std=_HEAD_STD)
            nn.init.zeros_(layer.bias)

    def region(self, gate: Tensor) -> Tensor:
        """Start, extent and rest of the interval of `lam`, which sum to 1, shape `(n, 3)`."""
        return self.policy(self.backbone(gate)).softmax(dim=1)  # type: ignore[no-any-return]


class _HalfPairs:
    def __init__(self, source: PairSource) -> None:
        self.source = source

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Pairs in the first half, samples with themselves in the second, shape `(count,)` each."""
        first, second = self.source.sample(count)
        return first, torch.cat([second[: count // 2], first[count // 2 :]])
