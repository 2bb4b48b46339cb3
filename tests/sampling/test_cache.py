"""Neighbour lists on disk: found again, never misread, never half written."""

import multiprocessing
import os
import resource
import warnings

import numpy as np
import pytest
import torch
from helpers import generator

import localmixup.sampling._sources
from localmixup import ExponentialGraph, KNNGraph, PairSampler, ThresholdGraph

X = torch.randn(200, 2, generator=generator())
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
        monkeypatch.delattr(localmixup.sampling._sources, search)
    found = PairSampler(X, graph, 4, generator(), cache=str(tmp_path / "new" / "folder"))
    assert same(found._pairs.lists, made)
    with pytest.raises(NameError):  # other data are not taken for these
        lists(tmp_path / "new" / "folder", graph, 2 * X)
    monkeypatch.undo()
    assert list(found) == list(PairSampler(X, graph, 4, generator()))


def test_the_bound_of_a_strong_decay_is_kept_too(tmp_path, monkeypatch):
    monkeypatch.setattr(localmixup.sampling._sources, "_DENSE_ROWS", 0)
    first = PairSampler(X, ExponentialGraph(20.0), 4, cache=tmp_path)
    monkeypatch.delattr(localmixup.sampling._sources, "nearest")
    assert torch.equal(PairSampler(X, ExponentialGraph(20.0), 4, cache=tmp_path)._pairs.bound, first._pairs.bound)


def test_each_search_has_its_own_file(tmp_path):
    moved = X.clone()
    moved[17, 1] = torch.nextafter(moved[17, 1], torch.tensor(9.0))
    cases = [(g, X) for g in [*SEARCHED, KNNGraph(4), ThresholdGraph(0.31)]]
    cases += [(KNNGraph(3), x) for x in (moved, X.double(), X[:-1], X.reshape(400, 1))]
    for number, (graph, x) in enumerate(cases, start=1):
        assert same(lists(tmp_path, graph, x), lists(None, graph, x))
        assert len(list(tmp_path.iterdir())) == number
    # the same data in another order of the memory
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
def test_a_damaged_file_is_noticed_and_replaced(how, tmp_path):
    made = lists(tmp_path / "cache")
    (path,) = (tmp_path / "cache").glob("*.neighbors")
    damage(path, how)
    with pytest.warns(
        UserWarning, match="is damaged or not a file of this cache: the neighbours are searched ag"
    ) as seen:
        assert same(lists(tmp_path / "cache"), made)
    assert seen[0].filename == __file__
    assert same(lists(tmp_path / "cache"), made)


def test_a_warning_says_that_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match=r"cannot be written to .*file .*: they are used, but not kept"):
        assert same(lists(tmp_path / "file"), lists(None))


def test_a_full_disk_leaves_no_partial_file(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.warns(UserWarning, match="cannot be written to"):
            made = lists(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert same(made, lists(None))
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_no_partial_file(tmp_path, monkeypatch):
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


@pytest.mark.parametrize(
    ("cache", "message"),
    [
        (True, "cache must be the path of a folder or None, got True"),
        ("~no_such_user_here/x", "cache must be the path of a folder, got '~no_such_user_here/x': it has no home"),
    ],
)
def test_a_cache_that_is_not_a_folder_is_refused(cache, message):
    with pytest.raises(ValueError, match=message):
        PairSampler(X, KNNGraph(3), 4, cache=cache)
