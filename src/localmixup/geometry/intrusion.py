"""Manifold intrusion: how often a mixed sample lies on the ground of a class that has no part in its label.

A *virtual sample* is `lam x_i + (1 - lam) x_j` with the label `y~ = lam y_i + (1 - lam) y_j`; whose ground it lies on
is told by its nearest real sample, its two ends left out. Its *disagreement* is `1 - y~[class of that sample]`. It
*intrudes* when that class has no part in y~ at all (with two classes only pairs within a class can: the paper's
Fig. 1), and *contradicts* when another class than that one holds the largest part of y~.

One search for neighbours serves all graphs: virtual samples are drawn at all scales of distance, and a graph weighs
them afterwards.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from localmixup._arrays import as_tensor
from localmixup._distances import as_features, distances_of_pairs
from localmixup._validate import ArgumentError, check_integer, check_number
from localmixup.graphs.base import (
    CompleteGraph,
    DistanceGraph,
    ExponentialGraph,
    KNNGraph,
    LocalityGraph,
    ThresholdGraph,
)

_WIDE = 5_000_000  # up to so many values everything is measured in float64
GRID = 9  # values of lam where all pairs are tried
_EXHAUSTIVE = 4e8  # virtual samples times real ones, up to which all pairs are tried
_BLOCK_BYTES = 256 * 2**20
_FAR_DRAWS = (2, 3, 4)  # draws in the last strata of ranks, which hold most pairs
_Z = 1.959964


class VirtualSamples(NamedTuple):
    """Virtual samples and what lies nearest to them; one row each.

    Attributes:
        first: index i, shape `(p,)`.
        second: index j, shape `(p,)`.
        lam: share of i, shape `(p,)`.
        distance: Euclidean distance of i and j, shape `(p,)`.
        rank: j is so many-th nearest to i, from 1 on, shape `(p,)`.
        share: how many ordered pairs of the data this one stands for, relative to the others, shape `(p,)`.
        within: whether i and j share their class, shape `(p,)`.
        nearest: indices of the nearest real samples, shape `(p, k)`.
        nearest_distance: distance of the nearest one, shape `(p,)`.
        disagreement: 1 - y~[class of the nearest], the mean over the k nearest, in [0, 1], shape `(p,)`.
        intrudes: share of the k nearest whose class has no part in y~, shape `(p,)`.
        contradicts: share of the k nearest whose class holds less of y~ than another, shape `(p,)`.
    """

    first: np.ndarray
    second: np.ndarray
    lam: np.ndarray
    distance: np.ndarray
    rank: np.ndarray
    share: np.ndarray
    within: np.ndarray
    nearest: np.ndarray
    nearest_distance: np.ndarray
    disagreement: np.ndarray
    intrudes: np.ndarray
    contradicts: np.ndarray


class Rate(NamedTuple):
    """A rate with its 95 % interval; NaN where no pair is kept.

    Attributes:
        value: in [0, 1].
        low: lower end of the interval.
        high: upper end; the interval is a point where all pairs were tried.
    """

    value: float
    low: float
    high: float


class Rates(NamedTuple):
    """What a graph's virtual samples do, each weighed by W.

    Attributes:
        intrusion: rate of intruding samples.
        contradiction: rate of contradicting samples.
        disagreement: mean disagreement.
        mean_weight: mean of W over all pairs of this kind.
        effective_samples: number of equally weighed virtual samples that tell as much.
    """

    intrusion: Rate
    contradiction: Rate
    disagreement: Rate
    mean_weight: float
    effective_samples: float


@dataclass(frozen=True)
class IntrusionReport:
    """What mixing does on a data set; every method takes a graph, by default the one that it was made for.

    Attributes:
        samples: the virtual samples.
        labels: class of each real sample, 0 to c - 1, shape `(m,)`.
        classes: the labels as they were given, shape `(c,)`.
        graph: the graph.
        features: what was measured on, shape `(m, d)`.
        mixup_alpha: lam is from `Beta(mixup_alpha, mixup_alpha)`.
        exhaustive: whether these are all pairs with a grid of lam.
        overlap: share of the real samples whose own nearest real sample is of another class: how much the classes
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
        """Over all pairs that the graph keeps."""
        return self.rates()["all"]

    @property
    def within_class(self) -> Rates:
        """Over its pairs of one class."""
        return self.rates()["within"]

    @property
    def between_class(self) -> Rates:
        """Over its pairs of two classes."""
        return self.rates()["between"]

    def weights(self, graph: LocalityGraph | None = None) -> np.ndarray:
        """W of every virtual sample's pair, shape `(p,)`.

        Args:
            graph: a graph by distance or a directed neighbour graph; one of another kind needs all of W, for at most
                5,000 samples.

        Raises:
            ValueError: a graph of another kind on more samples.
        """
        graph, s = self.graph if graph is None else graph, self.samples
        if isinstance(graph, KNNGraph) and not graph.symmetric and graph.metric in ("euclidean", "rms"):
            return (s.rank <= graph.n_neighbors).astype(float)
        if isinstance(graph, DistanceGraph):
            distance = torch.from_numpy(s.distance)
            if graph.metric != "euclidean":
                ends = torch.from_numpy(s.first), torch.from_numpy(s.second)
                distance = distances_of_pairs(self.features, *ends, graph.metric).double()
            return np.asarray(graph.of_distance(distance).numpy(), dtype=float)
        if len(self.labels) > 5000:
            raise ArgumentError(f"graph {graph!r} needs all distances: at most 5,000 samples, got {len(self.labels)}")
        return np.asarray(graph.matrix(self.features).numpy()[s.first, s.second], dtype=float)

    def rates(self, graph: LocalityGraph | None = None) -> dict[str, Rates]:
        """Rates over `"all"` pairs, those `"within"` and those `"between"` classes.

        Args:
            graph: see `weights`.
        """
        W, s = self.weights(graph), self.samples
        masks = {"all": np.ones(len(W), dtype=bool), "within": s.within, "between": ~s.within}
        return {name: self._rates(W, mask) for name, mask in masks.items()}

    def curve(self, parameter: str, values: Sequence[float]) -> list[dict[str, Rates]]:
        """Rates as a function of a graph's parameter, from the same virtual samples.

        Args:
            parameter: `"radius"`, `"decay"` or `"n_neighbors"`.
            values: of it.
        """
        return [self.rates(graph_with(parameter, value)) for value in values]

    def class_matrix(self, graph: LocalityGraph | None = None) -> np.ndarray:
        """Rate of contradiction for pairs of class a and class b, shape `(c, c)`; NaN where none is kept.

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
        """The worst virtual samples, as rows of `samples`: intruding first, then nearest to what they intrude on.

        Args:
            count: how many at the most; fewer where fewer contradict.
            graph: only pairs that it keeps.
        """
        s = self.samples
        rows = np.flatnonzero((s.contradicts > 0) & (self.weights(graph) > 0))
        reach = np.minimum(s.lam, 1 - s.lam) * s.distance  # to the nearer end
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = np.where(reach > 0, s.nearest_distance / reach, np.inf)
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
        """Draw the rate of intrusion and of contradiction against the radius with matplotlib.

        Args:
            ax: axes to draw on; new ones by default.

        Returns:
            The axes.
        """
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(figsize=(6, 3.6), layout="constrained").add_subplot()
        radii = np.quantile(self.samples.distance, np.linspace(0.01, 1, 60))
        found = self.curve("radius", list(radii))
        for name, color in (("within", "#0072B2"), ("between", "#D55E00")):
            for what, style in (("intrusion", "-"), ("contradiction", "--")):
                rates = [getattr(r[name], what) for r in found]
                ax.plot(radii, [100 * r.value for r in rates], style, color=color, label=f"{what}, {name}-class pairs")
                ax.fill_between(
                    radii, [100 * r.low for r in rates], [100 * r.high for r in rates], color=color, alpha=0.12, lw=0
                )
        ax.axhline(100 * self.overlap.value, color="grey", lw=1, ls=":", label="overlap of the real samples")
        ax.set(xlabel="radius", ylabel="virtual samples (%)", xlim=(0, radii[-1]), ylim=(0, None))
        ax.legend(fontsize="small")
        return ax

    def _rates(self, W: np.ndarray, mask: np.ndarray) -> Rates:
        s = self.samples
        counted = (s.share * W)[mask]
        mean_weight = float(counted.sum() / s.share[mask].sum()) if mask.any() else math.nan
        counted = counted / max(float(counted.max(initial=0)), 1e-300)  # weights may be tiny, their squares zero
        squares = float(np.square(counted).sum())
        effective = float(counted.sum()) ** 2 / squares if squares > 0 else 0.0
        anchors = s.first[mask]
        exact = self.exhaustive

        def rate(values: np.ndarray) -> Rate:
            return _ratio(counted, values[mask], anchors, effective, exact)

        return Rates(rate(s.intrudes), rate(s.contradicts), rate(s.disagreement), mean_weight, effective)


def intrusion(
    x: Any,
    labels: Any,
    graph: LocalityGraph | None = None,
    *,
    mixup_alpha: float = 1.0,
    n_nearest: int = 1,
    n_samples: int = 20_000,
    exhaustive: bool | None = None,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> IntrusionReport:
    """Measure how often mixed samples lie on another class's ground, for any graph.

    Anchors are drawn at random; each gets partners at all scales, so many in every stratum of ranks 1, 2 to 3, 4 to 7,
    ..., so that near pairs are measured as well as far ones. Intervals are those of a ratio over anchors.

    Args:
        x: samples, shape `(m, ...)`, finite, at least 4; an embedding of them measures in its space.
        labels: class of each sample, shape `(m,)`, at least two classes.
        graph: the graph that the report is made for; None for classical mixup.
        mixup_alpha: lam is drawn from `Beta(mixup_alpha, mixup_alpha)`.
        n_nearest: how many nearest real samples tell whose ground it is.
        n_samples: virtual samples, about.
        exhaustive: all ordered pairs with 9 values of lam; None where that is little work.
        seed: of the draws.
        progress: called with the number of virtual samples finished and their number in all.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, one class only.

    >>> x = torch.tensor([[0.0], [0.1], [0.2], [4.8], [5.0], [5.1], [2.4], [2.5], [2.6]])
    >>> report = intrusion(x, [0, 0, 0, 0, 0, 0, 1, 1, 1])               # class 1 lies within class 0
    >>> round(report.within_class.intrusion.value, 2), report.rates(ThresholdGraph(1.0))["all"].intrusion.value
    (0.27, 0.0)
    """
    features, classes, codes = _checked(x, labels)
    m = len(features)
    check_number("mixup_alpha", mixup_alpha, low=1e-3, high=1e6)
    check_integer("n_nearest", n_nearest, low=1)
    check_integer("n_samples", n_samples, low=100)
    check_integer("seed", seed, low=0)
    if n_nearest > m - 2:
        raise ArgumentError(f"n_nearest must be at most m - 2 = {m - 2}: both ends are left out, got {n_nearest}")
    whole = GRID * m * (m - 1) * m <= _EXHAUSTIVE if exhaustive is None else exhaustive
    rng = np.random.default_rng(seed)
    centred = features - features.mean(dim=0)
    first, second, rank, share, lam = (_all_pairs if whole else _drawn_pairs)(centred, mixup_alpha, n_samples, rng)
    distance = distances_of_pairs(features, torch.from_numpy(first), torch.from_numpy(second)).double().numpy()
    nearest, gap = _nearest_real(features, centred, first, second, lam, n_nearest, progress)
    samples = VirtualSamples(
        first, second, lam, distance, rank, share, codes[first] == codes[second], nearest, gap,
        *_judged(codes, first, second, lam, nearest),
    )  # fmt: skip
    chosen = CompleteGraph() if graph is None else graph
    overlap = _overlap(features, centred, codes, rng)
    return IntrusionReport(samples, codes, classes, chosen, features, float(mixup_alpha), whole, overlap)


def graph_with(parameter: str, value: float) -> LocalityGraph:
    """The graph of one parameter.

    Args:
        parameter: `"radius"`, `"decay"` or `"n_neighbors"`.
        value: of it.

    >>> graph_with("radius", 2.0)
    ThresholdGraph(radius=2.0, metric='euclidean')
    """
    if parameter == "radius":
        return ThresholdGraph(value)
    if parameter == "decay":
        return ExponentialGraph(value)
    if parameter == "n_neighbors":
        return KNNGraph(int(value))
    raise ArgumentError(f"parameter must be 'radius', 'decay' or 'n_neighbors', got {parameter!r}")


def _checked(x: Any, labels: Any) -> tuple[Tensor, np.ndarray, np.ndarray]:
    features = as_features(as_tensor(x)).cpu()
    given = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    if given.shape != (len(features),):
        raise ArgumentError(f"labels must have one class a sample, shape {(len(features),)}, got {given.shape}")
    if len(features) < 4:
        raise ArgumentError(f"x must hold at least 4 samples, got {len(features)}")
    if not bool(torch.isfinite(features).all()):
        row = int((~torch.isfinite(features)).any(dim=1).nonzero()[0])
        raise ArgumentError(f"x must be finite, row {row} is not")
    classes, codes = np.unique(given, return_inverse=True)
    if len(classes) < 2:
        raise ArgumentError("labels must name at least two classes, got 1")
    # small data in float64; squares of huge values would overflow float32
    if features.numel() and (features.numel() <= _WIDE or float(features.abs().max()) > 1e12):
        features = features.double()
    return features, classes, codes


def _squares(centred: Tensor, rows: Tensor) -> Tensor:
    lengths = centred.square().sum(dim=1)
    return torch.addmm(lengths[None], rows, centred.T, alpha=-2).add_(rows.square().sum(dim=1)[:, None])


def _order(centred: Tensor, anchors: np.ndarray) -> Tensor:
    """For some anchors all other samples, from the nearest to the farthest."""
    rows = torch.from_numpy(anchors)
    squares = _squares(centred, centred[rows])
    squares[torch.arange(len(rows)), rows] = -torch.inf
    return squares.argsort(dim=1, stable=True)[:, 1:]


def _all_pairs(centred: Tensor, mixup_alpha: float, n_samples: int, rng: np.random.Generator) -> tuple[Any, ...]:
    m = len(centred)
    order = _order(centred.double(), np.arange(m)).numpy()
    first, second = np.repeat(np.arange(m), m - 1), order.ravel()
    rank = np.tile(np.arange(1, m), m)
    if mixup_alpha == 1:
        grid = (np.arange(GRID) + 0.5) / GRID
    else:
        from scipy.stats import beta

        grid = beta.ppf((np.arange(GRID) + 0.5) / GRID, mixup_alpha, mixup_alpha)
    repeated = [np.repeat(part, GRID) for part in (first, second, rank)]
    return (*repeated, np.ones(len(repeated[0])), np.tile(grid, len(first)))


def _drawn_pairs(centred: Tensor, mixup_alpha: float, n_samples: int, rng: np.random.Generator) -> tuple[Any, ...]:
    m = len(centred)
    edges = np.unique(np.minimum(2 ** np.arange(int(math.log2(m - 1)) + 2), m))
    strata = list(itertools.pairwise(edges.tolist()))  # ranks from .. to below ..
    draws = [1] * len(strata)
    for k, many in enumerate(reversed(_FAR_DRAWS[-len(strata) :])):
        draws[-1 - k] = many
    anchors = rng.permutation(m)[: max(2, min(m, n_samples // sum(draws)))]
    ranks = np.concatenate(
        [rng.integers(low, high, size=(len(anchors), n)) for (low, high), n in zip(strata, draws, strict=True)], axis=1
    )
    shares = np.concatenate([np.full(n, (high - low) / n) for (low, high), n in zip(strata, draws, strict=True)])
    second = np.empty_like(ranks)
    step = max(1, _BLOCK_BYTES // (24 * m))
    for start in range(0, len(anchors), step):
        part = slice(start, start + step)
        second[part] = np.take_along_axis(_order(centred, anchors[part]).numpy(), ranks[part] - 1, axis=1)
    lam = rng.beta(mixup_alpha, mixup_alpha, size=ranks.size)
    return np.repeat(anchors, ranks.shape[1]), second.ravel(), ranks.ravel(), np.tile(shares, len(anchors)), lam


def _nearest_real(
    features: Tensor,
    centred: Tensor,
    first: np.ndarray,
    second: np.ndarray,
    lam: np.ndarray,
    n_nearest: int,
    progress: Callable[[int, int], object] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest real samples of virtual ones, their two ends left out: found by a product, settled by differences."""
    m, p = len(features), len(first)
    # of samples at the same distance the first in a random order counts: files are often sorted by class
    order_of = np.random.default_rng(0).permutation(m)
    place = np.argsort(order_of)
    centred, first, second = centred[torch.from_numpy(order_of)], place[first], place[second]
    nearest, gap = np.empty((p, n_nearest), dtype=np.int64), np.empty(p)
    step = max(1, min(2048, _BLOCK_BYTES // (centred.element_size() * m)))
    candidates = min(m - 2, n_nearest + 2)
    i_all, j_all = torch.from_numpy(first), torch.from_numpy(second)
    shares = torch.from_numpy(lam).to(features.dtype)[:, None]
    lengths = centred.square().sum(dim=1)
    for start in range(0, p, step):
        part = slice(start, min(p, start + step))
        i, j, share = i_all[part], j_all[part], shares[part]
        virtual = centred[j] + share * (centred[i] - centred[j])
        squares = torch.addmm(lengths[None], virtual, centred.T, alpha=-2)
        rows = torch.arange(len(i))
        squares[rows, i] = torch.inf
        squares[rows, j] = torch.inf
        near = squares.topk(candidates, dim=1, largest=False).indices.sort(dim=1).values
        far = torch.linalg.vector_norm(centred[near] - virtual[:, None], dim=2)
        order = far.argsort(dim=1, stable=True)[:, :n_nearest]
        nearest[part] = order_of[near.gather(1, order).numpy()]
        gap[part] = far.gather(1, order[:, :1])[:, 0].double().numpy()
        if progress:
            progress(part.stop, p)
    return nearest, gap


def _judged(
    codes: np.ndarray, first: np.ndarray, second: np.ndarray, lam: np.ndarray, nearest: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    own, other, found = codes[first][:, None], codes[second][:, None], codes[nearest]
    held = np.where(found == own, lam[:, None], 0.0) + np.where(found == other, 1 - lam[:, None], 0.0)
    largest = np.where(own == other, 1.0, np.maximum(lam, 1 - lam)[:, None])
    return (
        (1 - held).mean(axis=1),
        ((found != own) & (found != other)).mean(axis=1),
        (held < largest - 1e-12).mean(axis=1),
    )


def _overlap(features: Tensor, centred: Tensor, codes: np.ndarray, rng: np.random.Generator) -> Rate:
    rows = np.arange(len(codes)) if len(codes) <= 4000 else rng.permutation(len(codes))[:2000]
    nearest, _ = _nearest_real(features, centred, rows, rows, np.ones(len(rows)), 1, None)
    wrong = (codes[nearest[:, 0]] != codes[rows]).astype(float)
    return _ratio(np.ones(len(rows)), wrong, rows, float(len(rows)), len(rows) == len(codes))


def _ratio(weights: np.ndarray, values: np.ndarray, anchors: np.ndarray, effective: float, exact: bool) -> Rate:
    """A weighted mean with Wilson's interval, its sample size taken from the spread of the ratio over anchors."""
    total = float(weights.sum())
    if total <= 0:
        return Rate(math.nan, math.nan, math.nan)
    rate = min(1.0, max(0.0, float(weights @ values) / total))
    if exact:
        return Rate(rate, rate, rate)
    residual = np.bincount(anchors, weights * (values - rate))
    n = max(2, len(np.unique(anchors)))
    variance = float(np.square(residual).sum()) / total**2 * n / (n - 1)
    size = rate * (1 - rate) / variance if variance > 0 and 0 < rate < 1 else effective
    size = max(1.0, size)
    centre = (rate + _Z**2 / (2 * size)) / (1 + _Z**2 / size)
    half = _Z * math.sqrt(rate * (1 - rate) / size + _Z**2 / (4 * size**2)) / (1 + _Z**2 / size)
    return Rate(rate, max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half)))
