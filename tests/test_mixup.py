"""`LocalMixup` as a whole: what it draws, that every way to mix gives the same, and its two ends."""

import functools
import itertools
import math
import typing

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from helpers import GRAPHS, PAIRINGS, data, generator, p_value, same_bits, seeded
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import localmixup
from localmixup import (
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalityGraph,
    LocalMixup,
    MixedBatch,
    MixPlan,
    ThresholdGraph,
)

# small batches on purpose: some of them are far apart altogether
pytestmark = pytest.mark.filterwarnings("ignore:.*hardly any pair", "ignore:.*every pair counts", "ignore:a batch of")


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: type(g).__name__)
@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("outside", ["discard", "unmix"])
def test_every_option_does_what_its_plan_says(graph, pairing, outside):
    x, y = data()
    w = np.asarray(graph.matrix(x))
    for per_sample, prob, inplace in [(False, 1.0, False), (True, 1.0, True), (False, 0.6, True), (True, 0.6, False)]:
        options = {"pairing": pairing, "outside": outside, "per_sample": per_sample, "prob": prob, "mixup_alpha": 0.5}
        plan = seeded(graph, **options).plan(x, y)
        given = x.clone()
        batch = seeded(graph, **options)(given, y, inplace=inplace)
        expected = reference.mixed(x, plan.partner, plan.lam)
        np.testing.assert_allclose(batch.inputs, expected, atol=1e-6)
        np.testing.assert_allclose(plan.mix(x), expected, atol=1e-6)
        torch.testing.assert_close(batch.weights, plan.weights)
        assert torch.equal(batch.lam, plan.lam)
        assert torch.equal(batch.partner_targets, y[plan.partner])
        assert (batch.inputs.data_ptr() == given.data_ptr()) == inplace
        assert inplace or same_bits(given, x)
        unmixed = plan.partner == torch.arange(len(x))
        assert same_bits(batch.inputs[plan.lam == 1], x[plan.lam == 1])
        assert (plan.weights[unmixed] == 1).all()
        met = w[np.arange(len(x)), plan.partner.numpy()]
        if pairing == "neighbors" or outside == "unmix":
            assert (met > 0).all(), "a pair that the graph forbids was mixed"
            assert (plan.weights == 1).all()
        else:
            np.testing.assert_allclose(plan.weights, met, atol=1e-6)


@pytest.mark.parametrize("graph", [ExponentialGraph(math.inf), ThresholdGraph(0.0), KNNGraph(0), IdentityGraph()])
@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_the_vanilla_end_is_untouched_bit_for_bit(graph, pairing, dtype):
    x, y = data()
    x = x.to(dtype)
    x[:, 0, 0] = torch.tensor([0.0, -0.0]).repeat(12).to(dtype)  # the sign of a zero is a bit too
    outputs = torch.randn(24, 4, generator=generator(1))
    for inplace in (False, True):
        batch = seeded(graph, pairing=pairing, outside="unmix")(x.clone(), y, inplace=inplace)
        assert same_bits(batch.inputs, x)
        assert torch.equal(batch.partner_targets, y)
        assert (batch.weights == 1).all()
        torch.testing.assert_close(
            batch.loss(torch.nn.CrossEntropyLoss(), outputs).float(), F.cross_entropy(outputs, y)
        )


@pytest.mark.parametrize(
    "graph", [ExponentialGraph(0.0), ThresholdGraph(math.inf), KNNGraph(23), KNNGraph(1000), KNNGraph(share=1.0)]
)
@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("outside", ["discard", "unmix"])
def test_the_mixup_end_is_the_plan_of_the_complete_graph(graph, pairing, outside):
    x, y = data()
    ours, mixup = (seeded(g, pairing=pairing, outside=outside) for g in (graph, CompleteGraph()))
    for _ in range(2):  # the generators stay in step as well
        a, b = ours(x, y), mixup(x, y)
        torch.testing.assert_close(a.inputs, b.inputs)  # a neighbour graph is not mixed in the same pass
        for left, right in zip(a[1:], b[1:], strict=True):
            assert torch.equal(left, right)
        for left, right in zip(ours.plan(x, y), mixup.plan(x, y), strict=True):
            assert torch.equal(left, right)


# ---- drawn partners --------------------------------------------------------------------------------------------------


class SameSign(LocalityGraph):
    """A graph of the user's own."""

    def matrix(self, features):
        sign = features.flatten(1)[:, 0] > 0
        return ((sign[:, None] == sign[None]) | torch.eye(len(sign), dtype=torch.bool)).float()


