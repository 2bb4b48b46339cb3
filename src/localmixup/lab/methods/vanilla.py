"""Vanilla training: no mixing."""

from __future__ import annotations

import torch
from torch import Tensor

from localmixup import IdentityGraph, LocalityGraph
from localmixup.lab.methods.base import Method


class Vanilla(Method):
    """Empirical risk minimisation, the baseline of the paper."""

    title = "vanilla"
    formula = "L = mean over i of l(f(x_i), y_i)"
    citation = "Vapnik. Statistical Learning Theory. Wiley, 1998."

    def graph(self) -> LocalityGraph:
        """Return the graph without pairs of distinct samples."""
        return IdentityGraph()

    def partners(self, x: Tensor, y: Tensor) -> Tensor:
        """Return each sample itself."""
        return torch.arange(len(x))
