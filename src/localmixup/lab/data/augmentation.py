"""Batched augmentation of image tensors, drawn for each image by itself.

The published code crops and flips a stacked batch as one, so that all its images share one crop and one flip; that is
`"crop-flip-batch"`.
"""

from __future__ import annotations

import torch
from torch import Tensor

AUGMENTATIONS = {
    "none": "no augmentation",
    "crop": "random crop after padding by an eighth of the width, each image by itself",
    "crop-flip": "random crop as above and random horizontal flip, each image by itself",
    "crop-flip-batch": "the published code's defect: one random crop and one random flip for the whole batch",
}


def augment(images: Tensor, name: str, generator: torch.Generator) -> Tensor:
    """Augment a batch.

    Args:
        images: shape `(n, c, h, w)`.
        name: a key of `AUGMENTATIONS`.
        generator: source of the draws.

    Returns:
        New images of the same shape.
    """
    if name == "none":
        return images
    n, _, height, width = images.shape
    draws = 1 if name == "crop-flip-batch" else n
    pad = max(1, width // 8)
    padded = torch.nn.functional.pad(images, (pad, pad, pad, pad))
    down, right = (torch.randint(2 * pad + 1, (2, draws), generator=generator)).to(images.device)
    rows = down[:, None] + torch.arange(height, device=images.device)
    columns = right[:, None] + torch.arange(width, device=images.device)
    if name != "crop":
        flips = (torch.rand(draws, generator=generator) < 0.5).to(images.device)
        columns = torch.where(flips[:, None], columns.flip(1), columns)
    each = torch.arange(n, device=images.device)[:, None, None]
    return padded[each, :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