class WithoutBase:
    """A graph of the user's own with the two required methods only."""

    def matrix(self, features):
        return torch.full((len(features), len(features)), 0.5).fill_diagonal_(1.0)

    def pair_weights(self, features, partner):
        return self.matrix(features).gather(1, partner[:, None]).squeeze(1)


DRAWN = {
    "exponential": (ExponentialGraph(0.7), lambda x: reference.exponential(x, 0.7)),
    "exponential rms": (ExponentialGraph(1.0, metric="rms"), lambda x: reference.exponential(x, 1.0, "rms")),
    "exponential cosine": (ExponentialGraph(2.0, metric="cosine"), lambda x: reference.exponential(x, 2.0, "cosine")),
    "threshold": (ThresholdGraph(1.25), lambda x: reference.threshold(x, 1.25)),
    "knn": (KNNGraph(3), lambda x: reference.knn(x, 3)),
    "knn symmetric": (KNNGraph(3, symmetric=True), lambda x: reference.knn(x, 3, symmetric=True)),
    "knn share": (KNNGraph(share=0.4), lambda x: reference.knn(x, max(1, int(0.4 * (len(x) - 1) + 0.5)))),
    "complete": (CompleteGraph(), lambda x: np.ones((len(x), len(x)))),
    "identity": (IdentityGraph(), lambda x: np.eye(len(x))),
    "own": (SameSign(), lambda x: SameSign().matrix(x).numpy()),
    "without base": (WithoutBase(), lambda x: WithoutBase().matrix(x).numpy()),
}


def _on_a_grid(n, offset=0.0):
    return torch.randint(0, 3, (n, 2), generator=generator(7)) * 0.5 + offset  # ties and duplicates, exact in float32


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_partners_follow_the_rows_of_w(name):
    graph, slow = DRAWN[name]
    x = torch.cat([_on_a_grid(5, 100.0), torch.randn(6, 2, generator=generator(8)).round(decimals=2) + 100])
    draw = getattr(graph, "draw_partners", functools.partial(LocalityGraph.draw_partners, graph))
    n, steps, counts = 11, 200, np.zeros((11, 11))
    for step in range(steps):  # even steps through all uniform draws, so that no randomness is left
        partner = draw(x, torch.full((n,), (step + 0.5) / steps, dtype=torch.float64))
        counts[np.arange(n), partner.numpy()] += 1
    w = slow(x)
    np.testing.assert_allclose(counts, steps * w / w.sum(1, keepdims=True), atol=1.01)


@pytest.mark.parametrize("graph", [ExponentialGraph(0.7), KNNGraph(2)])
def test_partners_are_drawn_at_random(graph):
    # error rate 1e-4 per graph, at a fixed seed
    x, counts = torch.randn(6, 2, generator=generator()), np.zeros((6, 6))
    mix = seeded(graph, 1, pairing="neighbors")
    for _ in range(500):
        counts[np.arange(6), mix.plan(x).partner.numpy()] += 1
    w = reference.exponential(x, 0.7) if isinstance(graph, ExponentialGraph) else reference.knn(x, 2)
    assert p_value(counts, 500 * w / w.sum(1, keepdims=True)) > 1e-4


@pytest.mark.parametrize("name", [name for name in DRAWN if name not in ("own", "without base")])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 9, 12])
def test_a_drawn_partner_always_has_a_weight(name, n):
    graph, slow = DRAWN[name]
    for x in (_on_a_grid(n), _on_a_grid(n, 1000.0), torch.zeros(n, 3), torch.arange(n)[:, None] * 2.0**-10):
        w = slow(x) if n > 1 else np.ones((1, 1))
        for uniform in (0.0, 0.3, 0.7, 1 - 2**-53):
            partner = graph.draw_partners(x, torch.full((n,), uniform, dtype=torch.float64))
            assert (w[np.arange(n), partner.numpy()] > 0).all()


def test_a_graph_of_the_user_is_enough():
    x = torch.tensor([[1.0], [-1.0], [2.0]])
    for graph, expected in ((SameSign(), [1.0, 1.0, 1.0]), (WithoutBase(), [0.5, 1.0, 0.5])):
        plan = seeded(graph, pairing="flip").plan(x)
        assert plan.weights.tolist() == expected
        assert isinstance(plan.apply(x, x), MixedBatch)


# ---- settings --------------------------------------------------------------------------------------------------------


