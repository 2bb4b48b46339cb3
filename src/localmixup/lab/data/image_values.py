"""The pixels of one image that Pillow has opened, as an array: its depth kept, turned upright, laid on white."""

from __future__ import annotations

import io
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

FULL = {"8": 255.0, "16": 65535.0}
"""White, by depth."""


def rawmode_of(image: Any) -> str:
    """Return how the pixels lie in the file, in Pillow's words, or nothing for an image in memory.

    Args:
        image: as Pillow opened it.
    """
    tiles = getattr(image, "tile", None) or [None]
    args = getattr(tiles[0], "args", "")
    return str(args[0] if isinstance(args, tuple) and args else args)


def values_of(image: Any, depth: str, *, gray: bool, told: Counter[str]) -> np.ndarray:
    """Return the pixels of an image.

    Args:
        image: of Pillow, of 8 bits a channel or of one channel.
        depth: `"8"`, `"16"`, `"32"` or `"float"`.
        gray: whether it is read as gray.
        told: gets one more under `"transparent"` if the image has transparent parts.

    Returns:
        Shape `(height, width)` or `(height, width, 3)`, uint8 where the depth is 8, else float32.
    """
    from PIL import Image

    image = _turned(image)
    if depth != "8":
        values = np.array(image, dtype=np.float32)
        hidden = image.info.get("transparency")
        if depth == "16" and isinstance(hidden, int):
            told["transparent"] += bool((values == hidden).any())
            values[values == hidden] = FULL["16"]
        return values
    mode = "L" if gray else "RGB"
    if image.has_transparency_data:
        whole = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        if whole.getextrema()[3][0] < 255:
            told["transparent"] += 1
            image = Image.alpha_composite(Image.new("RGBA", whole.size, (255, 255, 255, 255)), whole).convert("RGB")
        else:
            image = whole
    return np.asarray(image.convert(mode))


def values_of_16_bits(image: Any, content: bytes | Path, rawmode: str, told: Counter[str]) -> np.ndarray:
    """Return colours of 16 bits. Pillow reads one byte of each value, so it is asked twice.

    Args:
        image: as Pillow opened it.
        content: its bytes or its file.
        rawmode: from `rawmode_of`.
        told: as for `values_of`.

    Returns:
        Shape `(height, width)` or `(height, width, 3)`, float32.
    """
    from PIL import Image

    def read(mode: str) -> np.ndarray:
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        with Image.open(source, formats=[image.format]) as again:
            again.tile = [
                tile._replace(args=(mode, *tile.args[1:]) if isinstance(tile.args, tuple) else mode)
                for tile in again.tile
            ]
            again.load()
            return np.asarray(_turned(again)).astype(np.uint16)

    name, _, order = rawmode.partition(";")
    if name == "LA":  # four bytes a pixel, as in RGBA
        four = read("RGBA")
        values = (four[..., 0::2] << 8) | four[..., 1::2]
    else:
        name = "RGBA" if name == "RGBa" else name
        little = order == "16L" or (order == "16N" and sys.byteorder == "little")
        high, low = ("L", "B") if little else ("B", "L")  # read in the wrong order, it is the low byte
        values = (read(f"{name};16{high}") << 8) | read(f"{name};16{low}")
    return _on_white(values, rawmode.startswith("RGBa"), image.info.get("transparency"), told)


def _on_white(values: np.ndarray, premultiplied: bool, hidden: Any, told: Counter[str]) -> np.ndarray:
    """Lay colours of 16 bits, shape `(height, width, c)`, on white where they are transparent."""
    full = FULL["16"]
    colours, alpha = values.astype(np.float32), None
    if values.shape[2] in (2, 4):
        colours, alpha = colours[..., :-1], colours[..., -1:] / full
    elif isinstance(hidden, tuple):
        alpha = (values != np.array(hidden)).any(axis=2, keepdims=True).astype(np.float32)
    if alpha is not None and alpha.min() < 1:
        told["transparent"] += 1
        colours = (colours if premultiplied else colours * alpha) + full * (1 - alpha)
    return colours[..., 0] if colours.shape[2] == 1 else colours


def orientation_of(image: Any) -> int:
    """Return the orientation that the metadata of an image tell, from 1 (upright) to 8.

    Args:
        image: as Pillow opened it; what lies behind its pixels is only known once they are read.
    """
    if image.format != "TIFF" and not any(key in image.info for key in _METADATA):
        return 1  # without a search, which takes as long as small images
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged metadata are no reason to refuse a picture
        return 1


_METADATA = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")  # as Pillow names them


def _turned(image: Any) -> Any:
    """Return an image in the orientation that its metadata tell."""
    from PIL import ImageOps

    image.load()
    if orientation_of(image) == 1:
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged metadata are no reason to refuse a picture
        return image


def resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return pixels in another size; smaller ones are averages.

    Args:
        values: shape `(height, width)` or `(height, width, 3)`, uint8 or float32.
        size: height and width.
    """
    from PIL import Image

    def one(plane: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(plane).resize(size[::-1], Image.Resampling.BILINEAR))

    if values.dtype == np.uint8 or values.ndim == 2:
        return one(values)
    return np.stack([one(np.ascontiguousarray(values[..., k])) for k in range(values.shape[2])], axis=2)
