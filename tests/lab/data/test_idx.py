"""idx files, the format of MNIST, written here by its specification."""

import gzip
import struct

import numpy as np
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.data.sources import load

RNG = np.random.default_rng(0)
KINDS = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array):
    kind = KINDS[array.dtype.str[1:]]
    head = bytes([0, 0, kind, array.ndim]) + b"".join(struct.pack(">I", size) for size in array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def mnist(folder, pattern, packed):
    parts = {}
    folder.mkdir()
    for split, rows in (("train", 40), ("t10k", 8)):
        x, y = RNG.integers(0, 256, (rows, 6, 5)).astype("u1"), (np.arange(rows) % 10).astype("u1")
        for what, array in (("images", x), ("labels", y)):
            content = idx(array)
            name = pattern.format(split=split, what=what, axes=array.ndim)
            (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)
        parts[split] = x, y
    return parts


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("pattern", ["{split}-{what}-idx{axes}-ubyte", "{split}-{what}.idx{axes}-ubyte"])
def test_mnist_as_it_comes(tmp_path, pattern, packed):
    parts = mnist(tmp_path / "MNIST", pattern, packed)
    folder = tmp_path / "MNIST"
    for source in (folder, next(folder.glob("train-images*")), next(folder.glob("t10k-labels*"))):
        data = load(str(source))
        np.testing.assert_array_equal(data.x[:, 0], parts["train"][0])
        np.testing.assert_array_equal(data.y, parts["train"][1])
        np.testing.assert_array_equal(data.x_test[:, 0], parts["t10k"][0])
        assert (data.kind, data.x.dtype, data.class_names) == ("image", np.uint8, tuple("0123456789"))


def test_other_types_and_names(tmp_path):
    x, y = RNG.normal(size=(30, 7)).astype("f4"), (np.arange(30) % 2).astype("i4")
    (tmp_path / "emnist-letters-train-images-idx2-float").write_bytes(idx(x))
    (tmp_path / "emnist-letters-train-labels-idx1-int").write_bytes(idx(y))
    data = load(str(tmp_path))
    np.testing.assert_array_equal(data.x, x.astype(float))
    np.testing.assert_array_equal(data.y, y)


@pytest.mark.parametrize("damage", ["cut", "long", "huge", "packed"])
def test_damaged_files(tmp_path, damage):
    folder = tmp_path / "MNIST"
    mnist(folder, "{split}-{what}-idx{axes}-ubyte", damage == "packed")
    file = next(folder.glob("train-images*"))
    content = file.read_bytes()
    file.write_bytes(
        {
            "cut": content[:-9],
            "long": content + b"more",
            "huge": content[:4] + struct.pack(">III", 2**31, 2**10, 2**10) + content[16:],
            "packed": content[: len(content) // 2],
        }[damage]
    )
    with pytest.raises(ArgumentError, match=r"a damaged idx file|too large to be read") as caught:
        load(str(folder))
    assert "train-images" in str(caught.value)