def test_one_lam_per_batch_or_one_per_sample():
    x, y = data()
    assert len(seeded(CompleteGraph())(x, y).lam.unique()) == 1
    assert len(seeded(CompleteGraph(), per_sample=True)(x, y).lam.unique()) == 24


def test_prob_is_the_share_of_mixed_samples_and_the_others_count_1():
    x, y = data(n=4000, shape=(2,))
    plan = seeded(ThresholdGraph(0.5), prob=0.3).plan(x, y)
    unmixed = plan.partner == torch.arange(4000)
    assert abs(float(unmixed.float().mean()) - 0.7) < 0.03  # four standard errors
    assert (plan.weights[unmixed] == 1).all()
    assert plan.weights.min() == 0


def test_unmix_keeps_pairs_with_probability_w():
    x = torch.tensor([[0.0], [1.0]]).repeat(5000, 1)
    plan = seeded(ExponentialGraph(1.0), outside="unmix", pairing="flip").plan(x)
    moved = plan.partner != torch.arange(10_000)
    assert (plan.weights == 1).all()
    assert abs(float(moved.float().mean()) - math.exp(-1)) < 0.02  # four standard errors


def test_only_the_generator_is_touched_and_the_same_state_gives_the_same_batch():
    x, y = data()
    before = torch.random.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = seeded(KNNGraph(3), mixup_alpha=0.3)(x, y), seeded(KNNGraph(3), mixup_alpha=0.3)(x, y)
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a, b)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002
    torch.manual_seed(5)
    one = LocalMixup(CompleteGraph()).plan(x).lam
    torch.manual_seed(5)
    assert torch.equal(LocalMixup(CompleteGraph()).plan(x).lam, one)


def test_eval_mode_passes_the_batch_through():
    x, y = data()
    mix = LocalMixup(CompleteGraph()).eval()
    batch = mix(x, y)
    assert batch.inputs is x
    assert batch.partner_targets is y
    assert (batch.weights == 1).all()
    assert torch.equal(mix.plan(x, y).mix(x), x)
    assert mix.mix_pairs(x, y, x, y).inputs is x
    assert not list(mix.parameters())


@pytest.mark.parametrize(
    "features", [torch.randn(24, 5, generator=generator(9)), torch.randint(9, (24, 3), generator=generator(9))]
)
def test_features_decide_the_weights_and_inputs_are_mixed(features):
    x, y = data()
    plan = seeded(ExponentialGraph(0.5)).plan(features, y)
    batch = seeded(ExponentialGraph(0.5))(x, y, features)
    np.testing.assert_allclose(batch.inputs, reference.mixed(x, plan.partner, plan.lam), atol=1e-6)
    w = reference.exponential(features, 0.5)
    np.testing.assert_allclose(batch.weights, w[np.arange(24), plan.partner.numpy()], atol=1e-6)


def test_several_inputs_share_one_plan():
    image, y = data()
    table = torch.randn(24, 5, generator=generator(9))
    joined = torch.cat([image.flatten(1), table], dim=1)
    for x in ({"image": image, "table": table}, (image, table), [image, {"table": table}]):
        plan = seeded(ExponentialGraph(0.5)).plan(x, y)
        batch = seeded(ExponentialGraph(0.5))(x, y)
        assert type(batch.inputs) is type(x)
        parts = list(batch.inputs.values()) if isinstance(x, dict) else list(batch.inputs)
        np.testing.assert_allclose(parts[0], reference.mixed(image, plan.partner, plan.lam), atol=1e-6)
        expected = reference.exponential(joined, 0.5)[np.arange(24), plan.partner.numpy()]
        np.testing.assert_allclose(plan.weights, expected, atol=1e-6)


