"""`localmixup compare` as a user types it."""

import html
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from localmixup import KNNGraph, LocalMixup
from localmixup.lab.cli.app import app
from localmixup.lab.cli.options import results_folder

FAST = ["--resamples", "3", "--epochs", "1", "--jobs", "1"]


def compare(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def write_pets(folder, rows=60):
    rng = np.random.default_rng(0)
    kind = np.arange(rows) % 2
    columns = {"size": rng.normal(size=rows) + 3 * kind, "age": rng.normal(size=rows)}
    pd.DataFrame({**columns, "kind": np.array(["cat", "dog"])[kind]}).to_csv(folder / "pets.csv", index=False)
    return folder / "pets.csv"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pets(tmp_path)
    return tmp_path


def stored(path):
    """Number of runs in a store, which may not be there yet."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        try:
            return connection.execute("select count(*) from localmixup_runs").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def without_times(numbers):
    if isinstance(numbers, dict):
        return {k: without_times(v) for k, v in numbers.items() if k != "train_seconds"}
    return [without_times(v) for v in numbers] if isinstance(numbers, list) else numbers


def test_a_table_from_file_to_report(folder):
    done = compare("pets.csv", "--target", "kind", *FAST)
    assert done.exit_code == 0, done.output
    read = done.stderr.splitlines()[:5]
    assert read == [
        "pets.csv; model mlp",
        "  rows: 60",
        "  inputs: 2 numbers",
        "  target: kind, 2 classes (classification): cat 30, dog 30",
        "  left out: nothing; no value is missing",
    ]
    assert "trainings choose and 15 judge, in 3 resamples: about 10 s of training" in done.stderr
    lines = done.stdout.strip().splitlines()
    assert lines[0].startswith(("Use ", "Train ", "Cannot tell"))
    assert "LocalMixup(" in done.stdout
    for part in ("pets.csv: mlp, 3 resamples", "vanilla", "control: mixed as often", "report: "):
        assert part in done.stdout
    again = compare("pets.csv", "--target", "kind", *FAST, "--json")
    assert "are in the store already" in again.stderr
    numbers = json.loads(again.stdout)
    assert [len(row["errors"]) for row in numbers["rows"]] == [3] * 5
    decision = numbers["decision"]
    assert decision["use"] in ("local mixup", "mixup", "vanilla", "unclear")
    assert set(decision["probability"]) == {"better", "equal", "worse"}
    assert len(decision["difference"]) == 3
    assert decision["headline"] == lines[0]
    results = folder / "localmixup-results" / "pets.csv--kind"
    assert json.loads((results / "comparison.json").read_text()) == numbers
    page = html.unescape((results / "report.html").read_text(encoding="utf-8"))
    assert decision["why"] in page.replace("\N{NO-BREAK SPACE}", " ")
    assert json.loads((results / "local_mixup.json").read_text()) == numbers["recipe"]


def test_a_quantity_is_measured_by_its_rmse(folder):
    done = compare("pets.csv", "--target", "size", *FAST)
    assert done.exit_code == 0, done.output
    assert "a quantity (regression)" in done.stderr
    assert "square)" in done.stdout  # the head of the column, folded
    assert "mean absolute" in done.stdout


def test_a_recipe_is_one_more_candidate(folder):
    (folder / "mine.json").write_text(json.dumps(LocalMixup(KNNGraph(n_neighbors=2), prob=0.4).to_config()))
    done = compare("pets.csv", "--target", "kind", "--recipe", "mine.json", *FAST, "--json")
    assert done.exit_code == 0, done.output
    candidates = json.loads(done.stdout)["candidates"]
    assert len(candidates) == 1 + 9 + 9
    assert any("n_neighbors=2" in candidate["settings"] for candidate in candidates)


def test_a_budget_sets_the_resamples(folder):
    done = compare("pets.csv", "--target", "kind", "--budget", "0.001s", *FAST[2:], "--json")
    assert done.exit_code == 0, done.output
    assert "5 resamples are the fewest allowed and take longer than the budget" in done.stderr
    assert json.loads(done.stdout)["resamples"] == 5


def test_a_table_so_small_that_hardly_a_row_judges(folder):
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=20), "b": rng.normal(size=20), "label": np.arange(20) % 2}
    pd.DataFrame(columns).to_csv("small.csv", index=False)
    done = compare("small.csv", "--methods", "local-threshold", *FAST, "--json")
    assert done.exit_code == 0, done.output
    numbers = json.loads(done.stdout)
    assert numbers["decision"]["use"] == "unclear"
    assert all(np.isfinite(row["errors"]).all() for row in numbers["rows"])


def test_every_data_set_and_target_has_its_own_folder(folder):
    (folder / "other").mkdir()
    write_pets(folder / "other")
    names = {
        ("pets.csv", "kind"): "pets.csv--kind",
        ("./pets.csv", "size"): "pets.csv--size",
        (str(folder / "pets.csv"), None): "pets.csv",
        ("other/pets.csv", "kind"): "other--pets.csv--kind",
        ("digits", None): "digits",
    }
    assert {key: results_folder(*key).relative_to("localmixup-results").as_posix() for key in names} == names


def test_a_model_of_the_current_folder(folder):
    """Also in worker processes, which have to find its file."""
    (folder / "pet_nets.py").write_text(
        "from torch import nn\n"
        "def make(shape, outputs):\n"
        "    return nn.Sequential(nn.Linear(*shape, 4), nn.ReLU(), nn.Linear(4, outputs))\n"
    )
    done = compare(
        "pets.csv", "--target", "kind", *FAST, "--model", "pet_nets:make", "--optimizer", "sgd", "--jobs", "2"
    )
    assert done.exit_code == 0, done.output
    assert "pets.csv; model pet_nets:make\n  rows: 60\n" in done.stderr
    assert "pets.csv: pet_nets:make, 3 resamples" in done.stdout
    page = (folder / "localmixup-results" / "pets.csv--kind" / "report.html").read_text(encoding="utf-8")
    assert "your own, pet_nets:make" in page
    assert "sgd, learning rate" in page
    assert "What the words mean" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["empty.csv"], "the file is empty"),
        (["digits", "--methods", ","], "--methods must name at least one of"),
        (["digits", "--methods", "cutmx"], "did you mean 'cutmix'?"),
        (["digits", "--recipe", "mine.json"], "--recipe mine.json: no such file"),
        (["digits", "--recipe", "pets.csv"], "--recipe pets.csv: not a recipe"),
        (["digits", "--scheduler", "tcp://a:1"], "--scheduler needs --backend dask"),
        (["digits", "--resamples", "1"], "--resamples must be a whole number >= 2, got 1"),
        (["digits", "--epochs", "inf"], "--epochs must be > 0 and at most 1e+06, got inf"),
        (["digits", "--lr", "nan"], "--lr must be > 0 and at most 1000, got nan"),
        (["digits", "--model", "resnet50"], "did you mean 'resnet'?"),
        (["digits", "--model", "resnet"], "needs images of at least 16 x 16"),
        (["digits", "--model", "nets:make"], "--model nets:make: no module 'nets' in the current folder"),
        (["digits", "--optimizer", "lions"], "--optimizer must be one of 'adamw', 'adam', 'sgd', 'nesterov'"),
        (["spirals", "--augment", "crop"], "--augment crop needs images, spirals is a table"),
        (["digits", "--precision", "fp16"], "--precision fp16 needs a GPU"),
        (["digits", "--store", "shop.sqlite"], "this is another program's database"),
        (["digits", "--out", "/proc/results"], "--out /proc/results: cannot be written"),
        (["digits", "--out", "pets.csv"], "--out pets.csv: cannot be written"),
        (["pets.csv"], "say which column to predict with --target; there are size, age, kind"),
        (["pets.csv", "--target", "kin"], "did you mean 'kind'?"),
        (["pets.csv", "--target", "size", "--methods", "within-class"], "need classes; the target is a quantity"),
    ],
)
def test_mistakes_end_in_one_line(folder, arguments, message):
    (folder / "empty.csv").touch()
    with closing(sqlite3.connect("shop.sqlite")) as connection:
        connection.execute("create table customers (name text)")
    done = compare(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [done.stderr.splitlines()[-1]]
    assert message in errors[0]


def test_killed_and_interrupted_and_started_again_the_table_is_the_same(folder):
    # so many runs that neither process can come to its end before the signal
    options = ["pets.csv", "--target", "kind", "--epochs", "5", "--out", "out"]
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    store = folder / "out" / "results.sqlite"
    for number in (signal.SIGKILL, signal.SIGINT):
        before = stored(store)
        run = subprocess.Popen(
            [sys.executable, "-m", "localmixup", "compare", *options, "--resamples", "800", "--jobs", "1"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        while stored(store) == before and run.poll() is None:
            time.sleep(0.02)
        run.send_signal(number)
        _, told = run.communicate()
        assert stored(store) > before, told
        if number == signal.SIGINT:
            assert run.returncode == 130
            assert "are in the store already" in told
            assert told.splitlines()[-1].startswith("interrupted: every finished run is stored")
            assert "Traceback" not in told
    found = [compare(*options, "--resamples", "3", "--jobs", "1", "--json"), None]
    assert "are in the store already" in found[0].stderr
    found[1] = compare(*options[:-1], "whole", "--resamples", "3", "--jobs", "1", "--json")
    assert "already" not in found[1].stderr
    assert without_times(json.loads(found[0].stdout)) == without_times(json.loads(found[1].stdout))


@pytest.mark.slow
def test_demo(folder):
    done = CliRunner().invoke(app, ["demo"])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("report: localmixup-results/") == 2
    assert done.stdout.count("digits: ") >= 1
    assert "In your training loop" in done.stdout or "all the same" in done.stdout
