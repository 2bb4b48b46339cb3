"""Reading data: what comes out of each kind of file, and what is said of a wrong one."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet, check_dataset
from localmixup.lab.data.generators import spirals
from localmixup.lab.data.prepared import CLIP, prepare, split_validation
from localmixup.lab.data.sources import load


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return buffer.getvalue()


def table(rows=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.normal(size=rows),
            "colour": rng.choice(["red", "green"], size=rows),
            "old": rng.random(rows) < 0.5,
            "kind": rng.choice(["cat", "dog", "owl"], size=rows),
            "price": rng.normal(size=rows),
        }
    )


def hub_parquet(path, labels, size=(8, 8), names=None, column="image", target="label"):
    import datasets

    rng = np.random.default_rng(0)
    images = [{"bytes": png(rng.integers(0, 255, size, dtype=np.uint8)), "path": None} for _ in labels]
    label = datasets.ClassLabel(names=names) if names else datasets.Value("int64")
    features = datasets.Features({column: datasets.Image(), target: label})
    datasets.Dataset.from_dict({column: images, target: labels}, features=features).to_parquet(str(path))


def test_named_sets():
    digits = load("digits")
    assert digits.x.shape == (1797, 1, 8, 8)
    assert digits.x.dtype == np.uint8
    assert digits.task == "classification"
    assert len(load("spirals").x) == 2000


def test_both_readings_of_the_spirals():
    # theory.md, section 7: the published draw is mirrored and separable, the paper's noise is not
    x, y = spirals(reading="published")
    np.testing.assert_allclose(x[y == 1], -x[y == 0], atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-3)
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(1)
    order = np.random.default_rng(0).permutation(2000)
    assert cross_val_score(nearest, x[order], y[order]).mean() > 0.99
    x, y = spirals(reading="paper")
    assert 0.6 < cross_val_score(nearest, x[order], y[order]).mean() < 0.75
    distances = torch.pdist(torch.from_numpy(spirals(reading="published")[0]).double())
    # quantiles and shares of the authors' own arrays: one draw of 1,600 points against another of 2,000
    for share, expected in ((0.25, 1.1345), (0.5, 1.7923), (0.75, 2.4470), (0.99, 3.6202)):
        assert float(distances.quantile(share) if len(distances) < 16e6 else 0) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables(tmp_path, suffix):
    path = tmp_path / f"pets.{suffix}"
    table().to_csv(path, index=False) if suffix == "csv" else table().to_parquet(path)
    kinds = load(str(path), target="kind")
    assert kinds.class_names == ("cat", "dog", "owl")
    assert kinds.x.shape == (40, 5)  # size, two colours, old, price
    assert "target 'kind': 3 classes" in kinds.notes[0]
    assert "column 'colour': 2 categories" in kinds.notes[1]
    prices = load(str(path), target="price")
    assert prices.task == "regression"
    assert "a quantity (regression)" in prices.notes[0]
    np.testing.assert_allclose(prices.y, table().price, rtol=1e-6)


def test_the_target_is_found_by_its_name_and_its_task_by_its_values(tmp_path):
    frame = table().rename(columns={"kind": "target"})
    frame["target"] = np.arange(40) % 3
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert load(str(tmp_path / "a.csv")).task == "classification"
    assert load(str(tmp_path / "a.csv"), task="regression").task == "regression"
    frame["target"] = np.arange(40)
    frame.to_csv(tmp_path / "b.csv", index=False)
    assert load(str(tmp_path / "b.csv")).task == "regression"


def spoiled(column, row, value):
    frame = table().astype(object)
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (table(), {}, "say which column to predict with --target; there are size, colour, old, kind, price"),
        (table(), {"target": "kin"}, "--target 'kin' is no column"),
        (spoiled("size", 6, None), {"target": "kind"}, "1 value missing, the first in row 7, column 'size'"),
        (spoiled("size", 6, "many"), {"target": "kind"}, "row 7, column 'size': 'many' is no number"),
        (spoiled("price", 3, np.inf), {"target": "kind"}, "row 4, column 'price': inf is not a finite number"),
        (spoiled("price", 3, np.inf), {"target": "price"}, "row 4, column 'price': inf is not a finite number"),
        (table().assign(kind="cat"), {"target": "kind"}, "at least two classes are needed, all 40 rows have the same"),
        (table().assign(price=1.5), {"target": "price"}, "the target is the same in all 40 rows"),
        (table(10), {"target": "kind"}, "at least 20 rows are needed"),
        (table(0), {"target": "kind"}, "columns but no rows"),
        (table()[["kind"]], {"target": "kind"}, "there are no inputs beside the target"),
        (table(), {"target": "kind", "task": "regression"}, "--task regression needs numbers in column 'kind'"),
        (table().assign(kind=[f"id{i}" for i in range(40)]), {"target": "kind"}, "40 different values in 40 rows"),
        (
            table(60).assign(colour=[f"c{i}" for i in range(60)]),
            {"target": "kind"},
            "column 'colour' holds text with 60 different values",
        ),
    ],
)
def test_wrong_tables_are_refused_with_the_place(tmp_path, frame, options, message):
    path = tmp_path / "wrong.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(ArgumentError) as caught:
        load(str(path), **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "the file is empty"),
        ("broken.parquet", b"PAR0", "cannot be read as Parquet"),
        ("broken.npz", b"nothing", "not a NumPy archive"),
        ("notes.txt", b"x", "a file must be one of .csv, .parquet, .npz, got '.txt'"),
        ("bytes.csv", b"\xff\xfe\x00\x01", "cannot be read as a table"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArgumentError) as caught:
        load(str(tmp_path / name))
    assert message in str(caught.value)


def test_things_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=r"no such file or folder: nowhere\.csv"):
        load("nowhere.csv")
    with pytest.raises(ArgumentError, match="did you mean 'digits'"):
        load("digit")
    with pytest.raises(ArgumentError) as caught:
        load("mnist", data_root=tmp_path / "root")
    for place in ("--data-root", "$LOCALMIXUP_DATA (not set)", "./data", "the Hub (ylecun/mnist)"):
        assert place in str(caught.value)


def test_arrays(tmp_path):
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
        ({"x": np.zeros((30, 2)), "y": np.arange(30) * 2}, "array 'y' has 30 different values in 30 rows: no classes"),
        ({"x": np.zeros((60, 2)), "y": np.arange(60) % 25 * 2}, "say --task classification or --task regression"),
        ({"x": np.zeros((60, 0)), "y": np.arange(60) % 2}, "rows must hold at least one value, got shape (60, 0)"),
        (
            {"x": np.zeros((30, 2)), "y": np.arange(30) % 2, "x_test": np.zeros((5, 2)), "y_test": np.full(5, 7)},
            "y_test has the class '7', which no training row has",
        ),
        (
            {"x": np.zeros((30, 2)), "y": np.array(["a", "b"] * 15), "x_test": np.zeros((5, 2)), "y_test": np.ones(5)},
            "give both as one kind",
        ),
        ({"x": np.zeros((30, 2)), "y": np.array([1j, 2] * 15)}, "array 'y' must hold numbers or text"),
        ({"x": np.zeros((30, 2)), "y": np.zeros(20, int)}, "30 inputs but 20 targets"),
        ({"x": np.full((30, 2), np.nan), "y": np.arange(30) % 2}, "inputs must be finite, got nan at position (0, 0)"),
        ({"x": np.array([["a"]] * 30), "y": np.arange(30) % 2}, "array 'x' must hold numbers"),
        ({"x": np.zeros(30), "y": np.arange(30) % 2}, "must have shape (rows, ...)"),
    ],
)
def test_wrong_arrays(tmp_path, arrays, message):
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(ArgumentError) as caught:
        load(str(tmp_path / "wrong.npz"))
    assert message in str(caught.value)


@pytest.mark.parametrize("labels", [[-1, 1], [0, 5], ["dog", "cat"], [b"no", b"yes"]])
def test_labels_of_arrays_are_read_as_those_of_tables(tmp_path, labels):
    import pandas as pd

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), np.array(labels)[rng.integers(0, 2, size=60)]
    np.savez(tmp_path / "a.npz", x=x, y=y, x_test=x[:7], y_test=y[:7])
    pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y.astype(str)}).to_csv(tmp_path / "a.csv", index=False)
    arrays, table = load(str(tmp_path / "a.npz")), load(str(tmp_path / "a.csv"))
    assert arrays.class_names == table.class_names
    assert arrays.y.tolist() == table.y.tolist()
    assert arrays.y_test.tolist() == table.y[:7].tolist()


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


def test_parquet_in_the_layout_of_the_hub(tmp_path, monkeypatch):
    root = tmp_path / "root" / "cifar10"
    root.mkdir(parents=True)
    hub_parquet(root / "train-00000-of-00001.parquet", [i % 2 for i in range(24)], names=["cat", "dog"], column="img")
    hub_parquet(root / "test-00000-of-00001.parquet", [0, 1, 1], names=["cat", "dog"], column="img")
    monkeypatch.setenv("LOCALMIXUP_DATA", str(tmp_path / "root"))
    data = load("cifar10")
    assert data.class_names == ("cat", "dog")
    assert data.x.shape == (24, 1, 8, 8)
    assert data.y_test.tolist() == [0, 1, 1]
    again = load("cifar10")  # from the cache
    assert again.fingerprint == data.fingerprint
    hub_parquet(tmp_path / "svhn.parquet", [i % 3 for i in range(24)], target="fine_label")
    assert load(str(tmp_path / "svhn.parquet")).class_names == ("0", "1", "2")
    hub_parquet(tmp_path / "odd.parquet", [i % 3 - 1 for i in range(24)])
    with pytest.raises(ArgumentError, match="class index out of range"):
        load(str(tmp_path / "odd.parquet"))


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


def test_tables_with_odd_columns(tmp_path):
    from decimal import Decimal

    frame = table()
    frame.to_csv(tmp_path / "numbered.csv")
    data = load(str(tmp_path / "numbered.csv"), target="kind")
    assert data.x.shape == (40, 5)
    assert "the first column numbers the rows: left out" in data.notes
    (tmp_path / "twice.csv").write_text("a,target,target\n" + "1,2,3\n" * 30)
    with pytest.raises(ArgumentError, match="column 'target' is there more than once"):
        load(str(tmp_path / "twice.csv"))
    frame.assign(price=[Decimal(i) / 7 for i in range(40)]).to_parquet(tmp_path / "decimal.parquet")
    assert load(str(tmp_path / "decimal.parquet"), target="price").task == "regression"
    frame.set_index("size").to_parquet(tmp_path / "indexed.parquet")
    assert load(str(tmp_path / "indexed.parquet"), target="kind").x.shape == (40, 5)
    frame.assign(old=[[1, 2]] * 40).to_parquet(tmp_path / "lists.parquet")
    with pytest.raises(ArgumentError, match="column 'old' holds lists or structures"):
        load(str(tmp_path / "lists.parquet"), target="kind")
    frame.rename(columns={"size": "img", "kind": "label"}).to_parquet(tmp_path / "named.parquet")
    assert load(str(tmp_path / "named.parquet")).class_names == ("cat", "dog", "owl")


def test_the_task_of_arrays_can_be_set(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=rng.normal(size=(30, 4)), y=np.arange(30))
    assert load(str(tmp_path / "a.npz"), task="regression").task == "regression"
    np.savez(tmp_path / "b.npz", x=rng.normal(size=(30, 4)), y=(np.arange(30) % 2).astype(float))
    assert load(str(tmp_path / "b.npz"), task="classification").class_names == ("0", "1")
    for arrays, message in [
        ({"x_test": np.zeros((3, 5)), "y_test": np.zeros(3, int)}, "x_test has rows of shape"),
        ({"x_test": np.zeros((3, 4))}, "a test set needs both"),
        ({"x_test": np.zeros((0, 4)), "y_test": np.zeros(0, int)}, "arrays must have rows"),
        ({"y": np.int64(3)}, "arrays must have rows"),
    ]:
        np.savez(tmp_path / "c.npz", **{"x": rng.normal(size=(30, 4)), "y": np.arange(30) % 2, **arrays})
        with pytest.raises(ArgumentError, match=message):
            load(str(tmp_path / "c.npz"))


@pytest.mark.parametrize(("factor", "offset"), [(1e-9, 0.0), (1e20, 0.0), (500.0, 1.7e9), (1e-14, 0.0), (1.0, 1e9)])
def test_columns_of_any_unit_are_standardised(factor, offset):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 1))
    ready = prepare(DataSet("units", "table", values * factor + offset, values[:, 0] * factor + offset))
    assert ready.x.std() == pytest.approx(1, abs=0.01)
    assert ready.y.std() == pytest.approx(1, abs=0.01)
    assert ready.y_scale == pytest.approx(factor, rel=0.1)


def test_the_fingerprint_is_that_of_the_contents(blobs):
    other = DataSet("other", "table", blobs.x.copy(), blobs.y.copy(), class_names=blobs.class_names)
    assert other.fingerprint == blobs.fingerprint
    other.x[0, 0] += 1
    changed = DataSet("other", "table", other.x, blobs.y, class_names=blobs.class_names)
    assert changed.fingerprint != blobs.fingerprint


def test_a_column_that_hardly_varies_cannot_blow_up():
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


def test_rare_classes_do_not_stop_the_split():
    y = np.zeros(40, dtype=np.int64)
    y[3] = 1
    data = check_dataset(
        DataSet(
            "rare", "table", np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32), y, class_names=("a", "b")
        )
    )
    assert len(prepare(data).x) == 32


def hub_images(path, rows, labels, column="image"):
    """Write images in the Hub's layout, `labels` giving classes and class names by column; returns the pixels."""
    import datasets

    rng = np.random.default_rng(len(path.name))
    pixels = rng.integers(0, 255, (rows, 4, 4, 3), dtype=np.uint8)
    columns = {column: [{"bytes": png(image), "path": None} for image in pixels]}
    columns |= {key: classes for key, (classes, _) in labels.items()}
    kinds = {column: datasets.Image(), **{key: datasets.ClassLabel(names=names) for key, (_, names) in labels.items()}}
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(columns, features=datasets.Features(kinds)).to_parquet(str(path))
    return pixels.transpose(0, 3, 1, 2)


