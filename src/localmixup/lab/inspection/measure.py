"""Measure what mixup does to a data set."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from localmixup._validate import ArgumentError
from localmixup.geometry import (
    ClassShape,
    IntrusionReport,
    LipschitzCurve,
    Progress,
    RegionReport,
    TargetReport,
    class_regions_steps,
    class_shapes_steps,
    intrusion_steps,
    lipschitz_lower_bound_steps,
    target_gap_steps,
)
from localmixup.graphs.fit import sample_distances
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.description import describe
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.reading import AS_FOUND, Reading
from localmixup.lab.data.sources import load
from localmixup.lab.inspection.features import choose_features, in_span, read_features
from localmixup.lab.inspection.result import LIPSCHITZ_SAMPLES, Inspection
from localmixup.lab.inspection.suggestions import suggestions_for_classes, suggestions_for_targets
from localmixup.lab.inspection.verdict import verdict_on_classes, verdict_on_targets
from localmixup.lab.runs.events import Event, Note, Read, Stage, Step

T = TypeVar("T")

SAMPLES_PER_ROW = 4
"""Mixed samples for each measured row: of larger data a random part of the rows is measured."""

FEWEST_ROWS = 1000
"""So many rows are measured in any case, if there are as many."""


def inspect(
    source: str | DataSet,
    *,
    target: str | None = None,
    task: str | None = None,
    data_root: Path | None = None,
    reading: Reading = AS_FOUND,
    features_file: Path | None = None,
    encoder: Path | None = None,
    pca: int | None = None,
    train_size: int | None = None,
    mixup_alpha: float = 1.0,
    batch_size: int = 64,
    n_nearest: int = 1,
    n_samples: int = 20_000,
    seed: int = 0,
    n_jobs: int | None = None,
) -> Generator[Event, None, Inspection]:
    """Measure what mixup does to a data set. Nothing is trained.

    The work is bounded by `n_samples`: of more than a quarter as many rows, so many random ones are measured.

    Args:
        source: see `localmixup.lab.data.sources.load`; or a data set in memory.
        target: see there.
        task: see there.
        data_root: see there.
        reading: see there.
        features_file: a `.npy` file with one row per sample, to measure distances on.
        encoder: a TorchScript or exported program file that maps a batch of standardised inputs to features.
        pca: number of principal components to measure distances on.
        train_size: use only this many random rows.
        mixup_alpha: lam follows `Beta(mixup_alpha, mixup_alpha)`.
        batch_size: number of samples of a batch of the training loop.
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
    data = load(source, target=target, task=task, data_root=data_root, reading=reading)
    given = None if features_file is None else read_features(features_file, len(data.x))
    if train_size is not None and train_size < len(data.x):
        data, given = _part(data, given, train_size, seed)
    yield Read(data.name, describe(data), notes=data.notes)
    rows = _measured_rows(len(data.x), n_samples, seed)
    # what is measured is standardised, and its gaps are filled, by itself
    prepared = prepare(replace(data, x=data.x[rows], y=data.y[rows]), hold_out=False)
    if len(rows) < len(data.x):
        yield Note(f"{len(rows):,} random rows of {len(data.x):,} are measured; --samples takes more")
        given = None if given is None else given[torch.from_numpy(rows)]
    most = len(rows) - 2
    if data.task == "classification" and n_nearest > most:
        raise ArgumentError(f"--nearest must be between 1 and {most} here (rows except the two mixed), got {n_nearest}")
    inputs, targets = prepared.x, prepared.y.numpy()
    features, space = yield from choose_features(inputs, given, features_file, encoder, pca, seed)
    features = in_span(features)
    classes = targets if data.task == "classification" else None
    if classes is not None and len(np.unique(classes)) < 2:
        raise ArgumentError(f"--samples must be larger: the {len(rows):,} rows that are measured are of one class")
    found = yield from _measure(features, targets, classes, mixup_alpha, n_nearest, n_samples, seed, n_jobs)
    if found.report is not None and found.regions is not None:
        verdict = verdict_on_classes(found.regions)
        suggestions = suggestions_for_classes(found.report, found.regions, batch_size=batch_size)
    else:
        assert found.target_report is not None
        verdict = verdict_on_targets(found.target_report)
        suggestions = suggestions_for_targets(found.target_report, batch_size=batch_size)
    settings = {
        "mixup_alpha": mixup_alpha, "batch_size": batch_size, "n_nearest": n_nearest, "n_samples": n_samples,
        "seed": seed,
    }  # fmt: skip
    return Inspection(
        data, rows, inputs, targets, prepared.scale.numpy(), features, space,
        features_file is None and encoder is None and pca is None,
        sample_distances(features, classes, seed=seed), found.report, found.regions, found.target_report, verdict,
        suggestions.recipes, suggestions.mixup, found.curve, found.curve_rows, found.shapes, settings,
    )  # fmt: skip


