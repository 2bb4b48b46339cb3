"""What locality in the features of the network in training costs: a step with `LearnedMetric` against a plain one.

    python benchmarks/learned_metric.py [--repeats N] [--threads 1] [--device cpu] [--batch 64]

The network is the lab's `resnet` (ResNet-14) on images of 3 x 32 x 32; a step is forward, backward, SGD with momentum.
All steps are measured in one run, in random order, each each with its own network, and printed as median and as the
median of the ratios to the plain step of the same round. The learned metric adds one forward pass without gradient; it
should cost at most 1.35 times a plain step.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from localmixup import CompleteGraph, ExponentialGraph, LearnedMetric, LocalMixup, ManifoldLocalMixup
from localmixup.lab.models import build_model

SHAPE, CLASSES = (3, 32, 32), 10


def steps(x: torch.Tensor, y: torch.Tensor) -> dict[str, Callable[[], None]]:
    def of(make: Callable[[torch.nn.Module], Callable[[torch.nn.Module], torch.Tensor]]) -> Callable[[], None]:
        model = build_model("resnet", SHAPE, CLASSES).to(x.device).train()
        loss_of, optimizer = make(model), torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

        def step() -> None:
            optimizer.zero_grad()
            loss_of(model).backward()
            optimizer.step()

        return step

    def mixed(mixer: torch.nn.Module) -> Callable[[torch.nn.Module], torch.Tensor]:
        def loss_of(model: torch.nn.Module) -> torch.Tensor:
            batch = mixer(x, y)
            loss: torch.Tensor = batch.loss(F.cross_entropy, model(batch.inputs))
            return loss

        return loss_of

    def manifold(model: torch.nn.Module) -> Callable[[torch.nn.Module], torch.Tensor]:
        mixer = ManifoldLocalMixup(model, ["input", "0", "1"]).to(x.device)

        def loss_of(_: torch.nn.Module) -> torch.Tensor:
            outputs, batch = mixer(x, y)
            loss: torch.Tensor = batch.loss(F.cross_entropy, outputs)
            return loss

        return loss_of

    return {
        "plain": of(lambda model: lambda model: F.cross_entropy(model(x), y)),
        "mixup": of(lambda model: mixed(LocalMixup(CompleteGraph()))),
        "local mixup of the pixels": of(lambda model: mixed(LocalMixup(ExponentialGraph(1e-2)))),
        "local mixup of hidden layers": of(manifold),
        "learned metric": of(lambda model: mixed(LearnedMetric(model).to(x.device))),
        "learned metric, moving average": of(
            lambda model: mixed(LearnedMetric(model, moving_average=0.999).to(x.device))
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    x = torch.randn(options.batch, *SHAPE, device=options.device)
    y = torch.randint(CLASSES, (options.batch,), device=options.device)
    functions = steps(x, y)
    times: dict[str, list[float]] = {name: [] for name in functions}
    for repeat in range(options.repeats + 3):
        for name in random.sample(list(functions), len(functions)):
            if options.device == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            functions[name]()
            if options.device == "cuda":
                torch.cuda.synchronize()
            if repeat >= 3:
                times[name].append((time.perf_counter() - start) * 1e3)
    where = torch.cuda.get_device_name() if options.device == "cuda" else f"{platform.machine()} CPU"
    print(
        f"{where}, torch {torch.__version__}, {options.threads} thread(s), ResNet-14, batch {options.batch}, "
        f"{options.repeats} rounds, medians in milliseconds"
    )
    for name, values in times.items():
        ratio = statistics.median(value / plain for value, plain in zip(values, times["plain"], strict=True))
        print(f"  {name:<32} {statistics.median(values):>9,.1f}   {ratio:5.2f} x a plain step")


if __name__ == "__main__":
    main()
