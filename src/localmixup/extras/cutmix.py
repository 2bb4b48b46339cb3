"""CutMix along a plan: a box of the partner pasted into each image, with the plan's local weights.

CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features (Yun, Han, Oh, Chun, Choe, Yoo,
2019).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from localmixup._batch import MixedBatch, MixPlan
from localmixup._validate import ArgumentError


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
    device = images.device if generator is None else generator.device
    points = torch.rand(2, n, device=device, generator=generator).to(images.device)
    rows, columns = (
        span(size, plan.lam.to(images.device), at) for size, at in zip(images.shape[-2:], points, strict=True)
    )
    inputs, share = paste(images, plan.partner_of(images), rows, columns)
    return plan.batch_type(inputs, targets, plan.partner_of(targets), (1 - share).to(plan.lam), plan.weights)


def span(size: int, lam: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Where the box of each sample begins and ends along one side of the image, cut off at the borders.

    Args:
        size: pixels of that side.
        lam: share of the image that stays where the box lies wholly inside, shape `(n,)`.
        points: its middle as a share of the side, in [0, 1), shape `(n,)`.

    Returns:
        The first pixel, and the one behind the last, int64, shape `(n,)` each.

    >>> span(8, torch.tensor([0.75, 1.0]), torch.tensor([0.5, 0.5]))
    (tensor([2, 4]), tensor([6, 4]))
    """
    half = (size * (1 - lam.double()).sqrt()).long() // 2
    centre = (size * points).long().clamp_max(size - 1)  # a share just below 1 may be rounded up
    return (centre - half).clamp_min(0), (centre + half).clamp_max(size)


def paste(
    images: Tensor, others: Tensor, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Images with a box of others in each, and which share of the image the box takes.

    Args:
        images: shape `(n, ..., height, width)`.
        others: like `images`.
        rows: first row of each box and the one behind its last, shape `(n,)` each.
        columns: the same for the columns.

    Returns:
        The images, and the shares, shape `(n,)`, float64.
    """
    inside, share = [], torch.ones(len(images), dtype=torch.float64, device=images.device)
    for size, (first, last) in zip(images.shape[-2:], (rows, columns), strict=True):
        place = torch.arange(size, device=images.device)
        inside.append((place >= first[:, None]) & (place < last[:, None]))
        share = share * (last - first) / max(1, size)
    box = inside[0][:, :, None] & inside[1][:, None, :]
    return torch.where(box.view(len(images), *(1,) * (images.ndim - 3), *box.shape[1:]), others, images), share
