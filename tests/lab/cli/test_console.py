"""Progress of a generator of events, and what ends in one line."""

import os
import signal
import sys
import time

import pytest

from localmixup._optional import MissingPackageError
from localmixup._validate import ArgumentError
from localmixup.lab.cli.console import SECONDS_PER_LINE, show
from localmixup.lab.cli.errors import Commands, interruptible
from localmixup.lab.runs.events import Note, Read, Stage, Step


def test_show_prints_what_happens_and_returns_the_result(capsys, monkeypatch):
    monkeypatch.setattr("localmixup.lab.cli.console.SECONDS_PER_LINE", 0.0)

    def work():
        yield Read("pets.csv", ("rows: 1,200", "inputs: 3 numbers"), "mlp", ("one class is rare",))
        yield Stage("training", 20, 5)
        for done in range(6, 21):
            yield Step(done)
        yield Stage("controls", 10, 10)
        yield Stage("nothing to do", 0, 0)
        yield Note("[bold]left as it is[/bold]")
        return "result"

    assert show(work()) == "result"
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [  # it is over in a moment, so no line says how long the rest takes
        "pets.csv; model mlp",
        "  rows: 1,200",
        "  inputs: 3 numbers",
        "  note: one class is rare",
        "  training: 5 of 20 are in the store already",
        "  training: 8 of 20",
        "  training: 12 of 20",
        "  training: 16 of 20",
        "  training: 20 of 20",
        "  controls: all of 10 are in the store already",
        "  [bold]left as it is[/bold]",
    ]


def test_a_stage_that_is_over_at_once_prints_its_title_only(capsys):
    def work():
        yield Stage("class regions", 8, 0)
        for done in range(1, 9):
            yield Step(done)
        yield Stage("training", 4, 0)
        time.sleep(SECONDS_PER_LINE)
        for done in range(1, 5):
            yield Step(done)

    show(work())
    assert capsys.readouterr().err.splitlines() == ["  class regions", "  training", "  training: 1 of 4"]


def test_an_error_of_the_work_reaches_the_caller():
    def work():
        yield Stage("training", 2, 0)
        raise ArgumentError("--seeds must be >= 1, got 0")

    with pytest.raises(ArgumentError, match="--seeds"):
        show(work())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_the_work_ends_it_with_one_line(capsys, number):
    closed = []

    def work():
        try:
            yield Stage("training", 10, 0)
            yield Step(1)
            os.kill(os.getpid(), number)
            yield Step(2)
            pytest.fail("the signal was not noticed")
        finally:
            closed.append(True)

    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as left, interruptible("finished runs are stored"):
        show(work())
    assert left.value.code == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted: finished runs are stored"
    assert closed == [True]
    assert signal.getsignal(number) is before


def test_an_interrupt_is_not_lost_where_an_object_is_deleted(capfd):
    class Deleted:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.001)  # the exception is raised here, where Python would print it and go on

    def work():
        Deleted()
        time.sleep(30)

    with pytest.raises(SystemExit) as left, interruptible("finished runs are stored"):
        work()
    assert left.value.code == 130
    assert capfd.readouterr().err == "interrupted: finished runs are stored\n"


def test_an_interrupt_over_which_a_library_stumbles_is_still_one(capsys):
    def work():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the signal was not noticed")
        except KeyboardInterrupt:
            raise RuntimeError("cannot join thread before it is started")  # noqa: B904  # as libraries do

    with pytest.raises(SystemExit) as left, interruptible("finished runs are stored"):
        work()
    assert left.value.code == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted: finished runs are stored"
    with pytest.raises(RuntimeError, match="a defect"), interruptible("finished runs are stored"):
        raise RuntimeError("a defect")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ArgumentError("data.csv: the file is empty"), "error: data.csv: the file is empty"),
        (MissingPackageError("gudhi is needed"), "error: gudhi is needed"),
        (
            ModuleNotFoundError("No module named 'jinja2'", name="jinja2"),
            "error: jinja2 is missing; in a checkout: pip install -e '.[lab]'",
        ),
    ],
)
def test_mistakes_inside_a_command_end_in_one_line(capsys, error, line):
    import typer

    commands = typer.Typer(cls=Commands, pretty_exceptions_enable=False)

    @commands.command()
    def work():
        raise error

    @commands.command()
    def other():
        pass

    with pytest.raises(SystemExit) as left:
        commands(["work"])
    assert left.value.code == 2
    assert capsys.readouterr().err == line + "\n"


def test_without_the_packages_of_the_command_line_the_entry_point_names_them(capsys, monkeypatch):
    from localmixup.lab.cli import main

    monkeypatch.setitem(sys.modules, "typer", None)
    for name in [name for name in sys.modules if name.startswith("localmixup.lab.cli.") and not name.endswith("main")]:
        monkeypatch.delitem(sys.modules, name)
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as left:
            main.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: typer is missing; in a checkout: pip install -e '.[lab]'\n"
