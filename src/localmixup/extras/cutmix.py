"""CutMix with the partners and the local weights of a plan.

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
    """Paste a box of each image's partner into it. The plan says who that is, how much of it, and what it counts.

    The box of a sample has sides `floor(sqrt(1 - lam) * side)`, is centred at a uniform point of its own, and is cut
    off at the borders, as in the paper's code (which draws one point for the batch; each sample has the same
    distribution). `lam` of the result is the share of the image that really stays.

    Targets belong to the image as a whole: a mask of pixels would have to be pasted like the image, not mixed.

    Args:
        plan: from `LocalMixup.plan(features, targets)`, whose features need not be the pixels.
        images: shape `(n, ..., height, width)`, any dtype and memory format.
        targets: of any kind, first dimension n, or a tuple or dict of such.
        generator: source of the points; default: the global one of the device.

    Returns:
        The pasted batch, in the dtype and memory format of the images, with the weights of the plan.

    Raises:
        ValueError: not images, or another batch size than that of the plan.

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
    batch = plan._batch(inputs, targets, plan.partner_of(targets))
    return batch._replace(lam=(1 - share).to(plan.lam))


def span(size: int, lam: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the box of each sample begins and ends along one side of the image, cut off at the borders.

    Args:
        size: pixels of that side.
        lam: share of the image that stays if the box lies fully inside, shape `(n,)`.
        points: centre of the box as a share of the side, in [0, 1), shape `(n,)`.

    Returns:
        The first pixel, and the one after the last, int64, shape `(n,)` each.

    >>> span(8, torch.tensor([0.75, 1.0]), torch.tensor([0.5, 0.5]))
    (tensor([2, 4]), tensor([6, 4]))
    """
    side = (size * (1 - lam.double()).sqrt()).long()
    centre = (size * points).long().clamp_max(size - 1)  # a share just below 1 may be rounded up
    first = centre - side // 2
    return first.clamp_min(0), (first + side).clamp_max(size)


def paste(
    images: Tensor, others: Tensor, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Return images with a box of others in each, and the share of the image that the box covers.

    Args:
        images: shape `(n, ..., height, width)`.
        others: like `images`.
        rows: first row of each box and the one after its last, shape `(n,)` each.
        columns: the same for the columns.

    Returns:
        The images, in the memory format of `images`, and the shares, shape `(n,)`, float64.
    """
    inside, share = [], torch.ones(len(images), dtype=torch.float64, device=images.device)
    for size, (first, last) in zip(images.shape[-2:], (rows, columns), strict=True):
        place = torch.arange(size, device=images.device)
        inside.append((place >= first[:, None]) & (place < last[:, None]))
        share = share * (last - first) / max(1, size)
    box = inside[0][:, :, None] & inside[1][:, None, :]
    box = box.view(len(images), *(1,) * (images.ndim - 3), *box.shape[1:])
    pasted = torch.where(box, others, images)
    if pasted.stride() != images.stride() and not images.requires_grad:
        pasted = torch.empty_like(images).copy_(pasted)
    return pasted, share
