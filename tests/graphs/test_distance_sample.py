"""A sample of the distances of a data set, from tensors, arrays, tables and streams."""

import math

import numpy as np
import pandas as pd
import pytest
import reference
import torch
from helpers import generator
from torch.utils.data import DataLoader, TensorDataset

from localmixup import ThresholdGraph
from localmixup.graphs.fit import sample_distances

X = torch.randn(60, 3, generator=generator())
Y = torch.randint(3, (60,), generator=generator(1))


def test_all_pairs_are_measured_if_there_are_few():
    sample = sample_distances(X, Y)
    i, j = np.triu_indices(60, 1)
    slow = reference.distance_matrix(X)[i, j]
    np.testing.assert_allclose(sample.distances, np.sort(slow), rtol=1e-6)
    assert sample.n_pairs == 60 * 59 // 2
    assert sample.exhaustive
    assert sample.median == pytest.approx(np.median(slow), rel=0.01)
    same = (Y[i] == Y[j]).numpy()[np.argsort(slow)]
    np.testing.assert_array_equal(sample.same_class, same)


def test_a_quantile_is_the_smallest_distance_that_keeps_the_share():
    distances = sample_distances(X).distances.numpy()
    for share in (0.0, 0.01, 0.2, 0.5, 1.0):
        radius = sample_distances(X).quantile(share)
        assert (distances <= radius).mean() >= share
        assert (distances < radius).mean() <= share


def test_a_large_set_is_sampled_with_a_seed():
    x = torch.randn(3000, 2, generator=generator())
    one, again = (sample_distances(x, max_pairs=20_000, seed=0) for _ in range(2))
    other = sample_distances(x, max_pairs=20_000, seed=1)
    assert one.n_pairs == 20_000
    assert not one.exhaustive
    assert torch.equal(one.distances, again.distances)
    assert not torch.equal(one.distances, other.distances)
    assert one.median == pytest.approx(sample_distances(x[:600]).median, rel=0.05)
    assert (one.distances > 0).all(), "a sample was paired with itself"


def test_a_stream_is_read_once_and_sampled_evenly():
    x = torch.arange(5000.0)[:, None]
    loader = DataLoader(TensorDataset(x, (x[:, 0] % 2).long()), batch_size=100)
    sample = sample_distances(loader, max_rows=500, max_pairs=50_000)
    assert sample.n_rows == 5000
    assert sample.median == pytest.approx(5000 * (1 - math.sqrt(0.5)), rel=0.1)  # of |u - v|, u and v uniform
    assert sample.same_class.float().mean() == pytest.approx(0.5, abs=0.05)
    whole = sample_distances(iter([X[:30], X[30:60]]))
    assert torch.equal(whole.distances, sample_distances(X).distances)


def test_arrays_tables_and_labels_of_text_are_read():
    x = X.numpy().astype(np.float64)
    named = np.array(["b", "a", "c"])[Y]
    expected = sample_distances(torch.from_numpy(x), Y)
    stream = [(x[:10], named[:10]), (x[10:], named[10:])]
    for data, labels in ((x, named), (pd.DataFrame(x), pd.Series(named)), (pd.DataFrame(x), list(Y)), (stream, None)):
        sample = sample_distances(data, labels)
        assert torch.equal(sample.distances, expected.distances)
    assert torch.equal(sample_distances(x, named).same_class, expected.same_class)


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        ([[0.0, 1.0], [2.0, 3.0]], None, r"an iterable of batches .*got a list of list"),
        ([1.0, 2.0], None, "got a list of float"),
        (None, None, "data must be a tensor, an array or an iterable of batches, got None"),
        ("data.csv", None, "an iterable of batches, got 'data.csv'"),
        (torch.tensor(1.0), None, "one row per sample, got a scalar"),
        (np.array(["a", "b"]), None, "data must hold numbers, got ndarray"),
        (X[:1], None, "data must hold at least 2 rows to measure a distance, got 1"),
        (X * math.nan, None, "data must be finite"),
        (X, Y[:3], r"labels must have one class per row, shape \(60,\), got \(3,\)"),
        (iter([]), None, "got an empty stream"),
        ([X], Y, r"labels must be None if data are an iterable: it yields \(features, labels\) instead"),
    ],
)
def test_data_that_cannot_be_measured_are_named(data, labels, message):
    with pytest.raises(ValueError, match=message):
        ThresholdGraph.fit(data, labels, kept_share=0.5)
