"""Image sets of the Hub and Parquet files in its layout."""

import io
import socketserver
import threading

import numpy as np
import pytest
from PIL import Image

from localmixup._validate import ArgumentError
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.sources import load


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return buffer.getvalue()


def hub_images(path, rows, labels, column="image"):
    """Write a Parquet file as on the Hub; `labels` maps columns to classes and class names, or to classes alone."""
    import datasets

    rng = np.random.default_rng(len(path.name))
    pixels = rng.integers(0, 255, (rows, 4, 4, 3), dtype=np.uint8)
    columns = {column: [{"bytes": png(image), "path": None} for image in pixels]}
    columns |= {key: classes for key, (classes, *_) in labels.items()}
    kinds = {
        column: datasets.Image(),
        **{
            key: datasets.ClassLabel(names=names[0]) if names else datasets.Value("int64")
            for key, (_, *names) in labels.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(columns, features=datasets.Features(kinds)).to_parquet(str(path))
    return pixels.transpose(0, 3, 1, 2)


def test_parquet_in_the_layout_of_the_hub(tmp_path, monkeypatch):
    root = tmp_path / "root" / "cifar10"
    names = ["cat", "dog"]
    pixels = hub_images(
        root / "train-00000-of-00001.parquet", 24, {"label": ([i % 2 for i in range(24)], names)}, "img"
    )
    hub_images(root / "test-00000-of-00001.parquet", 3, {"label": ([0, 1, 1], names)}, "img")
    monkeypatch.setenv("LOCALMIXUP_DATA", str(tmp_path / "root"))
    data = load("cifar10")
    assert data.class_names == ("cat", "dog")
    np.testing.assert_array_equal(data.x, pixels)
    assert data.y_test.tolist() == [0, 1, 1]
    assert load("cifar10").fingerprint == data.fingerprint  # the second time from the cache
    hub_images(tmp_path / "svhn.parquet", 24, {"fine_label": ([i % 3 for i in range(24)],)})
    assert load(str(tmp_path / "svhn.parquet")).class_names == ("0", "1", "2")
    hub_images(tmp_path / "odd.parquet", 24, {"label": ([i % 3 - 1 for i in range(24)],)})
    with pytest.raises(ArgumentError, match="class index out of range"):
        load(str(tmp_path / "odd.parquet"))


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


def test_svhn_is_loaded_from_the_hub_with_its_configuration(tmp_path, monkeypatch):
    import datasets
    import huggingface_hub

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
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    (tmp_path / "data" / "svhn").mkdir(parents=True)
    (tmp_path / "data" / "svhn" / "extra-00000-of-00001.parquet").write_bytes(b"no training images: not the place")
    data = load("svhn")
    assert asked == [("ufldl-stanford/svhn", "cropped_digits")]
    assert (len(data.x), len(data.x_test)) == (20, 5)


@pytest.mark.parametrize(
    ("name", "configuration", "hub"),
    [("cifar100", "cifar100", "uoft-cs/cifar100"), ("svhn", "cropped_digits", "ufldl-stanford/svhn")],
)
def test_missing_image_sets_with_a_configuration(tmp_path, monkeypatch, name, configuration, hub):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("LOCALMIXUP_DATA", "elsewhere")
    with pytest.raises(ArgumentError) as caught:
        load(name, data_root=tmp_path / "root")
    folder = tmp_path / "root" / name
    assert str(caught.value) == (
        f"{name} was not found; looked in --data-root ({folder}, {folder / configuration}), "
        f"$LOCALMIXUP_DATA (elsewhere/{name}, elsewhere/{name}/{configuration}), "
        f"./data (data/{name}, data/{name}/{configuration}), the Hub ({hub}, {configuration}). "
        f"{hub} could not be loaded from the Hub: HF_HUB_OFFLINE is set, and it was not downloaded before. Check the "
        "network and HF_HUB_OFFLINE, or give a folder with its Parquet files"
    )


def test_a_hub_out_of_reach_is_asked_once(tmp_path, monkeypatch):
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.chdir(tmp_path)
    for place in (datasets.config, huggingface_hub.constants):
        monkeypatch.setattr(place, "HF_HUB_OFFLINE", False)
    asked = []

    class Listener(socketserver.BaseRequestHandler):
        def handle(self):
            asked.append(self.request.recv(100))  # and no answer

    with socketserver.TCPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(ArgumentError) as caught:
            load("someone/something")
        server.shutdown()
    assert "someone/something could not be loaded from the Hub: it cannot be reached (" in str(caught.value)
    assert len(asked) == 1
    assert not huggingface_hub.constants.HF_HUB_OFFLINE


def test_validation_joins_the_training_rows_where_there_is_a_test_set(tmp_path):
    names = ["cat", "dog"]
    written = {}
    for split, rows in (("train", 24), ("validation", 4), ("test", 6)):
        path = tmp_path / "pets" / "data" / f"{split}-00000-of-00001.parquet"
        written[split] = hub_images(path, rows, {"label": ([i % 2 for i in range(rows)], names)})
    data = load(str(tmp_path / "pets"))
    np.testing.assert_array_equal(data.x, np.concatenate([written["train"], written["validation"]]))
    np.testing.assert_array_equal(data.x_test, written["test"])
    said = "the 4 rows for validation join the 24 of the training set"
    assert said in data.notes
    assert said in load(str(tmp_path / "pets")).notes  # from the cache as well
    (tmp_path / "pets" / "data" / "test-00000-of-00001.parquet").unlink()
    fewer = load(str(tmp_path / "pets"))
    np.testing.assert_array_equal(fewer.x_test, written["validation"])
    assert "the 4 rows for validation are the test set" in fewer.notes


def test_tables_that_name_files_instead_of_holding_images(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    secret = tmp_path / "secret.png"
    secret.write_bytes(png(np.zeros((4, 4, 3), np.uint8)))
    images = [{"bytes": None, "path": str(secret)}] * 24
    pq.write_table(pa.table({"image": images, "label": [i % 2 for i in range(24)]}), tmp_path / "planted.parquet")
    with pytest.raises(ArgumentError, match=r"row 0 names the file '.*secret\.png' instead of holding an image"):
        load(str(tmp_path / "planted.parquet"))


def test_labels_of_text_and_resizing(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [{"bytes": png(np.full((8 + i % 2, 8), 9 * i, np.uint8)), "path": f"{i}.png"} for i in range(24)]
    pq.write_table(pa.table({"image": images, "label": ["oak", "elm"] * 12}), tmp_path / "a.parquet")
    with pytest.raises(ArgumentError, match="resize them with --resize"):
        load(str(tmp_path / "a.parquet"))
    data = load(str(tmp_path / "a.parquet"), reading=Reading(resize=(4, 4)))
    assert (data.class_names, data.x.shape) == (("elm", "oak"), (24, 1, 4, 4))
    np.testing.assert_array_equal(data.x[:, 0, 0, 0], [9 * i for i in range(24)])
