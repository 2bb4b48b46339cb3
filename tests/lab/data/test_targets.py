"""Targets as arrays, and what is unusual about classes."""

import numpy as np
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.data.objects import dataset_of
from localmixup.lab.data.targets import targets_of

X = np.random.default_rng(0).normal(size=(60, 2))
Y = np.arange(60) % 2


@pytest.mark.parametrize(
    ("y", "names"),
    [
        ((Y * 1.0), ("0", "1")),
        ((Y * 2.0 - 1), ("-1", "1")),
        (Y.astype(bool), ("0", "1")),
        (np.array(["no", "yes "])[Y], ("no", "yes")),
        (np.array([b"no", "né".encode()])[Y], ("no", "né")),
        (np.eye(2)[Y], ("0", "1")),
        (np.eye(3, dtype=bool)[Y], ("0", "1")),
        (Y[:, None], ("0", "1")),
    ],
)
def test_what_classes_are(y, names):
    found = targets_of("a", "y", y, None, None)
    assert found.class_names == names
    assert found.y.dtype == np.int64
    assert len(set(zip(found.y.tolist(), Y.tolist(), strict=True))) == 2  # the same two groups


@pytest.mark.parametrize("y", [X[:, 0], np.arange(60.0), (np.arange(60) % 25).astype(float), Y + 0.5])
def test_what_a_quantity_is(y):
    found = targets_of("a", "y", y, None, None)
    assert found.class_names == ()
    np.testing.assert_array_equal(found.y, y)


def test_whole_floats_are_said_and_can_be_a_quantity():
    found = targets_of("a", "y", Y * 1.0, Y * 1.0, None)
    assert found.note == "'y' holds whole numbers: they are classes; --task regression takes them as a quantity"
    assert targets_of("a", "y", Y * 1.0, None, "regression").class_names == ()
    assert targets_of("a", "y", Y * 1.0, Y + 0.5, None).class_names == ()  # the test set tells
    with pytest.raises(ArgumentError, match="--task classification needs whole numbers"):
        targets_of("a", "y", Y + 0.5, None, "classification")


def test_unusual_classes_are_said():
    y = np.array([0] * 55 + [1] + [2] * 4)
    found = dataset_of((X, y), test=(X[:5], np.array([3, 3, 0, 1, 0])))
    assert found.class_names == ("0", "1", "2", "3")
    assert found.notes == (
        "no training row has class '3', but 2 rows of the test set: they count as wrong",
        "fewer than 5 rows have the classes '1', '2'",
        "classes are uneven: 55 rows of '0', 1 of '1'; see balanced accuracy beside accuracy",
    )
    assert dataset_of((X, Y)).notes == ()
