"""k-Mixup against all matchings."""

import itertools
import math

import pytest
import torch

from localmixup.lab.methods.kmixup import match


def cost(x, other, order):
    return sum(float((x[i] - other[j]).double().square().sum()) for i, j in enumerate(order))


@pytest.mark.parametrize("shape", [(5, 3), (4, 2, 2, 2), (1, 1)])
def test_the_matching_is_the_best_of_all(shape):
    g = torch.Generator().manual_seed(1)
    for offset in (0.0, 1000.0):
        x, other = torch.randn(shape, generator=g) + offset, torch.randn(shape, generator=g) + offset
        best = min(itertools.permutations(range(shape[0])), key=lambda order: cost(x, other, order))
        assert match(x, other, k=shape[0]).tolist() == list(best)


def test_squares_decide_not_distances():
    # distances 0 + 3 = 3 beat 2 + 1.1; squares 4 + 1.21 beat 0 + 9
    x, other = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[0.0, 0.0], [-0.5, 1.0]])
    by_square = min([(0, 1), (1, 0)], key=lambda order: cost(x, other, order))
    by_distance = min([(0, 1), (1, 0)], key=lambda o: sum(float((x[i] - other[j]).norm()) for i, j in enumerate(o)))
    assert by_square != by_distance
    assert match(x, other, k=2).tolist() == list(by_square)


@pytest.mark.parametrize("k", [1, 4, 5, 100])
def test_pairs_of_the_batch_are_matched_in_blocks(make, points, k):
    x, y = points
    found = make("k-mixup", k=k).plan(x, y, 12).partner
    drawn = make("mixup").plan(x, y, 12).partner
    for start in range(0, 12, k):
        block = slice(start, start + k)
        assert sorted(found[block].tolist()) == sorted(drawn[block].tolist())
        if k <= 5:
            candidates = itertools.permutations(drawn[block].tolist())
            best = min(cost(x[block], x[list(order)], range(len(order))) for order in candidates)
            assert cost(x[block], x[found[block]], range(len(found[block]))) == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("k", [1, 3, 4])
def test_pairs_of_the_set_are_random_ones_matched_in_blocks(make, points, k):
    x, y = points
    for seed in range(5):
        first, second = make("k-mixup", k=k, seed=seed).pairs(x, y).sample(10)
        before_first, before = make("mixup", seed=seed).pairs(x, y).sample(10)
        assert torch.equal(first, before_first)
        for start in range(0, 10, k):
            block = slice(start, min(10, start + k))
            assert sorted(second[block].tolist()) == sorted(before[block].tolist())
            size = block.stop - start
            best = min(cost(x[first[block]], x[before[block]], o) for o in itertools.permutations(range(size)))
            assert cost(x[first[block]], x[second[block]], range(size)) == pytest.approx(best, rel=1e-6)


def test_larger_blocks_give_nearer_pairs(make):
    x = torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
    means = []
    for k in (1, 4, 16, 64):
        first, second = make("k-mixup", k=k).pairs(x, torch.zeros(256)).sample(256)
        assert (first.bincount() == 1).all()
        means.append(float((x[first] - x[second]).square().sum(1).mean()))
    assert means == sorted(means, reverse=True)
    assert means[-1] < means[0] / 4


@pytest.mark.parametrize("k", [0, -2, 1.5, math.inf, math.nan])
def test_bad_block_sizes_are_refused(make, k):
    with pytest.raises(ValueError, match="k must be"):
        make("k-mixup", k=k)
