"""CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features (Yun, Han, Oh, Chun, Choe,
Yoo, 2019).
"""  # noqa: D205

from __future__ import annotations

import math

import torch

from localmixup import CompleteGraph, LocalityGraph, MixedBatch
from localmixup._validate import ArgumentError
from localmixup.lab.methods.base import Batch, Method


class CutMix(Method):
    """A box of the partner pasted into each image, one box a batch; targets mixed by the area that is left.

    `lam ~ Beta(mixup_alpha, mixup_alpha)`; the box has sides `sqrt(1 - lam)` of the image's, rounded down to pixels,
    around a uniform point, cut off at the borders; `lam` is then the share that really stays. Partners are of the
    batch, or random ones of the set. Images only.
    """

    title = "cutmix"

    def graph(self) -> LocalityGraph:
        """Every pair."""
        return CompleteGraph()

    def mixed(self, batch: Batch) -> MixedBatch:
        """The pasted batch.

        Raises:
            ValueError: the inputs are no images.
        """
        if batch.inputs.ndim != 4:
            allowed = "cutmix needs images of shape (n, channels, height, width)"
            raise ArgumentError(f"{allowed}, got inputs of shape {tuple(batch.inputs.shape)}")
        if batch.partner_inputs is None:
            plan = self.mix.plan(batch.inputs, batch.targets)
            drawn, other = plan.apply(batch.inputs, batch.targets), batch.inputs[plan.partner]
        else:
            drawn, other = super().mixed(batch), batch.partner_inputs
        height, width = batch.inputs.shape[2:]
        rows, columns = self._box(float(drawn.lam[0]), height, width)
        pasted = torch.zeros(height, width, dtype=torch.bool)
        pasted[rows, columns] = True
        share = 1 - float(pasted.double().mean())
        inputs = torch.where(pasted.to(other.device), other, batch.inputs)
        return drawn._replace(inputs=inputs, lam=torch.full_like(drawn.lam, share))

    def _box(self, lam: float, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of a box that takes `1 - lam` of an image, where it does not leave it."""
        spans = []
        for size in (height, width):
            side = math.floor(size * math.sqrt(1 - lam))
            centre = int(torch.randint(size, (), generator=self.generator))
            spans.append(slice(max(0, centre - side // 2), min(size, centre + side // 2)))
        return spans[0], spans[1]
