"""`localmixup paper` as a user types it."""

import re
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from localmixup.lab.cli.app import app
from localmixup.lab.paper import ITEMS, stores
from localmixup.lab.paper.protocols import PROTOCOLS, SCALES
from localmixup.lab.paper.reading import Reading
from localmixup.lab.runs.store import Store


def paper(*arguments):
    return CliRunner().invoke(app, ["paper", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder with a store of one run per arm of figure 4, and one of two runs per arm and of figure 3."""
    place = tmp_path_factory.mktemp("stores")
    options = ["--protocol", "paper", "--scale", "smoke", "--jobs", "1", "--store"]
    first = paper("run", "figure4", "--runs", "1", *options, place / "one.sqlite")
    second = paper("run", "figure3", "figure4", "--runs", "2", *options, place / "two.sqlite")
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    return place, second


def test_list_names_every_item_protocol_and_scale(folder):
    text = paper("list").stdout
    for name in [*ITEMS, *PROTOCOLS, *SCALES]:
        assert name in text


def test_run_says_what_it_does_and_does_nothing_twice(ran):
    place, second = ran
    assert "figure4: " in second.stderr
    assert f"stored: {place / 'two.sqlite'}" in second.stdout.replace("\n", "")
    again = paper(
        "run", "figure3", "figure4", "--protocol", "paper", "--scale", "smoke", "--runs", "2", "--store", place / "two.sqlite"
    )  # fmt: skip
    assert again.exit_code == 0, again.output
    told = again.stderr.replace("\n", " ")
    assert told.count("are in the store already") == told.count(": all of ") >= 2


@pytest.mark.parametrize("target", ["all.sqlite", "all.sqlite.xz"])
def test_merge_counts_what_is_new_and_keeps_what_is_there(ran, folder, target):
    place, _ = ran
    counts = {}
    for name in ("one", "two"):
        with stores.opened([str(place / f"{name}.sqlite")]) as store:
            counts[name] = (set(Reading(store).records), len(store.findings()))
    (one, found_one), (two, found_two) = counts.values()
    assert one < two
    for name, runs, findings in (
        ("one", len(one), found_one),
        ("two", len(two - one), found_two - found_one),
        ("one", 0, 0),
    ):
        merged = paper("merge", place / f"{name}.sqlite", "--into", target)
        assert merged.exit_code == 0, merged.output
        assert re.search(rf"new in {target}: {runs} runs? and {findings} findings?$", merged.stdout.strip())
    with stores.opened([target]) as store:
        assert set(Reading(store).records) == two
    if target.endswith(".xz"):
        assert (folder / target).stat().st_size < (place / "two.sqlite").stat().st_size / 3


def test_report_writes_a_page_a_text_and_the_figures(ran, folder):
    place, _ = ran
    both = [text for name in ("one", "two") for text in ("--store", place / f"{name}.sqlite")]
    told = paper("report", *both, "--out", "out", "--markdown", "docs/reproduction.md")
    assert told.exit_code == 0, told.output
    assert "figure4: controlled: not run" in told.stdout
    assert "Figure 4" in (folder / "out" / "paper.html").read_text()
    assert "Figure 4" in (folder / "docs" / "reproduction.md").read_text()
    assert (folder / "docs" / "reproduction" / "figure3.png").read_bytes().startswith(b"\x89PNG")


def test_report_without_arguments_takes_the_own_runs_or_else_the_shipped_ones(ran, folder, monkeypatch):
    place, _ = ran
    shipped = folder / "shipped"
    shipped.mkdir()
    (shipped / "two.sqlite").write_bytes((place / "two.sqlite").read_bytes())
    monkeypatch.setattr(stores, "shipped_stores", lambda: shipped)
    told = paper("report")
    assert told.exit_code == 0, told.output
    assert f"reading {shipped}" in told.stderr.replace("\n", "")
    assert told.stdout.count("figure4 ") >= 3
    text = (folder / "localmixup-results" / "paper" / "reproduction.md").read_text()
    assert "| figure4 | mixup is better than vanilla training: " in text
    own = folder / "localmixup-results" / "paper" / "results.sqlite"
    own.write_bytes((place / "one.sqlite").read_bytes())
    assert "reading localmixup-results" in paper("report").stderr


def test_the_shipped_runs_are_found_from_any_folder(folder):
    found = stores.shipped_stores()
    assert found.is_absolute()
    assert any(found.glob("*.sqlite.xz"))


def test_a_store_of_a_newer_version_is_refused_with_the_reason(ran, folder):
    place, _ = ran
    (folder / "new.sqlite").write_bytes((place / "one.sqlite").read_bytes())
    with closing(sqlite3.connect("new.sqlite")) as connection, connection:
        connection.execute("update localmixup_arms set arm = replace(arm, '\"mixup_alpha\"', '\"mixup_gamma\"')")
        for table in ("localmixup_digests", "localmixup_meta where name = 'digests'"):
            connection.execute(f"delete from {table}")
    found = paper("report", "--store", "new.sqlite")
    assert found.exit_code == 2
    assert "written by a newer localmixup: training.mixup_gamma" in found.stderr
    assert "Traceback" not in found.output


def test_an_item_whose_data_are_missing_does_not_stop_the_others(folder):
    found = paper("run", "figure5", "figure3", "--data-root", "nowhere")
    assert found.exit_code == 2
    assert "figure5 was not run: cifar10 was not found" in found.stderr.replace("\n", " ")
    with stores.opened(["localmixup-results/paper/results.sqlite"]) as merged:
        assert {finding.spec.item for finding in merged.findings()} == {"figure3"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["figur4"], "ITEM must be one of 'figure1'.*got 'figur4'; did you mean 'figure4'"),
        (["figure4", "--protocol", "papr"], "--protocol must be one of .* did you mean 'paper'"),
        (["figure1", "--protocol", "controlled"], "--protocol controlled: figure1 has no such protocol, only paper$"),
        (["figure4", "--runs", "0"], "--runs must be a whole number >= 1, got 0"),
        (["figure4", "--backend", "ray"], "--backend must be one of 'loky', 'dask', got 'ray'"),
        (["figure4", "--scheduler", "tcp://x:1"], "--scheduler needs --backend dask, got --backend loky"),
        (["figure5", "--data-root", "nowhere"], "cifar10 was not found; looked in --data-root"),
        (["figure4", "--store", "nosuch://x"], "--store nosuch://x: cannot be opened"),
    ],
)
def test_mistakes_of_run_end_in_one_line(folder, arguments, message):
    found = paper("run", *arguments)
    assert found.exit_code == 2
    errors = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [found.stderr.splitlines()[-1]]
    assert re.search(message, errors[0]), errors[0]


@pytest.fixture
def wrong_stores(ran, folder):
    """A good store beside files that are no stores, broken ones, and stores of something else."""
    content = (ran[0] / "one.sqlite").read_bytes()
    (folder / "good.sqlite").write_bytes(content)
    (folder / "half.sqlite").write_bytes(content[: len(content) // 2])
    # the names of the tables can be read, their rows cannot
    (folder / "torn.sqlite").write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    (folder / "junk.sqlite").write_text("junk")
    (folder / "packed.sqlite.xz").write_bytes(b"\xfd7zXZ\x00 and no more")
    (folder / "empty.sqlite").touch()
    (folder / "folder").mkdir()
    with closing(Store("compared.sqlite")):
        pass
    with closing(sqlite3.connect("shop.sqlite")) as connection:
        connection.execute("create table customers (name text)")
    return folder


WRONG = {
    "half.sqlite": "cannot be (opened|read)", "torn.sqlite": "is damaged",
    "junk.sqlite": "cannot be opened", "packed.sqlite.xz": "cannot be read", "empty.sqlite": "there are no runs in it",
    "shop.sqlite": "another program's database", "missing.sqlite": "no such file", "folder": "there are no .sqlite or .sqlite.xz files in this folder",
}  # fmt: skip


def test_wrong_stores_are_named_as_the_user_named_them_and_nothing_is_left_behind(wrong_stores):
    before = sorted(map(str, wrong_stores.rglob("*")))
    commands = [
        *((["report", "--store", name], f"--store {name}: .*{text}") for name, text in WRONG.items()),
        *((["merge", name, "--into", "t.sqlite"], f"STORE {name}: .*{text}") for name, text in WRONG.items()),
        (["report", "--store", "compared.sqlite"], "--store compared.sqlite: there is nothing of the paper in it"),
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
        assert sorted(map(str, wrong_stores.rglob("*"))) == before, arguments
