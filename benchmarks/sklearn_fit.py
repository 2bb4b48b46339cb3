"""What `LocalMixupClassifier.fit` costs, against scikit-learn's own MLP with the same layers, batches and epochs.

    python benchmarks/sklearn_fit.py [--rows 100000] [--columns 50] [--epochs 10] [--threads 2]

Every fit runs once, in one process, after a small one that is not counted; preparation (standardising, merging equal
rows, fitting the graph) is part of the time.
"""

from __future__ import annotations

import argparse
import platform
import time
import warnings
from typing import Any

import sklearn
import torch
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from localmixup.integrations.sklearn import LocalMixupClassifier


def seconds_to_fit(model: Any, X: Any, y: Any) -> float:
    model.fit(X[:1000], y[:1000])
    start = time.perf_counter()
    model.fit(X, y)
    assert model.n_iter_ == model.max_iter
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 100_000), ("columns", 50), ("epochs", 10), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(given.threads)
    X, y = make_classification(given.rows, given.columns, n_informative=10, n_classes=3, random_state=0)
    common = {"batch_size": 200, "max_iter": given.epochs, "n_iter_no_change": given.epochs, "random_state": 0}
    models = {"sklearn MLPClassifier": MLPClassifier((100,), **common)}
    for graph in ("identity", "complete", "exponential", "threshold", "knn"):
        models[f"localmixup, graph={graph!r}"] = LocalMixupClassifier((100,), graph=graph, **common)
    print(
        f"{given.rows} x {given.columns}, hidden_layer_sizes=(100,), batches of 200, {given.threads} threads, "
        f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, {platform.machine()}"
    )
    baseline = None
    with threadpool_limits(given.threads):
        for name, model in models.items():
            seconds = seconds_to_fit(model, X, y) * 10 / given.epochs
            baseline = baseline or seconds
            print(f"{name:36s} {seconds:6.1f} s a 10 epochs   x {seconds / baseline:.2f}", flush=True)


if __name__ == "__main__":
    main()
