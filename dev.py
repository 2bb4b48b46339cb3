#!/usr/bin/env python3
"""Everything a newcomer needs: `python3 dev.py setup | demo | test | lint`. Standard library only.

Makes `.venv`, installs the versions of constraints.txt and does the job. A torch that is already there, in this
interpreter or in `.venv`, is kept.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "localmixup-ready"
USAGE = "usage: python3 dev.py setup | demo | test [pytest options] | lint"


def run(*command: object) -> None:
    """Run a command in the root of the project; leave with its exit status if it fails."""
    status = subprocess.call([str(part) for part in command], cwd=ROOT)
    if status:
        sys.exit(status)


def torch_here() -> str | None:
    """Version of a usable torch that this interpreter has."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
    major, minor = (int(part) for part in version.split(".")[:2])
    return version if (major, minor) >= (2, 9) else None


def torch_in_venv() -> str | None:
    """Version of the torch that `.venv` sees, its own or the interpreter's."""
    code = "import importlib.metadata as m; print(m.version('torch'))"
    found = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def setup() -> None:
    """Make `.venv` and install, unless that was done for these very requirements."""
    inputs = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt", "dev.py")]
    wanted = hashlib.sha256(b"\0".join([*inputs, sys.version.encode(), str(ROOT).encode()])).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted and PYTHON.exists():
        return
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(f"localmixup needs Python 3.11 or later, this is {sys.version.split()[0]}")
    if not PYTHON.exists():
        print("making .venv", flush=True)
        venv.create(VENV, with_pip=True, system_site_packages=torch_here() is not None)
    elif subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        run(PYTHON, "-m", "ensurepip")
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    if kept := torch_in_venv():
        print(f"keeping torch {kept}", flush=True)
        constraints = [f"torch=={kept}" if line.startswith("torch==") else line for line in constraints]
    chosen = VENV / "constraints.txt"
    chosen.write_text("\n".join(constraints) + "\n")
    print("installing the versions of constraints.txt (a minute or two)", flush=True)
    # torch goes in first and alone: once it is there, no other package's wider range can bring another build
    for packages in (["torch", "numpy"], ["-e", ".[lab,dev]"]):
        run(PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", chosen, *packages)
    STAMP.write_text(wanted)


def lint() -> None:
    """Style and types."""
    run(PYTHON, "-m", "ruff", "check", ".")
    run(PYTHON, "-m", "ruff", "format", "--check", ".")
    run(PYTHON, "-m", "mypy")


def main(arguments: list[str]) -> None:
    """Do what the first argument names."""
    job, rest = (arguments[0] if arguments else ""), arguments[1:]
    if job not in ("setup", "demo", "test", "lint") or (rest and job in ("setup", "lint")):
        sys.exit(USAGE)
    setup()
    if job == "demo":
        run(PYTHON, "-m", "localmixup", "demo", *rest)
    elif job == "lint":
        lint()
    elif job == "test":
        if not rest:
            lint()
        run(PYTHON, "-m", "pytest", *rest)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
