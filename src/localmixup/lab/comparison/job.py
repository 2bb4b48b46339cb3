"""What the user asked `localmixup compare` for, and the training that follows from it and the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from localmixup._validate import ArgumentError
from localmixup.lab.data.augmentation import AUGMENTATIONS
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.reading import AS_FOUND, Reading
from localmixup.lab.data.resampling import KEPT, judging_rows
from localmixup.lab.models import Factory, choose_model
from localmixup.lab.runs.optimizers import choose_optimizer
from localmixup.lab.runs.spec import TrainingSpec

RESAMPLES = 10
"""How many resamples judge, where the user does not say."""

FEWEST = 5
"""Resamples that a budget leaves at least."""

_DEFAULT_UPDATES = {"mlp": 1500, "lenet5": 1000, "resnet": 2000}
_SET_BYTES = 4 * 2**30  # pairs of a larger training set are drawn from the batch


@dataclass(frozen=True)
class Job:
    """What the user asked for. A field that is None is picked from the data.

    Attributes:
        source: the data, see `localmixup.lab.data.sources.load`.
        methods: keys of `localmixup.lab.methods.METHODS` to compare beside vanilla training, mixup and local mixup.
        resamples: number of resamples that judge.
        budget: seconds to which the number of resamples is fitted; None for `resamples`.
        recipe: a file with one more candidate for local mixup.
        epochs: passes over the training data.
        model: see `localmixup.lab.models.choose_model`.
        optimizer: see `localmixup.lab.runs.optimizers.choose_optimizer`.
        out: folder of the results.
        jobs: number of processes.
        store: URL of the store; by default a file in `out`.
        target: column of a table to predict.
        task: `"classification"` or `"regression"`.
        reading: how the data are to be read, where the user says so.
        data_root: folder of the named data sets.
        train_size: number of rows to use, beside those of a test set.
        batch_size: counted samples per update.
        learning_rate: at the start; an optimiser of the user's own has its own.
        weight_decay: likewise.
        augmentation: a key of `localmixup.lab.data.augmentation.AUGMENTATIONS`.
        device: `"cpu"` or `"cuda"`.
        precision: `"no"` (float32), `"bf16"` or `"fp16"`.
        backend: a key of `localmixup.lab.runs.engine.BACKENDS`.
        scheduler: address of a running Dask scheduler.
    """

    source: str
    methods: tuple[str, ...] = ()
    resamples: int = RESAMPLES
    budget: float | None = None
    recipe: Path | None = None
    epochs: float | None = None
    model: str | Factory | None = None
    optimizer: str | Factory | None = None
    out: Path = Path("localmixup-results")
    jobs: int | None = None
    store: str | None = None
    target: str | None = None
    task: str | None = None
    reading: Reading = AS_FOUND
    data_root: Path | None = None
    train_size: int | None = None
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    augmentation: str | None = None
    device: str = "cpu"
    precision: str = "no"
    backend: str = "loky"
    scheduler: str | None = None


def training_of(job: Job, data: DataSet) -> TrainingSpec:
    """Return what all arms have in common, picked from the data where the user did not say.

    Args:
        job: what is asked for.
        data: as read.

    Raises:
        ArgumentError: the model, the optimiser, the augmentation, a method or the device does not suit the data or the
            machine.
    """
    try:
        model = choose_model(job.model, data.shape, data.outputs)
        optimizer = choose_optimizer(job.optimizer)
    except ArgumentError as error:
        raise ArgumentError(f"--{error}") from None
    augmentation = job.augmentation or ("crop-flip" if data.name in ("cifar10", "cifar100") else "none")
    _check(job, data, augmentation)
    pool = min(len(data.x), job.train_size or len(data.x))
    rows = round(KEPT * pool) if data.x_test is not None else pool - judging_rows(pool)
    per_epoch = max(1, math.ceil(rows / job.batch_size))
    return TrainingSpec(
        model=model,
        pairs="batch",
        reduction="weighted_mean",
        updates=_DEFAULT_UPDATES.get(model, 1500) if job.epochs is None else math.ceil(job.epochs * per_epoch),
        batch_size=job.batch_size,
        optimizer=optimizer,
        learning_rate=job.learning_rate,
        weight_decay=job.weight_decay,
        augmentation=augmentation,
        precision=job.precision,  # type: ignore[arg-type]
        curve_points=20,
    )


def further_training(training: TrainingSpec, data: DataSet) -> TrainingSpec:
    """Return how methods beside the three arms are trained: pairs of the whole set where it fits into memory.

    Args:
        training: of the three arms.
        data: as read.
    """
    fits = len(data.x) * data.x[0].size * 4 <= _SET_BYTES
    update = {"pairs": "set" if fits else "batch", "reduction": "mean", "first_ends": "uniform"}
    return training.model_copy(update=update)


def _check(job: Job, data: DataSet, augmentation: str) -> None:
    if augmentation not in AUGMENTATIONS:
        raise ArgumentError(f"--augment must be one of {', '.join(AUGMENTATIONS)}, got {augmentation!r}")
    if augmentation != "none" and data.kind != "image":
        raise ArgumentError(f"--augment {augmentation} needs images, {data.name} is a table")
    if job.device == "cuda" and not torch.cuda.is_available():
        raise ArgumentError("--device cuda: PyTorch sees no CUDA device here")
    if job.device == "cpu" and job.precision == "fp16":
        raise ArgumentError("--precision fp16 needs a GPU; on the CPU use bf16 or no")
    if data.task == "regression" and {"within-class", "between-class"} & set(job.methods):
        raise ArgumentError(
            "--methods: within-class and between-class need classes; the target is a quantity (regression)"
        )
    if data.kind != "image" and "cutmix" in job.methods:
        raise ArgumentError(f"--methods: cutmix needs images; {data.name} is a table")
