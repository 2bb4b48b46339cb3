"""Arrays of a .npz file."""

import numpy as np
import pandas as pd
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.data.sources import load


def test_tables_images_and_quantities(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "a.npz"
    np.savez(path, x=rng.normal(size=(30, 4)), y=np.arange(30) % 3)
    assert load(str(path)).class_names == ("0", "1", "2")
    np.savez(path, X_train=rng.integers(0, 255, (30, 9, 9, 3), dtype=np.uint8), y_train=np.arange(30) % 2)
    images = load(str(path))
    assert (images.kind, images.shape) == ("image", (3, 9, 9))
    np.savez(path, x=rng.normal(size=(30, 4)), y=rng.normal(size=30), x_test=rng.normal(size=(5, 4)), y_test=np.ones(5))
    values = load(str(path))
    assert values.task == "regression"
    assert len(values.x_test) == 5


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((30, 2))}, "arrays x and y are needed"),
        (
            {"x": np.zeros((30, 2)), "y": np.arange(30) * 2},
            "array 'y' cannot be classes: it has 30 different values in 30 rows",
        ),
        ({"x": np.zeros((60, 2)), "y": np.arange(60) % 25 * 2}, "say --task classification or --task regression"),
        (
            {"x": np.zeros((60, 0)), "y": np.arange(60) % 2},
            "array 'x' must hold at least one value per row, got shape (60, 0)",
        ),
        (
            {"x": np.zeros((30, 2)), "y": np.array(["a", "b"] * 15), "x_test": np.zeros((5, 2)), "y_test": np.ones(5)},
            "give both the same type",
        ),
        ({"x": np.zeros((30, 2)), "y": np.array([1j, 2] * 15)}, "array 'y' must hold numbers or text"),
        ({"x": np.zeros((30, 2)), "y": np.zeros(20, int)}, "30 inputs but 20 targets"),
        ({"x": np.full((30, 2), np.nan), "y": np.arange(30) % 2}, "array 'x' holds NaN 60 times, first in row 0: fill"),
        ({"x": np.full((30, 2), np.inf), "y": np.arange(30) % 2}, "inputs must be finite, got inf at position (0, 0)"),
        ({"x": np.array([["a"]] * 30), "y": np.arange(30) % 2}, "array 'x' must hold numbers"),
        ({"x": np.zeros(30), "y": np.arange(30) % 2}, "must have shape (rows, ...)"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(ArgumentError) as caught:
        load(str(tmp_path / "wrong.npz"))
    assert message in str(caught.value)


@pytest.mark.parametrize("labels", [[-1, 1], [0, 5], ["dog", "cat"], [b"no", b"yes"]])
def test_labels_are_read_as_in_tables(tmp_path, labels):

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), np.array(labels)[rng.integers(0, 2, size=60)]
    np.savez(tmp_path / "a.npz", x=x, y=y, x_test=x[:7], y_test=y[:7])
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y.astype(str)}).to_csv(tmp_path / "a.csv", index=False)
    arrays, table = load(str(tmp_path / "a.npz")), load(str(tmp_path / "a.csv"))
    assert arrays.class_names == table.class_names
    assert arrays.y.tolist() == table.y.tolist()
    assert arrays.y_test.tolist() == table.y[:7].tolist()


def test_the_task_of_arrays_can_be_set(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=rng.normal(size=(30, 4)), y=np.arange(30))
    assert load(str(tmp_path / "a.npz"), task="regression").task == "regression"
    np.savez(tmp_path / "b.npz", x=rng.normal(size=(30, 4)), y=(np.arange(30) % 2).astype(float))
    assert load(str(tmp_path / "b.npz"), task="classification").class_names == ("0", "1")
    for arrays, message in [
        ({"x_test": np.zeros((3, 5)), "y_test": np.zeros(3, int)}, "x_test has rows of shape"),
        ({"x_test": np.zeros((3, 4))}, "a test set needs both"),
        ({"x_test": np.zeros((0, 4)), "y_test": np.zeros(0, int)}, "must have rows, got shape"),
        ({"y": np.int64(3)}, "must have rows, got shape"),
    ]:
        np.savez(tmp_path / "c.npz", **{"x": rng.normal(size=(30, 4)), "y": np.arange(30) % 2, **arrays})
        with pytest.raises(ArgumentError, match=message):
            load(str(tmp_path / "c.npz"))


def test_labels_of_the_test_set_must_be_classes_too(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    np.savez(tmp_path / "a.npz", x=x, y=y, x_test=x[:4], y_test=[0.0, 1.0, 0.7, 1.0])
    with pytest.raises(ArgumentError, match="'y_test' must hold whole numbers, as classes are, got float64"):
        load(str(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", x=x, y=y, x_test=x[:4], y_test=[0.0, 1.0, 0.0, 1.0])
    assert load(str(tmp_path / "b.npz")).y_test.tolist() == [0, 1, 0, 1]
