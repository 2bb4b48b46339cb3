"""Distances of points and segments against reference numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from localmixup.geometry.lipschitz.segments import (
    point_to_segment,
    segment_to_segment,
    squared_between_segments,
    stewart,
)

REFERENCE = json.loads((Path(__file__).parents[2] / "theory_reference.json").read_text())


@pytest.mark.parametrize("case", REFERENCE["geometry"])
def test_reference_distances_of_segments(case):
    p0, p1, q0, q1 = (np.array([case[k]]) for k in ("p0", "p1", "q0", "q1"))
    d, s, t = segment_to_segment(p0, p1, q0, q1)
    assert d[0] ** 2 == pytest.approx(case["d2_segseg"], rel=1e-10, abs=1e-15)
    assert np.linalg.norm(p0 + s * (p1 - p0) - q0 - t * (q1 - q0)) == pytest.approx(d[0], rel=1e-9, abs=1e-12)
    d, t = point_to_segment(p0, q0, q1)
    assert d[0] ** 2 == pytest.approx(case["d2_p0_to_q"], rel=1e-10, abs=1e-15)
    squared = [np.square(a - b).sum() for a, b in ((p0, q0), (p0, q1), (q0, q1))]
    assert stewart(*map(np.array, squared)) == pytest.approx(d[0] ** 2, rel=1e-9, abs=1e-12)


def test_squared_distances_alone_give_the_same():
    rng = np.random.default_rng(0)
    p0, p1, q0, q1 = np.round(rng.normal(size=(4, 500, 3)), 1)  # with ties, parallels and segments of length 0
    p1[::7], q1[::5] = p0[::7], q0[::5] + p1[::5] - p0[::5]
    corners = tuple(np.square(a - b).sum(axis=1) for a, b in ((p0, q0), (p0, q1), (p1, q0), (p1, q1)))
    lengths = [np.square(a - b).sum(axis=1) for a, b in ((p0, p1), (q0, q1))]
    squared = segment_to_segment(p0, p1, q0, q1)[0] ** 2
    np.testing.assert_allclose(squared_between_segments(corners, *lengths), squared, rtol=1e-9, atol=1e-12)
