"""Class regions of a classifier: how often mixtures fall into a region that their label does not name.

The nearest real sample says little about classes in more than a few dimensions: of two nested spheres in ten
dimensions it is of the wrong class every second time. A support vector machine with a Gaussian kernel finds the regions
there. It is fitted to two thirds of the samples, and judges the mixtures and the samples of the last third; each third
has its turn. The rate of mixtures within a class that it takes for another class, minus its error on the samples
themselves, is what mixing adds: the *excess*. It predicts whether mixup harms; see docs/inspect.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from localmixup import LocalMixup
from localmixup._optional import require
from localmixup._validate import ArgumentError, check_integer, check_number
from localmixup.geometry._inputs import check_samples
from localmixup.geometry._progress import Progress, run_to_end
from localmixup.geometry.mixing import PairsOfData
from localmixup.geometry.pairs import draw_pairs
from localmixup.geometry.rates import Rate, weighted_rate
from localmixup.graphs import CompleteGraph, LocalityGraph

_FOLDS = 3
_TOLERANCE = 0.01
_PENALTY = 10.0  # of the support vector machine
_BLOCK = 4096


class RegionPart(NamedTuple):
    """The mixtures of one third of the samples, judged by a classifier that was fitted to the others.

    Attributes:
        pairs: the mixed pairs; indices are those of this third.
        within: whether both ends are of one class, shape `(q,)`.
        intrudes: whether the mixture is taken for a class that has no part in its label, shape `(q,)`.
    """

    pairs: PairsOfData
    within: np.ndarray
    intrudes: np.ndarray


@dataclass(frozen=True)
class RegionReport:
    """How often mixtures fall into regions that their label does not name.

    Attributes:
        parts: the mixtures.
        error: share of the samples themselves that the classifier gets wrong.
        rows: number of samples that were measured.
    """

    parts: tuple[RegionPart, ...]
    error: Rate
    rows: int

    def rates(self, graph: LocalityGraph, *, batch_size: int | None = None) -> dict[str, Rate]:
        """Return the rates of intrusion over `"all"` pairs that a graph keeps, and over those `"within"` a class.

        Args:
            graph: see `PairsOfData.weights`.
            batch_size: see there.
        """
        # every sample counts alike, also where the thirds differ by one
        return self._rates(lambda pairs: pairs.weights(graph, batch_size=batch_size) / (len(pairs.features) - 1))

    def rates_of_recipe(self, mix: LocalMixup, *, batch_size: int) -> dict[str, Rate]:
        """Return the rates of intrusion over the pairs that a recipe mixes; see `rates`.

        Args:
            mix: see `PairsOfData.mixing`.
            batch_size: number of samples of a batch of the training loop.
        """
        return self._rates(lambda pairs: pairs.mixing(mix, batch_size=batch_size).frequency / pairs.share)

    @property
    def accepted_within(self) -> float:
        """The rate of intrusion within classes that counts as no more than the error on the samples themselves.

        One point, or the standard error of that error, is left for chance.
        """
        error = self.error.value
        return error + max(_TOLERANCE, math.sqrt(error * (1 - error) / self.rows))

    @property
    def excess(self) -> float:
        """The rate of intrusion of mixup within classes, minus the error on the samples themselves."""
        return self.rates(CompleteGraph())["within"].value - self.error.value

    def _rates(self, weigh: Callable[[PairsOfData], np.ndarray]) -> dict[str, Rate]:
        weights = np.concatenate([part.pairs.share * weigh(part.pairs) for part in self.parts])
        intrudes = np.concatenate([part.intrudes for part in self.parts]).astype(float)
        within = np.concatenate([part.within for part in self.parts])
        starts = np.cumsum([0, *(len(part.pairs.features) for part in self.parts[:-1])])
        first = np.concatenate([part.pairs.first + start for part, start in zip(self.parts, starts, strict=True)])
        return {
            "all": weighted_rate(weights, intrudes, first, exact=False),
            "within": weighted_rate(weights[within], intrudes[within], first[within], exact=False),
        }


def class_regions(
    x: Any,
    labels: Any,
    *,
    mixup_alpha: float = 1.0,
    n_samples: int = 20_000,
    max_samples: int = 2000,
    seed: int = 0,
) -> RegionReport:
    """Measure how often mixtures fall into regions that their label does not name; see the top of this file.

    See `class_regions_steps` for a version that reports its progress.

    Args:
        x: samples, shape `(m, ...)`, finite, at least 12. Standardise columns of different units first.
        labels: class of each sample, shape `(m,)`, at least two classes.
        mixup_alpha: lam follows `Beta(mixup_alpha, mixup_alpha)`.
        n_samples: number of mixed samples, approximately.
        max_samples: of larger data so many random samples are measured.
        seed: seed of the draws.

    Raises:
        ArgumentError: the shapes do not fit, values are not finite, or there are too few samples or classes.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 3))
    >>> plane, shell = class_regions(x, x[:, 0] > 0), class_regions(x, (x**2).sum(axis=1) > 2.4)
    >>> plane.excess < 0.01, shell.excess > 0.1
    (True, True)
    """
    return run_to_end(
        class_regions_steps(x, labels, mixup_alpha=mixup_alpha, n_samples=n_samples, max_samples=max_samples, seed=seed)
    )


def class_regions_steps(
    x: Any,
    labels: Any,
    *,
    mixup_alpha: float = 1.0,
    n_samples: int = 20_000,
    max_samples: int = 2000,
    seed: int = 0,
) -> Generator[Progress, None, RegionReport]:
    """Do the work of `class_regions` step by step; same arguments.

    Yields:
        The number of thirds finished.

    Returns:
        The report.
    """
    features, given = check_samples(x, labels)
    check_number("mixup_alpha", mixup_alpha, low=1e-3, high=1e6)
    check_integer("n_samples", n_samples, low=100)
    check_integer("max_samples", max_samples, low=12)
    check_integer("seed", seed, low=0)
    if len(features) < 12:
        raise ArgumentError(f"x must hold at least 12 samples, got {len(features)}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(features))[:max_samples]
    features, codes = features[torch.from_numpy(order)], np.unique(given[order], return_inverse=True)[1]
    # by turns within each class, so that every third has its share of each
    turn = np.empty(len(codes), dtype=int)
    turn[np.argsort(codes, kind="stable")] = np.arange(len(codes)) % _FOLDS
    parts, wrong = [], np.zeros(len(codes))
    for fold in range(_FOLDS):
        held = np.flatnonzero(turn == fold)
        part, wrong[held] = _judged(features, codes, held, mixup_alpha, n_samples // _FOLDS, rng)
        parts.append(part)
        yield Progress(fold + 1, _FOLDS)
    error = weighted_rate(np.ones(len(codes)), wrong, np.arange(len(codes)), exact=False)
    return RegionReport(tuple(parts), error, len(codes))


def _judged(
    features: Tensor, codes: np.ndarray, held: np.ndarray, mixup_alpha: float, count: int, rng: np.random.Generator
) -> tuple[RegionPart, np.ndarray]:
    """Return the mixtures of the samples held out, and which of these samples the classifier gets wrong."""
    fitted = np.setdiff1d(np.arange(len(codes)), held)
    values, own = features.numpy(), codes[held]
    predict = _classifier(values[fitted], codes[fitted])
    mine = features[torch.from_numpy(held)]
    first, second, rank, share, lam = draw_pairs(mine - mine.mean(dim=0), mixup_alpha, max(100, count), rng)
    x, found = values[held], np.empty(len(first), dtype=codes.dtype)
    for start in range(0, len(first), _BLOCK):
        part = slice(start, start + _BLOCK)
        weight = lam[part, None].astype(x.dtype)
        found[part] = predict(weight * x[first[part]] + (1 - weight) * x[second[part]])
    distance = (mine[first] - mine[second]).norm(dim=1).double().numpy()
    pairs = PairsOfData(mine, first, second, distance, rank, share)
    intrudes = (found != own[first]) & (found != own[second])
    return RegionPart(pairs, own[first] == own[second], intrudes), predict(x) != own


def _classifier(x: np.ndarray, codes: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    if len(np.unique(codes)) < 2:
        return lambda rows: np.full(len(rows), codes[0])
    machine = require("sklearn.svm", "geometry").SVC(C=_PENALTY, gamma="scale").fit(x, codes)
    predict: Callable[[np.ndarray], np.ndarray] = machine.predict
    return predict
