"""The main job: does Local Mixup help on these data? Which runs, which choice, which comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from localmixup._validate import ArgumentError
from localmixup.graphs.fit import calibrate, describe, sample_distances
from localmixup.lab.analysis.comparison import Comparison, Row
from localmixup.lab.analysis.decisions import verdict_of
from localmixup.lab.analysis.statistics import Difference, holm, mean_of, paired
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.methods import LOCAL, METHODS
from localmixup.lab.methods.parameters import GRAPHS, PARAMETERS, describe_spec, graph_of
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Record

KEPT_SHARES = {"set": (0.01, 0.05, 0.2), "batch": (0.125, 0.25, 0.5)}
"""How local: the shares of nearest pairs of the grid, by where pairs come from. Of a batch not many are near."""

MIXED_SHARES = (0.5, 1.0)
"""How often: the shares of mixed samples of the grid."""

Runner = Callable[[Sequence[RunSpec]], dict[str, Record]]


def candidates(
    method: str, prepared: Prepared, training: TrainingSpec, *, fixed: dict[str, float], kept_shares: Sequence[float]
) -> list[MethodSpec]:
    """The grid of a method: what the validation split chooses from, the simplest first.

    Args:
        method: a key of `METHODS`.
        prepared: the data; distances are measured in its pool.
        training: tells where pairs come from.
        fixed: parameters that the user set, by method.
        kept_shares: shares of the nearest pairs to try.
    """
    if method not in LOCAL:
        return [MethodSpec(method=method)]
    ends = [MethodSpec(method="mixup"), MethodSpec(method="vanilla")]
    found = []
    population = round(0.8 * len(prepared.x)) if training.pairs == "set" else training.batch_size
    if training.pairs == "batch":
        kept_shares = [share for share in kept_shares if training.batch_size / share <= 0.8 * len(prepared.x)]
        if not kept_shares and method not in fixed:
            raise ArgumentError(
                f"--pairs batch: {round(0.8 * len(prepared.x))} training samples are too few for a batch in which "
                f"{training.batch_size} local pairs count; use --pairs set"
            )
    if method in fixed:
        if training.pairs == "batch" and method == "local-knn":
            raise ArgumentError(
                "--n-neighbors: in a batch only so many pairs count, however large it is; use --pairs set"
            )
        graph = graph_of(MethodSpec(method=method, parameter=fixed[method]))
        share = _kept_by(graph, prepared, population)
        parameters = [(fixed[method], share)]
        ends = []
    else:
        parameters = []
        for share in sorted(kept_shares, reverse=True):
            among = population if training.pairs == "set" else round(training.batch_size / share)
            graph = calibrate(prepared.x, GRAPHS[method], kept_share=share, population=among).graph
            parameters.append((float(getattr(graph, PARAMETERS[method])), share))
    if training.pairs == "batch":
        found = [MethodSpec(method=method, parameter=p, kept_share=share) for p, share in parameters]
    else:
        for mixed_share in MIXED_SHARES:
            if mixed_share < 1 and ends:
                ends.append(MethodSpec(method="mixup", mixed_share=mixed_share))
            found += [
                MethodSpec(method=method, parameter=p, kept_share=share, mixed_share=mixed_share)
                for p, share in parameters
            ]
    return [*ends, *found]


def compare(
    data: DataSpec,
    prepared: Prepared,
    training: TrainingSpec,
    methods: Sequence[str],
    seeds: Sequence[int],
    run: Runner,
    *,
    fixed: dict[str, float] | None = None,
    kept_shares: Sequence[float] | None = None,
    notes: Sequence[str] = (),
    versions: dict[str, str] | None = None,
) -> Comparison:
    """Run every method, choose on the validation split, run the controls of what was chosen, and compare.

    Args:
        data: which data.
        prepared: the data themselves.
        training: what all methods have in common.
        methods: keys of `METHODS`, in the order of the table.
        seeds: one run each; the same seed starts every method from the same weights and the same validation split.
        run: brings back the records of specifications.
        fixed: parameters that the user set, by method: nothing is chosen there.
        kept_shares: the grid of locality; default `KEPT_SHARES`.
        notes: for the reader.
        versions: of the software.
    """
    shares = KEPT_SHARES[training.pairs] if kept_shares is None else kept_shares
    grids = {
        method: candidates(method, prepared, training, fixed=fixed or {}, kept_shares=shares) for method in methods
    }

    def records(specs: Sequence[MethodSpec]) -> dict[MethodSpec, list[Record]]:
        wanted = {s: [RunSpec(data=data, training=training, method=s, seed=k) for k in seeds] for s in specs}
        found = run([spec for group in wanted.values() for spec in group])
        return {s: [found[spec.key] for spec in group] for s, group in wanted.items()}

    done = records(list(dict.fromkeys(spec for grid in grids.values() for spec in grid)))
    chosen = {method: min(grid, key=lambda s: _validation(done[s])) for method, grid in grids.items()}
    # where the choice fell on an end of the range, the best local graph is what shows whether locality matters
    local = {
        method: min((s for s in grids[method] if s.method in LOCAL), key=lambda s: _validation(done[s]))
        for method in methods
        if method in LOCAL
    }
    controls = {method: _controls(spec, done[spec], training) for method, spec in local.items()}
    done |= records([spec for pair in controls.values() for _, spec in pair if spec not in done])

    rows = _with_differences(_rows(methods, chosen, local, controls, done))
    unit = "%" if prepared.task == "classification" else "RMSE"
    verdict, details = verdict_of(rows, data.name, unit)
    return Comparison(
        data=data,
        training=training,
        task=prepared.task,
        unit=unit,
        seeds=list(seeds),
        sizes={
            "train": round(len(prepared.x) * 0.8),
            "validation": round(len(prepared.x) * 0.2),
            "test": len(prepared.x_test),
        },
        grid=grids,
        grid_errors={method: [_validation(done[s]) for s in grid] for method, grid in grids.items()},
        rows=rows,
        verdict=verdict,
        details=details,
        notes=list(notes),
        versions=versions or {},
    )


def _kept_by(graph: Any, prepared: Prepared, population: int) -> float:
    return max(1e-6, describe(graph, sample_distances(prepared.x), population=population).mean_weight)


def _validation(records: Sequence[Record]) -> float:
    mean = sum(r.outcome.validation_error for r in records) / len(records)
    return math.inf if math.isnan(mean) else mean


def _controls(spec: MethodSpec, records: Sequence[Record], training: TrainingSpec) -> list[tuple[str, MethodSpec]]:
    """The two controls of what a local method ended up with: without them its result means nothing for locality."""
    share = spec.mixed_share
    if training.pairs == "batch":
        # of a random permutation one sample meets itself, so a little more than the share must be permuted
        drawn = sum(r.outcome.mixed_share for r in records) / len(records)
        share = round(drawn / (1 - 1 / training.batch_size), 3)
    weight = round(sum(r.outcome.mean_weight for r in records) / len(records), 3)
    # classical mixup mixes all samples but those that meet themselves: at a share of one it is its own control
    same_share = MethodSpec(method="mixup", mixed_share=None if share is None or share > 0.95 else share)
    scaled = MethodSpec(method="mixup", loss_scale=weight)
    return [("mixup at the same mixed share", same_share), (f"mixup with the loss x {weight:.3g}", scaled)]


def _rows(
    methods: Sequence[str],
    chosen: dict[str, MethodSpec],
    local: dict[str, MethodSpec],
    controls: dict[str, list[tuple[str, MethodSpec]]],
    done: dict[MethodSpec, list[Record]],
) -> list[Row]:
    """The lines of the table, each local method followed by its controls."""
    rows: list[Row] = []
    for method in methods:
        label = METHODS[method].title
        rows.append(_row(label, method, chosen[method], done))
        if method not in LOCAL:
            continue
        if local[method] != chosen[method]:
            label += ", its best graph"
            rows.append(_row(label, method, local[method], done))
        rows += [_row(f"{label}: {name}", "mixup", spec, done, control_of=label) for name, spec in controls[method]]
    return rows


def _row(
    label: str, method: str, spec: MethodSpec, done: dict[MethodSpec, list[Record]], *, control_of: str | None = None
) -> Row:
    records = done[spec]
    outcomes = [record.outcome for record in records]
    errors = [o.test_error for o in outcomes]

    def mean(name: str) -> float:
        return float(sum(getattr(o, name) for o in outcomes) / len(outcomes))

    return Row(
        label=label,
        method=method,
        spec=spec,
        control_of=control_of,
        chosen=describe_spec(spec) if control_of or method in LOCAL else "",
        errors=errors,
        validation_errors=[o.validation_error for o in outcomes],
        error=mean_of(errors),
        differences={},
        p_holm={},
        train_seconds=mean("train_seconds"),
        mixed_share=mean("mixed_share"),
        effective_sample_size=mean("effective_sample_size"),
        mean_weight=mean("mean_weight"),
        keys=[record.spec.key for record in records],
    )


def _with_differences(rows: list[Row]) -> list[Row]:
    """Add the paired differences to vanilla, to mixup, and of local methods to their own controls."""
    baselines = [row for row in rows if row.method in ("vanilla", "mixup") and row.control_of is None]
    found: list[tuple[int, str, Difference]] = []
    for i, row in enumerate(rows):
        others = [b for b in baselines if b.label != row.label and row.control_of is None]
        others += [c for c in rows if c.control_of == row.label]
        found += [(i, other.label, paired(row.errors, other.errors)) for other in others]
    # a control that is mixup itself, or mixup against vanilla and the other way round, is one test, not two
    spec_of = {row.label: row.spec for row in rows}
    tests = {frozenset((rows[i].spec, spec_of[label])): d.p for i, label, d in found}
    # nor is a row that ended up as vanilla training or mixup itself a test against it
    tests = {pair: p for pair, p in tests.items() if len(pair) == 2}
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    updated = []
    for i, row in enumerate(rows):
        mine = {label: d for j, label, d in found if j == i}
        p = {label: corrected.get(frozenset((row.spec, spec_of[label])), 1.0) for label in mine}
        updated.append(row.model_copy(update={"differences": mine, "p_holm": p}))
    return updated
