"""Terminals and names that nobody wished for: escapes, markup, other encodings, closed and full outputs."""

import io
import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
from rich.table import Table

from localmixup.lab.cli.console import PlainConsole
from localmixup.lab.text import one_line, plain

NASTY = "\x1b[31mred\x1b]0;title\x07 [bold]m[/x] :smile: \u202egpj.exe <!--<script> \udce9"


def printed(renderable, width=80):
    stream = io.StringIO()
    PlainConsole(file=stream, width=width, markup=False, emoji=False, highlight=False).print(renderable)
    return stream.getvalue()


def test_names_reach_a_terminal_as_they_are_spelled_and_give_no_orders():
    table = Table(title=NASTY)
    table.add_column(NASTY, overflow="fold")
    table.add_row(NASTY)
    for text in (printed(NASTY, 200), printed(table, 200)):
        assert not set("\x1b\x07\u202e\udce9") & set(text)
        for part in ("[bold]m[/x]", ":smile:", "\\x1b[31mred"):
            assert part in text
    assert one_line("a\n\x1b[2Jb") == "a \\x1b[2Jb"
    assert plain("größe\tx\n") == "größe\tx\n"


def run(arguments, folder, shell="", **environment):
    kept = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    command = f'exec "$0" -m localmixup "$@" {shell}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, *arguments], cwd=folder, capture_output=True, check=False,
        env={**kept, **environment},
    )  # fmt: skip


def at_a_terminal(arguments, folder, columns, status=0):
    """What a command writes to a terminal of that many columns, without colours: one text per state of a line."""
    screen, end = pty.openpty()
    termios.tcsetwinsize(end, (50, columns))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LOCALMIXUP_CHECK_SHAPES")}
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, stdin=end, stdout=end, stderr=end, start_new_session=True,
        env={**environment, "TERM": "xterm"},
    ) as process:  # fmt: skip
        os.close(end)
        written = b""
        while part := _read(screen):
            written += part
    os.close(screen)
    assert process.returncode == status, written
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode()))


def _read(screen):
    try:
        return os.read(screen, 65536)
    except OSError:  # the other end is closed
        return b""


PROGRESS = """
import time
from localmixup.lab.cli.console import console, say, show
from localmixup.lab.runs.events import Note, Stage, Step

def work():
    yield Note("the classes were made of " + "twenty equal parts of the values " * 5)
    yield Stage("judging on fresh resamples", 1990, 30)
    for done in range(31, 41):
        time.sleep(0.02)
        yield Step(done)

show(work())
say("Mixed samples are " + "not unlike other samples of another class " * 5)
console.print("    localmixup compare " + "x" * 100, soft_wrap=True)
"""


@pytest.mark.parametrize("columns", [20, 40, 71, 72, 80, 120])
def test_the_time_left_is_seen_in_a_terminal_of_any_width(tmp_path, columns):
    lines = at_a_terminal(["-c", PROGRESS], tmp_path, columns)
    assert max(len(line) for line in lines if "xxxx" not in line) <= columns
    last = next(line.rstrip() for line in reversed(lines) if line.startswith("  judg"))
    assert re.search(r" left \d+:\d\d:\d\d$", last)
    if columns >= 72:  # with bar, count and elapsed time; all of them whole
        assert re.match(r"  judging on fresh resamples [━╸╺ ]+   40/1990 \d:\d\d:\d\d left", last)
    elif columns >= 42:
        assert re.match(r"  judging on fresh resamples +left", last)


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_prose_is_wrapped_between_words_at_a_terminal_and_code_is_not(tmp_path, columns):
    lines = [line.rstrip() for line in at_a_terminal(["-c", PROGRESS], tmp_path, columns)]
    text = " ".join(" ".join(lines).split())
    assert "the classes were made of " + "twenty equal parts of the values " * 5 in text
    assert "Mixed samples are " + "not unlike other samples of another class " * 5 in text
    assert "    localmixup compare " + "x" * 100 in lines


def test_an_error_is_wrapped_between_words_at_a_terminal(tmp_path):
    arguments = ["-m", "localmixup", "compare", "--resamples", "few"]
    lines = at_a_terminal(arguments, tmp_path, 40, status=2)
    assert max(map(len, lines)) <= 40
    assert " ".join(lines).strip() == " ".join(run(arguments[2:], tmp_path).stderr.decode().split())


