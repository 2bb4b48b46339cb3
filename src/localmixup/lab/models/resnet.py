"""Residual networks for small images: the first convolution is 3 x 3 and nothing is pooled before the stages.

`resnet14` and `resnet18` normalise after each convolution (He, Zhang, Ren, Sun, CVPR 2016), `preact_resnet18` before
it (same authors, Identity Mappings in Deep Residual Networks, ECCV 2016). The children of each are its stages, with the
stem in the first and the pooling in the last, and the head. Manifold Mixup mixes between them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def resnet14(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Three stages of two blocks, 16, 32 and 64 channels.

    Args:
        shape: of one image, `(channels, height, width)`.
        outputs: of the head.
    """
    return _resnet(_normalised_stem(shape[0], 16), _Block, (16, 32, 64), outputs)


def resnet18(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Four stages of two blocks, 64, 128, 256 and 512 channels.

    Args:
        shape: of one image, `(channels, height, width)`.
        outputs: of the head.
    """
    return _resnet(_normalised_stem(shape[0], 64), _Block, (64, 128, 256, 512), outputs)


def preact_resnet18(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """The stages of `resnet18`, normalised before each convolution, and not after the last.

    Args:
        shape: of one image, `(channels, height, width)`.
        outputs: of the head.
    """
    return _resnet(_convolution(shape[0], 64), _PreactivatedBlock, (64, 128, 256, 512), outputs)


class _Block(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(channels_in, channels, stride)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = _convolution(channels, channels)
        self.second_norm = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(hidden)) + self.shortcut(x))


class _PreactivatedBlock(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.first_norm = nn.BatchNorm2d(channels_in)
        self.first = _convolution(channels_in, channels, stride)
        self.second_norm = nn.BatchNorm2d(channels)
        self.second = _convolution(channels, channels)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Conv2d(channels_in, channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = torch.relu(self.first_norm(x))
        hidden: Tensor = self.second(torch.relu(self.second_norm(self.first(active))))
        # only where the shape changes does the shortcut start from the normalised input
        return hidden + (x if self.shortcut is None else self.shortcut(active))


def _resnet(
    stem: nn.Module, block: type[_Block] | type[_PreactivatedBlock], widths: tuple[int, ...], outputs: int
) -> nn.Sequential:
    stages, channels = [], widths[0]
    for k, width in enumerate(widths):
        stages.append(nn.Sequential(block(channels, width, 1 if k == 0 else 2), block(width, width, 1)))
        channels = width
    stages[0].insert(0, stem)
    stages[-1].extend([nn.AdaptiveAvgPool2d(1), nn.Flatten()])
    return nn.Sequential(*stages, nn.Linear(channels, outputs))


def _normalised_stem(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(_convolution(channels_in, channels), nn.BatchNorm2d(channels), nn.ReLU())


def _convolution(channels_in: int, channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
