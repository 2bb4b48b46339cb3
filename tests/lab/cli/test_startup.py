"""The command line answers without loading PyTorch, and its tables of names are those of the registries."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = ["torch", "numpy", "scipy", "pandas", "sklearn", "joblib", "matplotlib", "datasets", "sqlalchemy"]

# option or argument, its exit status, and what is said
LINES = {
    "--help": (0, "compare"),
    "--version": (0, "localmixup "),
    "compare --help": (0, "--resamples INTEGER"),
    "compare --help --resamples few": (0, "--lr NUMBER"),
    "inspect --help": (0, "--batch-size INTEGER"),
    "theory --help": (0, "--figures"),
    "demo --help": (0, "--jobs INTEGER"),
    "paper --help": (0, "merge"),
    "paper run --help": (0, "figure4"),
    "paper report --help": (0, "--markdown"),
    "compar": (2, "did you mean 'compare'"),
    "compare --resamplse 3": (2, "did you mean --resamples?"),
    "compare digit": (2, "did you mean 'digits'"),
    "compare --resamples few": (2, "--resamples must be a whole number >= 2, got 'few'"),
    "compare --methods vanila": (2, "did you mean 'vanilla'"),
    "compare --budget soon": (2, "--budget must be a time such as 90s, 10m or 2h, got 'soon'"),
    "inspect nowhere.csv": (2, "no such file or folder: nowhere.csv"),
    "inspect tum.cvs": (2, "no such file or folder: tum.cvs; did you mean tum.csv?"),
    "compare --target": (2, "option '--target' requires an argument (help: localmixup compare --help)"),
    "paper run figure4 --device gpu": (2, "--device must be one of 'cpu', 'cuda', got 'gpu'; did you mean 'cuda'?"),
    "compare --device cdua": (2, "did you mean 'cuda'?"),
    "compare --precision fp32": (2, "did you mean 'no'?"),
    "paper run figur4": (2, "did you mean 'figure4'"),
    "paper run figure4 --scale huge": (2, "--scale must be one of"),
    "paper report --store a --stoer b": (2, "did you mean --store?"),
}

CODE = f"""
import json, sys
from typer.testing import CliRunner
from localmixup.lab.cli.app import app

told = {{}}
for line in json.loads(sys.argv[1]):
    result = CliRunner().invoke(app, line.split(), prog_name="localmixup")
    told[line] = [result.exit_code, result.output, [name for name in {HEAVY} if name in sys.modules]]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What one process answers to all lines, and which heavy packages it has loaded by then."""
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    folder = tmp_path_factory.mktemp("small")
    (folder / "tum.csv").touch()
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(list(LINES))], env=environment, cwd=folder,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.parametrize("line", LINES)
def test_help_version_and_mistakes_are_answered_without_loading_anything_heavy(told, line):
    status, output, loaded = told[line]
    expected, text = LINES[line]
    assert status == expected, output
    assert text.lower() in " ".join(output.split()).lower()
    assert loaded == []
    if status:
        assert output.startswith("error: ")
        assert output.count("\n") == 1


@pytest.mark.parametrize("line", [line for line in LINES if line.endswith("--help")])
def test_every_help_ends_in_examples_that_the_parser_accepts(told, line):
    import shlex

    import typer.main

    from localmixup.lab.cli.app import app

    examples = told[line][1].partition("Examples:\n")[2].strip().splitlines()
    assert examples
    for example in examples:
        name, *rest = shlex.split(example)
        assert name == "localmixup"
        command = typer.main.get_command(app)
        while hasattr(command, "commands"):
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context("localmixup", rest)  # reads and checks every value


COMPLETED = {
    "compare di": ["digits"],
    "inspect spirals": ["spirals", "spirals-gaussian"],
    "compare table.c": [],  # the shell completes names of files itself
    "compare --model le": ["lenet5", "lenet5-conv3"],
    "compare --optimizer ad": ["adamw", "adam"],
    "compare --methods c": ["c-mixup", "cutmix"],
    "compare --methods cutmix,c": ["cutmix,c-mixup"],
    "compare --augment crop-flip-": ["crop-flip-batch"],
    "compare --task c": ["classification"],
    "compare --precision b": ["bf16"],
    "compare --device c": ["cpu", "cuda"],
    "inspect --layout g": ["gray"],
    "inspect --missing i": ["impute"],
    "paper run fig": ["figure1", "figure3", "figure4", "figure5", "figure6", "figure7"],
    "paper run figure4 al": ["all"],
    "paper run --protocol pu": ["published"],
    "paper run --scale s": ["smoke"],
    "paper run --backend d": ["dask"],
    "benchmark --suite small,wi": ["small,wine"],
    "benchmark --size 1": ["100"],
    "paper re": ["report"],
}

COMPLETE = """
import contextlib, io, json, os, sys
from localmixup.lab.cli.app import app

