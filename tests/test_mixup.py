"""`LocalMixup` as a whole: what it draws, and that every way to mix gives the same."""

import itertools
import math

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import chi2, chi2_contingency, chisquare, kstest

from localmixup import (
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalMixup,
    MixedBatch,
    MixPlan,
    ThresholdGraph,
)
from localmixup._partners import draw_lam

PAIRINGS = ["permutation", "flip", "within_class", "between_class", "neighbors"]
GRAPHS = [ExponentialGraph(0.3), ThresholdGraph(3.5), KNNGraph(3), CompleteGraph(), IdentityGraph()]


def seeded(graph, seed=0, **options):
    return LocalMixup(graph, generator=torch.Generator().manual_seed(seed), **options)


def data(n=24, shape=(2, 3), classes=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, *shape, generator=g), torch.randint(classes, (n,), generator=g)


def same_bits(a, b):
    view = {2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    return torch.equal(a.view(view), b.view(view))


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: type(g).__name__)
@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("outside", ["discard", "unmix"])
def test_every_option_does_what_its_plan_says(graph, pairing, outside):
    x, y = data()
    for per_sample, prob, inplace in itertools.product([False, True], [1.0, 0.6], [False, True]):
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
        assert ((plan.weights >= 0) & (plan.weights <= 1)).all()
        unmixed = plan.partner == torch.arange(len(x))
        assert same_bits(batch.inputs[plan.lam == 1], x[plan.lam == 1])
        assert (plan.weights[unmixed] == 1).all()
        if pairing != "neighbors" and outside == "discard" and prob == 1:
            np.testing.assert_allclose(
                plan.weights, graph.matrix(x)[torch.arange(len(x)), plan.partner].numpy(), atol=1e-6
            )


@pytest.mark.parametrize("shape", [(64, 128, 128), (8, 128, 128)])
@pytest.mark.parametrize("pairing", ["permutation", "flip"])
@pytest.mark.parametrize("inplace", [False, True])
def test_large_batches_in_blocks(shape, pairing, inplace):
    x = torch.randn(25, *shape[1:], generator=torch.Generator().manual_seed(0)).repeat_interleave(shape[0] // 8, 0)
    y = torch.arange(len(x))
    for outside in ("discard", "unmix"):
        options = {"pairing": pairing, "outside": outside, "per_sample": True}
        plan = seeded(ExponentialGraph(0.004), **options).plan(x, y)
        batch = seeded(ExponentialGraph(0.004), **options)(x.clone(), y, inplace=inplace)
        torch.testing.assert_close(batch.inputs, plan.mix(x))
        torch.testing.assert_close(batch.weights, plan.weights)


@pytest.mark.parametrize("graph", [ExponentialGraph(math.inf), ThresholdGraph(0.0), KNNGraph(0), IdentityGraph()])
@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
@pytest.mark.parametrize("inplace", [False, True])
def test_the_vanilla_end_is_untouched_bit_for_bit(graph, pairing, dtype, inplace):
    x, y = data()
    x = x.to(dtype)
    x[:, 0, 0] = torch.tensor([0.0, -0.0]).repeat(12).to(dtype)  # the sign of a zero is a bit too
    batch = seeded(graph, pairing=pairing, outside="unmix")(x.clone(), y, inplace=inplace)
    assert same_bits(batch.inputs, x)
    assert torch.equal(batch.targets, y)
    assert torch.equal(batch.partner_targets, y)
    assert (batch.weights == 1).all()
    scores = torch.randn(24, 4, generator=torch.Generator().manual_seed(1))
    assert batch.loss(F.cross_entropy, scores) == pytest.approx(float(F.cross_entropy(scores, y)), rel=1e-6)


@pytest.mark.parametrize("graph", [ExponentialGraph(0.0), ThresholdGraph(math.inf), KNNGraph(23), KNNGraph(1000)])
@pytest.mark.parametrize("pairing", PAIRINGS)
@pytest.mark.parametrize("outside", ["discard", "unmix"])
def test_the_mixup_end_is_the_plan_of_the_complete_graph(graph, pairing, outside):
    x, y = data()
    ours, mixup = (seeded(g, pairing=pairing, outside=outside) for g in (graph, CompleteGraph()))
    for _ in range(3):  # the generators stay in step as well
        a, b = ours(x, y), mixup(x, y)
        torch.testing.assert_close(a.inputs, b.inputs)  # a neighbour graph is not mixed in the same pass
        for left, right in zip(a[1:], b[1:], strict=True):
            assert torch.equal(left, right)
        for left, right in zip(ours.plan(x, y), mixup.plan(x, y), strict=True):
            assert torch.equal(left, right)


def test_neighbors_draws_in_proportion_to_the_rows():
    # a correct sampler fails this test with probability 1e-3; the seed is fixed
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    mix = seeded(ExponentialGraph(1.0), seed=1, pairing="neighbors")
    counts, draws = np.zeros((6, 6)), 4000
    for _ in range(draws):
        plan = mix.plan(x)
        counts[np.arange(6), plan.partner.numpy()] += 1
        assert (plan.weights == 1).all()
    rows = reference.exponential(x, 1.0)
    expected = draws * rows / rows.sum(1, keepdims=True)
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert chi2.sf(statistic, df=6 * 5) > 1e-3


def test_permutations_are_uniform_and_flip_has_no_choice():
    mix = seeded(CompleteGraph(), seed=2)
    x = torch.zeros(3, 1)
    seen = [tuple(mix.plan(x).partner.tolist()) for _ in range(3000)]
    counts = [seen.count(p) for p in itertools.permutations(range(3))]
    assert chisquare(counts).pvalue > 1e-3  # error rate 1e-3 at a fixed seed
    assert seeded(CompleteGraph(), pairing="flip").plan(torch.zeros(5, 1)).partner.tolist() == [4, 3, 2, 1, 0]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.integers(0, 2**31))