class _Measured(NamedTuple):
    report: IntrusionReport | None
    regions: RegionReport | None
    target_report: TargetReport | None
    curve: LipschitzCurve | None
    curve_rows: np.ndarray
    shapes: list[ClassShape]


def _measure(
    features: Tensor,
    targets: np.ndarray,
    classes: np.ndarray | None,
    mixup_alpha: float,
    n_nearest: int,
    n_samples: int,
    seed: int,
    n_jobs: int | None,
) -> Generator[Event, None, _Measured]:
    report, regions, target_report, curve, used = None, None, None, None, np.arange(len(features))
    if classes is not None:
        steps = intrusion_steps(
            features, classes, mixup_alpha=mixup_alpha, n_nearest=n_nearest, n_samples=n_samples, seed=seed
        )
        report = yield from _as_stage("mixed samples and their neighbours", steps)
        regions = yield from _as_stage(
            "class regions",
            class_regions_steps(features, classes, mixup_alpha=mixup_alpha, n_samples=n_samples, seed=seed),
        )
        used = _some_of_each(classes, seed)
        part = features[torch.from_numpy(used)].numpy()
        curve = yield from _as_stage("Lipschitz bound", lipschitz_lower_bound_steps(part, classes[used], n_jobs=n_jobs))
    else:
        steps_of_targets = target_gap_steps(features, targets, mixup_alpha=mixup_alpha, n_samples=n_samples, seed=seed)
        target_report = yield from _as_stage("mixed samples and their neighbours", steps_of_targets)
    shapes = yield from _as_stage("shape of the classes", class_shapes_steps(features, classes, seed=seed))
    return _Measured(report, regions, target_report, curve, used, shapes)


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


def _measured_rows(total: int, n_samples: int, seed: int) -> np.ndarray:
    """Return the rows that are measured, in ascending order."""
    count = max(FEWEST_ROWS, n_samples // SAMPLES_PER_ROW)
    if total <= count:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).permutation(total)[:count])


def _part(data: DataSet, given: Tensor | None, size: int, seed: int) -> tuple[DataSet, Tensor | None]:
    """Return random rows of the data, and the same rows of the features."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(data.x))[:size])
    part = replace(data, x=data.x[rows], y=data.y[rows])
    if part.task == "classification" and len(np.unique(part.y)) < 2:
        raise ArgumentError(f"--train-size must keep at least two classes, got {size}")
    return part, None if given is None else given[torch.from_numpy(rows)]


def _some_of_each(classes: np.ndarray, seed: int) -> np.ndarray:
    """Return indices of at most `LIPSCHITZ_SAMPLES` random samples, about as many of each class."""
    rng = np.random.default_rng(seed)
    members = [rng.permutation(np.flatnonzero(classes == c)) for c in np.unique(classes)]
    room, parts = LIPSCHITZ_SAMPLES, []
    for place, part in enumerate(sorted(members, key=len)):
        parts.append(part[: max(1, room // (len(members) - place))])
        room -= len(parts[-1])
    return np.sort(np.concatenate(parts))
