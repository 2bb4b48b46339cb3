"""Class regions: how often mixtures fall where their label does not name the class.

Two classifiers say which class a place belongs to: a support vector machine with a Gaussian kernel, whose width and
penalty are chosen by cross-validation, and a vote of the five nearest samples. The first sees regions in many columns
too, where the nearest samples say little (of nested spheres in ten dimensions they are often of the wrong class); the
second sees fine structure that the first may smooth away. Both are fitted to two thirds of the samples, and judge the
mixtures and the samples of the last third; each third has its turn. The rate of mixtures within a class that they take
for another class, minus their error on the samples themselves, is what mixing adds: the *excess*. It predicts whether
mixup harms; see docs/inspect.md.
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
_WIDTHS = (0.1, 0.3, 1.0, 3.0, 10.0)  # of the kernel, times scikit-learn's gamma="scale"
_PENALTIES = (1.0, 10.0, 100.0)
_VOTES = 5
_BLOCK = 4096


class RegionPart(NamedTuple):
    """The mixtures of one third of the samples, judged by classifiers that were fitted to the others.

    Attributes:
        pairs: the mixed pairs; indices are those of this third.
        within: whether both ends are of one class, shape `(q,)`.
        intrudes: whether each classifier takes the mixture for a class without a part in its label, shape `(2, q)`.
    """

    pairs: PairsOfData
    within: np.ndarray
    intrudes: np.ndarray


@dataclass(frozen=True)
class RegionReport:
    """How often mixtures fall into regions that their label does not name.

    Attributes:
        parts: the mixtures.
        error: share of the samples themselves that the classifiers get wrong, on average.
        errors: the same for each classifier.
        rows: number of samples that were measured.
    """

    parts: tuple[RegionPart, ...]
    error: Rate
    errors: tuple[float, ...]
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

    def accepts(self, mix: LocalMixup, *, batch_size: int) -> bool:
        """Return whether each classifier, on its own, finds no more confusion in a recipe than in the samples.

        One point, or the standard error of its error on the samples, is left for chance.

        Args:
            mix: see `PairsOfData.mixing`.
            batch_size: number of samples of a batch of the training loop.
        """
        weights = self._weights(lambda pairs: pairs.mixing(mix, batch_size=batch_size).frequency / pairs.share)
        within = np.concatenate([part.within for part in self.parts])
        total = float(weights[within].sum())
        if total <= 0:  # without a pair within a class there is nothing to confuse
            return True
        intrudes = np.concatenate([part.intrudes for part in self.parts], axis=1)
        rates = intrudes[:, within] @ weights[within] / total
        return all(rate <= self._accepted(error) for rate, error in zip(rates, self.errors, strict=True))

    @property
    def accepted_within(self) -> float:
        """The rate of intrusion within classes that counts as no more than the error on the samples; see `accepts`."""
        return self._accepted(self.error.value)

    def _accepted(self, error: float) -> float:
        return error + max(_TOLERANCE, math.sqrt(error * (1 - error) / self.rows))

    @property
    def excess(self) -> float:
        """The rate of intrusion of mixup within classes, minus the error on the samples themselves."""
        return self.rates(CompleteGraph())["within"].value - self.error.value

    def _weights(self, weigh: Callable[[PairsOfData], np.ndarray]) -> np.ndarray:
        return np.concatenate([part.pairs.share * weigh(part.pairs) for part in self.parts])

    def _rates(self, weigh: Callable[[PairsOfData], np.ndarray]) -> dict[str, Rate]:
        weights = self._weights(weigh)
        intrudes = np.concatenate([part.intrudes.mean(axis=0) for part in self.parts])
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
        The number of steps finished: one for each width of the kernel, and one for each third.

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
    squares = _squares(features, features)
    steps = len(_WIDTHS) + _FOLDS
    width, penalty = yield from _chosen(squares, codes, turn, _scale(features), steps)
    parts, wrong = [], np.zeros((2, len(codes)))
    for fold in range(_FOLDS):
        held = np.flatnonzero(turn == fold)
        judges = _judges(squares, codes, np.flatnonzero(turn != fold), width, penalty)
        parts.append(_judged(features, codes, held, np.flatnonzero(turn != fold), judges, mixup_alpha, n_samples, rng))
        wrong[:, held] = [judge(squares[held][:, turn != fold]) != codes[held] for judge in judges]
        yield Progress(len(_WIDTHS) + fold + 1, steps)
    error = weighted_rate(np.ones(len(codes)), wrong.mean(axis=0), np.arange(len(codes)), exact=False)
    return RegionReport(tuple(parts), error, tuple(wrong.mean(axis=1).tolist()), len(codes))


def _squares(a: Tensor, b: Tensor) -> np.ndarray:
    """Return the squared distances of rows, shape `(len(a), len(b))`, float64; the product form is accurate enough."""
    centre = b.mean(dim=0)
    squares: np.ndarray = torch.cdist((a - centre).double(), (b - centre).double()).square_().numpy()
    return squares


def _scale(features: Tensor) -> float:
    """Return what scikit-learn calls gamma="scale"; 1 for constant samples."""
    spread = features.shape[1] * float(features.double().var(unbiased=False))
    return 1 / spread if spread > 0 else 1.0


def _chosen(
    squares: np.ndarray, codes: np.ndarray, turn: np.ndarray, scale: float, steps: int
) -> Generator[Progress, None, tuple[float, float]]:
    """Return the width (over the squared distance) and the penalty with the lowest error on the thirds left out."""
    best, found = math.inf, (scale, 1.0)
    for done, times in enumerate(_WIDTHS):
        kernel = np.exp(-times * scale * squares)
        for penalty in _PENALTIES:
            wrong = 0
            for fold in range(_FOLDS):
                fitted = turn != fold
                predict = _machine(kernel[np.ix_(fitted, fitted)], codes[fitted], penalty)
                wrong += int((predict(kernel[np.ix_(~fitted, fitted)]) != codes[~fitted]).sum())
            if wrong < best:
                best, found = wrong, (times * scale, penalty)
        yield Progress(done + 1, steps)
    return found


def _judges(
    squares: np.ndarray, codes: np.ndarray, fitted: np.ndarray, width: float, penalty: float
) -> tuple[Callable[[np.ndarray], np.ndarray], ...]:
    """Return the two classifiers: functions of the squared distances to the samples they were fitted to."""
    machine = _machine(np.exp(-width * squares[np.ix_(fitted, fitted)]), codes[fitted], penalty)
    classes, own = int(codes.max()) + 1, codes[fitted]
    votes = min(_VOTES, len(fitted))

    def vote(rows: np.ndarray) -> np.ndarray:
        nearest = own[np.argpartition(rows, votes - 1, axis=1)[:, :votes]]
        most: np.ndarray = (nearest[:, :, None] == np.arange(classes)).sum(axis=1).argmax(axis=1)
        return most

    def region(rows: np.ndarray) -> np.ndarray:
        return machine(np.exp(-width * rows))

    return region, vote


def _judged(
    features: Tensor, codes: np.ndarray, held: np.ndarray, fitted: np.ndarray,
    judges: tuple[Callable[[np.ndarray], np.ndarray], ...], mixup_alpha: float, n_samples: int,
    rng: np.random.Generator,
) -> RegionPart:  # fmt: skip
    """Return the mixtures of the samples held out, judged by classifiers that do not know them."""
    own, mine, others = codes[held], features[torch.from_numpy(held)], features[torch.from_numpy(fitted)]
    count = max(100, n_samples // _FOLDS)
    first, second, rank, share, lam = draw_pairs(mine - mine.mean(dim=0), mixup_alpha, count, rng)
    intrudes = np.empty((len(judges), len(first)))
    for start in range(0, len(first), _BLOCK):
        part = slice(start, start + _BLOCK)
        weight = torch.from_numpy(lam[part, None]).to(mine)
        rows = _squares(weight * mine[first[part]] + (1 - weight) * mine[second[part]], others)
        found = np.stack([judge(rows) for judge in judges])
        intrudes[:, part] = (found != own[first[part]]) & (found != own[second[part]])
    distance = (mine[first] - mine[second]).norm(dim=1).double().numpy()
    return RegionPart(PairsOfData(mine, first, second, distance, rank, share), own[first] == own[second], intrudes)


def _machine(kernel: np.ndarray, codes: np.ndarray, penalty: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a support vector machine, fitted to the kernel of its samples: a function of the kernel to them."""
    if len(np.unique(codes)) < 2:
        return lambda rows: np.full(len(rows), codes[0])
    machine = require("sklearn.svm", "geometry").SVC(C=penalty, kernel="precomputed").fit(kernel, codes)
    predict: Callable[[np.ndarray], np.ndarray] = machine.predict
    return predict
