"""Decode images: of any mode, depth and orientation, into one array."""

from __future__ import annotations

import functools
import io
import re
import statistics
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.image_values import FULL, orientation_of, rawmode_of, resized, values_of, values_of_16_bits
from localmixup.lab.errors import first_line

MOST_BYTES = 2 * 2**30
"""Arrays of a data set that take more bytes are not read; standardising needs several times as much."""

MOST_PIXELS = 2**26
"""An image with more pixels is not decoded, however small its file is."""

# formats that run another program, or that Pillow itself cannot decode
_REFUSED_FORMATS = {"EPS", "WMF", "HDF5", "GRIB", "BUFR", "MPEG", "PDF"}

_DEPTHS = {"8": "8 bits", "16": "16 bits", "32": "32 bits", "float": "floating point"}
_COLOURS_OF_16_BITS = re.compile("(LA|RGB|RGBA|RGBX|RGBa);16[LBN]")

Encoded = tuple[str, Any]
"""An image before it is decoded: a description of where it is, and its bytes, its file, or an image of Pillow."""


class _Header(NamedTuple):
    """What the header of an image says: `channels` are 1 or 3, and `depth` is a key of `_DEPTHS`."""

    where: str
    mode: str
    format: str | None
    size: tuple[int, int]
    channels: int
    depth: str
    several: bool


class _Plan(NamedTuple):
    """What all images become."""

    shape: tuple[int, int, int, int]
    depth: str
    resize: tuple[int, int] | None


def image_suffixes() -> set[str]:
    """Return the suffixes of files that are read as images, in lower case and with their dot."""
    from PIL import Image

    known = Image.registered_extensions()  # reads all plugins
    return {suffix for suffix, name in known.items() if name in Image.OPEN and name not in _REFUSED_FORMATS}


