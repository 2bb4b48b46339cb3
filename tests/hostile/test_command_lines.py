"""Fifty wrong command lines: each ends in one line and status 2, and leaves nothing behind."""

import pytest
from typer.testing import CliRunner

from localmixup.lab.cli.app import app

LONG = "a" * 300
PASSWORD = "geheim"
WRONG = [
    "nosuch", "--nosuch", "compar digits", "compare --no", "compare digits digits", "compare --targt kind pets.csv",
    "compare ''", "compare pets.csv", "compare pets.csv --target kin", "compare pets.csv --target ''",
    "compare pets.csv --target kind --task nothing", "compare ~nosuchuser/x.csv", f"compare {LONG}.csv --target kind",
    f"compare {LONG}", "compare nosuch.csv", "compare dogits", "compare a/b/c", "compare /dev/null",
    "compare cifar10 --data-root ~nosuchuser", f"compare digits --out {LONG}", "compare digits --out /proc/x",
    f"compare digits --store postgresql://lab:{PASSWORD}@h:notaport/x",
    f"compare digits --store nosuch://a:{PASSWORD}@c/d", "compare digits --store ~nosuchuser/x.sqlite",
    "compare digits --store nosuch/x.sqlite", "compare digits --resamples 1e300", "compare digits --resamples x",
    "compare digits --batch-size 1e12", "compare digits --weight-decay inf", "compare digits --weight-decay -1",
    "compare digits --lr 1e9", "compare digits --lr nan", "compare digits --epochs 1e300", "compare digits --jobs 1e9",
    "compare digits --jobs 1.5", "compare digits --train-size 1e300", "compare digits --budget 1e300h",
    "compare digits --budget soon", "compare digits --model :", "compare digits --model a:b:c",
    "compare digits --recipe .", "compare digits --recipe /dev/null", "compare digits --scheduler tcp://a:1",
    "inspect digits --samples 1e300", "inspect digits --pca 1e5", "inspect digits --nearest 1e5",
    "inspect digits --seed -1", "inspect digits --mixup-alpha 1e7", "inspect digits --encoder nosuch",
    "inspect digits --features nosuch", "inspect digits --features .", "inspect digits --json=1",
    "paper run figure9", "paper run figure4 --runs 1e300", "paper run figure4 --store /proc/x.sqlite",
    "paper report --store nosuch.sqlite", "paper report --store ''", "paper merge", "paper merge a --into b",
    "paper rum figure4", "theory --figures /proc/x", "demo --jobs 0", "demo --out /proc/x",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{k % 7 / 3},{k % 5},{'cat' if k % 2 else 'dog'}" for k in range(60)]
    (tmp_path / "pets.csv").write_text("size,age,kind\n" + "\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("line", WRONG, ids=lambda line: line[:60])
def test_a_wrong_command_line_ends_in_one_line_and_leaves_nothing(folder, line):
    arguments = ["" if word == "''" else word for word in line.split(" ")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    errors = [text for text in done.stderr.splitlines() if text.startswith("error: ")]
    assert errors == [done.stderr.splitlines()[-1]]
    assert PASSWORD not in done.output
    assert [path.name for path in folder.iterdir()] == ["pets.csv"]


def test_there_are_fifty_of_them():
    assert len(set(WRONG)) == len(WRONG) >= 50


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("compare dogits", "did you mean 'digits'?"),
        ("compare pets.csv --target kin", "did you mean 'kind'?"),
        ("compare --targt kind pets.csv", "did you mean --target?"),
        ("compar digits", "Did you mean 'compare'?"),
        ("paper rum figure4", "Did you mean 'run'?"),
        ("paper run figur4", "did you mean 'figure4'?"),
    ],
)
def test_what_was_probably_meant_is_named(folder, line, hint):
    assert hint in CliRunner().invoke(app, line.split()).stderr
