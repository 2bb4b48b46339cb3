"""A mistake is named with the argument, what it got and the remedy."""

import dataclasses
import inspect
import math

import numpy as np
import pytest
import torch
from helpers import seeded
from hypothesis import given
from hypothesis import strategies as st

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
from localmixup._validate import check_choice, check_flag, check_integer, check_number

X, Y = torch.zeros(4, 2), torch.arange(4)


@given(st.floats(), st.floats(-5, 5), st.floats(-5, 5))
def test_a_number_is_returned_or_refused(value, a, b):
    low, high = min(a, b), max(a, b)
    if low <= value <= high:
        assert check_number("prob", value, low=low, high=high) == value
    else:
        with pytest.raises(ArgumentError, match=r"^prob must be between .* got "):
            check_number("prob", value, low=low, high=high)


def test_numbers_of_numpy_and_torch_are_accepted():
    assert check_number("decay", np.float32(0.5), low=0) == check_number("decay", torch.tensor(0.5), low=0) == 0.5
    assert check_integer("n", np.int64(3), low=0) == check_integer("n", torch.tensor(3), low=0) == 3
    assert check_flag("flag", np.bool_(True)) is True


@pytest.mark.parametrize("value", ["1", None, True, [1.0], 1j, torch.zeros(2), math.nan])
def test_what_is_not_a_number_is_refused_in_one_line(value):
    for check in (check_number, check_integer):
        with pytest.raises(ArgumentError, match=r"^radius must be .*>= 0.*, got ") as caught:
            check("radius", value, low=0)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises(ArgumentError, match="radius must be >= 0"):
        ThresholdGraph(10**400)


