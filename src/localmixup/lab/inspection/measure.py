"""Measure what mixup does to a data set."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from localmixup._validate import ArgumentError
from localmixup.geometry import (
    Progress,
    class_shapes_steps,
    intrusion_steps,
    lipschitz_lower_bound_steps,
    suggest,
)
from localmixup.graphs.fit import sample_distances
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.sources import load
from localmixup.lab.inspection.features import choose_features, read_features
from localmixup.lab.inspection.result import LIPSCHITZ_SAMPLES, Inspection
from localmixup.lab.inspection.wording import verdict_sentence
from localmixup.lab.runs.events import Event, Read, Stage, Step

T = TypeVar("T")


def inspect(
    source: str,
    *,
    target: str | None = None,
    task: str | None = None,
    data_root: Path | None = None,
    features_file: Path | None = None,
    encoder: Path | None = None,
    pca: int | None = None,
    train_size: int | None = None,
    level: float = 0.01,
    mixup_alpha: float = 1.0,
    n_nearest: int = 1,
    n_samples: int = 20_000,
    seed: int = 0,
    n_jobs: int | None = None,
) -> Generator[Event, None, Inspection]:
    """Measure what mixup does to a data set. Nothing is trained.

    Args:
        source: see `localmixup.lab.data.sources.load`.
        target: see there.
        task: see there.
        data_root: see there.
        features_file: a `.npy` file with one row per sample, to measure distances on.
        encoder: a TorchScript or exported program file that maps a batch of standardised inputs to features.
        pca: number of principal components to measure distances on.
        train_size: use only this many random rows.
        level: acceptable rate of intrusion.
        mixup_alpha: lam follows `Beta(mixup_alpha, mixup_alpha)`.
        n_nearest: number of nearest real samples that determine the class region of a virtual sample.
        n_samples: number of virtual samples, approximately.
        seed: seed of all draws.
        n_jobs: number of threads of the search for Q(D).

    Yields:
        What was read, and the progress of each stage.

    Returns:
        The measurements.

    Raises:
        ArgumentError: the data, a file or an argument is wrong.
    """
    data = load(source, target=target, task=task, data_root=data_root)
    given = None if features_file is None else read_features(features_file, len(data.x))
    if train_size is not None and train_size < len(data.x):
        data, given = _part(data, given, train_size, seed)
    most = len(data.x) - 2
    if data.task == "classification" and n_nearest > most:
        raise ArgumentError(f"--nearest must be between 1 and {most} here (rows except the two mixed), got {n_nearest}")
    prepared = prepare(data, hold_out=False)
    inputs = prepared.x
    features, space = yield from choose_features(inputs, given, features_file, encoder, pca, seed)
    yield Read(data.name, len(features), tuple(features.shape[1:]), data.task, notes=data.notes)
    classes = prepared.y.numpy() if data.task == "classification" else None
    sample = sample_distances(features, classes, seed=seed)
    report, suggestion, curve, used = None, None, None, np.arange(len(features))
    if classes is not None:
        steps = intrusion_steps(
            features, classes, mixup_alpha=mixup_alpha, n_nearest=n_nearest, n_samples=n_samples, seed=seed
        )
        report = yield from _as_stage("intrusion", steps)
        suggestion = suggest(report, level=level)
        used = _some_of_each(classes, seed)
        part = features[torch.from_numpy(used)].numpy()
        curve = yield from _as_stage("Lipschitz bound", lipschitz_lower_bound_steps(part, classes[used], n_jobs=n_jobs))
    shapes = yield from _as_stage("shape of the classes", class_shapes_steps(features, classes, seed=seed))
    settings = {
        "level": level, "mixup_alpha": mixup_alpha, "n_nearest": n_nearest, "n_samples": n_samples, "seed": seed,
    }  # fmt: skip
    verdict = verdict_sentence(data.name, sample.median, report, suggestion)
    return Inspection(data, inputs, features, space, sample, report, suggestion, curve, used, shapes, verdict, settings)


def _as_stage(title: str, steps: Generator[Progress, None, T]) -> Generator[Event, None, T]:
    """Run a computation as a stage of its own."""
    begun = False
    while True:
        try:
            progress = next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if not begun:
            yield Stage(title, int(progress.total), 0)
            begun = True
        yield Step(int(progress.done))


def _part(data: DataSet, given: Tensor | None, size: int, seed: int) -> tuple[DataSet, Tensor | None]:
    """Return random rows of the data, and the same rows of the features."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(data.x))[:size])
    part = replace(data, x=data.x[rows], y=data.y[rows])
    if part.task == "classification" and len(np.unique(part.y)) < 2:
        raise ArgumentError(f"--train-size must keep at least two classes, got {size}")
    return part, None if given is None else given[torch.from_numpy(rows)]


def _some_of_each(classes: np.ndarray, seed: int) -> np.ndarray:
    """Return indices of at most `LIPSCHITZ_SAMPLES` random samples of each class."""
    rng = np.random.default_rng(seed)
    parts = [rng.permutation(np.flatnonzero(classes == c))[:LIPSCHITZ_SAMPLES] for c in np.unique(classes)]
    return np.sort(np.concatenate(parts))
