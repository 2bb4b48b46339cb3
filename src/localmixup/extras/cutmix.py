"""CutMix with the partners and the local weights of a plan.

CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features (Yun, Han, Oh, Chun, Choe, Yoo,
2019).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from localmixup._batch import MixedBatch, MixPlan
from localmixup._interpolate import map_tensors, tensors_in
from localmixup._validate import ArgumentError


def cutmix(plan: MixPlan, images: Any, targets: Any, generator: torch.Generator | None = None) -> MixedBatch:
    """Paste a box of each image's partner into it. The plan says who that is, how much of it, and what it counts.

    The box of a sample has sides `floor(sqrt(1 - lam) * side)`, is centred at a uniform point of its own, and is cut
    off at the borders, as in the paper's code (which draws one point for the batch; each sample has the same
    distribution). `lam` of the result is the share of the image that really stays: 1 if the box is empty, as often
    in small images.

    Targets belong to the image as a whole. Masks of pixels are pasted like the image: see `cutmix_masks`.

    Args:
        plan: from `LocalMixup.plan(features, targets)`, whose features need not be the pixels.
        images: shape `(n, ..., height, width)`, any dtype and memory format; or a tuple or dict of such, all of the
            same height and width, which get the same boxes.
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
    plan._check_rows(targets, "targets")
    inputs, share = _pasted(plan, images, generator)
    batch = plan._batch(inputs, targets, plan.partner_of(targets))
    return batch._replace(lam=(1 - share).to(plan.lam))


def cutmix_masks(plan: MixPlan, images: Tensor, masks: Tensor, generator: torch.Generator | None = None) -> MixedBatch:
    """Paste a box of each image's partner into it, and the same box of its mask: CutMix for segmentation.

    Each pixel keeps exactly one label, so both targets of the batch are the pasted mask and `lam` is 1. The weights are
    those of the plan: a pair that the graph considers far counts little, wherever its box lies.

    Args:
        plan: from `LocalMixup.plan(features, targets)`.
        images: shape `(n, ..., height, width)`, any dtype.
        masks: labels of the pixels, shape `(n, height, width)` or `(n, ..., height, width)`, any dtype.
        generator: source of the points; default: the global one of the device.

    Raises:
        ValueError: not images, another batch size than that of the plan, or masks of another height or width.

    >>> plan = MixPlan(torch.tensor([1, 0]), torch.tensor([0.75, 0.75]), torch.tensor([0.5, 1.0]))
    >>> images = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])
    >>> batch = cutmix_masks(plan, images, images[:, 0].long(), torch.Generator().manual_seed(1))
    >>> bool((batch.inputs[:, 0] == batch.targets).all())
    True
    """
    (pasted, pasted_masks), share = _pasted(plan, (images, masks), generator)
    batch = plan._batch(pasted, pasted_masks, pasted_masks)
    return batch._replace(lam=torch.ones_like(share).to(plan.lam))


def _pasted(plan: MixPlan, images: Any, generator: torch.Generator | None) -> tuple[Any, Tensor]:
    """Return images with the boxes of their partners, and the shares that the boxes cover, shape `(n,)`."""
    n = plan.partner.shape[0]
    leaves = tensors_in(images, "images")
    for leaf in leaves:
        if leaf.ndim < 3 or leaf.shape[0] != n:
            raise ArgumentError(f"images must have shape ({n}, ..., height, width), got {tuple(leaf.shape)}")
        if leaf.shape[-2:] != leaves[0].shape[-2:]:
            raise ArgumentError(
                "images and masks must have the same height and width, got "
                f"{tuple(leaves[0].shape[-2:])} and {tuple(leaf.shape[-2:])}"
            )
    home = leaves[0].device
    points = torch.rand(2, n, device=home if generator is None else generator.device, generator=generator).to(home)
    rows, columns = (span(size, plan.lam.to(home), at) for size, at in zip(leaves[0].shape[-2:], points, strict=True))
    done = [paste(leaf, plan.partner_of(leaf), rows, columns) for leaf in leaves]
    pasted = iter([inputs for inputs, _ in done])
    return map_tensors(lambda _: next(pasted), images, "images"), done[0][1]


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
    if pasted.stride() != images.stride():
        pasted = torch.empty_like(images).copy_(pasted)
    return pasted, share
