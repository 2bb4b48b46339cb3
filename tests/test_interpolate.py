"""Mixing of tensors: the formula, its bits where nothing changes, memory formats, and large batches in blocks."""

import math

import numpy as np
import pytest
import reference
import torch
from helpers import data, generator, same_bits, seeded
from hypothesis import given
from hypothesis import strategies as st

import localmixup._interpolate
from localmixup import ExponentialGraph, LocalMixup, ThresholdGraph
from localmixup._interpolate import Difference, flat_rows, interpolate, is_dense_in_rows


@given(
    st.integers(1, 6), st.integers(0, 2**31), st.booleans(),
    st.sampled_from([(torch.float16, 2e-3), (torch.bfloat16, 2e-2), (torch.float32, 1e-6), (torch.float64, 1e-12)]),
)  # fmt: skip
def test_mixing_agrees_with_a_loop(n, seed, inplace, kind):
    dtype, tolerance = kind
    g = generator(seed)
    x = torch.randn(n, 2, 3, generator=g).to(dtype)
    partner, lam = torch.randint(n, (n,), generator=g), torch.rand(n, generator=g).round(decimals=1)
    lam = lam.double() if dtype == torch.float64 else lam
    given = x.clone()
    mixed = interpolate(given, partner, lam, inplace=inplace)
    np.testing.assert_allclose(mixed.double(), reference.mixed(x.double(), partner, lam), atol=4 * tolerance)
    assert mixed.dtype == dtype
    assert same_bits(mixed[lam == 1], x[lam == 1])
    assert (mixed.data_ptr() == given.data_ptr()) == inplace
    assert inplace or same_bits(given, x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_largest_numbers_do_not_overflow(dtype):
    top = torch.finfo(dtype).max
    x = torch.tensor([[top], [-top], [top]], dtype=dtype)
    mixed = interpolate(x, torch.tensor([1, 0, 0]), torch.tensor([0.5, 0.25, 0.3]))
    np.testing.assert_allclose((mixed / top).double(), [[0.0], [0.5], [1.0]], atol=1e-2)


def formats(n=6):
    base = torch.randn(n, 3, 4, 5, generator=generator())
    return {
        "contiguous": base,
        "channels last": base.to(memory_format=torch.channels_last),
        "dimensions permuted": base.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1),
        "every second row": torch.randn(2 * n, 3, 4, 5, generator=generator())[::2],
        "a part of each row": torch.randn(n, 3, 4, 9, generator=generator())[..., :5],
        "expanded": base[:1].expand(n, 3, 4, 5),
        "samples last in memory": base.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2),
    }


@pytest.mark.parametrize("still", [0, 1, 10, 19, 20])
@pytest.mark.parametrize("inplace", [False, True])
def test_samples_that_stay_are_untouched_however_many_move(still, inplace):
    x, _ = data(20, (3, 4))
    x[3], x[4, 0] = -0.0, math.inf  # lam = 1 would change the sign of the zero, and the partner of an inf to NaN
    partner = torch.tensor([4, *range(19)])
    lam = torch.rand(20, generator=generator(1))
    stays = torch.randperm(20, generator=generator(2))[:still]
    lam[stays] = 1.0
    expected = lam[:, None, None] * x + (1 - lam[:, None, None]) * x[partner]
    expected[stays] = x[stays]
    mixed = interpolate(x.clone(), partner, lam, inplace=inplace)
    assert same_bits(mixed[stays], x[stays])
    torch.testing.assert_close(mixed, expected, equal_nan=True)


def test_rows_are_dense_if_their_values_lie_next_to_each_other():
    dense = {name for name, x in formats().items() if is_dense_in_rows(x)}
    assert dense == {"contiguous", "channels last", "dimensions permuted"}
    for name in dense:
        x = formats()[name]
        flat = flat_rows(x)
        assert flat.shape == (6, 60)
        assert flat.data_ptr() == x.data_ptr()
        assert torch.equal(flat.sort(dim=1).values, x.flatten(1).sort(dim=1).values)


@pytest.mark.parametrize("name", formats())
@pytest.mark.parametrize("pairing", ["permutation", "flip"])
@pytest.mark.parametrize("outside", ["discard", "unmix"])
def test_every_layout_in_memory_gives_the_same_batch_in_the_same_format(name, pairing, outside):
    x, y = formats()[name], torch.arange(6)
    options = {"pairing": pairing, "outside": outside, "per_sample": True}
    expected = seeded(ExponentialGraph(0.1), **options)(x.contiguous(), y)
    format_of = torch.channels_last if name == "channels last" else torch.preserve_format
    batch = seeded(ExponentialGraph(0.1), **options)(x.clone(memory_format=format_of), y, inplace=True)
    torch.testing.assert_close(batch.inputs, expected.inputs)
    torch.testing.assert_close(batch.weights, expected.weights)
    batch = seeded(ExponentialGraph(0.1), **options)(x, y)
    torch.testing.assert_close(batch.inputs, expected.inputs)
    assert batch.inputs.stride() == torch.empty_like(x).stride()


@pytest.mark.parametrize("n", [1, 2, 7, 24])
@pytest.mark.parametrize("inplace", [False, True])
def test_a_large_flipped_batch_in_blocks_is_the_simple_formula(n, inplace, monkeypatch):
    monkeypatch.setattr(localmixup._interpolate, "_LARGE_BYTES", 0)
    monkeypatch.setattr(localmixup._interpolate, "_BLOCK_BYTES", 3 * 4 * 15)  # three rows
    for options in ({}, {"outside": "unmix"}, {"per_sample": True}, {"outside": "unmix", "per_sample": True}):
        x, y = data(n, shape=(3, 5))
        x[:, 0, 0] = -0.0
        mix = seeded(ExponentialGraph(0.2), pairing="flip", **options)
        plan = seeded(ExponentialGraph(0.2), pairing="flip", **options).plan(x, y)
        given = x.clone()
        batch = mix(given, y, inplace=inplace)
        np.testing.assert_allclose(batch.inputs, reference.mixed(x, plan.partner, plan.lam), atol=1e-6)
        torch.testing.assert_close(batch.weights, plan.weights)
        assert (batch.inputs.data_ptr() == given.data_ptr()) == inplace
        stays = plan.partner == torch.arange(n)
        assert same_bits(batch.inputs[stays & (plan.lam == 1)], x[stays & (plan.lam == 1)])
        assert inplace or same_bits(given, x)


def test_a_large_batch_is_worked_through_in_blocks_by_itself():
    x = torch.randn(32, 1, generator=generator()).expand(32, 150_000).contiguous()  # more than 16 MB
    assert Difference(x, torch.arange(31, -1, -1), flipped=True)._in_blocks
    plan = seeded(ExponentialGraph(0.001), pairing="flip").plan(x)
    batch = seeded(ExponentialGraph(0.001), pairing="flip")(x.clone(), torch.arange(32), inplace=True)
    torch.testing.assert_close(batch.inputs, plan.mix(x))
    torch.testing.assert_close(batch.weights, plan.weights)


def test_differences_that_overflow_are_mixed_the_other_way():
    x = torch.tensor([[3e38, 0.0], [-3e38, 0.0], [1e25, 1.0]])
    assert Difference(x, torch.tensor([1, 0, 2])).out_of_range
    batch = LocalMixup(ThresholdGraph(math.inf), pairing="flip", mixup_alpha=math.inf)(x, torch.arange(3))
    np.testing.assert_allclose(batch.inputs[0], [1.5e38, 0.5], rtol=1e-6)
    assert batch.weights.tolist() == [1.0, 1.0, 1.0]
