"""Ranks in a random batch against batches that are drawn."""

import numpy as np
import pytest

from localmixup.geometry.batch_ranks import chance_in_batch


@pytest.mark.parametrize(("population", "size", "k"), [(30, 8, 1), (30, 8, 3), (12, 12, 4), (9, 2, 1)])
def test_the_chance_equals_the_frequency_in_drawn_batches(population, size, k):
    rng = np.random.default_rng(0)
    ranks, draws = np.arange(1, population), 4000
    hits = np.zeros(len(ranks))
    for r in ranks:
        others = np.delete(ranks, r - 1)  # ranks of the samples that may fill the batch
        for _ in range(draws // 10):
            hits[r - 1] += (rng.permutation(others)[: size - 2] < r).sum() < k
    chance = chance_in_batch(ranks, population, size, k)
    np.testing.assert_allclose(chance, hits / (draws // 10), atol=0.1)
    # in a batch, exactly min(k, size - 1) samples are among the k nearest
    assert chance.sum() * (size - 1) / (population - 1) == pytest.approx(min(k, size - 1))


def test_a_batch_of_the_whole_set_keeps_the_ranks_and_all_neighbours_always_count():
    ranks = np.arange(1, 20)
    np.testing.assert_allclose(chance_in_batch(ranks, 20, 20, 5), ranks <= 5)
    np.testing.assert_allclose(chance_in_batch(ranks, 20, 500, 5), ranks <= 5)
    assert (chance_in_batch(ranks, 20, 7, 6) == 1).all()
    assert (chance_in_batch(ranks, 20, 7, 0) == 0).all()


def test_too_few_samples_are_named():
    with pytest.raises(ValueError, match="must be at least 2, got 1 and 20"):
        chance_in_batch(np.arange(3), 20, 1, 1)
