"""What mixup does to a regression: how far mixed targets are from those of the nearest real samples.

The target of a mixed sample `lam x_i + (1 - lam) x_j` is `lam y_i + (1 - lam) y_j`. It is compared with the target of
the nearest real sample, i and j left out. That one is not exact either: it lies at some distance and carries noise. How
much this matters is known from the real samples, whose targets differ from those of their own nearest neighbours: the
noise floor. The *gap* of mixup is the mean squared difference of the first kind over that of the second. Where the
target is linear, mixing averages noise and the gap is below one; where it bends within the reach of a mixture, the gap
is large.

In many columns the nearest sample is far away, and its floor hides a bend. So the same is measured against a smooth
function through the real targets, i and j left out, with its own leave-one-out error for a floor. The larger of the two
gaps counts.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from localmixup._arrays import as_tensor
from localmixup._validate import ArgumentError, check_integer, check_number
from localmixup.geometry._inputs import check_samples
from localmixup.geometry._progress import Progress, run_to_end
from localmixup.geometry.mixing import PairsOfData
from localmixup.geometry.nearest import nearest_real_steps
from localmixup.geometry.pairs import draw_pairs
from localmixup.geometry.smooth_fit import smooth_fit
from localmixup.graphs import LocalityGraph

_DOUBLE_VALUES = 5_000_000  # up to this many values everything is measured in float64
_Z = 1.959964  # of a 95 % interval
_MOST_FITTED = 1000  # rows that the smooth function is fitted to
_BLOCK = 4096


SAFE_GAP = 1.1
"""Gap of the mixed targets up to which mixing adds no more than noise."""


class Gap(NamedTuple):
    """A gap with its 95 % interval; NaN if no pair has a positive weight.

    Attributes:
        value: mean squared difference of mixed targets, over the noise floor, >= 0.
        low: lower end of the interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class TargetReport:
    """How far mixed targets are from those of the nearest real samples.

    Attributes:
        pairs: the mixed pairs.
        lam: share of the first end of each pair, shape `(q,)`.
        nearest: index of the nearest real sample, both ends left out, shape `(q,)`.
        squares: squared difference of the mixed target and the target of that sample, and of the mixed target and the
            smooth function there, shape `(2, q)`.
        floors: mean squared difference of the targets of real samples and those of their nearest neighbours, and
            between the targets and the smooth function without them, shape `(2,)`.
        targets: shape `(m,)`.
    """

    pairs: PairsOfData
    lam: np.ndarray
    nearest: np.ndarray
    squares: np.ndarray
    floors: np.ndarray
    targets: np.ndarray

    def gap(self, graph: LocalityGraph, *, batch_size: int | None = None) -> Gap:
        """Return the gap over the pairs that a graph keeps.

        Args:
            graph: see `PairsOfData.weights`.
            batch_size: see there.
        """
        return self.gap_of(self.pairs.weights(graph, batch_size=batch_size))

    def gap_of(self, pair_weights: np.ndarray) -> Gap:
        """Return the gap for given weights of the pairs.

        Args:
            pair_weights: weight of each pair, shape `(q,)`, >= 0.
        """
        counted = self.pairs.share * pair_weights
        if counted.sum() <= 0:
            return Gap(np.nan, np.nan, np.nan)
        gaps = [self._gap(counted, squares / floor) for squares, floor in zip(self.squares, self.floors, strict=True)]
        return max(gaps, key=lambda gap: gap.value)

    def _gap(self, counted: np.ndarray, ratios: np.ndarray) -> Gap:
        total = float(counted.sum())
        mean = float(counted @ ratios) / total
        # pairs of the same first end are not independent
        residual = np.bincount(self.pairs.first, counted * (ratios - mean))
        n = max(2, len(np.unique(self.pairs.first)))
        half = _Z * float(np.sqrt(np.square(residual).sum() * n / (n - 1))) / total
        return Gap(mean, max(0.0, mean - half), mean + half)


