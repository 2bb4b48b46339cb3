"""Recommend a recipe for a data set: `LocalMixup()`, narrowed where the data bend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from localmixup import KNNGraph, LocalMixup, NearestOfGraph
from localmixup._arrays import as_tensor
from localmixup._validate import ArgumentError, check_choice, check_integer
from localmixup.geometry.regions import class_regions
from localmixup.geometry.target_gap import SAFE_GAP, target_gap

_NO_GAIN = "Do not expect a gain: train without mixing unless `localmixup compare` shows one."


def ladder() -> Iterator[tuple[str, LocalMixup]]:
    """Yield recipes of ranks, from the recommended one to the most careful one, each with its name."""
    default = LocalMixup()
    yield "the recommended recipe", default
    yield "nearer partners", LocalMixup(NearestOfGraph(16), prob=default.prob, pairing="neighbors")
    nearest = KNNGraph(share=0.02)
    yield "only the nearest of the batch", LocalMixup(nearest, prob=default.prob, pairing="neighbors")
    yield "only the nearest of the batch, rarely", LocalMixup(nearest, prob=0.1, pairing="neighbors")


def recommend(
    x: Any, y: Any, *, task: str | None = None, batch_size: int = 64, max_samples: int = 2000, seed: int = 0
) -> LocalMixup:
    """Return a recipe for a data set, from the geometry of a sample of it. Nothing is trained.

    It is `LocalMixup()` where the mixed samples it makes look like another class no more often than the samples
    themselves do, and a narrower one where the data bend. For a regression, mixed targets are compared with those of
    the nearest real samples instead. Where even the most careful recipe makes false labels, that one is returned.
    Narrower recipes limit the harm of mixing but showed no gain in the benchmark, so for these the reasons say to train
    without mixing unless `localmixup compare` shows a gain (docs/benchmark.md).

    Args:
        x: samples, shape `(m, ...)`, finite, at least 12. Use the tensors that the training loop mixes, standardised.
        y: class of each sample or its value, shape `(m,)`.
        task: `"classification"` or `"regression"`; by default floating point targets are values.
        batch_size: number of samples of a batch of the training loop.
        max_samples: of larger data so many random samples are measured.
        seed: seed of the draws.

    Returns:
        A `LocalMixup`, whose attribute `reasons` says in sentences why it was taken.

    Raises:
        ArgumentError: the shapes do not fit, values are not finite, or there are too few samples or classes.

    >>> rng = np.random.default_rng(0)
    >>> blobs = rng.normal(size=(200, 2)) + 5 * (np.arange(200) % 2)[:, None]
    >>> recommend(blobs, np.arange(200) % 2).to_config() == LocalMixup().to_config()
    True
    """
    check_integer("batch_size", batch_size, low=2)
    check_integer("max_samples", max_samples, low=12)
    targets = np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y)
    if task is None:
        task = "regression" if targets.dtype.kind == "f" else "classification"
    check_choice("task", task, ("classification", "regression"))
    samples = as_tensor(x)
    if targets.shape != (len(samples),):
        raise ArgumentError(f"y must hold one target per sample, shape {(len(samples),)}, got {targets.shape}")
    if task == "regression":
        return _for_targets(samples, targets, batch_size, max_samples, seed)
    return _for_classes(samples, targets, batch_size, max_samples, seed)


def _for_classes(x: Tensor, y: np.ndarray, batch_size: int, max_samples: int, seed: int) -> LocalMixup:
    report = class_regions(x, y, max_samples=max_samples, seed=seed)
    own = f"Of {report.rows:,} samples, {_percent(report.error.value)} look like another class themselves."
    for title, mix in ladder():
        within = report.rates_of_recipe(mix, batch_size=batch_size)["within"].value
        if report.accepts(mix, batch_size=batch_size):
            found = f"With {title}, {_percent(within)} of the mixtures within a class look like another class."
            return _with_reasons(mix, own, found)
    found = f"Even with {title}, {_percent(within)} of the mixtures within a class look like another class."
    return _with_reasons(mix, own, found)


def _for_targets(x: Tensor, y: np.ndarray, batch_size: int, max_samples: int, seed: int) -> LocalMixup:
    if len(x) > max_samples:
        rows = np.sort(np.random.default_rng(seed).permutation(len(x))[:max_samples])
        x, y = x[rows], y[rows]
    report = target_gap(x, y, seed=seed)
    for title, mix in ladder():
        frequency = report.pairs.mixing(mix, batch_size=batch_size).frequency
        gap = report.gap_of(np.divide(frequency, report.pairs.share)).value
        told = f"times that of real samples, over {len(x):,} samples."
        if not gap > SAFE_GAP:
            found = f"With {title}, the squared error of the mixed targets is {gap:.2g} {told}"
            return _with_reasons(mix, found)
    found = f"Even with {title}, the squared error of the mixed targets is {gap:.2g} {told}"
    return _with_reasons(mix, found)


def _with_reasons(mix: LocalMixup, *reasons: str) -> LocalMixup:
    narrower = mix.to_config() != LocalMixup().to_config()
    mix.reasons = (*reasons, _NO_GAIN) if narrower else reasons
    return mix


def _percent(share: float) -> str:
    return "none" if np.isnan(share) else f"{100 * share:.2g} %"
