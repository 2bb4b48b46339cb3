"""What the user asked `localmixup compare` for, and the training that follows from it and the data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch

from localmixup._validate import ArgumentError
from localmixup.lab.data.augmentation import AUGMENTATIONS
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import training_rows
from localmixup.lab.models import MODELS, build_model, pick_model
from localmixup.lab.runs.spec import TrainingSpec

_DEFAULT_UPDATES = {"mlp": 1500, "lenet5": 1000, "resnet": 2000}
_SET_BYTES = 4 * 2**30  # larger training inputs are mixed within the batch


@dataclass(frozen=True)
class Job:
    """What the user asked for. A field that is None is picked from the data.

    Attributes:
        source: the data, see `localmixup.lab.data.sources.load`.
        methods: keys of `localmixup.lab.methods.METHODS`.
        seeds: number of runs of every method.
        epochs: passes over the training data.
        model: a key of `localmixup.lab.models.MODELS`.
        out: folder of the results.
        jobs: number of processes.
        store: URL of the store; by default a file in `out`.
        target: column of a table to predict.
        task: `"classification"` or `"regression"`.
        data_root: folder of the named data sets.
        pairs: `"set"` or `"batch"`, see `TrainingSpec`.
        train_size: number of rows for training and validation.
        batch_size: counted samples per update.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        augmentation: a key of `localmixup.lab.data.augmentation.AUGMENTATIONS`.
        mixup_alpha: `lam` is drawn from `Beta(mixup_alpha, mixup_alpha)`.
        device: `"cpu"` or `"cuda"`.
        precision: `"no"` (float32), `"bf16"` or `"fp16"`.
        kept_shares: the grid of locality, shares of nearest pairs.
        fixed: graph parameters that the user set, by method. Nothing is chosen for these methods.
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


def training_of(job: Job, data: DataSet) -> TrainingSpec:
    """Return what all methods have in common, picked from the data where the user did not say.

    Args:
        job: what is asked for.
        data: as read.

    Raises:
        ArgumentError: the model, the augmentation, a method or the device does not suit the data or the machine.
    """
    model = job.model or pick_model(data.shape)
    augmentation = job.augmentation or ("crop-flip" if data.name in ("cifar10", "cifar100") else "none")
    _check(job, data, model, augmentation)
    settings = TrainingSpec(
        model=model,
        updates=1,
        batch_size=job.batch_size,
        learning_rate=job.learning_rate,
        weight_decay=job.weight_decay,
        augmentation=augmentation,
        mixup_alpha=job.mixup_alpha,
        precision=job.precision,  # type: ignore[arg-type]
    )
    pool = len(data.x) if data.x_test is not None else round(0.8 * len(data.x))
    rows = training_rows(min(pool, job.train_size or pool), settings.validation_share)
    per_epoch = max(1, math.ceil(rows / job.batch_size))
    updates = _DEFAULT_UPDATES[model] if job.epochs is None else math.ceil(job.epochs * per_epoch)
    fits = rows * data.x[0].size * 4 <= _SET_BYTES
    return settings.model_copy(update={"updates": updates, "pairs": job.pairs or ("set" if fits else "batch")})


def _check(job: Job, data: DataSet, model: str, augmentation: str) -> None:
    if model not in MODELS:
        raise ArgumentError(f"--model must be one of {', '.join(MODELS)}, got {model!r}")
    try:
        build_model(model, data.shape, data.outputs)
    except ValueError as error:
        raise ArgumentError(f"--model: {error}") from None
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
