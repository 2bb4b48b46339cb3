"""Schedules set the value that their formula gives, at every step."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from localmixup import (
    CompleteGraph,
    ExponentialGraph,
    KNNGraph,
    LocalMixup,
    ManifoldLocalMixup,
    MixingSchedule,
    ThresholdGraph,
)


def values(schedule, count):
    found = []
    for _ in range(count):
        graph = schedule.mix.graph
        found.append((getattr(graph, "decay", getattr(graph, "radius", None)), schedule.mix.prob))
        schedule.step()
    return found


@given(
    st.integers(1, 30),
    st.floats(0, 1),
    st.floats(0.1, 100),
    st.floats(0.1, 100),
    st.sampled_from(["linear", "geometric"]),
)
def test_every_step_has_its_value(total, off_share, first, last, curve):
    mix = LocalMixup(ThresholdGraph(1.0), prob=0.8)
    schedule = MixingSchedule(mix, total_steps=total, off_share=off_share, radius=(first, last), curve=curve)
    found = values(schedule, total + 2)
    mixing = total - round(off_share * total)
    for step, (radius, prob) in enumerate(found):
        assert prob == (0.8 if mixing == total or step < mixing else 0.0)
        share = 0.0 if mixing < 2 else min(1.0, step / (mixing - 1))
        expected = first + share * (last - first) if curve == "linear" else first ** (1 - share) * last**share
        assert radius == pytest.approx(expected, rel=1e-9)
    assert sum(prob == 0 for _, prob in found[:total]) == round(off_share * total)
    if mixing >= 2:
        assert (found[0][0], found[mixing - 1][0]) == (first, last)


def test_a_decay_may_start_at_zero_and_the_metric_is_kept():
    mix = LocalMixup(ExponentialGraph(9.0, metric="rms"))
    assert [v for v, _ in values(MixingSchedule(mix, total_steps=3, decay=(0.0, 4.0)), 4)] == [0.0, 2.0, 4.0, 4.0]
    assert mix.graph.metric == "rms"


@pytest.mark.parametrize("options", [{}, {"outside": "unmix"}, {"pairing": "neighbors"}, {"per_sample": True}])
def test_off_is_vanilla_training(options):
    x, y = torch.randn(8, 2), torch.arange(8)
    mix = LocalMixup(ThresholdGraph(0.1), **options)
    MixingSchedule(mix, total_steps=1, off_share=1.0)
    batch = mix(x, y)
    assert torch.equal(batch.inputs, x)
    assert torch.equal(batch.partner_targets, y)
    assert (batch.weights == 1).all()


def test_a_saved_schedule_continues():
    def make():
        return LocalMixup(ThresholdGraph(1.0), prob=0.5)

    arguments = {"total_steps": 10, "off_share": 0.3, "radius": (1.0, 9.0)}
    first = MixingSchedule(make(), **arguments)
    for _ in range(8):
        first.step()
    assert first.mix.prob == 0
    # also for an object that was saved while it was off
    for mix in (make(), LocalMixup.from_config(first.mix.to_config())):
        second = MixingSchedule(mix, **arguments)
        second.load_state_dict(first.state_dict())
        assert (second.mix.prob, second.mix.graph) == (first.mix.prob, first.mix.graph)
        second.load_state_dict({**first.state_dict(), "steps_done": 3})
        assert second.mix.prob == 0.5
    with pytest.raises(ValueError, match=r"state must hold 'steps_done' and 'prob', got \['epoch'\]"):
        first.load_state_dict({"epoch": 1})


def test_the_graph_of_hidden_layers_follows_a_schedule():
    manifold = ManifoldLocalMixup(torch.nn.Linear(2, 2), ["input"], ThresholdGraph(1.0))
    schedule = MixingSchedule(manifold.mix, total_steps=2, radius=(4.0, 2.0))
    schedule.step()
    assert manifold.mix.graph.radius == 2.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mix": 3}, "mix must be a LocalMixup, got int"),
        ({"total_steps": 0}, "total_steps must be a whole number >= 1, got 0"),
        ({"off_share": 1.5}, "off_share must be between 0 and 1, got 1.5"),
        (
            {"decay": (1.0, 2.0)},
            r"decay is the parameter of ExponentialGraph, got a mix with ThresholdGraph\(radius=1.0",
        ),
        (
            {"mix": LocalMixup(KNNGraph(2)), "radius": (1, 2)},
            "radius is the parameter of ThresholdGraph, got a mix with K",
        ),
        ({"mix": LocalMixup(CompleteGraph()), "decay": (1, 2)}, "got a mix with CompleteGraph"),
        ({"radius": 3.0}, "radius must be a pair, its first and its last value, got 3.0"),
        ({"radius": (-1.0, 3.0)}, "radius must be >= 0, got -1.0"),
        ({"radius": (1.0, math.inf)}, "both ends of radius must be finite"),
        (
            {"radius": (0.0, 1.0), "curve": "geometric"},
            "both ends of radius must be > 0 and finite for a geometric curve",
        ),
        ({"radius": (0.0, 1.0), "decay": (0.0, 1.0)}, "give one of decay and radius"),
        ({"curve": "cosine"}, "curve must be one of 'linear', 'geometric', got 'cosine'"),
    ],
)
def test_a_bad_argument_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        MixingSchedule(**{"mix": LocalMixup(ThresholdGraph(1.0)), "total_steps": 4, **options})
