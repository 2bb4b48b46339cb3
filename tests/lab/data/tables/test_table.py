"""Tables: columns become numbers, and wrong cells are named with their place."""

import re
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from localmixup._optional import MissingPackageError
from localmixup._validate import ArgumentError
from localmixup.lab.data.description import describe
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.sources import load


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


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_become_numbers_and_the_target_decides_the_task(tmp_path, suffix):
    path = tmp_path / f"pets.{suffix}"
    table().to_csv(path, index=False) if suffix == "csv" else table().to_parquet(path)
    kinds = load(str(path), target="kind")
    assert kinds.class_names == ("cat", "dog", "owl")
    assert kinds.x.shape == (40, 5)  # size, two colours, old, price
    assert [(column.name, column.kind, column.width) for column in kinds.columns] == [
        ("size", "number", 1), ("colour", "category", 2), ("old", "number", 1),
        ("price", "number", 1),
    ]  # fmt: skip
    prices = load(str(path), target="price")
    assert prices.task == "regression"
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
        (
            table(),
            {"target": "kin"},
            "--target must be one of size, colour, old, kind, price, got 'kin'; did you mean 'kind'?",
        ),
        (
            spoiled("size", 6, None),
            {"target": "kind", "reading": Reading(missing="error")},
            "1 value is missing in column 'size', the first in row 7; --missing impute",
        ),
        (
            spoiled("kind", 6, None),
            {"target": "kind", "reading": Reading(missing="error")},
            "1 value is missing in column 'kind', the first in row 7",
        ),
        (spoiled("size", 6, "many"), {"target": "kind"}, "row 7, column 'size': 'many' is not a number"),
        (spoiled("price", 3, np.inf), {"target": "kind"}, "row 4, column 'price': inf is not a finite number"),
        (spoiled("price", 3, np.inf), {"target": "price"}, "row 4, column 'price': inf is not a finite number"),
        (table().assign(kind="cat"), {"target": "kind"}, "at least two classes are needed, all 40 rows have the same"),
        (table().assign(price=1.5), {"target": "price", "task": "regression"}, "the target is the same in all 40 rows"),
        (table().assign(kind=""), {"target": "kind"}, "column 'kind', which is to be predicted, has no values"),
        (table(10), {"target": "kind"}, "at least 20 rows are needed"),
        (table(0), {"target": "kind"}, "columns but no rows"),
        (table()[["kind"]], {"target": "kind"}, "there is only one value in a line"),
        (table(), {"target": "kind", "task": "regression"}, "--task regression needs numbers in column 'kind'"),
        (table().assign(kind=[f"id{i}" for i in range(40)]), {"target": "kind"}, "40 different values in 40 rows"),
        (
            table().assign(kind=pd.date_range("2020-01-01", periods=40)),
            {"target": "kind"},
            "column 'kind' holds dates, which cannot be predicted",
        ),
        (table(), {"target": "kind", "reading": Reading(drop=("sice",))}, "--drop must be one of .* mean 'size'?"),
        (table(), {"target": "kind", "reading": Reading(drop=("kind",))}, "--drop must leave the column to predict"),
        (
            table()[["kind", "size"]],
            {"target": "kind", "reading": Reading(drop=("size",))},
            "there are no inputs beside the target; left out: size .--drop.",
        ),
    ],
)
def test_wrong_tables_are_refused_and_the_place_is_named(tmp_path, frame, options, message):
    path = tmp_path / "wrong.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(ArgumentError) as caught:
        load(str(path), **options)
    assert re.search(message.replace("?", "[?]"), str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def left_out(data):
    return {left.name: left.why for left in data.left_out}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("", range(1, 41)), ("Unnamed: 0", range(40)), ("rownames", range(1, 41)), ("anything", range(40)),
        ("Id", [7 * i % 41 for i in range(40)]), ("passengerId", range(900, 940)), ("name", [f"n{i}" for i in range(40)]),
        ("constant", [3] * 40), ("empty", [None] * 40),
    ],
)  # fmt: skip
def test_columns_that_tell_nothing_are_left_out_and_named(tmp_path, name, values):
    frame = table()
    frame.insert(0, name, list(values))
    frame.to_csv(tmp_path / "a.csv", index=False)
    data = load(str(tmp_path / "a.csv"), target="kind")
    assert data.x.shape == (40, 5)
    assert list(left_out(data)) == [name or "the first column"]
    assert data.fingerprint == load(str(write(tmp_path, table())), target="kind").fingerprint


def write(folder, frame):
    frame.to_csv(folder / "plain.csv", index=False)
    return folder / "plain.csv"


@pytest.mark.parametrize(
    ("name", "values"),
    [("year", range(1990, 2030)), ("age", [i % 7 for i in range(40)]), ("level", range(3, 43)), ("Id", [1, 2] * 20)],
)
def test_numbers_that_only_look_like_row_numbers_stay(tmp_path, name, values):
    data = load(str(write(tmp_path, table().assign(**{name: list(values)}))), target="kind")
    assert name in [column.name for column in data.columns]


