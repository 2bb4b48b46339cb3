"""Who is mixed with whom, and how `lam` is drawn. Statistical tests have fixed seeds and an error rate of 1e-3 each."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import generator, p_value, seeded
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from localmixup import CompleteGraph
from localmixup._partners import between_class, draw_lam, permutation, within_class


def draw(count, mixup_alpha, dtype=torch.float64):
    return draw_lam(count, mixup_alpha, dtype=dtype, device=torch.device("cpu"), generator=generator())


@pytest.mark.parametrize("mixup_alpha", [0.1, 0.5, 1.0, 4.0])
def test_lam_follows_the_beta_distribution(mixup_alpha):
    assert kstest(draw(5000, mixup_alpha).numpy(), "beta", args=(mixup_alpha, mixup_alpha)).pvalue > 1e-3


@pytest.mark.parametrize("mixup_alpha", [1e-310, 1e-300, 1e-6, 1e-3, 1e6, 1e300, 1e308, math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_extreme_mixup_alpha_gives_numbers_near_its_limit(mixup_alpha, dtype):
    lam = draw(500, mixup_alpha, dtype)
    assert lam.dtype == dtype
    assert ((lam >= 0) & (lam <= 1)).all()
    if mixup_alpha < 1:  # almost always 0 or 1, with equal probability
        assert ((lam < 1e-3) | (lam > 1 - 1e-3)).float().mean() > 0.9
        assert 0.4 < lam.mean() < 0.6  # four standard errors
    else:
        torch.testing.assert_close(lam, torch.full_like(lam, 0.5), atol=0.01, rtol=0)


def test_permutations_are_uniform():
    g = generator(2)
    seen = [tuple(permutation(3, device=torch.device("cpu"), generator=g).tolist()) for _ in range(3000)]
    assert p_value([seen.count(p) for p in itertools.permutations(range(3))], [500] * 6) > 1e-3


def test_flip_pairs_the_first_with_the_last():
    plan = seeded(CompleteGraph(), pairing="flip").plan(torch.zeros(5, 1))
    assert plan.partner.tolist() == [4, 3, 2, 1, 0]


def test_roll_pairs_each_sample_with_the_one_before_and_none_with_itself():
    for n in (0, 1, 2, 5):
        plan = seeded(CompleteGraph(), pairing="roll").plan(torch.zeros(n, 1))
        assert plan.partner.tolist() == [(i - 1) % n for i in range(n)]
    assert float(seeded(CompleteGraph(), pairing="roll").plan(torch.zeros(2, 1)).mixed_share) == 1


@given(st.lists(st.integers(-3, 4), max_size=20), st.integers(0, 2**31))
def test_pairing_by_class_never_breaks_its_rule(labels, seed):
    y = torch.tensor(labels, dtype=torch.long)
    x, itself = torch.zeros(len(y), 1), torch.arange(len(y))
    within = seeded(CompleteGraph(), seed, pairing="within_class").plan(x, y)
    assert torch.equal(y[within.partner], y)
    alone = (y[:, None] == y[None]).sum(1) == 1
    assert torch.equal(within.partner == itself, alone)
    between = seeded(CompleteGraph(), seed, pairing="between_class").plan(x, y)
    if len(set(labels)) > 1:
        assert (y[between.partner] != y).all()
    else:
        assert torch.equal(between.partner, itself)
    for plan in (within, between):  # samples that meet themselves stay unchanged and count 1
        assert (plan.weights[plan.partner == itself] == 1).all()
        assert (plan.lam[plan.partner == itself] == 1).all()


@pytest.mark.parametrize("pairing", [within_class, between_class])
def test_pairing_by_class_is_uniform_among_those_allowed(pairing):
    y = torch.tensor([7, 3, 7, 3, 7, 7, 5])
    same = (y[:, None] == y[None]).numpy()
    allowed = same & ~np.eye(7, dtype=bool) if pairing is within_class else ~same
    allowed |= np.diag(~allowed.any(1))
    g, counts = generator(3), np.zeros((7, 7))
    for _ in range(1000):
        counts[np.arange(7), pairing(y, generator=g).numpy()] += 1
    assert p_value(counts, 1000 * allowed / allowed.sum(1, keepdims=True)) > 1e-3


def test_pairing_by_class_takes_soft_and_one_hot_labels_and_columns():
    y = torch.tensor([0, 1, 0, 1])
    soft = F.one_hot(y, 2).float() * 0.8 + 0.1
    for labels in (soft, F.one_hot(y, 2), y[:, None]):
        plan = seeded(CompleteGraph(), pairing="within_class").plan(torch.zeros(4, 1), labels)
        assert plan.partner.tolist() == [2, 3, 0, 1]


@pytest.mark.parametrize("y", [None, {"y": torch.zeros(4)}, torch.rand(4), torch.ones(4, 3), torch.zeros(4, 2, 2)])
def test_pairing_by_class_refuses_targets_without_one_class_per_sample(y):
    with pytest.raises(ValueError, match=r"pairing by class needs targets with one class per sample: .*, got "):
        seeded(CompleteGraph(), pairing="within_class").plan(torch.zeros(4, 1), y)