told = {}
os.environ["_LOCALMIXUP_COMPLETE"] = "complete_bash"
for line in json.loads(sys.argv[1]):
    os.environ.update(COMP_WORDS=f"localmixup {line}", COMP_CWORD=str(len(line.split())))
    with contextlib.redirect_stdout(io.StringIO()) as written, contextlib.suppress(SystemExit):
        app(prog_name="localmixup")
    told[line] = written.getvalue().split()
told["heavy"] = [name for name in ("torch", "scipy", "pandas", "sklearn") if name in sys.modules]
print(json.dumps(told))
"""


def test_a_shell_completes_names_without_loading_anything_heavy(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    done = subprocess.run(
        [sys.executable, "-c", COMPLETE, json.dumps(list(COMPLETED))], env=environment, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == {**COMPLETED, "heavy": []}


def test_every_option_that_names_its_values_completes_them():
    import typer.main

    from localmixup.lab.cli.app import app

    def named(command):
        context = typer.Context(command)
        yield from ((p.metavar, p.shell_complete(context, "")) for p in command.params if "|" in (p.metavar or ""))
        for below in getattr(command, "commands", {}).values():
            yield from named(below)

    found = [(set(metavar.split("|")) - {"NAME,..."}, items) for metavar, items in named(typer.main.get_command(app))]
    assert len(found) > 15
    for values, items in found:
        assert values <= {item.value for item in items}


def test_completion_can_be_installed(told):
    assert "--install-completion" in told["--help"][1]


def test_the_entry_point_prints_the_version():
    from localmixup import __version__

    done = subprocess.run([sys.executable, "-m", "localmixup", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"localmixup {__version__}\n"


def test_the_names_of_the_options_are_those_of_the_registries():
    from localmixup.lab.cli import names
    from localmixup.lab.data.augmentation import AUGMENTATIONS
    from localmixup.lab.methods import METHODS, PUBLISHED
    from localmixup.lab.models import MODELS
    from localmixup.lab.paper import ITEMS
    from localmixup.lab.paper.protocols import PROTOCOLS, SCALES
    from localmixup.lab.runs.engine import BACKENDS
    from localmixup.lab.runs.optimizers import OPTIMIZERS

    within = (
        "vanilla",
        "mixup",
        "recipe",
        "feature-recipe",
        "same-displacement",
        "same-displacement-of-set",
        *PUBLISHED,
    )
    assert tuple(name for name in METHODS if name not in within) == names.METHODS
    assert tuple(MODELS) == names.MODELS
    assert tuple(OPTIMIZERS) == names.OPTIMIZERS
    assert tuple(AUGMENTATIONS) == names.AUGMENTATIONS
    assert tuple(ITEMS) == names.ITEMS
    assert tuple(PROTOCOLS) == names.PROTOCOLS
    assert tuple(SCALES) == names.SCALES
    assert tuple(BACKENDS) == names.BACKENDS
