"""Every setting of the benchmark, taken as it stands: its mean difference to vanilla training on the rows that choose.

    python benchmarks/benchmark_candidates.py results.sqlite

The store is that of `localmixup benchmark`. Read are the runs that choose settings: two seeds, at the middle learning
rate. Differences are in margins (negative is better), cut off at 5 so that no set decides alone, and averaged over the
sets that had a part in the choice of the numbers of `LocalMixup()` and over the others. A setting that is picked by the
first column is judged by the second, and by the runs of `localmixup benchmark` that judge.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from statistics import fmean

from localmixup.lab.analysis.questions import margin_of
from localmixup.lab.benchmark.arms import RATES, UPDATES
from localmixup.lab.benchmark.suite import MEMBERS
from localmixup.lab.comparison.candidates import vanilla_config
from localmixup.lab.comparison.stages import settings_of
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.spec import RunSpec

MOST = 5.0
FEWEST_SETS = 20  # a setting that was run on fewer was made for single sets, by `recommend`
VANILLA = "vanilla"
CONTROL = "same-displacement-of-set"  # which came later and is nothing to choose


def setting(spec: RunSpec) -> str:
    """Return a run's setting in words, without what is fitted to the data."""
    method, training = spec.method, spec.training
    if method == recipe_spec(vanilla_config()):
        return VANILLA
    ends = f", {training.first_ends}" if training.pairs == "set" else ""
    if method.kept_share is not None:
        share = method.mixed_share or 1.0
        return f"{method.method}{ends}, {100 * method.kept_share:g} % of the pairs, {100 * share:g} % of the samples"
    alpha = f", mixup_alpha {training.mixup_alpha:g}" if training.pairs == "set" else ""
    return f"{method.method}{ends}: {settings_of(method)}{alpha}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    options = parser.parse_args()
    errors: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    with closing(sqlite3.connect(options.store)) as store:
        for text, outcome in store.execute("select spec, outcome from localmixup_runs"):
            spec = RunSpec.model_validate_json(text)
            training = spec.training
            plain = (training.resample, training.learning_rate, training.updates) == ("choose", RATES[1], UPDATES)
            if plain and spec.method.method != CONTROL:
                error = json.loads(outcome)["validation_error"]
                errors[spec.data.name][setting(spec)][spec.seed] = error
    found: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for name, of_set in errors.items():
        vanilla = of_set[VANILLA]
        unit = "RMSE" if MEMBERS[name].kind == "regression" else "%"
        margin = margin_of(unit, fmean(vanilla.values()))
        for words, own in of_set.items():
            difference = fmean(own[seed] - vanilla[seed] for seed in vanilla) / margin
            found[words][MEMBERS[name].untouched].append(max(-MOST, min(MOST, difference)))
    print("had a part  untouched  setting")
    for words, (part, untouched) in sorted(found.items(), key=lambda item: fmean(item[1][0] or [MOST])):
        if len(part) + len(untouched) >= FEWEST_SETS:
            print(f"{fmean(part):+10.2f}  {fmean(untouched):+9.2f}  {words}")


if __name__ == "__main__":
    main()