def test_gradients_pass_through_the_mixing_and_not_through_the_weights():
    x, y = data()
    given = x.clone().requires_grad_()
    mix = seeded(ExponentialGraph(0.5), per_sample=True)
    batch = mix(given, y)
    assert not batch.weights.requires_grad
    upstream = torch.randn(24, 2, 3, generator=generator(3))
    (batch.inputs * upstream).sum().backward()
    plan = seeded(ExponentialGraph(0.5), per_sample=True).plan(x, y)
    lam = plan.lam[:, None, None]
    expected = (lam * upstream).index_add(0, plan.partner, (1 - lam) * upstream)
    torch.testing.assert_close(given.grad, expected)
    with torch.no_grad():  # the fast path, which is outside autograd
        torch.testing.assert_close(seeded(ExponentialGraph(0.5), per_sample=True)(given, y).inputs, batch.inputs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_its_dtype_and_has_float32_weights(dtype):
    x, y = data(shape=(3, 64, 64))
    x = (x * 10).to(dtype)
    batch = seeded(ExponentialGraph(1e-3))(x, y)
    assert batch.inputs.dtype == dtype
    assert batch.weights.dtype == torch.float32
    exact = seeded(ExponentialGraph(1e-3))(x.double(), y)
    torch.testing.assert_close(batch.weights.double(), exact.weights, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("pairing", PAIRINGS)
def test_channels_last_is_kept(dtype, pairing):
    x = torch.randn(8, 3, 4, 4, generator=generator()).to(dtype).to(memory_format=torch.channels_last)
    y = torch.arange(8) % 2
    for graph, inplace, outside in itertools.product(GRAPHS, [False, True], ["discard", "unmix"]):
        mix = seeded(graph, pairing=pairing, outside=outside)
        inputs = mix(x.clone(memory_format=torch.channels_last), y, inplace=inplace).inputs
        assert inputs.stride() == x.stride()
        assert inputs.dtype == dtype
    paired = seeded(graph).mix_pairs(x, y, x.flip(0), y)
    assert paired.inputs.stride() == x.stride()


# ---- finite in, finite out -------------------------------------------------------------------------------------------


@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=5),
        elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
    ),
    st.sampled_from([*GRAPHS, ExponentialGraph(1e300), ExponentialGraph(1e39), ExponentialGraph(math.inf),
                     ThresholdGraph(math.inf), ThresholdGraph(1e300), KNNGraph(share=0.5), KNNGraph(1, symmetric=True),
                     ExponentialGraph(1e300, metric="cosine"), ExponentialGraph(1.0, metric="rms")]),
    st.fixed_dictionaries({
        "outside": st.sampled_from(["discard", "unmix"]),
        "pairing": st.sampled_from(PAIRINGS),
        "per_sample": st.booleans(),
        "prob": st.sampled_from([1.0, 0.5]),
        "mixup_alpha": st.sampled_from([1e-310, 1e-5, 0.2, 1.0, 8.0, 1e305, math.inf]),
    }),
    st.booleans(),
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
)  # fmt: skip
def test_finite_inputs_give_finite_batches_between_the_ends(array, graph, options, inplace, dtype):
    top = torch.finfo(dtype).max
    x = torch.from_numpy(array.copy()).double().clamp(-top, top).to(dtype)
    y = torch.arange(len(x)) % 2
    low, high = (x.min().double(), x.max().double()) if x.numel() else (0, 0)
    batch = LocalMixup(graph, **options)(x, y, inplace=inplace)
    assert batch.inputs.dtype == dtype
    assert torch.isfinite(batch.inputs).all()
    assert ((batch.weights >= 0) & (batch.weights <= 1)).all()
    assert ((batch.lam >= 0) & (batch.lam <= 1)).all()
    slack = 1e-6 * max(abs(low), abs(high))
    assert (batch.inputs.double() >= low - slack).all()
    assert (batch.inputs.double() <= high + slack).all()
    assert torch.isfinite(batch.loss(torch.nn.CrossEntropyLoss(), torch.zeros(len(x), 2)))


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: type(g).__name__)
@pytest.mark.parametrize("pairing", PAIRINGS)
def test_batches_of_none_one_and_two(graph, pairing):
    for n in (0, 1, 2):
        x, y = torch.arange(2.0 * n).view(n, 2), torch.zeros(n, dtype=torch.long)
        batch = LocalMixup(graph, pairing=pairing)(x, y)
        assert batch.inputs.shape == x.shape
        loss = float(batch.loss(F.cross_entropy, torch.zeros(n, 3)))
        assert loss == pytest.approx(math.log(3) if float(batch.weights.sum()) else 0.0)
        if n == 1:
            assert torch.equal(batch.inputs, x)
            assert batch.weights.tolist() == [1.0]


@pytest.mark.parametrize(
    "graph", [ThresholdGraph(1.0), ExponentialGraph(1.0), KNNGraph(2), KNNGraph(2, symmetric=True)]
)
def test_features_that_diverged_are_noticed(graph):
    x, y = torch.randn(8, 3), torch.arange(8) % 2
    batch = seeded(graph, pairing="flip")(x, y, features=torch.full((8, 3), torch.nan))
    assert batch.loss(F.cross_entropy, torch.randn(8, 2)).isnan()
    one = torch.zeros(8, 3)
    one[2] = torch.nan
    weights = seeded(graph, pairing="flip").plan(one, y).weights
    assert weights[[2, 5]].isnan().all()
    assert weights[[0, 1, 3, 4, 6, 7]].isfinite().all()


