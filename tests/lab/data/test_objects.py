"""Objects in memory as data sets: the same as from a file, and never changed."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.sparse import csr_matrix
from sklearn.datasets import load_iris
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.objects import dataset_of
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.sources import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))
Y = np.arange(30) % 3
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(colour=["red", "blue"] * 15, kind=np.array(list("xyz"))[Y])


class Pairs(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(X, Y, strict=True))


def assert_same(found, expected):
    assert np.array_equal(found.x, expected.x)
    assert found.x.dtype == expected.x.dtype
    assert np.array_equal(found.y, expected.y)
    assert (found.class_names, found.kind, found.fingerprint) == (
        expected.class_names, expected.kind, expected.fingerprint,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "target"),
    [
        ((X, Y), None),
        ([X.tolist(), Y.tolist()], None),
        ((torch.from_numpy(X), torch.from_numpy(Y)[:, None]), None),
        ((torch.from_numpy(X).requires_grad_(), torch.from_numpy(Y)), None),
        (X, Y),
        (torch.from_numpy(X), Y),
        (TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), None),
        (Subset(TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), range(30)), None),
        (Pairs(list(zip(X, Y.tolist(), strict=True))), None),
        ((pd.DataFrame(X), pd.Series(Y)), None),
        ({"data": X, "target": Y}, None),
    ],
)
def test_every_kind_of_array_is_the_same_as_a_file_of_it(data, target, tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    assert_same(dataset_of(data, target=target), load(str(tmp_path / "a.npz")))


def test_a_frame_is_the_same_as_a_file_of_it(tmp_path):
    FRAME.to_csv(tmp_path / "a.csv", index=False, float_format="%.17g")
    expected = load(str(tmp_path / "a.csv"), target="kind")
    before = FRAME.copy()
    assert_same(dataset_of(FRAME, target="kind"), expected)
    rest = FRAME.drop(columns="kind")
    assert_same(dataset_of(rest, target=FRAME["kind"]), expected)
    assert_same(dataset_of(rest, target=FRAME["kind"].tolist()), expected)
    assert_same(dataset_of(FRAME.set_index(np.arange(30) + 7), target="kind"), expected)
    assert expected.class_names == ("x", "y", "z")
    pd.testing.assert_frame_equal(FRAME, before)
    values = dataset_of(FRAME, target="a")
    assert (values.task, values.shape) == ("regression", (3 + 2 + 3,))


def test_polars():
    polars = pytest.importorskip("polars")
    found = dataset_of(polars.DataFrame({name: FRAME[name].tolist() for name in FRAME}), target="kind")
    assert_same(found, dataset_of(FRAME, target="kind"))


def test_a_frame_of_another_library_comes_through_pandas():
    class Other:
        columns = tuple(FRAME.columns)

        def to_pandas(self):
            return FRAME

    assert_same(dataset_of(Other(), target="kind"), dataset_of(FRAME, target="kind"))


def test_an_exchanged_frame():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_pandas(FRAME)
    assert_same(dataset_of(table, target="kind"), dataset_of(FRAME, target="kind"))


def test_images_test_sets_and_names():
    images = RNG.integers(0, 255, (40, 9, 9, 3), dtype=np.uint8)
    y = np.arange(40) % 2
    found = dataset_of((images, y), test=(images[:8], y[:8]), name="leaves")
    assert (found.name, found.kind, found.shape, len(found.x_test)) == ("leaves", "image", (3, 9, 9), 8)
    assert found.x.dtype == np.uint8
    half = torch.rand(40, 1, 9, 9).bfloat16()
    assert dataset_of((half, y)).x.dtype == np.float32
    iris = load_iris()
    assert dataset_of(iris).class_names == ("setosa", "versicolor", "virginica")
    assert dataset_of((X, Y), task="regression").task == "regression"


def test_images_of_pillow_and_their_classes():
    colours = [Image.fromarray(RNG.integers(0, 255, (9, 8, 3), dtype=np.uint8)) for _ in range(29)]
    pictures = [*colours, colours[0].convert("P")]
    items = Pairs(list(zip(pictures, Y.tolist(), strict=True)))
    items.classes = ["cat", "dog", "owl"]  # as torchvision's data sets have them
    found = dataset_of(items)
    assert (found.kind, found.shape, found.class_names) == ("image", (3, 9, 8), ("cat", "dog", "owl"))
    np.testing.assert_array_equal(found.x[3], np.asarray(colours[3]).transpose(2, 0, 1))
    assert found.x[29].max() > 200  # colours, not places in the palette
    assert_same(dataset_of((pictures, Y)), dataset_of((found.x, Y)))
    small = dataset_of(items, reading=Reading(resize=(4, 4)))
    assert small.shape == (3, 4, 4)
    with pytest.raises(ArgumentError, match="cannot be read with --resize"):
        dataset_of((X, Y), reading=Reading(resize=(4, 4)))
    items.items[5] = (colours[5].resize((4, 4)), 0)
    with pytest.raises(ArgumentError, match="images must all be of one size"):
        dataset_of(items)


def test_data_sets_of_the_library_datasets():
    import datasets

    pictures = [Image.fromarray(RNG.integers(0, 255, (5, 5), dtype=np.uint8)) for _ in range(30)]
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list("abc"))})
    images = datasets.Dataset.from_dict({"image": pictures, "label": Y.tolist()}, features=kinds)
    for found in (dataset_of(images), dataset_of(datasets.DatasetDict(train=images, test=images.select(range(6))))):
        assert (found.class_names, found.shape) == (("a", "b", "c"), (1, 5, 5))
        np.testing.assert_array_equal(found.x[7, 0], np.asarray(pictures[7]))
    assert len(found.x_test) == 6
    assert_same(dataset_of(datasets.Dataset.from_pandas(FRAME), target="kind"), dataset_of(FRAME, target="kind"))


def test_the_data_set_itself_passes():
    data = dataset_of((X, Y))
    assert dataset_of(data) is data
    assert load(data) is data
    with pytest.raises(ArgumentError, match="at least 20 rows"):
        dataset_of(DataSet("few", "table", X[:5], Y[:5], class_names=("a", "b", "c")))


def test_the_callers_arrays_are_neither_changed_nor_shared():
    for array in (X.copy(), X.astype(np.float32), RNG.integers(0, 255, (30, 1, 9, 9), dtype=np.uint8)):
        y = Y.copy()
        before = copy.deepcopy((array, y))
        data = dataset_of((array, y))
        array[:], y[:] = 0, 0
        again = dataset_of(before)
        assert_same(data, again)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (X, {}, "data must be a data frame with target=.* got ndarray without target"),
        ((X, Y, Y), {}, "got a tuple of 3"),
        ("digits.csv", {}, "got the text 'digits.csv'"),
        (DataLoader(TensorDataset(torch.zeros(3, 1))), {}, "give the data set, loader.dataset"),
        (Stream(), {}, "Stream, which has no length"),
        (Pairs([{"x": 1}] * 30), {}, "items of data must be pairs .x, y., got a dict of 1 at 0"),
        (Pairs([(X[0], 1), (X[0, :2], 1)]), {}, "must all have the same shapes, got .4,. and .. at 0, .2,. and .. at 1"),
        (Pairs([]), {}, "data must have rows, got an empty Pairs"),
        ((X, Y[:7]), {}, "30 inputs but 7 targets"),
        ((X, [None] * 30), {}, "y must hold numbers, or text only, got NoneType"),
        ((X, np.ones((30, 3))), {}, "array 'y' must hold one target per row, got shape .30, 3."),
        (FRAME, {"target": "kin"}, "target must be one of .* got 'kin'; did you mean 'kind'"),
        (FRAME, {}, "say which column to predict with --target"),
        (FRAME, {"target": FRAME["kind"]}, "target must not be a column of data as well, and 'kind' is one"),
        (FRAME, {"target": [1, 2]}, "one value for each of the 30 rows, got shape .2,."),
        (FRAME, {"target": "kind", "test": FRAME}, "test must be None for a data frame"),
        ((np.ma.masked_greater(X, 1), Y), {}, "x must have no masked values, got .*: fill them first"),
        ((torch.from_numpy(X).to_sparse(), Y), {}, "x must be dense, got a sparse tensor: give its to_dense"),
        ((csr_matrix(X), Y), {}, "x must be dense, got csr_matrix: give its toarray"),
        ((X, Y), {"test": X}, "test must be a data frame .* got ndarray without target"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(data, options, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        dataset_of(data, **options)
    assert "\n" not in str(caught.value)
