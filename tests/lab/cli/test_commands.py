"""The command as a user types it: what comes out, what it says of mistakes, and that it survives being killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from localmixup.lab.cli.app import app

FAST = ["--seeds", "3", "--epochs", "1", "--kept-shares", "0.1", "--jobs", "1"]


def localmixup(*arguments, folder):
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    command = [sys.executable, "-m", "localmixup", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def pets(folder, rows=60):
    rng = np.random.default_rng(0)
    kind = np.arange(rows) % 2
    frame = pd.DataFrame(
        {"size": rng.normal(size=rows) + 3 * kind, "age": rng.normal(size=rows), "kind": np.array(["cat", "dog"])[kind]}
    )
    frame.to_csv(folder / "pets.csv", index=False)
    return folder / "pets.csv"


def stored(path):
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(path) as connection:
            return connection.execute("select count(*) from localmixup_runs").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def without_times(path):
    def clean(value):
        if isinstance(value, dict):
            return {k: clean(v) for k, v in value.items() if k != "train_seconds"}
        return [clean(v) for v in value] if isinstance(value, list) else value

    return clean(json.loads(path.read_text()))


def test_a_table_from_file_to_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pets(tmp_path)
    done = CliRunner().invoke(app, ["compare", "pets.csv", "--target", "kind", *FAST])
    assert done.exit_code == 0, done.output
    assert "pets.csv: 60 rows of 3, classification" in done.stderr or "60 rows of 2, classification" in done.stderr
    assert "target 'kind': 2 classes (classification)" in done.stderr
    for part in ("vanilla", "local mixup, threshold", "control: mixup at the same", "On pets.csv", "report: "):
        assert part in done.stdout
    page = (tmp_path / "localmixup-results" / "pets.csv--kind" / "report.html").read_text()
    for part in (
        "decision regions of mixup",
        "prefers-color-scheme: dark",
        "The whole specification",
    ):
        assert part in page
    again = CliRunner().invoke(app, ["compare", "pets.csv", "--target", "kind", *FAST, "--json"])
    numbers = json.loads(again.stdout)
    assert "pets.csv: mlp, 3 seeds" in done.stdout
    assert numbers["verdict"] in page.replace("&#39;", "'")
    assert len(numbers["rows"][0]["errors"]) == 3


def test_every_data_set_and_target_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.read_csv(pets(tmp_path))
    frame.to_parquet("pets.parquet")
    (tmp_path / "other").mkdir()
    frame.to_csv("other/pets.csv", index=False)
    for data, target in [
        ("pets.csv", "kind"), ("./pets.csv", "size"), ("pets.parquet", "kind"), (tmp_path / "other" / "pets.csv", "kind")
    ]:  # fmt: skip
        options = ["--target", target, "--methods", "vanilla", "--seeds", "1", "--epochs", "1", "--jobs", "1"]
        done = CliRunner().invoke(app, ["compare", str(data), *options])
        assert done.exit_code == 0, done.output
        assert done.stdout.splitlines()[0].strip().endswith(": mlp, 1 seed")
    reports = {path.parent.name for path in tmp_path.glob("localmixup-results/*/report.html")}
    assert reports == {"pets.csv--kind", "pets.csv--size", "pets.parquet--kind", "other--pets.csv--kind"}


def test_regression_is_told_from_the_column_and_given_as_rmse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pets(tmp_path)
    done = CliRunner().invoke(app, ["compare", "pets.csv", "--target", "size", *FAST, "--methods", "vanilla,mixup"])
    assert done.exit_code == 0, done.output
    assert "a quantity (regression)" in done.stderr
    assert "RMSE" in done.stdout


def test_every_method_on_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    methods = "vanilla,mixup,local-threshold,local-exponential,local-knn,within-class,between-class"
    done = CliRunner().invoke(
        app,
        [
            "compare",
            "digits",
            "--methods",
            methods,
            "--train-size",
            "400",
            "--kept-shares",
            "0.5",
            "--pairs",
            "batch",
            *FAST[:4],
            "--jobs",
            "2",
        ],
    )
    assert done.exit_code == 0, done.output
    page = (tmp_path / "localmixup-results" / "digits" / "report.html").read_text()
    assert page.count("two images and their mean") == 7
    assert page.count('id="figure-choice-') == 3


@pytest.mark.parametrize(
    "fixed", [["--radius", "0"], ["--radius", "inf"], ["--decay", "inf"], ["--decay", "0"], ["--n-neighbors", "3"]]
)
def test_parameters_set_by_hand_their_ends_included(tmp_path, monkeypatch, fixed):
    monkeypatch.chdir(tmp_path)
    pets(tmp_path)
    method = {"--radius": "local-threshold", "--decay": "local-exponential", "--n-neighbors": "local-knn"}[fixed[0]]
    options = [
        "compare",
        "pets.csv",
        "--target",
        "kind",
        "--methods",
        f"vanilla,{method}",
        *fixed,
        *FAST[:4],
        "--jobs",
        "2",
    ]
    for _ in range(2):  # the second time from the store
        done = CliRunner().invoke(app, options)
        assert done.exit_code == 0, done.output


def test_tables_so_small_that_no_pair_may_be_near(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({"a": rng.normal(size=20), "b": rng.normal(size=20), "label": np.arange(20) % 2})
        frame.to_csv(f"small{seed}.csv", index=False)
        done = CliRunner().invoke(app, ["compare", f"small{seed}.csv", "--epochs", "1", "--jobs", "1", "--seeds", "3"])
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "no such file or folder: nowhere.csv"),
        (["empty.csv"], "the file is empty"),
        (["digit"], "did you mean 'digits'?"),
        (["digits", "--methods", "vanila"], "did you mean 'vanilla'?"),
        (["digits", "--methods", "lokal"], "did you mean 'local'?"),
        (["digits", "--decay", "3"], "--decay is for local-exponential, which is not among --methods"),
        (["digits", "--precision", "fp16"], "--precision fp16 needs a GPU"),
        (["digits", "--methods", ","], "--methods must name at least one of"),
        (["digits", "--decay", "-1"], "--decay must be >= 0 (0 is classical mixup, inf vanilla training), got -1.0"),
        (["digits", "--decay", "nan"], "got nan"),
        (
            ["digits", "--radius", "wide"],
            "--radius must be >= 0 (0 is vanilla training, inf classical mixup), got 'wide'",
        ),
        (["digits", "--n-neighbors", "1.5"], "--n-neighbors must be a whole number >= 0"),
        (["digits", "--seeds", "few"], "--seeds must be a whole number >= 1, got 'few'"),
        (["digits", "--seeds", "0"], "--seeds must be a whole number >= 1, got 0"),
        (["digits", "--epochs", "-3"], "--epochs must be > 0 and at most 1e+09, got -3.0"),
        (["digits", "--epochs", "inf"], "--epochs must be > 0 and at most 1e+09, got inf"),
        (["digits", "--lr", "nan"], "--lr must be > 0 and at most 1e+09, got nan"),
        (["digits", "--mixup-alpha", "0"], "--mixup-alpha must be > 0 and at most 1e+09, got 0.0"),
        (["digits", "--kept-shares", "0.1,2"], "--kept-shares must be between 1e-06 and 1, got 2.0"),
        (["digits", "--model", "resnet50"], "did you mean 'resnet'?"),
        (["digits", "--model", "resnet"], "needs images of at least 16 x 16"),
        (["spirals", "--augment", "crop"], "--augment crop needs images, spirals is a table"),
        (["digits", "--device", "cuda"], "PyTorch sees no CUDA device here"),
        (["digits", "--store", "shop.sqlite"], "this is another program's database"),
        (["digits", "--out", "/proc/results"], "--out /proc/results: cannot be written"),
        (["digits", "--out", "pets.csv"], "--out pets.csv: cannot be written"),
        (["pets.csv"], "say which column to predict with --target; there are size, age, kind"),
        (["pets.csv", "--target", "size", "--methods", "within-class"], "need classes; the target is a quantity"),
    ],
)
def test_mistakes_end_in_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    pets(tmp_path)
    (tmp_path / "empty.csv").touch()
    with sqlite3.connect("shop.sqlite") as connection:
        connection.execute("create table customers (name text)")
    connection.close()
    done = CliRunner().invoke(app, ["compare", *arguments])
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert "Traceback" not in done.stderr


def test_killed_twice_and_the_table_is_the_same(tmp_path):
    path = pets(tmp_path)
    options = [
        "compare",
        path,
        "--target",
        "kind",
        "--seeds",
        "4",
        "--epochs",
        "60",
        "--kept-shares",
        "0.1,0.3",
        "--jobs",
        "2",
    ]
    whole = localmixup(*options, "--out", tmp_path / "whole", folder=tmp_path)
    _, told = whole.communicate(timeout=300)
    assert whole.returncode == 0, told
    store, seen = tmp_path / "killed" / "results.sqlite", []
    for wanted in (3, 15):
        run = localmixup(*options, "--out", tmp_path / "killed", folder=tmp_path)
        while stored(store) < wanted and run.poll() is None:
            time.sleep(0.02)
        os.kill(run.pid, signal.SIGKILL)
        run.communicate(timeout=60)  # ends when the workers, who hold the pipes, are gone too
        seen.append(stored(store))
    assert 3 <= seen[0] < seen[1] < stored(tmp_path / "whole" / "results.sqlite"), "not killed half-way"
    last = localmixup(*options, "--out", tmp_path / "killed", folder=tmp_path)
    _, told = last.communicate(timeout=300)
    assert last.returncode == 0, told
    assert "runs are in the store already" in told
    assert without_times(tmp_path / "killed" / "comparison.json") == without_times(
        tmp_path / "whole" / "comparison.json"
    )


def test_interrupted_says_that_nothing_is_lost(tmp_path):
    path = pets(tmp_path)
    run = localmixup(
        "compare",
        path,
        "--target",
        "kind",
        "--seeds",
        "9",
        "--epochs",
        "200",
        "--jobs",
        "2",
        "--out",
        tmp_path / "o",
        folder=tmp_path,
    )
    while stored(tmp_path / "o" / "results.sqlite") < 2 and run.poll() is None:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert told.strip().splitlines()[-1] == "interrupted: finished runs are stored; the same command goes on from there"
    assert "Traceback" not in told


@pytest.mark.slow
def test_demo(tmp_path):
    run = localmixup("demo", folder=tmp_path)
    told, errors = run.communicate(timeout=400)
    assert run.returncode == 0, errors
    assert told.count("report: localmixup-results/") == 2
    assert "On digits" in told
    assert "On spirals, locality helps mixup" in told
