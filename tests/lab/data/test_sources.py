"""Finding a data set by its name or path."""

import numpy as np
import pandas as pd
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.data.sources import load


def test_digits_and_spirals_need_no_file():
    digits = load("digits")
    assert digits.x.shape == (1797, 1, 8, 8)
    assert digits.x.dtype == np.uint8
    assert digits.task == "classification"
    assert len(load("spirals").x) == 2000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "the file is empty"),
        ("broken.parquet", b"PAR0", "cannot be read as Parquet"),
        ("broken.npz", b"nothing", "not a NumPy archive"),
        ("notes.doc", b"x", "a file must be one of .csv, .tsv"),
        ("bytes.csv", b"\x00\x01\x02,\x07\n", "this is not a text file"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArgumentError) as caught:
        load(str(tmp_path / name))
    assert message in str(caught.value)


def test_missing_data_are_named_with_the_places_searched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=r"no such file or folder: nowhere\.csv"):
        load("nowhere.csv")
    with pytest.raises(ArgumentError, match="did you mean 'digits'"):
        load("digit")
    with pytest.raises(ArgumentError) as caught:
        load("mnist", data_root=tmp_path / "root")
    for place in ("--data-root", "$LOCALMIXUP_DATA (not set)", "./data", "the Hub (ylecun/mnist)"):
        assert place in str(caught.value)


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
    assert data.notes == ()
    np.testing.assert_array_equal(data.x, first[["speed", "angle"]])
    np.testing.assert_array_equal(data.y, first["target"])
    assert load(name, target="angle", task="classification").class_names == ("0", "1", "2")
    root = tmp_path / "root" / name  # before ./data, and of two files
    root.mkdir(parents=True)
    first.to_parquet(root / "data-00000-of-00002.parquet")
    second.to_parquet(root / "data-00001-of-00002.parquet")
    both = load(name, data_root=tmp_path / "root")
    np.testing.assert_array_equal(both.x, pd.concat([first, second])[["speed", "angle"]])
    np.testing.assert_array_equal(both.y, [*first["target"], *second["target"]])


@pytest.mark.parametrize("name", ["airfoil", "no2"])
def test_missing_named_tables_and_tables_without_a_target(tmp_path, monkeypatch, name):
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
    with pytest.raises(ArgumentError, match="--target must be one of speed, angle, sound, got 'target'"):
        load(name, data_root=tmp_path / "root")
