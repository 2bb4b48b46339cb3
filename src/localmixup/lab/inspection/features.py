"""The space in which distances are measured: the inputs, principal components, a file, or the output of an encoder."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from localmixup._optional import require
from localmixup._validate import ArgumentError
from localmixup.lab.inspection.encoder import read_encoder
from localmixup.lab.inspection.percents import percent
from localmixup.lab.runs.events import Event, Stage, Step

_BATCH = 256


def choose_features(
    inputs: Tensor, given: Tensor | None, features_file: Path | None, encoder: Path | None, pca: int | None, seed: int
) -> Generator[Event, None, tuple[Tensor, str]]:
    """Compute the features on which distances are measured.

    Args:
        inputs: standardised inputs, shape `(m, ...)`.
        given: features from a file, shape `(m, d)`, or None.
        features_file: that file.
        encoder: file of a model that maps inputs to features, or None.
        pca: number of principal components, or None.
        seed: seed of the principal components.

    Yields:
        The progress of the encoder.

    Returns:
        Features of shape `(m, d)`, and what they are in words.

    Raises:
        ArgumentError: more than one space is given, or one cannot be computed.
    """
    options = {"--features": given, "--encoder": encoder, "--pca": pca}
    chosen = [name for name, value in options.items() if value is not None]
    if len(chosen) > 1:
        raise ArgumentError(f"{' and '.join(chosen)} exclude each other: give only one of them")
    if given is not None:
        return given, f"the features of {features_file}"
    if encoder is not None:
        features = yield from _encoded(encoder, inputs)
        return features, f"the output of {encoder} for the standardised inputs"
    if pca is not None:
        return _components(inputs.flatten(1), pca, seed)
    return inputs.flatten(1), "the standardised inputs"


def read_features(path: Path, rows: int) -> Tensor:
    """Read features from a `.npy` file.

    Args:
        path: the file.
        rows: number of rows that it must have.

    Returns:
        Shape `(rows, d)`; float64 if the file holds float64 or whole numbers, else float32.

    Raises:
        ArgumentError: the file cannot be read, or does not hold one finite row per sample.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArgumentError(f"--features must be a readable .npy file, got {path}: {error}") from None
    if not isinstance(array, np.ndarray) or array.ndim < 2 or array.dtype.kind not in "fiu":
        raise ArgumentError(f"--features must be one array of numbers of shape (rows, values), got {path}")
    if len(array) != rows:
        raise ArgumentError(f"--features must have one row per sample, got {len(array):,} rows for {rows:,} in {path}")
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ArgumentError(f"--features must be finite, got {array[place]} at position {place} of {path}")
    wide = array.dtype == np.float64 or array.dtype.kind in "iu"
    return torch.from_numpy(np.array(array.reshape(rows, -1), dtype=np.float64 if wide else np.float32))


def _components(flat: Tensor, count: int, seed: int) -> tuple[Tensor, str]:
    most = min(flat.shape)
    if not 1 <= count <= most:
        raise ArgumentError(f"--pca must be between 1 and {most} here (rows or values per sample), got {count}")
    found = require("sklearn.decomposition", "lab").PCA(count, random_state=seed).fit(flat.numpy())
    kept = float(found.explained_variance_ratio_.sum())
    values = torch.from_numpy(np.ascontiguousarray(found.transform(flat.numpy()), dtype=np.float32))
    return values, f"{count} principal components, {percent(kept)} of the variance"


def _encoded(path: Path, inputs: Tensor) -> Generator[Event, None, Tensor]:
    model = read_encoder(path)
    parts = []
    yield Stage("encoding", len(inputs), 0)
    for start in range(0, len(inputs), _BATCH):
        batch = inputs[start : start + _BATCH]
        try:
            with torch.no_grad():
                out = model(batch)
        except Exception as error:  # a program of the user's own may raise anything
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
            raise ArgumentError(
                f"--encoder must accept inputs of shape {tuple(batch.shape)}, but {path} failed: {reason}"
            ) from None
        if not isinstance(out, Tensor) or len(out) != len(batch) or not bool(torch.isfinite(out).all()):
            raise ArgumentError(f"--encoder must return one finite row per sample, and {path} does not")
        parts.append(out.flatten(1).float())
        yield Step(start + len(batch))
    return torch.cat(parts)


def in_span(features: Tensor) -> Tensor:
    """Return features in coordinates of the space that the samples span, where that has fewer dimensions.

    All distances stay, also those of mixtures, so that work on a few samples does not grow with their columns.

    Args:
        features: shape `(m, d)`.

    Returns:
        Shape `(m, min(m, d))`.
    """
    m, d = features.shape
    if d <= m:
        return features
    values, vectors = torch.linalg.eigh(features.double() @ features.double().T)
    found: Tensor = (vectors * values.clamp_min(0).sqrt()).to(features.dtype)
    return found