DIGIT_NAMES = [str(digit) for digit in range(10)]


@pytest.mark.parametrize("folder", ["cifar100", "cifar100/cifar100"])
def test_cifar100_has_its_fine_classes(tmp_path, monkeypatch, folder):
    fine, coarse = [f"fine {c}" for c in range(100)], [f"coarse {c}" for c in range(20)]
    written = {}
    for split, rows in (("train", 120), ("test", 7)):
        labels = {"fine_label": ([i % 100 for i in range(rows)], fine), "coarse_label": ([3] * rows, coarse)}
        written[split] = hub_images(tmp_path / folder / f"{split}-00000-of-00001.parquet", rows, labels, "img")
    monkeypatch.setenv("LOCALMIXUP_DATA", str(tmp_path))
    data = load("cifar100")
    assert (data.name, data.class_names) == ("cifar100", tuple(fine))
    assert data.y.tolist() == [i % 100 for i in range(120)]
    assert data.y_test.tolist() == list(range(7))
    np.testing.assert_array_equal(data.x, written["train"])
    np.testing.assert_array_equal(data.x_test, written["test"])


@pytest.mark.parametrize("folder", ["svhn", "svhn/cropped_digits"])
def test_the_extra_images_of_svhn_are_not_read(tmp_path, folder):
    for split, rows in (("train-00000-of-00002", 20), ("train-00001-of-00002", 10), ("test-00000-of-00001", 5)):
        hub_images(
            tmp_path / folder / f"{split}.parquet", rows, {"label": ([i % 10 for i in range(rows)], DIGIT_NAMES)}
        )
    (tmp_path / folder / "extra-00000-of-00001.parquet").write_bytes(b"would not be read")
    data = load("svhn", data_root=tmp_path)
    assert data.class_names == tuple(DIGIT_NAMES)
    assert data.x.shape == (30, 3, 4, 4)
    assert data.y.tolist() == [*range(10), *range(10), *range(10)]
    assert data.y_test.tolist() == [0, 1, 2, 3, 4]


