"""Mixup: Beyond Empirical Risk Minimization (Zhang, Cisse, Dauphin, Lopez-Paz, 2018).

With a `mixed_share` it is the control of Local Mixup at the same mixed share: random partners, as rarely mixed. With a
`loss_scale` it is the other control: mixup with the loss scaled by the mean weight, a smaller learning rate.
"""

from __future__ import annotations

from localmixup import CompleteGraph, LocalityGraph
from localmixup.lab.methods.base import Method


class Mixup(Method):
    """Classical mixup, and both controls."""

    title = "mixup"

    def graph(self) -> LocalityGraph:
        """Every pair."""
        return CompleteGraph()
