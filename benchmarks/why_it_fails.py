"""Two reasons that docs/benchmark.md suspects where `LocalMixup()` fails, each put to a test.

    python benchmarks/why_it_fails.py rows columns rates [--store why.sqlite] [--data-root FOLDER]

`rows` and `columns`: on quantiles of Gaussians (classes that enclose each other) near partners make more errors than
training without mixup. Is that because the rows are too few to lie near each other in ten columns? Then the harm must
shrink with more rows, and with fewer columns. Each of the 20 runs has data of its own: a fresh draw to train on, and
10,000 fresh rows to be tested on, so the runs are independent. Nothing is tuned; all arms have the same learning rate.

`rates`: on MNIST by pixels the benchmark chose another learning rate for `LocalMixup()` than for vanilla training. Is
that why it is worse there? Both are trained at all three rates, on the benchmark's own ten resamples.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.datasets import make_gaussian_quantiles

from localmixup import CompleteGraph, LocalMixup
from localmixup.lab.analysis.arms import results_of
from localmixup.lab.analysis.compared import judged_of
from localmixup.lab.analysis.resampled import Design, difference_of
from localmixup.lab.analysis.statistics import mean_of, paired
from localmixup.lab.benchmark.arms import RATES, training_of
from localmixup.lab.benchmark.client import load_set
from localmixup.lab.benchmark.measure import POOL
from localmixup.lab.cli.console import show
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import Prepared, prepare
from localmixup.lab.data.resampling import overlap, resampled_rows, rows_that_can_judge
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.engine import run
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.spec import DataSpec, MethodSpec
from localmixup.lab.runs.store import Store

DRAWS, TEST_ROWS = 20, 10_000
NEIGHBOURS, SHARE = 16, 0.01  # of 1,600 rows, what the benchmark trains on, 1 % are 16
RESAMPLES, SIZE = 10, 2000


class Setting(NamedTuple):
    """Quantiles of Gaussians: training rows, columns, and updates of every run."""

    rows: int
    columns: int
    updates: int


SETTINGS = {
    # 32,000 rows are seen nine times in so many updates of 50
    "rows": [Setting(rows, 10, 6000) for rows in (500, 2000, 8000, 32_000)],
    "columns": [Setting(2000, columns, 1500) for columns in (2, 3, 5, 10, 20)],
}


def draw(setting: Setting, seed: int) -> DataSet:
    """Return a draw of the benchmark's `quantiles-10`, or of the same with other rows and columns."""
    x, y = make_gaussian_quantiles(
        n_samples=setting.rows + TEST_ROWS, n_features=setting.columns, n_classes=3, random_state=1000 + seed
    )
    order = np.random.default_rng(seed).permutation(len(y))  # scikit-learn sorts them by class
    train, test = order[: setting.rows], order[setting.rows :]
    return DataSet("quantiles", "table", x[train], y[train], x[test], y[test], class_names=("0", "1", "2"))


def arms_of(setting: Setting, data: DataSpec) -> list[Arm]:
    """Return the five arms: all have the benchmark's middle learning rate."""
    own = {"resample": "none", "standardise": "pool", "train_rows": None}
    of_batch = training_of(SIZE, setting.updates).model_copy(update=own)
    of_set = of_batch.model_copy(update={"pairs": "set", "reduction": "mean", "first_ends": "uniform"})

    def nearest(count: int) -> MethodSpec:
        return MethodSpec(method="local-knn", parameter=float(count), kept_share=count / setting.rows, mixed_share=0.3)

    arms = {
        "vanilla": (of_batch, recipe_spec(LocalMixup(CompleteGraph(), prob=0))),
        "LocalMixup()": (of_batch, recipe_spec(LocalMixup())),
        "nearest 1 %": (of_set, nearest(round(SHARE * setting.rows))),
        f"nearest {NEIGHBOURS}": (of_set, nearest(NEIGHBOURS)),
        "random, as often": (of_set, MethodSpec(method="mixup", mixed_share=0.3)),
    }
    place = {"item": "why", "protocol": "benchmark", "scale": str(setting.rows), "panel": str(setting.columns)}
    return [
        Arm(**place, label=label, data=data, training=training, method=method)
        for label, (training, method) in arms.items()
    ]


