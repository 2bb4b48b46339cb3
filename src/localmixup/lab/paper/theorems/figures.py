"""The figures of the documentation's page on the theory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from localmixup.geometry import lipschitz_lower_bound
from localmixup.geometry.plots import draw_lipschitz
from localmixup.lab.data.generators import digits
from localmixup.lab.paper.theorems.finding import line_samples
from localmixup.theory import plots


def draw(folder: Path) -> list[Path]:
    """Draw the four figures of the documentation's page on the theory.

    Args:
        folder: where the PNG files go; made if it does not exist.

    Returns:
        The files.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    canvases = {name: Figure(figsize=(7, 3.8), dpi=110, layout="constrained") for name in _NAMES}
    plots.draw_line_optima(canvases["line"].add_subplot(), *line_samples(0, 9), (0.4, 1.0, np.inf))
    left, right = canvases["ring"].subplots(1, 2)
    reaches = np.arange(1, 121)
    plots.draw_bias_and_variance(left, np.random.default_rng(0).normal(size=24) + 1, reaches)
    plots.draw_iid_variance(right, reaches)
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.0, 1.0, 0.0, 3.0])
    plots.draw_linear_fits(canvases["linear"].add_subplot(), x, y, (0, 1, 2, 3, 4))
    axes = canvases["lipschitz"].add_subplot()
    images, labels, *_ = digits()
    pixels = images[:400].reshape(400, -1) / 255.0
    for kind, label in (("segment", "samples against segments"), ("segments", "segments against segments")):
        draw_lipschitz(axes, lipschitz_lower_bound(pixels, labels[:400], kind=kind), end=4.2, label=label)
    axes.set_title("400 digits, pixels in [0, 1]")
    axes.legend(fontsize="small")
    paths = []
    for name, canvas in canvases.items():
        paths.append(folder / f"theory-{name}.png")
        canvas.savefig(paths[-1])
    return paths


_NAMES = ("line", "ring", "linear", "lipschitz")
