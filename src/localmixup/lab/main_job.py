"""`localmixup compare` from the data's name to the report's path, without a word on how it is printed."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from localmixup._validate import ArgumentError
from localmixup.lab import compare as comparing
from localmixup.lab.analysis.comparison import Comparison
from localmixup.lab.data.augmentation import AUGMENTATIONS
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.sources import load
from localmixup.lab.models import MODELS, build_model, pick_model
from localmixup.lab.report.page import write_report
from localmixup.lab.runs.engine import run_all
from localmixup.lab.runs.spec import DataSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Record, Store, versions

_DEFAULT_UPDATES = {"mlp": 1500, "lenet5": 1000, "resnet": 2000}
_SET_BYTES = 4 * 2**30  # training inputs beyond this are mixed within the batch


@dataclass(frozen=True)
class Job:
    """What the user asked for; every field that is None is picked from the data.

    Attributes:
        source: see `localmixup.lab.data.sources.load`.
        methods: keys of `localmixup.lab.methods.METHODS`.
        seeds: how many.
        epochs: passes over the training data.
        model: a key of `localmixup.lab.models.MODELS`.
        out: folder of the results.
        jobs: processes at once.
        store: URL of the records; default a file in `out`.
        fixed: graph parameters that the user set, by method.
        others: of `TrainingSpec`, `load` and `prepare`.
    """

    source: str
    methods: tuple[str, ...]
    seeds: int = 5
    epochs: float | None = None
    model: str | None = None
    out: Path = Path("localmixup-results")
    jobs: int | None = None
    store: str | None = None
    target: str | None = None
    task: str | None = None
    data_root: Path | None = None
    pairs: str | None = None
    train_size: int | None = None
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    augmentation: str | None = None
    mixup_alpha: float = 1.0
    device: str = "cpu"
    precision: str = "no"
    kept_shares: tuple[float, ...] | None = None
    fixed: dict[str, float] = field(default_factory=dict)


def run_job(
    job: Job,
    *,
    on_data: Callable[[DataSet, TrainingSpec], object] = lambda data, training: None,
    on_plan: Callable[[int, int], object] = lambda wanted, done: None,
    on_finished: Callable[[RunSpec], object] = lambda spec: None,
) -> tuple[Comparison, Path]:
    """Compare methods on a data set and write the report.

    Args:
        job: what is asked for.
        on_data: called with what was read and how it will be trained on, before any run.
        on_plan: called with the number of runs of a stage, and how many of them are in the store already.
        on_finished: called after each stored run.

    Returns:
        What was found, and the path of the report.

    Raises:
        ArgumentError: something in the job is not as it should be; all of it is checked before the first run.
    """
    check_writable(job.out)
    data = load(job.source, target=job.target, task=job.task, data_root=job.data_root)
    training = _training(job, data)
    on_data(data, training)
    prepared = prepare(data, train_size=job.train_size)
    if data.task == "regression" and {"within-class", "between-class"} & set(job.methods):
        raise ArgumentError(
            "--methods: within-class and between-class need classes; the target is a quantity (regression)"
        )
    if data.kind != "image" and "cutmix" in job.methods:
        raise ArgumentError(f"--methods: cutmix needs images; {data.name} is a table")
    store = Store(job.store or job.out / "results.sqlite")
    gathered: dict[str, Record] = {}

    def run(specs: Sequence[RunSpec]) -> dict[str, Record]:
        wanted = {spec.key: spec for spec in specs}
        on_plan(len(wanted), len(store.get(specs)))
        found = run_all(specs, prepared, store, jobs=job.jobs, device=job.device, on_finished=on_finished)
        gathered.update(found)
        return found

    try:
        comparison = comparing.compare(
            DataSpec(name=data.name, fingerprint=data.fingerprint, train_size=job.train_size),
            prepared,
            training,
            job.methods,
            range(job.seeds),
            run,
            fixed=job.fixed,
            kept_shares=job.kept_shares,
            notes=data.notes,
            versions=versions(),
        )
    finally:
        store.close()
    report = job.out / "report.html"
    try:
        (job.out / "comparison.json").write_text(comparison.model_dump_json(indent=1), encoding="utf-8")
        write_report(report, comparison, gathered, data, prepared)
    except OSError as error:
        raise ArgumentError(
            f"--out {job.out}: cannot be written: {error.strerror or error}; all runs are stored"
        ) from None
    return comparison, report


def check_writable(folder: Path, option: str = "--out") -> None:
    """Make a folder for results, and try whether it can be written, before any work is done.

    Args:
        folder: of the results.
        option: the one that named it, for the message.

    Raises:
        ArgumentError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ArgumentError(f"{option} {folder}: cannot be written: {error.strerror or error}") from None


def _training(job: Job, data: DataSet) -> TrainingSpec:
    """What all methods have in common, picked from the data where the user said nothing."""
    model = job.model or pick_model(data.shape)
    if model not in MODELS:
        raise ArgumentError(f"--model must be one of {', '.join(MODELS)}, got {model!r}")
    try:
        build_model(model, data.shape, data.outputs)
    except ValueError as error:
        raise ArgumentError(f"--model: {error}") from None
    pool = len(data.x) if data.x_test is not None else round(0.8 * len(data.x))
    rows = 0.8 * min(pool, job.train_size or pool)
    a_pass = max(1, math.ceil(rows / job.batch_size))
    updates = _DEFAULT_UPDATES[model] if job.epochs is None else math.ceil(job.epochs * a_pass)
    augmentation = job.augmentation or ("crop-flip" if data.name in ("cifar10", "cifar100") else "none")
    if augmentation != "none" and data.kind != "image":
        raise ArgumentError(f"--augment {augmentation} needs images, {data.name} is a table")
    if augmentation not in AUGMENTATIONS:
        raise ArgumentError(f"--augment must be one of {', '.join(AUGMENTATIONS)}, got {augmentation!r}")
    if job.device == "cuda" and not torch.cuda.is_available():
        raise ArgumentError("--device cuda: PyTorch sees no CUDA device here")
    if job.device == "cpu" and job.precision == "fp16":
        raise ArgumentError("--precision fp16 needs a GPU; on the CPU use bf16 or no")
    fits = rows * data.x[0].size * 4 <= _SET_BYTES
    values: dict[str, Any] = {
        "model": model,
        "pairs": job.pairs or ("set" if fits else "batch"),
        "updates": updates,
        "batch_size": job.batch_size,
        "learning_rate": job.learning_rate,
        "weight_decay": job.weight_decay,
        "augmentation": augmentation,
        "mixup_alpha": job.mixup_alpha,
        "precision": job.precision,
    }
    return TrainingSpec(**values)
