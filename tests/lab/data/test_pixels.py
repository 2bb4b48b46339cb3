"""What images become: their depth, colours and orientation are kept, and all that is done is said."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from localmixup._validate import ArgumentError
from localmixup.lab.data.pixels import decode_images

RNG = np.random.default_rng(0)


def decode(tmp_path, images, suffix="png", **options):
    """Write images in one format and decode them."""
    files = []
    for k, (image, saving) in enumerate(images):
        path = tmp_path / f"{k}.{saving.pop('suffix', suffix)}"
        (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(path, **saving)
        files.append((path.name, path))
    return decode_images(files, **options)


def png_of_16_bits(pixels, kind, *chunks):
    """Return a PNG file by its specification: pixels of shape (h, w, c), c = 1, 3, 2 or 4 for kind 0, 2, 4 or 6."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    height, width = pixels.shape[:2]

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), *(chunk(*c) for c in chunks), chunk(b"IDAT", zlib.compress(rows)),
         chunk(b"IEND", b"")]
    )  # fmt: skip


def tiff(pixels, *, order, kind, extra=None):
    """Return an uncompressed TIFF file by its specification; `kind` is its sample format, 1 (whole) or 3 (floating)."""
    mark, dtype = {"<": b"II", ">": b"MM"}[order], pixels.dtype.newbyteorder(order)
    height, width, channels = pixels.shape
    strip = pixels.astype(dtype).tobytes()
    bits = pixels.itemsize * 8
    many = channels > 2
    start = 8 + len(strip)
    fields = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, start if many else bits), (259, 3, 1, 1),
        (262, 3, 1, 2 if many else 1), (273, 4, 1, 8), (277, 3, 1, channels), (278, 4, 1, height),
        (279, 4, 1, len(strip)), (339, 3, channels, start if many else kind),
    ]  # fmt: skip
    if extra is not None:
        fields.insert(-1, (338, 3, 1, extra))
    body = struct.pack(f"{order}{channels}H", *[bits] * channels) + struct.pack(
        f"{order}{channels}H", *[kind] * channels
    )
    if many:
        fields[-1] = (339, 3, channels, start + 2 * channels)
    out = struct.pack(f"{order}H", len(fields))
    for tag, of, count, value in sorted(fields):
        short = of == 3 and count == 1
        out += struct.pack(f"{order}HHI", tag, of, count) + struct.pack(
            f"{order}HH" if short else f"{order}I", *([value, 0] if short else [value])
        )
    return mark + struct.pack(f"{order}HI", 42, start + len(body)) + strip + body + out + b"\0\0\0\0"


def test_sixteen_bits_of_gray_keep_their_values(tmp_path):
    for low, high in ((0, 255), (0, 4096), (30_000, 65_536)):
        ramp = RNG.integers(low, high, (8, 9)).astype(np.uint16)
        pixels, notes = decode(tmp_path, [(ramp, {})])
        np.testing.assert_array_equal(pixels[0, 0], ramp)
        assert notes[-1] == "pixels of 16 bits keep their values"


@pytest.mark.parametrize("largest", [255, 4095, 65535])
def test_sixteen_bits_of_colour_keep_both_bytes(largest):
    colours = RNG.integers(0, largest + 1, (5, 7, 3)).astype(np.uint16)
    files = {
        "png": png_of_16_bits(colours, 2),
        "intel": tiff(colours, order="<", kind=1),
        "motorola": tiff(colours, order=">", kind=1),
    }
    for name, content in files.items():
        pixels, _ = decode_images([(name, content)])
        np.testing.assert_array_equal(pixels[0].transpose(1, 2, 0), colours, err_msg=name)


def test_compressed_tiff_of_sixteen_bits(tmp_path):
    colours = RNG.integers(0, 65536, (5, 7, 3)).astype(np.uint16)
    (tmp_path / "raw.tif").write_bytes(tiff(colours, order="<", kind=1))
    gray = colours[..., 0]
    Image.fromarray(gray).save(tmp_path / "gray.tif", compression="tiff_lzw")
    pixels, _ = decode_images([("gray", tmp_path / "gray.tif")])
    np.testing.assert_array_equal(pixels[0, 0], gray)
    both, notes = decode_images([("raw", tmp_path / "raw.tif"), ("gray", tmp_path / "gray.tif")])
    np.testing.assert_array_equal(both[1], np.stack([gray] * 3))
    assert notes[0].startswith("modes of the images: 1 RGB, 1 I;16")


