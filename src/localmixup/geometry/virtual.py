"""Virtual samples: mixtures of two samples, and which class the nearest real samples belong to."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from localmixup._distances import distances_of_pairs
from localmixup.geometry._progress import Progress
from localmixup.geometry.nearest import nearest_real_steps
from localmixup.geometry.pairs import MixedPairs


class VirtualSamples(NamedTuple):
    """Virtual samples `lam x_i + (1 - lam) x_j` and the real samples nearest to them, one row each.

    The mixed label is `y~ = lam y_i + (1 - lam) y_j`, with classes as one-hot vectors.

    Attributes:
        first: index i, shape `(p,)`.
        second: index j, shape `(p,)`.
        lam: share of sample i, shape `(p,)`.
        distance: Euclidean distance of i and j, shape `(p,)`.
        rank: rank of j among the neighbours of i (1 = nearest), shape `(p,)`.
        share: how many ordered pairs of the data the row stands for, up to a common factor, shape `(p,)`.
        within: whether i and j are of one class, shape `(p,)`.
        nearest: indices of the k nearest real samples, i and j left out, shape `(p, k)`.
        nearest_distance: distance of the nearest one, shape `(p,)`.
        disagreement: `1 - y~[class of the nearest sample]`, the mean over the k nearest, in [0, 1], shape `(p,)`.
        intrudes: share of the k nearest whose class has no part in y~, shape `(p,)`.
        contradicts: share of the k nearest whose class has a smaller part in y~ than another class, shape `(p,)`.
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


def virtual_samples_steps(
    features: Tensor, centred: Tensor, codes: np.ndarray, pairs: MixedPairs, n_nearest: int
) -> Generator[Progress, None, VirtualSamples]:
    """Mix the pairs and compare each mixed label with the classes of the nearest real samples.

    Args:
        features: samples, shape `(m, d)`.
        centred: the same about the origin.
        codes: class of each sample as a whole number, shape `(m,)`.
        pairs: what to mix.
        n_nearest: number of nearest real samples.

    Yields:
        The number of virtual samples finished.

    Returns:
        The virtual samples, in the order of the pairs.
    """
    first, second, rank, share, lam = pairs
    distance = distances_of_pairs(features, torch.from_numpy(first), torch.from_numpy(second)).double().numpy()
    nearest, nearest_distance = yield from nearest_real_steps(centred, first, second, lam, n_nearest)
    own, other, found = codes[first][:, None], codes[second][:, None], codes[nearest]
    part = np.where(found == own, lam[:, None], 0.0) + np.where(found == other, 1 - lam[:, None], 0.0)
    largest = np.where(own == other, 1.0, np.maximum(lam, 1 - lam)[:, None])
    return VirtualSamples(
        first, second, lam, distance, rank, share, codes[first] == codes[second], nearest, nearest_distance,
        disagreement=(1 - part).mean(axis=1),
        intrudes=((found != own) & (found != other)).mean(axis=1),
        contradicts=(part < largest - 1e-12).mean(axis=1),
    )  # fmt: skip
