"""What the package says about itself, and that it can be built, installed and tested from its source distribution."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import localmixup

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TEXT = {path.name: path.read_text() for path in ROOT.glob("*.md")}


def test_the_version_is_the_same_everywhere():
    version = localmixup.__version__
    assert PROJECT["dynamic"] == ["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    for page in (TEXT["README.md"], (ROOT / "docs" / "citing.md").read_text()):
        assert f"version = {{{version}}}" in page
    assert f"## [{version}] - " in TEXT["CHANGELOG.md"]


def test_the_addresses_are_those_of_one_repository():
    source = PROJECT["urls"]["Source"]
    pages = [*TEXT.values(), (ROOT / "CITATION.cff").read_text(), (ROOT / "mkdocs.yml").read_text()]
    pages += [path.read_text() for path in (ROOT / "docs").glob("*.md")]
    owner = source.rsplit("/", 1)[0]
    for page in pages:
        for address in re.findall(rf"{owner}[^\s)\"'`}}]*", page):
            assert address.startswith(source)
    for kept in re.findall(rf"{source}/(?:blob|tree)/main/([^\s)#]+)", TEXT["README.md"]):
        assert (ROOT / kept).exists(), kept
    raw = source.replace("github.com", "raw.githubusercontent.com")
    for kept in re.findall(rf"{raw}/main/([^\s)#]+)", TEXT["README.md"]):
        assert (ROOT / kept).exists(), kept


def test_the_readme_has_no_relative_link_which_an_index_could_not_follow():
    assert all(link.startswith("http") for link in re.findall(r"\]\(([^)]+)\)", TEXT["README.md"]))


def test_the_citation_of_the_paper_is_the_same_everywhere():
    paper = yaml.safe_load((ROOT / "CITATION.cff").read_text())["preferred-citation"]
    for page in (TEXT["README.md"], (ROOT / "docs" / "citing.md").read_text()):
        entry = re.search(r"@article\{.*?\n\}", page, re.DOTALL)[0]
        for value in (paper["title"], paper["journal"], str(paper["volume"]), str(paper["year"]), paper["doi"]):
            assert f"{{{value}}}" in entry
        for author in paper["authors"]:
            assert f"{author['family-names']}, {author['given-names']}" in entry


def test_the_changelog_keeps_the_form():
    text = TEXT["CHANGELOG.md"]
    versions = re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    assert all(date for _, date in versions[1:])
    assert len(re.findall("^## ", text, re.MULTILINE)) == len(versions)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= kinds
    assert {name for name, _ in versions} <= set(re.findall(r"^\[([^\]]+)\]: http", text, re.MULTILINE))


def test_forms_and_hooks_are_valid():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert all({"id", "name", "entry", "language"} <= set(hook) for repo in hooks["repos"] for hook in repo["hooks"])
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text())
        if path.stem != "config":
            assert {"name", "description", "body"} <= set(form)
            assert all({"type", "attributes"} <= set(part) for part in form["body"])


@pytest.mark.slow
def test_the_source_distribution_builds_and_tests_itself(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k not in ("LOCALMIXUP_CHECK_SHAPES", "PYTHONPATH")}
    run = {"check": True, "env": environment, "capture_output": True, "text": True}
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "build"], **run)
    python = tmp_path / "build" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "hatchling"], **run)
    build = "import hatchling.build as b, sys; print(getattr(b, sys.argv[1])(sys.argv[2]))"
    made = subprocess.run([python, "-c", build, "build_sdist", tmp_path], cwd=ROOT, **run).stdout.split()[-1]
    assert (tmp_path / made).stat().st_size < 20e6
    with tarfile.open(tmp_path / made) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / made.removesuffix(".tar.gz")
    wheel = subprocess.run([python, "-c", build, "build_wheel", tmp_path], cwd=source, **run).stdout.split()[-1]
    names = zipfile.ZipFile(tmp_path / wheel).namelist()
    assert "localmixup/py.typed" in names
    assert "localmixup/lab/paper/shipped/cpu.sqlite.xz" in names
    assert "localmixup/lab/report/base.html.j2" in names
    tests = ["tests/test_interpolate.py", "tests/test_docs.py", "tests/test_package.py", "tests/test_architecture.py"]
    run["env"]["PYTHONPATH"] = str(source / "src")
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider"]
    found = subprocess.run([*command, "--collect-only"], cwd=source, **{**run, "check": False})
    assert found.returncode == 0, found.stdout[-3000:]
    done = subprocess.run(
        [*command, *tests],
        cwd=source,
        **{**run, "check": False},
    )
    assert done.returncode == 0, done.stdout[-3000:]
