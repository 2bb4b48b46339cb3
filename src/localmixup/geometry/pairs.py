"""Choose the pairs to mix: all of them, or some at every scale of distance."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from torch import Tensor

from localmixup._optional import require
from localmixup.geometry.nearest import sorted_neighbors

LAM_GRID = 9
"""Number of values of lam for each pair when all pairs are tried."""

_BLOCK_BYTES = 256 * 2**20
_FAR_DRAWS = (2, 3, 4)  # draws in the last strata of ranks, which hold most pairs


class MixedPairs(NamedTuple):
    """Pairs of samples and their mixing coefficients, one row each.

    Attributes:
        first: index i, shape `(p,)`.
        second: index j, shape `(p,)`.
        rank: rank of j among the neighbours of i (1 = nearest), shape `(p,)`.
        share: how many ordered pairs of the data the row stands for, up to a common factor, shape `(p,)`.
        lam: share of sample i, shape `(p,)`.
    """

    first: np.ndarray
    second: np.ndarray
    rank: np.ndarray
    share: np.ndarray
    lam: np.ndarray


def all_pairs(centred: Tensor, mixup_alpha: float) -> MixedPairs:
    """Return all ordered pairs, each with `LAM_GRID` equally likely values of lam.

    Args:
        centred: samples about the origin, shape `(m, d)`.
        mixup_alpha: lam follows `Beta(mixup_alpha, mixup_alpha)`.
    """
    m = len(centred)
    order = sorted_neighbors(centred.double(), np.arange(m)).numpy()
    first, second, rank = np.repeat(np.arange(m), m - 1), order.ravel(), np.tile(np.arange(1, m), m)
    grid = (np.arange(LAM_GRID) + 0.5) / LAM_GRID
    if mixup_alpha != 1:
        grid = require("scipy.stats", "geometry").beta.ppf(grid, mixup_alpha, mixup_alpha)
    first, second, rank = (np.repeat(part, LAM_GRID) for part in (first, second, rank))
    return MixedPairs(first, second, rank, np.ones(len(first)), np.tile(grid, m * (m - 1)))


def draw_pairs(centred: Tensor, mixup_alpha: float, n_samples: int, rng: np.random.Generator) -> MixedPairs:
    """Draw anchors, and for each anchor a few partners from every stratum of ranks: 1, 2 to 3, 4 to 7, and so on.

    Args:
        centred: samples about the origin, shape `(m, d)`.
        mixup_alpha: lam follows `Beta(mixup_alpha, mixup_alpha)`.
        n_samples: number of pairs, approximately.
        rng: source of the draws.
    """
    m = len(centred)
    edges = np.unique(np.minimum(2 ** np.arange(int(math.log2(m - 1)) + 2), m))
    strata = list(itertools.pairwise(edges.tolist()))
    draws = [1] * len(strata)
    for k, count in enumerate(reversed(_FAR_DRAWS[-len(strata) :])):
        draws[-1 - k] = count
    anchors = rng.permutation(m)[: max(2, min(m, n_samples // sum(draws)))]
    ranks = np.concatenate(
        [rng.integers(low, high, size=(len(anchors), n)) for (low, high), n in zip(strata, draws, strict=True)], axis=1
    )
    share = np.concatenate([np.full(n, (high - low) / n) for (low, high), n in zip(strata, draws, strict=True)])
    second = np.empty_like(ranks)
    step = max(1, _BLOCK_BYTES // (24 * m))
    for start in range(0, len(anchors), step):
        part = slice(start, start + step)
        second[part] = np.take_along_axis(sorted_neighbors(centred, anchors[part]).numpy(), ranks[part] - 1, axis=1)
    lam = rng.beta(mixup_alpha, mixup_alpha, size=ranks.size)
    first = np.repeat(anchors, ranks.shape[1])
    return MixedPairs(first, second.ravel(), ranks.ravel(), np.tile(share, len(anchors)), lam)
