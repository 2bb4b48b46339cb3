"""Conversions between tensors and arrays, for functions that take either and return the same kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from localmixup._validate import ArgumentError


def as_float64(name: str, value: Any, *, ndim: tuple[int, ...] = (1, 2)) -> np.ndarray:
    """Return `value` as a float64 array.

    Args:
        name: name of the argument, for the message.
        value: a tensor, an array or a nested sequence of numbers.
        ndim: allowed numbers of dimensions; empty for any.

    Raises:
        ValueError: it does not hold numbers, has another number of dimensions, or is not finite.

    >>> as_float64("y", [1, 2])
    array([1., 2.])
    """
    try:
        array = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} must hold numbers, got {value!r}") from None
    if ndim and array.ndim not in ndim:
        allowed = " or ".join(map(str, ndim))
        raise ArgumentError(f"{name} must have {allowed} dimension(s), got shape {array.shape}")
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ArgumentError(f"{name} must be finite, got {array[place]} at position {place}")
    return array


def same_kind(result: np.ndarray | float, like: Any) -> Any:
    """Return `result` as a tensor on the device of `like` if that is a tensor, else as an array.

    float32 stays float32; everything else becomes float64.

    >>> same_kind(np.array([1.0]), torch.zeros(1, dtype=torch.float32))
    tensor([1.])
    """
    if isinstance(like, Tensor):
        dtype = torch.float32 if like.dtype == torch.float32 else torch.float64
        return torch.as_tensor(np.asarray(result), dtype=dtype, device=like.device)
    dtype_of = getattr(like, "dtype", None)
    return np.asarray(result, dtype=np.float32 if dtype_of == np.float32 else np.float64)[()]


def as_tensor(value: Any, name: str = "x") -> Tensor:
    """Return a tensor of an array, a table, a tensor or a nested sequence; memory is shared if possible.

    Args:
        value: what to convert; anything that NumPy takes as an array of numbers.
        name: name of the argument, for the message.

    Raises:
        ValueError: it does not hold numbers.

    >>> as_tensor(np.arange(3.0)[::-1])
    tensor([2., 1., 0.], dtype=torch.float64)
    """
    if isinstance(value, Tensor):
        return value
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":  # of a table with columns of several types, for one
            array = array.astype(np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} must hold numbers, got {type(value).__name__}") from None
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"{name} must hold numbers, got {type(value).__name__} of {array.dtype}")
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.require(native, requirements=["C", "W"]))
