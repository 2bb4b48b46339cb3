"""`recipe=`: every integration takes a `LocalMixup`, its configuration or a file, and mixes exactly so."""

import copy
import json
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from localmixup import (
    AdaptiveExponentialGraph,
    ArgumentError,
    CompleteGraph,
    KNNGraph,
    LearnedMetric,
    LocalMixup,
    ThresholdGraph,
)
from localmixup.distributed import DistributedLocalMixup
from localmixup.integrations.sklearn import LocalMixupClassifier, LocalMixupRegressor
from localmixup.integrations.timm import TimmLocalMixup
from localmixup.integrations.torchvision import LocalMixupTransform

RECIPE = LocalMixup(KNNGraph(share=0.2), prob=0.3, pairing="neighbors", mixup_alpha=0.7, per_sample=True)
X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = np.arange(60) % 3
NETWORK = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))


@pytest.fixture(params=["object", "configuration", "file"])
def recipe(request, tmp_path):
    if request.param == "object":
        return copy.deepcopy(RECIPE)
    if request.param == "configuration":
        return RECIPE.to_config()
    (tmp_path / "local_mixup.json").write_text(json.dumps(RECIPE.to_config()))
    return tmp_path / "local_mixup.json"


@pytest.fixture
def keras_dataset(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    pytest.importorskip("keras")
    from localmixup.integrations.keras import LocalMixupDataset

    return LocalMixupDataset


@pytest.mark.parametrize("estimator", [LocalMixupClassifier, LocalMixupRegressor])
def test_sklearn(estimator, recipe):
    """It fits as with the same settings given one by one, and can be cloned and pickled."""
    brief = {"max_iter": 3, "random_state": 0}
    model = pickle.loads(pickle.dumps(clone(estimator(8, recipe=recipe, tol=1.0, n_iter_no_change=2, **brief))))
    model.fit(X, Y)
    assert model._mix.to_config() == RECIPE.to_config()
    settings = {
        "graph": KNNGraph(share=0.2),
        "prob": 0.3,
        "pairing": "neighbors",
        "mixup_alpha": 0.7,
        "per_sample": True,
    }
    one_by_one = estimator(8, outside="discard", tol=1.0, n_iter_no_change=2, **settings, **brief).fit(X, Y)
    assert np.array_equal(model.predict(X), one_by_one.predict(X))
    assert model.loss_curve_ == one_by_one.loss_curve_


def test_keras(keras_dataset, recipe):
    data = keras_dataset(X, Y, recipe=recipe, num_classes=3, batch_size=20, seed=0)
    assert data.mix.to_config() == RECIPE.to_config()
    x, soft, weights = data[0]
    assert 0 < (soft.max(axis=1) < 1).sum() < 20
    assert (weights == 1).all()
    assert x.shape == (20, 4)


def test_torchvision(recipe):
    transform = LocalMixupTransform(recipe=recipe, num_classes=3)
    assert transform.mixup.to_config() == RECIPE.to_config()
    assert transform.alpha == 0.7


def test_timm_mixes_as_the_recipe_does(recipe):
    images, labels = torch.from_numpy(X).view(60, 1, 2, 2), torch.from_numpy(Y)
    mixup_fn = TimmLocalMixup(
        recipe=recipe, label_smoothing=0.0, num_classes=3, generator=torch.Generator().manual_seed(1)
    )
    expected = LocalMixup.from_config(RECIPE.to_config(), torch.Generator().manual_seed(1))(images, labels)
    mixed, target = mixup_fn(images, labels)
    assert torch.equal(mixed, expected.inputs)
    torch.testing.assert_close(target, expected.soft_targets(3))
    mixup_fn.mixup_enabled = False
    assert torch.equal(mixup_fn(images, labels)[0], images)


def test_a_setting_beside_the_recipe_is_refused(keras_dataset):
    message = "{} must not be given beside recipe, which holds all settings, got {}"
    with pytest.raises(ArgumentError, match=message.format("prob", "0.5")):
        LocalMixupClassifier(recipe=RECIPE, prob=0.5).fit(X, Y)
    with pytest.raises(ArgumentError, match=message.format("graph", "'knn'")):
        LocalMixupRegressor(recipe=RECIPE, graph="knn").fit(X, Y)
    with pytest.raises(ArgumentError, match=message.format("outside", "'unmix'")):
        keras_dataset(X, Y, recipe=RECIPE, num_classes=3, outside="unmix")
    with pytest.raises(ArgumentError, match=message.format("alpha", "0.2")):
        LocalMixupTransform(recipe=RECIPE, alpha=0.2)
    with pytest.raises(ArgumentError, match=message.format("mode", "'elem'")):
        TimmLocalMixup(recipe=RECIPE, mode="elem")
    with pytest.raises(ArgumentError, match=message.format("graph", "ThresholdGraph")):
        TimmLocalMixup(ThresholdGraph(radius=1.0), recipe=RECIPE)


def integrations_of(recipe, keras_dataset):
    """What each integration makes of a recipe, as a function of generator: who is mixed, whatever the class."""
    images, labels = torch.from_numpy(X).view(60, 1, 2, 2), torch.from_numpy(Y)
    return {
        "timm": lambda: TimmLocalMixup(recipe=recipe(), num_classes=3)(images, labels)[0].view(60, 4),
        "torchvision": lambda: LocalMixupTransform(recipe=recipe(), num_classes=3)(images, labels)[0].view(60, 4),
        "keras": lambda: torch.from_numpy(
            keras_dataset(X, Y, recipe=recipe(), num_classes=3, batch_size=60, shuffle=False)[0][0]
        ),
    }


class Reversed(LocalMixup):
    """A kind of one's own, whose plans are those of the batch in reverse."""

    def _draw(self, features, y, *, shared):
        drawn = super()._draw(features, y, shared=False)
        plan = drawn.plan._replace(lam=torch.full_like(drawn.plan.lam, 0.25))
        return drawn._replace(plan=plan, difference=None, rows=None)


@pytest.mark.parametrize("integration", ["timm", "torchvision", "keras"])
def test_a_recipe_brings_its_generator_its_mode_and_its_type(keras_dataset, integration):
    def seeded(seed):
        return LocalMixup(KNNGraph(share=0.5), generator=torch.Generator().manual_seed(seed))

    made = {seed: integrations_of(lambda s=seed: seeded(s), keras_dataset)[integration] for seed in (1, 2)}
    assert torch.equal(made[1](), made[1]())
    assert not torch.equal(made[1](), made[2]())
    if integration != "keras":  # which draws a seed, so that its workers need not share a generator
        expected = seeded(1)(torch.from_numpy(X), torch.from_numpy(Y)).inputs
        torch.testing.assert_close(made[1](), expected)
    still = integrations_of(lambda: LocalMixup(CompleteGraph()).eval(), keras_dataset)[integration]
    assert torch.equal(still(), torch.from_numpy(X))
    quarter = integrations_of(lambda: Reversed(CompleteGraph(), pairing="roll"), keras_dataset)[integration]
    torch.testing.assert_close(quarter(), torch.from_numpy(0.25 * X + 0.75 * np.roll(X, 1, axis=0)))


def test_later_changes_of_a_recipe_are_not_followed(keras_dataset):
    mix = LocalMixup(CompleteGraph())
    transform, mixup_fn = LocalMixupTransform(recipe=mix, num_classes=3), TimmLocalMixup(recipe=mix, num_classes=3)
    data = keras_dataset(X, Y, recipe=mix, num_classes=3)
    mix.prob = 0.0
    transform.eval()
    assert mix.training
    assert (transform.mixup.prob, mixup_fn._mixer.prob, data.mix.prob) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("recipe", [DistributedLocalMixup(seed=0), KNNGraph(share=0.5), 3, LearnedMetric(NETWORK)])
def test_what_is_no_recipe_is_refused_by_its_name(keras_dataset, recipe):
    message = f"recipe must be a LocalMixup, such as .* got {type(recipe).__name__}"
    for make in (
        lambda: TimmLocalMixup(recipe=recipe),
        lambda: LocalMixupTransform(recipe=recipe),
        lambda: keras_dataset(X, Y, recipe=recipe, num_classes=3),
        lambda: LocalMixupClassifier(recipe=recipe).fit(X, Y),
        lambda: LocalMixupRegressor(recipe=recipe).fit(X, Y),
    ):
        with pytest.raises(ArgumentError, match=message):
            make()


def test_a_file_that_is_no_recipe_is_named_as_one(tmp_path):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "text.json").write_text("mixup")
    for name in ("list.json", "text.json", "nothing.json"):
        with pytest.raises(ArgumentError, match=r"^recipe must be"):
            LocalMixupTransform(recipe=tmp_path / name)


