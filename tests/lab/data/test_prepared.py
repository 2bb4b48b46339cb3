"""Standardising and splitting."""

import numpy as np
import pytest
import torch

from localmixup.lab.data.dataset import DataSet, check_dataset
from localmixup.lab.data.prepared import CLIP, prepare, split_validation


@pytest.mark.parametrize(("factor", "offset"), [(1e-9, 0.0), (1e20, 0.0), (500.0, 1.7e9), (1e-14, 0.0), (1.0, 1e9)])
def test_columns_of_any_unit_are_standardised(factor, offset):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 1))
    ready = prepare(DataSet("units", "table", values * factor + offset, values[:, 0] * factor + offset))
    assert ready.x.std() == pytest.approx(1, abs=0.01)
    assert ready.y.std() == pytest.approx(1, abs=0.01)
    assert ready.y_scale == pytest.approx(factor, rel=0.1)


def test_a_column_that_varies_by_rounding_only_becomes_zero():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    x = x.astype(np.float64)
    x[:, 1] = 1000.0
    x[:190, 2] = 0.0
    x[7, 1] += 1e-9
    y = np.arange(200) % 2
    ready = prepare(DataSet("flat", "table", x, y, class_names=("a", "b")))
    everything = torch.cat([ready.x, ready.x_test])
    assert everything.abs().max() <= CLIP
    assert everything[:, 1].abs().max() == 0
    assert ready.x[:, 0].std() == pytest.approx(1, abs=0.01)


def test_splits_do_not_overlap_and_keep_the_classes(blobs):
    ready = prepare(blobs)
    assert (len(ready.x), len(ready.x_test)) == (96, 24)
    assert ready.y_test.double().mean() == 0.5
    both = torch.cat([ready.x, ready.x_test])
    assert len(both.unique(dim=0)) == len(both)
    train, validation = split_validation(ready, seed=1)
    assert len(validation) == 20
    assert sorted([*train, *validation]) == list(range(96))
    assert not np.array_equal(split_validation(ready, seed=2)[1], validation)
    assert torch.equal(prepare(blobs).x, ready.x)
    few = prepare(blobs, train_size=30)
    assert len(few.x) == 30
    assert len(few.x_test) == 24


def test_a_regression_target_is_standardised_and_its_unit_kept():
    y = np.linspace(5, 9, 50).astype(np.float32)
    ready = prepare(DataSet("line", "table", y[:, None], y))
    assert ready.y.mean().abs() < 1e-5
    assert ready.y.std(correction=0) == pytest.approx(1, rel=1e-4)
    assert ready.y_scale == pytest.approx(1.2, rel=0.1)


def test_a_class_with_one_sample_can_be_split():
    y = np.zeros(40, dtype=np.int64)
    y[3] = 1
    data = check_dataset(
        DataSet(
            "rare", "table", np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32), y, class_names=("a", "b")
        )
    )
    assert len(prepare(data).x) == 32
