"""What the exact curve radius -> Q(D) costs, and how much faster it is than the loop that computes one point of it.

    python benchmarks/lipschitz.py [--cifar10] [--per-class N] [--segments SECONDS] [--jobs N] [--out FILE.json]

First the ratio to the brute-force loop, re-typed after the published script with its two faults mended (segments of
length 0 count, and rounding below zero is not dropped): for every sample and every segment of another class, in torch,
a whole row of segments at a time. Both on the same 300 images (random ones without --cifar10), with the same result.

Then, with --cifar10, the whole curve on that many CIFAR-10 images of each class (default all), normalised by channel:
samples against segments, or, with --segments, segments against segments for so many seconds. Images are looked for as
`localmixup compare` does. The curve goes to --out.
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

from localmixup.geometry import LipschitzCurve, lipschitz_lower_bound

MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def brute_force(x: torch.Tensor, y: torch.Tensor, radius: float) -> tuple[float, int]:
    """1 / Q at one radius, and the number of triples tried: the loop of the published script, mended."""
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
    return torch.from_numpy(
        ((data.x[keep].astype(np.float32) / 255 - mean) / deviation).reshape(len(keep), -1)
    ), data.y[keep]


def synthetic(count: int) -> tuple[torch.Tensor, np.ndarray]:
    """Random images of 3,072 values that vary along 12 directions, as real ones do, more or less."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 10
    latent = torch.randn(count, 12, generator=generator) * 0.8 ** torch.arange(12) * 30
    latent += 8 * torch.randn(10, 12, generator=generator)[labels]
    images = latent @ torch.randn(12, 3072, generator=generator) / 3072**0.5
    return images + 0.2 * torch.randn(count, 3072, generator=generator), labels.numpy()


def ratio_to_the_loop(x: torch.Tensor, y: torch.Tensor, jobs: int) -> None:
    lipschitz_lower_bound(x, y)  # compiled once
    start = time.perf_counter()
    least, triples = brute_force(x, y, torch.inf)
    loop = time.perf_counter() - start
    start = time.perf_counter()
    curve = lipschitz_lower_bound(x, y, n_jobs=jobs)
    ours = time.perf_counter() - start
    assert abs(curve.distance[-1] - least) < 1e-4 * least, (curve.distance[-1], least)
    print(f"{len(x)} images: the loop {loop:.2f} s for one radius ({triples / loop:,.0f} ordered triples a second),")
    print(
        f"ours {ours:.3f} s for the whole curve: {loop / ours:,.0f} times as fast; both find a distance of {least:.4f}"
    )


def show(curve: LipschitzCurve, triples: float, seconds: float, jobs: int) -> None:
    rate = triples / seconds / 1e9
    print(f"{seconds:.1f} s, {triples:.3g} triples, {rate:.1f}e9 a second, {rate / jobs:.1f}e9 a second and thread")
    print("    radius  distance         Q")
    for radius, distance, value in zip(curve.radius, curve.distance, curve.value, strict=True):
        print(f"  {radius:8.3f}  {distance:8.4f}  {value:.6f}")
    low, high = curve.interval(np.inf)
    known = (
        "exact at every radius"
        if curve.exact
        else f"exact below radius {curve.exact_below:.3f}; Q(inf) in [{low:.6f}, {high:.6g}]"
    )
    print(known)


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
    ratio_to_the_loop(x, torch.from_numpy(labels), options.jobs)
    if not options.cifar10:
        return
    x, labels = cifar10(options.per_class)
    counts, seen = np.bincount(labels), [0.0]
    kind = "segment" if options.segments is None else "segments"
    print(f"CIFAR-10, {counts[0]:,} images a class, kind={kind!r}", flush=True)
    told = [0.0]

    def progress(done: float, total: float) -> None:
        seen[0] = done
        if time.perf_counter() - told[0] > 30:
            told[0] = time.perf_counter()
            print(f"  {100 * done / total:.1f} % after {told[0] - start:.0f} s", file=sys.stderr, flush=True)

    start = time.perf_counter()
    curve = lipschitz_lower_bound(
        x, labels, kind=kind, n_jobs=options.jobs, time_limit=options.segments, progress=progress
    )
    show(curve, seen[0], time.perf_counter() - start, options.jobs)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")
    if options.out is not None:
        low, high = curve.interval(np.inf)
        stored = {
            "data": "CIFAR-10 train", "images_a_class": int(counts[0]), "kind": kind,
            "mean": MEAN, "deviation": DEVIATION,
            "radius": curve.radius.tolist(), "distance": curve.distance.tolist(), "value": curve.value.tolist(),
            "witness": {name: part.tolist() for name, part in curve.witness._asdict().items()},
            "exact_below": curve.exact_below if np.isfinite(curve.exact_below) else "inf",
            "hull_distance": curve.hull_distance, "interval_at_inf": [low, high if np.isfinite(high) else "inf"],
            "command": " ".join(["python", *sys.argv]), "torch": torch.__version__,
        }  # fmt: skip
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