def nearness(prepared: Prepared) -> tuple[float, float]:
    """Return the mean distance of the 16 nearest, and of the nearest 1 %, as shares of that of random pairs."""
    distances = torch.cdist(prepared.x[:500], prepared.x).sort(dim=1).values[:, 1:]
    counts = (NEIGHBOURS, round(SHARE * len(prepared.x)))
    few, share = (float(distances[:, :count].mean() / distances.mean()) for count in counts)
    return few, share


def quantiles(settings: Sequence[Setting], store: Store) -> None:
    """Train and print a table: errors of vanilla training, and what the other arms add, in points."""
    labels = [arm.label for arm in arms_of(settings[0], DataSpec(name="", fingerprint=""))][1:]
    print(
        f"{'rows':>6} {'columns':>7}  {'near 16':>7} {'near 1 %':>8}  {'vanilla, %':<14}", *(f"{t:<24}" for t in labels)
    )
    for setting in settings:
        errors: dict[str, list[float]] = {}
        near = []
        for seed in range(DRAWS):
            data = draw(setting, seed)
            prepared = prepare(data)
            arms = arms_of(setting, DataSpec(name=data.name, fingerprint=data.fingerprint))
            title = f"{setting.rows:,} rows of {setting.columns}, draw {seed + 1} of {DRAWS}"
            records = show(run([arm.run(seed) for arm in arms], prepared, store, jobs=1, title=title))
            for result in results_of(arms, [seed], records):
                errors.setdefault(result.arm.label, []).extend(result.errors)
            near.append(nearness(prepared))
        vanilla = mean_of(errors["vanilla"])
        cells = []
        for label in labels:
            d = paired(errors[label], errors["vanilla"])
            cells.append(f"{d.mean:+.2f} ({d.low:+.2f} to {d.high:+.2f})".ljust(24))
        few, share = np.mean(near, axis=0)
        error = f"{vanilla.mean:.2f} +- {vanilla.high - vanilla.mean:.2f}"
        print(f"{setting.rows:>6} {setting.columns:>7}  {few:>7.2f} {share:>8.2f}  {error:<14}", *cells, flush=True)


def rates(store: Store, data_root: Path | None) -> None:
    """Train vanilla and `LocalMixup()` on MNIST at each learning rate, and print both errors and their difference."""
    data = load_set("mnist", data_root=data_root)
    rows = min(POOL, len(data.x))
    prepared = prepare(data, train_size=rows, hold_out=False)
    spec = DataSpec(name=data.name, fingerprint=data.fingerprint, train_size=rows)
    methods = {
        "vanilla": recipe_spec(LocalMixup(CompleteGraph(), prob=0)),
        "LocalMixup()": recipe_spec(LocalMixup()),
    }
    place = {"item": "why", "protocol": "benchmark", "scale": str(SIZE), "panel": "mnist"}
    seeds = range(RESAMPLES)
    tests = [resampled_rows(prepared, "judge", seed, most=SIZE).test for seed in seeds]
    design = Design(overlap(prepared), rows_that_can_judge(prepared))
    print(f"{'learning rate':>13}  {'vanilla, %':<14} {'LocalMixup(), %':<16} difference")
    for rate in RATES:
        training = training_of(SIZE).model_copy(update={"learning_rate": rate, "resample": "judge"})
        arms = [Arm(**place, label=label, data=spec, training=training, method=m) for label, m in methods.items()]
        records = show(run([arm.run(s) for arm in arms for s in seeds], prepared, store, title=f"mnist, {rate:g}"))
        vanilla, local = results_of(arms, seeds, records)
        d = difference_of(judged_of(local, tests, "%").error, judged_of(vanilla, tests, "%").error, design)
        low, high = d.interval()
        means = (mean_of(vanilla.errors).mean, mean_of(local.errors).mean)
        print(f"{rate:>13g}  {means[0]:<14.2f} {means[1]:<16.2f} {d.mean:+.2f} ({low:+.2f} to {high:+.2f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="+", choices=(*SETTINGS, "rates"))
    parser.add_argument("--store", default="why.sqlite")
    parser.add_argument("--data-root", type=Path)
    options = parser.parse_args()
    with closing(Store(options.store)) as store:
        for question in options.questions:
            print(f"\n{question}")
            if question == "rates":
                rates(store, options.data_root)
            else:
                quantiles(SETTINGS[question], store)


if __name__ == "__main__":
    main()
