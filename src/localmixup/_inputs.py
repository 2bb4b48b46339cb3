"""What `LocalMixup` is given: inputs, targets and features that must belong together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from localmixup._batch import MixedBatch
from localmixup._distances import as_features, check_features
from localmixup._interpolate import check_dense, check_mixable, tensors_in
from localmixup._validate import ArgumentError


def batch_size(x: Any, y: Any, features: Any) -> int:
    """Return the number of samples, after checking that inputs, targets and features belong together.

    Args:
        x: inputs, one tensor or several.
        y: targets, one tensor or several.
        features: what distances are measured on, or None.

    Raises:
        ValueError: inputs that cannot be mixed, or first dimensions or devices that differ.
    """
    for value, name in ((x, "inputs"), (y, "targets")):
        if isinstance(value, MixedBatch):
            raise ArgumentError(
                f"{name} must be tensors, got a MixedBatch: this batch is mixed already (by collate_fn?), so use "
                "batch.inputs and batch.loss(criterion, outputs) directly"
            )
    if isinstance(x, Tensor):
        check_mixable(x)
    plain = features is None and isinstance(x, Tensor) and isinstance(y, Tensor) and x.ndim and y.ndim
    if plain and x.shape[0] == y.shape[0] and x.device == y.device:
        return int(x.shape[0])
    inputs = tensors_in(x, "inputs")
    if not inputs:
        raise ArgumentError("inputs must hold at least one tensor, got none")
    for tensor in inputs:
        check_mixable(tensor)
    n, device = inputs[0].shape[0] if inputs[0].ndim else -1, inputs[0].device
    given = {"inputs": inputs, "targets": tensors_in(y, "targets")}
    if features is not None:
        given["features"] = tensors_in(features, "features")
    for name, tensors in given.items():
        for tensor in tensors:
            if tensor.ndim == 0 or tensor.shape[0] != n:
                raise ArgumentError(
                    f"{name} must have the same first dimension as the inputs, the batch of {max(n, 0)} samples, got "
                    f"shape {tuple(tensor.shape)}"
                )
            if tensor.device != device:
                raise ArgumentError(
                    f"{name} must be on the device of the inputs, {device}, got {tensor.device}: call "
                    f"{name}.to({str(device)!r}) first"
                )
    return n


def unmixed(x: Any, y: Any, n: int) -> MixedBatch:
    """Return a batch that passes unchanged, with weights 1."""
    ones = ones_like_rows(tensors_in(x, "inputs")[0], n)
    return MixedBatch(x, y, y, ones, ones)


def joined(features: Any) -> Tensor:
    """Return one tensor of features; several are flattened and put side by side."""
    if isinstance(features, Tensor):
        check_dense(features, "features")
        check_features(features)
        return features
    tensors = tensors_in(features, "features")
    if not tensors:
        raise ArgumentError("features must hold at least one tensor, got none")
    return torch.cat([as_features(t) for t in tensors], dim=1)


def ones_like_rows(like: Tensor, n: int) -> Tensor:
    """Return `n` ones on the device of `like`, float32 (float64 for float64)."""
    return torch.ones(n, device=like.device, dtype=torch.float64 if like.dtype == torch.float64 else torch.float32)
