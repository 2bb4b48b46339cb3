"""Check the samples and labels that every function of this package takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from localmixup._arrays import as_tensor
from localmixup._distances import as_features
from localmixup._validate import ArgumentError

_LARGEST = 1e12  # the squares of larger values overflow float32


def check_samples(x: Any, labels: Any, *, min_classes: int = 2) -> tuple[Tensor, np.ndarray]:
    """Return the samples as flat vectors on the CPU, and their labels as an array.

    Args:
        x: samples, shape `(m, ...)`.
        labels: class of each sample, shape `(m,)`.
        min_classes: how many classes there must be.

    Returns:
        Features of shape `(m, d)` in float32 or float64, and labels of shape `(m,)`.

    Raises:
        ArgumentError: the shapes do not fit, a value is not finite, or there are too few classes.
    """
    features = as_features(as_tensor(x)).cpu()
    classes = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    if classes.shape != (len(features),):
        raise ArgumentError(f"labels must hold the class of each sample, shape {(len(features),)}, got {classes.shape}")
    finite = torch.isfinite(features)
    if not bool(finite.all()):
        row = int((~finite).any(dim=1).nonzero()[0])
        raise ArgumentError(f"x must be finite, but row {row} is not")
    if (count := len(np.unique(classes))) < min_classes:
        raise ArgumentError(f"labels must name at least {min_classes} classes, got {count}")
    if features.numel() and float(features.abs().max()) > _LARGEST:
        features = features.double()
    return features, classes
