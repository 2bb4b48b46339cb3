"""Random batches of every kind against slow loops in float64: what the core promises for all finite input."""

import math
import random

import numpy as np
import pytest
import torch

from localmixup import (
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LocalMixup,
    NearestOfGraph,
    ThresholdGraph,
)

SHAPES = [(), (1,), (3,), (2, 3), (1, 2, 2)]
DTYPES = [torch.float32, torch.float32, torch.float64, torch.float16, torch.bfloat16]
PAIRINGS = ["permutation", "flip", "within_class", "between_class", "neighbors"]
ROUNDING = {torch.float16: 2e-3, torch.bfloat16: 1.6e-2, torch.float32: 1e-5, torch.float64: 1e-12}
BATCHES = 100_000


def a_batch(draw, generator):
    """Normal values at any scale and offset, with duplicates, constant rows and memory formats."""
    n, shape, dtype = draw.choice([0, 1, 2, 3, 5, 9, 17]), draw.choice(SHAPES), draw.choice(DTYPES)
    scale = 10.0 ** (draw.uniform(-4, 3) if dtype is torch.float16 else draw.uniform(-30, 30))
    x = torch.randn(n, *shape, generator=generator, dtype=torch.float64)
    if draw.random() < 0.3:
        x = x + draw.choice([1.0, -30.0])
    x = (x * scale).to(dtype)
    if n and draw.random() < 0.3:
        x = x[torch.randint(max(1, n // 2), (n,), generator=generator)]
    if n and draw.random() < 0.1:
        x[0] = 0
    if x.ndim == 4 and draw.random() < 0.5:
        x = x.contiguous(memory_format=torch.channels_last)
    return x, torch.randint(3, (n,), generator=generator), scale


def a_graph(draw, scale):
    metric = draw.choice(["euclidean", "euclidean", "rms", "cosine"])
    unit = 1.0 if metric == "cosine" else scale
    kinds = [
        lambda: ExponentialGraph(draw.choice([0.0, 0.3 / unit, 1e30, math.inf]), metric=metric),
        lambda: ThresholdGraph(draw.choice([0.0, unit, math.inf]), metric=metric),
        lambda: KNNGraph(draw.choice([0, 1, 3, 50]), metric=metric, symmetric=draw.random() < 0.3),
        lambda: KNNGraph(share=draw.choice([0.0, 0.2, 1.0]), metric=metric),
        lambda: NearestOfGraph(draw.choice([1, 2, 4]), metric=metric),
        CompleteGraph,
        IdentityGraph,
    ]
    return draw.choice(kinds)()


def a_recipe(draw, generator, scale):
    graph = a_graph(draw, scale)
    pairing = "neighbors" if isinstance(graph, NearestOfGraph) else draw.choice(PAIRINGS)
    return LocalMixup(
        graph, pairing=pairing, generator=generator, mixup_alpha=draw.choice([1.0, 1e-300, 0.2, 1e6, math.inf]),
        prob=draw.choice([0.0, 0.3, 1.0]), per_sample=draw.random() < 0.5, outside=draw.choice(["discard", "unmix"]),
    )  # fmt: skip


def distance(a, b, metric):
    """In float64, scaled before it is squared."""
    a, b = a.flatten().double(), b.flatten().double()
    if metric == "cosine":
        lengths = a.norm() * b.norm()
        found = 1.0 if lengths == 0 else 1 - float(a @ b / lengths)
        return 0.0 if found < 1e-14 else found
    difference = a - b
    largest = float(difference.abs().max()) if len(difference) else 0.0
    length = 0.0 if largest == 0 else largest * float((difference / largest).square().sum().sqrt())
    return length / math.sqrt(max(1, len(difference))) if metric == "rms" else length


def check(batch, x, y, mix, before):
    tolerance = ROUNDING[before.dtype]
    assert batch.inputs.dtype == before.dtype
    assert batch.inputs.shape == before.shape
    for name, values in (("inputs", batch.inputs), ("lam", batch.lam), ("weights", batch.weights)):
        assert torch.isfinite(values).all(), name
    assert ((batch.lam >= 0) & (batch.lam <= 1)).all()
    assert ((batch.weights >= 0) & (batch.weights <= 1)).all()
    if not len(before):
        return
    rows = before.double().reshape(len(before), -1).numpy()
    mixed, lam = batch.inputs.double().reshape(rows.shape).numpy(), batch.lam.double().numpy()
    same = y.numpy()[None, :] == batch.partner_targets.numpy()[:, None]
    limit = tolerance * np.abs(rows).max(initial=0) + 1e-30
    for i in range(len(rows)):
        # it lies on the segment to some sample with the targets of the partner
        ends = rows[same[i]]
        assert np.abs(mixed[i] - lam[i] * rows[i] - (1 - lam[i]) * ends).max(axis=1).min() <= limit, (i, mix)


def check_weights(mix, x, y):
    """Of a plan, by the definition of the graph."""
    graph, plan = mix.graph, mix.plan(x, y)
    if mix.pairing == "neighbors" or mix.outside == "unmix" or mix.prob < 1:
        return
    for i, j in enumerate(plan.partner.tolist()):
        if i == j:
            assert plan.weights[i] == 1
        elif isinstance(graph, ExponentialGraph):
            d = distance(x[i], x[j], graph.metric)
            # with an infinite decay it is vanilla training, duplicates included
            expected = 0.0 if graph.decay == math.inf else math.exp(-min(graph.decay * d, 700.0))
            slack = 1e-3 if graph.metric != "cosine" else 1e-3 + min(1.0, graph.decay * 1e-7)
            if d == 0 or d > 1e-30:
                assert abs(float(plan.weights[i]) - expected) < slack, (mix, d, float(plan.weights[i]), expected)


def fuzz(first, count):
    for seed in range(first, first + count):
        draw, generator = random.Random(seed), torch.Generator().manual_seed(seed)
        x, y, scale = a_batch(draw, generator)
        state = generator.get_state()
        mix = a_recipe(draw, generator, scale)
        mix._notice.silence()
        inplace = draw.random() < 0.3
        before, kept = x.clone(), y.clone()
        try:
            batch = mix(x, y, inplace=inplace)
            check(batch, x, y, mix, before)
            assert torch.equal(y, kept)
            if not inplace:
                assert torch.equal(x, before)
            generator.set_state(state)
            again = mix(before.clone(memory_format=torch.preserve_format), y)
            assert torch.equal(again.inputs, batch.inputs)
            assert torch.equal(again.weights, batch.weights)
            generator.set_state(state)
            plan = mix.plan(before, y)  # the same pairs, measured on another path
            assert torch.allclose(plan.weights, batch.weights, atol=1e-3) or isinstance(mix.graph, ThresholdGraph)
            check_weights(mix, before, y)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {x.dtype} {tuple(x.shape)} at {scale:.1e}, {mix}") from error


def test_a_tenth_of_the_random_batches():
    fuzz(0, BATCHES // 10)


@pytest.mark.slow
def test_the_other_random_batches():
    fuzz(BATCHES // 10, BATCHES - BATCHES // 10)