def test_transparency_of_sixteen_bits_lets_no_colour_through():
    values = RNG.integers(0, 65536, (5, 7, 4)).astype(np.uint16)
    values[:2, :, 3] = 0
    alpha = values[..., 3:] / 65535
    expected = values[..., :3] * alpha + 65535 * (1 - alpha)
    pixels, notes = decode_images([("a", png_of_16_bits(values, 6))])
    np.testing.assert_allclose(pixels[0].transpose(1, 2, 0), expected, rtol=1e-5)
    assert "transparent parts laid on white: all 1" in notes
    pixels, _ = decode_images([("b", png_of_16_bits(values[..., 2:], 4))])  # gray with alpha
    np.testing.assert_allclose(pixels[0, 0], expected[..., 2], rtol=1e-5)
    pixels, _ = decode_images([("c", tiff(values, order="<", kind=1, extra=2))])
    np.testing.assert_allclose(pixels[0].transpose(1, 2, 0), expected, rtol=1e-5)


def test_floating_point_and_whole_numbers_of_32_bits_keep_their_values(tmp_path):
    heights = RNG.normal(size=(6, 5)).astype(np.float32)
    pixels, notes = decode(tmp_path, [(heights, {})], "tif")
    np.testing.assert_array_equal(pixels[0, 0], heights)
    assert "pixels of floating point keep their values" in notes
    counts = RNG.integers(-70_000, 1 << 20, (6, 5)).astype(np.int32)
    pixels, _ = decode(tmp_path, [(counts, {})], "tif")
    np.testing.assert_array_equal(pixels[0, 0], counts)
    with pytest.raises(ArgumentError, match=r"must all be of one depth, got 8 bits \(1\.png\) and floating point"):
        decode(tmp_path, [(heights, {"suffix": "tif"}), (np.zeros((6, 5), np.uint8), {})])


def test_depths_of_8_and_16_bits_share_a_scale(tmp_path):
    small, large = RNG.integers(0, 256, (4, 4)).astype(np.uint8), RNG.integers(0, 65536, (4, 4)).astype(np.uint16)
    pixels, notes = decode(tmp_path, [(small, {}), (large, {})])
    np.testing.assert_allclose(pixels[:, 0] / 65535, [small / 255, large / 65535], rtol=1e-6)
    assert "1 images of 8 bits are scaled to the range of the 1 of 16 bits" in notes


def test_colours_under_alpha_0_do_not_come_through(tmp_path):
    rgba = RNG.integers(0, 256, (6, 6, 4)).astype(np.uint8)
    rgba[:3, :, 3] = 0
    alpha = rgba[..., 3:] / 255
    expected = rgba[..., :3] * alpha + 255 * (1 - alpha)
    pixels, notes = decode(tmp_path, [(rgba, {}), (rgba[..., :3], {})])
    np.testing.assert_allclose(pixels[0].transpose(1, 2, 0), expected, atol=1)
    assert (pixels[0, :, :3] == 255).all()
    np.testing.assert_array_equal(pixels[1].transpose(1, 2, 0), rgba[..., :3])
    assert "transparent parts laid on white: 1 of 2 images" in notes
    gray = Image.merge("LA", [Image.fromarray(rgba[..., 0]), Image.fromarray(rgba[..., 3])])
    pixels, _ = decode(tmp_path, [(gray, {})])
    np.testing.assert_allclose(pixels[0, 0], expected[..., 0], atol=1)


def test_palettes(tmp_path):
    places = RNG.integers(0, 4, (6, 6)).astype(np.uint8)
    colours = np.array([[255, 0, 0], [0, 255, 0], [10, 20, 30], [1, 2, 3]], np.uint8)
    image = Image.fromarray(places).convert("P")
    image.putdata(places.ravel().tolist())
    image.putpalette(colours.ravel().tolist())
    pixels, notes = decode(tmp_path, [(image, {})])
    np.testing.assert_array_equal(pixels[0].transpose(1, 2, 0), colours[places])
    assert notes == ("modes of the images: 1 P (palette); all are read as RGB",)
    pixels, _ = decode(tmp_path, [(image, {"transparency": 1})])  # that entry is transparent
    expected = colours[places]
    expected[places == 1] = 255
    np.testing.assert_array_equal(pixels[0].transpose(1, 2, 0), expected)
    image.putpalette(np.repeat([[9], [50], [90], [255]], 3, axis=1).ravel().tolist())
    pixels, _ = decode(tmp_path, [(image, {})])  # grays: one channel
    np.testing.assert_array_equal(pixels[0], np.array([9, 50, 90, 255])[places][None])


