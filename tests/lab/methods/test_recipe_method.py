import json

import pytest
import torch

from localmixup import ArgumentError, CompleteGraph, KNNGraph, LocalMixup
from localmixup.lab.methods import METHODS
from localmixup.lab.methods.recipe import config_of, recipe_spec
from localmixup.lab.runs.network import stack
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

TRAINING = TrainingSpec(model="mlp", updates=10, pairs="batch", batch_size=12)


def drawn(recipe, method="recipe", seed=0):
    spec = recipe_spec(recipe, method=method)
    x = torch.randn(36, 3, generator=torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(seed)
    return x, METHODS[method](spec, TRAINING, "classification", generator).plan(x, torch.arange(36) % 3, 12)


@pytest.mark.parametrize(
    "recipe",
    [
        LocalMixup(),
        LocalMixup(prob=1.0, per_sample=True, mixup_alpha=0.4),
        LocalMixup(KNNGraph(share=0.3), pairing="neighbors", prob=0.5, mixup_alpha=0.2),
        LocalMixup(CompleteGraph(), prob=0.25),
        LocalMixup(CompleteGraph(), prob=0),
    ],
)
def test_pairs_are_those_of_the_object_in_a_loop(recipe):
    x, plan = drawn(recipe)
    mix = LocalMixup.from_config(recipe.to_config(), generator=torch.Generator().manual_seed(0))
    for k in range(3):
        batch = mix(x[12 * k : 12 * (k + 1)], torch.arange(12))
        rows = slice(12 * k, 12 * (k + 1))
        torch.testing.assert_close(plan.partner[rows] - 12 * k, batch.partner_targets)
        torch.testing.assert_close(plan.lam[rows], batch.lam)
        torch.testing.assert_close(plan.weights[rows], batch.weights)


def test_on_features_pairs_are_those_of_the_object_given_the_features(draw, network, points):
    x, y = points
    recipe = LocalMixup(KNNGraph(n_neighbors=2), pairing="neighbors")
    spec = recipe_spec(recipe, method="feature-recipe")
    method = METHODS["feature-recipe"](spec, TRAINING, "classification", torch.Generator().manual_seed(3))
    drawn = draw(method, "batch", x, y)
    assert not drawn.moved.any()
    stacked = stack([network])
    seen = method.seen_by(stacked, drawn)
    assert stacked.training
    mix = LocalMixup.from_config(recipe.to_config(), generator=torch.Generator().manual_seed(3))
    batch = mix(x, y, network[:-1](x).detach())
    assert torch.equal(seen.partner_targets[0], batch.partner_targets)
    torch.testing.assert_close(seen.lam[0], batch.lam)
    losses, _ = method.losses(stacked, seen)
    expected = batch.loss(torch.nn.CrossEntropyLoss(), network(batch.inputs), reduction="mean")
    torch.testing.assert_close(losses[0], expected)
    assert seen.shares[0, 1] == pytest.approx(float(seen.moved.float().mean()))


def test_config_round_trip():
    config = LocalMixup(KNNGraph(share=0.1), prob=0.4).to_config()
    assert config_of(recipe_spec(json.loads(json.dumps(config)))) == config
    with pytest.raises(ArgumentError, match="method must be made by recipe_spec"):
        config_of(MethodSpec(method="mixup"))
    assert config_of(MethodSpec(method="recipe")) == LocalMixup().to_config()
    with pytest.raises(ArgumentError, match="pairs must be 'batch'"):
        METHODS["recipe"](recipe_spec(LocalMixup()), TRAINING.model_copy(update={"pairs": "set"}), "regression", None)
