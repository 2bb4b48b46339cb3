"""Local Mixup: Interpolation of closest input signals (Baena, Drumetz, Gripon, 2024), eq. (3), one class a graph."""

from __future__ import annotations

from localmixup import ExponentialGraph, KNNGraph, LocalityGraph, LocalMixup, ThresholdGraph
from localmixup._validate import ArgumentError
from localmixup.lab.methods.base import Method


class _Local(Method):
    def mixer(self) -> LocalMixup:
        """Pairs of a batch, weighed by W: eq. (3)."""
        return LocalMixup(
            self.graph(),
            mixup_alpha=self.training.mixup_alpha,
            reduction=self.training.reduction,
            generator=self.generator,
        )

    @property
    def parameter(self) -> float:
        """The graph's parameter."""
        if self.spec.parameter is None:
            raise ArgumentError(f"parameter must be given for {self.spec.method}, got None")
        return self.spec.parameter


class LocalThreshold(_Local):
    """Threshold graph (section 4.1)."""

    title = "local mixup, threshold"

    def graph(self) -> LocalityGraph:
        """Pairs within a radius."""
        return ThresholdGraph(self.parameter)


class LocalExponential(_Local):
    """Smooth exponential graph (section 4.1)."""

    title = "local mixup, exponential"

    def graph(self) -> LocalityGraph:
        """Every pair, weighed by its distance."""
        return ExponentialGraph(self.parameter)


class LocalKNN(_Local):
    """K-nearest-neighbour graph (section 4.1)."""

    title = "local mixup, nearest neighbours"

    def graph(self) -> LocalityGraph:
        """Each sample with its nearest."""
        return KNNGraph(int(self.parameter))
