"""The object in real loops: compiled, under autocast, in DataLoader workers, on several devices' containers."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from localmixup import CompleteGraph, ExponentialGraph, LocalMixup, MixedBatch

HERE = Path(__file__).parent


def test_compiled_in_one_graph():
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    done = subprocess.run(
        [sys.executable, str(HERE / "compiled_step.py")], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.splitlines() == [f"{p} {o} ok" for p in ("flip", "permutation") for o in ("discard", "unmix")], (
        done.stderr
    )


def test_generator_inside_compile_is_refused_with_the_reason():
    mix = LocalMixup(CompleteGraph(), generator=torch.Generator())
    with pytest.raises(Exception, match=r"a generator cannot be used inside torch\.compile"):
        torch.compile(mix, fullgraph=True, backend="eager")(torch.zeros(4, 2), torch.zeros(4))


def test_autocast():
    mix, model = LocalMixup(ExponentialGraph(0.1), reduction="weighted_mean"), torch.nn.Linear(12, 3)
    x, y = torch.randn(16, 12), torch.randint(3, (16,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        batch = mix(x, y)
        outputs = model(batch.inputs)
        hidden = mix.plan(x, y).mix(outputs)
        loss = batch.loss(F.cross_entropy, outputs)
    assert batch.inputs.dtype == torch.float32
    assert batch.weights.dtype == torch.float32
    assert hidden.dtype == outputs.dtype == torch.bfloat16
    loss.backward()
    assert torch.isfinite(model.weight.grad).all()


class _Loud(torch.utils.data.Dataset):
    def __len__(self):
        return 48

    def __getitem__(self, index):
        return torch.full((2,), float(index)), index


@pytest.mark.parametrize(("workers", "context"), [(0, None), (2, None), (2, "spawn")])
def test_collate_fn_in_workers(workers, context):
    mix = LocalMixup(ExponentialGraph(0.1), generator=torch.Generator().manual_seed(0), reduction="mean")

    def epoch(seed):
        loader = DataLoader(
            _Loud(), batch_size=12, collate_fn=mix.collate_fn, num_workers=workers,
            multiprocessing_context=context if workers else None, generator=torch.Generator().manual_seed(seed),
        )  # fmt: skip
        return list(loader)

    first = epoch(1)
    assert all(isinstance(b, MixedBatch) and b.reduction == "mean" for b in first)
    assert torch.cat([b.targets for b in first]).tolist() == list(range(48))
    lams = [float(b.lam[0]) for b in first]
    assert len(set(lams)) == 4, "workers drew the same plans"
    if workers:
        assert [float(b.lam[0]) for b in epoch(1)] == lams, "the same seeds gave other plans"
        assert not set(lams) & {float(b.lam[0]) for b in epoch(2)}, "a new epoch drew the old plans"


def test_batches_and_mixers_pickle_and_copy():
    mix = LocalMixup(ExponentialGraph(0.1), reduction="sum", generator=torch.Generator().manual_seed(0))
    twin, copied = pickle.loads(pickle.dumps(mix)), copy.deepcopy(mix)
    x, y = torch.randn(6, 2), torch.arange(6)
    batch = mix(x, y)
    for other in (twin(x, y), copied(x, y), pickle.loads(pickle.dumps(batch))):
        assert other.reduction == "sum"
        for a, b in zip(batch, other, strict=True):
            assert torch.equal(a, b)
    assert "ExponentialGraph(decay=0.1" in repr(mix)


def test_accelerate_moves_a_batch_whole():
    from accelerate.utils import send_to_device

    batch = LocalMixup(ExponentialGraph(0.1), reduction="sum")(torch.randn(6, 2), torch.arange(6))
    moved = send_to_device(batch, "meta")
    assert type(moved) is type(batch)
    assert moved.inputs.device.type == "meta"


def test_the_ten_line_loop_learns():
    # the loop of the README; an error rate above 10 % on two separate blobs would mean that it does not train
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
