"""The candidates for mixup and local mixup, and the recipe of the user."""

import json

import pytest
import torch

from localmixup import CompleteGraph, KNNGraph, LocalMixup, ThresholdGraph
from localmixup._validate import ArgumentError
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA
from localmixup.lab.comparison.candidates import (
    candidates,
    describe,
    kind_of,
    random_partners,
    read_recipe,
    vanilla_config,
)


def write(path, mix):
    path.write_text(json.dumps(mix.to_config()))
    return path


def test_mixup_and_local_mixup_have_as_many_candidates_and_all_differ():
    mixup, local, note = candidates()
    assert len(mixup) == len(local) == 8
    assert len({json.dumps(config, sort_keys=True) for config in (*mixup, *local)}) == 16
    assert {(c["prob"], c["mixup_alpha"]) for c in mixup} == {(p, a) for p in (0.1, 0.25, 0.5, 1.0) for a in (0.2, 1.0)}
    assert local[0] == LocalMixup().to_config()
    assert {kind_of(config) for config in mixup} == {MIXUP}
    assert {kind_of(config) for config in local} == {LOCAL}
    assert kind_of(vanilla_config()) == VANILLA
    assert note == ""


@pytest.mark.parametrize(
    ("mix", "kind"),
    [
        (LocalMixup(KNNGraph(share=0.1), prob=0.7, pairing="neighbors"), LOCAL),
        (LocalMixup(ThresholdGraph(2.0)), LOCAL),
        (LocalMixup(CompleteGraph(), prob=0.3), MIXUP),
        (LocalMixup(ThresholdGraph(float("inf")), prob=0.3), MIXUP),
        (LocalMixup(KNNGraph(share=0.1), prob=0), VANILLA),
        (LocalMixup(), None),
    ],
)
def test_a_recipe_adds_one_candidate_to_both_kinds(tmp_path, mix, kind):
    mixup, local, note = candidates(write(tmp_path / "mine.json", mix))
    if kind in (None, VANILLA):
        assert len(mixup) == len(local) == 8
        assert "mine.json" in note
    else:
        assert len(mixup) == len(local) == 9
        assert mix.to_config() in (mixup if kind == MIXUP else local)
        assert mix.to_config() not in (local if kind == MIXUP else mixup)


def test_what_is_no_recipe_is_named(tmp_path):
    (tmp_path / "text.json").write_text("{")
    (tmp_path / "other.json").write_text('{"graph": {"name": "knn", "n_neighbours": 3}}')
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ArgumentError, match=r"--recipe .*nowhere.json: no such file; `localmixup inspect` writes"):
        read_recipe(tmp_path / "nowhere.json")
    for name, said in {"text": "text.json", "other": "n_neighb", "list": "got list"}.items():
        with pytest.raises(ArgumentError, match=f"(?s)--recipe .*{name}.json: not a recipe: .*{said}") as caught:
            read_recipe(tmp_path / f"{name}.json")
        assert "\n" not in str(caught.value)


def test_the_control_mixes_as_many_samples_with_random_partners():
    config = LocalMixup(KNNGraph(n_neighbors=1), prob=0.6, mixup_alpha=0.5, pairing="neighbors").to_config()
    control = LocalMixup.from_config(random_partners(config, 0.3, 16), generator=torch.Generator().manual_seed(0))
    plans = [control.plan(torch.randn(16, 2)) for _ in range(3000)]
    moved = torch.stack([(plan.partner != torch.arange(16)) & (plan.lam < 1) for plan in plans]).float()
    assert moved.mean().item() == pytest.approx(0.3, abs=0.01)
    assert control.mixup_alpha == 0.5
    assert moved.mean(dim=0).std() < 0.02  # all samples equally often


@pytest.mark.parametrize(
    ("mix", "words"),
    [
        (
            LocalMixup(KNNGraph(share=0.05), prob=0.3),
            "among the nearest 5 % of the batch, 30 % of the samples, mixup_alpha 1",
        ),
        (LocalMixup(ThresholdGraph(2.0)), "ThresholdGraph(radius=2.0, metric='euclidean'), 100 % of the samples"),
        (LocalMixup(CompleteGraph(), prob=0), "no mixing"),
    ],
)
def test_recipes_in_words(mix, words):
    assert describe(mix.to_config()).startswith(words)
