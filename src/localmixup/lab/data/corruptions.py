"""Corruptions of test images, each with a severity: the Gaussian noise of table 2, and others.

The paper rescales images to [0, 1] and adds noise of a given standard deviation. The other corruptions extend that
table without a network or another data set. A severity of 0 leaves an image unchanged. All images stay within [0, 1],
except under Gaussian noise, which the paper does not clip.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from localmixup._shapes import Float
from localmixup._validate import ArgumentError, check_choice, check_number


def _gaussian(images: Tensor, noise_std: float, generator: torch.Generator) -> Tensor:
    return images + noise_std * torch.randn(images.shape, generator=generator).to(images)


def _uniform(images: Tensor, half_width: float, generator: torch.Generator) -> Tensor:
    noise = 2 * torch.rand(images.shape, generator=generator) - 1
    return (images + half_width * noise.to(images)).clamp(0, 1)


def _salt_pepper(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    n, _, height, width = images.shape
    draws = torch.rand(n, 1, height, width, generator=generator).to(images.device)
    return images.masked_fill(draws < share / 2, 0).masked_fill(draws >= 1 - share / 2, 1)


def _blur(images: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    rows, columns = (_blur_matrix(size, sigma).to(images) for size in images.shape[2:])
    return (rows @ images @ columns.T).clamp(0, 1)  # the weights sum to 1 up to rounding


def _blur_matrix(size: int, sigma: float) -> Tensor:
    """Return the weights of a blur, shape `(size, size)`: cut off at 4 sigma, with the edge repeated outside."""
    if sigma == 0:
        return torch.eye(size)
    offsets = torch.arange(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1)
    kernel = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    pixels = torch.arange(size)[:, None]
    sources = (pixels + offsets).clamp(0, size - 1)
    weights = (kernel / kernel.sum()).expand(size, -1)
    return torch.zeros(size, size, dtype=torch.float64).scatter_add_(1, sources, weights)


def _contrast(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    return torch.lerp(images, images.mean(dim=(1, 2, 3), keepdim=True), share)


def _brightness(images: Tensor, added: float, generator: torch.Generator) -> Tensor:
    return (images + added).clamp(0, 1)


def _occlusion(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    n, _, height, width = images.shape
    side = min(round(share * width), height)
    top, left = (torch.randint(size - side + 1, (n, 1), generator=generator) for size in (height, width))
    rows, columns = torch.arange(height) - top, torch.arange(width) - left
    hidden = ((rows >= 0) & (rows < side))[:, None, :, None] & ((columns >= 0) & (columns < side))[:, None, None, :]
    return torch.where(hidden.to(images.device), images.mean(dim=(2, 3), keepdim=True), images)


def _shift(images: Tensor, pixels: float, generator: torch.Generator) -> Tensor:
    n, _, height, width = images.shape
    directions = torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])
    down, right = (directions[torch.randint(4, (n,), generator=generator)] * int(pixels)).T
    # pixels from outside repeat the edge
    rows = (torch.arange(height) - down[:, None]).clamp(0, height - 1).to(images.device)
    columns = (torch.arange(width) - right[:, None]).clamp(0, width - 1).to(images.device)
    each = torch.arange(n, device=images.device)[:, None, None]
    return images[each, :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


class Corruption(NamedTuple):
    """A corruption and its severity.

    Attributes:
        apply: function of images, severity and generator.
        severity: the meaning of the severity, with its unit.
        high: the largest severity allowed.
        whole: whether the severity must be a whole number.
    """

    apply: Callable[[Tensor, float, torch.Generator], Tensor]
    severity: str
    high: float = 1000.0
    whole: bool = False


CORRUPTIONS = {
    "gaussian": Corruption(_gaussian, "noise_std, the standard deviation of the noise added to each value (table 2)"),
    "uniform": Corruption(_uniform, "half the width of the interval of the noise added to each value", 1.0),
    "salt-pepper": Corruption(_salt_pepper, "share of the pixels that become black or white in all channels", 1.0),
    "blur": Corruption(_blur, "sigma of a Gaussian blur, in pixels"),
    "contrast": Corruption(_contrast, "share of the contrast that is lost", 1.0),
    "brightness": Corruption(_brightness, "amount added to each value", 1.0),
    "occlusion": Corruption(
        _occlusion, "side of a random square that is filled with the mean of the image, as a share of the width", 1.0
    ),
    "shift": Corruption(_shift, "pixels moved up, down, left or right; the edge is repeated", whole=True),
}
"""Every corruption, by name."""


def parse(text: str) -> tuple[str, float]:
    """Return the name and the severity of a corruption as a specification writes it.

    Args:
        text: a key of `CORRUPTIONS`, a space, and a severity.

    Raises:
        ArgumentError: the text has another form, the corruption is unknown, or the severity is not allowed.

    >>> parse("gaussian 0.01")
    ('gaussian', 0.01)
    """
    name, _, severity = text.strip().partition(" ")
    try:
        number = float(severity)
    except ValueError:
        names = ", ".join(CORRUPTIONS)
        form = "a name and a severity, such as 'gaussian 0.01'"
        raise ArgumentError(f"corruption must be {form}, the name one of {names}; got {text!r}") from None
    return name, _checked(name, number)


def corrupt(
    images: Float[Tensor, "n c h w"], name: str, severity: float, generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Corrupt each image of a batch.

    Args:
        images: values in [0, 1], shape `(n, c, h, w)`.
        name: a key of `CORRUPTIONS`.
        severity: >= 0, in the unit that `CORRUPTIONS` names.
        generator: a CPU generator, so that the draws are the same on every device.

    Returns:
        New images of the same shape, dtype and device.

    Raises:
        ArgumentError: `images` is not a batch of images, the corruption is unknown, or the severity is not allowed.

    >>> corrupt(torch.full((1, 1, 1, 2), 0.5), "brightness", 0.25, torch.Generator())
    tensor([[[[0.7500, 0.7500]]]])
    """
    if images.ndim != 4 or not images.is_floating_point():
        raise ArgumentError(f"images must be floats of shape (n, c, h, w), got {images.dtype} of {tuple(images.shape)}")
    severity = _checked(name, severity)
    return CORRUPTIONS[name].apply(images, severity, generator)


def _checked(name: str, severity: float) -> float:
    kind = CORRUPTIONS[check_choice("corruption", name, CORRUPTIONS)]
    number = check_number(f"severity of {name}", severity, low=0, high=kind.high, meaning=kind.severity)
    if kind.whole and number != int(number):
        raise ArgumentError(f"severity of {name} must be a whole number ({kind.severity}), got {number:g}")
    return number
