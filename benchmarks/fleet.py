"""Runs per minute and core of a fleet against the plain PyTorch loop: the networks of figure 4, one thread.

    python benchmarks/fleet.py

The peer is the loop that one would write: a batch, a permutation, `lam`, the weights of the pairs, a forward and a
backward pass and a step of `torch.optim.Adam(fused=True)`; every pair goes through the network. Both train the
same runs of `localmixup paper run figure4 --protocol paper`, in turn, in one process; the ratio is that of the medians.
"""

from __future__ import annotations

import statistics
import time

import torch
import torch.nn.functional as F

from localmixup.lab import fleet
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.sources import load
from localmixup.lab.models import build_model
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec

CASES = {20: 4.0, 50: 1.5, 241: 0.6}  # batch size: radius at which 20 of it count
ROUNDS = 7
PEER_UPDATES, FLEET_UPDATES = 150, 3000


def peer(x: torch.Tensor, y: torch.Tensor, radius: float, size: int, updates: int) -> float:
    """Seconds of so many updates of the plain loop."""
    torch.manual_seed(0)
    model = build_model("mlp", (2,), 2)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    order = torch.randperm(len(x)).repeat(-(-updates * size // len(x)))
    started = time.perf_counter()
    for k in range(updates):
        rows = order[k * size : (k + 1) * size]
        inputs, targets = x[rows], y[rows]
        partner = torch.randperm(size)
        lam = float(torch.rand(()))
        weights = ((inputs - inputs[partner]).norm(dim=1) <= radius).float()
        outputs = model(lam * inputs + (1 - lam) * inputs[partner])
        loss = lam * F.cross_entropy(outputs, targets, reduction="none")
        loss = loss + (1 - lam) * F.cross_entropy(outputs, targets[partner], reduction="none")
        optimizer.zero_grad()
        (weights * loss).mean().backward()
        optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    torch.set_num_threads(1)
    prepared = prepare(load("spirals"))
    print(f"torch {torch.__version__}, one thread, {ROUNDS} rounds in turn; a run has 200 epochs of 1,600 points")
    print(f"{'batch':>6} {'plain loop':>14} {'fleet':>14} {'ratio':>7}   runs a minute and core")
    for size, radius in CASES.items():
        training = TrainingSpec(
            model="mlp", pairs="batch", updates=FLEET_UPDATES, batch_size=20, optimizer="adam", learning_rate=1e-3,
            schedule="constant", weight_decay=0.0, validation_share=0.0, curve_points=1, regions=False,
        )  # fmt: skip
        method = MethodSpec(method="local-threshold", parameter=radius, kept_share=20 / size)
        spec = RunSpec(data=DataSpec(name="spirals", fingerprint=""), training=training, method=method, seed=0)
        fleet.train_many([spec], prepared)
        peer(prepared.x, prepared.y, radius, size, 20)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(peer(prepared.x, prepared.y, radius, size, PEER_UPDATES) / PEER_UPDATES)
            started = time.perf_counter()
            fleet.train_many([spec], prepared)  # draws, splits and measuring included
            ours.append((time.perf_counter() - started) / FLEET_UPDATES)
        slow, fast = statistics.median(theirs), statistics.median(ours)
        updates = 200 * 1600 / size
        print(
            f"{size:>6} {1e6 * slow:>11.0f} us {1e6 * fast:>11.1f} us {slow / fast:>7.1f}   "
            f"{60 / slow / updates:.1f} and {60 / fast / updates:.1f}"
        )


if __name__ == "__main__":
    main()
