"""Exact neighbour lists against sorting, of data that fill several tiles."""

import numpy as np
import pytest
import torch
from helpers import generator
from hypothesis import given, settings
from hypothesis import strategies as st

import localmixup.sampling.neighbors
from localmixup import KNNGraph, ThresholdGraph
from localmixup.sampling.neighbors import nearest, of_nearest, within_radius


def by_sorting(x, k):
    """Return the k nearest in float64, from differences, sorted by distance and then by index."""
    wide = x.double().numpy()
    squares = np.stack([((wide - row) ** 2).sum(1) for row in wide])
    np.fill_diagonal(squares, np.inf)
    index = np.argsort(squares, axis=1, kind="stable")[:, :k]
    return torch.from_numpy(np.sort(index, axis=1).astype(np.int32))


def data(m, d=5, seed=0, dtype=torch.float64):
    return torch.randn(m, d, generator=generator(seed), dtype=torch.float64).to(dtype)


def as_matrix(lists, m):
    w = torch.eye(m)
    for i in range(m):
        w[i, lists.neighbor[lists.start[i] : lists.start[i + 1]].long()] = 1
    return w


@pytest.fixture
def rows_searched_whole(monkeypatch):
    """Blocks of rows that were given to the slow search."""
    by_rows, seen = localmixup.sampling.neighbors._nearest_by_rows, []

    def seeing(flat, k, within=slice(None)):
        seen.append(within)
        return by_rows(flat, k, within)

    monkeypatch.setattr(localmixup.sampling.neighbors, "_nearest_by_rows", seeing)
    return seen


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 30), st.integers(1, 40), st.sampled_from([0.0, 100.0]), st.booleans())
def test_lists_are_those_of_the_graphs(seed, m, d, offset, whole):
    x = torch.randn(m, d, generator=generator(seed)) + offset
    x = x.round() if whole else x  # whole numbers make ties
    # of whole numbers the direct distance is exact, so the radius may be one of them; of others a little more
    middle = float(torch.pdist(x.double()).quantile(0.3, interpolation="nearest")) if m > 1 else 1.0
    for radius in (0.0, middle * (1 + 1e-5 * (not whole)), 1e9):
        lists = within_radius(x, radius)
        np.testing.assert_array_equal(as_matrix(lists, m), ThresholdGraph(radius).matrix(x))
    for k in {0, min(3, m - 1), m - 1}:
        index = nearest(x, k)
        np.testing.assert_array_equal(as_matrix(of_nearest(index), m), KNNGraph(k).matrix(x))
        both = as_matrix(of_nearest(index, symmetric=True), m)
        np.testing.assert_array_equal(both, KNNGraph(k, symmetric=True).matrix(x))


@pytest.mark.parametrize("m", [64, 65, 300])
@pytest.mark.parametrize("k", [1, 5, 60])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_neighbours_over_several_tiles(m, k, offset, monkeypatch, rows_searched_whole):
    monkeypatch.setattr(localmixup.sampling.neighbors, "_BLOCK_BYTES", 8 * 64**2)
    x = data(m) + offset
    assert torch.equal(nearest(x, k), by_sorting(x, k))
    assert rows_searched_whole == []


def test_many_neighbours_are_searched_by_rows(monkeypatch, rows_searched_whole):
    monkeypatch.setattr(localmixup.sampling.neighbors, "_BLOCK_BYTES", 32 * 300 * 7)
    x = data(300)
    for k in (65, 299):
        assert torch.equal(nearest(x, k), by_sorting(x, k))
    assert len(rows_searched_whole) == 2


@given(st.integers(0, 2**31), st.integers(2, 90), st.integers(1, 3), st.sampled_from([16, 33]), st.data())
def test_ties_go_to_the_lower_index_whatever_the_tiles(seed, m, d, tile, draw):
    k = draw.draw(st.integers(1, m - 1))
    x = (2 * data(m, d, seed)).round().float()  # whole numbers: distances are exact, and often equal
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(localmixup.sampling.neighbors, "_BLOCK_BYTES", 4 * tile**2)
        assert torch.equal(nearest(x, k), by_sorting(x, k))


def test_crowds_of_duplicates(monkeypatch, rows_searched_whole):
    monkeypatch.setattr(localmixup.sampling.neighbors, "_BLOCK_BYTES", 4 * 64**2)
    x = data(640, dtype=torch.float32).mul_(4).round_()
    x[:400] = 100.0
    assert torch.equal(nearest(x, 2), by_sorting(x, 2))
    starts = [rows.start for rows in rows_searched_whole]
    assert starts == [0, 64, 128, 192, 256, 320], "the blocks full of rows that have 399 equals, and no others"
    same = torch.ones(640, 3)
    assert torch.equal(nearest(same, 2), by_sorting(same, 2))


def test_near_duplicates_that_a_float32_product_cannot_tell_apart():
    # the squares of the product are off by some 1e-4 here; the squared distances are 1e-10 to 1e-6
    whole = torch.arange(200)[torch.randperm(200, generator=generator())]
    x = torch.cat([whole[:, None] * 2.0**-16, torch.zeros(200, 1), torch.full((200, 1), 1.0)], dim=1)
    x = torch.cat([x, -x])
    assert torch.equal(nearest(x, 3), by_sorting(x, 3))


def test_values_whose_squares_overflow():
    x = data(12, 3, dtype=torch.float32)
    assert torch.equal(nearest(x * 1e20, 2), nearest(x, 2))
    near, far = within_radius(x, 1.0), within_radius(x * 1e20, 1e20)
    assert torch.equal(near.neighbor, far.neighbor)


def test_blocks_do_not_change_the_result_and_progress_counts_rows(monkeypatch):
    x = data(50, 3)
    whole = within_radius(x, 1.0)
    monkeypatch.setattr(localmixup.sampling.neighbors, "_BLOCK_BYTES", 32 * 50 * 7)
    seen = []
    assert torch.equal(within_radius(x, 1.0, progress=seen.append).neighbor, whole.neighbor)
    assert seen == [7, 14, 21, 28, 35, 42, 49, 50]
    monkeypatch.setattr(localmixup.sampling.neighbors, "_BLOCK_BYTES", 8 * 64**2)
    seen.clear()
    nearest(data(300), 3, progress=seen.append)
    assert seen == [64, 128, 192, 256, 300]

    def stop(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nearest(data(300), 3, progress=stop)
