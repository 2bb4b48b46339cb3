"""The store: what is in it comes back, and what is not ours is refused."""

import contextlib
import glob
import json
import multiprocessing
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.runs.experiment import Arm, FindingSpec
from localmixup.lab.runs.outcome import Outcome
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Store

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
    with pytest.raises(ArgumentError, match=r"this is another program's database \(it has customers\)"):
        Store(other)
    (tmp_path / "text.sqlite").write_text("this is no database at all, only some text that goes on for a while")
    with pytest.raises(ArgumentError, match="cannot be opened: file is not a database"):
        Store(tmp_path / "text.sqlite")
    with pytest.raises(ArgumentError, match="there is no folder"):
        Store(tmp_path / "nowhere" / "runs.sqlite")
    with pytest.raises(ArgumentError, match="cannot be opened"):
        Store("nosuch://host/base")


def test_tables_of_another_version_are_refused(tmp_path):
    path = tmp_path / "runs.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("update localmixup_meta set value = '0'")
    connection.close()
    with pytest.raises(ArgumentError, match="written with tables of version 0, this localmixup reads versions 1 to 2"):
        Store(path)


def arm(**changes):
    values = {"item": "figure4", "protocol": "paper", "scale": "smoke", "panel": "spirals", "label": "local mixup"}
    one = spec(parameter=float("inf"), method="local-threshold")
    return Arm(**{**values, "x": 1.0, "data": one.data, "training": one.training, "method": one.method, **changes})


def test_arms_and_findings_come_back_and_infinity_with_them(tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    store.add_arm(arm(), 5)
    store.add_arm(arm(), 3)
    store.add_arm(arm(x=2.0), 1)
    assert sorted(store.arms(), key=lambda found: found[1]) == [(arm(x=2.0), 1), (arm(), 5)]
    assert arm().run(3).method.parameter == float("inf")
    store.add(arm().run(3), OUTCOME)
    assert list(store.get([arm().run(3), arm().run(4)])) == [arm().run(3).key]
    what = FindingSpec(item="figure5", protocol="paper", scale="full", panel="cifar10", settings=(("kind", "segment"),))
    store.add_finding(what, {"q": [1.0, 2.0]})
    store.add_finding(what, {"q": [3.0]})
    (found,) = store.findings()
    assert found.spec == what
    assert found.value == {"q": [1.0, 2.0]}


def test_two_stores_become_one(tmp_path):
    mine, theirs = Store(tmp_path / "mine.sqlite"), Store(tmp_path / "theirs.sqlite")
    for seed in (0, 1):
        mine.add(spec(seed), OUTCOME)
    for seed in (1, 2, 3):
        theirs.add(spec(seed), OUTCOME._replace(test_error=9.0))
    mine.add_arm(arm(), 2)
    theirs.add_arm(arm(), 4)
    theirs.add_arm(arm(x=2.0), 4)
    assert mine.merge(theirs) == (2, 0)
    assert mine.merge(theirs) == (0, 0)
    errors = {key: record.outcome.test_error for key, record in mine.get([spec(seed) for seed in range(4)]).items()}
    assert errors == {spec(0).key: 2.0, spec(1).key: 2.0, spec(2).key: 9.0, spec(3).key: 9.0}
    assert sorted(runs for _, runs in mine.arms()) == [4, 4]


def test_a_store_of_the_first_version_is_brought_up(tmp_path):
    """What version 0.1.0 wrote, in its own words: keys over default values, and infinity as null."""
    path = tmp_path / "runs.sqlite"
    Store(path).close()
    training = {
        "model": "mlp", "pairs": "set", "updates": 20, "batch_size": 64, "learning_rate": 0.002, "weight_decay": 0.01,
        "augmentation": "none", "mixup_alpha": 1.0, "precision": "no",
    }  # fmt: skip
    method = {"parameter": None, "kept_share": None, "mixed_share": None, "loss_scale": 1.0}
    data = {"name": "d", "fingerprint": "f", "train_size": None, "split_seed": 0}
    old = {"validation_error": 1.0, "test_error": 2.0, "train_seconds": 0.5, "mixed_share": 1.0}
    old |= {
        "effective_sample_size": 1.0,
        "mean_weight": 1.0,
        "curve": [[10, 0.5, 3.0], [20, 0.25, 1.0]],
        "regions": None,
    }
    with sqlite3.connect(path) as connection:
        connection.execute("drop table localmixup_arms")
        connection.execute("drop table localmixup_findings")
        connection.execute("update localmixup_meta set value = '1'")
        for key, name in (("a" * 24, "mixup"), ("b" * 24, "local-threshold")):
            one = {"data": data, "training": training, "method": {"method": name, **method}, "seed": 0, "protocol": 1}
            row = (key, json.dumps(one), json.dumps(old), "{}", "2026-11-23T00:00:00+00:00")
            connection.execute("insert into localmixup_runs values (?, ?, ?, ?, ?)", row)
    connection.close()
    store = Store(path)
    asked = [spec(), spec(method="local-threshold", parameter=float("inf"))]
    found = store.get(asked)
    assert [found[one.key].outcome for one in asked] == [OUTCOME, OUTCOME]
    store.close()
    assert len(Store(path).get(asked)) == 2


def test_a_setting_that_is_added_later_changes_no_key():
    content = spec().model_dump(mode="json", exclude_defaults=True)
    assert set(content["training"]) == {"model", "updates"}
    assert RunSpec(**{**spec().model_dump(), "protocol": 2}).key != spec().key


def _write_many(url, first):
    store = Store(url)
    for seed in range(first, first + 40):
        store.add(spec(seed), OUTCOME)
    store.close()


def test_two_processes_write_one_file_at_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'runs.sqlite'}"
    both = [multiprocessing.get_context("spawn").Process(target=_write_many, args=(url, first)) for first in (0, 20)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert len(Store(url).get([spec(seed) for seed in range(60)])) == 60


@pytest.fixture
def postgres(tmp_path):
    """A PostgreSQL of its own, where the program is installed."""
    pytest.importorskip("psycopg")
    programs = [Path(p).parent for p in ("/usr/local/bin/initdb", *glob.glob("/usr/lib/postgresql/*/bin/initdb"))]
    found = next((folder for folder in programs if (folder / "initdb").exists()), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed here")
    folder = Path(tempfile.mkdtemp(prefix="localmixup-pg-", dir="/tmp"))
    as_other = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        user = next(name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()})
        shutil.chown(folder, user)
        as_other = ["runuser", "-u", user, "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = subprocess.run(
        [*as_other, found / "initdb", "-D", folder / "data", "-U", "lab", "-A", "trust", "--no-sync"],
        capture_output=True, text=True, cwd=folder, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    server = subprocess.Popen(
        [*as_other, found / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, "-h", "127.0.0.1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    url = f"postgresql+psycopg://lab@127.0.0.1:{port}/postgres"
    try:
        for _ in range(100):
            with contextlib.suppress(ArgumentError):
                Store(url).close()
                break
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_two_processes_write_one_postgresql_at_once(postgres):
    both = [
        multiprocessing.get_context("spawn").Process(target=_write_many, args=(postgres, first)) for first in (0, 20)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    store = Store(postgres)
    assert len(store.get([spec(seed) for seed in range(60)])) == 60
    store.add_arm(arm(), 5)
    assert store.arms() == [(arm(), 5)]
    store.close()
