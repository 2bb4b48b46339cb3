"""The candidates of a method, from which the validation split chooses."""

from __future__ import annotations

from collections.abc import Sequence

from localmixup._validate import ArgumentError
from localmixup.graphs.distance_sample import make_wish
from localmixup.graphs.fit import DistanceSample, describe_graph
from localmixup.lab.methods import LOCAL
from localmixup.lab.methods.graphs import graph_of, graph_type
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

KEPT_SHARES = {"set": (0.01, 0.05, 0.2), "batch": (0.125, 0.25, 0.5)}
"""How local: shares of nearest pairs, by where pairs come from. Within a batch only few pairs are near."""

MIXED_SHARES = (0.5, 1.0)
"""How often: shares of mixed samples."""


def candidates(
    method: str,
    sample: DistanceSample,
    rows: int,
    training: TrainingSpec,
    *,
    fixed: float | None = None,
    kept_shares: Sequence[float] | None = None,
) -> list[MethodSpec]:
    """Return the candidates of a method, the simplest first.

    The grid of a local method holds vanilla training and mixup as well, the two ends of its range.

    Args:
        method: a key of `METHODS`.
        sample: distances of the training data.
        rows: number of rows that a run trains on.
        training: tells where pairs come from.
        fixed: the graph's parameter if the user set it; nothing is chosen then.
        kept_shares: shares of the nearest pairs to try; by default `KEPT_SHARES`.

    Raises:
        ArgumentError: the batches that the candidates need are larger than the data.
    """
    if method not in LOCAL:
        return [MethodSpec(method=method)]
    shares = KEPT_SHARES[training.pairs] if kept_shares is None else kept_shares
    in_batch = training.pairs == "batch"
    if in_batch:
        shares = _that_fit(shares, method, rows, training, fixed)
    if fixed is not None:
        graph = graph_of(MethodSpec(method=method, parameter=fixed))
        kept = describe_graph(graph, sample, population=training.batch_size if in_batch else rows).mean_weight
        graphs = [(fixed, max(1e-6, kept))]
    else:
        graphs = [
            (_parameter(method, sample, share, round(training.batch_size / share) if in_batch else rows), share)
            for share in sorted(shares, reverse=True)
        ]
    ends = [] if fixed is not None else [MethodSpec(method="mixup"), MethodSpec(method="vanilla")]
    if in_batch:
        return [*ends, *(MethodSpec(method=method, parameter=p, kept_share=share) for p, share in graphs)]
    if ends:
        ends += [MethodSpec(method="mixup", mixed_share=share) for share in MIXED_SHARES if share < 1]
    return ends + [
        MethodSpec(method=method, parameter=p, kept_share=share, mixed_share=mixed)
        for mixed in MIXED_SHARES
        for p, share in graphs
    ]


def _parameter(method: str, sample: DistanceSample, share: float, population: int) -> float:
    graph = graph_type(method).from_sample(sample, make_wish({"kept_share": share}, population), metric="euclidean")
    return float(getattr(graph, graph.parameter))


def _that_fit(
    shares: Sequence[float], method: str, rows: int, training: TrainingSpec, fixed: float | None
) -> list[float]:
    """The shares at which a batch with as many local pairs as counted samples is no larger than the data."""
    if fixed is not None and method == "local-knn":
        raise ArgumentError("--n-neighbors: in a batch only so many pairs count, however large it is; use --pairs set")
    found = [share for share in shares if training.batch_size / share <= rows]
    if not found and fixed is None:
        raise ArgumentError(
            f"--pairs batch: {rows} training samples are too few for a batch in which {training.batch_size} local "
            "pairs count; use --pairs set"
        )
    return found
