"""The rates at which virtual samples intrude on other classes, for any graph; see `localmixup.geometry.intruding`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from localmixup._plotting import axes_or_new
from localmixup.geometry.mixing import PairsOfData
from localmixup.geometry.pairs import LAM_GRID
from localmixup.geometry.rates import Rate, Rates, n_effective, weighted_rate
from localmixup.geometry.virtual import VirtualSamples
from localmixup.graphs import LocalityGraph


class _Outcomes(NamedTuple):
    """What happens to each pair: columns of `VirtualSamples`, with means over the values of lam."""

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    rank: np.ndarray
    share: np.ndarray
    within: np.ndarray
    intrudes: np.ndarray
    contradicts: np.ndarray
    disagreement: np.ndarray


@dataclass(frozen=True)
class IntrusionReport:
    """What mixing does on a data set. Methods take a graph; by default the one the report was made for.

    Attributes:
        samples: the virtual samples.
        labels: class of each real sample, 0 to c - 1, shape `(m,)`.
        classes: the labels as they were given, shape `(c,)`.
        graph: the default graph.
        features: what distances are measured on, shape `(m, d)`.
        mixup_alpha: lam follows `Beta(mixup_alpha, mixup_alpha)`.
        exhaustive: whether all pairs were tried, each with a grid of lam.
        overlap: share of the real samples whose nearest other sample is of another class. This is how much the classes
            overlap without any mixing.
    """

    samples: VirtualSamples
    labels: np.ndarray
    classes: np.ndarray
    graph: LocalityGraph
    features: Tensor
    mixup_alpha: float
    exhaustive: bool
    overlap: Rate

    @property
    def all_pairs(self) -> Rates:
        """Rates over all pairs that the graph keeps."""
        return self.overall_rates()

    @property
    def within_class(self) -> Rates:
        """Rates over its pairs within a class."""
        return self.rates()["within"]

    @property
    def between_class(self) -> Rates:
        """Rates over its pairs between two classes."""
        return self.rates()["between"]

    def weights(self, graph: LocalityGraph | None = None) -> np.ndarray:
        """Return W for the pair of every virtual sample, shape `(p,)`.

        Args:
            graph: see `PairsOfData.weights`.

        Raises:
            ArgumentError: the graph needs all distances, and there are too many samples.
        """
        return np.repeat(self._pair_weights(graph), self._lams_per_pair)

    def rates(self, graph: LocalityGraph | None = None, *, batch_size: int | None = None) -> dict[str, Rates]:
        """Return the rates over `"all"` pairs, over pairs `"within"` a class and over pairs `"between"` classes.

        Args:
            graph: see `weights`.
            batch_size: number of samples of the random batch within which the graph is built; None for a graph over
                the whole data set. It matters for graphs that rank distances only.
        """
        return self.rates_of(self._pair_weights(graph, batch_size))

    def rates_of(self, pair_weights: np.ndarray) -> dict[str, Rates]:
        """Return the rates for given weights of the pairs.

        Args:
            pair_weights: weight of each pair, in the order of `pairs`, shape `(q,)`, >= 0.
        """
        W, within = pair_weights, self._outcomes.within
        return {"all": self._rates(W), "within": self._rates(W, within), "between": self._rates(W, ~within)}

    def overall_rates(self, graph: LocalityGraph | None = None) -> Rates:
        """Return `rates(graph)["all"]` without the other two.

        Args:
            graph: see `weights`.
        """
        return self._rates(self._pair_weights(graph))

    def class_matrix(self, graph: LocalityGraph | None = None) -> np.ndarray:
        """Return the rate of contradiction for pairs of class a and class b, shape `(c, c)`; NaN if none is kept.

        Args:
            graph: see `weights`.
        """
        c, s = len(self.classes), self.samples
        cell = self.labels[s.first] * c + self.labels[s.second]
        counted = s.share * self.weights(graph)
        total = np.bincount(cell, counted, c * c).reshape(c, c)
        bad = np.bincount(cell, counted * s.contradicts, c * c).reshape(c, c)
        total, bad = total + total.T, bad + bad.T
        return np.where(total > 0, bad / np.where(total > 0, total, 1), np.nan)

    def worst(self, count: int = 8, graph: LocalityGraph | None = None) -> np.ndarray:
        """Return the worst virtual samples as rows of `samples`, one per pair.

        Intruding samples come first. Among equals, those come first that lie nearest to a sample of the other class,
        relative to the distance to their own nearer end.

        Args:
            count: largest number of rows; there are fewer if fewer samples contradict.
            graph: consider only pairs that this graph keeps.
        """
        s = self.samples
        rows = np.flatnonzero((s.contradicts > 0) & (self.weights(graph) > 0))
        to_nearer_end = np.minimum(s.lam, 1 - s.lam) * s.distance
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = np.where(to_nearer_end > 0, s.nearest_distance / to_nearer_end, np.inf)
        order = np.lexsort((depth[rows], -s.disagreement[rows], -s.intrudes[rows]))
        chosen: list[int] = []
        seen: set[frozenset[int]] = set()
        for row in rows[order]:
            if len(chosen) == count:
                break
            pair = frozenset((int(s.first[row]), int(s.second[row])))
            if pair not in seen:
                seen.add(pair)
                chosen.append(int(row))
        return np.array(chosen, dtype=np.int64)

    def plot(self, ax: Any = None) -> Any:
        """Draw the rates of intrusion and contradiction against the radius.

        Args:
            ax: matplotlib axes to draw on; by default those of a new figure.

        Returns:
            The axes.
        """
        from localmixup.geometry.plots import draw_rates, rate_curves

        ax = axes_or_new(ax)
        draw_rates(ax, self, rate_curves(self, "threshold"))
        return ax

    @property
    def _lams_per_pair(self) -> int:
        return LAM_GRID if self.exhaustive else 1

    @cached_property
    def _outcomes(self) -> _Outcomes:
        """One row per pair; when all pairs are tried, each has several values of lam in a row."""
        s, k = self.samples, self._lams_per_pair
        values = (values.reshape(-1, k).mean(axis=1) for values in (s.intrudes, s.contradicts, s.disagreement))
        constants = (
            np.ascontiguousarray(values[::k]) for values in (s.first, s.second, s.distance, s.rank, s.share, s.within)
        )
        return _Outcomes(*constants, *values)

    @cached_property
    def pairs(self) -> PairsOfData:
        """The pairs of the virtual samples, one row each."""
        p = self._outcomes
        return PairsOfData(self.features, p.first, p.second, p.distance, p.rank, p.share)

    def _pair_weights(self, graph: LocalityGraph | None, batch_size: int | None = None) -> np.ndarray:
        return self.pairs.weights(self.graph if graph is None else graph, batch_size=batch_size)

    def _rates(self, W: np.ndarray, mask: np.ndarray | slice = slice(None)) -> Rates:
        p = self._outcomes
        counted, shares, clusters = (p.share * W)[mask], p.share[mask], p.first[mask]
        mean_weight = float(counted.sum() / shares.sum()) if len(shares) else np.nan
        counted = counted / max(float(counted.max(initial=0)), 1e-300)  # weights may be tiny, their squares zero
        intrusion, contradiction, disagreement = (
            weighted_rate(counted, values[mask], clusters, exact=self.exhaustive)
            for values in (p.intrudes, p.contradicts, p.disagreement)
        )
        size = n_effective(counted) * self._lams_per_pair
        return Rates(intrusion, contradiction, disagreement, mean_weight, size)
