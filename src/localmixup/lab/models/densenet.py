"""DenseNet-BC for small images (Huang, Liu, van der Maaten, Weinberger, CVPR 2017).

Growth 12 and the blocks of DenseNet-121, as `densenet_cifar` of kuangliu/pytorch-cifar and the published code of Local
Mixup have it. The DenseNet paper has no such network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

GROWTH = 12
BLOCKS = (6, 12, 24, 16)


def densenet_bc(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Four dense blocks, of 6, 12, 24 and 16 bottlenecks, with the channels and the size halved between them.

    Args:
        shape: of one image, `(channels, height, width)`.
        outputs: of the head.
    """
    channels = 2 * GROWTH
    stages = []
    for length in BLOCKS:
        stages.append(nn.Sequential(*(_Bottleneck(channels + GROWTH * k) for k in range(length))))
        channels += GROWTH * length
        if len(stages) < len(BLOCKS):
            stages[-1].append(_halving(channels))
            channels //= 2
    stages[0].insert(0, nn.Conv2d(shape[0], 2 * GROWTH, 3, padding=1, bias=False))
    stages[-1].extend([nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()])
    return nn.Sequential(*stages, nn.Linear(channels, outputs))


class _Bottleneck(nn.Module):
    """Adds `GROWTH` channels to those that it gets."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.grow = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, 4 * GROWTH, 1, bias=False),
            nn.BatchNorm2d(4 * GROWTH),
            nn.ReLU(),
            nn.Conv2d(4 * GROWTH, GROWTH, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.grow(x)], dim=1)


def _halving(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)
    )
