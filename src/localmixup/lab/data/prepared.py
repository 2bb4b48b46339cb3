"""A data set ready for training: standardised and split."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.standard import CLIP, fill_values, filled, moments


class Prepared(NamedTuple):
    """A data set ready for training: standardised, and split into a pool and a test set.

    Attributes:
        x: inputs of the pool, float32. Each run splits the pool into a training and a validation part.
        y: targets of the pool; for regression standardised.
        x_test: inputs of the test set, float32.
        y_test: targets of the test set.
        y_scale: unit of the standardised targets; 1 for classes.
        task: `"classification"` or `"regression"`.
        outputs: number of values a network must return.
        mean: what was subtracted from each channel, shape `(1, c, 1, 1)`, or each column, shape `(1, d)`; float32.
        scale: what the difference was multiplied by, in the same shape; float32.
        pixels: for images, the pool before standardising, uint8; else None.
        raw: for tables, the pool before missing values are filled and before it is standardised, so that each run can
            do so by its own training rows; else None.
        raw_y: its targets, for regression in their own unit.
        raw_test: the test set likewise.
        gaps: see `localmixup.lab.data.standard.fit`.
        categories: see there.
    """

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor
    y_scale: float
    task: str
    outputs: int
    mean: Tensor
    scale: Tensor
    pixels: Tensor | None = None
    raw: Tensor | None = None
    raw_y: Tensor | None = None
    raw_test: Tensor | None = None
    gaps: tuple[int, ...] = ()
    categories: tuple[tuple[int, int], ...] = ()


def prepare(data: DataSet, *, train_size: int | None = None, split_seed: int = 0, hold_out: bool = True) -> Prepared:
    """Split off the test set and standardise by the mean and standard deviation of the rest.

    Images are standardised per channel, tables per column, in float64. A column that varies by rounding error only
    becomes zero, and values beyond `CLIP` standard deviations are cut off, so that no column can dominate. Missing
    values of a table are filled with the median of the rest, or its most frequent category.

    Args:
        data: from `load`.
        train_size: use only this many random rows of the training data; None uses all.
        split_seed: seed of the test split (a fifth of the rows, if the data have no test set) and of `train_size`.
        hold_out: if False and the data have no test set, keep all rows and leave the test set empty.
    """
    x, y, x_test, y_test = data.x, data.y, data.x_test, data.y_test
    if not hold_out and x_test is None:
        x_test, y_test = x[:0], y[:0]
    if x_test is None or y_test is None:
        x, x_test, y, y_test = _split(x, y, 0.2, split_seed, data.task)
    if train_size is not None and train_size < len(x):
        x, _, y, _ = _split(x, y, len(x) - train_size, split_seed, data.task)
    pixels = torch.from_numpy(x) if data.kind == "image" and x.dtype == np.uint8 else None
    raw, raw_y, raw_test = (None, None, None) if data.kind == "image" else map(_tensor, (x, y, x_test))
    if (fill := fill_values(x, data.gaps, data.categories)) is not None:
        x, x_test = filled(x, fill), filled(x_test, fill)
    mean, scale, factor = moments(x, (0, 2, 3) if data.kind == "image" else (0,))
    if x.dtype == np.float64:
        x, x_test = x / factor, x_test / factor
    unit = 1.0
    if data.task == "regression":
        centre, unit = float(y.mean(dtype=np.float64)), float(y.std(dtype=np.float64)) or 1.0
        y, y_test = (((part.astype(float) - centre) / unit).astype(np.float32) for part in (y, y_test))
    return Prepared(
        x=_standardised(x, mean, scale),
        y=torch.from_numpy(np.array(y)),
        x_test=_standardised(x_test, mean, scale),
        y_test=torch.from_numpy(np.array(y_test)),
        y_scale=unit,
        task=data.task,
        outputs=data.outputs,
        mean=torch.from_numpy(mean * factor).float(),
        scale=torch.from_numpy(scale / factor).float(),
        pixels=pixels,
        raw=raw,
        raw_y=raw_y,
        raw_test=raw_test,
        gaps=data.gaps,
        categories=data.categories,
    )


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _standardised(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> Tensor:
    values = np.empty(x.shape, dtype=np.float32)
    for start in range(0, len(x), 4096):  # in parts: a large image set would not fit in float64
        part = slice(start, start + 4096)
        values[part] = np.clip((x[part] - mean) * scale, -CLIP, CLIP)
    return torch.from_numpy(values)


def training_rows(pool: int, validation_share: float) -> int:
    """Return the number of rows that a run trains on.

    Args:
        pool: number of rows for training and validation.
        validation_share: share of them that is for validation.

    >>> training_rows(96, 0.2)
    77
    """
    return pool - round(validation_share * pool)


def split_validation(prepared: Prepared, seed: int, share: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the training and the validation part of the pool, for one run.

    Args:
        prepared: from `prepare`.
        seed: the seed of the run.
        share: the share of the pool used for validation, in [0, 1).
    """
    rows = np.arange(len(prepared.x))
    return (rows, rows[:0]) if share == 0 else split_rows(prepared, rows, share, seed)


def split_rows(prepared: Prepared, rows: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide some rows of the pool at random, with the classes in proportion where there are enough of each.

    Args:
        prepared: from `prepare`.
        rows: which rows, shape `(k,)`.
        share: the share of the second part, in (0, 1), or its number of rows.
        seed: of the split.

    Returns:
        Both parts, sorted.
    """
    first, second, _, _ = _split(rows, prepared.y.numpy()[rows], share, seed, prepared.task)
    return np.sort(first), np.sort(second)


def _split(
    x: np.ndarray, y: np.ndarray, share: float, seed: int, task: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.model_selection import train_test_split

    counts = np.bincount(y) if task == "classification" else np.zeros(1)
    stratify = y if counts.any() and counts[counts > 0].min() > 1 else None
    try:
        parts: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] = tuple(
            train_test_split(x, y, test_size=share, random_state=seed, stratify=stratify)
        )
    except ValueError:  # a part would have fewer rows than classes
        parts = tuple(train_test_split(x, y, test_size=share, random_state=seed))
    return parts
