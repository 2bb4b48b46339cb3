"""Which rows choose, train and judge."""

import numpy as np
import pytest
import torch

from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.resampling import overlap, resampled_rows, rows_that_can_judge


@pytest.fixture
def alone(blobs):
    """Data without a test set of their own: all 120 rows are in the pool."""
    return prepare(blobs, hold_out=False)


def test_rows_that_choose_never_judge_and_rows_that_judge_never_train(alone):
    chooses = resampled_rows(alone, "choose", 0).validation
    judged = set()
    for seed in range(40):
        first, second = resampled_rows(alone, "choose", seed), resampled_rows(alone, "judge", seed)
        assert np.array_equal(first.validation, chooses)
        assert len(chooses) == 24
        assert not set(first.train) & set(chooses)
        assert len(first.test) == len(second.validation) == 0
        assert not set(second.test) & set(chooses)
        assert sorted([*second.train, *second.test]) == list(range(120))
        assert alone.y[second.test].bincount().tolist() == [12, 12]
        judged |= set(second.test)
    assert judged == set(range(120)) - set(chooses)


def test_with_a_test_set_every_resample_trains_on_another_part_of_the_pool(prepared):
    rows = [resampled_rows(prepared, "judge", seed) for seed in range(3)]
    assert {len(r.train) for r in rows} == {86}
    assert all(len(r.test) == len(r.validation) == 0 for r in rows)
    assert not np.array_equal(rows[0].train, rows[1].train)
    assert overlap(prepared) == 1
    assert rows_that_can_judge(prepared) == len(prepared.x_test) == 24


def test_two_resamples_share_as_many_test_rows_as_the_correction_says(alone):
    tests = [set(resampled_rows(alone, "judge", seed).test) for seed in range(60)]
    shared = np.mean([len(a & b) / len(a) for k, a in enumerate(tests) for b in tests[:k]])
    assert rows_that_can_judge(alone) == 96
    assert overlap(alone) == 24 / 96
    assert shared == pytest.approx(0.25, abs=0.01)


def test_the_stages_share_no_split(alone):
    one, other = resampled_rows(alone, "choose", 5), resampled_rows(alone, "judge", 5)
    again = resampled_rows(alone, "judge", 5)
    assert all(np.array_equal(a, b) for a, b in zip(other, again, strict=True))
    assert not np.array_equal(one.train, np.setdiff1d(other.train, one.validation))
    assert not np.array_equal(one.validation, resampled_rows(alone, "choose", 5, split_seed=1).validation)


def test_values_are_split_too(alone):
    values = alone._replace(task="regression", y=torch.randn(120))
    rows = resampled_rows(values, "judge", 0)
    assert (len(rows.train), len(rows.test)) == (96, 24)
