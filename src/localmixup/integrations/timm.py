"""`TimmLocalMixup`, called like timm's `Mixup`: `x, target = mixup_fn(x, target)`. timm is not imported.

As in timm it includes CutMix (Yun et al., 2019, arXiv:1905.04899), so that timm's recipes can keep both. The box is
pasted from the partner, and the pair counts what the graph says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from localmixup._batch import MixedBatch, MixPlan
from localmixup._interpolate import check_mixable, interpolate
from localmixup._mixup import LocalMixup
from localmixup._partners import draw_lam
from localmixup._validate import ArgumentError, check_choice, check_flag, check_integer, check_number
from localmixup.extras.cutmix import paste, span
from localmixup.graphs import LocalityGraph
from localmixup.integrations._counts import PairCounts
from localmixup.integrations._recipe import own_recipe, refuse_settings
from localmixup.integrations._targets import (
    check_carries_weights,
    expect_soft_targets,
    floating_labels,
    needs_weights,
    weighted_targets,
)

MODES = ("batch", "pair", "elem")


class TimmLocalMixup:
    """Local Mixup with the arguments of timm's `Mixup`. As there, sample i is mixed with sample n - 1 - i.

    The returned target is soft and smoothed, and row i is multiplied by `n w_i / sum(w)`. With an unchanged
    `SoftTargetCrossEntropy` or `F.cross_entropy` this is exactly the weighted mean of eq. (3). Binary cross-entropy
    (`--bce-loss`) cannot use weights in this form; `check_loss` detects that. Unlike timm's `Mixup`, it does not write
    into its arguments, accepts odd batch sizes, and draws from PyTorch instead of NumPy.

    Args:
        graph: how much a pair counts, from `localmixup.graphs`. Without it the recipe is `LocalMixup()`.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`; 0 disables mixup.
        cutmix_alpha: the same for CutMix; 0 disables CutMix.
        cutmix_minmax: smallest and largest side of the box as shares of the image's sides, instead of `cutmix_alpha`.
        prob: probability that a batch, pair or element (see `mode`) is mixed at all.
        switch_prob: probability of CutMix if both are enabled.
        mode: what shares one draw: the whole `"batch"`, a `"pair"` (samples i and n - 1 - i), or one `"elem"`.
        correct_lam: compute `lam` from the area of the box inside the image.
        label_smoothing: share of the target that is spread over all classes, in [0, 1].
        num_classes: number of classes.
        multi_label: targets hold several labels per sample, shape `(n, num_classes)`, each smoothed towards 1/2. Their
            loss is binary cross-entropy, so all weights must be 1: `outside="unmix"` or the recipe `LocalMixup()`.
        outside: `"discard"`, a pair counts its weight; `"unmix"`, a sample stays unmixed with probability 1 - W, and
            all samples have weight 1, so that any loss works.
        recipe: a whole recipe instead of `graph`, `mixup_alpha`, `prob`, `mode` and `outside`: a `LocalMixup`, its
            configuration, or the path of `local_mixup.json`, which the commands write. Partners are then drawn as the
            recipe says, and CutMix, if enabled, pastes from them. A `LocalMixup` is copied, in `.eval()` mode too, in
            which nothing is mixed: later changes of it are not followed.
        generator: source of all draws; default: that of the recipe, or PyTorch's.

    Attributes:
        mixup_enabled: set it to False, as timm's training loop does, to pass batches on unmixed, with smoothed one-hot
            targets.

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
        graph: LocalityGraph | None = None,
        mixup_alpha: float = 1.0,
        cutmix_alpha: float = 0.0,
        cutmix_minmax: Sequence[float] | None = None,
        prob: float = 1.0,
        switch_prob: float = 0.5,
        mode: str = "batch",
        correct_lam: bool = True,
        label_smoothing: float = 0.1,
        num_classes: int = 1000,
        multi_label: bool = False,
        *,
        outside: str = "discard",
        recipe: Any = None,
        generator: torch.Generator | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "graph": graph,
            "mixup_alpha": mixup_alpha,
            "prob": prob,
            "mode": mode,
            "outside": outside,
        }
        if graph is None and recipe is None:
            recipe, wanted = LocalMixup(), "without graph, for which LocalMixup() decides all of this"
        else:
            wanted = "beside recipe, which holds all settings"
        if recipe is None:
            self._mixer = LocalMixup(graph, pairing="flip", outside=outside, generator=generator)
        else:
            refuse_settings(given, TimmLocalMixup, wanted)
            self._mixer = own_recipe(recipe, generator)
        self._has_recipe = recipe is not None
        self.mixup_alpha = check_number("mixup_alpha", mixup_alpha, low=0, meaning="0 disables mixup")
        self.cutmix_alpha = check_number("cutmix_alpha", cutmix_alpha, low=0, meaning="0 disables CutMix")
        self.cutmix_minmax = None if cutmix_minmax is None else _checked_shares(cutmix_minmax)
        if self.cutmix_minmax is not None:
            self.cutmix_alpha = 1.0
        if not (self._has_recipe or self.mixup_alpha or self.cutmix_alpha):
            raise ArgumentError("one of mixup_alpha, cutmix_alpha, cutmix_minmax must be on, got 0, 0 and None")
        self.mix_prob = check_number("prob", prob, low=0, high=1)
        self.switch_prob = check_number("switch_prob", switch_prob, low=0, high=1)
        self.mode = check_choice("mode", mode, MODES)
        if self._has_recipe:
            self.mode = "elem" if self._mixer.per_sample else "batch"
        self.correct_lam = check_flag("correct_lam", correct_lam)
        self.label_smoothing = check_number("label_smoothing", label_smoothing, low=0, high=1)
        self.num_classes = check_integer("num_classes", num_classes, low=1)
        self.multi_label = check_flag("multi_label", multi_label)
        if self.multi_label and needs_weights(self._mixer):
            raise ArgumentError(
                "multi_label=True needs outside='unmix' or a recipe with pairing='neighbors', such as LocalMixup(): "
                "binary cross-entropy cannot use weights inside the targets"
            )
        self.mixup_enabled = True
        self._counts = PairCounts()

    def __call__(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mix a batch. The arguments are not changed.

        Args:
            x: inputs, floating point, shape `(n, ...)`; with CutMix `(n, ..., h, w)`.
            target: class indices, shape `(n,)`, or one-hot or soft labels, shape `(n, num_classes)`.

        Returns:
            The mixed inputs, and the weighted soft targets, shape `(n, num_classes)`.

        Raises:
            ValueError: the inputs cannot be mixed, or the targets are not n classes.
        """
        batch = self.mix(x, target)
        spread = 0.5 if self.multi_label else None
        smoothing = self.label_smoothing
        return batch.inputs, weighted_targets(batch, self.num_classes, label_smoothing=smoothing, smooth_to=spread)

    def mix(self, x: Tensor, target: Tensor) -> MixedBatch:
        """Mix a batch into a `MixedBatch`, whose `loss` works with any criterion, including binary cross-entropy.

        Args:
            x: inputs, as for a call.
            target: as for a call.
        """
        target = self._checked_target(x, target)
        if not self.mixup_enabled or not len(x):
            ones = torch.ones(len(x), device=x.device, dtype=_draw_dtype(x))
            self._counts.add_plan(MixPlan(torch.arange(len(x), device=x.device), ones, ones))
            return MixedBatch(x, target, target, ones, ones)
        with torch.no_grad():
            plan, cuts = self._plan(x, target)
            self._counts.add_plan(plan)
            if not self.cutmix_alpha:
                return plan.apply(x, target)
            rows, columns = ((first, torch.where(cuts, last, first)) for first, last in self._draw_boxes(plan.lam, x))
        mixed = interpolate(x, plan.partner, torch.where(cuts, 1.0, plan.lam))
        mixed, area = paste(mixed, x.index_select(0, plan.partner), rows, columns)
        lam = plan.lam
        if self.correct_lam or self.cutmix_minmax is not None:
            lam = torch.where(cuts, 1 - area.to(lam.dtype), lam)
        return MixedBatch(mixed, target, plan.partner_of(target), lam, plan.weights)

    def _plan(self, x: Tensor, target: Tensor) -> tuple[MixPlan, Tensor]:
        """Return who is mixed with whom, and which samples are pasted instead of mixed, shape `(n,)`."""
        itself = torch.arange(len(x), device=x.device)
        if self._has_recipe:
            plan = self._mixer.plan(x, target)
            if not self.cutmix_alpha:
                return plan, torch.zeros_like(itself, dtype=torch.bool)
            cuts = (self._uniform(x) < self.switch_prob) & (plan.partner != itself)
            return plan._replace(lam=torch.where(cuts, self._beta(self.cutmix_alpha, x), plan.lam)), cuts
        partner, _, weights = self._mixer.plan(x)
        lam, mixes, cuts = self._draw_lam(x)
        moves = mixes & (partner != itself)
        lam, weights = torch.where(moves, lam, 1.0), torch.where(moves, weights, 1.0)
        return MixPlan(torch.where(moves, partner, itself), lam, weights), cuts & moves

    def counted(self) -> dict[str, float]:
        """Return how much the pairs counted since the last call, for the log of an epoch.

        Returns:
            `mean_weight`, the mean weight of the samples, and `mixed_share`, the share of the counted ones that were
            mixed. A mean weight near 0 means that the graph keeps hardly any pair.

        Raises:
            ValueError: it was never called since.
        """
        return self._counts.take(": the loop never called mixup_fn, as timm's does not with its prefetcher")

    def check_loss(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Check by trial that a loss respects the weights, and make a loss module refuse batches that were not mixed.

        With `outside="unmix"` or `pairing="neighbors"` all weights are 1, and any loss passes. A loss module gets a
        hook that refuses class indices, which timm's loop passes to it if `mixup_fn` is never called. Without gradients
        (`torch.no_grad()`, as in validation) the hook lets them pass.

        Args:
            loss: called with scores and soft targets, shape `(n, num_classes)` each; returns a scalar.

        Raises:
            ValueError: it does not, for example because it is binary cross-entropy.
        """
        expect_soft_targets(loss)
        if needs_weights(self._mixer):
            check_carries_weights(loss, self.num_classes, "use label_smoothing of TimmLocalMixup")

    def _uniform(self, x: Tensor) -> Tensor:
        """Draw one number in [0, 1) for each sample, shared within a batch or pair as `mode` says, shape `(n,)`."""
        generator, device = self._mixer._random(x.device)
        drawn = torch.rand(self._draws_per_batch(len(x)), dtype=_draw_dtype(x), device=device, generator=generator)
        return self._share(drawn.to(x.device), len(x))

    def _draws_per_batch(self, n: int) -> int:
        return {"batch": 1, "pair": (n + 1) // 2, "elem": n}[self.mode]

    def _share(self, drawn: Tensor, n: int) -> Tensor:
        """Give each sample the draw of its batch, its pair or itself, shape `(n,)`."""
        if self.mode == "batch":
            return drawn.expand(n)
        if self.mode == "elem":
            return drawn
        i = torch.arange(n, device=drawn.device)
        return drawn[torch.minimum(i, n - 1 - i)]

    def _draw_lam(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Draw `lam`, whether a sample is mixed at all, and whether by CutMix, shape `(n,)` each."""
        mixes = self._uniform(x) < self.mix_prob
        if self.mixup_alpha and self.cutmix_alpha:
            cuts = self._uniform(x) < self.switch_prob
            return torch.where(cuts, self._beta(self.cutmix_alpha, x), self._beta(self.mixup_alpha, x)), mixes, cuts
        lam = self._beta(self.cutmix_alpha or self.mixup_alpha, x)
        return lam, mixes, torch.full_like(mixes, bool(self.cutmix_alpha))

    def _beta(self, alpha: float, x: Tensor) -> Tensor:
        """Draw `lam`, shared as `mode` says, shape `(n,)`."""
        generator, device = self._mixer._random(x.device)
        count = self._draws_per_batch(len(x))
        lam = draw_lam(count, alpha, dtype=_draw_dtype(x), device=device, generator=generator)
        return self._share(lam.to(x.device), len(x))

    def _draw_boxes(self, lam: Tensor, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Draw where the box of each image begins and ends along its rows and along its columns."""
        if x.ndim < 3:
            raise ArgumentError(f"x must have shape (n, ..., h, w) for CutMix, got {tuple(x.shape)}")
        ends = []
        for size in x.shape[-2:]:
            position = self._uniform(x)
            if self.cutmix_minmax is None:
                ends.append(span(size, lam, position))
            else:
                smallest, largest = (int(size * share) for share in self.cutmix_minmax)
                side = smallest + (self._uniform(x) * (largest - smallest)).long()
                first = (position * (size - side + 1)).long()
                ends.append((first, first + side))
        return ends

    def _checked_target(self, x: Tensor, target: Tensor) -> Tensor:
        """Return class indices as int64, or labels of shape `(n, c)` as floats, on the device of the inputs."""
        for name, value in (("x", x), ("target", target)):
            if not isinstance(value, Tensor):
                raise ArgumentError(f"{name} must be a tensor, got {type(value).__name__}")
        check_mixable(x)
        n = len(x) if x.ndim else 1
        if x.ndim and target.shape == (n, self.num_classes):
            return floating_labels(target, "target", _draw_dtype(x)).to(x.device)
        if self.multi_label or target.shape != (n,) or target.is_floating_point() or x.ndim == 0:
            indices = "" if self.multi_label else f"{n} class indices, one per sample, or "
            raise ArgumentError(
                f"target must hold {indices}labels of shape ({n}, {self.num_classes}), "
                f"got {target.dtype} of shape {tuple(target.shape)}"
            )
        return target.to(x.device).long()


def _checked_shares(shares: Any) -> tuple[float, float]:
    if isinstance(shares, Sequence) and len(shares) == 2 and 0 <= shares[0] <= shares[1] <= 1:
        return float(shares[0]), float(shares[1])
    raise ArgumentError(f"cutmix_minmax must be two shares, 0 <= smallest <= largest <= 1, got {shares!r}")


def _draw_dtype(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32
