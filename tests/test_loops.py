"""The object in real loops: compiled, under autocast, in DataLoader workers, moved to a device."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers import generator
from torch.utils.data import DataLoader, TensorDataset

from localmixup import (
    AdaptiveExponentialGraph,
    ExponentialGraph,
    KNNGraph,
    LocalMixup,
    MixedBatch,
    NearestOfGraph,
    ThresholdGraph,
)

HERE = Path(__file__).parent


def test_a_step_compiles_as_one_graph():
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    done = subprocess.run(
        [sys.executable, str(HERE / "compiled_step.py")], capture_output=True, text=True, env=environment, check=False
    )
    expected = [f"{p} {o} ok" for p in ("flip", "roll", "permutation") for o in ("discard", "unmix")]
    expected += ["recommended ok", "nearest 3 ok", "generator refused"]
    assert done.stdout.splitlines() == expected, done.stderr


def test_autocast():
    mix, model = LocalMixup(ExponentialGraph(0.1)), torch.nn.Linear(12, 3)
    x, y = torch.randn(16, 12), torch.randint(3, (16,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        batch = mix(x, y)
        outputs = model(batch.inputs)
        hidden = mix.plan(x, y).mix(outputs)
        loss = batch.loss(torch.nn.CrossEntropyLoss(), outputs)
    assert batch.inputs.dtype == torch.float32
    assert batch.weights.dtype == torch.float32
    assert hidden.dtype == outputs.dtype == torch.bfloat16
    loss.backward()
    assert torch.isfinite(model.weight.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("pairing", ["permutation", "neighbors"])
@pytest.mark.parametrize(
    "graph",
    [
        KNNGraph(n_neighbors=3), KNNGraph(n_neighbors=3, metric="cosine"), ThresholdGraph(radius=13.0),
        ExponentialGraph(0.1), NearestOfGraph(4), AdaptiveExponentialGraph(),
    ],
    ids=repr,
)  # fmt: skip
def test_autocast_does_not_change_who_is_near(graph, pairing, dtype):
    """Far from the origin a product in half precision has no digit of the distances left."""
    x, y = 20 + 3 * torch.randn(64, 10, generator=generator(1)), torch.arange(64)
    plans = []
    for enabled in (False, True):
        mix = LocalMixup(copy.deepcopy(graph), pairing=pairing, generator=generator(2))
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            plans.append(mix.plan(x, y))
    assert torch.equal(plans[0].partner, plans[1].partner)
    assert torch.equal(plans[0].weights, plans[1].weights)


@pytest.mark.parametrize("workers", [0, 2])
def test_collate_fn_in_workers(workers):
    data = TensorDataset(torch.arange(48.0)[:, None].repeat(1, 2), torch.arange(48))
    mix = LocalMixup(ExponentialGraph(0.1), generator=generator())

    def epoch(seed):
        loader = DataLoader(
            data, batch_size=12, collate_fn=mix.collate_fn, num_workers=workers, generator=generator(seed)
        )
        return list(loader)

    first = epoch(1)
    assert all(type(b) is MixedBatch for b in first)
    assert torch.cat([b.targets for b in first]).tolist() == list(range(48))
    lams = [float(b.lam[0]) for b in first]
    assert len(set(lams)) == 4, "workers drew the same plans"
    if workers:
        assert [float(b.lam[0]) for b in epoch(1)] == lams, "the same seeds gave other plans"
        assert not set(lams) & {float(b.lam[0]) for b in epoch(2)}, "a new epoch drew the old plans"


def test_accelerate_moves_a_batch_whole():
    from accelerate.utils import send_to_device

    batch = LocalMixup(ExponentialGraph(0.1))(torch.randn(6, 2), torch.arange(6))
    moved = send_to_device(batch, "meta")
    assert type(moved) is MixedBatch
    assert moved.inputs.device.type == "meta"


def test_the_loop_of_ten_lines_learns():
    # an error above 10 % on two separate blobs would mean that it does not train
    torch.manual_seed(0)
    x = torch.cat([torch.randn(100, 2) - 3, torch.randn(100, 2) + 3])
    y = torch.arange(2).repeat_interleave(100)
    model = torch.nn.Linear(2, 2)
    mix = LocalMixup(ExponentialGraph.fit(x, mean_weight=0.5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for inputs, targets in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
        batch = mix(inputs, targets)
        loss = batch.loss(F.cross_entropy, model(batch.inputs))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(x).argmax(1) != y).float().mean() < 0.1
