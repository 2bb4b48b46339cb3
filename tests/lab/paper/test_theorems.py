"""`localmixup theory`: the verdicts are those of an independent study of the paper, and follow from the numbers."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from localmixup.lab.cli.app import app
from localmixup.lab.paper import theorems

EXPECTED = {
    "Lemma 3.1, eq. (1)": "false",
    "Theorem 3.2 (linear)": "holds with a correction",
    "Theorem 3.2 (continuous)": "false",
    "eqs. (4), (5)": "holds with a correction",
    "Lemma 4.1, eq. (6)": "holds",
    "Theorem 4.2, eqs. (7) to (9)": "holds",
    "Lemma 4.3, eq. (10)": "holds with a correction",
    "Corollary 4.3.1, eq. (13)": "holds with a correction",
    "Theorem 4.4, eq. (15)": "holds",
    "Theorem 4.5": "false",
    "Theorem 4.6": "holds with a correction",
}


def test_the_command_prints_the_verdicts(tmp_path):
    done = CliRunner().invoke(app, ["theory", "--json", "--figures", str(tmp_path / "figures")])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {f["statement"]: f["verdict"] for f in found} == EXPECTED
    assert all(f["evidence"] and (f["instead"] or f["verdict"] == "holds") for f in found)
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == [
        "theory-line.png", "theory-linear.png", "theory-lipschitz.png", "theory-ring.png",
    ]  # fmt: skip
    done = CliRunner().invoke(app, ["theory", "--figures", str(tmp_path / "figures" / "theory-line.png" / "x")])
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize(
    ("name", "check", "verdict"),
    [
        ("iid_variance", "theorem_4_4", "false"),
        ("prediction_variance", "theorem_4_2", "false"),
        ("local_mixup_optimum", "lemma_4_1", "false"),
    ],
)
def test_a_wrong_formula_changes_the_verdict(monkeypatch, name, check, verdict):
    right = getattr(theorems.ring, name)
    monkeypatch.setattr(theorems.ring, name, lambda *a, **k: 10.0 + 1e-3 * np.asarray(right(*a, **k)) * k["reach"])
    assert getattr(theorems, check)().verdict == verdict
