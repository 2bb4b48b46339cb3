"""Mixing of hidden layers, against mixing by hand, also under activation checkpointing."""

import copy
import pickle

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from helpers import generator, seeded
from torch import nn
from torch.utils.checkpoint import checkpoint

from localmixup import CompleteGraph, ExponentialGraph, ManifoldLocalMixup, ThresholdGraph

X = torch.randn(10, 5, generator=generator(1))
Y = torch.arange(10) % 3
PARTS = {"input": 0, "0": 1, "1": 2, "2": 3, "2.0": None}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Sequential(nn.Linear(8, 6), nn.ReLU()), nn.Linear(6, 3))


@pytest.mark.parametrize("layer", PARTS)
def test_mixing_a_layer_is_mixing_it_by_hand(layer):
    model = network()
    options = {"mixup_alpha": 0.5, "outside": "unmix", "per_sample": True}
    manifold = ManifoldLocalMixup(model, [layer], ExponentialGraph(0.2), generator=generator(), **options)
    outputs, batch = manifold(X, Y)
    assert manifold.layer == layer
    lower = model[: PARTS[layer]] if layer != "2.0" else nn.Sequential(*model[:2], model[2][0])
    upper = model[PARTS[layer] :] if layer != "2.0" else nn.Sequential(model[2][1], model[3])
    hidden = lower(X)
    partner = _partners_of(batch, hidden)
    torch.testing.assert_close(
        batch.inputs, torch.from_numpy(reference.mixed(hidden.detach(), partner, batch.lam)).float()
    )
    torch.testing.assert_close(outputs, upper(batch.inputs))
    assert torch.equal(batch.partner_targets, Y[partner])
    assert (batch.weights == 1).all()
    batch.loss(F.cross_entropy, outputs).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def _partners_of(batch, hidden):
    """Find the partner of each sample from its mixed activation."""
    rest = batch.inputs - batch.lam[:, None] * hidden
    ends = (1 - batch.lam)[:, None, None] * hidden[None]
    partner = (rest[:, None] - ends).norm(dim=2).argmin(1)
    return torch.where(batch.lam == 1, torch.arange(len(hidden)), partner)


def test_the_weights_are_those_of_the_activations():
    model = network()
    _, batch = ManifoldLocalMixup(model, ["1"], ExponentialGraph(0.7), generator=generator(), pairing="flip")(X, Y)
    w = reference.exponential(model[:2](X).detach(), 0.7)
    np.testing.assert_allclose(batch.weights, w[np.arange(10), np.arange(10)[::-1]], atol=1e-6)


def test_the_gradient_below_the_layer_is_that_of_the_mixed_pass():
    model = network()
    outputs, batch = ManifoldLocalMixup(model, ["1"], ExponentialGraph(0.2), generator=generator(), pairing="flip")(
        X, Y
    )
    batch.loss(F.cross_entropy, outputs).backward()
    ours = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    hidden = model[:2](X)
    lam = batch.lam[:, None]
    outputs = model[2:](lam * hidden + (1 - lam) * hidden.flip(0))
    own, other = (F.cross_entropy(outputs, t, reduction="none") for t in (Y, Y.flip(0)))
    loss = (batch.weights * (batch.lam * own + (1 - batch.lam) * other)).sum() / batch.weights.sum()
    loss.backward()
    for p, gradient in zip(model.parameters(), ours, strict=True):
        torch.testing.assert_close(p.grad, gradient)


# ---- which layer -----------------------------------------------------------------------------------------------------


def test_layers_are_drawn_uniformly_and_each_has_its_scale():
    model = network()
    manifold = ManifoldLocalMixup(model, ["input", "0", "2"], generator=generator(), mixup_alpha=0.5)
    counts = dict.fromkeys(manifold.layers, 0)
    for _ in range(300):
        manifold(X, Y)
        counts[manifold.layer] += 1
    assert min(counts.values()) > 67  # 100 each, four standard errors
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
    ManifoldLocalMixup(network(), ["0", "1"], graphs, pairing="neighbors")(X, Y)


# ---- the model is left as it was -------------------------------------------------------------------------------------


