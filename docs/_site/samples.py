"""The sample reports: pages that the commands themselves write while the site is built.

`inspect` measures; `compare` and `paper report` read stored runs and train nothing. The three run side by side. What
they write is kept under `build/samples`, until the lab or a store changes.
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
STORE = Path(__file__).resolve().parent / "compare-digits.sqlite.xz"
KEPT = ROOT / "build" / "samples"

_DIGITS = ["digits", "--jobs", "1", "--out", "."]
COMMANDS = {
    "inspect-digits.html": (["inspect", *_DIGITS], "inspection.html"),
    "compare-digits.html": (["compare", *_DIGITS, "--store", "runs.sqlite"], "report.html"),
    "paper.html": (["paper", "report", "--store", str(ROOT / "results" / "paper"), "--out", "."], "paper.html"),
}
"""The command that writes each sample, and the file that it writes."""


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
                [sys.executable, "-m", "localmixup", *arguments],
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
    for folder, pattern in ((ROOT / "src" / "localmixup", "*.[pj]*"), (ROOT / "results" / "paper", "*.xz")):
        for path in sorted(folder.rglob(pattern)):
            if path.is_file() and path.suffix != ".pyc":
                found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]
