"""`localmixup paper` as a user types it."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from typer.testing import CliRunner

from localmixup.lab.cli.app import app
from localmixup.lab.paper import reading, stores
from localmixup.lab.runs import spec as specs
from localmixup.lab.runs import store as results
from localmixup.lab.runs.outcome import Outcome


def paper(*arguments):
    return CliRunner().invoke(app, ["paper", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list_names_every_item_protocol_and_scale(folder):
    from localmixup.lab.paper import ITEMS
    from localmixup.lab.paper.protocols import PROTOCOLS, SCALES

    text = paper("list").stdout
    for name in [*ITEMS, *PROTOCOLS, *SCALES]:
        assert name in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["figur4"], "ITEM must be one of 'figure1'.*got 'figur4'; did you mean 'figure4'"),
        (["figure4", "--protocol", "papr"], "--protocol must be one of .* did you mean 'paper'"),
        (
            ["figure1", "--protocol", "controlled"],
            "--protocol controlled: figure1 has no such protocol, only paper$",
        ),
        (["figure4", "--scale", "huge"], "--scale must be one of 'smoke', 'cpu', 'full', got 'huge'"),
        (["figure4", "--runs", "0"], "--runs must be a whole number >= 1, got 0"),
        (["figure4", "--jobs", "two"], "--jobs must be a whole number >= 1, got 'two'"),
        (["figure4", "--backend", "ray"], "--backend must be one of 'loky', 'dask', got 'ray'"),
        (["figure4", "--scheduler", "tcp://x:1"], "--scheduler needs --backend dask, got --backend loky"),
        (["figure5", "--data-root", "nowhere"], "cifar10 was not found; looked in --data-root"),
        (["figure4", "--store", "nosuch://x"], "--store nosuch://x: cannot be opened"),
    ],
)
def test_mistakes_end_in_one_line(folder, arguments, message):
    found = paper("run", *arguments)
    assert found.exit_code == 2
    lines = [line for line in found.stderr.splitlines() if line.startswith("error")]
    assert len(lines) == 1
    assert re.search(message, lines[0]), lines[0]
    assert "Traceback" not in found.output


def test_run_report_and_merge(folder):
    for store in ("one", "two"):
        found = paper("run", "figure3", "figure4", "--scale", "smoke", "--runs", "1" if store == "one" else "2", "--jobs", "1",
                      "--store", f"{store}.sqlite")  # fmt: skip
        assert found.exit_code == 0, found.output
        assert "stored: sqlite:///" in found.stdout
    again = paper("run", "figure3", "--scale", "smoke", "--store", "two.sqlite")
    assert "1 run, it is in the store already" in again.stderr
    again = paper("run", "figure4", "--scale", "smoke", "--runs", "2", "--jobs", "1", "--store", "two.sqlite")
    assert "18 of them are in the store already" in again.stderr.replace("\n", " ")
    merged = paper("merge", "one.sqlite", "two.sqlite", "--into", "all.sqlite.xz")
    assert merged.exit_code == 0, merged.output
    assert (folder / "all.sqlite.xz").stat().st_size < (folder / "two.sqlite").stat().st_size / 3
    told = paper("report", "--store", "all.sqlite.xz", "--out", "out", "--markdown", "docs/reproduction.md")
    assert told.exit_code == 0, told.output
    assert "figure4: paper: not run" in told.stdout
    assert (folder / "out" / "paper.html").stat().st_size > 1_000_000
    assert (folder / "docs" / "reproduction" / "figure3.png").exists()
    both = paper("report", "--store", "one.sqlite", "--store", "two.sqlite", "--out", "other")
    assert both.exit_code == 0, both.output
    for name, message in (
        ("nothing.sqlite", "no such file"),
        ("docs/reproduction.md", "cannot be opened"),
        ("docs", "this is a folder, a file is needed"),
        ("sqlite:///typo.sqlite", "there are no runs in it"),
    ):
        wrong = paper("report", "--store", name, "--out", "out")
        assert wrong.exit_code == 2
        assert message in wrong.stderr


def test_merging_keeps_what_is_there_and_a_broken_file_is_named(folder):
    for k, runs in enumerate(("1", "2")):
        paper("run", "figure4", "--scale", "smoke", "--runs", runs, "--jobs", "1", "--store", f"{k}.sqlite")
    for target in ("all.sqlite.xz", "all.sqlite"):
        for k in ("1", "0"):
            assert paper("merge", f"{k}.sqlite", "--into", target).exit_code == 0
        with stores.opened([target]) as merged:
            assert max(len(r.records) for r in reading.Reading(merged).of("figure4")) == 2
    whole = (folder / "all.sqlite.xz").read_bytes()
    (folder / "half.sqlite.xz").write_bytes(whole[: len(whole) // 2])
    found = paper("report", "--store", "half.sqlite.xz")
    assert found.exit_code == 2
    assert "--store half.sqlite.xz: cannot be read" in found.stderr


@pytest.fixture
def stored(folder):
    """A store with one run and one finding."""
    with closing(results.Store("good.sqlite")) as store:
        training = specs.TrainingSpec(
            model="mlp", pairs="set", updates=1, batch_size=2, learning_rate=0.1, weight_decay=0.0
        )
        arm = specs.Arm(
            item="figure4", protocol="paper", scale="smoke", panel="spirals", label="vanilla",
            data=specs.DataSpec(name="spirals", fingerprint="0"), training=training,
            method=specs.MethodSpec(method="vanilla"),
        )  # fmt: skip
        store.add_arm(arm, 1)
        store.add(arm.run(0), Outcome(1.0, 1.0, 0.1, 0.0, 1.0, 1.0, [], None))
        store.add_finding(specs.FindingSpec(item="figure1", protocol="paper", scale="smoke", panel="a"), {"value": 1.0})
    return folder


def test_merge_counts_what_is_new_in_every_kind_of_target(stored):
    for target in ("all.sqlite", "all.sqlite.xz"):
        assert f"new in {target}: 1 run and 1 finding\n" in paper("merge", "good.sqlite", "--into", target).stdout
        assert f"new in {target}: 0 runs and 0 findings\n" in paper("merge", "good.sqlite", "--into", target).stdout


def test_what_is_wrong_is_named_as_the_user_named_it_and_nothing_is_left_behind(stored):
    content = (stored / "good.sqlite").read_bytes()
    (stored / "half.sqlite").write_bytes(content[: len(content) // 2])
    # whole to its tables' names, but not to its rows
    (stored / "torn.sqlite").write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    (stored / "junk.sqlite").write_text("junk")
    (stored / "empty.sqlite").touch()
    (stored / "folder").mkdir()
    with closing(results.Store("compared.sqlite")):
        pass
    with sqlite3.connect("shop.sqlite") as connection:
        connection.execute("create table customers (name text)")
    connection.close()
    before = sorted(map(str, stored.rglob("*")))
    wrong = {
        "half": "cannot be (opened|read)", "torn": "cannot be (opened|read|written)", "junk": "cannot be opened",
        "empty": "there are no runs in it", "shop": "another program's database", "missing": "no such file",
    }  # fmt: skip
    commands = [
        *(
            (["report", "--store", f"{name}.sqlite"], f"--store {name}.sqlite: .*{text}")
            for name, text in wrong.items()
        ),
        *((["merge", f"{k}.sqlite", "--into", "t.sqlite"], f"STORE {k}.sqlite: .*{v}") for k, v in wrong.items()),
        (["report"], "results.sqlite: no such file; `localmixup paper run ITEM` makes it"),
        (["report", "--store", "compared.sqlite"], "--store compared.sqlite: nothing of the paper is in it; `localmix"),
        (["report", "--store", "folder"], "--store folder: this is a folder"),
        (["report", "--store", "good.sqlite", "--markdown", "folder"], "--markdown folder: must be a file with a suf"),
        (["report", "--store", "good.sqlite", "--markdown", "new"], "--markdown new: must be a file with a suffix"),
        (["merge", "good.sqlite", "--into", "nodir/c.sqlite"], "--into nodir/c.sqlite: there is no folder nodir"),
        (["merge", "good.sqlite", "--into", "nodir/c.sqlite.xz"], "--into nodir/c.sqlite.xz: there is no folder nodir"),
        (["merge", "good.sqlite", "--into", "folder"], "--into folder: this is a folder"),
        (["merge", "good.sqlite", "--into", "shop.sqlite"], "--into shop.sqlite: this is another program's database"),
    ]
    for arguments, message in commands:
        found = paper(*arguments)
        assert found.exit_code == 2, found.output
        assert re.search(f"^error: .*{message}", found.stderr), (arguments, found.stderr)
        assert sorted(map(str, stored.rglob("*"))) == before, arguments


def test_a_store_of_a_newer_version_is_refused_with_the_reason(folder):
    paper("run", "figure4", "--scale", "smoke", "--runs", "1", "--jobs", "1", "--store", "new.sqlite")
    with sqlite3.connect("new.sqlite") as connection:
        connection.execute("update localmixup_arms set arm = replace(arm, '\"mixup_alpha\"', '\"mixup_gamma\"')")
    connection.close()
    found = paper("report", "--store", "new.sqlite")
    assert found.exit_code == 2
    assert "written by a newer localmixup: training.mixup_gamma" in found.stderr
    assert "Traceback" not in found.output


def test_an_item_whose_data_are_missing_does_not_stop_the_others(folder):
    found = paper("run", "figure5", "figure3", "--data-root", "nowhere")
    assert found.exit_code == 2
    assert "figure5 was not run: cifar10 was not found" in found.stderr.replace("\n", " ")
    with stores.opened(["localmixup-results/paper/results.sqlite"]) as merged:
        assert {f.spec.item for f in merged.findings()} == {"figure3"}


def test_a_report_of_a_store_of_another_program_is_refused(folder):
    with sqlite3.connect("shop.sqlite") as connection:
        connection.execute("create table customers (name text)")
    connection.close()
    found = paper("report", "--store", "shop.sqlite")
    assert found.exit_code == 2
    assert "another program's database" in found.stderr


def test_killed_and_started_again_it_ends_with_the_same_runs(folder):
    command = [sys.executable, "-m", "localmixup", "paper", "run", "figure4", "--scale", "smoke", "--runs", "40"]
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    started = subprocess.Popen(
        [*command, "--jobs", "2"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    path = folder / "localmixup-results" / "paper" / "results.sqlite"

    def count():
        if not path.exists():
            return 0
        connection = sqlite3.connect(path)
        try:
            return connection.execute("select count(*) from localmixup_runs").fetchone()[0]
        except sqlite3.OperationalError:
            return 0
        finally:
            connection.close()

    for _ in range(600):
        if count() >= 8 or started.poll() is not None:
            break
        time.sleep(0.1)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    before = count()
    assert 8 <= before < 500
    ended = paper("run", "figure4", "--scale", "smoke", "--runs", "40", "--jobs", "1")
    assert ended.exit_code == 0, ended.output
    assert f"{min(before, 360)} of them are in the store already" in ended.stderr.replace("\n", " ")
    assert count() > before
