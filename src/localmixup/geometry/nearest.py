"""Find the real samples nearest to mixed ones."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor

from localmixup.geometry._progress import Progress

_BLOCK_BYTES = 256 * 2**20


def squared_distances(rows: Tensor, centred: Tensor) -> Tensor:
    """Return squared distances by a matrix product, shape `(r, m)`; tiny ones may be off and even negative.

    Args:
        rows: shape `(r, d)`.
        centred: samples about the origin, shape `(m, d)`.
    """
    lengths = centred.square().sum(dim=1)
    return torch.addmm(lengths[None], rows, centred.T, alpha=-2).add_(rows.square().sum(dim=1)[:, None])


def sorted_neighbors(centred: Tensor, anchors: np.ndarray) -> Tensor:
    """Return all other samples of each anchor from the nearest to the farthest, shape `(a, m - 1)`.

    Args:
        centred: samples about the origin, shape `(m, d)`.
        anchors: indices of samples, shape `(a,)`.
    """
    rows = torch.from_numpy(anchors)
    squares = squared_distances(centred[rows], centred)
    squares[torch.arange(len(rows)), rows] = -torch.inf
    return squares.argsort(dim=1, stable=True)[:, 1:]


def nearest_real_steps(
    centred: Tensor, first: np.ndarray, second: np.ndarray, lam: np.ndarray, n_nearest: int
) -> Generator[Progress, None, tuple[np.ndarray, np.ndarray]]:
    """Find the real samples nearest to `lam x_first + (1 - lam) x_second`, leaving out the two ends.

    A matrix product proposes a few candidates; their distances are then computed from differences. Of samples at the
    same distance a random one counts as nearer, because files are often sorted by class.

    Args:
        centred: samples about the origin, shape `(m, d)`.
        first: index of one end, shape `(p,)`.
        second: index of the other end, shape `(p,)`.
        lam: share of the first end, shape `(p,)`.
        n_nearest: how many samples to find.

    Yields:
        The number of mixed samples finished.

    Returns:
        Indices of the nearest samples, shape `(p, n_nearest)`, and the distance of the nearest one, shape `(p,)`.
    """
    m, p = len(centred), len(first)
    order = np.random.default_rng(0).permutation(m)
    place = np.argsort(order)
    centred = centred[torch.from_numpy(order)]
    i_all, j_all = torch.from_numpy(place[first]), torch.from_numpy(place[second])
    shares = torch.from_numpy(lam).to(centred.dtype)[:, None]
    lengths = centred.square().sum(dim=1)
    nearest, distance = np.empty((p, n_nearest), dtype=np.int64), np.empty(p)
    step = max(1, min(2048, _BLOCK_BYTES // (centred.element_size() * m)))
    n_candidates = min(m - 2, n_nearest + 2)
    for start in range(0, p, step):
        part = slice(start, min(p, start + step))
        i, j, share = i_all[part], j_all[part], shares[part]
        mixed = centred[j] + share * (centred[i] - centred[j])
        squares = torch.addmm(lengths[None], mixed, centred.T, alpha=-2)
        rows = torch.arange(len(i))
        squares[rows, i] = torch.inf
        squares[rows, j] = torch.inf
        candidates = squares.topk(n_candidates, dim=1, largest=False).indices.sort(dim=1).values
        exact = torch.linalg.vector_norm(centred[candidates] - mixed[:, None], dim=2)
        chosen = exact.argsort(dim=1, stable=True)[:, :n_nearest]
        nearest[part] = order[candidates.gather(1, chosen).numpy()]
        distance[part] = exact.gather(1, chosen[:, :1])[:, 0].double().numpy()
        yield Progress(part.stop, p)
    return nearest, distance
