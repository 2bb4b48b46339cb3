"""The cost of a mixing step: draw, mixing, distances, weights, pairs of targets.

    python benchmarks/augment.py [--repeats N] [--threads 1] [--device cpu] [--compiled]

All contestants are measured in one run, in random order, each right after a call that is not counted. The table shows
medians and the ratio to the widespread idiom, which knows neither distances nor weights. `clone` is a copy of the
batch, the least that any mixing costs. "Local, three lines" is Local Mixup written down well: distances of pairs,
their weights, and `lerp`. "The calls alone" are the torch calls that `LocalMixup` ends in, without its checks, its
choices and its `MixedBatch`: what remains between the two is a fixed cost of each batch, whatever its size.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from localmixup import ExponentialGraph, KNNGraph, LocalMixup

SHAPES = ((128, 3, 32, 32), (256, 3, 224, 224), (512, 64))
DECAY = 3e-3  # the paper's for CIFAR-10


def idiom(x: torch.Tensor, y: torch.Tensor) -> Any:
    """`mixup_data` of the mixup-cifar10 repository, which is copied all over the field."""
    lam = np.random.beta(1.0, 1.0)  # noqa: NPY002
    index = torch.randperm(x.shape[0], device=x.device)
    return lam * x + (1 - lam) * x[index], y, y[index], lam


def local_in_three_lines(x: torch.Tensor, y: torch.Tensor) -> Any:
    """Local Mixup as one would write it down: the distance of each pair, its weight, and `lerp`."""
    lam = np.random.beta(1.0, 1.0)  # noqa: NPY002
    index = torch.randperm(x.shape[0], device=x.device)
    other = x[index]
    weights = torch.exp(-DECAY * (x - other).flatten(1).norm(dim=1))
    return torch.lerp(other, x, lam), y, y[index], lam, weights


def calls_alone(x: torch.Tensor, y: torch.Tensor) -> Any:
    """The same with as few passes over the memory as `LocalMixup` needs: one difference measures and mixes."""
    index = torch.randperm(x.shape[0], device=x.device)
    flat = x.flatten(1)
    other = flat.index_select(0, index)
    difference = torch.sub(flat, other, out=other)
    weights = torch.linalg.vector_norm(difference, dim=1).mul_(-DECAY).exp_()
    lam = torch.rand(1, device=x.device)
    mixed = torch.sub(flat, difference, alpha=1 - lam.item(), out=difference)
    return mixed.view_as(x), y, y.index_select(0, index), lam, weights


def contestants(
    x: torch.Tensor, scratch: torch.Tensor, y: torch.Tensor, compiled: bool
) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {
        "clone": x.clone,
        "widespread idiom": lambda: idiom(x, y),
        "local, three lines": lambda: local_in_three_lines(x, y),
        "local, the calls alone": lambda: calls_alone(x, y),
    }

    def ours(inplace: bool, **options: Any) -> Callable[[], Any]:
        mix = LocalMixup(ExponentialGraph(DECAY), **options)
        return lambda: mix(scratch if inplace else x, y, inplace=inplace)

    for pairing in ("permutation", "flip", "within_class", "between_class", "neighbors"):
        for inplace in (False, True):
            found[f"ours, {pairing}{', in place' * inplace}"] = ours(inplace, pairing=pairing)
    for inplace in (False, True):
        recommended = LocalMixup()
        found[f"ours, LocalMixup(){', in place' * inplace}"] = (
            lambda mix=recommended, given=scratch if inplace else x, inplace=inplace: mix(given, y, inplace=inplace)
        )
    nearest = LocalMixup(KNNGraph(share=0.2), pairing="neighbors")
    found["ours, neighbors, nearest fifth"] = lambda: nearest(x, y)
    found["ours, unmix"] = ours(False, outside="unmix")
    found["ours, one lam a sample"] = ours(False, per_sample=True)
    if compiled:
        for pairing in ("permutation", "flip"):
            for inplace in (False, True):
                mix = LocalMixup(ExponentialGraph(DECAY), pairing=pairing)
                step = torch.compile(lambda a, b, mix=mix, inplace=inplace: mix(a, b, inplace=inplace), fullgraph=True)
                given = scratch if inplace else x
                found[f"ours, {pairing}{', in place' * inplace}, compiled"] = lambda step=step, a=given: step(a, y)
        step = torch.compile(idiom_tensor, fullgraph=True)
        found["widespread idiom, compiled"] = lambda: step(x, y)
    try:
        from torchvision.transforms import v2

        if x.ndim == 4:
            mixup = v2.MixUp(num_classes=10)
            found["torchvision v2.MixUp"] = lambda: mixup(x, y)
    except Exception as error:
        print(f"torchvision is not available ({type(error).__name__})", file=sys.stderr)
    try:
        from timm.data import Mixup

        timm = Mixup(num_classes=10, label_smoothing=0.0)
        if x.ndim == 4:
            found["timm Mixup, in place"] = lambda: timm(scratch, y)
    except Exception as error:
        print(f"timm is not available ({type(error).__name__})", file=sys.stderr)
    return found


def idiom_tensor(x: torch.Tensor, y: torch.Tensor) -> Any:
    """The idiom with a draw that the compiler can trace."""
    lam = torch.rand((), device=x.device)
    index = torch.randperm(x.shape[0], device=x.device)
    return lam * x + (1 - lam) * x.index_select(0, index), y, y.index_select(0, index), lam


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    where = torch.cuda.get_device_name() if options.device == "cuda" else f"{platform.machine()} CPU"
    print(f"{where}, torch {torch.__version__}, {options.threads} thread(s), float32, medians in microseconds")
    for shape in SHAPES:
        torch.compiler.reset()
        x = torch.randn(shape, device=options.device)
        y = torch.randint(10, (shape[0],), device=options.device)
        scratch = x.clone()
        functions = contestants(x, scratch, y, options.compiled)
        repeats = max(7, min(options.repeats, 40_000_000 // x.numel() * 8))
        times: dict[str, list[float]] = {name: [] for name in functions}
        for name, function in list(functions.items()):
            try:
                for _ in range(3):
                    function()
            except Exception as error:  # a defect of the compiler must not end the measurement
                print(f"{name}: left out ({type(error).__name__})", file=sys.stderr)
                del functions[name], times[name]
        for _ in range(repeats):
            names = list(functions)
            random.shuffle(names)
            for name in names:
                if "in place" in name:
                    scratch.copy_(x)  # a batch that is mixed many times shrinks to its mean, and to denormal numbers
                functions[name]()  # so that no contestant pays for what the previous one left in the cache
                _synchronize(options.device)
                start = time.perf_counter()
                result = functions[name]()
                _synchronize(options.device)
                times[name].append((time.perf_counter() - start) * 1e6)
                del result
        base = statistics.median(times["widespread idiom"])
        print(f"\n{shape}, {repeats} repeats")
        for name, values in times.items():
            median = statistics.median(values)
            print(f"  {name:<40} {median:>12,.1f}   {median / base:6.2f} x the idiom")


def _synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
