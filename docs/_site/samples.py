"""The sample reports: pages that the commands themselves write while the site is built.

`inspect` measures; the others read stored runs or results and train nothing. They run side by side. What they write is
kept under `build/samples`, until the lab or a store changes.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "results"
STORE = Path(__file__).resolve().parent / "compare-digits.sqlite.xz"
KEPT = ROOT / "build" / "samples"

_COMMAND = ["-m", "localmixup"]
_DIGITS = ["digits", "--jobs", "1", "--out", "."]
_DIABETES = """
from sklearn.datasets import load_diabetes
from localmixup.lab.cli.main import main
load_diabetes(as_frame=True, scaled=False).frame.to_csv("diabetes.csv", index=False)
main()
"""
_BENCHMARK = """
import sys
from pathlib import Path
from localmixup.lab.benchmark.client import Benchmark
from localmixup.lab.report.benchmark_page import write_benchmark
found = Benchmark.model_validate_json(Path(sys.argv[1]).read_text())
write_benchmark(Path("report.html"), Path("benchmark.md"), found.sets, found.size, found.resamples)
"""
COMMANDS = {
    "inspect-digits.html": ([*_COMMAND, "inspect", *_DIGITS], "inspection.html"),
    "inspect-diabetes.html": (
        ["-c", _DIABETES, "inspect", "diabetes.csv", "--target", "target", "--out", "."],
        "inspection.html",
    ),
    "compare-digits.html": ([*_COMMAND, "compare", *_DIGITS, "--store", "runs.sqlite"], "report.html"),
    "benchmark.html": (["-c", _BENCHMARK, str(RESULTS / "benchmark" / "benchmark.json")], "report.html"),
    "paper.html": ([*_COMMAND, "paper", "report", "--store", str(RESULTS / "paper"), "--out", "."], "paper.html"),
}
"""What Python runs to write each sample, and the file that it writes."""


def on_files(files: Any, config: Any) -> Any:
    """Add the sample reports."""
    from mkdocs.structure.files import File

    for name, content in samples().items():
        files.append(File.generated(config, f"samples/{name}", content=content))
    return files


def samples() -> dict[str, str]:
    """Return the sample reports by their names; those that are up to date are not written again.

    Raises:
        RuntimeError: a command failed, or trained a network although its runs are stored.
    """
    folder = KEPT / fingerprint()
    running, works = {}, {}
    for name, (arguments, _) in COMMANDS.items():
        if not (folder / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            work = works[name] = Path(tempfile.mkdtemp(prefix=name, dir=folder))  # another build may run beside this
            (work / "runs.sqlite").write_bytes(lzma.decompress(STORE.read_bytes()))
            running[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
    for name, process in running.items():
        said = process.communicate()[1]
        if process.returncode or "about" in said.partition("resamples")[2]:
            raise RuntimeError(f"{name}: the command failed or trains again, so its store is too old:\n{said}")
        (works[name] / COMMANDS[name][1]).replace(folder / name)
        shutil.rmtree(works[name])
    return {name: (folder / name).read_text() for name in COMMANDS}


def fingerprint() -> str:
    """Return a hash of what the samples depend on."""
    found = hashlib.sha256(STORE.read_bytes())
    sources = ((ROOT / "src" / "localmixup", "*.[pj]*"), (RESULTS / "paper", "*.xz"), (RESULTS / "benchmark", "*.json"))
    for folder, pattern in sources:
        for path in sorted(folder.rglob(pattern)):
            if path.is_file() and path.suffix != ".pyc":
                found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]
