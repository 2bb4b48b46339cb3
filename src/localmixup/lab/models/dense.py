"""Fully connected networks: the paper's, the one that its code holds, and C-Mixup's."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from torch import nn

from localmixup._validate import ArgumentError


def mlp(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Two hidden layers of 100 with ReLU, as section 5.1 says.

    Args:
        shape: of one input, flattened here.
        outputs: of the head.
    """
    return _dense(shape, (100, 100), nn.ReLU, outputs)


def mlp3_softmax(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Three hidden layers of 100 with ReLU and a softmax, as in the authors' notebook of the spirals.

    The cross entropy that follows applies a softmax again, so that the loss of two classes cannot fall below
    `log(1 + 1/e)`, about 0.313.

    Args:
        shape: of one input, flattened here.
        outputs: of the head, at least 2.

    Raises:
        ValueError: fewer outputs, of which a softmax is the constant 1.
    """
    if outputs < 2:
        raise ArgumentError(
            f"outputs of the model 'mlp3-softmax' must be >= 2 (a softmax over one is 1), got {outputs}"
        )
    *hidden, head = _dense(shape, (100, 100, 100), nn.ReLU, outputs)
    return nn.Sequential(*hidden, nn.Sequential(head, nn.Softmax(dim=1)))


def mlp_leaky(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Two hidden layers of 128 with leaky ReLU of slope 0.1 (Yao et al., C-Mixup, NeurIPS 2022).

    Args:
        shape: of one input, flattened here.
        outputs: of the head.
    """
    return _dense(shape, (128, 128), lambda: nn.LeakyReLU(0.1), outputs)


def _dense(
    shape: tuple[int, ...], widths: tuple[int, ...], activation: Callable[[], nn.Module], outputs: int
) -> nn.Sequential:
    layers = [nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), widths[0]), activation())]
    layers += [nn.Sequential(nn.Linear(before, width), activation()) for before, width in pairwise(widths)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))
