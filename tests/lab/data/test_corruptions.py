"""Corruptions of images: each against a slow loop, a closed form or another library."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from localmixup.lab.data.corruptions import CORRUPTIONS, corrupt, parse

NAMES = list(CORRUPTIONS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=6, channels=3, height=20, width=24):
    return torch.rand(n, channels, height, width, generator=seeded(99))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_severity_zero_changes_nothing_and_one_changes_every_image(name, dtype):
    images = pictures().to(dtype)
    before = images.clone()
    assert torch.allclose(corrupt(images, name, 0, seeded()), images, atol=1e-7)
    worse = corrupt(images, name, 1.0, seeded())
    assert worse.shape == images.shape
    assert worse.dtype == dtype
    assert (worse != images).flatten(1).any(dim=1).all()
    assert torch.equal(images, before), "the caller's images were changed"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_images(name):
    images = pictures()
    first = corrupt(images, name, 1, seeded(1))
    assert torch.equal(first, corrupt(images, name, 1, seeded(1)))
    drawn = name not in ("blur", "contrast", "brightness")
    assert torch.equal(first, corrupt(images, name, 1, seeded(2))) != drawn


@given(
    name=st.sampled_from([name for name in NAMES if name != "gaussian"]),
    severity=st.integers(0, 1) | st.floats(0, 1),
    seed=st.integers(0, 1000),
    shape=st.tuples(st.integers(0, 3), st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9)),
)
def test_all_but_the_noise_of_the_paper_stay_within_the_range(name, severity, seed, shape):
    severity = round(severity) if name == "shift" else severity
    worse = corrupt(torch.rand(shape, generator=seeded(seed)), name, severity, seeded(seed))
    assert worse.shape == shape
    assert ((worse >= 0) & (worse <= 1)).all()


def test_gaussian_noise_has_the_deviation_that_it_is_given_and_is_not_clipped():
    images = torch.cat([torch.zeros(20, 3, 32, 32), torch.ones(20, 3, 32, 32)])
    noise = corrupt(images, "gaussian", 0.1, seeded()) - images
    # of n = 122,880 draws the deviation errs by sigma / sqrt(2 n), the mean by sigma / sqrt(n): five of each,
    # once in a million seeds
    n = noise.numel()
    assert noise.std().item() == pytest.approx(0.1, abs=5 * 0.1 / math.sqrt(2 * n))
    assert noise.mean().item() == pytest.approx(0, abs=5 * 0.1 / math.sqrt(n))
    assert (images + noise).min() < -0.3
    assert (images + noise).max() > 1.3
    # a normal variable is beyond two deviations with probability 0.0455
    assert (noise.abs() > 0.2).double().mean().item() == pytest.approx(0.0455, abs=5 * math.sqrt(0.0455 / n))
    half = corrupt(images, "gaussian", 0.05, seeded()) - images
    assert torch.allclose(half, noise / 2, atol=1e-6), "severities of one seed do not share their noise"


def test_uniform_noise_fills_its_interval_evenly():
    images = torch.full((10, 1, 40, 40), 0.5)
    noise = corrupt(images, "uniform", 0.2, seeded()) - images
    assert noise.abs().max() <= 0.2 + 1e-6
    n = noise.numel()
    # fourth moment of a uniform variable: its variance errs by 2 a^2 / sqrt(45 n)
    assert noise.var().item() == pytest.approx(0.2**2 / 3, abs=5 * 2 * 0.2**2 / math.sqrt(45 * n))
    counts = torch.histc(noise, 10, -0.2, 0.2)
    assert ((counts - n / 10).square() / (n / 10)).sum() < 40  # chi-square of 9 degrees: once in 10^5 seeds
    assert corrupt(torch.ones(1, 1, 40, 40), "uniform", 0.2, seeded()).max() == 1


def test_salt_and_pepper_replaces_the_share_of_the_pixels_in_all_channels():
    images = torch.full((20, 3, 32, 32), 0.5)
    worse = corrupt(images, "salt-pepper", 0.3, seeded())
    assert set(worse.unique().tolist()) == {0.0, 0.5, 1.0}
    assert (worse == worse[:, :1]).all(), "the channels of a pixel differ"
    n = 20 * 32 * 32
    for value in (0, 1):
        share = (worse[:, 0] == value).double().mean().item()
        assert share == pytest.approx(0.15, abs=5 * math.sqrt(0.15 * 0.85 / n))  # once in a million seeds
    assert set(corrupt(images, "salt-pepper", 1, seeded()).unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 30.0])
def test_blur_is_that_of_scipy(sigma):
    images = pictures().double()
    expected = gaussian_filter(images.numpy(), sigma=(0, 0, sigma, sigma), mode="nearest", truncate=4.0)
    assert np.allclose(corrupt(images, "blur", sigma, seeded()).numpy(), expected, atol=1e-9)


def test_contrast_keeps_the_mean_of_an_image_and_scales_its_deviation():
    images = pictures()
    worse = corrupt(images, "contrast", 0.25, seeded())
    for image, flat in zip(images, worse, strict=True):
        assert flat.mean().item() == pytest.approx(image.mean().item(), abs=1e-6)
        assert flat.std().item() == pytest.approx(0.75 * image.std().item(), rel=1e-5)
    assert torch.allclose(corrupt(images, "contrast", 1, seeded()).flatten(1).std(dim=1), torch.zeros(6), atol=1e-6)


def test_brightness_is_added_and_cut():
    images = torch.tensor([0.0, 0.3, 0.9, 1.0]).view(1, 1, 2, 2)
    expected = torch.tensor([0.2, 0.5, 1.0, 1.0]).view(1, 1, 2, 2)
    assert torch.allclose(corrupt(images, "brightness", 0.2, seeded()), expected)


def test_occlusion_fills_one_square_an_image_with_its_mean_and_goes_everywhere():
    images = pictures(n=400, height=12, width=10)
    worse = corrupt(images, "occlusion", 0.4, seeded())
    corners = set()
    for image, hidden in zip(images, worse, strict=True):
        changed = (image != hidden).all(dim=0)
        rows, columns = (torch.nonzero(changed.any(dim=k)).flatten() for k in (1, 0))
        top, left = int(rows[0]), int(columns[0])
        corners.add((top, left))
        expected = image.clone()
        for channel in range(3):
            for i in range(top, top + 4):
                for j in range(left, left + 4):
                    expected[channel, i, j] = image[channel].mean()
        assert torch.allclose(hidden, expected, atol=1e-6)
    # 9 x 7 places, each of them missed by 400 draws with probability 0.0017: all but at most two are seen, else once
    # in 10^4 seeds
    assert len(corners) >= 61
    assert {i for i, _ in corners} == set(range(9))
    assert {j for _, j in corners} == set(range(7))


def test_occlusion_of_the_whole_width_is_cut_by_the_height():
    images = pictures(height=5, width=9)
    changed = corrupt(images, "occlusion", 1, seeded()) != images
    assert (changed.flatten(1).sum(dim=1) == 3 * 5 * 5).all()


@pytest.mark.parametrize("pixels", [1, 3, 50])
def test_shift_moves_each_image_in_one_of_four_directions_and_repeats_the_edge(pixels):
    images = pictures(n=100)
    height, width = images.shape[2:]
    seen = []
    for image, moved in zip(images, corrupt(images, "shift", pixels, seeded()), strict=True):
        fits = []
        for down, right in ((pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels)):
            rows = [min(max(i - down, 0), height - 1) for i in range(height)]
            columns = [min(max(j - right, 0), width - 1) for j in range(width)]
            fits.append(torch.equal(moved, image[:, rows][:, :, columns]))
        assert sum(fits) == 1
        seen.append(fits.index(True))
    # a direction comes with probability a quarter: of 100, between 5 and 50 but once in 10^6 seeds
    assert all(5 <= seen.count(direction) <= 50 for direction in range(4))


def test_a_severity_is_read_as_it_is_written():
    assert parse("gaussian 0.01") == ("gaussian", 0.01)
    assert parse(" shift  3 ") == ("shift", 3.0)
    assert parse("salt-pepper 5e-2") == ("salt-pepper", 0.05)


@pytest.mark.parametrize("text", ["", "gaussian", "gaussian much", "0.1", "gaussian 0.1 0.2", "gaussian=0.1"])
def test_what_cannot_be_read_is_answered_with_the_form_and_the_names(text):
    with pytest.raises(ValueError, match=r"such as 'gaussian 0.01', the name one of") as caught:
        parse(text)
    assert repr(text) in str(caught.value)
    assert all(name in str(caught.value) for name in NAMES)


@pytest.mark.parametrize(
    ("name", "severity", "message"),
    [
        ("gausian", 0.1, "corruption must be one of 'gaussian', .*, got 'gausian'; did you mean 'gaussian'"),
        ("gaussian", -0.1, r"severity of gaussian must be between 0 and 1000 \(noise_std.*\), got -0.1"),
        ("gaussian", math.nan, "severity of gaussian must .* got nan"),
        ("blur", math.inf, r"severity of blur must .* \(sigma .*\), got inf"),
        ("contrast", 1.5, r"severity of contrast must be between 0 and 1 \(share .*\), got 1.5"),
        ("shift", 1.5, r"severity of shift must be a whole number \(pixels .*\), got 1.5"),
    ],
)
def test_errors_say_what_is_allowed(name, severity, message):
    with pytest.raises(ValueError, match=message):
        parse(f"{name} {severity}")
    with pytest.raises(ValueError, match=message):
        corrupt(pictures(), name, severity, seeded())


def test_only_batches_of_images_are_corrupted():
    with pytest.raises(
        ValueError, match=r"images must be floats of shape \(n, c, h, w\), got torch.float32 of \(4, 5\)"
    ):
        corrupt(torch.rand(4, 5), "gaussian", 0.1, seeded())
    with pytest.raises(ValueError, match=r"got torch.uint8 of \(1, 1, 2, 2\)"):
        corrupt(torch.zeros(1, 1, 2, 2, dtype=torch.uint8), "gaussian", 0.1, seeded())
