"""The share of a training step that Local Mixup costs: the same step with and without it.

    python benchmarks/step.py [--repeats N] [--threads 1] [--device cpu] [--networks mlp,resnet18,vit] [--batch 128]

A step is zero_grad, forward, loss, backward, optimizer. Two figures for each network:

- **by parts**: the time of `mix(x, y)`, plus that of `batch.loss` and its backward pass minus that of the plain loss,
  divided by that of the plain step. Only this can show small shares, because a step varies by more than one per cent.
- **by difference**: median of (step with Local Mixup) / (plain step) in the same round, minus 1, with the 95 % interval
  of that median (by order statistics). Both networks start alike. It includes what the parts leave out, such as caches
  that mixing empties.

Mixup by the widespread idiom is shown beside it. The aim is at most 1 % for ResNet-18 and the ViT at batch 128, and
10 % for the MLP.
"""

from __future__ import annotations

import argparse
import copy
import platform
import random
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from localmixup import ExponentialGraph, LocalMixup
from localmixup.lab.models import build_model

CLASSES = 10
Step = Callable[[], object]


class VisionTransformer(nn.Module):
    """A small ViT for 32 x 32 pixels: patches of 4, six layers of width 192, three heads."""

    def __init__(self, width: int = 192, depth: int = 6, heads: int = 3) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.position = nn.Parameter(0.02 * torch.randn(1, 64, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Scores, shape `(n, 10)`, of images, shape `(n, 3, 32, 32)`."""
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.layers(tokens).mean(dim=1))


def mlp(inputs: int, width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, CLASSES)
    )


NETWORKS: dict[str, tuple[str, tuple[int, ...], Callable[[], nn.Module]]] = {
    "mlp": ("MLP 784-512-512-10, Adam", (784,), lambda: mlp(784, 512)),
    "mlp-paper": ("MLP 2-100-100-10 (figure 4's), Adam", (2,), lambda: mlp(2, 100)),
    "resnet18": ("ResNet-18 (CIFAR size), SGD", (3, 32, 32), lambda: build_model("resnet18", (3, 32, 32), CLASSES)),
    "vit": ("ViT, width 192, 6 layers, patches of 4, Adam", (3, 32, 32), VisionTransformer),
}


def step_of(model: nn.Module, loss_of: Callable[[nn.Module], Tensor], adam: bool) -> Step:
    optimizer: torch.optim.Optimizer
    if adam:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()

    return step


def tasks(x: Tensor, y: Tensor, model: nn.Module, adam: bool, recommended: bool) -> dict[str, Step]:
    """Whole steps with networks of their own, and the parts of which Local Mixup consists."""
    mix = LocalMixup() if recommended else LocalMixup(ExponentialGraph.fit(x.cpu(), mean_weight=0.5))

    def plain(network: nn.Module) -> Tensor:
        return F.cross_entropy(network(x), y)

    def local(network: nn.Module) -> Tensor:
        batch = mix(x, y)
        return batch.loss(F.cross_entropy, network(batch.inputs))

    def idiom(network: nn.Module) -> Tensor:
        lam = np.random.beta(1.0, 1.0)  # noqa: NPY002
        index = torch.randperm(x.shape[0], device=x.device)
        outputs = network(lam * x + (1 - lam) * x[index])
        return lam * F.cross_entropy(outputs, y) + (1 - lam) * F.cross_entropy(outputs, y[index])

    scores = torch.randn(len(x), CLASSES, device=x.device, requires_grad=True)
    batch = mix(x, y)
    return {
        "plain": step_of(copy.deepcopy(model), plain, adam),
        "local": step_of(copy.deepcopy(model), local, adam),
        "idiom": step_of(copy.deepcopy(model), idiom, adam),
        "mixing": lambda: mix(x, y),
        "loss": lambda: batch.loss(F.cross_entropy, scores).backward(),
        "plain loss": lambda: F.cross_entropy(scores, y).backward(),
    }


def measure(functions: dict[str, Step], repeats: int, device: str) -> dict[str, list[float]]:
    """Seconds of each, interleaved in random order."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for repeat in range(repeats + 3):
        for name in random.sample(list(functions), len(functions)):
            if device == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            functions[name]()
            if device == "cuda":
                torch.cuda.synchronize()
            if repeat >= 3:
                times[name].append(time.perf_counter() - start)
    return times


def median_and_interval(values: list[float]) -> tuple[float, float, float]:
    """Median with its 95 % interval, by order statistics."""
    ordered, n = sorted(values), len(values)
    reach = 0.98 * n**0.5
    low, high = max(0, int(n / 2 - reach)), min(n - 1, int(n / 2 + reach))
    return statistics.median(ordered), ordered[low], ordered[high]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30, help="of the large networks; the MLPs take 20 times as many")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--recommended", action="store_true", help="LocalMixup() instead of an exponential graph")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    where = torch.cuda.get_device_name() if options.device == "cuda" else f"{platform.machine()} CPU"
    print(
        f"{where}, torch {torch.__version__}, {options.threads} thread(s), batch {options.batch}, float32, "
        f"{'LocalMixup()' if options.recommended else 'ExponentialGraph at a mean weight of 0.5'}"
    )
    for name in options.networks.split(","):
        title, shape, make = NETWORKS[name]
        x = torch.randn(options.batch, *shape, device=options.device)
        y = torch.randint(CLASSES, (options.batch,), device=options.device)
        repeats = options.repeats * (20 if name.startswith("mlp") else 1)
        functions = tasks(
            x, y, make().to(options.device).train(), adam=name != "resnet18", recommended=options.recommended
        )
        times = measure(functions, repeats, options.device)
        middle = {part: statistics.median(values) for part, values in times.items()}
        parts = (middle["mixing"] + middle["loss"] - middle["plain loss"]) / middle["plain"]
        print(f"\n{title}: a plain step {1e3 * middle['plain']:,.2f} ms (median of {repeats})")
        print(
            f"  by parts        {100 * parts:6.2f} %   mixing {1e3 * middle['mixing']:.3f} ms, "
            f"loss {1e3 * middle['loss']:.3f} ms against {1e3 * middle['plain loss']:.3f} ms"
        )
        for label, key in (("by difference", "local"), ("mixup, idiom", "idiom")):
            ratios = [value / plain - 1 for value, plain in zip(times[key], times["plain"], strict=True)]
            median, low, high = median_and_interval(ratios)
            print(f"  {label:<14}  {100 * median:6.2f} %   ({100 * low:.2f} to {100 * high:.2f})")


if __name__ == "__main__":
    main()
