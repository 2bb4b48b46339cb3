"""Locality in the features of the network that is being trained."""

import copy
import io
import math

import pytest
import torch
import torch.nn.functional as F
from helpers import generator
from torch import nn

from localmixup import AdaptiveExponentialGraph, ExponentialGraph, LearnedMetric, LocalMixup

X = torch.randn(16, 5, generator=generator(1))
Y = torch.arange(16) % 3


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def train_a_step(model, mix):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = mix(X, Y)
    batch.loss(F.cross_entropy, model(batch.inputs)).backward()
    optimizer.step()
    optimizer.zero_grad()


LAYERS = {"penultimate": slice(0, 4), "output": slice(0, 5), "2": slice(0, 3), "4": slice(0, 5)}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("training", [True, False])
def test_features_are_those_of_the_layer_in_evaluation_mode(layer, training):
    model = network().train(training)
    model[1].eval()  # a frozen layer stays frozen
    before = copy.deepcopy(model.state_dict())
    learned = LearnedMetric(model, layer=layer)
    random = torch.random.get_rng_state()
    features = learned.features(X)
    assert not features.requires_grad
    assert [m.training for m in model] == [training, False, training, training, training]
    assert torch.equal(random, torch.random.get_rng_state())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    twin = copy.deepcopy(model).eval()
    torch.testing.assert_close(features, twin[LAYERS[layer]](X))
    torch.testing.assert_close(learned.features(X[:3]), features[:3])  # they do not depend on the rest of the batch


def test_the_plan_is_that_of_local_mixup_on_the_features():
    model = network()
    options = {"mixup_alpha": 0.4, "outside": "unmix"}
    learned = LearnedMetric(model, times_median=2.0, generator=generator(), **options)
    by_hand = LocalMixup(AdaptiveExponentialGraph(times_median=2.0), generator=generator(), **options)
    for _ in range(3):
        plan = by_hand.plan(copy.deepcopy(model).eval()[:4](X), Y)
        for ours, theirs in zip(learned(X, Y), plan.apply(X, Y), strict=True):
            torch.testing.assert_close(ours, theirs)
        train_a_step(model, learned)
        by_hand.plan(learned.features(X), Y)  # keeps the generators in step
        by_hand.graph.load_state_dict(learned.mix.graph.state_dict())
    given = X.clone()
    assert learned(given, Y, inplace=True).inputs is given
    fixed = LearnedMetric(model, graph=ExponentialGraph(0.1), generator=generator())
    expected = LocalMixup(ExponentialGraph(0.1), generator=generator()).plan(learned.features(X), Y)
    assert torch.equal(fixed.plan(X, Y).weights, expected.weights)


def test_scaled_networks_give_the_same_weights():
    model, larger = network(), network()
    with torch.no_grad():
        larger[1].weight *= 1000.0
        larger[1].bias *= 1000.0
    for mean_weight in (0.2, 0.5):
        one, other = (LearnedMetric(m, mean_weight=mean_weight, generator=generator()) for m in (model, larger))
        torch.testing.assert_close(one.plan(X, Y).weights, other.plan(X, Y).weights)


def test_two_forward_passes_and_one_backward_pass():
    model = network()
    counts = {"forward": 0, "backward": 0}
    model[1].register_forward_hook(lambda *_: counts.update(forward=counts["forward"] + 1))
    model[1].register_full_backward_hook(lambda *_: counts.update(backward=counts["backward"] + 1))
    for moving_average in (None, 0.9):
        counts.update(forward=0, backward=0)
        train_a_step(model, LearnedMetric(model, moving_average=moving_average))
        assert counts == {"forward": 2, "backward": 1}  # the average is a copy with hooks of its own


