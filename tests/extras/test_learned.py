"""Locality in the features of the network in training, and the graph whose decay follows them."""

import copy
import io
import math

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from localmixup import AdaptiveExponentialGraph, ExponentialGraph, LearnedMetric, LocalMixup
from localmixup.lab.models import build_model

X = torch.randn(16, 5, generator=torch.Generator().manual_seed(1))
Y = torch.arange(16) % 3


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def train_a_step(model, mix):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = mix(X, Y)
    batch.loss(F.cross_entropy, model(batch.inputs)).backward()
    optimizer.step()
    optimizer.zero_grad()


# ---- the graph that follows ------------------------------------------------------------------------------------


def lower_median(distances):
    ordered = np.sort(distances)
    return float(ordered[(len(ordered) - 1) // 2])


def test_the_running_median_is_its_formula():
    graph = AdaptiveExponentialGraph(times_median=1.5, momentum=0.8)
    scale = None
    for step in range(6):
        x = torch.randn(9, 4, generator=generator(step)) * (1 + step)
        partner = torch.randperm(9, generator=generator(step + 50))
        distances = np.array([float((x[i].double() - x[j].double()).norm()) for i, j in enumerate(partner.tolist())])
        median = lower_median(distances[partner.numpy() != np.arange(9)])
        scale = median / 1.5 if scale is None else 0.8 * scale + 0.2 * median / 1.5
        weights = graph.pair_weights(x, partner)
        assert graph.decay == pytest.approx(1 / scale, rel=1e-5)
        np.testing.assert_allclose(weights, np.exp(-distances / scale), rtol=1e-5)
    graph.eval()
    frozen = graph.decay
    graph.pair_weights(100 * x, partner)
    assert graph.decay == frozen


@pytest.mark.parametrize("mean_weight", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_the_mean_weight_is_reached_as_calibration_reaches_it(mean_weight):
    x = torch.randn(40, 6, generator=generator())
    graph = AdaptiveExponentialGraph(mean_weight=mean_weight)
    matrix = graph.matrix(x)
    others = ~torch.eye(40, dtype=torch.bool)
    assert float(matrix[others].mean()) == pytest.approx(mean_weight, rel=1e-4)
    assert (matrix.diagonal() == 1).all()
    exact = fit_graph(x, ExponentialGraph, mean_weight=mean_weight).graph
    assert graph.decay == pytest.approx(exact.decay, rel=1e-4)
    np.testing.assert_allclose(matrix, reference.exponential(x, exact.decay), rtol=1e-3)


@given(
    st.integers(2, 20), st.floats(1e-12, 1e12), st.sampled_from([{"mean_weight": 0.3}, {"times_median": 2.0}]),
    st.sampled_from(["euclidean", "rms"]),
)  # fmt: skip
def test_scaled_features_give_the_same_weights(n, factor, wish, metric):
    plain, scaled = (AdaptiveExponentialGraph(**wish, metric=metric) for _ in range(2))
    for step in range(3):
        x = torch.randn(n, 3, generator=generator(step), dtype=torch.float64)
        partner = torch.arange(n).roll(1)
        a, b = plain.pair_weights(x, partner), scaled.pair_weights(x * factor, partner)
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)
    assert a.dtype == torch.float64


def test_the_scale_follows_a_drift():
    graph = AdaptiveExponentialGraph(mean_weight=0.5)
    x = torch.randn(64, 8, generator=generator())
    means = []
    for step in range(200):
        weights = graph.pair_weights(x * 1.02**step, torch.randperm(64, generator=generator(step)))
        means.append(float(weights.mean()))
    assert abs(np.mean(means[50:]) - 0.5) < 0.1  # behind a growth of 2 % a step by 9 steps
    assert float(ExponentialGraph(0.01).pair_weights(x * 1.02**199, torch.arange(64).roll(1)).mean()) < 0.2


@given(
    st.lists(st.sampled_from([0.0, 1.0, 3e38, -3e38, 1e-40, 5.0]), min_size=1, max_size=6),
    st.sampled_from([{"mean_weight": 0.3}, {"times_median": 1.0}, {}]),
)
def test_duplicates_single_samples_and_extremes_give_numbers(values, wish):
    graph = AdaptiveExponentialGraph(**wish)
    x = torch.tensor(values)[:, None]
    for partner in (torch.arange(len(x)), torch.arange(len(x)).roll(1), torch.arange(len(x)).flip(0)):
        for weights in (graph.pair_weights(x, partner), graph.matrix(x)):
            assert torch.isfinite(weights).all()
            assert ((weights >= 0) & (weights <= 1)).all()
    assert graph.pair_weights(x[:0], partner[:0]).shape == (0,)


def test_a_batch_without_a_scale_leaves_it_as_it_is():
    graph = AdaptiveExponentialGraph()
    flip = torch.tensor([1, 0])
    assert graph.pair_weights(torch.zeros(2, 1), flip).tolist() == [1, 1]
    assert math.isnan(graph.decay)
    graph.pair_weights(torch.tensor([[0.0], [2.0]]), flip)
    decay = graph.decay
    assert decay == pytest.approx(math.log(2) / 2)
    graph.pair_weights(torch.zeros(2, 1), flip)
    graph.pair_weights(torch.tensor([[0.0], [9.0]]), torch.arange(2))
    assert graph.decay == decay
    assert graph.weights_of_distances(torch.tensor([2.0]), batch_size=2).tolist() == pytest.approx([0.5])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean_weight": 0.5, "times_median": 1.0}, "give one of mean_weight and times_median, got 0.5 and 1.0"),
        ({"mean_weight": 1}, "mean_weight must lie between 0 .IdentityGraph. and 1 .CompleteGraph., got 1"),
        ({"mean_weight": 1.5}, "mean_weight must be between 0 and 1, got 1.5"),
        ({"times_median": 0}, "times_median must lie between 0 .CompleteGraph. and inf"),
        ({"momentum": 1}, "momentum must be < 1"),
        ({"metric": "l3"}, "metric must be one of"),
    ],
)
def test_bad_wishes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveExponentialGraph(**options)


