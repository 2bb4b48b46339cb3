"""The comparison itself: which arms, which choice, which controls; and from the data's name to the page."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from localmixup._validate import ArgumentError
from localmixup.graphs.fit import DistanceSample, sample_distances
from localmixup.lab.analysis.arms import (
    BEST_GRAPH,
    SAME_SHARE,
    ArmResult,
    best_on_validation,
    matched_controls,
    results_of,
    validation_error,
)
from localmixup.lab.analysis.comparison import Comparison
from localmixup.lab.analysis.decisions import verdict_of
from localmixup.lab.analysis.table import table_of
from localmixup.lab.analysis.wording import decimals_of
from localmixup.lab.compare.grid import candidates
from localmixup.lab.compare.job import Job, training_of
from localmixup.lab.data.prepared import Prepared, prepare, training_rows
from localmixup.lab.data.sources import load
from localmixup.lab.files import check_writable
from localmixup.lab.methods import LOCAL, METHODS
from localmixup.lab.report.comparison_page import write_comparison
from localmixup.lab.runs.engine import run
from localmixup.lab.runs.events import Event, Read
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.spec import DataSpec, MethodSpec, TrainingSpec
from localmixup.lab.runs.store import Record, Store, versions


def compare(job: Job) -> Generator[Event, None, tuple[Comparison, Path]]:
    """Compare methods on a data set and write the report.

    Args:
        job: what is asked for. All of it is checked before the first run.

    Yields:
        What happens: the data were read, a stage begins, a run is finished.

    Returns:
        What was found, and the path of the report.

    Raises:
        ArgumentError: something in the job is wrong.
    """
    check_writable(job.out)
    data = load(job.source, target=job.target, task=job.task, data_root=job.data_root)
    training = training_of(job, data)
    yield Read(data.name, len(data.x), data.shape, data.task, training.model, tuple(data.notes))
    prepared = prepare(data, train_size=job.train_size)
    sample = sample_distances(prepared.x, prepared.y.numpy() if prepared.task == "classification" else None)
    spec = DataSpec(name=data.name, fingerprint=data.fingerprint, train_size=job.train_size)
    with closing(Store(job.store or job.out / "results.sqlite")) as store:
        comparison, records = yield from compare_methods(
            spec,
            prepared,
            sample,
            training,
            job.methods,
            range(job.seeds),
            store,
            fixed=job.fixed,
            kept_shares=job.kept_shares,
            jobs=job.jobs,
            device=job.device,
            notes=data.notes,
        )
    report = job.out / "report.html"
    try:
        (job.out / "comparison.json").write_text(comparison.model_dump_json(indent=1), encoding="utf-8")
        write_comparison(report, comparison, records, data, prepared, sample)
    except OSError as error:
        raise ArgumentError(
            f"--out {job.out}: cannot be written: {error.strerror or error}; all runs are stored"
        ) from None
    return comparison, report


def compare_methods(
    data: DataSpec,
    prepared: Prepared,
    sample: DistanceSample,
    training: TrainingSpec,
    methods: Sequence[str],
    seeds: Sequence[int],
    store: Store,
    *,
    fixed: dict[str, float] | None = None,
    kept_shares: Sequence[float] | None = None,
    jobs: int | None = None,
    device: str = "cpu",
    notes: Sequence[str] = (),
) -> Generator[Event, None, tuple[Comparison, dict[str, Record]]]:
    """Run every method, choose on the validation split, run the controls of what was chosen, and compare.

    Args:
        data: which data.
        prepared: the data themselves.
        sample: distances of the training data.
        training: what all methods have in common.
        methods: keys of `METHODS`, in the order of the table.
        seeds: one run each. The same seed starts every method from the same weights and the same validation split.
        store: where records are kept.
        fixed: parameters that the user set, by method; nothing is chosen for these.
        kept_shares: the grid of locality; by default `KEPT_SHARES`.
        jobs: number of processes.
        device: `"cpu"` or `"cuda"`.
        notes: for the reader.

    Returns:
        What was found, and the records of its rows by their key.
    """
    rows = training_rows(len(prepared.x), training.validation_share)
    grids = {
        method: candidates(method, sample, rows, training, fixed=(fixed or {}).get(method), kept_shares=kept_shares)
        for method in methods
    }

    def trained(title: str, specs: Iterable[MethodSpec]) -> Generator[Event, None, dict[MethodSpec, ArmResult]]:
        arms = [_arm(data, training, spec) for spec in specs]
        wanted = [arm.run(seed) for arm in arms for seed in seeds]
        records = (yield from run(wanted, prepared, store, jobs=jobs, device=device, title=title)) if wanted else {}
        return {result.arm.method: result for result in results_of(arms, seeds, records)}

    done = yield from trained("training", dict.fromkeys(spec for grid in grids.values() for spec in grid))
    chosen = {method: best_on_validation(done[spec] for spec in grid) for method, grid in grids.items()}
    # if the choice is an end of the range, the best local graph still shows whether locality matters
    local = {
        method: best_on_validation(done[spec] for spec in grids[method] if spec.method in LOCAL)
        for method in methods
        if method in LOCAL
    }
    controls = {method: matched_controls(result) for method, result in local.items()}
    missing = dict.fromkeys(spec for pair in controls.values() for spec in pair if spec not in done)
    done |= yield from trained("training the controls", missing)

    results = _rows(methods, chosen, local, controls, done)
    unit = "%" if prepared.task == "classification" else "RMSE"
    table = table_of(results, unit=unit, decimals=decimals_of(unit, max(max(r.errors) for r in results)))
    verdict, details = verdict_of(table, data.name)
    comparison = Comparison(
        **dict(table),
        data=data,
        training=training,
        task=prepared.task,
        seeds=list(seeds),
        sizes={"train": rows, "validation": len(prepared.x) - rows, "test": len(prepared.x_test)},
        grid=grids,
        grid_errors={method: [validation_error(done[spec]) for spec in grid] for method, grid in grids.items()},
        verdict=verdict,
        details=details,
        notes=list(notes),
        versions=versions(),
    )
    return comparison, {record.spec.key: record for result in results for record in result.records.values()}


def _arm(data: DataSpec, training: TrainingSpec, spec: MethodSpec) -> Arm:
    return Arm(
        item="compare", protocol="compare", scale="full", panel=data.name, label=spec.method, data=data,
        training=training, method=spec,
    )  # fmt: skip


def _rows(
    methods: Sequence[str],
    chosen: dict[str, ArmResult],
    local: dict[str, ArmResult],
    controls: dict[str, tuple[MethodSpec, MethodSpec]],
    done: dict[MethodSpec, ArmResult],
) -> list[ArmResult]:
    """The rows of the table, each local method followed by its controls."""
    rows = []
    for method in methods:
        label = METHODS[method].title
        rows.append(chosen[method].labelled(label))
        if method in LOCAL:
            if local[method] is not chosen[method]:
                label += BEST_GRAPH
                rows.append(local[method].labelled(label))
            same_share, scaled = controls[method]
            names = {SAME_SHARE: same_share, f"mixup with the loss x {scaled.loss_scale:.3g}": scaled}
            rows += [done[spec].labelled(f"{label}: {name}", control_of=label) for name, spec in names.items()]
    return rows
