"""Draws and what is saved of them: generators for workers and ranks, state, copies, configurations."""

import copy
import io
import json
import math
import pickle
import warnings

import pytest
import torch
from helpers import generator, seeded
from hypothesis import given, settings
from hypothesis import strategies as st

from localmixup import (
    AdaptiveExponentialGraph,
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalMixup,
    ThresholdGraph,
)
from localmixup._random import next_generator, seeded_generator

X = torch.randn(12, 3, generator=generator())
Y = torch.arange(12) % 3
GRAPH = ExponentialGraph(0.5)


def same_plans(one, other, count=3):
    for _ in range(count):
        for a, b in zip(one.plan(X, Y), other.plan(X, Y), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# ---- generators ------------------------------------------------------------------------------------------------------


def test_generators_of_workers_differ_and_the_shared_one_stays_in_step():
    first, second = generator(3), generator(3)
    drawn = {}
    for key in range(20):
        # each worker holds a copy of the shared generator in the same state
        shared = first if key % 2 else second
        before = shared.get_state()
        drawn[key] = torch.rand(4, generator=next_generator(shared, key)).tolist()
        assert not torch.equal(shared.get_state(), before)
    assert len({tuple(values) for values in drawn.values()}) == 20
    assert torch.equal(first.get_state(), second.get_state())
    again = torch.rand(4, generator=next_generator(generator(3), 0)).tolist()
    assert again == drawn[0]
    assert torch.rand(4, generator=next_generator(generator(3), 1)).tolist() != drawn[0]


def test_numbers_that_only_add_up_to_the_same_give_other_draws():
    seeds = {seeded_generator(a, b).initial_seed() for a in range(8) for b in range(8)}
    assert len(seeds) == 64
    assert seeded_generator(1, 2).initial_seed() == seeded_generator(1, 2).initial_seed()


# ---- state -----------------------------------------------------------------------------------------------------------


def test_a_loaded_object_continues_the_draws():
    mix = seeded(GRAPH, mixup_alpha=0.3, outside="unmix", prob=0.7)
    for _ in range(2):
        mix(X, Y)
    state = through_a_file(mix.state_dict())
    other = seeded(GRAPH, 99, mixup_alpha=0.3, outside="unmix", prob=0.7)
    assert other.load_state_dict(state) == torch.nn.modules.module._IncompatibleKeys([], [])
    assert {key: (value.dtype, value.ndim) for key, value in state.items()} == {"_extra_state": (torch.uint8, 1)}
    same_plans(mix, other)


def test_a_model_that_contains_one_loads_strictly():
    def model(mix):
        return torch.nn.ModuleDict({"net": torch.nn.Linear(3, 2), "mix": mix})

    first, second = model(seeded(GRAPH)), model(seeded(GRAPH, 7))
    first["mix"](X, Y)
    second.load_state_dict(through_a_file(first.state_dict()))
    assert torch.equal(second["net"].weight, first["net"].weight)
    same_plans(first["mix"], second["mix"])
    bare = model(LocalMixup(CompleteGraph()))
    assert set(bare.state_dict()) == {"net.weight", "net.bias"}
    bare.load_state_dict(bare.state_dict())  # silent
    with pytest.warns(UserWarning, match="saved LocalMixup had no generator: the one of this LocalMixup is left unch"):
        second.load_state_dict(bare.state_dict())
    same_plans(first["mix"], second["mix"])
    with pytest.warns(
        UserWarning, match=r"had a generator and this one has none.*: pass generator=torch\.Generator\(\)"
    ):
        bare.load_state_dict(first.state_dict())
    assert bare["mix"].generator is None
    with pytest.raises(RuntimeError, match=r"Missing key.*net\.bias"), pytest.warns(match="no generator"):
        first.load_state_dict({"net.weight": torch.zeros(2, 3)})


@pytest.mark.parametrize("state", [torch.zeros(16, dtype=torch.uint8), torch.zeros(5056), {"seed": 1}])
def test_the_state_of_another_generator_is_refused(state):
    with pytest.raises(ValueError, match=r"state of a generator on cpu must be torch.uint8 of shape \(5056,\), got"):
        seeded(GRAPH).load_state_dict({"_extra_state": state})


def test_pickled_and_copied_objects_continue_the_draws():
    mix = seeded(GRAPH)
    batch = mix(X, Y)
    for other in (pickle.loads(pickle.dumps(mix)), copy.deepcopy(mix)):
        again = seeded(GRAPH)
        again.load_state_dict(mix.state_dict())
        same_plans(again, other)
    for a, b in zip(batch, pickle.loads(pickle.dumps(batch)), strict=True):
        assert torch.equal(a, b)


def test_a_worker_starts_again_after_loading():
    mix = seeded(GRAPH)
    mix._worker_generator = (1, torch.Generator())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mix.load_state_dict(mix.state_dict())
    assert mix._worker_generator is None


# ---- configurations --------------------------------------------------------------------------------------------------

METRICS = st.sampled_from(["euclidean", "rms", "cosine"])
GRAPHS = st.one_of(
    st.builds(ExponentialGraph, st.floats(0, math.inf), metric=METRICS),
    st.builds(ThresholdGraph, st.floats(0, math.inf), metric=METRICS),
    st.builds(KNNGraph, st.integers(0, 20), symmetric=st.booleans(), metric=METRICS),
    st.builds(KNNGraph, share=st.floats(0, 1), symmetric=st.booleans()),
    st.sampled_from([CompleteGraph(), IdentityGraph()]),
)
OPTIONS = st.fixed_dictionaries(
    {
        "mixup_alpha": st.floats(0.01, math.inf),
        "prob": st.floats(0, 1),
        "per_sample": st.booleans(),
        "pairing": st.sampled_from(["permutation", "flip", "within_class", "between_class", "neighbors"]),
        "outside": st.sampled_from(["discard", "unmix"]),
    }
)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=30)
@given(GRAPHS, OPTIONS)
def test_an_object_made_from_its_configuration_is_equal_and_draws_the_same(graph, options):
    mix = seeded(graph, 3, **options)
    config = mix.to_config()
    text = json.dumps(config, allow_nan=False)
    other = LocalMixup.from_config(json.loads(text), generator(3))
    assert other.to_config() == config
    assert other.graph == graph
    assert repr(other) == repr(mix)
    same_plans(mix, other, count=1)


