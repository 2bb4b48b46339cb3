"""Vanilla training: no mixing."""

from __future__ import annotations

from localmixup import IdentityGraph, LocalityGraph, LocalMixup
from localmixup.lab.methods.base import Method


class Vanilla(Method):
    """Empirical risk minimisation, the baseline of the paper."""

    title = "vanilla"

    def graph(self) -> LocalityGraph:
        """No pair but a sample with itself."""
        return IdentityGraph()

    def mixer(self) -> LocalMixup:
        """Every sample stays as it is and counts 1."""
        return LocalMixup(self.graph(), outside="unmix", reduction=self.training.reduction, generator=self.generator)
