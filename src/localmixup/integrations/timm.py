"""`TimmLocalMixup`, called as timm's `Mixup` is: `x, target = mixup_fn(x, target)`. timm is not imported.

CutMix (Yun et al., 2019, arXiv:1905.04899) is timm's too, so that its recipes keep both: the box is taken from the
partner, and the pair counts what the graph says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from localmixup._batch import MixedBatch, MixPlan
from localmixup._interpolate import check_mixable, interpolate
from localmixup._mixup import LocalMixup
from localmixup._partners import draw_lam, flip
from localmixup._validate import ArgumentError, check_choice, check_integer, check_number
from localmixup.extras.cutmix import paste, span
from localmixup.graphs.base import LocalityGraph
from localmixup.integrations._targets import check_carries_weights, weighted_targets

MODES = ("batch", "pair", "elem")


class TimmLocalMixup:
    """Local Mixup with the arguments of timm's `Mixup`; as there, sample i meets sample n - 1 - i.

    The target that comes out is soft, smoothed, and each row is then multiplied by `n w_i / sum(w)`: through an
    unchanged `SoftTargetCrossEntropy` or `F.cross_entropy` that is exactly the weighted mean of eq. (3). Binary
    cross-entropy (`--bce-loss`) cannot carry the weights so; `check_loss` tells. Other than timm's, it leaves the
    caller's batch as it is, takes odd batches, and draws from PyTorch rather than NumPy.

    Args:
        graph: how much a pair counts, from `localmixup.graphs`.
        mixup_alpha: of `Beta(mixup_alpha, mixup_alpha)`; 0 switches mixup off.
        cutmix_alpha: the same for CutMix; 0 switches it off.
        cutmix_minmax: least and largest side of the box as shares of the image's, instead of `cutmix_alpha`.
        prob: probability that a batch, pair or element (as `mode` says) is mixed at all.
        switch_prob: probability of CutMix where both are on.
        mode: what is drawn once: `"batch"`, `"pair"` (i and n - 1 - i together), or `"elem"`.
        correct_lam: take `lam` from the area of the box inside the image.
        label_smoothing: share of the target that is spread over all classes, in [0, 1].
        num_classes: number of classes.
        outside: `"discard"`, a pair counts its weight; `"unmix"`, with probability 1 - W the sample stays as it is,
            and all count 1, so that any loss serves.
        generator: source of all draws.

    Attributes:
        mixup_enabled: False lets batches pass unmixed, with smoothed one-hot targets; set by the training loop.

    Raises:
        ValueError: an argument is out of range.

    >>> from localmixup import ThresholdGraph
    >>> mixup_fn = TimmLocalMixup(ThresholdGraph(radius=2.0), label_smoothing=0.0, num_classes=2)
    >>> x, target = mixup_fn(torch.tensor([[0.0], [5.0], [6.0], [9.0]]), torch.tensor([0, 1, 1, 0]))
    >>> target
    tensor([[0., 0.],
            [0., 2.],
            [0., 2.],
            [0., 0.]])
    """

    def __init__(
        self,
        graph: LocalityGraph,
        mixup_alpha: float = 1.0,
        cutmix_alpha: float = 0.0,
        cutmix_minmax: Sequence[float] | None = None,
        prob: float = 1.0,
        switch_prob: float = 0.5,
        mode: str = "batch",
        correct_lam: bool = True,
        label_smoothing: float = 0.1,
        num_classes: int = 1000,
        *,
        outside: str = "discard",
        generator: torch.Generator | None = None,
    ) -> None:
        self._mixer = LocalMixup(graph, pairing="flip", outside=outside, generator=generator)
        self.graph, self.outside = graph, outside
        self.mixup_alpha = check_number("mixup_alpha", mixup_alpha, low=0, meaning="0 switches mixup off")
        self.cutmix_alpha = check_number("cutmix_alpha", cutmix_alpha, low=0, meaning="0 switches CutMix off")
        if cutmix_minmax is not None and not isinstance(cutmix_minmax, Sequence):
            raise ArgumentError(f"cutmix_minmax must be two shares, 0 <= least <= largest <= 1, got {cutmix_minmax!r}")
        self.cutmix_minmax = None if cutmix_minmax is None else tuple(cutmix_minmax)
        if self.cutmix_minmax is not None:
            if len(self.cutmix_minmax) != 2 or not 0 <= self.cutmix_minmax[0] <= self.cutmix_minmax[1] <= 1:
                raise ArgumentError(
                    f"cutmix_minmax must be two shares, 0 <= least <= largest <= 1, got {cutmix_minmax}"
                )
            self.cutmix_alpha = 1.0
        if not self.mixup_alpha and not self.cutmix_alpha:
            raise ArgumentError("one of mixup_alpha, cutmix_alpha, cutmix_minmax must be on, got 0, 0 and None")
        self.mix_prob = check_number("prob", prob, low=0, high=1)
        self.switch_prob = check_number("switch_prob", switch_prob, low=0, high=1)
        self.mode = check_choice("mode", mode, MODES)
        self.correct_lam = bool(correct_lam)
        self.label_smoothing = check_number("label_smoothing", label_smoothing, low=0, high=1)
        self.num_classes = check_integer("num_classes", num_classes, low=1)
        self.mixup_enabled = True

    def __call__(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mix a batch; nothing of the caller's is changed.

        Args:
            x: inputs, shape `(n, ...)`, with CutMix `(n, ..., h, w)`; floating point.
            target: class indices, shape `(n,)`.

        Returns:
            The mixed inputs, and the weighted soft targets, shape `(n, num_classes)`.

        Raises:
            ValueError: inputs that cannot be mixed, or targets that are not n class indices.
        """
        batch = self.mix(x, target)
        return batch.inputs, weighted_targets(batch, self.num_classes, label_smoothing=self.label_smoothing)

    def mix(self, x: Tensor, target: Tensor) -> MixedBatch:
        """The same as a `MixedBatch`, whose `loss` weighs any criterion, binary cross-entropy too.

        Args:
            x: as above.
            target: as above.
        """
        for name, value in (("x", x), ("target", target)):
            if not isinstance(value, Tensor):
                raise ArgumentError(f"{name} must be a tensor, got {type(value).__name__}")
        check_mixable(x)
        if target.ndim != 1 or target.is_floating_point() or x.ndim == 0 or len(target) != len(x):
            raise ArgumentError(
                f"target must hold {len(x) if x.ndim else 1} class indices, one a sample, "
                f"got {target.dtype} of shape {tuple(target.shape)}"
            )
        n, target = len(x), target.to(x.device).long()
        if not self.mixup_enabled or not n:
            ones = torch.ones(n, device=x.device, dtype=_wide(x))
            return MixedBatch(x, target, target, ones, ones)
        with torch.no_grad():
            partner, weights = self._pairs(x)
            lam, mixes, cuts = self._draw_lam(n, x)
            if self.outside == "unmix":
                mixes, weights = mixes & (self._uniform(n, x) < weights), torch.ones_like(weights)
            itself = torch.arange(n, device=x.device)
            partner, weights = torch.where(mixes, partner, itself), torch.where(mixes, weights, 1.0)
            lam = torch.where(mixes, lam, 1.0)
            if not self.cutmix_alpha:
                return MixPlan(partner, lam, weights).apply(x, target)
            ends = self._draw_boxes(lam, x)
            rows, columns = ((first, torch.where(cuts, last, first)) for first, last in ends)
        mixed = interpolate(x, partner, torch.where(cuts, 1.0, lam))
        mixed, area = paste(mixed, x.index_select(0, partner), rows, columns)
        if self.correct_lam or self.cutmix_minmax is not None:
            lam = torch.where(cuts & mixes, 1 - area.to(lam.dtype), lam)
        return MixedBatch(mixed, target, target.index_select(0, partner), lam, weights)

    def check_loss(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        """See by trial that a loss trains with the weights; with `outside="unmix"` there are none, and any loss does.

        Args:
            loss: called with scores and soft targets, shape `(n, num_classes)` each; returns a scalar.

        Raises:
            ValueError: it does not, as binary cross-entropy.
        """
        if self.outside != "unmix":
            check_carries_weights(loss, self.num_classes)

    def _pairs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        partner = flip(len(x), device=x.device)
        return partner, self.graph.pair_weights(x.detach(), partner)

    def _uniform(self, count: int, x: Tensor) -> Tensor:
        generator, device = self._mixer._random(x.device)
        return torch.rand(count, dtype=_wide(x), device=device, generator=generator).to(x.device)

    def _spread(self, drawn: Tensor, n: int) -> Tensor:
        """What was drawn for the batch, its pairs or its elements, for each sample: the last dimension becomes n."""
        if self.mode == "batch":
            return drawn.expand(*drawn.shape[:-1], n)
        if self.mode == "elem":
            return drawn
        i = torch.arange(n, device=drawn.device)
        return drawn[..., torch.minimum(i, n - 1 - i)]

    def _count(self, n: int) -> int:
        return {"batch": 1, "pair": (n + 1) // 2, "elem": n}[self.mode]

    def _draw_lam(self, n: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`lam` of each sample, whether it is mixed at all, and whether by CutMix; shape `(n,)` each."""
        count = self._count(n)
        generator, device = self._mixer._random(x.device)

        def beta(alpha: float) -> Tensor:
            return draw_lam(count, alpha, dtype=_wide(x), device=device, generator=generator).to(x.device)

        mixes = self._uniform(count, x) < self.mix_prob
        if self.mixup_alpha and self.cutmix_alpha:
            cuts = self._uniform(count, x) < self.switch_prob
            lam = torch.where(cuts, beta(self.cutmix_alpha), beta(self.mixup_alpha))
        else:
            cuts = torch.full_like(mixes, bool(self.cutmix_alpha))
            lam = beta(self.cutmix_alpha or self.mixup_alpha)
        return self._spread(lam, n), self._spread(mixes, n), self._spread(cuts, n)

    def _draw_boxes(self, lam: Tensor, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Where the box of each image begins and ends along its rows and along its columns."""
        if x.ndim < 3:
            raise ArgumentError(f"x must have shape (n, ..., h, w) for CutMix, got {tuple(x.shape)}")
        n, ends = len(x), []
        for size in x.shape[-2:]:
            at = self._spread(self._uniform(self._count(n), x), n)
            if self.cutmix_minmax is None:
                ends.append(span(size, lam, at))
            else:
                least, largest = (int(size * share) for share in self.cutmix_minmax)
                sides = self._spread(self._uniform(self._count(n), x), n)
                side = least + (sides * (largest - least)).long()
                first = (at * (size - side)).long()
                ends.append((first, first + side))
        return ends


def _wide(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32