def decode_images(
    images: Iterable[Encoded], *, resize: tuple[int, int] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Decode images of one size.

    The headers are read first, so that nothing is decoded that would not fit. Images have one channel if all are gray,
    else three. Images of 8 bits stay uint8; those of 16 bits, 32 bits and floating point keep their values. Transparent
    parts are laid on white, orientations of EXIF are applied, and of animations and stacks the first picture is taken.

    Args:
        images: which can be iterated twice.
        resize: height and width that they get; None keeps their own, which must then be the same.

    Returns:
        Pixels, uint8 or float32, shape `(m, channels, height, width)`, and notes on what was done.

    Raises:
        ArgumentError: an image cannot be decoded, sizes or depths differ, or there is too much.
    """
    with _quiet_pillow():
        headers = [_header(where, content) for where, content in images]
        if not headers:
            raise ArgumentError("there must be images, got none")
        plan = _plan(headers, resize)
        pixels = np.empty(plan.shape, dtype=np.uint8 if plan.depth == "8" else np.float32)
        told: Counter[str] = Counter()
        for row, (header, (_, content)) in enumerate(zip(headers, images, strict=True)):
            _decode_into(pixels[row], header, content, plan, told)
    modes = {header.mode for header in headers if header.channels == 3}
    if modes <= {"P", "PA"} and plan.shape[1] == 3 and (pixels == pixels[:, :1]).all():
        pixels = np.ascontiguousarray(pixels[:, :1])  # palettes of grays
    return pixels, (*_notes_on_headers(headers, plan), *_notes_on_pixels(told, len(headers)))


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings on odd files: what matters of them is checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return the formats that are opened, the most common ones first."""
    from PIL import Image

    Image.init()
    return tuple(dict.fromkeys(["PNG", "JPEG", *(name for name in Image.OPEN if name not in _REFUSED_FORMATS)]))


@contextmanager
def _opened(where: str, content: Any, form: str | None = None) -> Iterator[Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        if isinstance(content, Image.Image):
            content.load()
            yield content
            return
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        with Image.open(source, formats=[form] if form in _formats() else _formats()) as image:
            yield image
    except ArgumentError:
        raise
    except UnidentifiedImageError:
        if Path(where).suffix.lower() in (".tif", ".tiff"):
            what = "a TIFF file that is damaged or of a kind that is not read, such as colours of floating point"
            raise ArgumentError(f"{where}: {what}; arrays x and y saved with numpy.savez are read") from None
        raise ArgumentError(f"{where}: not an image that can be read: its contents are of no known format") from None
    except Exception as error:
        raise ArgumentError(f"{where}: not an image that can be read: {first_line(error)}") from None


def _header(where: str, content: Any) -> _Header:
    with _opened(where, content) as image:
        header = _header_of(where, image)
        if image.width * image.height > MOST_PIXELS:
            raise ArgumentError(
                f"{where}: has {image.height:,} x {image.width:,} pixels; at most {MOST_PIXELS / 1e6:.0f} million are "
                "decoded: make it smaller first"
            )
        return header


def _header_of(where: str, image: Any) -> _Header:
    gray = image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16")
    if image.mode == "F":
        depth = "float"
    elif image.mode.startswith("I;16") or _COLOURS_OF_16_BITS.fullmatch(rawmode_of(image)):
        depth, gray = "16", gray or rawmode_of(image).startswith("LA")
    else:
        depth = "32" if image.mode == "I" else "8"
    if image.mode == "I" and image.format == "PPM":
        depth = "16"
    height, width = image.height, image.width
    if "exif" in image.info and image.format != "TIFF" and orientation_of(image) >= 5:  # TIFF counts it in already
        height, width = width, height
    several = bool(getattr(image, "is_animated", False))
    return _Header(where, image.mode, image.format, (height, width), 1 if gray else 3, depth, several)


def _plan(headers: list[_Header], resize: tuple[int, int] | None) -> _Plan:
    depths = {header.depth: header.where for header in reversed(headers)}
    if len(depths) > 1 and set(depths) != {"8", "16"}:
        found = " and ".join(f"{_DEPTHS[depth]} ({where})" for depth, where in sorted(depths.items()))
        raise ArgumentError(f"images must all be of one depth, got {found}: convert them to the same first")
    first = headers[0]
    heights, widths = (sorted(header.size[k] for header in headers) for k in (0, 1))
    advice = f"--resize {_advised(heights)}x{_advised(widths)}"
    if resize is None:
        other = next((header for header in headers if header.size != first.size), None)
        if other is not None:
            raise _sizes_differ(first, other, advice, len({header.size for header in headers}))
    height, width = resize or first.size
    depth = next(iter(depths)) if len(depths) == 1 else "16"
    shape = (len(headers), max(header.channels for header in headers), height, width)
    size = int(np.prod(shape, dtype=np.float64)) * (1 if depth == "8" else 4)
    if size > MOST_BYTES:
        raise ArgumentError(
            f"{len(headers):,} images of {height} x {width} pixels take {size / 2**30:.1f} GiB of memory, at most "
            f"{MOST_BYTES / 2**30:.0f} are read: say {advice}, or give fewer images"
        )
    return _Plan(shape, depth, resize)


def _advised(sides: list[int]) -> int:
    return max(1, min(64, int(statistics.median(sides))))


def _sizes_differ(first: _Header, other: _Header, advice: str, count: int) -> ArgumentError:
    sizes = [f"{header.where} is {header.size[0]} x {header.size[1]} pixels" for header in (first, other)]
    return ArgumentError(
        f"images must all be of one size (height x width): {sizes[0]}, {sizes[1]}"
        + (f", and there are {count} sizes" if count > 2 else "")
        + f"; resize them with {advice} or another size"
    )


def _decode_into(target: np.ndarray, header: _Header, content: Any, plan: _Plan, told: Counter[str]) -> None:
    with _opened(header.where, content, header.format) as image:
        rawmode = rawmode_of(image)  # lost as soon as anything is read
        if image.format != "TIFF":  # which is turned when it is read
            image.load()
        told["turned"] += orientation_of(image) != 1
        if header.depth == "16" and not image.mode.startswith("I"):
            values = values_of_16_bits(image, content, rawmode, told)
        else:
            values = values_of(image, header.depth, gray=header.channels == 1, told=told)
        _fill(target, header, values, plan, told)


def _fill(target: np.ndarray, header: _Header, values: np.ndarray, plan: _Plan, told: Counter[str]) -> None:
    """Write an image to its place, shape `(channels, height, width)`."""
    if plan.depth == "16" and header.depth == "8":
        values = values.astype(np.float32) * (FULL["16"] / FULL["8"])
    told["constant"] += bool(values.min() == values.max())
    if plan.resize is not None and values.shape[:2] != plan.resize:
        told["resized"] += 1
        values = resized(values, plan.resize)
    if values.shape[:2] != target.shape[1:]:  # turned by metadata that were not in the header
        first = header._replace(where="the first", size=target.shape[1:])
        raise _sizes_differ(first, header._replace(size=values.shape[:2]), "--resize 64x64", 2)
    target[:] = values if values.ndim == 2 else values.transpose(2, 0, 1)


def _notes_on_headers(headers: list[_Header], plan: _Plan) -> list[str]:
    notes = []
    modes = Counter(header.mode for header in headers)
    if set(modes) - {"RGB"} and set(modes) - {"L"}:
        found = ", ".join(f"{count:,} {mode}{_MODES.get(mode, '')}" for mode, count in modes.most_common())
        notes.append(f"modes of the images: {found}; all are read as {'gray' if plan.shape[1] == 1 else 'RGB'}")
    depths = Counter(header.depth for header in headers)
    if len(depths) > 1:
        notes.append(f"{depths['8']:,} images of 8 bits are scaled to the range of the {depths['16']:,} of 16 bits")
    elif plan.depth != "8":
        notes.append(f"pixels of {_DEPTHS[plan.depth]} keep their values")
    if several := sum(header.several for header in headers):
        notes.append(f"first picture of several (animations, pages): {_images(several, len(headers))}")
    return notes


_MODES = {
    "1": " (one bit)", "P": " (palette)", "LA": " (gray with alpha)", "RGBA": " (with alpha)", "I;16": " (16 bits)",
    "I;16B": " (16 bits)", "I": " (32 bits)", "F": " (floating point)",
}  # fmt: skip


def _notes_on_pixels(told: Counter[str], count: int) -> list[str]:
    texts = {
        "turned": "turned upright as their metadata say (EXIF)",
        "transparent": "transparent parts laid on white",
        "resized": "resized, without keeping proportions",
        "constant": "of one value in all pixels",
    }
    return [f"{text}: {_images(told[key], count)}" for key, text in texts.items() if told[key]]


def _images(some: int, count: int) -> str:
    return f"all {count:,}" if some == count else f"{some:,} of {count:,} images"
