"""From ranks in a whole data set to ranks in a random batch of it."""

from __future__ import annotations

import numpy as np

from localmixup._validate import ArgumentError


def chance_in_batch(rank: np.ndarray, population: int, batch_size: int, n_neighbors: int) -> np.ndarray:
    """Return how likely a neighbour is to be among the nearest ones in a random batch that holds it.

    Let j be the neighbour of rank r of i in the data set. A batch that holds both has `batch_size - 2` other samples,
    a random part of the other `population - 2`, of which `r - 1` are nearer to i than j is. So the number of nearer
    samples in the batch is hypergeometric, and j is among the nearest K if there are fewer than K of them.

    Args:
        rank: rank of j among the neighbours of i in the data set (1 = nearest), any shape.
        population: number of samples of the data set.
        batch_size: number of samples of a batch, at least 2; a batch is never larger than the data set.
        n_neighbors: number K of neighbours that count in the batch.

    Returns:
        Probabilities, in the shape of `rank`.

    Raises:
        ArgumentError: fewer than two samples.

    >>> chance_in_batch(np.array([1, 2, 4]), population=5, batch_size=3, n_neighbors=1).round(3)
    array([1.   , 0.667, 0.   ])
    """
    size = min(batch_size, population)
    if size < 2:
        raise ArgumentError(f"batch_size and population must be at least 2, got {batch_size} and {population}")
    ranks, place = np.unique(rank, return_inverse=True)
    if n_neighbors >= size - 1:
        return np.ones(np.shape(rank))
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, population + 1)))])

    def log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
        possible = (k >= 0) & (k <= n)
        n, k = np.maximum(n, 0), np.where(possible, k, 0)
        return np.where(possible, log_factorial[n] - log_factorial[k] - log_factorial[n - k], -np.inf)

    nearer, counted = (ranks - 1)[:, None], np.arange(n_neighbors)[None]
    farther = population - 2 - nearer
    every = log_choose(np.array(population - 2), np.array(size - 2))
    found = np.exp(log_choose(nearer, counted) + log_choose(farther, size - 2 - counted) - every).sum(axis=1)
    chances: np.ndarray = np.minimum(found, 1.0)[place].reshape(np.shape(rank))
    return chances
