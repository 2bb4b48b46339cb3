"""Images at real size: all training images, a small convolutional network, the official test set.

    python benchmarks/full_size_images.py mnist fashion_mnist cifar10 [--store images.sqlite] [--data-root FOLDER]

Six arms on each data set: vanilla training, mixup of all samples, mixup of as many samples as `LocalMixup()` mixes,
`LocalMixup()` on pixels, the same recipe on the features of the network in training, and the exponential graph with the
decay that the paper states. Nothing is tuned and nothing is chosen: the settings stand below, the same for every arm.
Runs are stored as they finish, so the command can be ended at any time and goes on from there. The table shows the mean
test error over the seeds that all arms have finished, and paired differences with Student's 95 % interval. A GPU takes
`--device cuda`.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from localmixup import CompleteGraph, ExponentialGraph, LocalMixup
from localmixup.lab.analysis.arms import ArmResult, both, results_of
from localmixup.lab.analysis.statistics import mean_of, paired
from localmixup.lab.cli.console import show
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.sources import load
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.engine import run
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.spec import DataSpec, MethodSpec, TrainingSpec
from localmixup.lab.runs.store import Store

BATCH = 128
_SHARED = {"pairs": "batch", "reduction": "weighted_mean", "batch_size": BATCH, "validation_share": 0.0,
           "curve_points": 1, "regions": False}  # fmt: skip
# epochs, seeds, decay of the paper, and what differs in training
SETTINGS = {
    "mnist": (20, 10, 1e-3, {"model": "lenet5"}),
    "fashion_mnist": (20, 10, 1e-3, {"model": "lenet5"}),
    "cifar10": (12, 10, 3e-3, {"model": "resnet", "augmentation": "crop-flip", "learning_rate": 4e-3}),
}


def arms_of(name: str, rows: int, data: DataSpec) -> list[Arm]:
    """Return the six arms of a data set."""
    epochs, _, decay, own = SETTINGS[name]
    training = TrainingSpec(updates=round(epochs * rows / BATCH), **_SHARED, **own)  # type: ignore[arg-type]
    recommended = LocalMixup()
    methods: dict[str, MethodSpec] = {
        "vanilla": recipe_spec(LocalMixup(CompleteGraph(), prob=0)),
        "mixup": recipe_spec(LocalMixup(CompleteGraph())),
        "mixup of as many samples": recipe_spec(LocalMixup(CompleteGraph(), prob=recommended.prob)),
        "LocalMixup()": recipe_spec(recommended),
        "LocalMixup() on features": recipe_spec(recommended, method="feature-recipe"),
        f"exponential, decay {decay:g}": recipe_spec(LocalMixup(ExponentialGraph(decay))),
    }
    place = {"item": "images", "protocol": "benchmark", "scale": "full", "panel": name}
    return [Arm(**place, label=label, data=data, training=training, method=method) for label, method in methods.items()]


def table(results: list[ArmResult]) -> None:
    """Print the arms with their differences to vanilla training and to mixup of as many samples."""
    by_label = {result.arm.label: result for result in results if result.records}
    print(f"{'arm':<28} {'runs':>4}  {'test error, %':<16} against vanilla          against as many samples")
    for label, result in by_label.items():
        error = mean_of(result.errors)
        cells = []
        for other in ("vanilla", "mixup of as many samples"):
            mine, theirs = both(result, by_label[other]) if other in by_label else ([], [])
            if label == other or len(mine) < 2:
                cells.append(f"{'':<24}")
                continue
            d = paired(mine, theirs)
            cells.append(f"{d.mean:+.2f} ({d.low:+.2f} to {d.high:+.2f})".ljust(24))
        half = error.high - error.mean
        print(f"{label:<28} {len(result.records):>4}  {error.mean:.2f} +- {half:<8.2f} {' '.join(cells)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", choices=SETTINGS)
    parser.add_argument("--store", default="images.sqlite")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seeds", type=int, help="fewer than the protocol has, to begin with")
    parser.add_argument("--stored", action="store_true", help="train nothing: the tables of what is stored")
    options = parser.parse_args()
    with closing(Store(options.store)) as store:
        for name in options.sets:
            data = load(name, data_root=options.data_root)
            prepared = prepare(data)
            spec = DataSpec(name=data.name, fingerprint=data.fingerprint)
            arms = arms_of(name, len(prepared.x), spec)
            seeds = range(min(options.seeds or SETTINGS[name][1], SETTINGS[name][1]))
            # one seed of every arm after the other, so that an unfinished experiment is an even one
            wanted = [arm.run(seed) for seed in seeds for arm in arms]
            if options.stored:
                records = store.get(wanted)
            else:
                records = show(run(wanted, prepared, store, jobs=options.jobs, device=options.device, title=name))
            print(f"\n{name}: {len(prepared.x):,} training images, {arms[0].training.updates:,} updates of {BATCH}")
            finished = [seed for seed in seeds if all(arm.run(seed).key in records for arm in arms)]
            print(f"{len(finished)} of {SETTINGS[name][1]} seeds are finished in all arms")
            if finished:
                table(results_of(arms, finished, records))


if __name__ == "__main__":
    main()
