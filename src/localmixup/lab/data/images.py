"""Read images: a folder with one folder per class, and the decoding that every source of images shares."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from localmixup._validate import ArgumentError
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.errors import first_line


def read_image_folder(path: Path) -> DataSet:
    """Read a folder that holds one folder of images per class.

    `datasets` has a reader for such folders, but it takes folders and files called "test" or "valid" for splits and
    silently drops the others.

    Args:
        path: the folder.

    Raises:
        ArgumentError: there are no class folders, one of them holds no images, or an image cannot be read.
    """
    from PIL import Image

    known = set(Image.registered_extensions())
    classes = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not classes:
        raise ArgumentError(
            f"{path}: a folder must hold one folder of images for each class, or Parquet files; got neither"
        )
    files = [sorted(p for p in folder.rglob("*") if p.suffix.lower() in known) for folder in classes]
    for folder, found in zip(classes, files, strict=True):
        if not found:
            raise ArgumentError(f"{folder}: no images in this class folder")
    x = decode_images((None, str(file)) for found in files for file in found)
    y = np.repeat(np.arange(len(classes)), [len(found) for found in files])
    counts = ", ".join(f"{len(found)} {folder.name}" for folder, found in zip(classes, files, strict=True))
    note = f"images of shape {x.shape[1:]} in {len(classes)} classes: {counts}"
    return DataSet(path.name, "image", x, y, class_names=tuple(folder.name for folder in classes), notes=(note,))


def decode_images(images: Iterable[tuple[bytes | None, str | None]]) -> np.ndarray:
    """Decode images of one size.

    The result has one channel if all images are gray, else three. Images of 16 bits per pixel are reduced to 8.

    Args:
        images: for each image its bytes, or None and the path of its file.

    Returns:
        Pixels, uint8, shape `(m, channels, height, width)`.

    Raises:
        ArgumentError: an image cannot be decoded, or its size differs from that of the first one.
    """
    from PIL import Image

    arrays: list[np.ndarray] = []
    gray = True
    for row, (content, path) in enumerate(images):
        where = path or f"row {row}"
        try:
            with Image.open(io.BytesIO(content) if content else str(path)) as opened:
                if opened.mode.startswith("I"):  # 16 bits per pixel
                    array = (np.asarray(opened).clip(0, 65535) // 256).astype(np.uint8)
                else:
                    array = np.asarray(opened.convert("L" if opened.mode in ("1", "L", "LA") else "RGB"))
        except Exception as error:
            raise ArgumentError(f"{where}: not an image that can be read: {first_line(error)}") from None
        if arrays and array.shape[:2] != arrays[0].shape[:2]:
            first, other = ("{1} x {0}".format(*a.shape) for a in (arrays[0], array))
            raise ArgumentError(f"images must all be of one size: the first is {first} pixels, {where} is {other}")
        gray = gray and array.ndim == 2
        arrays.append(array)
    if not gray:
        arrays = [a if a.ndim == 3 else np.repeat(a[..., None], 3, axis=2) for a in arrays]
    stacked = np.stack(arrays)
    return stacked[:, None] if gray else np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))
