"""The arms of the benchmark, each with the candidates from which the rows that choose pick one.

Every tuned arm has eight candidates. Vanilla training, classical mixup, `LocalMixup()`, `recommend` and the nearest 1 %
of the set have nothing to choose but the learning rate, which is tuned for every arm alike.
"""

from __future__ import annotations

from typing import NamedTuple

from localmixup import CompleteGraph, LocalMixup
from localmixup.graphs.distance_sample import DistanceSample, make_wish
from localmixup.lab.analysis.benchmark_labels import CLASSICAL, NEAR, OF_SET, OF_SET_AS_FAR, UNTOUCHED
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA
from localmixup.lab.comparison.candidates import candidates, vanilla_config
from localmixup.lab.methods.graphs import graph_type
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

RATES = (5e-4, 2e-3, 8e-3)
"""Learning rates. The middle one chooses between candidates."""

_KEPT, _MIXED = (0.3, 0.1, 0.03, 0.01), (0.3, 1.0)
_NEAR = (0.01, 0.3)  # share of the pairs, share of the samples
_ALPHAS = (0.2, 1.0)
_GRAPHS = {"local-knn": "nearest neighbours", "local-threshold": "threshold", "local-exponential": "exponential"}
_ENDS = {"uniform": "uniform first ends", "row sums": "eq. (3)"}


class Candidate(NamedTuple):
    """One setting of an arm.

    Attributes:
        training: how it is trained.
        method: with which method.
    """

    training: TrainingSpec
    method: MethodSpec

    def with_training(self, **update: object) -> Candidate:
        """Return the same method, trained otherwise."""
        return self._replace(training=self.training.model_copy(update=update))


UPDATES = 1500
"""Steps of every training."""


def training_of(train_rows: int, updates: int = UPDATES) -> TrainingSpec:
    """Return what all arms have in common.

    Args:
        train_rows: rows that a run trains on at most.
        updates: steps of every training.
    """
    return TrainingSpec(
        model="mlp", pairs="batch", reduction="weighted_mean", updates=updates, batch_size=50, learning_rate=RATES[1],
        validation_share=0.0, curve_points=1, regions=False, standardise="run", train_rows=train_rows,
    )  # fmt: skip


def arms_of(training: TrainingSpec, sample: DistanceSample, rows: int, task: str) -> dict[str, list[Candidate]]:
    """Return the candidates of every arm but `recommend`, by its label.

    Args:
        training: from `training_of`.
        sample: distances of rows that never judge.
        rows: number of rows that a run trains on.
        task: `"classification"` or `"regression"`.
    """
    mixup, local, _ = candidates()
    of_set = training.model_copy(update={"pairs": "set", "reduction": "mean", "first_ends": "uniform"})
    found = {
        VANILLA: [recipe_spec(vanilla_config())],
        CLASSICAL: [recipe_spec(LocalMixup(CompleteGraph()))],
        MIXUP: [recipe_spec(config) for config in mixup],
        UNTOUCHED: [recipe_spec(LocalMixup())],
        LOCAL: [recipe_spec(config) for config in local],
    }
    arms = {label: [Candidate(training, spec) for spec in specs] for label, specs in found.items()}
    for ends, how in _ENDS.items():
        for method, name in _GRAPHS.items():
            arms[f"{name}, {how}"] = [
                Candidate(of_set, spec).with_training(first_ends=ends) for spec in _graphs(method, sample, rows)
            ]
    neighbours = arms[f"{_GRAPHS['local-knn']}, {_ENDS['uniform']}"]
    nearest = next(c for c in neighbours if (c.method.kept_share, c.method.mixed_share) == _NEAR)
    arms[NEAR] = [nearest]
    arms[OF_SET] = [nearest._replace(method=MethodSpec(method="mixup", mixed_share=_NEAR[1]))]
    as_far = nearest.method.model_copy(update={"method": "same-displacement-of-set"})
    arms[OF_SET_AS_FAR] = [nearest._replace(method=as_far)]
    arms["RegMixup"] = [
        Candidate(training, _spec("regmixup", eta=eta, mixup_alpha=alpha))
        for eta in (0.3, 1.0)
        for alpha in (0.5, 2.0, 10.0, 20.0)
    ]
    bandwidths = (0.3, 0.6, 1.0, 3.0) if task == "classification" else (0.03, 0.1, 0.3, 1.0)
    for label, method, option, values in (
        ("C-Mixup", "c-mixup", "bandwidth", bandwidths),
        ("k-Mixup", "k-mixup", "k", (2.0, 4.0, 8.0, 16.0)),
    ):
        arms[label] = [
            Candidate(of_set, _spec(method, **{option: value})).with_training(mixup_alpha=alpha)
            for value in values
            for alpha in _ALPHAS
        ]
    return arms


def _spec(method: str, **options: float) -> MethodSpec:
    return MethodSpec(method=method, options=tuple(sorted(options.items())))


def _graphs(method: str, sample: DistanceSample, rows: int) -> list[MethodSpec]:
    found = []
    for kept in _KEPT:
        graph = graph_type(method).from_sample(sample, make_wish({"kept_share": kept}, rows), metric="euclidean")
        value = float(getattr(graph, graph.parameter))
        found += [MethodSpec(method=method, parameter=value, kept_share=kept, mixed_share=share) for share in _MIXED]
    return found
