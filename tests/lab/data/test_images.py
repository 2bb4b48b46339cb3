"""Folders of images: which files and folders count, and what each image becomes."""

import io

import numpy as np
import pytest
from PIL import Image

from localmixup._validate import ArgumentError
from localmixup.lab.data.description import describe
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.sources import load

RNG = np.random.default_rng(0)


def noise(*shape):
    return RNG.integers(0, 255, shape, dtype=np.uint8)


def write(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(path, **options)


def class_folders(path, labels=("cats", "dogs"), count=12, shape=(9, 9, 3)):
    for label in labels:
        for i in range(count):
            write(path / label / f"{i:02}.png", noise(*shape))


def said(data, text):
    return any(text in note for note in data.notes)


def test_a_folder_of_images(tmp_path):
    class_folders(tmp_path / "pets")
    data = load(str(tmp_path / "pets"))
    assert data.class_names == ("cats", "dogs")
    assert (data.x.shape, data.x.dtype) == ((24, 3, 9, 9), np.uint8)
    assert data.notes == ()
    assert describe(data)[1:3] == (
        "inputs: images of 9 x 9 pixels, 3 channels",
        "target: 2 classes (classification): cats 12, dogs 12",
    )
    with Image.open(tmp_path / "pets" / "dogs" / "00.png") as image:
        np.testing.assert_array_equal(data.x[data.y == 1][0].transpose(1, 2, 0), np.asarray(image))


def test_wrong_folders_of_images(tmp_path):
    class_folders(tmp_path / "broken")
    (tmp_path / "broken" / "dogs" / "03.png").write_bytes(b"no image")
    with pytest.raises(ArgumentError, match=r"03\.png: not an image"):
        load(str(tmp_path / "broken"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentError, match="a folder must hold one folder of images for each class"):
        load(str(tmp_path / "empty"))
    (tmp_path / "one" / "cats").mkdir(parents=True)
    with pytest.raises(ArgumentError, match="one"):
        load(str(tmp_path / "one"))
    class_folders(tmp_path / "alone", labels=("cats",), count=24)
    with pytest.raises(ArgumentError, match="all 24 images lie in one folder, 'cats'"):
        load(str(tmp_path / "alone"))
    for i in range(24):
        write(tmp_path / "flat" / f"{i}.png", noise(9, 9))
    with pytest.raises(ArgumentError, match="holds 24 images, but no class folders"):
        load(str(tmp_path / "flat"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "regression"}, "have classes: --task must be classification, got 'regression'"),
        ({"target": "kind"}, "have no column to predict: leave --target out, got 'kind'"),
        ({"reading": Reading(layout="gray")}, "images cannot be read with --layout: leave it out"),
    ],
)
def test_options_that_images_would_ignore_are_refused(tmp_path, options, message):
    class_folders(tmp_path / "pets")
    with pytest.raises(ArgumentError, match=message):
        load(str(tmp_path / "pets"), **options)


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("train", "val", "test"), ("Training", "valid", "Testing"), ("seg_train", "seg_dev", "seg_test")],
)
def test_splits_are_no_classes(tmp_path, train, validation, test):
    root = tmp_path / "pets"
    class_folders(root / train, count=12)
    class_folders(root / validation, count=3)
    class_folders(root / test, count=4)
    data = load(str(root))
    assert data.class_names == ("cats", "dogs")
    assert (len(data.x), len(data.x_test)) == (30, 8)
    assert np.bincount(data.y_test).tolist() == [4, 4]
    assert said(data, "the 6 images for validation join the 24 for training")
    with Image.open(root / test / "dogs" / "03.png") as image:
        np.testing.assert_array_equal(data.x_test[-1].transpose(1, 2, 0), np.asarray(image))


def test_validation_is_the_test_set_where_there_is_no_other(tmp_path):
    class_folders(tmp_path / "bees" / "data" / "train", count=12)
    class_folders(tmp_path / "bees" / "data" / "val" / "val", count=3)  # unpacked twice
    data = load(str(tmp_path / "bees"))
    assert (len(data.x), len(data.x_test), data.name) == (24, 6, "bees")
    assert said(data, "the 6 images for validation are the test set")
    assert said(data, f"the classes are the folders in {tmp_path / 'bees' / 'data'}")


