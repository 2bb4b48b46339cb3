"""LeNet-5 with ReLU and max pooling (LeCun, Bottou, Bengio, Haffner, 1998), in two readings."""

from __future__ import annotations

import torch
from torch import nn


def lenet5(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Two convolutions and dense layers of 120 and 84.

    Args:
        shape: of one image, `(channels, height, width)`.
        outputs: of the head.
    """
    # 28 x 28 is padded to the 32 x 32 that the network was made for
    padding = 2 if min(shape[1:]) < 32 else 0
    first, second = _pooled(nn.Conv2d(shape[0], 6, 5, padding=padding)), _pooled(nn.Conv2d(6, 16, 5))
    second.append(nn.Flatten())
    third = nn.Sequential(nn.Linear(_width(nn.Sequential(first, second), shape), 120), nn.ReLU())
    return nn.Sequential(first, second, third, nn.Sequential(nn.Linear(120, 84), nn.ReLU()), nn.Linear(84, outputs))


def lenet5_conv3(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Three convolutions and a dense layer of 84.

    On images of 32 x 32 the third convolution covers all of what is left, and the network is `lenet5`, with the same
    initialisation; smaller images are padded to that size, on larger ones it is another network.

    Args:
        shape: of one image, `(channels, height, width)`.
        outputs: of the head.
    """
    height, width = shape[1:]
    padding = max(0, 33 - height) // 2, max(0, 33 - width) // 2
    first, second = _pooled(nn.Conv2d(shape[0], 6, 5, padding=padding)), _pooled(nn.Conv2d(6, 16, 5))
    third = nn.Sequential(nn.Conv2d(16, 120, 5), nn.ReLU(), nn.Flatten())
    fourth = nn.Sequential(nn.Linear(_width(nn.Sequential(first, second, third), shape), 84), nn.ReLU())
    return nn.Sequential(first, second, third, fourth, nn.Linear(84, outputs))


def _pooled(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.ReLU(), nn.MaxPool2d(2))


@torch.no_grad()
def _width(layers: nn.Sequential, shape: tuple[int, ...]) -> int:
    return int(layers(torch.zeros(1, *shape)).shape[1])
