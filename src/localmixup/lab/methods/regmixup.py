"""RegMixup: Mixup as a Regularizer Can Surprisingly Improve Accuracy and Out Distribution Robustness (Pinto, Yang,
Lim, Torr, Dokania, 2022).
"""  # noqa: D205

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from localmixup._validate import ArgumentError, check_number
from localmixup.lab.methods.base import Batch, mixed
from localmixup.lab.methods.mixup import Mixup
from localmixup.lab.runs.network import Network
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec


class RegMixup(Mixup):
    """The loss of the plain batch plus that of the mixed batch: `L = l(f(x), y) + eta l(f(x~), y~)`.

    Both are one pass of 2B rows, so batch normalisation sees them together, as in the authors' code. That code takes
    the mean over the 2B rows, which is this with `eta = 1` times 1/2: set `loss_scale` to 1/2 to follow it.

    Partners are of the batch, or random ones of the set. The options are `eta`, the weight of the mixed loss, and
    `mixup_alpha` of `lam ~ Beta(alpha, alpha)`. At 20, lam is near 1/2: the plain samples are in the loss already.
    """

    title = "regmixup"
    formula = """
        L = mean over pairs (i, j) of  l(f(x_i), y_i) + eta (lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j)),
            x~ = lam x_i + (1 - lam) x_j,  lam ~ Beta(mixup_alpha, mixup_alpha)
    """
    citation = (
        "Pinto, Yang, Lim, Torr, Dokania. RegMixup: Mixup as a Regularizer Can Surprisingly Improve Accuracy and Out "
        "Distribution Robustness. NeurIPS 2022. arXiv:2206.14502"
    )
    OPTIONS: ClassVar[dict[str, float | str]] = {"eta": 1.0, "mixup_alpha": 20.0}

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.eta = check_number("eta", self.options["eta"], low=0, meaning="0 is vanilla training")
        self.mixup_alpha = check_number(
            "mixup_alpha", self.options["mixup_alpha"], low=0, meaning="of Beta(alpha, alpha)"
        )
        if self.mixup_alpha == 0:
            raise ArgumentError("mixup_alpha must be > 0 (inf mixes every pair half and half), got 0")

    def losses(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the loss of the plain and of the mixed batch of every run."""
        inputs = mixed(batch.inputs, batch.partner_inputs, batch.lam)
        of_plain, of_mixed = network(torch.cat([batch.inputs, inputs], dim=1)).chunk(2, dim=1)
        plain = batch._replace(partner_targets=batch.targets)
        return self.reduced(of_plain, plain) + self.eta * self.reduced(of_mixed, batch), None
