"""Augment a batch of images, with a draw for each image.

The published code stacks a batch and crops and flips it as one image, so that all images share one crop and one flip;
`"crop-flip-batch"` does the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

AUGMENTATIONS = {
    "none": "no augmentation",
    "crop": "a random crop per image, after padding by an eighth of the width",
    "crop-flip": "a random crop as above and a random horizontal flip per image",
    "crop-flip-batch": "the published code's defect: one random crop and one random flip for the whole batch",
}
"""Every augmentation, with a description."""


def augment(images: Tensor, name: str, generator: torch.Generator) -> Tensor:
    """Augment a batch of images.

    Args:
        images: shape `(n, c, h, w)`.
        name: a key of `AUGMENTATIONS`.
        generator: a CPU generator, the source of all draws.

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
