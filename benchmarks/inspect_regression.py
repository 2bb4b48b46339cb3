"""Is the verdict of `localmixup inspect` right for a regression? Trained on made-up functions and on the suite.

    python benchmarks/inspect_regression.py [--data-root FOLDER] [--resamples 6]

For each target it prints the score of the verdict, and the RMSE with mixup of all samples and with the recipe that
`inspect` says to take, relative to that without mixing, with half the 95 % interval by Nadeau and Bengio. Training is
that of benchmarks/inspect_suite.py.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

from localmixup.geometry import target_gap
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.suite import SUITE, load_set
from localmixup.lab.inspection.suggestions import suggestions_for_targets
from localmixup.lab.inspection.verdict import verdict_on_targets
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.loop import train
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec

ROWS, MOST_ROWS, MOST_TRAINED, BATCH = 800, 2000, 1000, 50


def made_up() -> dict[str, DataSet]:
    """Functions whose answer is known: straight ones and bent ones, with noise."""
    sets = {}

    def add(name: str, x: np.ndarray, function: Callable[[np.ndarray], np.ndarray], noise: float) -> None:
        y = function(x)
        y = y + noise * y.std() * np.random.default_rng(50).normal(size=ROWS)
        sets[name] = DataSet(name, "table", x, y)

    for columns, noise in ((1, 0.3), (5, 0.3), (20, 0.3), (5, 0.02)):
        x = np.random.default_rng(columns).normal(size=(ROWS, columns))
        add(f"linear, {columns} columns, noise {noise:g}", x, lambda x: x @ np.linspace(1, 2, x.shape[1]), noise)
    line = np.random.default_rng(2).uniform(-1, 1, (ROWS, 1))
    add("one period of a sine", line, lambda x: np.sin(np.pi * x[:, 0]), 0.1)
    add("six periods of a sine", line, lambda x: np.sin(6 * np.pi * x[:, 0]), 0.1)
    add("square", line, lambda x: x[:, 0] ** 2, 0.1)
    add("square, much noise", line, lambda x: x[:, 0] ** 2, 1.0)
    plane = np.random.default_rng(3).uniform(-1, 1, (ROWS, 2))
    add("product of two sines", plane, lambda x: np.sin(4 * np.pi * x[:, 0]) * np.sin(2 * np.pi * x[:, 1]), 0.1)
    angle = np.random.default_rng(4).uniform(0, 2 * np.pi, ROWS)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    ring = ring + 0.02 * np.random.default_rng(5).normal(size=ring.shape)
    add("one period around a narrow ring", ring, lambda _: np.sin(angle), 0.05)
    add("three periods around a narrow ring", ring, lambda _: np.sin(3 * angle), 0.05)
    wide = np.random.default_rng(6).normal(size=(ROWS, 10))
    add("sum of 10 squares", wide, lambda x: (x**2).sum(axis=1), 0.1)
    add("product of 2 of 10 columns", wide, lambda x: x[:, 0] * x[:, 1], 0.1)
    return sets


def measure(name: str, data: DataSet, resamples: int) -> str:
    """Return a line on one target."""
    rows = min(MOST_ROWS, len(data.x))
    prepared = prepare(data, train_size=rows, hold_out=False)
    report = target_gap(prepared.x.flatten(1), prepared.y)
    verdict, taken = verdict_on_targets(report), suggestions_for_targets(report, batch_size=BATCH).recipes[0]
    held_out = max(0.2, 1 - MOST_TRAINED / rows)
    training = TrainingSpec(
        model="mlp", pairs="batch", updates=1500, batch_size=BATCH, validation_share=held_out, curve_points=1,
        regions=False,
    )  # fmt: skip
    spec = DataSpec(name=name, fingerprint=data.fingerprint, train_size=rows)
    methods = [MethodSpec(method="vanilla"), MethodSpec(method="mixup"), recipe_spec(taken.mix)]
    runs = [
        RunSpec(data=spec, training=training, method=method, seed=seed)
        for method in methods
        for seed in range(resamples)
    ]
    errors = np.array([one.validation_error for one in train(runs, prepared)]).reshape(3, resamples)
    told = []
    for own in errors[1:]:
        gaps = 100 * (own - errors[0]) / errors[0].mean()
        half = math.sqrt((1 / resamples + held_out / (1 - held_out)) * gaps.var(ddof=1))
        told.append(f"{gaps.mean():+.1f} +- {half * stats.t.ppf(0.975, resamples - 1):.1f} %")
    return f"{name:<36} {verdict.score:>6.2f} {verdict.word:<8} {told[0]:<20} {told[1]:<18} {taken.title}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--resamples", type=int, default=6)
    options = parser.parse_args()
    names = [name for name, one in SUITE.items() if one.task == "regression"]
    sets = made_up() | {name: load_set(name, data_root=options.data_root) for name in names}
    print(f"{'target':<36} {'score':>6} {'verdict':<8} {'RMSE with mixup':<20} {'with the recipe':<18} recipe")
    for name, data in sets.items():
        print(measure(name, data, options.resamples), flush=True)


if __name__ == "__main__":
    main()