def test_cmyk_one_bit_and_a_mix_of_modes(tmp_path):
    rgb = np.full((4, 4, 3), (200, 30, 60), np.uint8)
    cmyk = Image.fromarray(rgb).convert("CMYK")
    bits = Image.fromarray(np.eye(4, dtype=np.uint8) * 255).convert("1")
    pixels, notes = decode(tmp_path, [(cmyk, {"suffix": "tif"}), (bits, {}), (rgb, {})])
    np.testing.assert_allclose(pixels[0].transpose(1, 2, 0), rgb, atol=2)
    np.testing.assert_array_equal(pixels[1], np.stack([np.eye(4) * 255] * 3))
    assert notes[0] == "modes of the images: 1 CMYK, 1 1 (one bit), 1 RGB; all are read as RGB"
    assert notes[1:] == ()
    _, notes = decode(tmp_path, [(bits, {}), (np.zeros((4, 4), np.uint8), {})])
    assert notes[1:] == ("of one value in all pixels: 1 of 2 images",)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_exif_is_applied(tmp_path, suffix, orientation):
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :12], upright[:8, 12:], upright[8:, :12] = 255, 120, 60  # four corners that differ
    turned = {  # how the camera stored it, by the meaning of the eight values
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1), 7: upright[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if suffix in ("jpg", "webp") else {}
    pixels, notes = decode(tmp_path, [(np.ascontiguousarray(turned), {"exif": exif, **options})], suffix)
    assert np.abs(pixels[0].transpose(1, 2, 0).astype(int) - upright)[2:6, 2:10].max() < 12
    assert np.abs(pixels[0].transpose(1, 2, 0).astype(int) - upright)[10:14, 2:10].max() < 12
    assert pixels.shape == (1, 3, 16, 24)
    assert any("turned upright as their metadata say" in note for note in notes) == (orientation > 1)


def test_animations_and_stacks_give_their_first_picture(tmp_path):
    frames = [Image.fromarray(RNG.integers(0, 256, (6, 6)).astype(np.uint8)) for _ in range(3)]
    frames[0].convert("RGB").save(
        tmp_path / "phone.jpg",
        format="MPO",
        save_all=True,
        append_images=[frame.convert("RGB") for frame in frames[1:]],
    )
    _, notes = decode_images([("phone", tmp_path / "phone.jpg")])
    assert "first picture of several (animations, pages): all 1" in notes
    for suffix in ("gif", "tif", "webp"):
        options = {"lossless": True} if suffix == "webp" else {}
        pixels, notes = decode(
            tmp_path, [(frames[0], {"save_all": True, "append_images": frames[1:], **options})], suffix
        )
        np.testing.assert_array_equal(pixels[0, 0], np.asarray(frames[0]), err_msg=suffix)
        assert any("first picture of several (animations, pages): all 1" in note for note in notes)


def test_damaged_files_and_files_that_run_programs(tmp_path):
    whole = png_of_16_bits(RNG.integers(0, 9, (50, 50, 3)).astype(np.uint16), 2)
    plain = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (50, 50, 3)).astype(np.uint8)).save(plain, format="PNG")
    for content in (whole, plain.getvalue()):
        with pytest.raises(ArgumentError, match="cut: not an image that can be read"):
            decode_images([("cut", content[: len(content) // 2])])
    colours = RNG.normal(size=(4, 4, 3)).astype(np.float32)
    with pytest.raises(
        ArgumentError, match=r"colours of floating point; arrays x and y saved with numpy.savez are read"
    ):
        decode_images([("a.tif", tiff(colours, order="<", kind=3))])
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(ArgumentError, match="not an image that can be read"):
        decode_images([("a", tmp_path / "a.png")])


def test_resizing_keeps_the_depth():
    colours = RNG.integers(0, 65536, (8, 8, 3)).astype(np.uint16)
    pixels, _ = decode_images([("a", png_of_16_bits(colours, 2))], resize=(4, 2))
    assert pixels.shape == (1, 3, 4, 2)
    assert pixels.max() > 255
    np.testing.assert_allclose(pixels.mean(axis=(2, 3))[0], colours.mean(axis=(0, 1)), rtol=0.1)
