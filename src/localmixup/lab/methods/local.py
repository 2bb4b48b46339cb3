"""Local Mixup: Interpolation of closest input signals (Baena, Drumetz, Gripon, 2024), eq. (3), one class per graph."""

from __future__ import annotations

from typing import ClassVar

import torch

from localmixup import LocalityGraph
from localmixup._validate import ArgumentError
from localmixup.graphs.registry import make_graph
from localmixup.lab.methods.base import LOCAL_MIXUP, Method
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec


class Local(Method):
    """Pairs of the batch weighted by W, as in eq. (3), or pairs of the set drawn in proportion to W."""

    citation = LOCAL_MIXUP
    graph_name: ClassVar[str]
    """A key of `localmixup.graphs.registry.GRAPHS`."""

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.prob = 1.0  # in a batch the graph alone decides which pairs count

    @property
    def parameter(self) -> float:
        """The main parameter of the graph."""
        if self.spec.parameter is None:
            raise ArgumentError(f"parameter must be given for {self.spec.method}, got None")
        return self.spec.parameter

    def graph(self) -> LocalityGraph:
        """Return the graph with its parameter."""
        return make_graph(self.graph_name, self.parameter)


class LocalThreshold(Local):
    """Threshold graph (section 4.1): pairs within a radius."""

    title = "local mixup, threshold"
    formula = """
        L = sum over pairs (i, j) of  w_ij (lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j)),
            x~ = lam x_i + (1 - lam) x_j
        w_ij = 1 if |x_i - x_j| <= epsilon, else 0
    """
    graph_name = "threshold"


class LocalExponential(Local):
    """Smooth exponential graph (section 4.1): every pair, weighted by its distance."""

    title = "local mixup, exponential"
    formula = """
        L = sum over pairs (i, j) of  w_ij (lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j)),
            x~ = lam x_i + (1 - lam) x_j
        w_ij = exp(-alpha |x_i - x_j|)
    """
    graph_name = "exponential"


class LocalKNN(Local):
    """K-nearest-neighbour graph (section 4.1): each sample with its nearest."""

    title = "local mixup, nearest neighbours"
    formula = """
        L = sum over pairs (i, j) of  w_ij (lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j)),
            x~ = lam x_i + (1 - lam) x_j
        w_ij = 1 if x_j is among the K samples nearest to x_i, else 0
    """
    graph_name = "knn"
