"""mixup: Beyond Empirical Risk Minimization (Zhang, Cisse, Dauphin, Lopez-Paz, 2018).

With a `mixed_share` it is the control of Local Mixup at the same mixed share: random partners, mixed as rarely. With a
`loss_scale` it is the other control: the loss is multiplied by the mean weight, like a smaller learning rate.
"""

from __future__ import annotations

from localmixup import CompleteGraph, LocalityGraph
from localmixup.lab.methods.base import Method


class Mixup(Method):
    """Classical mixup: random partners."""

    title = "mixup"
    formula = """
        lam ~ Beta(mixup_alpha, mixup_alpha),  j random
        x~ = lam x_i + (1 - lam) x_j
        L = mean over pairs (i, j) of  lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j)
    """
    citation = (
        "Zhang, Cisse, Dauphin, Lopez-Paz. mixup: Beyond Empirical Risk Minimization. ICLR 2018. arXiv:1710.09412"
    )

    def graph(self) -> LocalityGraph:
        """Return the graph with every pair."""
        return CompleteGraph()
