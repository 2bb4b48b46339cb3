"""Run the tests of the integrations in environments of their own: `dev.py compat [NAME...] [-- pytest options]`.

The table is `compat.toml`. Each environment is made once in `.compat/NAME`, and again when its row changes. A test that
is skipped counts as a failure there. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent
FOLDER = ROOT / ".compat"
TABLE = ROOT / "compat.toml"


class Outcome(NamedTuple):
    """What the tests of one environment did. `note` says why they did not run."""

    name: str
    python: str
    torch: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    note: str = ""


def environments() -> dict[str, dict[str, Any]]:
    """Return the rows of the table by name, with the packages of all environments added to each."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    common = table.pop("all")
    return {name: {**row, "packages": [*row["packages"], *common]} for name, row in table.items()}


def interpreter(version: str) -> str | None:
    """Return an interpreter of a version such as "3.12": this one, on the PATH, of pyenv or of uv; or None."""
    if sys.version_info[:2] == tuple(int(part) for part in version.split(".")):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *sorted(str(p) for p in pyenv.glob(f"{version}*/bin/python"))]
    if uv := shutil.which("uv"):
        command = [uv, "python", "find", "--no-python-downloads", version]
        candidates.append(subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip())
    for candidate in candidates:
        # a shim of pyenv is found on the PATH even if its version is not installed
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def python_of(name: str) -> Path:
    """Return the interpreter of an environment."""
    return FOLDER / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def set_up(name: str, row: dict[str, Any], base: str) -> bool:
    """Make an environment, unless it is there with the packages of its row; return whether that worked."""
    stamp = FOLDER / name / "localmixup-compat"
    wanted = hashlib.sha256(repr([row["packages"], base]).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return True
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    print(f"{name}: installing {', '.join(row['packages'])}", flush=True)
    if uv := shutil.which("uv"):
        install = [uv, "pip", "install", "-q", "--python", str(python_of(name)), *row["packages"]]
        done = _run([uv, "venv", "-q", "--python", base, str(FOLDER / name)]) and (
            _run([*install, "--torch-backend=cpu"]) or _run(install)  # PyTorch's own index may be out of reach
        )
    else:
        done = _run([base, "-m", "venv", str(FOLDER / name)]) and _run(
            [str(python_of(name)), "-m", "pip", "install", "-q", "--disable-pip-version-check", *row["packages"]]
        )
    if done:
        stamp.write_text(wanted)
    return done


def _run(command: list[str]) -> bool:
    return subprocess.call(command, cwd=ROOT) == 0


def test(name: str, row: dict[str, Any], options: list[str]) -> Outcome:
    """Run the tests of an environment and count what they did."""
    report = FOLDER / f"{name}.xml"
    report.unlink(missing_ok=True)
    code = "import platform, importlib.metadata as m; print(platform.python_version(), m.version('torch'))"
    versions = subprocess.run([str(python_of(name)), "-c", code], capture_output=True, text=True, check=True).stdout
    python, torch = versions.split()
    command = [str(python_of(name)), "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", *row["tests"]]
    start = time.monotonic()
    subprocess.call([*command, *options], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    seconds = time.monotonic() - start
    if not report.is_file():
        return Outcome(name, python, torch, 0, 0, 0, seconds, "pytest did not finish")
    total, failed, skipped = counts(report)
    return Outcome(name, python, torch, total - failed - skipped, failed, skipped, seconds)


def counts(report: Path) -> tuple[int, int, int]:
    """Return how many tests a JUnit report holds, how many of them failed and how many were skipped."""
    suites = ET.parse(report).getroot().iter("testsuite")
    rows = [[int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")] for suite in suites]
    total, failures, errors, skipped = (sum(column) for column in zip(*rows, strict=True))
    return total, failures + errors, skipped


def table_of(outcomes: list[Outcome]) -> str:
    """Return the outcomes as a table in Markdown."""
    lines = ["| environment | Python | torch | passed | failed | skipped | minutes |", "| --- " * 7 + "|"]
    for o in outcomes:
        numbers = f"{o.passed} | {o.failed} | {o.skipped} | {o.seconds / 60:.1f}"
        lines.append(f"| {o.name} | {o.python} | {o.torch} | {o.note + ' | | | ' if o.note else numbers} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Run the environments that are named, or all; exit with 1 if a test failed or was skipped in one of them."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    names, options = arguments[:cut], arguments[cut + 1 :]
    table = environments()
    if unknown := [name for name in names if name not in table]:
        sys.exit(f"compat: there is no environment {unknown[0]!r}, only {', '.join(table)}")
    FOLDER.mkdir(exist_ok=True)
    outcomes, good = [], True
    for name in names or table:
        row = table[name]
        base = interpreter(row["python"])
        if base is None:
            outcomes.append(Outcome(name, row["python"], "", 0, 0, 0, 0.0, "no interpreter here"))
            good = good and not names
        elif not set_up(name, row, base):
            outcomes.append(Outcome(name, row["python"], "", 0, 0, 0, 0.0, "its packages could not be installed"))
            good = False
        else:
            outcomes.append(test(name, row, options))
            o = outcomes[-1]
            good = good and not (o.failed or o.skipped or o.note) and o.passed > 0
    print(table_of(outcomes))
    sys.exit(0 if good else 1)
