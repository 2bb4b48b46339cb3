"""What the axes of an array are: columns of a table, pixels and channels of images, or steps of sequences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from localmixup._validate import ArgumentError

_CHANNELS = (1, 2, 3, 4)
_FIRST, _LAST = "channels-first", "channels-last"


class Axes(NamedTuple):
    """How an array of inputs is read.

    Attributes:
        kind: `"image"` or `"table"`.
        layout: one of `localmixup.lab.data.reading.LAYOUTS`, or None for columns.
        note: for the user, or nothing.
    """

    kind: str
    layout: str | None
    note: str


def axes_of(where: str, name: str, x: np.ndarray, layout: str | None) -> Axes:
    """Return what the axes of an array are, by what the user says or by its shape.

    Args:
        where: where the array comes from, for messages.
        name: of the array, for messages.
        x: shape `(m, ...)`.
        layout: as the user gave it, or None.

    Raises:
        ArgumentError: the layout does not suit the shape, or the shape does not tell where the channels are.

    >>> axes_of("a.npz", "x", np.zeros((80, 16, 16, 4)), None).layout
    'channels-last'
    """
    allowed = {3: ("gray", "sequence"), 4: (_FIRST, _LAST)}.get(x.ndim, ())
    if layout is not None and layout not in allowed:
        must = f"must be {' or '.join(allowed)}" if allowed else "is for arrays of 3 or 4 dimensions"
        raise ArgumentError(f"{where}: --layout {must}, as {name!r} has shape {x.shape}, got {layout!r}")
    if x.ndim == 3:
        return _of_three(name, x, layout)
    if x.ndim == 4:
        return _of_four(where, name, x, layout)
    note = "" if x.ndim == 2 else f"{name!r} has rows of shape {x.shape[1:]}: each value is taken as a column"
    return Axes("table", None, note)


def _of_three(name: str, x: np.ndarray, layout: str | None) -> Axes:
    """Gray images if the values are whole numbers or the shape is square, else sequences."""
    height, width = x.shape[1:]
    found = layout or ("gray" if x.dtype.kind in "iub" or height == width else "sequence")
    other = "sequence" if found == "gray" else "gray"
    told = "" if layout else f"; --layout {other} reads {'sequences' if found == 'gray' else 'gray images'}"
    if found == "gray":
        return Axes("image", found, f"{name!r}: gray images of {height} x {width} pixels{told}")
    return Axes("table", found, f"{name!r}: sequences of {height} steps with {width} values each{told}")


def _of_four(where: str, name: str, x: np.ndarray, layout: str | None) -> Axes:
    first, last = x.shape[1], x.shape[3]
    found = layout or _channels(*x.shape[1:])
    if found is None:
        raise ArgumentError(
            f"{where}: the shape {x.shape} of {name!r} does not tell which axis holds the channels: say --layout "
            f"{_FIRST} ({first} channels) or --layout {_LAST} ({last} channels)"
        )
    height, width, channels = (x.shape[2], last, first) if found == _FIRST else (first, x.shape[2], last)
    told = "" if layout else f" ({found}, from the shape; --layout says otherwise)"
    return Axes("image", found, f"{name!r}: images of {height} x {width} pixels, channels: {channels}{told}")


def _channels(a: int, b: int, c: int) -> str | None:
    """Return where the channels are: in an axis of 1 to 4, or beside two equal sides. None if that does not tell."""
    small = {where for where, size in ((_FIRST, a), (_LAST, c)) if size in _CHANNELS}
    square = {where for where, equal in ((_FIRST, b == c), (_LAST, a == b)) if equal}
    if len(square) == 1 and (not small or small & square):
        return square.pop()
    return small.pop() if len(small) == 1 and (not square or square >= small) else None


def arrange(x: np.ndarray, axes: Axes) -> np.ndarray:
    """Return a copy of inputs as a data set has them.

    Args:
        x: inputs, shape `(m, ...)`.
        axes: from `axes_of`.

    Returns:
        Images as uint8 or float32, shape `(m, channels, height, width)`; else float64, shape `(m, columns)`.
    """
    if axes.kind == "table":
        return x.reshape(len(x), -1).astype(np.float64)
    if axes.layout == "gray":
        x = x[:, None]
    elif axes.layout == _LAST:
        x = x.transpose(0, 3, 1, 2)
    return np.array(x, dtype=np.uint8 if x.dtype == np.uint8 else np.float32, order="C")
