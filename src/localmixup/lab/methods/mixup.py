"""mixup: Beyond Empirical Risk Minimization (Zhang, Cisse, Dauphin, Lopez-Paz, 2018).

With a `mixed_share` it is the control of Local Mixup at the same mixed share: random partners, mixed as rarely. With a
`loss_scale` it is the other control: the loss is multiplied by the mean weight, like a smaller learning rate.
"""

from __future__ import annotations

from localmixup import CompleteGraph, LocalityGraph
from localmixup.lab.methods.base import Method


class Mixup(Method):
    """Classical mixup, and both controls."""

    title = "mixup"

    def graph(self) -> LocalityGraph:
        """Return the graph with every pair."""
        return CompleteGraph()
