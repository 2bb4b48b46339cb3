"""The store: what is in it comes back, and what is not ours is refused."""

import sqlite3

import pytest

from localmixup.lab.errors import UserError
from localmixup.lab.results import Store
from localmixup.lab.specs import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.training import Outcome

OUTCOME = Outcome(1.0, 2.0, 0.5, 1.0, 1.0, 1.0, [(10, 0.5, 3.0), (20, 0.25, 1.0)], None)


def spec(seed=0, **method):
    return RunSpec(
        data=DataSpec(name="d", fingerprint="f"),
        training=TrainingSpec(model="mlp", updates=20),
        method=MethodSpec(**{"method": "mixup", **method}),
        seed=seed,
    )


def test_records_come_back(tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    store.add(spec(), OUTCOME)
    store.add(spec(), OUTCOME._replace(test_error=99.0))  # the same run again changes nothing
    store.close()
    again = Store(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    found = again.get([spec(), spec(1)])
    assert list(found) == [spec().key]
    record = found[spec().key]
    assert record.spec == spec()
    assert record.outcome == OUTCOME
    assert record.versions["localmixup"]
    assert record.finished.startswith("20")
    again.close()


def test_many_records(tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    specs = [spec(seed) for seed in range(1200)]
    for one in specs[:700]:
        store.add(one, OUTCOME)
    assert len(store.get(specs)) == 700
    store.close()


def test_the_key_is_that_of_what_is_trained():
    assert spec().key == spec().key
    assert spec().key == RunSpec(**{**spec().model_dump(), "data": {"name": "renamed", "fingerprint": "f"}}).key
    others = [spec(1), spec(mixed_share=0.5), spec(loss_scale=0.5), spec(method="vanilla")]
    assert len({spec().key, *(other.key for other in others)}) == 5


def test_what_is_not_ours_is_refused(tmp_path):
    other = tmp_path / "shop.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("create table customers (name text)")
    connection.close()
    with pytest.raises(UserError, match=r"this is another program's database \(it has customers\)"):
        Store(other)
    (tmp_path / "text.sqlite").write_text("this is no database at all, only some text that goes on for a while")
    with pytest.raises(UserError, match="cannot be opened: file is not a database"):
        Store(tmp_path / "text.sqlite")
    with pytest.raises(UserError, match="cannot be"):
        Store(tmp_path / "nowhere" / "runs.sqlite")
    with pytest.raises(UserError, match="cannot be opened"):
        Store("nosuch://host/base")


def test_tables_of_another_version_are_refused(tmp_path):
    path = tmp_path / "runs.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("update localmixup_meta set value = '0'")
    connection.close()
    with pytest.raises(UserError, match="written with tables of version 0, this is 1"):
        Store(path)
