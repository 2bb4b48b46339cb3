"""`localmixup.lab.compare` as a function: the same answer as the command's, from objects, with one's own model."""

import html
import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import localmixup.lab as lab
from localmixup import ArgumentError, LocalMixup
from localmixup.lab.comparison import Job
from localmixup.lab.comparison.client import compare as compare_steps

RNG = np.random.default_rng(0)
Y = np.arange(120) % 2
X = RNG.normal(size=(120, 2)) + 2.0 * Y[:, None]
BRIEF = {"resamples": 2, "epochs": 1, "jobs": 1}


def own_model(shape, outputs):
    return nn.Sequential(nn.Linear(shape[0], 8), nn.Tanh(), nn.Linear(8, outputs))


def finish(work):
    try:
        while True:
            next(work)
    except StopIteration as stop:
        return stop.value


@pytest.fixture(scope="module")
def found():
    return lab.compare(own_model, (X, Y), name="two clouds", progress=False, **BRIEF)


def test_it_finds_what_the_command_finds_on_a_file(tmp_path):
    table = pd.DataFrame(X, columns=["a", "b"]).assign(kind=Y)
    table.to_csv(tmp_path / "clouds.csv", index=False, float_format="%.17g")
    job = Job(source=str(tmp_path / "clouds.csv"), target="kind", out=tmp_path / "out", **BRIEF)
    expected, page = finish(compare_steps(job))
    result = lab.compare(None, table, target="kind", name="clouds.csv", progress=False, **BRIEF)
    untimed = {"rows": {"__all__": {"train_seconds"}}}
    assert result.comparison.model_dump(exclude=untimed) == expected.model_dump(exclude=untimed)
    assert result.recipe.to_config() == json.loads((tmp_path / "out" / "local_mixup.json").read_text())
    saved = result.save(tmp_path / "saved")
    assert saved.name == page.name
    assert {p.name for p in (tmp_path / "saved").iterdir()} == {
        p.name for p in (tmp_path / "out").iterdir() if p.suffix in (".html", ".json")
    }
    assert LocalMixup.from_config(tmp_path / "saved" / "local_mixup.json").to_config() == result.recipe.to_config()


def test_the_result_holds_the_decision_and_the_numbers(found):
    assert found.decision.use in ("local mixup", "mixup", "vanilla", "unclear")
    assert found.decision.why in repr(found)
    frame = found.to_frame()
    assert list(frame["method"]) == [row.label for row in found.comparison.rows]
    assert list(frame["error"]) == [row.error.mean for row in found.comparison.rows]
    assert frame["nll"].notna().all()
    assert found.comparison.training.model.startswith(f"{__name__}:own_model@")
    assert "own_model" in found.page


def test_a_notebook_shows_the_page(found, tmp_path):
    frame = found._repr_html_()
    (source,) = re.findall(r'srcdoc="([^"]*)"', frame)
    assert html.unescape(source) == found.page
    assert "two clouds" in found.page
    alone = found.save(tmp_path / "deep" / "page.html")
    assert alone.read_text(encoding="utf-8") == found.page
    assert list(alone.parent.iterdir()) == [alone]


def test_the_snippet_is_that_of_the_recipe(found):
    for framework in ("pytorch", "sklearn"):
        names = {}
        code = found.snippet(framework)
        if code.startswith("#"):
            assert found.recipe.prob == 0
        else:
            exec("\n".join(line for line in code.splitlines() if line.startswith("from ")), names)


def test_two_models_never_share_stored_runs(tmp_path):
    def wider(shape, outputs):
        return nn.Sequential(nn.Linear(shape[0], 9), nn.Tanh(), nn.Linear(9, outputs))

    from localmixup.lab.runs.store import Store

    keys = []
    for model in (own_model, wider):
        result = lab.compare(model, (X, Y), progress=False, store=str(tmp_path / "runs.sqlite"), **BRIEF)
        keys.append({key for row in result.comparison.rows for key in row.keys})
    assert not keys[0] & keys[1]
    assert Store(str(tmp_path / "runs.sqlite"))


def test_own_optimizer_and_recipe(capsys):
    recipe = LocalMixup.from_config({**LocalMixup().to_config(), "prob": 0.77})
    data = TensorDataset(torch.from_numpy(X).float(), torch.from_numpy(Y))
    result = lab.compare(
        own_model, data, optimizer=lambda p: torch.optim.SGD(p, lr=0.1), recipe=recipe, progress=False, **BRIEF
    )
    assert result.comparison.training.optimizer.startswith(f"{__name__}:")
    tried = [dict(candidate.spec.options).get("config", "") for candidate in result.comparison.candidates]
    assert any('"prob": 0.77' in config for config in tried)
    assert capsys.readouterr() == ("", "")


def test_progress_is_shown_and_the_caller_keeps_its_random_state(capsys):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.compare(own_model, (X, Y), **BRIEF)
    assert "  rows: 120\n  inputs: 2 numbers\n" in capsys.readouterr().err
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((own_model, X), "data must be a data frame with target=.* got ndarray without target"),
        (
            (lambda shape, outputs: nn.Linear(2, 5), (X, Y)),
            r"to shape \(2, 2\), one score per class, got shape \(2, 5\)",
        ),
        (("mpl", (X, Y)), "model must be one of .* did you mean 'mlp'"),
        (("resnet", (X, Y)), "model 'resnet' needs images"),
    ],
)
def test_mistakes_are_named_before_any_run(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        lab.compare(*arguments, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": "soon"}, "budget must be a time such as 90s, 10m or 2h, got 'soon'"),
        ({"methods": ["mixpu"]}, "methods must be one of .* did you mean 'mixup'"),
        ({"methods": "cutmix, mixpu"}, "methods must be one of .*, got 'mixpu'"),
        ({"methods": None}, "methods must be names such as .*, got None"),
        ({"methods": ["recipe"]}, "methods must be one of .*, got 'recipe'"),
        ({"methods": ["published-cifar"]}, "methods must be one of .*, got 'published-cifar'"),
        ({"optimizer": "adamm"}, "optimizer must be one of .* did you mean 'adam"),
        ({"device": "cuda"}, "^device cuda: PyTorch sees no CUDA device here"),
        ({"recipe": "nowhere.json"}, "nowhere.json"),
        ({"resamples": 1}, "resamples must be a whole number >= 2, got 1"),
        ({"epochs": 0}, "epochs must be > 0 and at most 1e.06, got 0"),
        ({"precision": "f16"}, "precision must be one of .* did you mean 'fp16'"),
        ({"progress": "no"}, "progress must be True or False"),
    ],
)
def test_arguments_are_named_as_arguments(options, message):
    if options.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ArgumentError, match=message) as caught:
        lab.compare(None, (X, Y), progress=False) if not options else lab.compare(
            None, (X, Y), **{"progress": False, **options}
        )
    assert "--" not in str(caught.value)