def test_the_model_alone_is_unchanged_after_a_pass_and_after_an_error():
    model = network()
    expected = model(X)
    manifold = ManifoldLocalMixup(model, ["0", "2.0"])
    manifold(X, Y)
    assert torch.equal(model(X), expected)
    with pytest.raises(RuntimeError, match="mat1"):
        manifold(X[:, :3], Y)
    with pytest.raises(ValueError, match=r"activations must have the samples of the targets in the first dimension"):
        manifold(X, Y[:4])
    assert torch.equal(model(X), expected)
    for _ in range(5):
        manifold(X, Y)
        ManifoldLocalMixup(model, ["0", "2.0"])(X, Y)
    assert max(len(m._forward_hooks) for m in model.modules()) == 1, "hooks pile up"
    assert not list(manifold.parameters())


def test_eval_mode_passes_through():
    model = network()
    manifold = ManifoldLocalMixup(model, ["input", "0"], outside="unmix")
    for module in (manifold, model):
        module.eval()
        outputs, batch = manifold(X, Y)
        assert torch.equal(outputs, model(X))
        assert manifold.layer is None
        assert batch.inputs is X
        assert torch.equal(batch.weights, torch.ones(10))
        torch.testing.assert_close(batch.loss(nn.CrossEntropyLoss(), outputs), F.cross_entropy(outputs, Y))
        module.train()


class Strange(nn.Module):
    """A layer used twice, one never, one that returns a tuple; a keyword argument; and it owns its mixer."""

    def __init__(self):
        super().__init__()
        self.twice = nn.Linear(5, 5)
        self.never = nn.Linear(5, 5)
        self.several = nn.LSTM(5, 4, batch_first=True)
        self.head = nn.Linear(4, 3)
        self.manifold = ManifoldLocalMixup(self, ["twice"], CompleteGraph(), generator=generator(), pairing="flip")

    def forward(self, x, scale=1.0):
        hidden = self.twice(self.twice(x)) * scale
        return self.head(self.several(hidden[:, None])[0][:, 0])


def test_any_module_serves():
    model = Strange()
    outputs, batch = model.manifold(X, Y, scale=2.0)
    first = model.twice(X)  # only the first output is mixed
    lam = batch.lam[:, None]
    hidden = F.linear(lam * first + (1 - lam) * first.flip(0), model.twice.weight, model.twice.bias) * 2.0
    torch.testing.assert_close(outputs, model.head(model.several(hidden[:, None])[0][:, 0]))
    assert len(list(model.parameters())) == 10
    twin = copy.deepcopy(model)
    assert twin.manifold.model is twin
    with pytest.raises(RuntimeError, match="layer 'never' did not run"):
        ManifoldLocalMixup(model, ["never"])(X, Y)
    # the state of an LSTM has the samples in its second dimension
    with pytest.raises(ValueError, match="first dimension"):
        ManifoldLocalMixup(model, ["several"])(X, Y)


# ---- activation checkpointing ----------------------------------------------------------------------------------------


class Blocks(nn.Module):
    """Two blocks with dropout, each of which may be computed again in the backward pass."""

    def __init__(self, use_reentrant, *, dropout=0.5, twice=False):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Linear(5, 8)
        self.first = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Dropout(dropout))
        self.second = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Dropout(dropout))
        self.head = nn.Linear(8, 3)
        self.use_reentrant, self.twice = use_reentrant, twice

    def forward(self, x):
        hidden = self.stem(x)
        for block in (self.first, self.first if self.twice else self.second):
            hidden = block(hidden) if self.use_reentrant is None else self._again(block, hidden)
        return self.head(hidden)

    def _again(self, block, hidden):
        return checkpoint(block, hidden, use_reentrant=self.use_reentrant)


def gradients(use_reentrant, layer, *, draws, **options):
    model = Blocks(use_reentrant, **options)
    given = generator() if draws == "given" else None
    manifold = ManifoldLocalMixup(model, [layer], ExponentialGraph(0.2), generator=given, per_sample=True)
    torch.manual_seed(1)
    total = []
    for _ in range(2):  # the second pass must not use the plan of the first
        outputs, batch = manifold(X, Y)
        loss = batch.loss(nn.CrossEntropyLoss(), outputs)
        loss.backward()
        total.append(loss.detach())
    return torch.stack(total), [p.grad for p in model.parameters()]


