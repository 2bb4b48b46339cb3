"""Images of a data set as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from localmixup.lab.data.dataset import DataSet
from localmixup.lab.report.figure import Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_SMALL = 64  # pixels of images of fewer rows are drawn as squares
_WIDTH = 3.2


def drawable(data: DataSet) -> bool:
    """Return whether the samples are grey or RGB images.

    Args:
        data: as it was read.
    """
    return data.kind == "image" and data.shape[0] in (1, 3)


def fill(canvas: Canvas) -> None:
    """Let axes without labels fill the figure.

    Args:
        canvas: the figure.
    """
    canvas.set_layout_engine("constrained", w_pad=0, h_pad=0, wspace=0, hspace=0)


def image_figure(name: str, title: str, caption: str, image: Tensor) -> Figure:
    """Return an image as a figure without a table, its values stretched to the full range.

    Args:
        name: see `Figure`.
        title: see `Figure`.
        caption: see `Figure`.
        image: shape `(channels, height, width)`, with one channel or three.
    """
    low, high = image.min(), image.max()
    pixels = ((image - low) / (high - low).clamp_min(1e-6)).movedim(0, -1).numpy()

    def draw(canvas: Canvas) -> None:
        axes = canvas.add_subplot()
        axes.set_axis_off()
        fill(canvas)
        shown = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        axes.imshow(shown, cmap="gray", interpolation="none" if len(shown) < _SMALL else "antialiased")

    height = _WIDTH * pixels.shape[0] / pixels.shape[1]
    return Figure(name, title, caption, draw, [], [], size=(_WIDTH, height))