def test_pairing_by_class_never_breaks_its_rule(labels, seed):
    y = torch.tensor(labels)
    x = torch.randn(len(labels), 2)
    within = seeded(CompleteGraph(), seed=seed, pairing="within_class").plan(x, y)
    between = seeded(CompleteGraph(), seed=seed, pairing="between_class").plan(x, y)
    itself = torch.arange(len(y))
    counts = torch.bincount(y)[y]
    assert torch.equal(y[within.partner], y)
    assert torch.equal(within.partner == itself, counts == 1)  # alone in the class: the sample itself
    alone = len(set(labels)) == 1
    assert torch.equal(y[between.partner] == y, torch.full_like(y, alone, dtype=torch.bool))
    assert not alone or torch.equal(between.partner, itself)
    for plan in (within, between):
        assert (plan.weights[plan.partner == itself] == 1).all()
        assert (plan.lam[plan.partner == itself] == 1).all()


@pytest.mark.parametrize(("pairing", "allowed"), [("within_class", 3), ("between_class", 2)])
def test_pairing_by_class_is_uniform_among_those_allowed(pairing, allowed):
    # a correct pairing fails with probability 1e-3; the seed is fixed
    y = torch.tensor([0, 1, 0, 1, 0, 0])
    mix = seeded(CompleteGraph(), seed=3, pairing=pairing)
    partners = torch.stack([mix.plan(torch.zeros(6, 1), y).partner for _ in range(3000)])
    counts = torch.bincount(partners[:, 0], minlength=6)
    assert (counts > 0).sum() == allowed
    assert chisquare(counts[counts > 0]).pvalue > 1e-3


def test_pairing_by_class_takes_soft_and_one_hot_labels():
    y = torch.tensor([0, 1, 0, 1])
    hot = F.one_hot(y, 2).float() * 0.8 + 0.1
    for labels in (hot, F.one_hot(y, 2), y[:, None]):
        plan = seeded(CompleteGraph(), pairing="within_class").plan(torch.zeros(4, 1), labels)
        assert torch.equal(plan.partner, torch.tensor([2, 3, 0, 1]))


@pytest.mark.parametrize("y", [None, torch.rand(4), torch.ones(4, 3), torch.zeros(4, 2, 2)])
def test_pairing_by_class_refuses_targets_without_classes(y):
    with pytest.raises(ValueError, match="pairing by class needs targets that hold one class a sample"):
        seeded(CompleteGraph(), pairing="within_class").plan(torch.zeros(4, 1), y)


@pytest.mark.parametrize("mixup_alpha", [0.1, 0.5, 1.0, 4.0])
def test_lam_follows_the_beta_distribution(mixup_alpha):
    # a correct sampler fails with probability 1e-3 a case; the seed is fixed
    g = torch.Generator().manual_seed(0)
    lam = draw_lam(5000, mixup_alpha, dtype=torch.float64, device=torch.device("cpu"), generator=g)
    assert kstest(lam.numpy(), "beta", args=(mixup_alpha, mixup_alpha)).pvalue > 1e-3