@pytest.mark.parametrize("use_reentrant", [True, False])
@pytest.mark.parametrize("layer", ["stem", "first.0", "first", "second.1"])
@pytest.mark.parametrize("draws", ["given", "global"])
def test_checkpointing_changes_no_gradient(use_reentrant, layer, draws):
    losses, plain = gradients(None, layer, draws=draws)
    again, checkpointed = gradients(use_reentrant, layer, draws=draws)
    torch.testing.assert_close(again, losses)
    for a, b in zip(plain, checkpointed, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_checkpointed_layer_that_runs_twice_is_an_error(use_reentrant):
    with pytest.raises(
        RuntimeError, match="a layer that runs several times in a pass cannot be mixed under activation"
    ):
        gradients(use_reentrant, "first.0", draws="given", twice=True)
    # without checkpointing it is mixed the first time
    gradients(None, "first.0", draws="given", twice=True)


def test_another_use_of_the_model_before_the_backward_pass_is_not_mixed():
    model = Blocks(False, dropout=0.0)
    expected = model(X)
    outputs, batch = ManifoldLocalMixup(model, ["first.0"], CompleteGraph(), generator=generator())(X, Y)
    torch.testing.assert_close(model(X), expected)
    batch.loss(F.cross_entropy, outputs).backward()


# ---- several passes before one backward pass ---------------------------------------------------------------------


class Passes:
    """Losses of several uses of one model, by two mixers of different layers, before one backward pass."""

    def __init__(self, use_reentrant):
        self.model = Blocks(use_reentrant)
        self.first = ManifoldLocalMixup(self.model, ["first.0"], ExponentialGraph(0.2), generator=generator(1))
        self.second = ManifoldLocalMixup(self.model, ["second"], ExponentialGraph(0.2), generator=generator(2))

    def mixed(self, manifold=None, x=X):
        outputs, batch = (manifold or self.first)(x, Y)
        return batch.loss(F.cross_entropy, outputs)

    def plain(self):
        return F.cross_entropy(self.model(X), Y)

    def evaluated(self):
        self.first.eval()
        loss = F.cross_entropy(self.first(X, Y)[0], Y)
        self.first.train()
        return loss

    def without_gradient(self):
        with torch.no_grad():
            self.model(X)
            self.mixed()
        return 0.0

    def twin(self):
        return self.mixed(ManifoldLocalMixup(self.model, ["first.0"], CompleteGraph(), generator=generator(3)))

    def dropped(self):
        self.mixed(self.second)
        return self.plain() * 0


SEVERAL = {
    "two batches": lambda p: p.mixed() + p.mixed(x=X.flip(0)),
    "a batch twice": lambda p: p.mixed() + p.mixed(),
    "two layers": lambda p: p.mixed() + p.mixed(p.second) + p.mixed(),
    "two mixers of a layer": lambda p: p.mixed() + p.twin(),
    "plain after": lambda p: p.mixed() + p.plain(),
    "plain before": lambda p: p.plain() + p.mixed(),
    "evaluation after": lambda p: p.mixed() + p.evaluated(),
    "no gradient after": lambda p: p.mixed() + p.without_gradient(),
    "dropped after": lambda p: p.mixed() + p.dropped(),
    "many": lambda p: sum(p.mixed() for _ in range(64)),
}


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("use_reentrant", [True, False])
@pytest.mark.parametrize("several", SEVERAL)
def test_checkpointing_changes_no_gradient_of_several_passes(several, use_reentrant):
    found = []
    for mode in (None, use_reentrant):
        passes = Passes(mode)
        torch.manual_seed(1)
        loss = SEVERAL[several](passes)
        loss.backward(retain_graph=True)
        loss.backward()  # each block is computed again a second time
        found.append([p.grad for p in passes.model.parameters()])
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(checkpointed, plain)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_the_order_of_the_backward_passes_does_not_matter(use_reentrant):
    found = []
    for mode in (None, use_reentrant):
        passes = Passes(mode)
        torch.manual_seed(1)
        losses = [passes.mixed(), passes.plain(), passes.mixed(passes.second), passes.mixed()]
        for i in (2, 0, 3, 1):
            losses[i].backward()
            passes.mixed().backward()
        found.append([p.grad for p in passes.model.parameters()])
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(checkpointed, plain)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_pass_that_is_too_long_ago_is_an_error(use_reentrant):
    passes = Passes(use_reentrant)
    losses = [passes.mixed() for _ in range(66)]
    losses[2].backward()
    for loss in losses[:2]:
        with pytest.raises(RuntimeError, match="cannot be computed again after more than 64 mixed passes"):
            loss.backward()


class Nested(nn.Module):
    """A checkpointed block inside a checkpointed block."""

    def __init__(self, outer, inner):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Linear(5, 8), nn.Linear(8, 3)
        self.below, self.block, self.above = nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 8), nn.Tanh()), nn.Linear(8, 8)
        self.outer, self.inner = outer, inner

    def forward(self, x):
        return self.head(again(self.outside, self.stem(x).tanh(), self.outer))

    def outside(self, hidden):
        return self.above(again(self.block, self.below(hidden).tanh(), self.inner)).tanh()


