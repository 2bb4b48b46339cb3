"""The cost of the exact nearest neighbours of a whole set, against faiss flat and scikit-learn's brute force.

    python benchmarks/neighbors.py [--rows 60000] [--neighbors 10] [--threads 2] [--repeats 1] [--data FOLDER]
        [--skip sklearn]

Uses Fashion-MNIST if it is found (in --data, $LOCALMIXUP_DATA or ./data), else clusters of the same shape. All searches
run in one process, one after the other, on the same float32 rows; the table shows the smallest of the repeats in wall
time and in CPU time of all threads (which other work on the machine inflates less). Then the lists are compared: rows
with the same set of neighbours, and, among 200 random rows and all rows on which the searches differ, those whose
neighbours are the ones that float64 distances and the lower index give.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import sklearn
import torch
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from localmixup import KNNGraph, PairSampler
from localmixup.sampling.neighbors import nearest


def rows_of(count: int, folder: Path | None) -> tuple[str, torch.Tensor]:
    from localmixup.lab.data.sources import load
    from localmixup.lab.errors import DataMissingError

    try:
        images = load("fashion_mnist", data_root=folder).x[:count]
    except DataMissingError:
        g = torch.Generator().manual_seed(0)
        centres = torch.randn(20, 784, generator=g)
        rows = centres[torch.randint(20, (count,), generator=g)] + torch.randn(count, 784, generator=g)
        return "20 clusters", rows
    return "Fashion-MNIST", torch.from_numpy(images).flatten(1).float() / 255


def by_faiss(x: torch.Tensor, k: int) -> np.ndarray:
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x.numpy())
    return without_itself(index.search(x.numpy(), k + 1)[1])


def by_sklearn(x: torch.Tensor, k: int) -> np.ndarray:
    found = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x.numpy())
    return found.kneighbors(return_distance=False)


def without_itself(index: np.ndarray) -> np.ndarray:
    """Each row without the sample itself, or without the last where it is not there (duplicates)."""
    itself = index == np.arange(len(index))[:, None]
    itself[~itself.any(1), -1] = True
    return index[~itself].reshape(len(index), -1)


def in_float64(x: torch.Tensor, k: int, some: np.ndarray) -> np.ndarray:
    wide = x.double()
    found = []
    for i in some:
        distances = (wide - wide[i]).square().sum(dim=1)
        distances[i] = torch.inf
        found.append(distances.sort(stable=True).indices[:k].sort().values.numpy())
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 60_000), ("neighbors", 10), ("threads", 2), ("repeats", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--skip", action="append", default=[], choices=["faiss", "sklearn"])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    faiss.omp_set_num_threads(given.threads)
    name, x = rows_of(given.rows, given.data)
    k = given.neighbors
    print(
        f"{name}, {len(x)} x {x.shape[1]} float32, {k} neighbours, {platform.machine()} CPU, {given.threads} threads, "
        f"{given.repeats} repeats, torch {torch.__version__}, faiss {faiss.__version__}, "
        f"scikit-learn {sklearn.__version__}",
        flush=True,
    )
    searches: dict[str, Callable[[torch.Tensor, int], np.ndarray]] = {"localmixup": lambda x, k: nearest(x, k).numpy()}
    if "faiss" not in given.skip:
        searches["faiss IndexFlatL2"] = by_faiss
    if "sklearn" not in given.skip:
        searches["scikit-learn brute"] = by_sklearn
    found, wall, cpu = {}, {n: [] for n in searches}, {n: [] for n in searches}
    with threadpool_limits(given.threads):
        for search in searches.values():
            search(x[:3000], k)  # not counted: what is loaded and set up on first use
        for _ in range(given.repeats):
            for search in searches:
                start, used = time.perf_counter(), time.process_time()
                found[search] = searches[search](x, k)
                wall[search].append(time.perf_counter() - start)
                cpu[search].append(time.process_time() - used)
    found = {search: np.sort(index, axis=1) for search, index in found.items()}
    ours = found["localmixup"]
    differ = np.any([(index != ours).any(1) for index in found.values()], axis=0)
    differ[np.random.default_rng(0).choice(len(x), min(200, len(x)), replace=False)] = True
    some = np.flatnonzero(differ)
    exact = in_float64(x, k, some)
    for search, index in found.items():
        same, right = (index == ours).all(1).sum(), (index[some] == exact).all(1).sum()
        print(
            f"  {search:<20} {min(wall[search]):7.1f} s, x {min(wall[search]) / min(wall['localmixup']):5.2f}   "
            f"CPU {min(cpu[search]):7.1f} s, x {min(cpu[search]) / min(cpu['localmixup']):5.2f}   "
            f"same rows {same} of {len(x)}, as in float64 {right} of {len(some)}",
            flush=True,
        )
    with tempfile.TemporaryDirectory() as folder:
        for case in ("searched, and kept on disk", "found on disk"):
            start = time.perf_counter()
            PairSampler(x, KNNGraph(k), 128, cache=folder)
            print(f"  PairSampler, {case:<27} {time.perf_counter() - start:7.2f} s", flush=True)


if __name__ == "__main__":
    main()
