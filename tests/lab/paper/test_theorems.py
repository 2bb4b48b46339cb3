"""`localmixup theory`: the verdicts agree with an independent study of the paper, and follow from the numbers."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from localmixup.lab.cli.app import app
from localmixup.lab.paper import theorems
from localmixup.theory import ring

EXPECTED = {
    "Lemma 3.1, eq. (1)": "false",
    "Theorem 3.2 (linear)": "holds",
    "Theorem 3.2 (continuous)": "false",
    "Definition 4.1, abstract": "not shown",
    "eqs. (4), (5)": "holds with a correction",
    "Lemma 4.1, eq. (6)": "holds",
    "Theorem 4.2, eqs. (7) to (9)": "holds",
    "Theorem 4.2, the paper's reading": "false",
    "Lemma 4.3, eq. (10)": "holds with a correction",
    "Corollary 4.3.1, eq. (13)": "holds with a correction",
    "Theorem 4.4, eq. (15)": "holds",
    "Theorem 4.5": "false",
    "Theorem 4.6": "holds",
}


def test_the_command_prints_the_verdicts_and_draws_the_figures(tmp_path):
    done = CliRunner().invoke(app, ["theory", "--json", "--figures", str(tmp_path / "figures")])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {f["statement"]: f["verdict"] for f in found} == EXPECTED
    assert all(f["evidence"] and (f["instead"] or f["verdict"] == "holds") for f in found)
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == [
        "theory-line.png", "theory-linear.png", "theory-lipschitz.png", "theory-ring.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("iid_variance", theorems.theorem_4_4),
        ("prediction_variance", theorems.theorem_4_2),
        ("local_mixup_optimum", theorems.lemma_4_1),
    ],
)
def test_a_wrong_formula_changes_the_verdict(monkeypatch, name, check):
    right = getattr(ring, name)
    monkeypatch.setattr(ring, name, lambda *a, **k: 10.0 + 1e-3 * np.asarray(right(*a, **k)) * k["reach"])
    assert check().verdict == "false"


def test_mixup_that_was_the_mean_would_agree_with_the_papers_reading(monkeypatch):
    monkeypatch.setattr(theorems.on_the_ring.line, "mixup_optimum", lambda x, y, q, **k: np.full(len(q), y.mean()))
    assert theorems.reading_of_theorem_4_2().verdict == "holds"
