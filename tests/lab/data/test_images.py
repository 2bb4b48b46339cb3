"""Folders of images."""

import io

import numpy as np
import pytest
from PIL import Image

from localmixup._validate import ArgumentError
from localmixup.lab.data.sources import load


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return buffer.getvalue()


def folder_of_images(path, sizes=((9, 9), (9, 9)), count=12):
    rng = np.random.default_rng(0)
    for label, size in zip(("cats", "dogs"), sizes, strict=True):
        (path / label).mkdir(parents=True)
        for i in range(count):
            (path / label / f"{i:02}.png").write_bytes(png(rng.integers(0, 255, (*size, 3), dtype=np.uint8)))


def test_a_folder_of_images(tmp_path):
    folder_of_images(tmp_path / "pets")
    data = load(str(tmp_path / "pets"))
    assert data.class_names == ("cats", "dogs")
    assert data.x.shape == (24, 3, 9, 9)
    assert "12 cats, 12 dogs" in data.notes[0]
    with Image.open(tmp_path / "pets" / "dogs" / "00.png") as image:
        np.testing.assert_array_equal(data.x[data.y == 1][0].transpose(1, 2, 0), np.asarray(image))


def test_wrong_folders_of_images(tmp_path):
    folder_of_images(tmp_path / "sizes", ((9, 9), (9, 8)))
    with pytest.raises(
        ArgumentError, match=r"images must all be of one size: the first is 9 x 9 pixels, .*00\.png is 8 x 9"
    ):
        load(str(tmp_path / "sizes"))
    folder_of_images(tmp_path / "broken")
    (tmp_path / "broken" / "dogs" / "03.png").write_bytes(b"no image")
    with pytest.raises(ArgumentError, match=r"03\.png: not an image"):
        load(str(tmp_path / "broken"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentError, match="a folder must hold one folder of images for each class"):
        load(str(tmp_path / "empty"))
    (tmp_path / "one" / "cats").mkdir(parents=True)
    with pytest.raises(ArgumentError, match="one"):
        load(str(tmp_path / "one"))


def test_class_folders_keep_every_image_whatever_its_name(tmp_path):
    # names that other readers take for splits
    rng = np.random.default_rng(0)
    for label in ("train", "pos_test", "valid"):
        (tmp_path / "odd" / label).mkdir(parents=True)
        for i in range(10):
            (tmp_path / "odd" / label / f"test_{i}.png").write_bytes(png(rng.integers(0, 255, (8, 8), dtype=np.uint8)))
    data = load(str(tmp_path / "odd"))
    assert data.class_names == ("pos_test", "train", "valid")
    assert np.bincount(data.y).tolist() == [10, 10, 10]
    (tmp_path / "odd" / "nothing").mkdir()
    with pytest.raises(ArgumentError, match="nothing: no images in this class folder"):
        load(str(tmp_path / "odd"))


def test_sixteen_bit_images_keep_their_shades(tmp_path):
    ramp = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    for label in ("a", "b"):
        (tmp_path / "deep" / label).mkdir(parents=True)
        for i in range(12):
            Image.fromarray(ramp).save(tmp_path / "deep" / label / f"{i}.png")
    data = load(str(tmp_path / "deep"))
    assert data.shape == (1, 8, 8)
    np.testing.assert_array_equal(data.x[0, 0], ramp // 256)
