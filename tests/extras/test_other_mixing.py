"""CutMix, padded sequences and hidden layers along a plan, against loops over the samples."""

import copy
import math
import pickle

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from localmixup import (
    AdaptiveExponentialGraph,
    CompleteGraph,
    ExponentialGraph,
    LocalMixup,
    ManifoldLocalMixup,
    MixPlan,
    ThresholdGraph,
    cutmix,
    masked_mean,
    mix_sequences,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- CutMix ----------------------------------------------------------------------------------------------------


def pasted(plan, images, seed):
    """One image at a time, one pixel at a time, as the paper's code has it."""
    n, (height, width) = len(images), images.shape[-2:]
    points = torch.rand(2, n, generator=generator(seed))
    result, shares = images.clone(), []
    for i in range(n):
        ratio = math.sqrt(1 - float(plan.lam[i]))
        cut_height, cut_width = int(height * ratio), int(width * ratio)
        row, column = int(points[0, i] * height), int(points[1, i] * width)
        replaced = 0
        for r in range(max(0, row - cut_height // 2), min(height, row + cut_height // 2)):
            for c in range(max(0, column - cut_width // 2), min(width, column + cut_width // 2)):
                result[i, ..., r, c] = images[plan.partner[i], ..., r, c]
                replaced += 1
        shares.append(1 - replaced / (height * width))
    return result, torch.tensor(shares)


@given(
    st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31), st.booleans(),
    st.sampled_from([torch.float32, torch.uint8, torch.float16]),
)  # fmt: skip
def test_cutmix_is_the_loop_over_pixels(n, height, width, seed, per_sample, dtype):
    images = (torch.rand(n, 2, height, width, generator=generator(1)) * 255).to(dtype)
    y = torch.arange(n)
    mix = LocalMixup(
        ExponentialGraph(1e-2), per_sample=per_sample, prob=0.8, reduction="sum", generator=generator(seed)
    )
    plan = mix.plan(images, y)
    given = images.clone()
    batch = cutmix(plan, given, y, generator(seed))
    expected, lam = pasted(plan, images, seed)
    assert torch.equal(batch.inputs, expected)
    assert torch.equal(given, images)
    assert batch.inputs.dtype == dtype
    torch.testing.assert_close(batch.lam, lam, atol=1e-6, rtol=0)
    assert batch.lam.dtype == torch.float32
    assert torch.equal(batch.weights, plan.weights)
    assert torch.equal(batch.partner_targets, y[plan.partner])
    assert batch.reduction == "sum"
    untouched = plan.lam == 1
    assert (batch.lam[untouched] == 1).all()
    assert torch.equal(batch.inputs[untouched], images[untouched])


def test_cutmix_of_gray_images_videos_and_nothing():
    y = torch.arange(4)
    plan = LocalMixup(CompleteGraph(), generator=generator()).plan(torch.zeros(4, 1), y)
    for shape in ((4, 8, 6), (4, 3, 5, 8, 6)):
        images = torch.randn(shape, generator=generator())
        batch = cutmix(plan, images, {"class": y}, generator(3))
        expected, lam = pasted(plan, images, 3)
        assert torch.equal(batch.inputs, expected)
        torch.testing.assert_close(batch.lam, lam, atol=1e-6, rtol=0)
        assert torch.equal(batch.partner_targets["class"], plan.partner)
    empty = LocalMixup(CompleteGraph()).plan(torch.zeros(0, 1))
    assert cutmix(empty, torch.zeros(0, 3, 4, 4), y[:0]).inputs.shape == (0, 3, 4, 4)
    unmixed = LocalMixup(CompleteGraph()).eval().plan(images, y)
    assert torch.equal(cutmix(unmixed, images, y).inputs, images)


def test_cutmix_touches_its_generator_alone():
    before = torch.random.get_rng_state()
    plan = MixPlan(torch.tensor([1, 0]), torch.tensor([0.5, 0.5]), torch.ones(2))
    images = torch.randn(2, 1, 9, 9, generator=generator())
    one, two = (cutmix(plan, images, torch.arange(2), generator(5)).inputs for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("shape", [(2, 3), (3, 3, 8, 8)])
def test_cutmix_refuses_what_are_no_images_of_the_plan(shape):
    plan = MixPlan(torch.tensor([1, 0]), torch.ones(2), torch.ones(2))
    with pytest.raises(ValueError, match=r"images must have shape \(2, ..., height, width\), got"):
        cutmix(plan, torch.zeros(shape), torch.arange(2))


# ---- sequences -------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 2**31), st.booleans())
def test_sequences_are_mixed_one_by_one(lengths, seed, channels):
    n, longest = len(lengths), 5
    x = torch.randn(n, longest, *(3,) * channels, generator=generator(seed))
    mask = torch.arange(longest) >= torch.tensor(lengths)[:, None]
    x[mask] = math.nan  # whatever stands in the padding
    plan = LocalMixup(CompleteGraph(), per_sample=True, prob=0.7, generator=generator(seed)).plan(torch.zeros(n, 1))
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
def test_bad_masks_are_named(mask, message):
    plan = MixPlan(torch.tensor([1, 0]), torch.ones(2), torch.ones(2))
    for call in (
        lambda: mix_sequences(plan, torch.zeros(2, 4, 1), mask),
        lambda: masked_mean(torch.zeros(2, 4), mask),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match="inputs must be floating point"):
        mix_sequences(plan, torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 4, dtype=torch.bool))


# ---- hidden layers ---------------------------------------------------------------------------------------------


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Sequential(nn.Linear(8, 6), nn.ReLU()), nn.Linear(6, 3))


X = torch.randn(10, 5, generator=generator(1))
Y = torch.arange(10) % 3
PARTS = {"input": 0, "0": 1, "1": 2, "2": 3, "2.0": None}


@pytest.mark.parametrize("layer", PARTS)
def test_mixing_a_layer_is_mixing_it_by_hand(layer):
    model = network()
    options = {"mixup_alpha": 0.5, "outside": "unmix", "per_sample": True, "reduction": "mean"}
    manifold = ManifoldLocalMixup(model, [layer], ExponentialGraph(0.2), generator=generator(), **options)
    outputs, batch = manifold(X, Y)
    assert manifold.layer == layer
    lower = model[: PARTS[layer]] if layer != "2.0" else nn.Sequential(*model[:2], model[2][0])
    upper = model[PARTS[layer] :] if layer != "2.0" else nn.Sequential(model[2][1], model[3])
    hidden = lower(X)
    plan = LocalMixup(ExponentialGraph(0.2), generator=generator(), **options).plan(hidden, Y)
    torch.testing.assert_close(outputs, upper(plan.mix(hidden)))
    torch.testing.assert_close(
        batch.inputs, torch.from_numpy(np.asarray(reference.mixed(hidden.detach(), plan.partner, plan.lam))).float()
    )
    for ours, theirs in zip(batch[1:], plan.apply(hidden, Y)[1:], strict=True):
        assert torch.equal(ours, theirs)
    assert batch.reduction == "mean"
    batch.loss(F.cross_entropy, outputs).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_the_gradient_below_the_layer_is_that_of_the_mixed_pass():
    model, graph = network(), ExponentialGraph(0.2)
    outputs, batch = ManifoldLocalMixup(model, ["1"], graph, generator=generator())(X, Y)
    batch.loss(F.cross_entropy, outputs).backward()
    ours = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    hidden = model[:2](X)
    plan = LocalMixup(graph, generator=generator()).plan(hidden, Y)
    outputs = model[2:](plan.lam[:, None] * hidden + (1 - plan.lam[:, None]) * hidden[plan.partner])
    own, other = (F.cross_entropy(outputs, t, reduction="none") for t in (Y, Y[plan.partner]))
    loss = (plan.weights * (plan.lam * own + (1 - plan.lam) * other)).sum() / plan.weights.sum()
    loss.backward()
    for p, gradient in zip(model.parameters(), ours, strict=True):
        torch.testing.assert_close(p.grad, gradient)


def test_layers_are_drawn_uniformly_and_each_has_its_scale():
    model = network()
    manifold = ManifoldLocalMixup(model, ["input", "0", "2"], generator=generator(), mixup_alpha=0.5)
    counts = dict.fromkeys(manifold.layers, 0)
    for _ in range(600):
        manifold(X, Y)
        counts[manifold.layer] += 1
    assert min(counts.values()) > 150  # 200 each, four standard errors
    scales = manifold.state_dict()
    assert set(scales) == {"mix._extra_state", "mix.graph.0.scale", "mix.graph.1.scale", "mix.graph.2.scale"}
    for layer, scale in zip((X, model[:1](X), model[:3](X)), list(scales.values())[1:], strict=True):
        distances = torch.pdist(layer.detach())
        assert abs(float(torch.exp(-distances / scale).mean()) - 0.5) < 0.05
    other = ManifoldLocalMixup(model, ["input", "0", "2"], generator=generator(9), mixup_alpha=0.5)
    other.load_state_dict(scales)
    for twin in (other, pickle.loads(pickle.dumps(manifold))):
        state = copy.deepcopy(manifold)
        for _ in range(4):
            (a, ours), (b, theirs) = state(X, Y), twin(X, Y)
            torch.testing.assert_close(a, b)
            torch.testing.assert_close(ours.weights, theirs.weights)
            assert state.layer == twin.layer


def test_a_graph_for_each_layer():
    graphs = {"0": ThresholdGraph(0.0), "1": CompleteGraph()}
    manifold = ManifoldLocalMixup(network(), ["1", "0"], graphs, pairing="flip")
    seen = {}
    for _ in range(30):
        total = manifold(X, Y)[1].weights.sum().item()
        seen[total] = manifold.layer
    assert seen == {0.0: "0", 10.0: "1"}
    neighbors = ManifoldLocalMixup(network(), ["0", "1"], graphs, pairing="neighbors")
    neighbors(X, Y)


def test_hooks_are_gone_after_the_pass_and_after_an_error():
    model = network()
    manifold = ManifoldLocalMixup(model, ["0", "2.0"])
    manifold(X, Y)
    with pytest.raises(RuntimeError, match="mat1"):
        manifold(X[:, :3], Y)
    with pytest.raises(ValueError, match=r"activations must have the samples of the targets in the first dimension"):
        manifold(X, Y[:4])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not list(manifold.parameters())


def test_eval_mode_passes_through():
    model = network()
    manifold = ManifoldLocalMixup(model, ["input", "0"], outside="unmix", reduction="sum")
    for module in (manifold, model):
        module.eval()
        outputs, batch = manifold(X, Y)
        assert torch.equal(outputs, model(X))
        assert manifold.layer is None
        assert batch.inputs is X
        assert batch.reduction == "sum"
        assert torch.equal(batch.weights, torch.ones(10))
        torch.testing.assert_close(batch.loss(F.cross_entropy, outputs), F.cross_entropy(outputs, Y, reduction="sum"))
        module.train()


class Strange(nn.Module):
    """A layer used twice, one never, one that returns a tuple; a keyword argument; and it owns its mixer."""

    def __init__(self):
        super().__init__()
        self.twice = nn.Linear(5, 5)
        self.never = nn.Linear(5, 5)
        self.several = nn.LSTM(5, 4, batch_first=True)
        self.head = nn.Linear(4, 3)
        self.manifold = ManifoldLocalMixup(self, ["twice"], CompleteGraph(), generator=generator())

    def forward(self, x, scale=1.0):
        hidden = self.twice(self.twice(x)) * scale
        return self.head(self.several(hidden[:, None])[0][:, 0])


def test_any_module_will_do():
    model = Strange()
    outputs, _ = model.manifold(X, Y, scale=2.0)
    plan = LocalMixup(CompleteGraph(), generator=generator()).plan(X, Y)
    hidden = model.twice(plan.mix(model.twice(X))) * 2.0
    torch.testing.assert_close(outputs, model.head(model.several(hidden[:, None])[0][:, 0]))
    assert len(list(model.parameters())) == 10
    twin = copy.deepcopy(model)
    assert twin.manifold.model is twin
    never = ManifoldLocalMixup(model, ["never"])
    with pytest.raises(RuntimeError, match="layer 'never' did not run"):
        never(X, Y)
    # the state of an LSTM has the samples in its second dimension
    with pytest.raises(ValueError, match="first dimension"):
        ManifoldLocalMixup(model, ["several"])(X, Y)


@pytest.mark.parametrize(
    ("layers", "graph", "message"),
    [
        (["9"], None, r"layers must be of 'input', '0', '1', '2', '2.0', '2.1', '3', got '9'"),
        ([], None, r"layers must be a list of names of layers, got \[\]"),
        ("0", None, "layers must be a list of names of layers, got '0'"),
        (["0", "1"], {"0": CompleteGraph()}, r"graph must have one graph for each of \['0', '1'\], got \['0'\]"),
        (["0"], 3, "graph must be a graph such as"),
    ],
)
def test_bad_layers_are_named(layers, graph, message):
    with pytest.raises(ValueError, match=message):
        ManifoldLocalMixup(network(), layers, graph)