@pytest.mark.parametrize("estimator", [LocalMixupClassifier, LocalMixupRegressor])
def test_an_estimator_keeps_the_mode_and_the_type_of_a_recipe_and_leaves_it_as_it_was(estimator):
    brief = {"max_iter": 3, "tol": 1.0, "n_iter_no_change": 2, "random_state": 0}
    plain = estimator(8, graph="identity", outside="unmix", **brief).fit(X, Y)
    still = estimator(8, recipe=LocalMixup(CompleteGraph()).eval(), **brief).fit(X, Y)
    assert still.loss_curve_ == pytest.approx(plain.loss_curve_, rel=1e-6)
    generator = torch.Generator().manual_seed(0)
    state, recipe = generator.get_state(), Reversed(AdaptiveExponentialGraph(), generator=generator)
    graph = copy.deepcopy(recipe.graph.state_dict())
    model = estimator(8, recipe=recipe, **brief).fit(X, Y)
    assert type(model._mix) is Reversed
    assert recipe.generator is generator
    assert torch.equal(generator.get_state(), state)
    torch.testing.assert_close(dict(recipe.graph.state_dict()), dict(graph), equal_nan=True)


def test_a_recipe_for_which_the_integration_has_no_classes_is_refused():
    with pytest.raises(ArgumentError, match="pairing must be one of"):
        LocalMixupRegressor(recipe=LocalMixup(KNNGraph(share=0.2), pairing="within_class")).fit(X, Y)


@pytest.mark.parametrize("estimator", [LocalMixupClassifier, LocalMixupRegressor])
def test_estimators_without_a_graph_use_the_recommended_recipe(estimator):
    model = estimator(8, max_iter=3, tol=1.0, n_iter_no_change=2, random_state=0).fit(X, Y)
    assert model._mix.to_config() == LocalMixup().to_config()


def test_the_others_without_a_graph_use_it_too(keras_dataset):
    recommended = LocalMixup().to_config()
    assert keras_dataset(X, Y, num_classes=3).mix.to_config() == recommended
    assert TimmLocalMixup(num_classes=3)._mixer.to_config() == recommended
    assert LocalMixupTransform(num_classes=3).mixup.to_config() == recommended
