"""What all pictures of the package share: the palette and new axes."""

from __future__ import annotations

from typing import Any

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7F7F7F")
"""Colours that people with colour-blindness can tell apart (after Okabe and Ito)."""


def axes_or_new(ax: Any = None) -> Any:
    """Return `ax`, or the axes of a new figure; matplotlib is loaded here and no pyplot state is touched.

    Args:
        ax: matplotlib axes, or None.
    """
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(6, 3.6), layout="constrained").add_subplot()
