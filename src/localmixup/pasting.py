"""CutMix along a plan: a box of the partner pasted into each image, with the plan's local weights.

CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features (Yun, Han, Oh, Chun, Choe, Yoo,
2019).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from localmixup._checks import ArgumentError
from localmixup.batch import MixedBatch, MixPlan


def cutmix(plan: MixPlan, images: Tensor, targets: Any, generator: torch.Generator | None = None) -> MixedBatch:
    """Paste a box of each image's partner into it; the plan says who that is, how much of it, and what it counts.

    The box of a sample has sides `floor(sqrt(1 - lam))` of the image's, around a uniform point of its own, and is cut
    off at the borders, as in the paper's code (which draws one point a batch; the law of each sample is the same).
    `lam` of the result is the share of the image that really stays.

    Targets belong to the image as a whole: a mask of pixels would have to be pasted like the image, not mixed.

    Args:
        plan: from `LocalMixup.plan(features, targets)`, whose features need not be the pixels.
        images: shape `(n, ..., height, width)`, any dtype.
        targets: of any kind, first dimension n, or a tuple or dict of such.
        generator: source of the points; default: the global one of the device.

    Returns:
        The pasted batch, in the dtype of the images, with the weights of the plan.

    Raises:
        ValueError: no images, or another batch size than the plan's.

    >>> plan = MixPlan(torch.tensor([1, 0]), torch.tensor([0.75, 1.0]), torch.tensor([0.5, 1.0]))
    >>> images = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])
    >>> batch = cutmix(plan, images, torch.tensor([0, 1]), torch.Generator().manual_seed(1))
    >>> batch.lam, batch.inputs.mean(dim=(1, 2, 3))
    (tensor([0.7500, 1.0000]), tensor([0.2500, 1.0000]))
    """
    n = plan.partner.shape[0]
    if images.ndim < 3 or images.shape[0] != n:
        raise ArgumentError(f"images must have shape ({n}, ..., height, width), got {tuple(images.shape)}")
    height, width = images.shape[-2:]
    device = images.device if generator is None else generator.device
    points = torch.rand(2, n, device=device, generator=generator).to(images.device)
    sides = (1 - plan.lam.double().to(images.device)).sqrt()
    rows = _span(height, sides, points[0])
    columns = _span(width, sides, points[1])
    pasted = rows[:, :, None] & columns[:, None, :]
    inputs = torch.where(
        pasted.view(n, *(1,) * (images.ndim - 3), height, width), images.index_select(0, plan.partner), images
    )
    share = 1 - pasted.flatten(1).sum(dim=1) / max(1, height * width)
    return plan.batch_type(inputs, targets, plan.partner_of(targets), share.to(plan.lam), plan.weights)


def _span(size: int, sides: Tensor, points: Tensor) -> Tensor:
    """Which of `size` places lie in the span of each sample around its point, shape `(n, size)`."""
    half = (size * sides).long() // 2
    centre = (size * points).long()
    place = torch.arange(size, device=points.device)
    return (place >= (centre - half)[:, None]) & (place < (centre + half)[:, None])
