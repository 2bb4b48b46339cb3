"""What drawing pairs of a whole training set costs, in time and memory.

    python benchmarks/pairs.py [--rows 50000] [--dimensions 784] [--threads 2]

Each graph runs in its own process. The output has the time to build the sampler, the peak memory of the process, and
the time of a batch of 128 as a ratio to that of `CompleteGraph`, which draws uniformly, in the same process.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import time

import torch

from localmixup import CompleteGraph, ExponentialGraph, KNNGraph, LocalityGraph, PairSampler, ThresholdGraph

GRAPHS = {
    "threshold, nearest 1 % of pairs": lambda x: ThresholdGraph.fit(x, kept_share=0.01),
    "threshold, nearest 20 % of pairs": lambda x: ThresholdGraph.fit(x, kept_share=0.2),
    "10 nearest neighbours": lambda x: KNNGraph(10),
    "exponential, mean weight 0.2": lambda x: ExponentialGraph.fit(x, mean_weight=0.2),
    "exponential, mean weight 0.01": lambda x: ExponentialGraph.fit(x, mean_weight=0.01),
}


def batch_time(sampler: PairSampler, repeats: int = 50) -> float:
    sampler.sample(128)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        sampler.sample(128)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(name: str, rows: int, dimensions: int) -> None:
    g = torch.Generator().manual_seed(0)
    centres = torch.randn(20, dimensions, generator=g)
    x = centres[torch.randint(20, (rows,), generator=g)] + torch.randn(rows, dimensions, generator=g)
    graph: LocalityGraph = GRAPHS[name](x)
    start = time.perf_counter()
    sampler = PairSampler(x, graph, 128, g)
    built = time.perf_counter() - start
    uniform = batch_time(PairSampler(x, CompleteGraph(), 128, g))
    batch = batch_time(sampler)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"  {name:<34} built in {built:6.1f} s, peak {memory:4.1f} GB, mixed share {sampler.mixed_share:.3f}, "
        f"batch {batch * 1e3:7.2f} ms, {batch / uniform:6.1f} x uniform",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dimensions", type=int, default=784)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--graph", choices=list(GRAPHS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.graph:
        return measure(options.graph, options.rows, options.dimensions)
    print(
        f"{options.rows} x {options.dimensions} float32, 20 clusters, {platform.machine()} CPU, "
        f"{options.threads} threads, torch {torch.__version__}",
        flush=True,
    )
    for name in GRAPHS:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--graph", name], check=True)
    return None


if __name__ == "__main__":
    main()
