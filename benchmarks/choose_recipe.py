"""Choose the numbers of `LocalMixup()` by the rule of docs/recipe.md, on the choosing half of the suite.

    python benchmarks/choose_recipe.py [--store FILE] [--half choosing] [--resamples 5] [--jobs 1] [--out FOLDER]

Runs that are in the store are not repeated, so the command can be interrupted and started again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from scipy import stats

from localmixup import LocalMixup, NearestOfGraph
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.suite import SUITE, load_set
from localmixup.lab.errors import DataMissingError
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.engine import run
from localmixup.lab.runs.spec import DataSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Store

CANDIDATES, PROBS = (2, 4, 8), (0.15, 0.3, 0.6)
TRAINING = TrainingSpec(
    model="mlp", pairs="batch", updates=800, batch_size=50, validation_share=0.0, curve_points=1, regions=False
)
MOST_TRAINING_ROWS = 1000


def recipes() -> dict[str, LocalMixup]:
    """Vanilla training and the candidates."""
    found = {"vanilla": LocalMixup(NearestOfGraph(4), prob=0.0, pairing="neighbors")}
    for count in CANDIDATES:
        for prob in PROBS:
            graph = NearestOfGraph(count)
            found[f"nearest of {count}, {100 * prob:g} %"] = LocalMixup(graph, prob=prob, pairing="neighbors")
    return found


def differences(name: str, resamples: int, store: Store, jobs: int) -> Iterator[tuple[str, list[float], float]]:
    """Yield for each recipe its errors, over the resamples, and the ratio of test rows to training rows."""
    data = load_set(name)
    found: dict[str, list[float]] = {label: [] for label in recipes()}
    ratio = math.nan
    for seed in range(resamples):
        size = min(MOST_TRAINING_ROWS, round(0.8 * len(data.x)))
        prepared = prepare(data, train_size=size, split_seed=seed)
        ratio = len(prepared.x_test) / len(prepared.x)
        spec = DataSpec(name=name, fingerprint=data.fingerprint, train_size=size, split_seed=seed)
        specs = {
            label: RunSpec(data=spec, training=TRAINING, method=recipe_spec(mix), seed=seed)
            for label, mix in recipes().items()
        }
        work = run(list(specs.values()), prepared, store, jobs=jobs)
        while True:
            try:
                next(work)
            except StopIteration as end:
                records = end.value
                break
        for label, wanted in specs.items():
            found[label].append(records[wanted.key].outcome.test_error)
    for label, errors in found.items():
        yield label, errors, ratio


def corrected(differences: np.ndarray, ratio: float) -> tuple[float, float]:
    """Return the mean difference and half its 95 % interval, by Nadeau and Bengio's correction."""
    n = len(differences)
    error = math.sqrt((1 / n + ratio) * differences.var(ddof=1))
    return float(differences.mean()), float(error * stats.t.ppf(0.975, n - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="choose-recipe.sqlite")
    parser.add_argument("--half", default="choosing", choices=("choosing", "judging"))
    parser.add_argument("--resamples", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    table = {}
    names = [name for name, entry in SUITE.items() if entry.half == options.half]
    with closing(Store(options.store)) as store:
        for place, name in enumerate(names, start=1):
            start = time.perf_counter()
            try:
                rows = list(differences(name, options.resamples, store, options.jobs))
            except DataMissingError as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
                continue
            vanilla = np.array(next(errors for label, errors, _ in rows if label == "vanilla"))
            # a regression error is told in percent of that of vanilla training
            unit = 1.0 if SUITE[name].task == "classification" else 100 / vanilla.mean()
            margin = max(0.3, 0.05 * vanilla.mean()) if unit == 1 else 5.0
            table[name] = {
                "vanilla": float(vanilla.mean()),
                "margin": float(margin),
                "recipes": {
                    label: corrected(unit * (np.array(errors) - vanilla), ratio)
                    for label, errors, ratio in rows
                    if label != "vanilla"
                },
            }
            seconds = time.perf_counter() - start
            print(f"{place}/{len(names)} {name}: {seconds:.0f} s", file=sys.stderr, flush=True)
    report(table)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / f"{options.half}.json").write_text(json.dumps(table, indent=1) + "\n")


def report(table: dict[str, dict]) -> None:
    """Print the score of every candidate, and the one that the rule takes."""
    scores = {}
    print(f"{'recipe':<24} {'score':>7} {'clearly worse':>14} {'clearly better':>15}   on {len(table)} sets")
    for label in recipes():
        if label == "vanilla":
            continue
        rows = [(entry["recipes"][label], entry["margin"]) for entry in table.values()]
        score = float(np.mean([np.clip(mean / margin, -3, 3) for (mean, _), margin in rows]))
        worse = sum(mean - half > margin for (mean, half), margin in rows)
        better = sum(mean + half < 0 for (mean, half), _ in rows)
        scores[label] = (worse, score)
        print(f"{label:<24} {score:>+7.2f} {worse:>14} {better:>15}")
    fewest = min(worse for worse, _ in scores.values())
    best = min((score, label) for label, (worse, score) in scores.items() if worse == fewest)
    print(f"\nby the rule: {best[1]}")


if __name__ == "__main__":
    main()