# ---- pairs that were drawn elsewhere ---------------------------------------------------------------------------------


def test_given_pairs_are_mixed_and_all_count():
    mix = seeded(CompleteGraph(), per_sample=True)
    own = {"a": torch.zeros(3, 2), "b": torch.zeros(3)}
    other = {"a": torch.ones(3, 2), "b": torch.ones(3)}
    batch = mix.mix_pairs(own, torch.zeros(3), other, torch.ones(3))
    assert len(batch.lam.unique()) == 3
    torch.testing.assert_close(batch.inputs["b"], 1 - batch.lam)
    torch.testing.assert_close(batch.inputs["a"], (1 - batch.lam)[:, None].expand(3, 2))
    assert batch.weights.tolist() == [1.0] * 3
    assert batch.partner_targets.tolist() == [1.0] * 3


# ---- an editor and a type checker ------------------------------------------------------------------------------------


def test_the_public_names_exist_are_documented_and_typed():
    assert set(localmixup.__all__) <= set(dir(localmixup))
    for name in localmixup.__all__:
        value = getattr(localmixup, name)
        assert name == "__version__" or value.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'LocalMixUp'"):
        localmixup.LocalMixUp  # noqa: B018
    assert typing.get_type_hints(LocalMixup.forward)["return"] is MixedBatch
    assert typing.get_type_hints(LocalMixup.plan)["return"] is MixPlan
    for name in ("loss", "accuracy", "soft_targets", "to"):
        assert getattr(MixedBatch, name).__doc__


@pytest.mark.parametrize(
    "both", [lambda a: (a, a), lambda a: ((a, a), torch.arange(len(a))), lambda a: (a, a.flatten(1))]
)
def test_mixing_in_place_refuses_memory_that_is_used_twice(both):
    x, y = both(torch.randn(8, 2, 3, generator=generator(1)))
    for plan_or_mix in (LocalMixup(CompleteGraph()), LocalMixup(CompleteGraph()).plan(torch.randn(8, 2)).apply):
        with pytest.raises(ValueError, match="inplace must be False where an input is a target or another input"):
            plan_or_mix(x, y, inplace=True)
        plan_or_mix(x, y)


def test_pairs_pass_unmixed_where_nothing_shall_be_mixed():
    x, y = torch.randn(8, 3, generator=generator(1)), torch.arange(8)
    batch = LocalMixup(prob=0).mix_pairs(x, y, x.flip(0), y.flip(0))
    assert torch.equal(batch.inputs, x)
    assert torch.equal(batch.lam, torch.ones(8))


def test_complex_features_are_refused():
    x = torch.fft.rfft(torch.randn(8, 6, generator=generator(1)))
    with pytest.raises(ValueError, match=r"features must be real, got torch\.complex64"):
        LocalMixup().plan(x)


class _Own:
    """A graph of the user's own, by its matrix."""

    metric = "euclidean"

    def __init__(self, matrix):
        self.whole = matrix

    def matrix(self, features):
        return self.whole

    def pair_weights(self, features, partner):
        return self.whole[torch.arange(len(partner)), partner]


def test_a_sample_that_an_own_graph_leaves_alone_stays_unmixed():
    x = torch.randn(8, 2, generator=generator(1))
    plan = LocalMixup(_Own(torch.zeros(8, 8)), pairing="neighbors").plan(x)
    assert torch.equal(plan.partner, torch.arange(8))


def test_a_boolean_own_graph_has_weights_of_zero_and_one():
    x = torch.randn(8, 2, generator=generator(1))
    graph = _Own(torch.eye(8, dtype=torch.bool).roll(1, dims=0))
    for pairing in ("roll", "neighbors"):
        weights = LocalMixup(graph, pairing=pairing).plan(x).weights
        assert weights.dtype == torch.float32
        assert torch.equal(weights, torch.ones(8))


@pytest.mark.parametrize("weight", [-0.5, 5.0])
def test_an_own_graph_must_give_weights_between_zero_and_one(weight):
    mix = LocalMixup(_Own(torch.full((8, 8), weight)), pairing="roll")
    with pytest.raises(ValueError, match=rf"graph must give weights in \[0, 1\], got {weight:g}"):
        mix.plan(torch.randn(8, 2, generator=generator(1)))