def test_a_choice_suggests_the_closest_name():
    with pytest.raises(
        ArgumentError, match="outside must be one of 'discard', 'unmix', got 'unmixed'; did you mean 'unm"
    ):
        check_choice("outside", "unmixed", ("discard", "unmix"))
    with pytest.raises(ArgumentError, match=r"must be one of .*, got 3$"):
        check_choice("outside", 3, ("discard", "unmix"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mixup_alpha": -1}, r"mixup_alpha must be >= 0 \(Beta\(mixup_alpha, mixup_alpha\)\), got -1"),
        (
            {"mixup_alpha": 0},
            r"mixup_alpha must be > 0 \(for vanilla training use prob=0 or IdentityGraph\(\)\), got 0",
        ),
        ({"prob": 1.5}, "prob must be between 0 and 1, got 1.5"),
        ({"pairing": "neighbours"}, "pairing must be one of .*; did you mean 'neighbors'"),
        ({"outside": "drop"}, "outside must be one of 'discard', 'unmix', got 'drop'"),
        ({"per_sample": "no"}, "per_sample must be True or False, got 'no'"),
        (
            {"generator": 3},
            r"generator must be a torch.Generator or None, got int: torch.Generator\(\).manual_seed\(3\)",
        ),
        ({"graph": ThresholdGraph}, "graph must be a graph such as KNNGraph"),
        ({"graph": 0.5}, "graph must be a graph such as .*, got 0.5: a number alone does not say which graph"),
    ],
)
def test_a_bad_setting_is_named_also_when_it_is_set_later(options, message):
    with pytest.raises(ArgumentError, match=message):
        LocalMixup(**{"graph": CompleteGraph(), **options})
    mix = LocalMixup(CompleteGraph())
    before = repr(mix)
    with pytest.raises(ArgumentError, match=message):
        setattr(mix, *next(iter(options.items())))
    assert repr(mix) == before


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("alpha", "mixup_alpha"),
        ("p", "prob"),
        ("seed", "generator"),
        ("pairings", "pairing"),
        ("mixup_alph", "mixup_alpha"),
    ],
)
def test_an_unknown_setting_names_the_one_that_was_meant(name, meant):
    for error in (ValueError, TypeError):  # a TypeError as Python itself raises, a ValueError as every mistake here
        with pytest.raises(error, match=f"LocalMixup has no argument '{name}': did you mean '{meant}'"):
            LocalMixup(CompleteGraph(), **{name: 1})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda mix: mix(X, Y[:3]), r"targets must have the same first dimension as the inputs, .* 4 samples, got .*\(3,\)"),
        (lambda mix: mix(X, Y, X[:3]), r"features must have the same first dimension .* 4 samples, got shape \(3, 2\)"),
        (lambda mix: mix(X, Y, X.to("meta")), r"features must be on the device of the inputs, cpu, got meta: call feat.*\.to"),
        (lambda mix: mix(X, Y.to("meta")), r"targets must be on the device of the inputs, cpu, got meta: call targets\.to"),
        (lambda mix: mix((X, X.to("meta")), Y), "inputs must be on the device of the inputs, cpu, got meta"),
        (lambda mix: mix(X, torch.tensor(1.0)), r"targets must have the same first dimension .* got shape \(\)"),
        (lambda mix: mix(torch.tensor(1.0), Y), "inputs must have the same first dimension"),
        (lambda mix: mix(X.long(), Y), r"inputs must be floating point to be mixed, got torch\.int64: convert images"),
        (lambda mix: mix(Y, X), r"got torch\.int64: .* check that inputs and targets are not swapped: mix\(x, y\)"),
        (lambda mix: mix({"text": ["a", "b"]}, Y[:2]), r"inputs\['text'\]\[0\] must be a tensor, .* got str"),
        (lambda mix: mix([], Y), "inputs must hold at least one tensor"),
        (lambda mix: mix.plan(torch.tensor(1.0)), "features must have shape"),
        (lambda mix: mix.plan([]), "features must hold at least one tensor"),
        (lambda mix: mix(mix(X, Y), Y), r"inputs must be tensors, got a MixedBatch: this batch is mixed already .* batch\.in"),
        (lambda mix: mix(mix(X, Y).inputs, mix(X, Y)), "targets must be tensors, got a MixedBatch"),
        (lambda mix: mix.mix_pairs(X, Y, X[:, :1], Y), r"inputs and those of the partners must be alike, got .*\(4, 1\)"),
        (lambda mix: mix.mix_pairs(X, Y, (X, X), Y), "must have the structure of the inputs, got 2 tensors for 1"),
        (lambda mix: mix.mix_pairs(X, Y, X[:3], Y), "must have the same first dimension"),
        (lambda mix: mix.mix_pairs(X.long(), Y, X.long(), Y), "inputs must be floating point"),
        (lambda mix: mix.collate_pairs([(X, 1)]), r"samples must be pairs .*: use DataLoader\(PairDataset\(data\), .*, got tuple"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_loop_is_named_with_its_remedy(call, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        call(seeded(CompleteGraph()))
    assert len(str(caught.value)) < 400


@pytest.mark.filterwarnings("ignore")  # torch warns that nested and quantised tensors are in prototype stage
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: X.to_sparse(), r"must be a dense tensor, got torch.sparse_coo: call x.to_dense\(\)"),
        (lambda: X.to_sparse_csr(), r"must be a dense tensor, got torch.sparse_csr: call x.to_dense\(\)"),
        (lambda: torch.nested.nested_tensor([X, X]), "got a nested tensor: pad it: torch.nested.to_padded_tensor"),
        (lambda: torch.nested.nested_tensor([X, X], layout=torch.jagged), "got a nested tensor: pad it"),
        (lambda: torch.quantize_per_tensor(X, 0.1, 0, torch.quint8), r"got torch.quint8: call x.dequantize\(\)"),
        (
            lambda: X.to(torch.float8_e4m3fn),
            r"must be float16, bfloat16, float32 or float64 .* got torch.float8_e4m3fn",
        ),
        (lambda: X.to(torch.float8_e5m2), r"must be float16, bfloat16, float32 or float64 .* x\.float\(\)"),
        (lambda: torch.complex(X, X), "must be floating point to be mixed, got torch.complex64"),
    ],
)
def test_inputs_that_cannot_be_mixed_are_named_with_the_remedy(make, message):
    value, mix = make(), LocalMixup(ThresholdGraph(1.0))
    with pytest.raises(ArgumentError, match=f"inputs {message}|inputs .*{message}"):
        mix(value, Y)
    with pytest.raises(ArgumentError, match="must"):
        mix.eval()(value, Y)
    if "dense" in message or "nested" in message or "quint8" in message:
        with pytest.raises(ArgumentError, match=f"features .*{message}"):
            LocalMixup(ThresholdGraph(1.0)).plan(value)


@pytest.mark.parametrize(
    ("graph", "given", "hint"),
    [
        (ExponentialGraph, "alpha", "did you mean 'decay'"),
        (ExponentialGraph, "dekay", "did you mean 'decay'"),
        (ThresholdGraph, "eps", "did you mean 'radius'"),
        (ThresholdGraph, "epsilon", "did you mean 'radius'"),
        (KNNGraph, "k", "did you mean 'n_neighbors'"),
        (KNNGraph, "n_neighbours", "did you mean 'n_neighbors'"),
        (NearestOfGraph, "k", "did you mean 'n_candidates'"),
        (AdaptiveExponentialGraph, "kept_share", "did you mean 'mean_weight'"),
        (ThresholdGraph, "share", "it takes radius, metric"),
        (CompleteGraph, "metric", "it takes no argument"),
        (IdentityGraph, "decay", "it takes no argument"),
    ],
)
def test_an_unknown_argument_of_a_graph_is_answered_by_the_one_meant(graph, given, hint):
    for error in (ArgumentError, TypeError):
        with pytest.raises(error, match=f"^{graph.__name__} has no argument '{given}': {hint}"):
            graph(**{given: 1})


def test_a_graph_still_says_what_it_takes():
    assert str(inspect.signature(ThresholdGraph)).startswith("(radius: 'float', *, metric: ")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'decay'"):
        ExponentialGraph()
    assert dataclasses.replace(ThresholdGraph(1.0), radius=2.0) == ThresholdGraph(radius=2.0)