@pytest.mark.parametrize("mixup_alpha", [1e-6, 1e-3, 1e6, math.inf])
def test_extreme_mixup_alpha_stays_a_number(mixup_alpha):
    lam = seeded(CompleteGraph(), mixup_alpha=mixup_alpha, per_sample=True).plan(torch.zeros(500, 1)).lam
    assert ((lam >= 0) & (lam <= 1)).all()
    if mixup_alpha < 1:
        assert ((lam < 1e-3) | (lam > 1 - 1e-3)).float().mean() > 0.9
        assert 0.35 < lam.mean() < 0.65
    else:
        torch.testing.assert_close(lam, torch.full_like(lam, 0.5), atol=0.01, rtol=0)


def test_one_lam_a_batch_or_one_a_sample():
    x, y = data()
    assert len(seeded(CompleteGraph())(x, y).lam.unique()) == 1
    assert len(seeded(CompleteGraph(), per_sample=True)(x, y).lam.unique()) == 24


def test_prob_is_the_share_of_mixed_samples_and_the_rest_counts_one():
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


def test_generator_alone_is_touched_and_repeats():
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
    assert not list(mix.parameters())


def test_features_decide_the_weights_not_the_inputs():
    x, y = data()
    features = torch.randn(24, 5, generator=torch.Generator().manual_seed(9))
    mix = seeded(ExponentialGraph(0.5))
    batch = mix(x, y, features)
    plan = seeded(ExponentialGraph(0.5)).plan(features, y)
    np.testing.assert_allclose(batch.inputs, reference.mixed(x, plan.partner, plan.lam), atol=1e-6)
    expected = reference.exponential(features, 0.5)[np.arange(24), plan.partner.numpy()]
    np.testing.assert_allclose(batch.weights, expected, atol=1e-6)


def test_several_inputs_share_one_plan():
    image, y = data()
    table = torch.randn(24, 5, generator=torch.Generator().manual_seed(9))
    for x in ({"image": image, "table": table}, (image, table), [image, {"table": table}]):
        plan = seeded(ExponentialGraph(0.5)).plan(x, y)
        batch = seeded(ExponentialGraph(0.5))(x, y)
        assert type(batch.inputs) is type(x)
        parts = list(batch.inputs.values()) if isinstance(x, dict) else list(batch.inputs)
        np.testing.assert_allclose(parts[0], reference.mixed(image, plan.partner, plan.lam), atol=1e-6)
        joined = torch.cat([image.flatten(1), table], dim=1)
        expected = reference.exponential(joined, 0.5)[np.arange(24), plan.partner.numpy()]
        np.testing.assert_allclose(plan.weights, expected, atol=1e-6)


def test_gradients_pass_through_the_mixing_and_not_through_the_weights():
    x, y = data()
    layer = torch.nn.Linear(6, 6)
    hidden = layer(x.flatten(1))
    batch = seeded(ExponentialGraph(0.5))(hidden, y)
    assert not batch.weights.requires_grad
    batch.inputs.sum().backward()
    assert torch.isfinite(layer.weight.grad).all()
    assert layer.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_its_dtype_and_float32_weights(dtype):
    x, y = data(shape=(3, 64, 64))
    x = (x * 10).to(dtype)
    mix = seeded(ExponentialGraph(1e-3))
    batch = mix(x, y)
    assert batch.inputs.dtype == dtype
    assert batch.weights.dtype == torch.float32
    exact = seeded(ExponentialGraph(1e-3))(x.double(), y)
    torch.testing.assert_close(batch.weights.double(), exact.weights, atol=1e-6, rtol=0)


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=5), elements=finite),
    st.sampled_from([*GRAPHS, ExponentialGraph(math.inf), ExponentialGraph(0.0), ThresholdGraph(math.inf)]),
    st.sampled_from(["discard", "unmix"]),
    st.sampled_from(["permutation", "flip"]),
    st.booleans(),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_no_nan_and_no_infinity_leaves_on_finite_input(array, graph, outside, pairing, inplace, dtype):
    x = torch.from_numpy(array.copy()).to(dtype)
    y = torch.zeros(len(x), dtype=torch.long)
    low, high = x.min(), x.max()
    batch = LocalMixup(graph, outside=outside, pairing=pairing, per_sample=True)(x, y, inplace=inplace)
    assert torch.isfinite(batch.inputs).all()
    assert torch.isfinite(batch.weights).all()
    slack = 1e-6 * max(abs(low), abs(high))
    assert (batch.inputs >= low - slack).all()
    assert (batch.inputs <= high + slack).all()
    assert torch.isfinite(batch.loss(F.cross_entropy, torch.zeros(len(x), 2)))


