"""The candidates of the further methods, from which the rows that choose pick one of each."""

from __future__ import annotations

from localmixup.graphs.distance_sample import make_wish
from localmixup.graphs.fit import DistanceSample
from localmixup.lab.methods import LOCAL
from localmixup.lab.methods.graphs import graph_type
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

KEPT_SHARES = {"set": (0.2, 0.05, 0.01), "batch": (0.5, 0.25, 0.125)}
"""How local the paper's graphs are: shares of nearest pairs, by where pairs come from."""

MIXED_SHARES = (0.5, 1.0)
"""How often: shares of mixed samples."""


def grid_of(method: str, sample: DistanceSample, rows: int, training: TrainingSpec) -> list[MethodSpec]:
    """Return the candidates of a further method.

    The paper's graphs have a parameter to choose, every other method has its default.

    Args:
        method: a key of `METHODS`.
        sample: distances of the training data.
        rows: number of rows that a run trains on.
        training: tells where pairs come from.
    """
    if method not in LOCAL:
        return [MethodSpec(method=method)]
    if training.pairs == "batch":
        shares = [share for share in KEPT_SHARES["batch"] if training.batch_size / share <= rows] or [0.5]
        sizes = [min(rows, round(training.batch_size / share)) for share in shares]
        return [
            MethodSpec(method=method, parameter=_parameter(method, sample, share, size), kept_share=share)
            for share, size in zip(shares, sizes, strict=True)
        ]
    return [
        MethodSpec(
            method=method, parameter=_parameter(method, sample, share, rows), kept_share=share, mixed_share=mixed
        )
        for mixed in MIXED_SHARES
        for share in KEPT_SHARES["set"]
    ]


def _parameter(method: str, sample: DistanceSample, share: float, population: int) -> float:
    graph = graph_type(method).from_sample(sample, make_wish({"kept_share": share}, population), metric="euclidean")
    return float(getattr(graph, graph.parameter))