def test_other_layouts_of_splits(tmp_path):
    for label in ("cats", "dogs"):  # splits in every class
        class_folders(tmp_path / "inside" / label, labels=("train",), count=12)
        class_folders(tmp_path / "inside" / label, labels=("test",), count=2)
    inside = load(str(tmp_path / "inside"))
    assert (inside.class_names, len(inside.x), len(inside.x_test)) == (("cats", "dogs"), 24, 4)
    class_folders(tmp_path / "kaggle" / "train")
    for i in range(5):  # a test set without labels
        write(tmp_path / "kaggle" / "test" / f"{i}.png", noise(9, 9, 3))
    kaggle = load(str(tmp_path / "kaggle"))
    assert (kaggle.class_names, len(kaggle.x), kaggle.x_test) == (("cats", "dogs"), 24, None)
    assert said(kaggle, "test: 5 images without a class folder are left out")
    class_folders(tmp_path / "flat", labels=("train", "test"))
    with pytest.raises(ArgumentError, match="test, train are splits, which must each hold one folder of images"):
        load(str(tmp_path / "flat"))


def test_folders_of_which_the_level_of_the_classes_is_not_clear(tmp_path):
    class_folders(tmp_path / "signs" / "data", labels="012")
    for i in range(3):
        write(tmp_path / "signs" / "examples" / f"{i}.png", noise(9, 9, 3))
    with pytest.raises(ArgumentError) as caught:
        load(str(tmp_path / "signs"))
    assert f"if those folders are the classes, give {tmp_path / 'signs' / 'data'}" in str(caught.value)
    for kind in ("color", "gray"):
        class_folders(tmp_path / "plants" / kind, labels=("ill", "well"))
    with pytest.raises(ArgumentError, match="color, gray hold folders of the same names"):
        load(str(tmp_path / "plants"))
    for kind, breeds in (("cats", ("manx", "persian")), ("dogs", ("husky", "pug"))):  # clear
        class_folders(tmp_path / "pets" / kind, labels=breeds)
    assert load(str(tmp_path / "pets")).class_names == ("cats", "dogs")


def test_a_class_of_the_test_set_alone_is_said(tmp_path):
    class_folders(tmp_path / "pets" / "train")
    class_folders(tmp_path / "pets" / "test", labels=("birds", "cats"), count=2)
    data = load(str(tmp_path / "pets"))
    assert data.class_names == ("birds", "cats", "dogs")
    assert said(data, "no training row has class 'birds', but 2 rows of the test set: they count as wrong")


def test_class_folders_keep_every_image_whatever_its_name(tmp_path):
    # names that other readers take for splits
    for label in ("train", "pos_test", "valid"):
        for i in range(10):
            write(tmp_path / "odd" / label / f"test_{i}.png", noise(8, 8))
    data = load(str(tmp_path / "odd"))
    assert data.class_names == ("pos_test", "train", "valid")
    assert np.bincount(data.y).tolist() == [10, 10, 10]


def test_what_is_no_image_does_not_count(tmp_path):
    root = tmp_path / "pets"
    class_folders(root)
    expected = load(str(root))
    for name in ("cats/._00.png", "cats/Thumbs.db", ".DS_Store", "__MACOSX/cats/._00.png", "dogs/desktop.ini"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"not an image")
    for name in (".ipynb_checkpoints/00.png", "cats/.ipynb_checkpoints/00.png", "@eaDir/cats/00.png"):
        write(root / name, noise(9, 9, 3))
    again = load(str(root))
    np.testing.assert_array_equal(again.x, expected.x)
    assert (again.class_names, again.notes) == (expected.class_names, expected.notes)
    (root / "cats" / "notes.txt").write_text("seen, and said")
    (root / "birds").mkdir()
    write(root / "overview.png", noise(3, 3))
    more = load(str(root))
    np.testing.assert_array_equal(more.x, expected.x)
    assert said(more, "files that are no images are left out: 1 .txt")
    assert said(more, "1 images beside the folders are left out")
    assert said(more, "folders without images are left out: birds")


def test_links_are_followed_once(tmp_path):
    class_folders(tmp_path / "store")
    (tmp_path / "pets").mkdir()
    for label in ("cats", "dogs"):
        (tmp_path / "pets" / label).symlink_to(tmp_path / "store" / label)
    (tmp_path / "store" / "cats" / "up").symlink_to(tmp_path / "pets")
    assert len(load(str(tmp_path / "pets")).x) == 24


