"""`localmixup inspect` as a user types it."""

import json

import numpy as np
from typer.testing import CliRunner

from localmixup import LocalMixup
from localmixup.lab.cli.app import app


def test_the_command_prints_and_writes_the_same_numbers(folder):
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (40, 2)) + 9 * (np.arange(40) % 2)[:, None]
    rows = [f"{x},{y},{'ab'[k % 2]}" for k, (x, y) in enumerate(points)]
    (folder / "blobs.csv").write_text("\n".join(["x,y,kind", *rows]))
    arguments = ["inspect", "blobs.csv", "--target", "kind", "--samples", "500", "--out", "found"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    numbers = json.loads(done.stdout)
    assert numbers["verdict"]["word"] == "safe"
    assert LocalMixup.from_config(folder / "found" / "local_mixup.json").to_config() == numbers["recipe"]
    own, shared = (folder / "found" / name for name in ("inspected_mixup.json", "local_mixup.json"))
    assert own.read_text() == shared.read_text()
    assert json.loads(done.stdout) == json.loads((folder / "found" / "inspection.json").read_text())
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    lines = [line for line in done.stdout.splitlines() if line]
    assert lines[0] == "Mixup is safe here."
    assert any(line.strip() == "mix = LocalMixup()" or "mix = LocalMixup(" in line for line in lines)
    assert "localmixup compare blobs.csv --target kind --recipe found/inspected_mixup.json" in done.stdout
    page = (folder / "found" / "inspection.html").read_text()
    assert "Mixup is safe here." in page
    assert page.index("Mixup is safe here.") < page.index("mix = LocalMixup(") < page.index("On this page")
