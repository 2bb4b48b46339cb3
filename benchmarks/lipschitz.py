"""Time the exact curve radius -> Q(D), and compare it with the loop that computes one point of the curve.

    python benchmarks/lipschitz.py [--cifar10] [--per-class N] [--segments SECONDS] [--jobs N] [--out FILE.json]

First, the ratio to the brute-force loop of the published script, with its two faults corrected (segments of length 0
count, and rounding below zero is not dropped). For every sample and every segment of another class, a row of segments
at a time in torch. Both run on the same 300 images (random ones without --cifar10) and find the same distance.

With --cifar10, then the whole curve on N images per class (default: all), normalised by channel: samples against
segments, or with --segments segments against segments for that many seconds. The images are found as `localmixup
compare` finds them.
--out writes the curve to a file.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch

from localmixup.geometry import LipschitzCurve, lipschitz_lower_bound, lipschitz_lower_bound_steps

MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def brute_force(x: torch.Tensor, y: torch.Tensor, radius: float) -> tuple[float, int]:
    """Return 1 / Q at one radius and the number of triples tried: the loop of the published script, corrected."""
    least, triples = torch.inf, 0
    for a in range(len(x)):
        for b in range(len(x)):
            if y[b] == y[a]:
                continue
            ends = x[y == y[b]]  # every c of the class of b
            u, w = ends - x[b], x[a] - x[b]
            squared = u.square().sum(dim=1)
            t = ((u @ w) / squared.clamp_min(1e-30)).clamp(0, 1)
            distance = (w - t[:, None] * u).square().sum(dim=1).sqrt()
            least = min(least, float(distance[squared.sqrt() <= radius].min()))
            triples += len(ends)
    return least, triples


def cifar10(per_class: int | None) -> tuple[torch.Tensor, np.ndarray]:
    from localmixup.lab.data.sources import load

    data = load("cifar10")
    rows = [np.flatnonzero(data.y == c)[:per_class] for c in range(10)]
    keep = np.sort(np.concatenate(rows))
    mean, deviation = (np.array(v, dtype=np.float32)[:, None, None] for v in (MEAN, DEVIATION))
    images = (data.x[keep].astype(np.float32) / 255 - mean) / deviation
    return torch.from_numpy(images.reshape(len(keep), -1)), data.y[keep]


def synthetic(count: int) -> tuple[torch.Tensor, np.ndarray]:
    """Return random images of 3,072 values that vary along 12 directions, roughly as real ones do."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 10
    latent = torch.randn(count, 12, generator=generator) * 0.8 ** torch.arange(12) * 30
    latent += 8 * torch.randn(10, 12, generator=generator)[labels]
    images = latent @ torch.randn(12, 3072, generator=generator) / 3072**0.5
    return images + 0.2 * torch.randn(count, 3072, generator=generator), labels.numpy()


def compare_with_the_loop(x: torch.Tensor, y: torch.Tensor, jobs: int) -> None:
    lipschitz_lower_bound(x, y)  # compile once
    start = time.perf_counter()
    least, triples = brute_force(x, y, torch.inf)
    loop = time.perf_counter() - start
    start = time.perf_counter()
    curve = lipschitz_lower_bound(x, y, n_jobs=jobs)
    ours = time.perf_counter() - start
    assert abs(curve.distance[-1] - least) < 1e-4 * least, (curve.distance[-1], least)
    print(f"{len(x)} images: the loop {loop:.2f} s for one radius ({triples / loop:,.0f} ordered triples per second),")
    print(
        f"ours {ours:.3f} s for the whole curve: {loop / ours:,.0f} times as fast; both find a distance of {least:.4f}"
    )


def show(curve: LipschitzCurve, triples: float, seconds: float, jobs: int) -> None:
    rate = triples / seconds / 1e9
    print(f"{seconds:.1f} s, {triples:.3g} triples, {rate:.1f}e9 per second, {rate / jobs:.1f}e9 per second and thread")
    print("    radius  distance         Q")
    for radius, distance, value in zip(curve.radius, curve.distance, curve.value, strict=True):
        print(f"  {radius:8.3f}  {distance:8.4f}  {value:.6f}")
    low, high = curve.interval(np.inf)
    if curve.exact:
        print("exact at every radius")
    else:
        print(f"exact below radius {curve.exact_below:.3f}; Q(inf) in [{low:.6f}, {high:.6g}]")


def measure(
    x: torch.Tensor, labels: np.ndarray, kind: str, options: argparse.Namespace
) -> tuple[LipschitzCurve, float]:
    """Return the curve and the number of triples searched; print the progress every 30 seconds."""
    steps = lipschitz_lower_bound_steps(x, labels, kind=kind, n_jobs=options.jobs, time_limit=options.segments)
    start = printed = time.perf_counter()
    done = 0.0
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            return end.value, done
        if (now := time.perf_counter()) - printed > 30:
            printed = now
            print(f"  {100 * done / total:.1f} % after {now - start:.0f} s", file=sys.stderr, flush=True)


def as_json(curve: LipschitzCurve, per_class: int) -> str:
    low, high = curve.interval(np.inf)
    stored = {
        "data": "CIFAR-10 train", "images_per_class": per_class, "kind": curve.kind,
        "mean": MEAN, "deviation": DEVIATION,
        "radius": curve.radius.tolist(), "distance": curve.distance.tolist(), "value": curve.value.tolist(),
        "witness": {name: part.tolist() for name, part in curve.witness._asdict().items()},
        "exact_below": curve.exact_below if np.isfinite(curve.exact_below) else "inf",
        "hull_distance": curve.hull_distance, "interval_at_inf": [low, high if np.isfinite(high) else "inf"],
        "command": " ".join(["python", *sys.argv]), "torch": torch.__version__,
    }  # fmt: skip
    return json.dumps(stored, indent=1) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar10", action="store_true")
    parser.add_argument("--per-class", type=int, default=None)
    parser.add_argument("--segments", type=float, default=None)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(options.jobs)
    print(f"{platform.machine()} CPU, torch {torch.__version__}, {options.jobs} thread(s)")
    x, labels = cifar10(30) if options.cifar10 else synthetic(300)
    compare_with_the_loop(x, torch.from_numpy(labels), options.jobs)
    if not options.cifar10:
        return
    x, labels = cifar10(options.per_class)
    per_class = int(np.bincount(labels)[0])
    kind = "segment" if options.segments is None else "segments"
    print(f"CIFAR-10, {per_class:,} images per class, kind={kind!r}", flush=True)
    start = time.perf_counter()
    curve, triples = measure(x, labels, kind, options)
    show(curve, triples, time.perf_counter() - start, options.jobs)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(as_json(curve, per_class))


if __name__ == "__main__":
    main()