def again(block, hidden, use_reentrant):
    return block(hidden) if use_reentrant is None else checkpoint(block, hidden, use_reentrant=use_reentrant)


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("inner", [True, False])
def test_nested_checkpoints_change_no_gradient(outer, inner):
    found = []
    for modes in ((None, None), (outer, inner)):
        model = Nested(*modes)
        manifold = ManifoldLocalMixup(model, ["block.0"], ExponentialGraph(0.2), generator=generator())
        losses = []
        for x in (X, X.flip(0)):
            outputs, batch = manifold(x, Y)
            losses += [batch.loss(F.cross_entropy, outputs), F.cross_entropy(model(x), Y)]
        sum(losses).backward()
        found.append([p.grad for p in model.parameters()])
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(checkpointed, plain)


class Slope(nn.Module):
    """Returns the gradient of a checkpointed network, which it computes inside its own pass."""

    def __init__(self, use_reentrant):
        super().__init__()
        self.network = Blocks(use_reentrant, dropout=0.0)

    def forward(self, x):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(self.network(x).square().sum(), x, create_graph=True)[0][:, :3]


def test_a_backward_pass_inside_the_model_is_mixed_as_its_forward_pass():
    found = []
    for mode in (None, False):
        model = Slope(mode)
        manifold = ManifoldLocalMixup(model, ["network.first"], ExponentialGraph(0.2), generator=generator())
        outputs, batch = manifold(X, Y)
        batch.loss(F.cross_entropy, outputs).backward()
        found.append([outputs, *(p.grad for p in model.parameters())])
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(checkpointed, plain)


def test_a_copy_of_the_model_has_no_passes_and_mixes_its_own():
    passes = Passes(False)
    loss = passes.mixed()
    for model in (copy.deepcopy(passes.model), pickle.loads(pickle.dumps(passes.model))):
        assert b"MixPlan" not in pickle.dumps(model)
        manifold = ManifoldLocalMixup(model, ["first.0"], CompleteGraph(), generator=generator())
        outputs, batch = manifold(X, Y)
        batch.loss(F.cross_entropy, outputs).backward()
    loss.backward()


@pytest.mark.parametrize(
    ("layers", "graph", "message"),
    [
        (["9"], None, r"layers must be among 'input', '0', '1', '2', '2.0', '2.1', '3', got '9'"),
        ([], None, r"layers must be a list of names of layers, got \[\]"),
        ("0", None, "layers must be a list of names of layers, got '0'"),
        (["0", "1"], {"0": CompleteGraph()}, r"graph must have one graph for each of \['0', '1'\], got \['0'\]"),
        (["0"], 3, "graph must be a graph such as"),
    ],
)
def test_a_bad_layer_is_named(layers, graph, message):
    with pytest.raises(ValueError, match=message):
        ManifoldLocalMixup(network(), layers, graph)


def test_a_plan_by_hand_is_an_alternative():
    model, mix = network(), seeded(ExponentialGraph(0.2))
    hidden = model[:2](X)
    plan = mix.plan(hidden, Y)
    batch = plan.apply(hidden, Y)
    batch.loss(nn.CrossEntropyLoss(), model[2:](batch.inputs)).backward()
    assert model[0].weight.grad.abs().sum() > 0