def test_prose_is_not_wrapped_where_no_terminal_reads_it(tmp_path):
    done = subprocess.run([sys.executable, "-c", PROGRESS], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr.splitlines()[0].count("twenty") == 5


LIST = ["paper", "list"]


def test_a_console_that_knows_few_characters_gets_the_tables(tmp_path):
    environment = {"PYTHONIOENCODING": "cp1252", "LC_ALL": "C", "TERM": "dumb", "NO_COLOR": "1"}
    done = run(LIST, tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert b"figure4" in done.stdout


HELP = """
import contextlib, io, json, os, sys
import typer.main
from localmixup.lab.cli.app import app

def paths(command, path=()):
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from paths(below, (*path, name))

told = {}
for columns in json.loads(sys.argv[1]):
    os.environ["COLUMNS"] = str(columns)
    for path in paths(typer.main.get_command(app)):
        with contextlib.redirect_stdout(io.StringIO()) as stream, contextlib.suppress(SystemExit):
            app([*path, "--help"], prog_name="localmixup")
        told[f"{columns} {' '.join(path)}"] = stream.getvalue()
print(json.dumps(told))
"""


def test_the_help_of_every_command_fits_into_the_terminal(tmp_path):
    """Only examples, which are to be pasted as they stand, may be longer than a line; no word is broken anywhere."""
    done = subprocess.run(
        [sys.executable, "-c", HELP, json.dumps([40, 46, 50, 59, 60, 70, 80, 120])], cwd=tmp_path, capture_output=True,
        text=True, check=True, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert len(told) == 8 * 11
    for name, text in told.items():
        columns, _, command = name.partition(" ")
        assert "\x1b" not in text
        assert re.search(r"<\w+|\{", text) is None, "a type of Python"
        assert text.split() == told[f"120 {command}"].split()
        shown, _, examples = text.partition("  Examples:\n")
        assert all(line.startswith("    localmixup ") for line in examples.splitlines())
        assert [line for line in shown.splitlines() if len(line) > int(columns)] == []
    narrow = told["40 compare"].splitlines()
    assert narrow[narrow.index("  --lr NUMBER") + 1] == "      Learning rate at the start."


def test_a_table_fits_into_the_columns_that_the_environment_names_or_becomes_a_list(tmp_path):
    lines = run(LIST, tmp_path, COLUMNS="80").stdout.decode().splitlines()
    row = next(k for k, line in enumerate(lines) if "figure4" in line)
    assert all(len(line) <= 80 for line in lines[row : row + 4])
    assert "figure4" in run(LIST, tmp_path, COLUMNS="40").stdout.decode().splitlines()


def test_outputs_that_are_closed_full_or_not_read_end_without_a_traceback(tmp_path):
    for shell, statuses in ((">&-", (0,)), ("> /dev/full", (2,)), ("2>&-", (0,)), ("> >(true)", (0, 1, 141))):
        done = run(["--help"], tmp_path, shell)
        assert done.returncode in statuses, (shell, done.stderr)
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr
        assert done.stderr.count(b"\n") <= 1
        if "full" in shell:
            assert b"error: the output cannot be written" in done.stderr


def table(folder, name="pets.csv", column="size"):
    rng = np.random.default_rng(0)
    rows = [f"{rng.normal() + 3 * (k % 2):.4f},{rng.normal():.4f},{'cat' if k % 2 else 'dog'}" for k in range(60)]
    path = os.fsencode(folder) + b"/" + (name if isinstance(name, bytes) else name.encode())
    Path(os.fsdecode(path)).write_text(f"{column},age,kind\n" + "\n".join(rows) + "\n")


NO_HOME = """
import os, pwd, sys
os.environ.pop("HOME", None)
def nobody(*_):
    raise KeyError("getpwuid(): uid not found")
pwd.getpwuid = pwd.getpwnam = nobody
sys.argv = ["localmixup", *sys.argv[1:]]
"""


def test_a_user_without_a_home_and_without_a_name(tmp_path):
    """As in a container: a user id that no file knows, and no HOME."""
    table(tmp_path)
    code = (
        f"{NO_HOME}\nimport torch; from localmixup import ExponentialGraph, LocalMixup, PairSampler\n"
        "assert len(LocalMixup(ExponentialGraph(0.1))(torch.zeros(4, 2), torch.zeros(4).long()).weights) == 4\n"
        "assert LocalMixup(ExponentialGraph(0.1, metric=lambda a, b: (a - b).norm(dim=1)))\n"
        "from localmixup.lab.cli.main import main; main()"
    )
    arguments = ["inspect", "pets.csv", "--target", "kind", "--samples", "200"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


SINGLE = ["my%20data.csv", "m[bold]3.csv", "what?.csv", "\x1b[31mred.csv"]


@pytest.mark.parametrize(
    "name",
    [
        "m[bold]%20\x1b[31mwhat?.csv",
        b"caf\xe9.csv",
        *(pytest.param(name, marks=pytest.mark.slow) for name in SINGLE),
    ],
)
def test_names_of_files_that_hold_anything(tmp_path, name):
    table(tmp_path, name, "[/x]<!--<script>")
    done = run(["inspect", os.fsdecode(name), "--target", "kind", "--samples", "200"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    (page,) = tmp_path.rglob("inspection.html")
    text = page.read_text(encoding="utf-8")
    assert "<!--<script>" not in text
    assert json.loads((page.parent / "inspection.json").read_text())["verdict"]["word"]