def test_sizes_that_differ_are_resized_on_request_only(tmp_path):
    root = tmp_path / "sizes"
    class_folders(root, labels=("cats",), shape=(40, 30, 3))
    class_folders(root, labels=("dogs",), shape=(40, 36, 3))
    with pytest.raises(ArgumentError) as caught:
        load(str(root))
    assert "of one size (height x width): " in str(caught.value)
    assert "resize them with --resize 40x" in str(caught.value)
    data = load(str(root), reading=Reading(resize=(20, 18)))
    assert data.x.shape == (24, 3, 20, 18)
    assert said(data, "resized, without keeping proportions: all 24")
    with Image.open(root / "dogs" / "00.png") as image:  # half the size: the mean of neighbours, nearly
        whole = np.asarray(image).astype(float)
    blocks = whole.reshape(20, 2, 18, 2, 3).mean(axis=(1, 3))
    assert np.corrcoef(data.x[12].transpose(1, 2, 0).ravel(), blocks.ravel())[0, 1] > 0.9


def test_labels_in_a_table_beside_the_images(tmp_path):
    root = tmp_path / "leaves"
    for i in range(24):
        write(root / "images" / f"leaf{i}.png", np.full((8, 8), 10 * i, np.uint8))
    rows = [f"leaf{i},{['oak', 'elm'][i % 2]},{i / 7}" for i in reversed(range(24))]
    (root / "labels.csv").write_text("id,kind,length\n" + "\n".join(rows))
    with pytest.raises(
        ArgumentError, match=r"labels\.csv: --target must name the column of labels, one of kind, length"
    ):
        load(str(root))
    data = load(str(root), target="kind")
    assert data.class_names == ("elm", "oak")
    for image, y in zip(data.x, data.y, strict=True):
        assert data.class_names[y] == ["oak", "elm"][image[0, 0, 0] // 10 % 2]
    lengths = load(str(root), target="length")
    assert lengths.task == "regression"
    np.testing.assert_allclose(lengths.y, lengths.x[:, 0, 0, 0] / 10 / 7)
    (root / "labels.csv").rename(root / "train_labels.csv")
    (root / "test_labels.csv").write_text("id,kind\n")  # of images that are elsewhere
    assert load(str(root), target="kind").class_names == ("elm", "oak")
    (root / "test_labels.csv").unlink()
    (root / "train_labels.csv").rename(root / "labels.csv")
    (root / "labels.csv").write_text("id,kind\nleaf1,oak\nleaf1,elm\n")  # boxes of objects
    with pytest.raises(ArgumentError, match="has 2 rows for 1 images; each must have one row with its label"):
        load(str(root))
    (root / "labels.csv").write_text("id,kind\nleaf1,oak\nleaf2,elm\nleaf99,elm\n")
    with pytest.raises(ArgumentError, match="column 'id' names 1 image that is not there, 'leaf99'"):
        load(str(root))


def test_archives_pickles_and_the_like_say_what_to_do(tmp_path):
    for name, content, advice in [
        ("pets.zip", b"PK\3\4", "an archive: unpack it first, and give the folder"),
        ("pets.tar.gz", b"\x1f\x8b", "an archive: unpack it first, and give the folder"),
        ("a.pkl", b"\x80\x04", "a pickle, which can run any program when it is opened, so it never is"),
        ("model.pt", b"PK\3\4", "a pickle"),
        ("data_batch_1", b"\x80\x02}q\x01", "the names cifar10 and cifar100 load CIFAR's images from the Hub"),
        ("a.mat", b"MATLAB", "read it with scipy.io.loadmat, then save arrays x and y with numpy.savez"),
        ("a.h5", b"\x89HDF", "read it with h5py"),
        ("one.png", b"\x89PNG", "one image is no data set"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ArgumentError) as caught:
            load(str(tmp_path / name))
        assert advice in str(caught.value)
        assert "\n" not in str(caught.value)
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"\x80\x02}q\x01")
    with pytest.raises(ArgumentError, match="data_batch_1 is a pickle"):
        load(str(tmp_path / "cifar-10-batches-py"))


def test_huge_images_are_refused_by_their_headers(tmp_path):
    for name, side, count in (("bombs", 12_000, 24), ("many", 8000, 60)):
        plain = io.BytesIO()
        Image.new("1", (side, side)).save(plain, format="PNG")
        for k in range(count):
            path = tmp_path / name / "ab"[k % 2] / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(plain.getvalue())
    with pytest.raises(ArgumentError, match=r"has 12,000 x 12,000 pixels; at most 67 million are decoded"):
        load(str(tmp_path / "bombs"))
    with pytest.raises(ArgumentError, match=r"60 images of 8000 x 8000 pixels take 3\.6 GiB .* say --resize 64x64"):
        load(str(tmp_path / "many"))
