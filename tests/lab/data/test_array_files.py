"""Files of arrays: names, splits, `.npy` beside each other, and what is never opened."""

import pickle
import zipfile

import numpy as np
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.sources import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))
Y = np.arange(30) % 3


@pytest.mark.parametrize(
    ("inputs", "targets", "test"),
    [
        ("x", "y", ("x_test", "y_test")),
        ("X_train", "y_train", ("X_test", "y_test")),
        ("train_images", "train_labels", ("test_images", "test_labels")),  # as MedMNIST
        ("data", "target", ("test_data", "test_target")),
        ("xtrain", "ytrain", ("xtest", "ytest")),
        ("features", "labels", None),
        ("arr_0", "arr_1", None),  # as numpy.savez names them by itself
    ],
)
def test_names_of_arrays(tmp_path, inputs, targets, test):
    arrays = {inputs: X, targets: Y} | ({} if test is None else {test[0]: X[:5], test[1]: Y[:5]})
    np.savez(tmp_path / "a.npz", **arrays)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    for source in (tmp_path / "a.npz", folder, folder / f"{inputs}.npy", folder / f"{targets}.npy"):
        data = load(str(source))
        np.testing.assert_array_equal(data.x, X)
        np.testing.assert_array_equal(data.y, Y)
        assert (data.x_test is None) == (test is None)
        if test is not None:
            np.testing.assert_array_equal(data.y_test, Y[:5])


def test_rows_for_validation(tmp_path):
    arrays = {"x_train": X, "y_train": Y, "x_val": X[:6] + 1, "y_val": Y[:6]}
    np.savez(tmp_path / "a.npz", **arrays)
    data = load(str(tmp_path / "a.npz"))
    assert len(data.x_test) == 6
    assert "x_val and y_val are the test set" in data.notes
    np.savez(tmp_path / "b.npz", **arrays, x_test=X[:3], y_test=Y[:3], ids=np.arange(30))
    data = load(str(tmp_path / "b.npz"))
    np.testing.assert_array_equal(data.x, np.concatenate([X, X[:6] + 1]))
    assert len(data.x_test) == 3
    assert "x_val and y_val join the training rows" in data.notes
    assert "arrays that are not used: ids" in data.notes


def test_a_test_set_alone_is_the_data(tmp_path):
    np.save(tmp_path / "X_test.npy", X)
    np.save(tmp_path / "y_test.npy", Y)
    data = load(str(tmp_path))
    assert (len(data.x), data.x_test) == (30, None)
    np.save(tmp_path / "y_train.npy", Y)  # but not where a part is missing
    with pytest.raises(ArgumentError, match="inputs and targets must lie beside each other"):
        load(str(tmp_path))


def test_arrays_without_a_partner_say_what_to_do(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "cat.npy", X)
    for name in ("x.npy", "cat.npy"):
        with pytest.raises(ArgumentError, match=r"such as x\.npy and y\.npy, X_train\.npy and y_train\.npy"):
            load(str(tmp_path / name))
    np.savez(tmp_path / "sparse.npz", indices=Y, indptr=Y, data=X, shape=[3, 4], format=b"csr")
    with pytest.raises(ArgumentError, match="holds a sparse matrix of SciPy"):
        load(str(tmp_path / "sparse.npz"))
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}_x.npy", X)
        np.save(tmp_path / f"{name}_y.npy", Y)
    with pytest.raises(ArgumentError, match="several pairs of inputs and targets"):
        load(str(tmp_path))
    np.testing.assert_array_equal(load(str(tmp_path / "b_x.npy")).y, Y)  # one of its files says which


class Bomb:
    def __reduce__(self):
        return print, ("opened",)


def test_object_arrays_and_pickles_are_never_opened(tmp_path, capsys):
    bombs = np.array([Bomb()] * 30, dtype=object)
    np.savez(tmp_path / "a.npz", x=X, y=bombs)
    np.save(tmp_path / "x.npy", bombs, allow_pickle=True)
    np.save(tmp_path / "y.npy", Y)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(Bomb(), protocol=2))
    for name in ("a.npz", "x.npy", "a.pkl", "data_batch_1"):
        with pytest.raises(ArgumentError, match="pickle"):
            load(str(tmp_path / name))
    assert capsys.readouterr().out == ""
    np.savez(tmp_path / "b.npz", x=X, y=Y, names=bombs)  # not one that is read
    assert len(load(str(tmp_path / "b.npz")).x) == 30


def test_arrays_that_would_not_fit_are_refused_by_their_headers(tmp_path):
    head = np.lib.format.header_data_from_array_1_0(np.zeros((1, 1)))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, head | {"shape": (10**6, 10**4)})
            file.write(bytes(10**6))
        with archive.open("y.npy", "w") as file:
            np.lib.format.write_array(file, np.zeros(10**6))
    with pytest.raises(ArgumentError, match=r"the arrays take 74\.5 GiB of memory, at most 2 are read"):
        load(str(tmp_path / "bomb.npz"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "foo"}, "arrays have no column to predict: leave --target out, got 'foo'"),
        ({"reading": Reading(resize=(8, 8))}, "arrays cannot be read with --resize: leave it out"),
        (
            {"reading": Reading(layout="gray")},
            r"--layout is for arrays of 3 or 4 dimensions, as 'x' has shape \(30, 4\)",
        ),
    ],
)
def test_options_that_arrays_would_ignore_are_refused(tmp_path, options, message):
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    with pytest.raises(ArgumentError, match=message):
        load(str(tmp_path / "a.npz"), **options)
