"""`recipe=`: every integration takes a `LocalMixup`, its configuration or a file, and mixes exactly so."""

import copy
import json
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from localmixup import ArgumentError, KNNGraph, LocalMixup, ThresholdGraph
from localmixup.integrations.sklearn import LocalMixupClassifier, LocalMixupRegressor
from localmixup.integrations.timm import TimmLocalMixup
from localmixup.integrations.torchvision import LocalMixupTransform

RECIPE = LocalMixup(KNNGraph(share=0.2), prob=0.3, pairing="neighbors", mixup_alpha=0.7, per_sample=True)
X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = np.arange(60) % 3


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
