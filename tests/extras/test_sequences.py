"""Padded sequences, mixed one by one and one position at a time."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from helpers import generator, seeded
from hypothesis import given
from hypothesis import strategies as st

from localmixup import (
    AdaptiveExponentialGraph,
    CompleteGraph,
    ExponentialGraph,
    MixPlan,
    masked_mean,
    mix_sequences,
)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 2**31), st.booleans())
def test_sequences_agree_with_a_loop(lengths, seed, channels):
    n, longest = len(lengths), 5
    x = torch.randn(n, longest, *(3,) * channels, generator=generator(seed))
    mask = torch.arange(longest) >= torch.tensor(lengths)[:, None]
    x[mask] = math.nan  # whatever stands in the padding
    plan = seeded(CompleteGraph(), seed, per_sample=True, prob=0.7).plan(torch.zeros(n, 1))
    mixed, mixed_mask = mix_sequences(plan, x, mask)
    for i, j in enumerate(plan.partner.tolist()):
        assert mixed_mask[i].logical_not().sum() == max(lengths[i], lengths[j])
        for t in range(longest):
            own = x[i, t] if t < lengths[i] else torch.zeros_like(x[i, t])
            other = x[j, t] if t < lengths[j] else torch.zeros_like(x[i, t])
            torch.testing.assert_close(mixed[i, t], plan.lam[i] * own + (1 - plan.lam[i]) * other)
    features = masked_mean(x, mask)
    assert features.shape == (n, *x.shape[2:])
    for i, length in enumerate(lengths):
        expected = x[i, :length].mean(dim=0) if length else torch.zeros_like(x[0, 0])
        torch.testing.assert_close(features[i], expected)


def test_distances_do_not_see_padding():
    x = torch.randn(3, 4, 2, generator=generator())
    mask = torch.arange(4) >= torch.tensor([4, 2, 3])[:, None]
    longer, longer_mask = F.pad(x, (0, 0, 0, 7), value=9.0), F.pad(mask, (0, 7), value=True)
    for graph in (ExponentialGraph(1.0), AdaptiveExponentialGraph()):
        a, b = (copy.deepcopy(graph).matrix(masked_mean(*both)) for both in ((x, mask), (longer, longer_mask)))
        torch.testing.assert_close(a, b)
    assert masked_mean(x.half(), mask).dtype == torch.float32
    assert masked_mean(x.double(), mask).dtype == torch.float64


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.zeros(2, 4), r"padding_mask must be torch.bool of the shape .* \(2, 4\), got torch.float32"),
        (torch.zeros(2, 3, dtype=torch.bool), r"got torch.bool of shape \(2, 3\)"),
    ],
)
def test_a_bad_mask_is_named(mask, message):
    plan = MixPlan(torch.tensor([1, 0]), torch.ones(2), torch.ones(2))
    with pytest.raises(ValueError, match=message):
        mix_sequences(plan, torch.zeros(2, 4, 1), mask)
    with pytest.raises(ValueError, match=message):
        masked_mean(torch.zeros(2, 4), mask)
    with pytest.raises(ValueError, match="inputs must be floating point"):
        mix_sequences(plan, torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 4, dtype=torch.bool))
