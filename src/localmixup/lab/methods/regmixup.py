"""RegMixup: Mixup as a Regularizer Can Surprisingly Improve Accuracy and Out Distribution Robustness (Pinto, Yang,
Lim, Torr, Dokania, 2022).
"""  # noqa: D205

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from localmixup import CompleteGraph, LocalityGraph, LocalMixup, MixedBatch
from localmixup._validate import check_number
from localmixup.lab.methods.base import Batch, Method


class RegMixup(Method):
    """The plain loss plus that of the mixed batch: `L = l(f(x), y) + eta l(f(x~), y~)`.

    One pass over both, 2n rows, so batch normalisation sees them together, as in the authors' code. That code takes
    the mean over the 2n rows, which is this with `eta = 1` times 1/2: to follow it set `loss_scale` to 1/2.

    Partners are of the batch, or random ones of the set. The options are `eta`, the weight of the mixed loss, and
    `mixup_alpha`, of `lam ~ Beta(alpha, alpha)`: at 20 near 1/2, for the plain samples are in the loss anyway.
    """

    title = "regmixup"
    OPTIONS: ClassVar[dict[str, float | str]] = {"eta": 1.0, "mixup_alpha": 20.0}

    def graph(self) -> LocalityGraph:
        """Every pair."""
        return CompleteGraph()

    def mixer(self) -> LocalMixup:
        """Classical mixup with an alpha of its own."""
        self.eta = check_number("eta", self.options["eta"], low=0, meaning="0 is vanilla training")
        mixup_alpha = check_number("mixup_alpha", self.options["mixup_alpha"], low=0, meaning="of Beta(alpha, alpha)")
        return LocalMixup(
            self.graph(), mixup_alpha=mixup_alpha, reduction=self.training.reduction, generator=self.generator
        )

    def step(self, model: nn.Module, batch: Batch) -> tuple[Tensor, MixedBatch]:
        """The loss of the plain and of the mixed batch."""
        mixed = self.mixed(batch)
        plain = mixed._replace(partner_targets=batch.targets)
        of_plain, of_mixed = model(torch.cat([batch.inputs, mixed.inputs])).chunk(2)
        loss = plain.loss(self.criterion, of_plain) + self.eta * mixed.loss(self.criterion, of_mixed)
        return loss * self.spec.loss_scale, mixed