# ---- the network -----------------------------------------------------------------------------------------------


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


def test_the_penultimate_features_of_the_labs_networks():
    for name, shape in (("resnet", (3, 16, 16)), ("lenet5", (1, 28, 28)), ("mlp", (7,))):
        model = build_model(name, shape, 4)
        x = torch.randn(2, *shape)
        expected = copy.deepcopy(model).eval()[:-1](x)
        torch.testing.assert_close(LearnedMetric(model).features(x), expected)


def test_the_plan_is_that_of_local_mixup_on_the_features():
    model = network()
    options = {"mixup_alpha": 0.4, "outside": "unmix", "reduction": "sum"}
    learned = LearnedMetric(model, times_median=2.0, generator=generator(), **options)
    by_hand = LocalMixup(AdaptiveExponentialGraph(times_median=2.0), generator=generator(), **options)
    for _ in range(3):
        plan = by_hand.plan(copy.deepcopy(model).eval()[:4](X), Y)
        batch = learned(X, Y)
        assert batch.reduction == "sum"
        for ours, theirs in zip(batch, plan.apply(X, Y), strict=True):
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
        assert counts["backward"] == 1
        # the average is a copy, with the hooks of its own
        assert counts["forward"] == 2


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


def test_the_state_goes_on():
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
        a, b = learned.plan(X, Y), other.plan(X, Y)
        for ours, theirs in zip(a, b, strict=True):
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
    """An encoder with a layer that never runs, several inputs, and its own metric."""

    def __init__(self):
        super().__init__()
        self.body, self.spare, self.head = nn.Linear(5, 4), nn.Linear(4, 4), nn.Linear(4, 3)
        self.learned = LearnedMetric(self)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


def test_any_module_will_do():
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
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        LearnedMetric(network(), **options)
