"""The code that the commands hand over, run as it stands in the real frameworks."""

import json
import math
import warnings

import numpy as np
import pytest
import torch

from localmixup import (
    AdaptiveExponentialGraph,
    ArgumentError,
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalMixup,
    NearestOfGraph,
    ThresholdGraph,
)
from localmixup.lab.handover import FRAMEWORKS, snippet, write_recipe

RANK = LocalMixup(KNNGraph(share=0.2), prob=0.3, pairing="neighbors")
RECIPES = {
    "rank": RANK,
    "recommended": LocalMixup(),
    "candidates": LocalMixup(NearestOfGraph(n_candidates=8), prob=0.1, pairing="neighbors"),
    "near": LocalMixup(ThresholdGraph(radius=2.5), mixup_alpha=0.2, outside="unmix"),
    "mixup": LocalMixup(CompleteGraph(), mixup_alpha=math.inf, prob=0.5, per_sample=True),
    "infinite": LocalMixup(ExponentialGraph(decay=0.5, metric="rms"), prob=0.25),
}
ROWS = 48


def table(task):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 4)).astype(np.float32)
    return x, (np.arange(ROWS) % 3 if task == "classification" else x.sum(axis=1, keepdims=True))


def tensors(task):
    x, y = table(task)
    return torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))


def network(task):
    return torch.nn.Linear(4, 3 if task == "classification" else 1)


def in_pytorch(task, tmp_path):
    model = network(task)
    return {
        "model": model,
        "loader": torch.utils.data.DataLoader(tensors(task), batch_size=16),
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
    }


def in_sklearn(task, tmp_path):
    x, y = table(task)
    return {"X_train": x, "y_train": y.ravel()}


def in_lightning(task, tmp_path):
    return {"network": network(task), "train_loader": torch.utils.data.DataLoader(tensors(task), batch_size=16)}


