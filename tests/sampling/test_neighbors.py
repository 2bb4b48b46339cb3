"""Exact neighbour lists of data that fill several tiles, and lists kept on disk."""

import multiprocessing
import os
import resource
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import localmixup.sampling.neighbors
import localmixup.sampling.pairs
from localmixup import ExponentialGraph, KNNGraph, PairSampler, ThresholdGraph
from localmixup.sampling.neighbors import nearest


def by_sorting(x, k):
    """All distances in float64, from differences, sorted by distance and then by index."""
    wide = x.double().numpy()
    squares = np.stack([((wide - row) ** 2).sum(1) for row in wide])
    np.fill_diagonal(squares, np.inf)
    index = np.argsort(squares, axis=1, kind="stable")[:, :k]
    return torch.from_numpy(np.sort(index, axis=1).astype(np.int32))


def data(m, d=5, seed=0, dtype=torch.float64):
    return torch.randn(m, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.fixture
def rows_searched_whole(monkeypatch):
    """Blocks of rows that were given to the slow search."""
    by_rows, seen = localmixup.sampling.neighbors._nearest_by_rows, []

    def seeing(flat, k, within=slice(None)):
        seen.append(within)
        return by_rows(flat, k, within)

    monkeypatch.setattr(localmixup.sampling.neighbors, "_nearest_by_rows", seeing)
    return seen


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
    whole = torch.arange(200)[torch.randperm(200, generator=torch.Generator().manual_seed(0))]
    x = torch.cat([whole[:, None] * 2.0**-16, torch.zeros(200, 1), torch.full((200, 1), 1.0)], dim=1)
    x = torch.cat([x, -x])
    assert torch.equal(nearest(x, 3), by_sorting(x, 3))


def test_progress_counts_rows_and_may_break_off(monkeypatch):
    monkeypatch.setattr(localmixup.sampling.neighbors, "_BLOCK_BYTES", 8 * 64**2)
    seen = []
    nearest(data(300), 3, progress=seen.append)
    assert seen == [64, 128, 192, 256, 300]

    def stop(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nearest(data(300), 3, progress=stop)


# ---- on disk ---------------------------------------------------------------------------------------------------------

X = data(200, 2, dtype=torch.float32)
SEARCHED = [KNNGraph(3), KNNGraph(3, symmetric=True), ThresholdGraph(0.3), ThresholdGraph(0.2, metric="rms")]


def lists(folder, graph=SEARCHED[0], x=X):
    return PairSampler(x, graph, 4, cache=folder)._pairs.lists


def same(a, b):
    return all(torch.equal(one, other) and one.dtype == other.dtype for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize("graph", SEARCHED, ids=repr)
def test_lists_are_found_again_and_not_searched(graph, tmp_path, monkeypatch):
    made = lists(tmp_path / "new" / "folder", graph)
    assert same(made, lists(None, graph))
    for search in ("nearest", "within_radius"):
        monkeypatch.delattr(localmixup.sampling.pairs, search)
    found = PairSampler(X, graph, 4, torch.Generator().manual_seed(0), cache=str(tmp_path / "new" / "folder"))
    assert same(found._pairs.lists, made)
    with pytest.raises(NameError):  # other data are not taken for these
        lists(tmp_path / "new" / "folder", graph, 2 * X)
    monkeypatch.undo()
    again = PairSampler(X, graph, 4, torch.Generator().manual_seed(0))
    assert list(found) == list(again)


def test_the_bound_of_a_strong_decay_is_kept_too(tmp_path, monkeypatch):
    monkeypatch.setattr(localmixup.sampling.pairs, "_DENSE_ROWS", 0)
    first = PairSampler(X, ExponentialGraph(20.0), 4, cache=tmp_path)
    monkeypatch.delattr(localmixup.sampling.pairs, "nearest")
    assert torch.equal(PairSampler(X, ExponentialGraph(20.0), 4, cache=tmp_path)._pairs.bound, first._pairs.bound)


def test_each_search_has_a_file_of_its_own(tmp_path):
    moved = X.clone()
    moved[17, 1] = torch.nextafter(moved[17, 1], torch.tensor(9.0))
    cases = [(g, X) for g in [*SEARCHED, KNNGraph(4), ThresholdGraph(0.31)]]
    cases += [(KNNGraph(3), x) for x in (moved, X.double(), X[:-1], X.reshape(400, 1))]
    for number, (graph, x) in enumerate(cases, start=1):
        assert same(lists(tmp_path, graph, x), lists(None, graph, x))
        assert len(list(tmp_path.iterdir())) == number
    # what is laid out otherwise in memory is the same data
    lists(tmp_path, x=X.T.contiguous().T)
    assert len(list(tmp_path.iterdir())) == len(cases)


def damage(path, how):
    content = path.read_bytes()
    if how == "one bit":
        changed = bytearray(content)
        changed[-100] ^= 1
        path.write_bytes(changed)
    elif how == "cut off":
        path.write_bytes(content[: len(content) // 2])
    elif how == "more":
        path.write_bytes(content + b"0")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "another program's":
        with path.open("wb") as file:
            np.savez(file, start=np.arange(201), neighbor=np.zeros(200, np.int32))
    else:
        other = path.parent / "other"
        lists(other, x=2 * X)
        path.write_bytes(next(other.iterdir()).read_bytes())


@pytest.mark.parametrize("how", ["one bit", "cut off", "more", "empty", "another program's", "of other data"])
def test_a_damaged_file_is_noticed_and_made_anew(how, tmp_path):
    made = lists(tmp_path / "cache")
    (path,) = (tmp_path / "cache").glob("*.neighbors")
    damage(path, how)
    with pytest.warns(
        UserWarning, match="is damaged or no file of this cache; the neighbours are searched again"
    ) as seen:
        assert same(lists(tmp_path / "cache"), made)
    assert seen[0].filename == __file__
    assert same(lists(tmp_path / "cache"), made)


def test_where_nothing_can_be_written_a_warning_says_so(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match=r"cannot be kept in .*file .* they are used all the same"):
        assert same(lists(tmp_path / "file"), lists(None))


def test_a_full_disk_leaves_no_half_file(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.warns(UserWarning, match="cannot be kept in"):
            made = lists(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert same(made, lists(None))
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_no_half_file(tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lists(tmp_path)
    assert list(tmp_path.iterdir()) == []


def _use(folder, rounds, expected, delete):
    warnings.simplefilter("error")
    for _ in range(rounds):
        assert same(lists(folder), expected)
        if delete:
            for path in folder.glob("*.neighbors"):
                path.unlink(missing_ok=True)


def test_several_processes_share_a_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    arguments = [(tmp_path, 30, lists(None), number == 0) for number in range(3)]
    processes = [context.Process(target=_use, args=values) for values in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert all(path.suffix == ".neighbors" for path in tmp_path.iterdir())


def test_a_cache_that_is_no_path_is_refused():
    with pytest.raises(ValueError, match="cache must be the path of a folder or None, got True"):
        PairSampler(X, KNNGraph(3), 4, cache=True)