def test_the_representation_shows_every_setting():
    text = repr(LocalMixup(ThresholdGraph(2.0), mixup_alpha=0.5, prob=0.25, outside="unmix"))
    for part in (
        "ThresholdGraph(radius=2.0",
        "mixup_alpha=0.5",
        "prob=0.25",
        "per_sample=False",
        "pairing=",
        "'unmix'",
    ):
        assert part in text


def test_a_graph_with_a_state_is_saved_and_can_be_replaced():
    graph = AdaptiveExponentialGraph(times_median=2.0, momentum=0.5, metric="rms")
    graph.pair_weights(X, torch.arange(12).flip(0))
    mix = seeded(graph)
    other = seeded(AdaptiveExponentialGraph(times_median=2.0, momentum=0.5, metric="rms"), 1)
    other.load_state_dict(through_a_file(mix.state_dict()))
    same_plans(mix, other)
    other.graph = CompleteGraph()
    assert other.plan(X).weights.min() == 1
    other.graph = graph
    assert list(other.children()) == [graph]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"graph": None}, "graph must be a dict with a name, one of exponential, .*, got None"),
        (3, "config must be a dict of the settings of LocalMixup, got int"),
        ({"graph": "threshold"}, "graph must be a dict with a name, .*got 'threshold'"),
        ({"graph": {"name": "treshold"}}, "graph name must be one of .*; did you mean 'threshold'"),
        ({"graph": {"name": "threshold"}}, "radius must be given for the graph 'threshold', got"),
        ({"graph": {"name": "threshold", "radius": -1}}, "radius must be >= 0"),
        (
            {"graph": {"name": "threshold", "decay": 1}},
            "setting of the graph 'threshold' must be one of 'radius', 'metric'",
        ),
        ({"graph": {"name": "complete"}, "alpha": 1}, "setting of LocalMixup must be one of .*, got 'alpha'"),
        ({"graph": {"name": "complete"}, "prob": 2}, "prob must be between 0 and 1, got 2"),
    ],
)
def test_a_bad_configuration_is_named(config, message):
    with pytest.raises(ValueError, match=message):
        LocalMixup.from_config(config)
