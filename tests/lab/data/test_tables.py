"""Tables: columns become numbers, and wrong cells are named with their place."""

import sys

import numpy as np
import pandas as pd
import pytest

from localmixup._optional import MissingPackageError
from localmixup._validate import ArgumentError
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
        (
            table(),
            {"target": "kin"},
            "--target must be one of size, colour, old, kind, price, got 'kin'; did you mean 'kind'?",
        ),
        (spoiled("size", 6, None), {"target": "kind"}, "1 value missing, the first in row 7, column 'size'"),
        (spoiled("size", 6, "many"), {"target": "kind"}, "row 7, column 'size': 'many' is not a number"),
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
def test_wrong_tables_are_refused_and_the_place_is_named(tmp_path, frame, options, message):
    path = tmp_path / "wrong.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(ArgumentError) as caught:
        load(str(path), **options)
    assert message in str(caught.value)


def test_tables_with_odd_columns(tmp_path):
    from decimal import Decimal

    frame = table()
    frame.to_csv(tmp_path / "numbered.csv")
    data = load(str(tmp_path / "numbered.csv"), target="kind")
    assert data.x.shape == (40, 5)
    assert "the first column numbers the rows and is left out" in data.notes
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


def test_without_pyarrow_parquet_names_the_extra(tmp_path, monkeypatch):
    table().to_parquet(tmp_path / "pets.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingPackageError, match=r"pyarrow is needed .*'\.\[hub\]'"):
        load(str(tmp_path / "pets.parquet"), target="kind")
