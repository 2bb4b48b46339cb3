import numpy as np
import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st

from localmixup._distances import distance_matrix, distances_between, distances_of_pairs, pair_distances

METRICS = ["euclidean", "rms", "cosine"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_pair_distances_agree_with_a_loop(metric, offset):
    torch.manual_seed(0)
    x = torch.randn(12, 3, 4, 4) + offset
    partner = torch.randperm(12)
    ours = pair_distances(x, partner, metric)
    slow = [reference.distance(x[i], x[partner[i]], metric) for i in range(12)]
    np.testing.assert_allclose(ours, slow, rtol=1e-6, atol=1e-12)
    assert ours.dtype == torch.float32


@pytest.mark.parametrize("metric", METRICS)
def test_matrix_agrees_with_a_loop_and_with_pairs(metric):
    torch.manual_seed(1)
    x = torch.randn(40, 7) + 100  # more than 25 rows: where torch.cdist turns to its inaccurate product form
    matrix = distance_matrix(x, metric)
    np.testing.assert_allclose(matrix, reference.distance_matrix(x, metric), rtol=1e-5, atol=1e-6)
    assert (matrix.diagonal() == 0).all()
    i, j = torch.triu_indices(40, 40)
    torch.testing.assert_close(distances_of_pairs(x, i, j, metric), matrix[i, j], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e20])
def test_the_cosine_knows_no_scale(scale):
    x = torch.randn(12, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = reference.distance_matrix(x, "cosine")
    given = (x * scale).float()
    partner = torch.arange(12).roll(1)
    np.testing.assert_allclose(distance_matrix(given, "cosine"), expected, atol=1e-6)
    np.testing.assert_allclose(pair_distances(given, partner, "cosine"), expected[np.arange(12), partner], atol=1e-6)


def test_tight_clusters_far_apart_keep_their_distances():
    g = torch.Generator().manual_seed(0)
    x = torch.cat([torch.randn(20, 5, generator=g) * 1e-3, 1e3 + torch.randn(20, 5, generator=g) * 1e-3])
    exact = (x.double()[:, None] - x.double()[None]).norm(dim=2)
    np.testing.assert_allclose(distance_matrix(x), exact, rtol=1e-6)


def test_matrix_of_long_rows_agrees_with_pairs():
    x = torch.randn(6, 10_000, generator=torch.Generator().manual_seed(0))
    partner = torch.tensor([1, 2, 3, 4, 5, 0])
    expected = pair_distances(x, partner)
    torch.testing.assert_close(distance_matrix(x)[torch.arange(6), partner], expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_imagenet_sized_rows_are_accurate(dtype):
    x = (torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2).to(dtype)
    partner = torch.tensor([1, 2, 3, 0])
    exact = (x.double() - x[partner].double()).flatten(1).norm(dim=1)
    np.testing.assert_allclose(pair_distances(x, partner), exact, rtol=5e-7)


def test_near_pairs_far_from_the_origin_keep_their_distance():
    x = torch.full((2, 3072), 100.0)
    x[1, 0] += 0.0625
    assert pair_distances(x, torch.tensor([1, 0])).tolist() == [0.0625, 0.0625]
    assert distance_matrix(x)[0, 1] == 0.0625


def test_a_metric_of_ones_own_is_used():
    def city_block(a, b):
        return (a - b).abs().flatten(1).sum(1)

    x = torch.tensor([[0.0, 0.0], [1.0, 2.0], [5.0, 5.0]])
    assert pair_distances(x, torch.tensor([1, 2, 0]), city_block).tolist() == [3.0, 7.0, 10.0]
    assert distance_matrix(x, city_block)[0].tolist() == [0.0, 3.0, 10.0]


def test_a_metric_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"metric must return one distance a pair, shape \(2,\)"):
        pair_distances(torch.zeros(2, 3), torch.tensor([1, 0]), lambda a, b: (a - b).abs())
    with pytest.raises(ValueError, match="did you mean 'cosine'"):
        distance_matrix(torch.zeros(2, 3), "cosin")


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=6), st.floats(-1e3, 1e3, width=32))
def test_distances_are_a_metric_invariant_under_shifts(values, shift):
    x = torch.tensor(values, dtype=torch.float64)[:, None]
    d = distance_matrix(x)
    assert torch.equal(d, d.T)
    assert (d >= 0).all()
    assert (d[:, :, None] + d[None] - d[:, None] >= -1e-6).all()  # triangle inequality
    torch.testing.assert_close(distance_matrix(x + shift), d, rtol=1e-9, atol=1e-6)


def test_blocks_do_not_change_the_result(monkeypatch):
    import localmixup._distances

    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    i, j = torch.triu_indices(20, 20)
    whole = distances_of_pairs(x, i, j)
    monkeypatch.setattr(localmixup._distances, "_BLOCK_BYTES", 64)
    assert torch.equal(distances_of_pairs(x, i, j), whole)
    assert distances_between(x[:0], x[:0]).shape == (0,)
