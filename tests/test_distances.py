"""Distances of pairs and of batches against loops, wherever a fast formula could lose digits."""

import numpy as np
import pytest
import reference
import torch
from helpers import generator
from hypothesis import given
from hypothesis import strategies as st

import localmixup._distances
import localmixup._nearest
from localmixup._distances import (
    distance_matrix,
    distances_between,
    distances_of_pairs,
    pair_distances,
)
from localmixup._nearest import fast_distance_matrix, nearest_draw

METRICS = ["euclidean", "rms", "cosine"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_distances_agree_with_a_loop(metric, offset):
    # more than 25 rows: from there on torch.cdist uses its inaccurate product form
    x = torch.randn(40, 3, 4, 4, generator=generator()) + offset
    slow = reference.distance_matrix(x, metric)
    partner = torch.arange(40).roll(7)
    pairs = pair_distances(x, partner, metric)
    np.testing.assert_allclose(pairs, slow[np.arange(40), partner], rtol=2e-6, atol=1e-9)
    assert pairs.dtype == torch.float32
    matrix = distance_matrix(x, metric)
    np.testing.assert_allclose(matrix, slow, rtol=1e-5, atol=1e-6)
    assert (matrix.diagonal() == 0).all()
    i, j = torch.triu_indices(40, 40)
    np.testing.assert_allclose(distances_of_pairs(x, i, j, metric), slow[i, j], rtol=2e-6, atol=1e-9)
    # good enough to draw partners: errors of some 1e-6 of the largest distance, also for near pairs
    np.testing.assert_allclose(fast_distance_matrix(x, metric), slow, atol=3e-6 * slow.max())


@pytest.mark.parametrize("scale", [1e-14, 1e-9, 1.0, 1e17])
def test_every_path_has_the_same_range(scale):
    x = torch.randn(20, 6, generator=generator(), dtype=torch.float64)
    exact, cosine = reference.distance_matrix(x), reference.distance_matrix(x, "cosine")
    small = (x * scale).float()
    partner = torch.arange(20).roll(1)
    places = np.arange(20), partner.numpy()
    np.testing.assert_allclose(pair_distances(small, partner).double() / scale, exact[places], rtol=1e-5)
    for matrix in (distance_matrix(small), fast_distance_matrix(small)):
        np.testing.assert_allclose(matrix.double() / scale, exact, rtol=1e-5)
    np.testing.assert_allclose(distance_matrix(small, "cosine"), cosine, atol=1e-6)
    np.testing.assert_allclose(pair_distances(small, partner, "cosine"), cosine[places], atol=1e-6)
    nearest = torch.stack([nearest_draw(small, 3, torch.full((20,), place)) for place in range(3)], dim=1)
    np.testing.assert_array_equal(nearest.sort().values, np.sort(np.argsort(exact + 1e9 * np.eye(20))[:, :3]))


@given(st.integers(2, 30), st.sampled_from(METRICS), st.integers(0, 1000))
def test_equal_rows_are_exactly_0_apart(n, metric, seed):
    x = torch.randn(1, 17, generator=generator(seed)).repeat(n, 1) + 50
    assert (distance_matrix(x, metric) == 0).all()
    assert (fast_distance_matrix(x, metric) == 0).all()
    assert (pair_distances(x, torch.arange(n).roll(1), metric) == 0).all()


def test_tight_clusters_that_are_far_apart_keep_their_distances():
    x = torch.randn(40, 5, generator=generator()) * 3e-3
    x[20:] += 1e3
    exact = (x.double()[:, None] - x.double()[None]).norm(dim=2)
    np.testing.assert_allclose(distance_matrix(x), exact, rtol=1e-6)
    near = exact < 1
    np.testing.assert_allclose(fast_distance_matrix(x)[near], exact[near], rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_rows_of_the_size_of_imagenet_are_accurate(dtype):
    x = (torch.randn(4, 3, 224, 224, generator=generator()) * 2).to(dtype)
    partner = torch.tensor([1, 2, 3, 0])
    exact = (x.double() - x[partner].double()).flatten(1).norm(dim=1)
    np.testing.assert_allclose(pair_distances(x, partner), exact, rtol=5e-7)
    np.testing.assert_allclose(distance_matrix(x)[torch.arange(4), partner], exact, rtol=1e-6)


def test_near_pairs_far_from_the_origin_keep_their_distance():
    x = torch.full((12, 3072), 100.0)
    x[1:, 0] += 0.0625 * torch.arange(1, 12)
    for matrix in (distance_matrix(x), fast_distance_matrix(x)):
        np.testing.assert_allclose(matrix[0], 0.0625 * np.arange(12), rtol=1e-6)


def _draws(x, k):
    """All partners that `nearest_draw` can give to each row, sorted."""
    places = [nearest_draw(x, k, torch.full((len(x),), place)) for place in range(k)]
    return torch.stack(places, dim=1).sort().values


@given(
    st.integers(3, 24),
    st.integers(1, 3),
    st.sampled_from([0.0, 1000.0]),
    st.integers(0, 2**31),
    st.booleans(),
    st.data(),
)
def test_the_nearest_are_drawn_each_once_and_ties_go_to_the_lower_index(n, d, offset, seed, double, draw):
    k = draw.draw(st.integers(1, n - 2))
    # on a grid, distances are exact in float32; many are equal, and some rows are
    x = torch.randint(0, 4, (n, d), generator=generator(seed)) * 0.125 + offset
    expected = np.stack([row.nonzero()[0] for row in reference.knn(x, k) - np.eye(n)])
    x = x.double() if double else x  # another search
    np.testing.assert_array_equal(_draws(x, k), expected)


def test_the_nearest_of_a_large_batch_are_those_of_the_direct_distances(monkeypatch):
    monkeypatch.setattr(localmixup._nearest, "_WORTH_HALF", 0)  # half a product, in blocks
    monkeypatch.setattr(localmixup._nearest, "_COLUMNS", 16)
    x = torch.randn(150, 40, generator=generator()) + 10
    distances = torch.cdist(x.double(), x.double(), compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(9e9)
    np.testing.assert_array_equal(_draws(x, 5), distances.topk(5, largest=False).indices.sort().values)


def test_neighbors_that_the_product_cannot_tell_apart_are_measured_again(monkeypatch):
    measured = []
    again = localmixup._nearest.distances_of_pairs
    monkeypatch.setattr(
        localmixup._nearest, "distances_of_pairs", lambda *pairs: measured.append(len(pairs[1])) or again(*pairs)
    )
    # corners of a simplex that are moved a little: all distances agree to five digits, and they are accurate to six
    x = torch.eye(60) * 100 + torch.randn(60, 60, generator=generator()) * 3e-3
    distances = torch.cdist(x.double(), x.double(), compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(9e9)
    expected = distances.topk(5, largest=False).indices.sort().values.numpy()
    found = _draws(x, 5).numpy()
    assert 0 < measured[0] < 60 * 59 // 2  # a part of them
    right = np.mean([len(np.intersect1d(*rows)) for rows in zip(found, expected, strict=True)])
    assert right > 4.98
    product = localmixup._nearest._keys_by_product(x)[0].fill_diagonal_(9e9).topk(5, largest=False).indices.numpy()
    assert np.mean([len(np.intersect1d(*rows)) for rows in zip(product, expected, strict=True)]) < right


def test_a_metric_of_the_user_is_used():
    def city_block(a, b):
        return (a - b).abs().flatten(1).sum(1)

    x = torch.tensor([[0.0, 0.0], [1.0, 2.0], [5.0, 5.0]])
    assert pair_distances(x, torch.tensor([1, 2, 0]), city_block).tolist() == [3.0, 7.0, 10.0]
    for matrix in (distance_matrix(x, city_block), fast_distance_matrix(x, city_block)):
        assert matrix[0].tolist() == [0.0, 3.0, 10.0]
    assert nearest_draw(x, 1, torch.zeros(3, dtype=torch.long), city_block).tolist() == [1, 0, 1]


@pytest.mark.parametrize("returned", [lambda a, b: (a - b).abs(), lambda a, b: 1.0])
def test_a_metric_that_does_not_return_one_distance_per_pair_is_refused(returned):
    with pytest.raises(ValueError, match=r"metric must return one distance per pair, .*shape \(2,\)"):
        pair_distances(torch.zeros(2, 3), torch.tensor([1, 0]), returned)


def test_an_unknown_metric_is_refused_with_a_suggestion():
    with pytest.raises(ValueError, match="did you mean 'cosine'"):
        distance_matrix(torch.zeros(2, 3), "cosin")


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=6), st.floats(-1e3, 1e3, width=32))
def test_distances_are_a_metric_and_do_not_change_under_shifts(values, shift):
    x = torch.tensor(values, dtype=torch.float64)[:, None]
    d = distance_matrix(x)
    assert torch.equal(d, d.T)
    assert (d >= 0).all()
    assert (d[:, :, None] + d[None] - d[:, None] >= -1e-6).all()  # triangle inequality
    torch.testing.assert_close(distance_matrix(x + shift), d, rtol=1e-9, atol=1e-6)


def test_blocks_do_not_change_the_result(monkeypatch):
    x = torch.randn(20, 5, generator=generator())
    i, j = torch.triu_indices(20, 20)
    whole = distances_of_pairs(x, i, j)
    monkeypatch.setattr(localmixup._distances, "_BLOCK_BYTES", 64)
    assert torch.equal(distances_of_pairs(x, i, j), whole)
    assert distances_between(x[:0], x[:0]).shape == (0,)


@pytest.mark.parametrize("exponent", [-30, -25, -18, -12, 0, 12, 18, 20, 30])
def test_every_path_measures_any_scale(exponent):
    """Squares that do not fit into float32."""
    x = torch.randn(12, 3, generator=generator()) * 10.0**exponent
    expected = torch.cdist(x.double(), x.double())
    partner = torch.arange(11, -1, -1)
    unit = 10.0**exponent
    for matrix in (distance_matrix(x), fast_distance_matrix(x)):
        torch.testing.assert_close(matrix.double() / unit, expected / unit, rtol=1e-6, atol=1e-6)
    along = pair_distances(x, partner).double()
    torch.testing.assert_close(along / unit, expected[torch.arange(12), partner] / unit, rtol=1e-6, atol=1e-6)
    nearest = nearest_draw(x, 1, torch.zeros(12, dtype=torch.long))
    assert torch.equal(nearest, expected.fill_diagonal_(torch.inf).argmin(dim=1))
