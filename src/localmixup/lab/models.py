"""The networks of the paper, in small: MLP, LeNet-5, and a small ResNet."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

MODELS = {
    "mlp": "fully connected, two hidden layers of 100, ReLU (section 5.1)",
    "lenet5": "LeNet-5 with ReLU and max pooling: two convolutions, three dense layers",
    "resnet": "ResNet-14: three stages of two residual blocks, 16, 32 and 64 channels, batch normalisation",
}


def pick_model(shape: tuple[int, ...]) -> str:
    """The model for inputs of a shape: MLP for tables and tiny images, LeNet-5 for gray images, ResNet for colour.

    >>> pick_model((64,)), pick_model((1, 28, 28)), pick_model((3, 32, 32))
    ('mlp', 'lenet5', 'resnet')
    """
    if len(shape) != 3 or min(shape[1:]) < 16:
        return "mlp"
    return "lenet5" if shape[0] == 1 else "resnet"


def build_model(name: str, shape: tuple[int, ...], outputs: int) -> nn.Module:
    """A network with fresh weights from the global random state.

    Args:
        name: a key of `MODELS`.
        shape: of one input.
        outputs: number of classes, or of values.

    Raises:
        ValueError: an image network for inputs that are no images, or too small.
    """
    if name == "mlp":
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(shape), 100),
            nn.ReLU(),
            nn.Linear(100, 100),
            nn.ReLU(),
            nn.Linear(100, outputs),
        )
    if len(shape) != 3 or min(shape[1:]) < 16:
        raise ValueError(f"model {name!r} needs images of at least 16 x 16 pixels, got inputs of shape {shape}")
    return _lenet5(shape, outputs) if name == "lenet5" else _ResNet(shape[0], outputs)


def _lenet5(shape: tuple[int, ...], outputs: int) -> nn.Module:
    # 28 x 28 is padded to the 32 x 32 that the network was made for
    features = nn.Sequential(
        nn.Conv2d(shape[0], 6, 5, padding=2 if min(shape[1:]) < 32 else 0),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
    with torch.no_grad():
        flat = features(torch.zeros(1, *shape)).shape[1]
    head = nn.Sequential(nn.Linear(flat, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, outputs))
    return nn.Sequential(features, head)


class _Block(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(hidden)) + self.shortcut(x))


class _ResNet(nn.Module):
    def __init__(self, channels_in: int, outputs: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels_in, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        blocks, channels = [], 16
        for width, stride in ((16, 1), (32, 2), (64, 2)):
            blocks += [_Block(channels, width, stride), _Block(width, width, 1)]
            channels = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.blocks(self.stem(x)).mean(dim=(2, 3)))
        return scores