def test_missing_values_become_gaps_with_an_indicator(tmp_path):
    frame = table().astype(object)
    for row, word in zip((1, 5, 9), ("NA", "?", "  "), strict=True):
        frame.loc[row, "size"] = frame.loc[row + 1, "colour"] = word
    frame.loc[3, "kind"] = "-"
    data = load(str(write(tmp_path, frame)), target="kind")
    assert (len(data.x), data.without_target) == (39, 1)
    assert data.class_names == ("cat", "dog", "owl")
    gaps = np.isin(np.delete(np.arange(40), 3), [1, 5, 9])
    np.testing.assert_array_equal(np.isnan(data.x[:, 0]), gaps)
    np.testing.assert_array_equal(data.x[:, 1], gaps)
    np.testing.assert_array_equal(np.isnan(data.x[:, 2:4]).all(axis=1), data.x[:, 4] == 1)
    assert [column.missing for column in data.columns] == [3, 3, 0, 0]
    assert (data.gaps, data.categories) == ((0, 2, 3), ((2, 4),))
    lines = describe(data)
    assert "1 of them left out because they have no target" in lines[0]
    assert "2 that say where a value is missing" in lines[1]
    assert "size (3 values), colour (3 values)" in lines[3]
    ready = prepare(data, hold_out=False)
    assert bool(torch.isfinite(ready.x).all())


def test_labels_that_differ_by_blanks_or_case_are_one(tmp_path):
    frame = table()
    frame["kind"] = ["yes", "Yes", "yes ", "no"] * 10
    data = load(str(write(tmp_path, frame)), target="kind")
    assert data.class_names == ("no", "yes")
    assert any("differ by case or blanks" in note for note in data.notes)


def test_rare_classes_are_noted(tmp_path):
    frame = table()
    frame.loc[0, "kind"] = "cta"
    notes = load(str(write(tmp_path, frame)), target="kind").notes
    assert any("class 'cta' has 1 row" in note for note in notes)


def test_a_column_that_tells_the_target_is_noted(tmp_path):
    frame = table(200)
    told = frame.assign(kind_id=frame["kind"].map({"cat": 7, "dog": 3, "owl": 5}))
    notes = load(str(write(tmp_path, told)), target="kind").notes
    assert any("column 'kind_id' alone tells the target" in note for note in notes)
    cents = frame.assign(cents=(100 * frame["price"]).round())
    notes = load(str(write(tmp_path, cents)), target="price").notes
    assert any("column 'cents' alone tells the target" in note for note in notes)
    assert load(str(write(tmp_path, frame)), target="kind").notes == ()


def test_dates_become_numbers(tmp_path):
    days = pd.date_range("2019-11-20", periods=40, freq="9D")
    frame = table().assign(day=days.strftime("%d/%m/%Y"), clock=["12:30", "00:15"] * 20)
    data = load(str(write(tmp_path, frame)), target="kind")
    parts = {column.name: column for column in data.columns}
    assert parts["day"].labels == ("year", "month", "day", "total seconds", "weekday")
    start = sum(column.stored for column in data.columns[:4])
    np.testing.assert_array_equal(data.x[:, start : start + 3], np.column_stack([days.year, days.month, days.day]))
    assert set(data.x[:, -1]) == {12.5 * 3600, 900.0}
    frame.assign(day=days).to_parquet(tmp_path / "days.parquet")
    np.testing.assert_array_equal(load(str(tmp_path / "days.parquet"), target="kind").x, data.x)


def test_text_with_many_values(tmp_path):
    rng = np.random.default_rng(0)
    towns = rng.choice(["York", "Leeds"], 400).tolist()
    towns[::4] = [f"village {i // 2}" for i in range(100)]
    data = load(str(write(tmp_path, table(400).assign(town=towns))), target="kind")
    town = data.columns[-1]
    assert town.labels == ("Leeds", "York", "all others")
    data = load(str(write(tmp_path, table(400).assign(town=[f"v{i // 2}" for i in range(400)]))), target="kind")
    assert "hardly one of them frequent" in left_out(data)["town"]


def test_repeated_names(tmp_path):
    (tmp_path / "twice.csv").write_text("a,target,target\n" + "1,2,3\n4,5,7\n" * 30)
    with pytest.raises(ArgumentError, match="column 'target' is there more than once"):
        load(str(tmp_path / "twice.csv"))
    rows = "".join(f"{i % 7},{i % 7},{i % 5},{i % 2}\n" for i in range(40))
    (tmp_path / "twice.csv").write_text("a,a,a,target\n" + rows)
    data = load(str(tmp_path / "twice.csv"))
    assert [column.name for column in data.columns] == ["a", "a (2)"]


def test_tables_with_odd_columns(tmp_path):
    from decimal import Decimal

    frame = table()
    frame.assign(price=[Decimal(i) / 7 for i in range(40)]).to_parquet(tmp_path / "decimal.parquet")
    assert load(str(tmp_path / "decimal.parquet"), target="price").task == "regression"
    frame.set_index("size").to_parquet(tmp_path / "indexed.parquet")
    assert load(str(tmp_path / "indexed.parquet"), target="kind").x.shape == (40, 5)
    frame.assign(old=[[1, 2]] * 40).to_parquet(tmp_path / "lists.parquet")
    with pytest.raises(ArgumentError, match="column 'old' holds lists or structures"):
        load(str(tmp_path / "lists.parquet"), target="kind")
    frame.rename(columns={"size": "img", "kind": "label"}).to_parquet(tmp_path / "named.parquet")
    assert load(str(tmp_path / "named.parquet")).class_names == ("cat", "dog", "owl")
    frame.assign(kind=frame["kind"].astype("category")).to_parquet(tmp_path / "category.parquet")
    assert load(str(tmp_path / "category.parquet"), target="kind").class_names == ("cat", "dog", "owl")


def test_without_pyarrow_parquet_names_the_extra(tmp_path, monkeypatch):
    table().to_parquet(tmp_path / "pets.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingPackageError, match=r"pyarrow is needed .*'\.\[hub\]'"):
        load(str(tmp_path / "pets.parquet"), target="kind")
