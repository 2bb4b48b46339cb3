"""`localmixup inspect` as a user types it."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from localmixup.lab.cli.app import app


def run(*arguments):
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_table(path, x, y):
    lines = [",".join([*(f"x{k}" for k in range(x.shape[1])), "kind"])]
    lines += [",".join([*(repr(float(v)) for v in row), str(label)]) for row, label in zip(x, y, strict=True)]
    path.write_text("\n".join(lines))


def rings_and_blobs():
    rng = np.random.default_rng(0)
    angle, y = rng.uniform(0, 2 * np.pi, 300), np.arange(300) % 2
    length = np.where(y == 0, 3 + rng.uniform(0, 0.3, 300), np.sqrt(rng.uniform(0, 1.5, 300)))
    rings = np.column_stack([length * np.cos(angle), length * np.sin(angle)])
    return rings, rng.uniform(-1, 1, size=(300, 2)) + 9 * y[:, None], np.array(["a", "b"])[y]


def test_safe_and_unsafe_data_get_their_verdicts(folder):
    rings, blobs, y = rings_and_blobs()
    write_table(folder / "rings.csv", rings, y)
    write_table(folder / "blobs.csv", blobs, y)
    done = run("rings.csv", "--target", "kind", "--samples", 3000)
    assert done.exit_code == 0, done.output
    assert "Mixup is not safe on rings.csv" in done.stdout.replace("\n", " ")
    page = (folder / "localmixup-results" / "rings.csv--kind" / "inspection.html").read_text()
    for part in ("Intrusion against the radius", "Lipschitz lower bound", "The worst pairs", "Shape of the classes",
                 "Where the virtual samples lie", "Class by class"):  # fmt: skip
        assert part in page
    assert "http://" not in page.split("<script>")[0]
    done = run("blobs.csv", "--target", "kind", "--json", "--samples", 3000, "--out", "safe")
    assert done.exit_code == 0, done.output
    numbers = json.loads(done.stdout)
    assert numbers["safe"]
    assert numbers["mixup"]["within"]["intrusion"]["value"] == 0
    assert numbers["verdict"].startswith("Mixup is safe on blobs.csv")
    assert numbers == json.loads((folder / "safe" / "inspection.json").read_text())


def test_in_a_feature_space(folder):
    rings, _, y = rings_and_blobs()
    write_table(folder / "rings.csv", rings, y)
    np.save("radius.npy", np.linalg.norm(rings, axis=1)[:, None])
    told = {}
    squares = torch.jit.trace(torch.nn.Identity(), torch.zeros(2, 2))
    torch.jit.save(squares, "encoder.pt")
    torch.export.save(
        torch.export.export(
            torch.nn.Flatten(), (torch.zeros(4, 2),), dynamic_shapes=({0: torch.export.Dim("n", min=2, max=4096)},)
        ),
        "encoder.pt2",
    )
    for name, options in {
        "inputs": [], "radius": ["--features", "radius.npy"], "jit": ["--encoder", "encoder.pt"],
        "export": ["--encoder", "encoder.pt2"], "pca": ["--pca", "2"], "alpha": ["--mixup-alpha", "0.05"],
        "nearest": ["--nearest", "5"], "part": ["--train-size", "100"],
    }.items():  # fmt: skip
        done = run("rings.csv", "--target", "kind", "--json", "--samples", 2000, *options)
        assert done.exit_code == 0, done.output
        told[name] = json.loads(done.stdout)
    assert not told["inputs"]["safe"]
    assert told["radius"]["safe"]  # along the radius both classes are intervals
    for same in ("jit", "export"):
        assert told[same]["mixup"] == told["inputs"]["mixup"]
    rates = {name: numbers["mixup"]["all"]["intrusion"]["value"] for name, numbers in told.items()}
    assert rates["pca"] == pytest.approx(rates["inputs"], abs=0.03)
    assert rates["alpha"] < rates["inputs"]
    assert told["part"]["rows"] == 100


def test_regression_gets_the_parts_that_make_sense(folder):
    rng = np.random.default_rng(0)
    write_table(folder / "houses.csv", rng.normal(size=(80, 3)), rng.normal(size=80))
    done = run("houses.csv", "--target", "kind", "--task", "regression")
    assert done.exit_code == 0, done.output
    assert "no classes (regression)" in done.stdout
    page = (folder / "localmixup-results" / "houses.csv--kind" / "inspection.html").read_text()
    assert "How evenly a decay weighs" in page
    assert "Intrusion against" not in page


def test_coincident_samples_and_constant_data(folder):
    y = np.array(["well", "sick"] * 40)
    write_table(folder / "binary.csv", (np.arange(80) % 5 == 0)[:, None].astype(float), y)
    done = run("binary.csv", "--target", "kind", "--json")
    assert done.exit_code == 0, done.output
    numbers = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert numbers["lipschitz"]["value"] == ["inf"]
    assert "of two classes" in numbers["lipschitz"]["coincident"]
    write_table(folder / "constant.csv", np.ones((40, 2)), y[:40])
    assert run("constant.csv", "--target", "kind").exit_code == 0


def test_images_show_the_worst_pairs(folder):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = np.clip(rng.normal(110, 40, size=(120, 1, 6, 6)) + 25 * y[:, None, None, None], 0, 255).astype(np.uint8)
    np.savez("pictures.npz", x=x, y=y)
    done = run("pictures.npz", "--samples", 1000)
    assert done.exit_code == 0, done.output
    page = (folder / "localmixup-results" / "pictures.npz" / "inspection.html").read_text()
    assert "two images, their mixture and the nearest" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits", "--level", "0"], "--level must be between"),
        (["digits", "--level", "much"], "--level must be between"),
        (["digits", "--pca", "0"], "--pca must be a whole number >= 1"),
        (["digits", "--pca", "500"], "--pca must be between 1 and 64 here"),
        (["digits", "--train-size", "60", "--nearest", "59"], "--nearest must be between 1 and 58 here"),
        (["digits", "--pca", "5", "--features", "rows.npy"], "--features and --pca: give one of them"),
        (["digits", "--features", "missing.npy"], "--features missing.npy: no .npy file"),
        (["digits", "--features", "short.npy"], "has 3 rows, the data have 1,797"),
        (["digits", "--features", "nan.npy"], "must be finite, got nan at position (0, 1)"),
        (["digits", "--encoder", "missing.pt"], "--encoder missing.pt: no such file"),
        (["digits", "--encoder", "text.pt"], "neither TorchScript nor an exported program"),
        (["digits", "--encoder", "text.pt2"], "neither TorchScript nor an exported program"),
        (["digits", "--encoder", "narrow.pt"], "failed on inputs of shape (256, 1, 8, 8)"),
        (["digits", "--samples", "5"], "--samples must be a whole number >= 100"),
        (["digitz"], "did you mean 'digits'"),
    ],
)
def test_mistakes_end_in_one_line(folder, arguments, message):
    np.save("rows.npy", np.zeros((1797, 2)))
    np.save("short.npy", np.zeros((3, 2)))
    bad = np.zeros((1797, 2))
    bad[0, 1] = np.nan
    np.save("nan.npy", bad)
    (folder / "text.pt").write_text("no model")
    (folder / "text.pt2").write_text("no model")
    torch.jit.save(torch.jit.trace(torch.nn.Linear(3, 2), torch.zeros(1, 3)), "narrow.pt")
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert "Traceback" not in done.stderr