def target_gap(
    x: Any, targets: Any, *, mixup_alpha: float = 1.0, n_samples: int = 20_000, seed: int = 0
) -> TargetReport:
    """Measure how far mixed targets are from those of the nearest real samples; see the top of this file.

    Pairs are drawn as `intrusion` draws them. See `target_gap_steps` for a version that reports its progress.

    Args:
        x: samples, shape `(m, ...)`, finite, at least 4.
        targets: numbers, shape `(m,)`, finite, not all equal.
        mixup_alpha: lam follows `Beta(mixup_alpha, mixup_alpha)`.
        n_samples: number of mixed samples, approximately.
        seed: seed of the draws.

    Raises:
        ArgumentError: the shapes do not fit, or values are not finite.

    >>> from localmixup import CompleteGraph
    >>> x = np.linspace(0, 1, 200)[:, None]
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=200)
    >>> straight, bent = (target_gap(x, y + noise).gap(CompleteGraph()).value for y in (x[:, 0], np.sin(20 * x[:, 0])))
    >>> straight < 1, bent > 10
    (True, True)
    """
    return run_to_end(target_gap_steps(x, targets, mixup_alpha=mixup_alpha, n_samples=n_samples, seed=seed))


def target_gap_steps(
    x: Any, targets: Any, *, mixup_alpha: float = 1.0, n_samples: int = 20_000, seed: int = 0
) -> Generator[Progress, None, TargetReport]:
    """Do the work of `target_gap` step by step; same arguments.

    Yields:
        The number of mixed samples finished.

    Returns:
        The report.
    """
    y = np.asarray(as_tensor(targets, "targets").detach().cpu().double().numpy())
    rows = len(as_tensor(x))
    if y.shape != (rows,):
        raise ArgumentError(f"targets must hold one number per sample, shape {(rows,)}, got {y.shape}")
    if rows < 4:
        raise ArgumentError(f"x must hold at least 4 samples, got {rows}")
    features, _ = check_samples(x, np.zeros(rows), min_classes=1)
    if not np.isfinite(y).all() or np.ptp(y) == 0:
        raise ArgumentError("targets must be finite and not all equal")
    check_number("mixup_alpha", mixup_alpha, low=1e-3, high=1e6)
    check_integer("n_samples", n_samples, low=100)
    check_integer("seed", seed, low=0)
    if features.numel() <= _DOUBLE_VALUES:
        features = features.double()
    rng = np.random.default_rng(seed)
    centred = features - features.mean(dim=0)
    first, second, rank, share, lam = draw_pairs(centred, mixup_alpha, n_samples, rng)
    nearest, _ = yield from nearest_real_steps(centred, first, second, lam, 1)
    mixed = lam * y[first] + (1 - lam) * y[second]
    smooth, error = _against_smooth(centred, y, first, second, lam, rng)
    squares = np.square(np.stack([mixed - y[nearest[:, 0]], mixed - smooth]))
    # without any noise a thousandth of the variance stands for it: no network fits better by much
    floors = np.maximum([_floor(centred, y, rng), error], 1e-3 * float(y.var()))
    distance = (features[first] - features[second]).norm(dim=1).double().numpy()
    pairs = PairsOfData(features, first, second, distance, rank, share)
    return TargetReport(pairs, lam, nearest[:, 0], squares, floors, y)


def _floor(centred: Tensor, y: np.ndarray, rng: np.random.Generator) -> float:
    """Return the mean squared difference of the targets of real samples and their nearest others."""
    m = len(y)
    rows = np.arange(m) if m <= 4000 else rng.permutation(m)[:2000]
    nearest, _ = run_to_end(nearest_real_steps(centred, rows, rows, np.ones(len(rows)), 1))
    return float(np.square(y[rows] - y[nearest[:, 0]]).mean())


def _against_smooth(
    centred: Tensor, y: np.ndarray, first: np.ndarray, second: np.ndarray, lam: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Return the values at the mixtures of a smooth function without their ends, and its leave-one-out error."""
    m = len(y)
    rows = np.sort(rng.permutation(m)[:_MOST_FITTED])
    fit = smooth_fit(centred[torch.from_numpy(rows)], y[rows])
    position = np.full(m, -1)
    position[rows] = np.arange(len(rows))
    values = np.empty(len(first))
    for start in range(0, len(first), _BLOCK):
        part = slice(start, start + _BLOCK)
        weight = torch.from_numpy(lam[part, None]).to(centred)
        places = weight * centred[first[part]] + (1 - weight) * centred[second[part]]
        values[part] = fit.without(places, position[first[part]], position[second[part]])
    return values, fit.error