def test_a_batch_of_one_and_an_empty_batch():
    for graph in GRAPHS:
        for pairing in PAIRINGS:
            batch = LocalMixup(graph, pairing=pairing)(torch.ones(1, 2), torch.zeros(1, dtype=torch.long))
            torch.testing.assert_close(batch.inputs, torch.ones(1, 2))
            assert batch.weights.tolist() == [1.0]
            empty = LocalMixup(graph, pairing=pairing)(torch.ones(0, 2), torch.zeros(0, dtype=torch.long))
            assert float(empty.loss(F.cross_entropy, torch.zeros(0, 3))) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mixup_alpha": -1}, "mixup_alpha must be >= 0"),
        ({"mixup_alpha": 0}, "mixup_alpha must be > 0"),
        ({"mixup_alpha": math.nan}, "mixup_alpha must be >= 0"),
        ({"prob": 1.5}, "prob must be between 0 and 1, got 1.5"),
        ({"pairing": "neighbours"}, "pairing must be one of .*; did you mean 'neighbors'"),
        ({"outside": "drop"}, "outside must be one of 'discard', 'unmix', got 'drop'"),
        ({"reduction": "average"}, "reduction must be one of"),
        ({"per_sample": "no"}, "per_sample must be True or False, got 'no'"),
        ({"generator": 3}, "generator must be a torch.Generator or None, got int"),
        ({"graph": ThresholdGraph}, "graph must be a graph such as"),
        ({"graph": 0.5}, "graph must be a graph such as"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        LocalMixup(**{"graph": CompleteGraph(), **options})
    mix = LocalMixup(CompleteGraph())
    before = repr(mix)
    with pytest.raises(ValueError, match=message):
        setattr(mix, *next(iter(options.items())))
    assert repr(mix) == before


@pytest.mark.parametrize(
    "graph", [ThresholdGraph(1.0), ExponentialGraph(1.0), KNNGraph(2), KNNGraph(2, symmetric=True)]
)
def test_features_that_diverged_do_not_go_unseen(graph):
    x, y = torch.randn(8, 3), torch.arange(8) % 2
    batch = seeded(graph, pairing="flip")(x, y, features=torch.full((8, 3), torch.nan))
    assert batch.loss(F.cross_entropy, torch.randn(8, 2)).isnan()
    one = torch.zeros(8, 3)
    one[2] = torch.nan
    weights = seeded(graph, pairing="flip").plan(one, y).weights
    assert weights[[2, 5]].isnan().all()
    assert weights[[0, 1, 3, 4, 6, 7]].isfinite().all()


def test_bad_batches_are_named():
    mix = LocalMixup(CompleteGraph())
    with pytest.raises(ValueError, match=r"same first dimension, the batch, got shapes \(4, 2\), \(3,\)"):
        mix(torch.zeros(4, 2), torch.zeros(3))
    with pytest.raises(ValueError, match=r"inputs must be floating point to be mixed, got torch\.int64"):
        mix(torch.zeros(4, 2, dtype=torch.long), torch.zeros(4))
    with pytest.raises(ValueError, match=r"inputs\['text'\]\[0\] must be a tensor"):
        mix({"text": ["a", "b"]}, torch.zeros(2))
    with pytest.raises(ValueError, match=r"value must hold 4 samples as the plan does, got shape \(5, 2\)"):
        mix.plan(torch.zeros(4, 2)).mix(torch.zeros(5, 2))


def test_a_graph_of_ones_own_is_enough():
    from localmixup import LocalityGraph

    class SameSign(LocalityGraph):
        def matrix(self, features):
            sign = features.flatten(1)[:, 0] > 0
            return ((sign[:, None] == sign[None]) | torch.eye(len(sign), dtype=torch.bool)).float()

    x = torch.tensor([[1.0], [-1.0], [2.0]])
    plan = seeded(SameSign(), pairing="flip").plan(x)
    assert plan.weights.tolist() == [1.0, 1.0, 1.0]
    assert isinstance(plan, MixPlan)
    assert isinstance(plan.apply(x, x), MixedBatch)


def test_within_and_between_are_independent_of_the_order_of_labels():
    # renaming the classes must not change who may meet whom: counts by own class, error rate 1e-3 at fixed seeds
    y = torch.tensor([0, 0, 0, 1, 1, 2])
    renamed = torch.tensor([7, 7, 7, 3, 3, 5])
    tables = []
    for labels, seed in ((y, 4), (renamed, 5)):
        mix = seeded(CompleteGraph(), seed=seed, pairing="between_class")
        partners = torch.stack([mix.plan(torch.zeros(6, 1), labels).partner for _ in range(2000)])
        tables.append(torch.bincount(partners[:, 0], minlength=6)[3:].numpy())
    assert chi2_contingency(np.stack(tables)).pvalue > 1e-3