def test_the_moving_average_is_its_formula_and_is_what_is_measured():
    model = network()
    learned = LearnedMetric(model, moving_average=0.9, generator=generator())
    expected = None
    for _ in range(5):
        state = {key: value.clone().double() for key, value in model.state_dict().items()}
        expected = state if expected is None else {k: 0.9 * v + 0.1 * state[k] for k, v in expected.items()}
        train_a_step(model, learned)
        for key, value in learned.average.module.state_dict().items():
            if "num_batches" not in key:
                torch.testing.assert_close(value.double(), expected[key], rtol=1e-5, atol=1e-6)
    twin = copy.deepcopy(learned.average.module).eval()
    torch.testing.assert_close(learned.features(X), twin[:4](X))
    assert not torch.allclose(learned.features(X), copy.deepcopy(model).eval()[:4](X))
    assert not any(p.requires_grad for p in learned.parameters())
    assert learned.average.module.training


def test_a_loaded_object_continues_the_draws():
    model = network()
    learned = LearnedMetric(model, moving_average=0.9, generator=generator())
    for _ in range(3):
        train_a_step(model, learned)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "learned": learned.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    again = network()
    again.load_state_dict(state["model"])
    other = LearnedMetric(again, moving_average=0.9, generator=generator(5))
    other.load_state_dict(state["learned"])
    for _ in range(2):
        for ours, theirs in zip(learned.plan(X, Y), other.plan(X, Y), strict=True):
            assert torch.equal(ours, theirs)
    assert not [key for key in LearnedMetric(model, generator=generator()).state_dict() if "weight" in key]


def test_eval_mode_passes_through_and_nothing_moves():
    model = network()
    learned = LearnedMetric(model, moving_average=0.5).eval()
    batch = learned(X, Y)
    assert batch.inputs is X
    assert (batch.weights == 1).all()
    assert torch.equal(learned.plan(X, Y).partner, torch.arange(16))
    assert learned.average.n_averaged == 0
    assert math.isnan(learned.mix.graph.decay)


class Owner(nn.Module):
    """An encoder with a layer that never runs, which owns its metric."""

    def __init__(self):
        super().__init__()
        self.body, self.spare, self.head = nn.Linear(5, 4), nn.Linear(4, 4), nn.Linear(4, 3)
        self.learned = LearnedMetric(self)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


def test_any_module_serves():
    model = Owner()
    torch.testing.assert_close(model.learned.features(X), torch.tanh(model.body(X)).detach())
    assert len(list(model.parameters())) == 6
    train_a_step(model, model.learned)
    with pytest.raises(RuntimeError, match="layer 'spare' did not run, so there are no features"):
        LearnedMetric(model, layer="spare").features(X)
    with pytest.raises(RuntimeError, match="layer 'penultimate' did not run"):
        LearnedMetric(nn.Flatten()).features(X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "head"}, r"layer must be one of 'penultimate', 'output', '0', .*, got 'head'"),
        ({"moving_average": 1.0}, "moving_average must be < 1"),
        ({"moving_average": -0.1}, "moving_average must be between 0 and 1, got -0.1"),
        ({"graph": ExponentialGraph(1.0), "mean_weight": 0.5}, "give either a graph, or mean_weight or times_median"),
        ({"mean_weight": 0}, "mean_weight must lie between"),
        ({"pairing": "none"}, "pairing must be one of"),
        ({"alpha": 0.2}, "did you mean 'mixup_alpha'"),
    ],
)
def test_a_bad_argument_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        LearnedMetric(network(), **options)


def test_a_moving_average_can_be_saved_and_goes_on_as_before():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    learned = LearnedMetric(model, moving_average=0.9)
    file = io.BytesIO()
    torch.save(learned, file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    for one in (learned, again):
        before = [p.clone() for p in one.average.parameters()]
        one.average.update_parameters(model)  # the first one copies
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(1.0)
        one.average.update_parameters(model)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.sub_(1.0)
        for old, new, current in zip(before, one.average.parameters(), model.parameters(), strict=True):
            assert not torch.equal(old, new)
            torch.testing.assert_close(new, current + 0.1)