def in_transformers(task, tmp_path):
    hf = pytest.importorskip("transformers")
    config = hf.ViTConfig(
        image_size=4, patch_size=2, num_channels=1, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8, num_labels=3 if task == "classification" else 1,
    )  # fmt: skip
    kind = int if task == "classification" else float
    x = torch.randn(ROWS, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    data = [{"pixel_values": pixels, "labels": kind(i % 3)} for i, pixels in enumerate(x)]
    args = hf.TrainingArguments(
        output_dir=tmp_path, num_train_epochs=1, per_device_train_batch_size=16, use_cpu=True, report_to="none",
        save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    return {"model": hf.ViTForImageClassification(config), "args": args, "train_dataset": data}


def in_keras(task, tmp_path):
    keras = pytest.importorskip("keras")
    x, y = table(task)
    last = {"units": 3, "activation": "softmax"} if task == "classification" else {"units": 1}
    return {"model": keras.Sequential([keras.Input((4,)), keras.layers.Dense(**last)]), "x_train": x, "y_train": y}


GIVEN = {
    "pytorch": in_pytorch,
    "sklearn": in_sklearn,
    "lightning": in_lightning,
    "transformers": in_transformers,
    "keras": in_keras,
}
TRAINED = {
    "pytorch": lambda names: names["mix"],
    "sklearn": lambda names: names["model"]._mix,
    "lightning": lambda names: names["model"].mix,
    "transformers": lambda names: names["trainer"].mix,
    "keras": lambda names: names["train"].mix,
}


def weights(framework, names):
    if framework == "keras":
        return np.concatenate([w.value.detach().numpy().ravel() for w in names["model"].weights]).copy()
    model = {"pytorch": "model", "transformers": "model", "lightning": "network"}[framework]
    return np.concatenate([p.detach().numpy().ravel() for p in names[model].parameters()]).copy()


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # Lightning writes its logs here


@pytest.mark.parametrize(
    ("task", "recipe"), [("classification", RECIPES["rank"]), ("regression", RECIPES["recommended"])]
)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_snippet_trains_with_the_recommended_settings(framework, task, recipe, tmp_path):
    if framework not in ("pytorch", "sklearn"):
        pytest.importorskip(framework)
    names = GIVEN[framework](task, tmp_path)
    code = snippet(recipe.to_config(), framework, task=task)
    before = None if framework == "sklearn" else weights(framework, names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the frameworks, on few workers and few epochs
        exec(code, names)
    assert TRAINED[framework](names).to_config() == recipe.to_config()
    if framework == "sklearn":
        assert names["model"].n_iter_ > 1
    else:
        after = weights(framework, names)
        assert np.isfinite(after).all()
        assert not np.allclose(before, after)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_snippet_makes_an_equal_object(framework, recipe):
    """The line that makes it, in all frameworks; beside it no argument that has its default."""
    code = snippet(recipe, framework)
    lines = "\n".join(line for line in code.splitlines() if not line.strip().startswith("#"))
    expression, depth = "", 0
    for character in lines[lines.index("LocalMixup(", lines.index("\n\n")) :]:
        expression += character
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == ")" and depth == 0:
            break
    imports = "\n".join(line for line in code.splitlines() if line.startswith("from localmixup import"))
    names = {}
    exec(imports, names)
    assert eval(expression, names).to_config() == recipe.to_config()
    for default in ("permutation", "discard", "euclidean", "False", "None"):
        assert default not in code
    assert max(map(len, code.splitlines())) <= 120
    compile(code, "snippet", "exec")


def test_what_the_distances_are_measured_on_stands_beside_a_graph_that_needs_them():
    for framework in FRAMEWORKS:
        assert "# Distances are measured on" in snippet(RANK, framework)
        assert "Distances" not in snippet(RECIPES["mixup"], framework)
    assert "standard" in snippet(RANK, "pytorch")


@pytest.mark.parametrize(
    "recipe",
    [LocalMixup(CompleteGraph(), prob=0.0), LocalMixup(IdentityGraph()), LocalMixup(KNNGraph(0)),
     LocalMixup(ThresholdGraph(radius=0.0)), LocalMixup(ExponentialGraph(decay=math.inf))],
)  # fmt: skip
def test_nothing_to_mix_needs_nothing(recipe):
    for framework in FRAMEWORKS:
        code = snippet(recipe, framework)
        assert code == "# Nothing is needed: train as you do now, without mixup.\n"


def test_the_recommended_recipe_needs_no_argument_and_its_settings_stand_above():
    assert "mix = LocalMixup()\n" in snippet(LocalMixup(), "pytorch")
    for framework in FRAMEWORKS:
        code = snippet(LocalMixup(), framework)
        (comment,) = [line.strip(" #") for line in code.splitlines() if line.endswith(", as recommended")]
        names = {}
        exec("from localmixup import *", names)
        assert eval(comment.removesuffix(", as recommended"), names).to_config() == LocalMixup().to_config()
    almost = LocalMixup.from_config({**LocalMixup().to_config(), "mixup_alpha": 0.9})
    assert "LocalMixup()" not in snippet(almost, "pytorch")


def test_settings_that_are_not_plain_numbers():
    assert 'mixup_alpha=float("inf")' in snippet(RECIPES["mixup"], "pytorch")
    adaptive = LocalMixup(AdaptiveExponentialGraph(times_median=2.0))
    assert "AdaptiveExponentialGraph(times_median=2.0)" in snippet(adaptive, "pytorch")


def test_wrong_arguments_are_named():
    with pytest.raises(ArgumentError, match=r"framework must be one of .* did you mean 'keras'"):
        snippet(RANK, "kears")
    with pytest.raises(ArgumentError, match="task must be one of"):
        snippet(RANK, "keras", task="ranking")
    with pytest.raises(ArgumentError, match="setting of LocalMixup must be one of"):
        snippet({"graph": {"name": "complete"}, "alpha": 1}, "keras")


def test_the_file_holds_every_setting_and_makes_the_same_object(tmp_path):
    for recipe in RECIPES.values():
        write_recipe(tmp_path / "local_mixup.json", recipe.to_config())
        held = json.loads((tmp_path / "local_mixup.json").read_text())
        assert held == recipe.to_config()
        assert LocalMixup.from_config(tmp_path / "local_mixup.json").to_config() == recipe.to_config()
        assert LocalMixup.from_config(held).to_config() == recipe.to_config()
