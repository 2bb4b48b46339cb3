"""The story of docs/first-answer.md, typed from an empty folder."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from localmixup import CompleteGraph, LocalMixup
from localmixup.lab.handover import snippet

PAGE = (Path(__file__).parents[3] / "docs" / "first-answer.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|console)\n(.*?)```", PAGE, re.S)
LESS = {"compare": ["--resamples", "2", "--epochs", "0.2"], "inspect": ["--samples", "400"]}


def test_every_step_can_be_typed(tmp_path, monkeypatch, capsys):
    """With fewer trainings than on the page."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for kind, block in BLOCKS:
        if kind == "python":
            exec(block.replace("range(200)", "range(20)").replace("range(10)", "range(2)"), names)
            continue
        _, *arguments = shlex.split(block.splitlines()[0].removeprefix("$ "))
        done = subprocess.run(
            [sys.executable, "-m", "localmixup", *arguments, *LESS[arguments[0]]],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    results = tmp_path / "localmixup-results" / "tumours.csv--benign"
    assert {"report.html", "inspection.html", "local_mixup.json"} <= {path.name for path in results.iterdir()}
    printed = re.findall(
        r": ([0-9.]+) % of the held-out rows wrong, negative log-likelihood ([0-9.]+)", capsys.readouterr().out
    )
    assert len(printed) == 2
    assert all(float(error) < 15 and float(nll) < 1 for error, nll in printed)


def test_what_is_pasted_is_what_the_command_prints():
    code = snippet(LocalMixup(CompleteGraph(), mixup_alpha=0.2, prob=0.1), "pytorch")
    _, shown = BLOCKS[2]
    assert "\n".join(line.removeprefix("    ") for line in shown.splitlines()).rstrip().endswith(code.rstrip())
    assert "LocalMixup(CompleteGraph(), mixup_alpha=0.2, prob=0.1)" in BLOCKS[3][1]
