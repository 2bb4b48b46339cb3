"""What the axes of arrays are: told by the shape where it tells, and by the user where it does not."""

import numpy as np
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.data.axes import axes_of
from localmixup.lab.data.objects import dataset_of
from localmixup.lab.data.reading import Reading

RNG = np.random.default_rng(0)
Y = np.arange(40) % 2


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((16, 16, 4), "channels-last"),
        ((16, 16, 3), "channels-last"),
        ((3, 16, 16), "channels-first"),
        ((1, 28, 28), "channels-first"),
        ((28, 28, 1), "channels-last"),
        ((3, 20, 30), "channels-first"),
        ((20, 30, 3), "channels-last"),
        ((13, 64, 64), "channels-first"),  # bands of a satellite
        ((64, 64, 13), "channels-last"),
        ((2, 16, 16), "channels-first"),
        ((4, 4, 3), "channels-last"),
        ((3, 4, 4), "channels-first"),
    ],
)
def test_the_position_of_the_channels_is_told_from_the_shape(shape, layout):
    axes = axes_of("a.npz", "x", np.zeros((40, *shape)), None)
    assert (axes.kind, axes.layout) == ("image", layout)
    assert f"({layout}, from the shape; --layout says otherwise)" in axes.note


@pytest.mark.parametrize("shape", [(16, 16, 16), (5, 20, 30), (3, 32, 3), (3, 3, 3), (3, 3, 16), (16, 20, 24)])
def test_otherwise_the_user_is_asked(shape):
    x = RNG.normal(size=(40, *shape)).astype(np.float32)
    with pytest.raises(ArgumentError) as caught:
        dataset_of((x, Y))
    assert f"say --layout channels-first ({shape[0]} channels) or --layout channels-last ({shape[2]} channels)" in str(
        caught.value
    )
    first = dataset_of((x, Y), reading=Reading(layout="channels-first"))
    np.testing.assert_array_equal(first.x, x)
    last = dataset_of((x, Y), reading=Reading(layout="channels-last"))
    np.testing.assert_array_equal(last.x, np.moveaxis(x, -1, 1))


def test_sequences_are_no_gray_images():
    steps = RNG.normal(size=(40, 128, 9))
    found = dataset_of((steps, Y))
    assert (found.kind, found.shape) == ("table", (128 * 9,))
    np.testing.assert_array_equal(found.x.reshape(40, 128, 9), steps)
    assert "'x': sequences of 128 steps with 9 values each; --layout gray reads gray images" in found.notes
    faces = dataset_of((steps, Y), reading=Reading(layout="gray"))
    assert (faces.kind, faces.shape) == ("image", (1, 128, 9))
    for gray in (RNG.normal(size=(40, 12, 12)), RNG.integers(0, 255, (40, 12, 9)), RNG.random((40, 12, 9)) > 0.5):
        found = dataset_of((gray, Y))
        assert (found.kind, found.shape) == ("image", (1, *gray.shape[1:]))
        assert any("--layout sequence reads sequences" in note for note in found.notes)
        assert dataset_of((gray, Y), reading=Reading(layout="sequence")).kind == "table"


def test_other_numbers_of_axes_are_columns_and_said():
    clips = RNG.normal(size=(40, 2, 3, 4, 5))
    found = dataset_of((clips, Y))
    assert (found.kind, found.shape) == ("table", (120,))
    assert any("each value is taken as a column" in note for note in found.notes)


@pytest.mark.parametrize(
    ("shape", "layout"), [((40, 5), "gray"), ((40, 5, 6), "channels-last"), ((40, 1, 5, 6), "gray")]
)
def test_a_layout_that_does_not_suit_the_shape(shape, layout):
    with pytest.raises(ArgumentError, match=f"--layout .*, as 'x' has shape .*, got '{layout}'"):
        dataset_of((np.zeros(shape), Y), reading=Reading(layout=layout))
