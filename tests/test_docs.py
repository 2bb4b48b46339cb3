"""The documentation is true: its examples run, its loop trains, its links lead somewhere."""

import doctest
import re
import runpy
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]


@pytest.mark.parametrize("page", [p for p in PAGES if ">>>" in p.read_text()], ids=lambda p: p.name)
def test_examples_in_the_documentation_run(page):
    result = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, encoding="utf-8"
    )
    assert result.failed == 0
    assert result.attempted > (10 if page.name == "guide.md" else 0)


def test_the_loop_of_the_readme_trains_as_it_stands():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    code = next(block for block in blocks if "batch.loss(" in block)
    torch.manual_seed(0)
    names = {}
    exec(code, names)
    torch.manual_seed(0)
    untrained = {}
    exec(code[: code.index("\nfor ")], untrained)
    assert not torch.equal(names["model"].weight, untrained["model"].weight)
    assert torch.isfinite(names["loss"])


def test_the_commands_of_the_readme_are_accepted_as_they_stand():
    import shlex

    import typer.main

    from localmixup.lab.cli.app import app

    found = 0
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.S | re.M):
        assert language in ("", "python", "bibtex")  # each has a test
        if language:
            continue
        for line in block.splitlines():
            command, _, says = line.partition("#")
            name, *rest = shlex.split(command.split("&&")[0])
            if name.endswith("localmixup"):
                at = typer.main.get_command(app)
                while hasattr(at, "commands"):
                    at, rest = at.commands[rest[0]], rest[1:]
                at.make_context("localmixup", rest)
                assert says
                found += 1
            elif name == "python3":
                assert rest[0] == "dev.py"
                assert rest[1] in (ROOT / "dev.py").read_text()
            else:
                assert (name, rest[0]) == ("git", "clone")
    assert found >= 4


def test_the_table_of_the_readme_is_that_of_the_results():
    text = (ROOT / "README.md").read_text().replace("**", "")
    measured = (ROOT / "results" / "README.md").read_text().replace("**", "")
    for data, ours in {
        "handwritten digits": "digits",
        "progress of diabetes": "diabetes",
        "breast cancer": "breast cancer",
    }.items():
        shown = re.search(rf"^\| {data}.*", text, re.M)[0]
        stored = re.search(rf"^\| {ours} \|.*", measured, re.M)[0]
        numbers = re.findall(r"\d+\.\d+", shown)
        assert ", ".join(numbers) in stored.replace(" %", "")


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            # the sample reports are made with the site, whose own test looks for them
            assert target.startswith("samples/") or (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("name", ["training_loop.py", "sklearn_classifier.py"])
def test_examples_run(name):
    """Run those that show a difference; the others are run by the tests of their framework."""
    errors = runpy.run_path(str(ROOT / "examples" / name))["main"]()
    # seeds are fixed, and the difference is many times what other seeds give
    assert errors["local mixup"] < errors["mixup"] / 2


def test_every_example_is_run_by_a_test():
    tested = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for path in (ROOT / "examples").glob("*.py"):
        if "def main() -> Figure:" in path.read_text():
            continue  # run by the test of the gallery
        assert path.name in tested or f'"{path.stem}"' in tested, path.name
