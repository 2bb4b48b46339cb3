"""Every format holds the same table; pickles are never opened."""

import json
import pickle
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.sources import load

ROWS = 60
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "a": RNG.normal(size=ROWS).round(6), "b": RNG.integers(0, 99, ROWS), "c": RNG.choice(["red", "green"], ROWS),
        "kind": RNG.choice(["cat", "dog"], ROWS),
    }
)  # fmt: skip
FRAME.loc[3, "a"] = np.nan


def arff(path):
    lines = [f"{a if a == a else '?'},{b},{c},{kind}" for a, b, c, kind in FRAME.itertuples(index=False)]
    head = "% made up\n@relation pets\n@attribute a numeric\n@attribute b integer\n@attribute c {red,green}\n"
    path.write_text(head + "@attribute kind string\n@data\n" + "\n".join(lines))


def database(path):
    with closing(sqlite3.connect(path)) as connection:
        FRAME.to_sql("pets", connection, index=False)
        pd.DataFrame({"x": [1]}).to_sql("other", connection, index=False)


def excel(path):
    with pd.ExcelWriter(path) as writer:
        FRAME.to_excel(writer, sheet_name="pets", index=False, startrow=2)
        pd.DataFrame({"x": [1]}).to_excel(writer, sheet_name="other")
        writer.sheets["pets"].cell(1, 1, "Pets of the year")


WRITERS = {
    "parquet": FRAME.to_parquet,
    "feather": FRAME.to_feather,
    "orc": FRAME.to_orc,
    "jsonl": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "json": lambda path: FRAME.to_json(path, orient="records"),
    "ndjson": lambda path: path.write_text(json.dumps([FRAME.columns.tolist(), *FRAME.astype(object).where(FRAME.notna(), None).to_numpy().tolist()])),
    "dta": lambda path: FRAME.to_stata(path, write_index=False),
    "xlsx": excel,
    "arff": arff,
    "sqlite": database,
}  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "a.csv"
    FRAME.to_csv(path, index=False)
    return load(str(path), target="kind")


def assert_same(found, expected):
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-9)
    np.testing.assert_array_equal(found.y, expected.y)
    assert (found.class_names, found.columns) == (expected.class_names, expected.columns)


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_is_the_same_table(tmp_path, plain, suffix):
    path = tmp_path / f"pets.{suffix}"
    WRITERS[suffix](path)
    reading = Reading(query="select * from pets") if suffix == "sqlite" else Reading()
    assert_same(load(str(path), target="kind", reading=reading), plain)
    with pytest.raises(ArgumentError, match="this table cannot be read with --sep: leave it out"):
        load(str(path), target="kind", reading=Reading(sep=";"))


def test_columns_of_json_and_nested_records(tmp_path, plain):
    FRAME.to_json(tmp_path / "columns.json")
    assert_same(load(str(tmp_path / "columns.json"), target="kind"), plain)
    records = [{"of": {"a": i, "b": i % 7}, "kind": "xy"[i % 2]} for i in range(40)]
    (tmp_path / "nested.json").write_text(json.dumps({"records": records}))
    data = load(str(tmp_path / "nested.json"), target="kind")
    assert [column.name for column in data.columns] == ["of.b"]  # the other one numbers the rows
    (tmp_path / "broken.jsonl").write_text('{"a": 1}\n{"a": 2\n')
    with pytest.raises(ArgumentError, match="cannot be read as JSON: line 2 is no record"):
        load(str(tmp_path / "broken.jsonl"))


def test_folders_of_parquet(tmp_path, plain):
    (tmp_path / "parts").mkdir()
    FRAME[:20].to_parquet(tmp_path / "parts" / "part-0.parquet")
    FRAME[20:].to_parquet(tmp_path / "parts" / "part-1.parquet")
    (tmp_path / "parts" / "._part-1.parquet").write_bytes(b"rubbish")
    assert_same(load(str(tmp_path / "parts"), target="kind"), plain)
    FRAME.to_parquet(tmp_path / "hive", partition_cols=["kind"])
    data = load(str(tmp_path / "hive"), target="kind")
    assert (len(data.x), data.class_names, data.x.shape[1]) == (ROWS, ("cat", "dog"), plain.x.shape[1])
    FRAME[:20].rename(columns={"a": "z"}).to_parquet(tmp_path / "parts" / "part-2.parquet")
    with pytest.raises(ArgumentError, match=r"part-2.parquet has other columns than part-0.parquet"):
        load(str(tmp_path / "parts"), target="kind")


def test_databases(tmp_path, plain):
    database(tmp_path / "pets.db")
    url = f"sqlite:///{tmp_path / 'pets.db'}"
    data = load(url, target="kind", reading=Reading(query="select * from pets"))
    assert_same(data, plain)
    assert data.name == "the database pets.db"
    with pytest.raises(ArgumentError, match=r"say which table with --query .*; there are other, pets"):
        load(str(tmp_path / "pets.db"), target="kind")
    with pytest.raises(ArgumentError, match="the query fails: no such table: nowhere"):
        load(url, target="kind", reading=Reading(query="select * from nowhere"))
    with pytest.raises(ArgumentError) as caught:
        load("postgresql+nothing://me:secret@host/shop", target="kind")
    assert "secret" not in str(caught.value)
    (tmp_path / "no.db").write_bytes(b"something else, long enough to be looked at by a reader" * 20)
    with pytest.raises(ArgumentError, match="file is not a database"):
        load(str(tmp_path / "no.db"), target="kind")


class Harm:
    def __reduce__(self):
        return (print, ("opened",))


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "joblib"])
def test_pickles_are_never_opened(tmp_path, suffix, capsys):
    (tmp_path / f"a.{suffix}").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(ArgumentError, match="a pickle, which can run any program when it is opened"):
        load(str(tmp_path / f"a.{suffix}"), target="kind")
    assert capsys.readouterr().out == ""


def test_dates_in_words_and_a_category_called_none(tmp_path):
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun")
    levels = ("none", "low", "high")
    rows = [f"{months[k % 6]} {1 + k % 28} {2000 + k % 5},{levels[k % 3]},{'ab'[k % 2]}" for k in range(ROWS)]
    (tmp_path / "sold.csv").write_text("\n".join(["sold,level,kind", *rows]))
    data = load(str(tmp_path / "sold.csv"), target="kind")
    assert [(column.name, column.kind) for column in data.columns] == [("sold", "date"), ("level", "category")]
    assert data.columns[1].width == 3  # none is a level, not a gap
    assert not np.isnan(data.x).any()
    year = data.x[:, 0]
    np.testing.assert_array_equal(year, [2000 + k % 5 for k in range(ROWS)])


def test_dates_in_arff(tmp_path):
    head = "@relation x\n@attribute when date yyyy-MM-dd\n@attribute size numeric\n@attribute kind {a,b}\n@data\n"
    rows = [f'"20{10 + k % 10}-0{1 + k % 9}-1{k % 9}",{k % 7},{"ab"[k % 2]}' for k in range(ROWS)]
    (tmp_path / "x.arff").write_text(head + "\n".join(rows))
    data = load(str(tmp_path / "x.arff"), target="kind")
    assert [(column.name, column.kind) for column in data.columns] == [("when", "date"), ("size", "number")]
    np.testing.assert_array_equal(data.x[:, 0], [2010 + k % 10 for k in range(ROWS)])
