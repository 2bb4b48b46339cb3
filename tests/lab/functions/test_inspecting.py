"""`localmixup.lab.inspect` as a function: the same answer as the command's, from objects."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import localmixup.lab as lab
from localmixup import ArgumentError, LocalMixup
from localmixup.lab.inspection import inspect as inspect_steps
from localmixup.lab.inspection import summary

RNG = np.random.default_rng(0)
Y = np.arange(120) % 2
FRAME = pd.DataFrame(RNG.normal(size=(120, 3)) + 2.0 * Y[:, None], columns=list("abc")).assign(kind=Y)
FEW = {"n_samples": 400, "jobs": 1, "progress": False}


def finish(work):
    try:
        while True:
            next(work)
    except StopIteration as stop:
        return stop.value


@pytest.fixture(scope="module")
def found():
    return lab.inspect(FRAME, target="kind", name="clouds.csv", **FEW)


def test_it_finds_what_the_command_finds_on_a_file(found, tmp_path):
    FRAME.to_csv(tmp_path / "clouds.csv", index=False, float_format="%.17g")
    expected = finish(inspect_steps(str(tmp_path / "clouds.csv"), target="kind", n_samples=400, n_jobs=1))
    assert found.numbers == summary(expected)
    assert found.verdict == expected.verdict
    assert found.recipe.to_config() == expected.taken.mix.to_config()


def test_the_result_holds_the_verdict_and_the_recipes(found, tmp_path):
    assert found.verdict.word in ("safe", "harmful", "unclear")
    assert found.verdict.why in repr(found)
    assert isinstance(found.recipe, LocalMixup)
    frame = found.to_frame()
    assert list(frame["title"]) == [one["title"] for one in found.numbers["suggestions"]]
    assert frame["take"].sum() == 1
    page = found.save(tmp_path)
    assert page.read_text(encoding="utf-8") == found.page
    assert json.loads((tmp_path / "inspection.json").read_text()) == json.loads(json.dumps(found.numbers))
    assert LocalMixup.from_config(tmp_path / "local_mixup.json").to_config() == found.recipe.to_config()
    assert "What the words mean" in found.page
    assert found._repr_html_().startswith('<iframe srcdoc="')


def test_features_may_be_an_array(found):
    features = torch.tensor(FRAME["a"].tolist())[:, None]
    other = lab.inspect(FRAME, target="kind", features=features, **FEW)
    assert other.inspection.features.shape == (120, 1)
    assert other.verdict.score != found.verdict.score


def test_a_quantity(capsys):
    found = lab.inspect(FRAME, target="a", **{**FEW, "progress": True})
    assert found.numbers["task"] == "regression"
    assert "rows: 120" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "knd"}, "target must be one of .* got 'knd'; did you mean 'kind'"),
        ({"target": "kind", "pca": 9}, "^pca must be between 1 and 3 here"),
        ({"target": "kind", "features": np.zeros((3, 2))}, "^features must have one row per sample"),
        ({"target": "kind", "n_nearest": 500}, "^n_nearest must be between 1 and 118 here"),
    ],
)
def test_arguments_are_named_as_arguments(options, message):
    with pytest.raises(ArgumentError, match=message):
        lab.inspect(FRAME, **{**FEW, **options})
