"""Files with random damage are read, or refused in one line, never anything else."""

import io
import random

import numpy as np
from PIL import Image

from localmixup._validate import ArgumentError
from localmixup.lab.data.pixels import decode_images
from localmixup.lab.data.sources import load

ROUNDS = 300


def damaged(content, chance):
    found = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        place, kind = chance.randrange(len(found)), chance.random()
        if kind < 0.6:
            found[place] = chance.randrange(256)
        elif kind < 0.8:
            found[place:place] = chance.randbytes(chance.randint(1, 20))
        else:
            del found[max(1, place) : place + chance.randint(1, 20) if kind < 0.9 else None]
    return bytes(found)


def tried(read):
    """Return whether something was read; a refusal must be one line."""
    refusal = ""
    try:
        read()
    except ArgumentError as error:
        refusal = str(error)
    assert "\n" not in refusal
    return not refusal


def test_images():
    rng, chance = np.random.default_rng(0), random.Random(0)
    gray, colour, deep = rng.integers(0, 256, (20, 24)), rng.integers(0, 256, (20, 24, 3)), rng.random((20, 24)) * 65535
    wholes = []
    for array, dtype, form in [
        (gray, "u1", "PNG"), (colour, "u1", "PNG"), (deep, "u2", "PNG"), (colour, "u1", "JPEG"), (colour, "u1", "WEBP"),
        (gray, "u1", "GIF"), (colour, "u1", "BMP"), (deep, "f4", "TIFF"), (deep, "u2", "TIFF"),
    ]:  # fmt: skip
        buffer = io.BytesIO()
        Image.fromarray(array.astype(dtype)).save(buffer, format=form)
        wholes.append(buffer.getvalue())
        assert tried(lambda: decode_images([("whole", wholes[-1])]))
    read = [
        tried(lambda: decode_images([("damaged", damaged(chance.choice(wholes), chance))], resize=(8, 8)))
        for _ in range(ROUNDS)
    ]
    assert 0 < sum(read) < ROUNDS


def test_arrays(tmp_path):
    rng, chance = np.random.default_rng(0), random.Random(0)
    path = tmp_path / "a.npz"
    wholes = []
    for save in (np.savez, np.savez_compressed):
        save(path, x=rng.normal(size=(30, 3)), y=np.arange(30) % 3)
        wholes.append(path.read_bytes())
        assert tried(lambda: load(str(path)))
    read = []
    for _ in range(ROUNDS):
        path.write_bytes(damaged(chance.choice(wholes), chance))
        read.append(tried(lambda: load(str(path))))
    assert sum(read) < ROUNDS
