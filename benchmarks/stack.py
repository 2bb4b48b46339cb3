"""Runs per minute and core of a stack of networks against plain loops: the network of figure 4, one thread.

    python benchmarks/stack.py [--runs 32] [--rounds 5] [--before CHECKOUT]

Two hidden layers of 100 on the points of the spirals, at batches of 20 (all count), 50 (20 of which count) and 241
(20 of which count). The plain loop is what one would write: `LocalMixup`, `nn.Sequential` and fused Adam. The stack
trains runs of `localmixup paper run figure4 --protocol paper` as the lab does, draws, splits and measuring included.
With `--before`, the lab's own loop of an older checkout, `localmixup.lab.training.train` of commit ecaa260, trains the
same runs one by one.

All contestants take turns in one run; the table holds medians of the CPU time of an update of one network, since CPU
time depends less than wall time on what else the machine does. The older checkout runs in a process of its own, which
does one round whenever it is asked to.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

UPDATES = {"plain": 100, "stack": 192, "before": 60}
CASES = {20: 4.0, 50: 1.5, 241: 0.6}
"""Batch size, and a radius at which 20 of the batch count."""


def settings(size: int, radius: float, updates: int) -> tuple[dict[str, object], dict[str, object]]:
    """The training and the method of figure 4, as the specifications take them."""
    training: dict[str, object] = {
        "model": "mlp", "pairs": "batch", "updates": updates, "batch_size": 20, "optimizer": "adam",
        "learning_rate": 1e-3, "schedule": "constant", "weight_decay": 0.0, "validation_share": 0.0,
        "curve_points": 1, "regions": False,
    }  # fmt: skip
    return training, {"method": "local-threshold", "parameter": radius, "kept_share": 20 / size}


def plain(x: torch.Tensor, y: torch.Tensor, size: int, radius: float, updates: int) -> None:
    """One network, trained by the loop of the README."""
    from localmixup import LocalMixup, ThresholdGraph

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    mix = LocalMixup(ThresholdGraph(radius))
    order = torch.cat([torch.randperm(len(x)) for _ in range(-(-updates * size // len(x)))])
    for rows in order[: updates * size].split(size):
        batch = mix(x[rows], y[rows])
        loss = batch.loss(F.cross_entropy, model(batch.inputs), reduction="mean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def serve_before() -> None:
    """Run in the older checkout: one round of its training loop for every line `size radius` that comes in."""
    data, dataset, specs, training = (
        importlib.import_module(f"localmixup.lab.{name}") for name in ("data", "dataset", "specs", "training")
    )
    prepared = dataset.prepare(data.load("spirals"))
    for line in sys.stdin:
        size, radius = line.split()
        how, method = settings(int(size), float(radius), UPDATES["before"])
        of = specs.DataSpec(name="spirals", fingerprint="")
        spec = specs.RunSpec(data=of, training=specs.TrainingSpec(**how), method=specs.MethodSpec(**method), seed=0)
        started = time.process_time()
        training.train(spec, prepared)
        print((time.process_time() - started) / UPDATES["before"], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=32, help="networks of the stack")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, help="an older checkout to measure beside")
    parser.add_argument("--serve-before", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", ".*every pair counts.*")  # at batches of 20 that is what is measured
    if options.serve_before:
        return serve_before()

    from localmixup.lab.data.prepared import prepare
    from localmixup.lab.data.sources import load
    from localmixup.lab.runs.loop import train
    from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec

    prepared = prepare(load("spirals"))

    def stack(size: int, radius: float, updates: int) -> None:
        training, method = settings(size, radius, updates)
        data = DataSpec(name="spirals", fingerprint="")
        train(
            [
                RunSpec(data=data, training=TrainingSpec(**training), method=MethodSpec(**method), seed=seed)
                for seed in range(options.runs)
            ],
            prepared,
        )

    older = None
    if options.before:
        environment = {**os.environ, "PYTHONPATH": str(options.before / "src")}
        older = subprocess.Popen(
            [sys.executable, __file__, "--serve-before"], env=environment, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip

    def before(size: int, radius: float) -> float:
        assert older is not None
        assert older.stdin is not None
        assert older.stdout is not None
        print(size, radius, file=older.stdin, flush=True)
        return float(older.stdout.readline())

    print(
        f"torch {torch.__version__}, one thread, stacks of {options.runs}, medians of {options.rounds} rounds in turn"
    )
    print("microseconds of CPU time per update of one network; runs of 200 epochs of 1,600 points per minute and core")
    for size, radius in CASES.items():
        times: dict[str, list[float]] = {"plain": [], "stack": [], "before": []}
        for k in range(options.rounds + 1):
            started = time.process_time()
            plain(prepared.x, prepared.y, size, radius, UPDATES["plain"])
            middle = time.process_time()
            stack(size, radius, UPDATES["stack"])
            ended = time.process_time()
            if older is not None:
                times["before"].append(before(size, radius))
            if k:  # the first round warms up
                times["plain"].append((middle - started) / UPDATES["plain"])
                times["stack"].append((ended - middle) / UPDATES["stack"] / options.runs)
        found = {name: statistics.median(values) for name, values in times.items() if values}
        runs = {name: 60 / seconds / (200 * 1600 / size) for name, seconds in found.items()}
        print(f"batch of {size}, radius {radius:g}")
        for name, seconds in found.items():
            ratio = f"{seconds / found['stack']:6.1f} x the time of the stack" if name != "stack" else ""
            print(f"  {name:<7} {1e6 * seconds:>8.1f} us {runs[name]:>9.1f} runs   {ratio}", flush=True)
    if older is not None and older.stdin is not None:
        older.stdin.close()
        older.wait()
    return None


if __name__ == "__main__":
    main()
