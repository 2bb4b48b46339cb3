"""CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features (Yun, Han, Oh, Chun, Choe,
Yoo, 2019).
"""  # noqa: D205

from __future__ import annotations

import torch
from torch import Tensor

from localmixup._validate import ArgumentError
from localmixup.lab.methods.base import Batch
from localmixup.lab.methods.mixup import Mixup
from localmixup.lab.runs.network import Network


class CutMix(Mixup):
    """A box of the partner pasted into each image, one box per batch; targets mixed by the area that is left.

    `lam ~ Beta(mixup_alpha, mixup_alpha)`. The box has sides `sqrt(1 - lam)` of those of the image, rounded down to
    pixels, around a uniform point, and is cut off at the borders; `lam` is then the share that is really left. Partners
    are of the batch, or random ones of the set. Images only.
    """

    title = "cutmix"
    formula = """
        x~ = m x_i + (1 - m) x_j,  m = 0 in a random box of the share 1 - lam of the image, else 1
        L = mean over pairs (i, j) of  lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j)
    """
    citation = (
        "Yun, Han, Oh, Chun, Choe, Yoo. CutMix: Regularization Strategy to Train Strong Classifiers with Localizable "
        "Features. ICCV 2019. arXiv:1905.04899"
    )

    def choices(self, updates: int) -> Tensor:
        """Draw the centres of the boxes, as shares of height and width, shape `(updates, 2)`."""
        return torch.rand(updates, 2, generator=self.generator)

    def losses(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the loss of the pasted batch of every run."""
        inputs, lam = pasted(batch)
        return self.reduced(network(inputs), batch._replace(lam=lam)), None


def pasted(batch: Batch) -> tuple[Tensor, Tensor]:
    """Paste a box of the partners into the images.

    Args:
        batch: images of shape `(R, B, channels, height, width)`, one lam per run, and the centres as choices.

    Returns:
        The images, and the share that is left of each, shape `(R, B)`.

    Raises:
        ArgumentError: the inputs are not images.
    """
    if batch.inputs.ndim != 5:
        allowed = "cutmix needs images of shape (n, channels, height, width)"
        raise ArgumentError(f"{allowed}, got inputs of shape {tuple(batch.inputs.shape[1:])}")
    assert batch.choices is not None
    height, width = batch.inputs.shape[3:]
    rows, columns = (_span(size, batch.lam[:, 0], batch.choices[:, k]) for k, size in enumerate((height, width)))
    box = rows[:, :, None] & columns[:, None, :]
    lam = 1 - box.double().mean(dim=(1, 2))
    inputs = torch.where(box[:, None, None], batch.partner_inputs, batch.inputs)
    return inputs, lam.to(batch.lam.dtype)[:, None].expand_as(batch.lam)


def _span(size: int, lam: Tensor, centre: Tensor) -> Tensor:
    """Return which of `size` pixels lie in the box of each run, shape `(R, size)`."""
    half = (size * (1 - lam).sqrt()).floor() // 2
    middle = (size * centre).floor()
    place = torch.arange(size, device=lam.device)
    return (place >= (middle - half)[:, None]) & (place < (middle + half)[:, None])