def test_svhn_is_asked_of_the_hub_with_its_configuration(tmp_path, monkeypatch):
    import datasets

    parts = {}
    for split, rows in (("extra", 40), ("train", 20), ("test", 5)):
        path = tmp_path / f"{split}.parquet"
        hub_images(path, rows, {"label": ([i % 10 for i in range(rows)], DIGIT_NAMES)})
        parts[split] = datasets.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache"))
    asked = []

    def load_dataset(*arguments):
        asked.append(arguments)
        return datasets.DatasetDict(parts)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    (tmp_path / "data" / "svhn").mkdir(parents=True)
    (tmp_path / "data" / "svhn" / "extra-00000-of-00001.parquet").write_bytes(b"no training images: not the place")
    data = load("svhn")
    assert asked == [("ufldl-stanford/svhn", "cropped_digits")]
    assert (len(data.x), len(data.x_test)) == (20, 5)


@pytest.mark.parametrize(
    ("name", "configuration", "hub"),
    [("cifar100", "cifar100", "uoft-cs/cifar100"), ("svhn", "cropped_digits", "ufldl-stanford/svhn")],
)
def test_image_sets_with_a_configuration_that_are_nowhere(tmp_path, monkeypatch, name, configuration, hub):
    import datasets

    def unreachable(*_):
        raise ConnectionError("no network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    monkeypatch.setenv("LOCALMIXUP_DATA", "elsewhere")
    with pytest.raises(ArgumentError) as caught:
        load(name, data_root=tmp_path / "root")
    folder = tmp_path / "root" / name
    assert str(caught.value) == (
        f"{name} was not found; looked in --data-root ({folder}, {folder / configuration}), "
        f"$LOCALMIXUP_DATA (elsewhere/{name}, elsewhere/{name}/{configuration}), "
        f"./data (data/{name}, data/{name}/{configuration}), the Hub ({hub}, {configuration}). "
        f"{hub} could not be loaded from the Hub: no network"
    )


def quantities(rows, seed=0):
    rng = np.random.default_rng(seed)
    columns = {"speed": rng.normal(size=rows), "angle": rng.integers(0, 3, rows).astype(float)}
    return pd.DataFrame(columns | {"target": np.arange(rows) % 4.0})  # few whole values: still a quantity


@pytest.mark.parametrize("name", ["airfoil", "no2"])
def test_named_tables_are_regression(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / name
    folder.mkdir(parents=True)
    first, second = quantities(30), quantities(12, seed=1)
    first.to_parquet(folder / "data-00000-of-00001.parquet")
    (folder / "README.md").write_text("where it is from")
    data = load(name)
    assert (data.name, data.kind, data.task) == (name, "table", "regression")
    assert data.notes == ("target 'target': a quantity (regression), 4 different values",)
    np.testing.assert_array_equal(data.x, first[["speed", "angle"]])
    np.testing.assert_array_equal(data.y, first["target"])
    assert load(name, target="angle", task="classification").class_names == ("0.0", "1.0", "2.0")
    root = tmp_path / "root" / name  # before ./data, and of two files
    root.mkdir(parents=True)
    first.to_parquet(root / "data-00000-of-00002.parquet")
    second.to_parquet(root / "data-00001-of-00002.parquet")
    both = load(name, data_root=tmp_path / "root")
    np.testing.assert_array_equal(both.x, pd.concat([first, second])[["speed", "angle"]])
    np.testing.assert_array_equal(both.y, [*first["target"], *second["target"]])


@pytest.mark.parametrize("name", ["airfoil", "no2"])
def test_named_tables_that_are_nowhere_or_have_no_target(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "root" / name
    with pytest.raises(ArgumentError) as caught:
        load(name, data_root=tmp_path / "root")
    assert str(caught.value) == (
        f"{name} was not found; looked for *.parquet in --data-root ({folder}), $LOCALMIXUP_DATA (not set), "
        f"./data (data/{name}). It is not on the Hub: put its Parquet files, with a column 'target', into one of these "
        "folders"
    )
    folder.mkdir(parents=True)
    quantities(30).rename(columns={"target": "sound"}).to_parquet(folder / "a.parquet")
    with pytest.raises(ArgumentError, match="'target' is no column; there are speed, angle, sound"):
        load(name, data_root=tmp_path / "root")


def test_test_labels_that_are_no_classes_are_refused(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    np.savez(tmp_path / "a.npz", x=x, y=y, x_test=x[:4], y_test=[0.0, 1.0, 0.7, 1.0])
    with pytest.raises(ArgumentError, match="'y_test' must hold whole numbers, as classes are, got float64"):
        load(str(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", x=x, y=y, x_test=x[:4], y_test=[0.0, 1.0, 0.0, 1.0])
    assert load(str(tmp_path / "b.npz")).y_test.tolist() == [0, 1, 0, 1]
