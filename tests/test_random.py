"""What is saved of a `LocalMixup`: its settings as a config, its generator in the state."""

import copy
import io
import json
import math
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from localmixup import (
    AdaptiveExponentialGraph,
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalityGraph,
    LocalMixup,
    ThresholdGraph,
)
from localmixup.graphs.registry import graph_from_config, graph_to_config

X = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 3


def seeded(seed=0, graph=None, **options):
    return LocalMixup(graph or ExponentialGraph(0.5), generator=torch.Generator().manual_seed(seed), **options)


def same_plans(one, other, count=3):
    for _ in range(count):
        for a, b in zip(one.plan(X, Y), other.plan(X, Y), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_a_loaded_one_goes_on_drawing_what_the_original_draws():
    mix = seeded(mixup_alpha=0.3, outside="unmix", prob=0.7)
    for _ in range(2):
        mix(X, Y)
    state = through_a_file(mix.state_dict())
    other = seeded(99, mixup_alpha=0.3, outside="unmix", prob=0.7)
    assert other.load_state_dict(state) == torch.nn.modules.module._IncompatibleKeys([], [])
    assert {key: (value.dtype, value.ndim) for key, value in state.items()} == {"_extra_state": (torch.uint8, 1)}
    same_plans(mix, other)


def test_a_model_that_contains_one_loads_strictly():
    def model(mix):
        return torch.nn.ModuleDict({"net": torch.nn.Linear(3, 2), "mix": mix})

    first, second = model(seeded()), model(seeded(7))
    first["mix"](X, Y)
    second.load_state_dict(through_a_file(first.state_dict()))
    assert torch.equal(second["net"].weight, first["net"].weight)
    same_plans(first["mix"], second["mix"])
    bare = model(LocalMixup(CompleteGraph()))
    assert set(bare.state_dict()) == {"net.weight", "net.bias"}
    bare.load_state_dict(bare.state_dict())  # silent
    with pytest.warns(UserWarning, match="saved LocalMixup had no generator: this one's keeps the state"):
        second.load_state_dict(bare.state_dict())
    same_plans(first["mix"], second["mix"])
    with pytest.warns(UserWarning, match="had a generator and this one has none"):
        bare.load_state_dict(first.state_dict())
    assert bare["mix"].generator is None
    with pytest.raises(RuntimeError, match=r"Missing key.*net\.bias"), pytest.warns(match="no generator"):
        first.load_state_dict({"net.weight": torch.zeros(2, 3)})


@pytest.mark.parametrize("state", [torch.zeros(16, dtype=torch.uint8), torch.zeros(5056), {"seed": 1}])
def test_a_state_of_another_generator_is_refused(state):
    with pytest.raises(ValueError, match=r"state of a generator on cpu must be torch.uint8 of shape \(5056,\), got"):
        seeded().load_state_dict({"_extra_state": state})


def test_pickling_and_copying_go_on():
    mix = seeded()
    mix(X, Y)
    for other in (pickle.loads(pickle.dumps(mix)), copy.deepcopy(mix)):
        again = seeded()
        again.load_state_dict(mix.state_dict())
        same_plans(again, other)


GRAPHS = st.one_of(
    st.builds(ExponentialGraph, st.floats(0, math.inf), metric=st.sampled_from(["euclidean", "rms", "cosine"])),
    st.builds(ThresholdGraph, st.floats(0, math.inf), metric=st.sampled_from(["euclidean", "rms", "cosine"])),
    st.builds(KNNGraph, st.integers(0, 20), symmetric=st.booleans()),
    st.sampled_from([CompleteGraph(), IdentityGraph()]),
)


OPTIONS = st.fixed_dictionaries(
    {
        "mixup_alpha": st.floats(0.01, math.inf),
        "prob": st.floats(0, 1),
        "per_sample": st.booleans(),
        "pairing": st.sampled_from(["permutation", "flip", "within_class", "between_class", "neighbors"]),
        "outside": st.sampled_from(["discard", "unmix"]),
        "reduction": st.sampled_from(["weighted_mean", "mean", "sum", "none"]),
    }
)


@given(GRAPHS, OPTIONS)
def test_from_config_of_to_config_is_equal_and_draws_equally(graph, options):
    mix = seeded(3, graph, **options)
    config = mix.to_config()
    text = json.dumps(config, allow_nan=False)
    other = LocalMixup.from_config(json.loads(text), torch.Generator().manual_seed(3))
    assert other.to_config() == config
    assert other.graph == graph
    assert repr(other) == repr(mix)
    same_plans(mix, other, count=1)


def test_repr_shows_every_setting():
    text = repr(LocalMixup(ThresholdGraph(2.0), mixup_alpha=0.5, prob=0.25, reduction="sum"))
    for part in ("ThresholdGraph(radius=2.0", "mixup_alpha=0.5", "prob=0.25", "per_sample=False", "pairing=", "'sum'"):
        assert part in text


def test_an_adaptive_graph_and_numbers_of_other_kinds():
    graph = AdaptiveExponentialGraph(times_median=2.0, momentum=0.5, metric="rms")
    config = json.loads(json.dumps(graph_to_config(graph)))
    assert repr(graph_from_config(config)) == repr(graph)
    assert graph_to_config(ThresholdGraph(np.float32(0.5))) == graph_to_config(ThresholdGraph(torch.tensor(0.5)))
    assert type(graph_to_config(KNNGraph(np.int64(3)))["n_neighbors"]) is int
    # what has a default may be left out
    assert LocalMixup.from_config({"graph": {"name": "CompleteGraph"}}).mixup_alpha == 1
    graph.pair_weights(X, Y.flip(0))
    mix = seeded(0, graph)
    other = seeded(1, AdaptiveExponentialGraph(times_median=2.0, momentum=0.5, metric="rms"))
    other.load_state_dict(through_a_file(mix.state_dict()))
    same_plans(mix, other)
    other.graph = CompleteGraph()  # a graph that is a module gives way to one that is none, and back
    assert other.plan(X).weights.min() == 1
    other.graph = graph
    assert list(other.children()) == [graph]


class Own(LocalityGraph):
    def matrix(self, features):
        return torch.eye(len(features))


class Radius(ThresholdGraph):
    """A type of one's own, whose name says nothing."""


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Own(), "graph must be one of ExponentialGraph, .* to be written as a config, got .*Own"),
        (Radius(1.0), "keep a graph of your own beside the config"),
        (ThresholdGraph(1.0, metric=torch.dist), "metric must have a name .*, got <"),
    ],
)
def test_objects_of_ones_own_are_refused(graph, message):
    with pytest.raises(ValueError, match=message):
        LocalMixup(graph).to_config()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "graph must be a dict with a name, one of ExponentialGraph, .*, got None"),
        (3, "config must be a dict of the settings of LocalMixup, got int"),
        ({"graph": "ThresholdGraph"}, "graph must be a dict with a name"),
        ({"graph": {"name": "TresholdGraph"}}, "did you mean 'ThresholdGraph'"),
        ({"graph": {"name": "ThresholdGraph"}}, "ThresholdGraph needs its radius"),
        ({"graph": {"name": "ThresholdGraph", "radius": -1}}, "radius must be >= 0"),
        (
            {"graph": {"name": "ThresholdGraph", "decay": 1}},
            "setting of ThresholdGraph must be one of 'radius', 'metric'",
        ),
        ({"graph": {"name": "CompleteGraph"}, "alpha": 1}, "setting of LocalMixup must be one of .*, got 'alpha'"),
        ({"graph": {"name": "CompleteGraph"}, "prob": 2}, "prob must be between 0 and 1, got 2"),
    ],
)
def test_bad_configs_are_named(config, message):
    with pytest.raises(ValueError, match=message):
        LocalMixup.from_config(config)


def test_a_worker_draws_anew_after_loading():
    mix = seeded()
    mix._worker_generator = (1, torch.Generator())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mix.load_state_dict(mix.state_dict())
    assert mix._worker_generator is None
