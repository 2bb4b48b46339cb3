"""MixUp as Locally Linear Out-Of-Manifold Regularization, "AdaMixUp" (Guo, Mao, Zhang, 2019), folds of two."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from localmixup._validate import ArgumentError
from localmixup.lab.methods.base import Batch, PairSource, mixed
from localmixup.lab.methods.mixup import Mixup
from localmixup.lab.runs.network import Network
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

_HEAD_STD = 1e-3  # of the fresh weights of both heads, as in the authors' code


class AdaMixUp(Mixup):
    """Mixup in learned regions.

    Of a batch of B samples the first half is mixed. The second half stays unseen by the classifier, which learns from
    the mixed samples and their plain first ends: B rows. Partners are of the first half of the batch; where pairs come
    from the set, they are random ones of the set, and the pairs of the second half are samples with themselves.

    A policy region generator gives every pair an interval of mixing coefficients; an intrusion discriminator, which
    shares the classifier's backbone, keeps mixed samples out of the data manifold. This follows the authors' code
    (SITE5039/AdaMixUp) except for these defects:

    - its generator gets images that are neither normalised nor in the order of axes that its convolutions expect;
    - its partners come from the whole batch, so that "unseen" samples may have been mixed;
    - it trains 3.5 times as long as the mixup it is compared with. Here the experiment decides that.

    The backbone runs once over mixed, plain and unseen samples, so batch normalisation sees them all together; theirs
    runs over 2 B/2 rows for the classifier and over 3 B/2 for the discriminator. Weight decay is that of the optimiser.
    """

    title = "adamixup"
    formula = """
        (a_ij, D_ij, rest) = softmax of a network at x_i, x_j;  lam = a_ij + u D_ij,  u ~ U(0, 1)
        x~ = lam x_i + (1 - lam) x_j
        L = mean over pairs (i, j), and over samples with x~ = x_i and lam = 1, of
                lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j)
            + the cross entropy of a second network that tells mixed samples from real ones
    """
    citation = "Guo, Mao, Zhang. MixUp as Locally Linear Out-of-Manifold Regularization. AAAI 2019. arXiv:1809.02499"
    stacks = False
    by_batch = True

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.networks: _Networks | None = None

    def companion(self, model: nn.Module, inputs: Tensor) -> nn.Module:
        """Make the policy region generator, with a copy of the backbone, and the head of the discriminator.

        Their weights are drawn from the global random state, as those of the model.
        """
        if not isinstance(model, nn.Sequential):
            raise ArgumentError(
                f"model must be an nn.Sequential whose last child is the head, got {type(model).__name__}"
            )
        self.networks = _Networks(model[:-1], inputs)
        return self.networks

    def partners(self, x: Tensor, y: Tensor) -> Tensor:
        """Draw partners within the first half; samples of the second half are their own."""
        half = len(x) // 2
        return torch.cat([torch.randperm(half, generator=self.generator), torch.arange(half, len(x))])

    def pairs(self, x: Tensor, y: Tensor) -> PairSource:
        """Return the source of random pairs, and of as many samples that stay unseen."""
        return _HalfPairs(super().pairs(x, y))

    def losses(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the loss of the classifier plus that of the discriminator, 1 to 1, of the only run of the stack.

        The targets take `lam` as a constant; its gradient comes through the mixed inputs.

        Raises:
            ArgumentError: a batch of one sample, or `companion` was not called.
        """
        networks, count = self.networks, batch.lam.shape[1]
        half = count // 2
        if networks is None:
            raise ArgumentError("companion of adamixup must be called before its first step, for it makes the networks")
        if half == 0:
            raise ArgumentError(f"adamixup needs batches of at least 2 samples, got {count}")
        own, unseen = batch.inputs[:, :half], batch.inputs[:, half:]
        other = batch.partner_inputs[:, :half]
        lam = self._lam(networks, own[0], other[0])[None]
        inside = mixed(own, other, lam)
        features = network.part(0, -1)(torch.cat([inside, own, unseen], dim=1))

        targets, partner_targets = batch.targets[:, :half], batch.partner_targets[:, :half]
        seen = batch._replace(
            targets=torch.cat([targets, targets], dim=1),
            partner_targets=torch.cat([partner_targets, targets], dim=1),
            lam=torch.cat([lam.detach(), torch.ones_like(lam)], dim=1),
            weights=torch.ones(1, 2 * half, device=own.device),
            size=2 * half,
        )
        loss = self.reduced(network.part(-1, len(network.layers))(features[:, : 2 * half]), seen)
        # class 0 are the mixed samples, class 1 the real ones
        real = (torch.arange(half + count, device=own.device) >= half).long()
        reduction = "sum" if self.training.reduction == "sum" else "mean"
        intrusion = F.cross_entropy(networks.intrusion(features[0]), real, reduction=reduction)
        return loss + intrusion * batch.scale, None

    def _lam(self, networks: _Networks, own: Tensor, other: Tensor) -> Tensor:
        """Return `lam = a + u D`, shape `(B/2,)`, with (a, D, rest) the softmax of the generator and `u ~ U(0, 1)`."""
        masks = torch.empty(2, *own.shape)
        nn.init.trunc_normal_(masks, generator=self.generator)  # N(0, 1) within two deviations, one mask per image
        masks = masks.to(own.device)
        low, extent, _ = networks.region((masks[0] * own + masks[1] * other) / 2).float().unbind(dim=1)
        return low + torch.rand(len(own), generator=self.generator).to(own.device) * extent


class _Networks(nn.Module):
    """What is trained beside the classifier.

    Args:
        backbone: the classifier without its head; copied.
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
        """Return start, extent and rest of the interval of `lam`, which sum to 1, shape `(n, 3)`."""
        return self.policy(self.backbone(gate)).softmax(dim=1)  # type: ignore[no-any-return]


class _HalfPairs:
    def __init__(self, source: PairSource) -> None:
        self.source = source

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Return pairs in the first half, samples with themselves in the second, shape `(count,)` each."""
        first, second = self.source.sample(count)
        return first, torch.cat([second[: count // 2], first[count // 2 :]])
