"""Is the verdict of `localmixup inspect` right, and is its recipe harmless? Trained on the fixed suite of data sets.

    python benchmarks/inspect_suite.py --half choosing --store suite.sqlite --out results/inspect-suite
    python benchmarks/inspect_suite.py --half verdict --store suite.sqlite --out results/inspect-suite --evidence

For every set with classes it measures the score of the verdict, then trains without mixup, with mixup of all samples
and with the recipe that `inspect` says to take: the multilayer perceptron with two hidden layers of 100, AdamW at 2e-3
with a cosine schedule, 1,500 updates of 50, pairs of the batch. Ten times a random part of at most 2,000 rows is held
out and the rest, at most 1,000 rows, is trained on. Harm is the error with mixup minus that without, in percentage
points, with Nadeau and Bengio's interval. Runs that are in the store are not repeated, so the command can be started
again.

`--evidence` writes the table of hit rates that the page of `inspect` shows.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from localmixup.geometry import class_regions, intrusion
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import Prepared, prepare
from localmixup.lab.data.suite import SUITE, load_set
from localmixup.lab.inspection.suggestions import suggestions_for_classes
from localmixup.lab.inspection.verdict import verdict_on_classes
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.engine import run
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Store

RESAMPLES, MOST_ROWS, MOST_TRAINED, BATCH = 10, 2000, 1000, 50
EVIDENCE = Path(__file__).parents[1] / "src" / "localmixup" / "lab" / "inspection" / "evidence.json"


def errors(
    data: DataSet, prepared: Prepared, methods: dict[str, MethodSpec], store: Store
) -> tuple[dict[str, list[float]], float]:
    """Train every method on every resample; return the errors by method, and test rows over training rows."""
    rows = len(prepared.x)
    held_out = max(0.2, 1 - MOST_TRAINED / rows)
    training = TrainingSpec(
        model="mlp", pairs="batch", updates=1500, batch_size=BATCH, validation_share=held_out, curve_points=1,
        regions=False,
    )  # fmt: skip
    spec = DataSpec(name=data.name, fingerprint=data.fingerprint, train_size=min(MOST_ROWS, len(data.x)))
    specs = {
        name: [RunSpec(data=spec, training=training, method=method, seed=seed) for seed in range(RESAMPLES)]
        for name, method in methods.items()
    }
    work = run([one for listed in specs.values() for one in listed], prepared, store, jobs=1)
    while True:
        try:
            next(work)
        except StopIteration as end:
            records = end.value
            break
    found = {name: [records[one.key].outcome.validation_error for one in listed] for name, listed in specs.items()}
    return found, held_out / (1 - held_out)


def difference(values: Sequence[float], others: Sequence[float], ratio: float) -> list[float]:
    """Return the mean difference with its 95 % interval, by Nadeau and Bengio's correction."""
    gaps = np.asarray(values) - np.asarray(others)
    half = math.sqrt((1 / len(gaps) + ratio) * gaps.var(ddof=1)) * stats.t.ppf(0.975, len(gaps) - 1)
    return [round(float(value), 3) for value in (gaps.mean(), gaps.mean() - half, gaps.mean() + half)]


def measure(name: str, store: Store, data_root: Path | None, *, recipe_on: str) -> dict[str, Any]:
    """Return the score, the word, the recipe, and what training showed, for one set."""
    data = load_set(name, data_root=data_root)
    prepared = prepare(data, train_size=min(MOST_ROWS, len(data.x)), hold_out=False)
    x, y = prepared.x.flatten(1), prepared.y.numpy()
    regions = class_regions(x, y)
    verdict = verdict_on_classes(regions)
    taken = suggestions_for_classes(intrusion(x, y), regions, batch_size=BATCH).recipes[0]
    methods = {"vanilla": MethodSpec(method="vanilla"), "mixup": MethodSpec(method="mixup")}
    train_recipe = recipe_on == "all" or (recipe_on == "flagged" and verdict.word != "safe")
    if train_recipe:
        methods["recipe"] = recipe_spec(taken.mix)
    found, ratio = errors(data, prepared, methods, store)
    row: dict[str, Any] = {
        "score": round(verdict.score, 2), "word": verdict.word, "vanilla": round(float(np.mean(found["vanilla"])), 2),
        "harm": difference(found["mixup"], found["vanilla"], ratio), "recipe": taken.title,
    }  # fmt: skip
    if train_recipe:
        row["harm_of_recipe"] = difference(found["recipe"], found["vanilla"], ratio)
    return row


def report(sets: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Print every set and the hit rates; return the numbers for JSON."""
    print(f"{'set':<18} {'score':>6} {'verdict':<8} {'without':>7}  mixup (95 % interval)      recipe")
    for name, row in sorted(sets.items(), key=lambda item: item[1]["score"]):
        mean, low, high = row["harm"]
        recipe = row["recipe"]
        if "harm_of_recipe" in row:
            own, own_low, own_high = row["harm_of_recipe"]
            recipe = f"{own:+.2f} ({own_low:+.2f} to {own_high:+.2f}) {recipe}"
        print(
            f"{name:<18} {row['score']:>6.1f} {row['word']:<8} {row['vanilla']:>7.2f}  "
            f"{mean:+.2f} ({low:+.2f} to {high:+.2f})  {recipe}"
        )
    harmed = [row["harm"][1] > 0 for row in sets.values()]
    area = (
        float(roc_auc_score(harmed, [row["score"] for row in sets.values()])) if 0 < sum(harmed) < len(harmed) else None
    )
    print(f"\narea under the curve for harm shown: {area}")
    for word in ("safe", "unclear", "harmful"):
        harms = [row["harm"] for row in sets.values() if row["word"] == word]
        print(
            f"{word}: {len(harms)} sets, harm shown on {sum(low > 0 for _, low, _ in harms)}, more than 5 points on "
            f"{sum(mean > 5 for mean, _, _ in harms)}"
        )
    return {"area": area, "sets": sets}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", default="choosing", choices=("choosing", "judging", "verdict"))
    parser.add_argument("--store", default="inspect-suite.sqlite")
    parser.add_argument("--out", type=Path, default=Path("results/inspect-suite"))
    parser.add_argument("--data-root", type=Path)
    parser.add_argument(
        "--recipe-on", default="flagged", choices=("all", "flagged", "none"),
        help="train the recipe on all sets, on those that are not called safe, or on none",
    )  # fmt: skip
    parser.add_argument("--evidence", action="store_true", help="write the table that the page shows")
    options = parser.parse_args()
    names = [name for name, one in SUITE.items() if one.half == options.half and one.task == "classification"]
    sets = {}
    with closing(Store(options.store)) as store:
        for place, name in enumerate(names, start=1):
            start = time.perf_counter()
            sets[name] = measure(name, store, options.data_root, recipe_on=options.recipe_on)
            print(f"{place}/{len(names)} {name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    numbers = json.dumps(report(sets), indent=1) + "\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{options.half}.json").write_text(numbers)
    if options.evidence:
        EVIDENCE.write_text(numbers)


if __name__ == "__main__":
    main()
