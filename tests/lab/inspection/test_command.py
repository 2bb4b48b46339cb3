"""`localmixup inspect` as a user types it."""

import json

import numpy as np
from typer.testing import CliRunner

from localmixup.lab.cli.app import app


def test_the_command_prints_and_writes_the_same_numbers(folder):
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (40, 2)) + 9 * (np.arange(40) % 2)[:, None]
    rows = [f"{x},{y},{'ab'[k % 2]}" for k, (x, y) in enumerate(points)]
    (folder / "blobs.csv").write_text("\n".join(["x,y,kind", *rows]))
    arguments = ["inspect", "blobs.csv", "--target", "kind", "--samples", "500", "--out", "found"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["safe"]
    assert json.loads(done.stdout) == json.loads((folder / "found" / "inspection.json").read_text())
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "Mixup is safe on blobs.csv" in done.stdout.replace("\n", " ")
    assert "Mixup is safe on blobs.csv" in (folder / "found" / "inspection.html").read_text()
