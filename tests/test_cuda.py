"""The core and the stack of networks on a GPU, against the same on the CPU."""

import pytest
import torch
import torch.nn as nn

from localmixup import (
    AdaptiveExponentialGraph,
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LearnedMetric,
    LocalMixup,
    ManifoldLocalMixup,
    PairSampler,
    ThresholdGraph,
    cutmix,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

GRAPHS = [
    ExponentialGraph(0.05), ThresholdGraph(22.0), KNNGraph(5), KNNGraph(share=0.2, symmetric=True), CompleteGraph(),
    IdentityGraph(), ThresholdGraph(0.4, metric="rms"), KNNGraph(share=0.3, metric="cosine"),
]  # fmt: skip


@pytest.fixture
def batch():
    g = torch.Generator().manual_seed(0)
    return torch.randn(48, 3, 8, 8, generator=g), torch.randint(5, (48,), generator=g)


@pytest.mark.parametrize("graph", GRAPHS, ids=repr)
def test_weights_are_those_of_the_cpu(graph, batch):
    x, _ = batch
    partner = torch.randperm(48, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(graph.matrix(x.cuda()).cpu(), graph.matrix(x), rtol=1e-5, atol=1e-5)
    on_gpu = graph.pair_weights(x.cuda(), partner.cuda()).cpu()
    torch.testing.assert_close(on_gpu, graph.pair_weights(x, partner), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("pairing", ["permutation", "flip", "neighbors", "within_class", "between_class"])
@pytest.mark.parametrize("outside", ["discard", "unmix"])
@pytest.mark.parametrize("graph", GRAPHS, ids=repr)
def test_a_generator_on_the_cpu_draws_the_same_batch(graph, pairing, outside, batch):
    x, y = batch
    batches = []
    for device in ("cpu", "cuda"):
        generator = torch.Generator().manual_seed(2)
        mix = LocalMixup(graph, pairing=pairing, outside=outside, prob=0.8, per_sample=True, generator=generator)
        batches.append(mix(x.to(device), y.to(device)))
    on_cpu, on_gpu = batches
    torch.testing.assert_close(on_gpu.inputs.cpu(), on_cpu.inputs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(on_gpu.weights.cpu(), on_cpu.weights, rtol=1e-4, atol=1e-5)
    outputs = torch.randn(48, 5, generator=torch.Generator().manual_seed(3))
    losses = [b.loss(nn.CrossEntropyLoss(), outputs.to(b.lam.device)).cpu() for b in batches]
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_dtype_and_memory_format_stay(dtype, batch):
    x, y = batch
    x = x.cuda().to(dtype).to(memory_format=torch.channels_last)
    mix = LocalMixup(ExponentialGraph(0.05), prob=0.5)
    mixed = mix(x, y.cuda())
    pasted = cutmix(mix.plan(x, y.cuda()), x, y.cuda())
    for inputs in (mixed.inputs, pasted.inputs):
        assert inputs.dtype == dtype
        assert inputs.is_contiguous(memory_format=torch.channels_last)


def test_hidden_layers_and_a_learned_metric_train(batch):
    x, y = (t.cuda() for t in batch)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 32), nn.ReLU(), nn.Linear(32, 5)).cuda()
    manifold = ManifoldLocalMixup(model, ["input", "1"], generator=torch.Generator().manual_seed(0)).cuda()
    learned = LearnedMetric(model, mean_weight=0.5, moving_average=0.9).cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(40):
        outputs, mixed = manifold(x, y)
        batch = learned(x, y)
        loss = mixed.loss(nn.CrossEntropyLoss(), outputs) + batch.loss(nn.CrossEntropyLoss(), model(batch.inputs))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_the_adaptive_graph_and_pairs_of_the_set_take_features_on_the_gpu(batch):
    x, _ = batch
    graph = AdaptiveExponentialGraph(mean_weight=0.3).cuda()
    partner = torch.randperm(48, generator=torch.Generator().manual_seed(1)).cuda()
    weights = graph.pair_weights(x.cuda(), partner)
    assert weights.device.type == "cuda"
    pairs = [PairSampler(f, KNNGraph(3), 16, torch.Generator().manual_seed(0)).sample(64) for f in (x, x.cuda())]
    assert all(torch.equal(a, b) for a, b in zip(*pairs, strict=True))
