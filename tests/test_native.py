"""The native path gives what the plain one gives: the same plans for the same generator state, the same batches."""

import math
import os
import shutil
import subprocess
import sys

import pytest
import torch

from localmixup import (
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalMixup,
    MixingSchedule,
    ThresholdGraph,
    native,
)

COMPILER = os.environ.get("CXX", "c++")


def both_ways(mix_plain, mix_native, x, y, inplace):
    given_plain, given_native = x.clone(), x.clone()
    plain, fast = mix_plain(given_plain, y, inplace=inplace), mix_native(given_native, y, inplace=inplace)
    assert type(plain) is type(fast)
    torch.testing.assert_close(fast.inputs, plain.inputs, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(fast.weights, plain.weights, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(fast.lam, plain.lam, atol=1e-7, rtol=1e-6)
    assert torch.equal(fast.partner_targets, plain.partner_targets)
    assert fast.targets is y
    assert (fast.inputs.data_ptr() == given_native.data_ptr()) == inplace
    assert inplace or torch.equal(given_native, x)
    assert torch.isfinite(fast.inputs).all()
    assert torch.isfinite(fast.weights).all()


@pytest.mark.skipif(shutil.which(COMPILER) is None, reason="no C++ compiler")
def test_the_native_path_is_the_plain_one(tmp_path, monkeypatch):
    # one test, so that the library is built once
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = subprocess.run([sys.executable, "-m", "localmixup.native"], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert str(native.library_path()) in made.stdout
    graphs = [ExponentialGraph(0.05), ExponentialGraph(0.0), ExponentialGraph(1.0, metric="rms"), CompleteGraph()]
    graphs += [ThresholdGraph(8.0), ThresholdGraph(math.inf), ThresholdGraph(0.0)]
    g = torch.Generator().manual_seed(0)
    shapes = [(1, 3), (7, 5), (32, 3, 4, 4), (16, 9000), (6, 1)]
    batches = [torch.randn(s, generator=g) for s in shapes]
    batches += [torch.randn(8, 40, generator=g) + 100, torch.randn(9, 6, generator=g) * 3e38, torch.zeros(4, 2)]
    for graph in graphs:
        for options in ({}, {"pairing": "flip"}, {"mixup_alpha": 0.3}, {"mixup_alpha": math.inf}, {"reduction": "sum"}):
            plain = LocalMixup(graph, generator=torch.Generator().manual_seed(1), **options)
            assert plain._native is None
            monkeypatch.setenv("LOCALMIXUP_NATIVE", "1")
            native.load.cache_clear()
            fast = LocalMixup(graph, generator=torch.Generator().manual_seed(1), **options)
            assert fast._native is not None
            for x in batches:
                x = x.clamp(-3.4e38, 3.4e38)
                for y in (torch.arange(len(x)), torch.randn(len(x), 2)):
                    for inplace in (False, True):
                        both_ways(plain, fast, x, y, inplace)
            assert torch.equal(plain.generator.get_state(), fast.generator.get_state())
            monkeypatch.setenv("LOCALMIXUP_NATIVE", "0")
            native.load.cache_clear()
    monkeypatch.setenv("LOCALMIXUP_NATIVE", "1")
    native.load.cache_clear()
    for graph, options in [
        (IdentityGraph(), {}), (KNNGraph(2), {}), (ExponentialGraph(math.inf), {}), (ThresholdGraph(1.0), {"prob": 0.5}),
        (ThresholdGraph(1.0, metric="cosine"), {}), (ThresholdGraph(1.0), {"outside": "unmix"}),
        (ThresholdGraph(1.0), {"per_sample": True}), (ThresholdGraph(1.0), {"pairing": "neighbors"}),
    ]:  # fmt: skip
        assert LocalMixup(graph, **options)._native is None
    # its own exponential, from 1 down to the denormal numbers and zero
    far = torch.cat([torch.linspace(0, 120, 4001), torch.tensor([1e30, 3e38])])
    x = torch.cat([far, torch.zeros_like(far)])[:, None]
    weights = LocalMixup(ExponentialGraph(1.0), pairing="flip")(x, torch.arange(len(x))).weights
    ends = torch.cat([far, far.flip(0)]).double()
    exact = torch.exp(-ends)
    # a distance is rounded to float32, which changes its exponential by its own size times as much
    assert float(((weights - exact).abs() / (exact * (1 + ends)).clamp_min(1e-37)).max()) < 3e-7
    mix = LocalMixup(ThresholdGraph(3.0))
    x, y = torch.randn(6, 4), torch.arange(6)
    for odd in (x.half(), x.double(), x.t().contiguous().t(), x.clone().requires_grad_(), torch.randn(6)):
        batch = mix(odd, y)
        assert batch.inputs.dtype == odd.dtype
        assert batch.inputs.requires_grad == odd.requires_grad
    changed = LocalMixup(ThresholdGraph(3.0), reduction="sum")
    changed.prob = 0.0  # a setting changed between batches counts on either path
    changed.reduction = "mean"
    assert torch.equal(changed(x, y).inputs, x)
    assert changed(x, y).reduction == "mean"
    changed.prob, changed.graph = 1.0, ThresholdGraph(0.0)
    assert changed._native is not None
    weights = changed(x, y).weights
    assert set(weights.tolist()) <= {0.0, 1.0}
    schedule = MixingSchedule(
        LocalMixup(ThresholdGraph(9.0), pairing="flip"), total_steps=3, off_share=0.34, radius=(2, 0.5)
    )
    for weight, on in ((1.0, True), (0.0, True), (1.0, False)):
        assert (schedule.mix._native is not None) == on
        batch = schedule.mix(torch.tensor([[0.0], [1.0]]), torch.arange(2))
        assert batch.weights.tolist() == [weight, weight]
        assert (batch.partner_targets.tolist() == [1, 0]) == on
        schedule.step()
    first = LocalMixup(ThresholdGraph(1.0), generator=torch.Generator().manual_seed(0))
    first(x, y)
    again = LocalMixup.from_config(first.to_config(), torch.Generator())
    again.load_state_dict(first.state_dict())
    assert again._native is not None
    assert torch.equal(again(x, y).inputs, first(x, y).inputs)
    assert mix.eval()(x, y).inputs is x
    with pytest.raises(ValueError, match="same first dimension"):
        mix.train()(x, torch.arange(5))
    native.load.cache_clear()


def test_without_a_compiler_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(RuntimeError, match="no C\\+\\+ compiler: no-such-compiler"):
        native.build("no-such-compiler")
    monkeypatch.setenv("LOCALMIXUP_NATIVE", "1")
    native.load.cache_clear()
    assert native.load() is None
    native.library_path().parent.mkdir(parents=True, exist_ok=True)
    native.library_path().write_bytes(b"built for another system")
    native.load.cache_clear()
    assert native.load() is None
    native.load.cache_clear()
