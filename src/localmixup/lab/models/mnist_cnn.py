"""The network that AdaMixUp trains on MNIST (Guo, Mao, Zhang, AAAI 2019), from its published code."""

from __future__ import annotations

from torch import nn


def mnist_cnn(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Four convolutions of 3 x 3 to 32 channels, pooled twice, and a dense layer of 512 with dropout.

    Args:
        shape: of one image, `(channels, height, width)`.
        outputs: of the head.
    """
    channels, height, width = shape
    return nn.Sequential(
        nn.Sequential(*_convolution(channels), nn.MaxPool2d(2)),
        nn.Sequential(*_convolution(32)),
        nn.Sequential(*_convolution(32), nn.MaxPool2d(2)),
        nn.Sequential(*_convolution(32), nn.Flatten()),
        nn.Sequential(nn.Linear(32 * (height // 4) * (width // 4), 512), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(512, outputs),
    )


def _convolution(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, 32, 3, padding="same"), nn.ReLU()
