"""Q(D) against all pairs of segments in float64, reference numbers, and what must hold for any data."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from localmixup.geometry import lipschitz_lower_bound, lipschitz_lower_bound_steps
from localmixup.geometry.lipschitz import bound, classes, sample_search, scan, segment_search
from localmixup.geometry.lipschitz.segments import segment_to_segment

REFERENCE = json.loads((Path(__file__).parents[2] / "theory_reference.json").read_text())
BACKENDS = ("numba", "torch")


def brute_force(x, y, kind):
    """Staircase from all pairs of segments of different classes, segments of length 0 included."""
    segments = np.array([(i, j) for i in range(len(x)) for j in range(i, len(x)) if y[i] == y[j]])
    first = segments if kind == "segments" else np.arange(len(x)).repeat(2).reshape(-1, 2)
    a, b = (part.ravel() for part in np.meshgrid(range(len(first)), range(len(segments)), indexing="ij"))
    other = y[first[a, 0]] != y[segments[b, 0]]
    (i, j), (k, o) = first[a[other]].T, segments[b[other]].T
    distances, _, _ = segment_to_segment(x[i], x[j], x[k], x[o])
    radii = np.maximum(np.linalg.norm(x[i] - x[j], axis=1), np.linalg.norm(x[k] - x[o], axis=1))
    steps, best = [], np.inf
    for place in np.lexsort((distances, radii)):
        if distances[place] < best:
            best = distances[place]
            steps = [*(step for step in steps if step[0] < radii[place]), (radii[place], best)]
    return np.array(steps)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", REFERENCE["Q_curves"], ids=lambda c: f"{len(c['y'])}x{len(c['X'][0])}")
def test_reference_curves(case, backend):
    x, y = np.array(case["X"]), np.array(case["y"])
    point = lipschitz_lower_bound(x, y, kind="point", backend=backend)
    assert point.at(0) == point.at(np.inf) == pytest.approx(case["Q_pp"], rel=1e-10)
    for kind, name in (("segment", "ps"), ("segments", "ss")):
        curve = lipschitz_lower_bound(x, y, kind=kind, backend=backend)
        np.testing.assert_allclose(curve.at(case["eps"]), case[f"Q_{name}"], rtol=1e-10)
        np.testing.assert_allclose(
            np.column_stack([curve.radius, curve.distance]), case[f"staircase_{name}"], rtol=1e-10
        )
        assert curve.exact
        assert curve.interval(1.0) == (curve.at(1.0), curve.at(1.0))
        w = curve.witness
        ends = [x[w.first[:, 0]], x[w.first[:, 1]], x[w.second[:, 0]], x[w.second[:, 1]]]
        gap = ends[0] + w.first_position[:, None] * (ends[1] - ends[0])
        gap = gap - ends[2] - w.second_position[:, None] * (ends[3] - ends[2])
        np.testing.assert_allclose(np.linalg.norm(gap, axis=1), curve.distance, rtol=1e-9)
        assert (y[w.first] != y[w.second]).all()
        assert (y[w.first[:, 0]] == y[w.first[:, 1]]).all()


def points_of_classes():
    return st.integers(0, 2**31).flatmap(
        lambda seed: st.tuples(st.just(seed), st.integers(4, 14), st.integers(1, 6), st.integers(2, 4))
    )


def drawn(case):
    seed, m, d, classes = case
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes) % classes, rng.integers(classes, size=m)])
    x = rng.normal(size=(len(y), d)) + (rng.normal(size=(classes, d)) * 2)[y]
    if seed % 3 == 0:
        x = np.round(x)  # ties, touching points, parallel segments
    return x, y


@settings(max_examples=40)
@given(points_of_classes(), st.sampled_from(["segment", "segments"]), st.sampled_from(BACKENDS))
def test_the_curve_is_that_of_brute_force(case, kind, backend):
    x, y = drawn(case)
    curve, expected = lipschitz_lower_bound(x, y, kind=kind, backend=backend), brute_force(x, y, kind)
    at = np.unique(np.concatenate([curve.radius, expected[:, 0], expected[:, 0] * (1 + 1e-9), [0.0, 1.0, 50.0]]))
    exact = expected[np.searchsorted(expected[:, 0], at, side="right") - 1, 1]
    with np.errstate(divide="ignore"):
        found = 1 / curve.at(at)
    close = np.isclose(found, exact, rtol=1e-9, atol=1e-12)
    # at a step a radius may fall on either side by a rounding
    assert (close | np.isin(at, curve.radius) | np.isin(at, expected[:, 0])).all()
    np.testing.assert_allclose(found[[0, -1]], exact[[0, -1]], rtol=1e-9, atol=1e-12)


@settings(max_examples=25)
@given(points_of_classes())
def test_what_must_hold_for_any_data(case):
    x, y = drawn(case)
    curves = {kind: lipschitz_lower_bound(x, y, kind=kind) for kind in ("point", "segment", "segments")}
    radii = np.linspace(0, 12, 40)
    point, segment, segments = (curves[k].at(radii) for k in ("point", "segment", "segments"))
    assert (segment[1:] >= segment[:-1]).all()
    assert (segments[1:] >= segments[:-1]).all()
    assert (point <= segment).all()
    assert (segment <= segments).all()
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(x.shape[1], x.shape[1])))
    order = rng.permutation(len(x))
    moved = lipschitz_lower_bound((3.0 * x @ turn + 5.0)[order], (7 - y)[order])
    finite = np.isfinite(curves["segment"].value[-1])
    if finite and curves["segment"].distance.min() > 1e-6:
        between = radii[1:] * (1 + 1e-7)
        np.testing.assert_allclose(moved.at(3 * between) * 3, curves["segment"].at(between), rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_classes_in_blocks_and_float32_agree_with_float64(backend, monkeypatch):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    x = (rng.normal(size=(300, 12)) + 1.5 * rng.normal(size=(3, 12))[y] + 40).astype(np.float32)
    whole = lipschitz_lower_bound(x.astype(np.float64), y, backend="torch")
    monkeypatch.setattr(classes, "_ROWS", 37)
    monkeypatch.setattr(scan, "_CANDIDATES", 50)
    monkeypatch.setattr(sample_search, "_PROBES", 41)
    monkeypatch.setattr(segment_search, "_PROBES", 43)
    for bytes_of_a_pair in (0, 10**9):
        monkeypatch.setattr(sample_search, "_PAIR_BYTES", bytes_of_a_pair)
        monkeypatch.setattr(classes, "_WIDE_WORK", bytes_of_a_pair)  # 0: in float32
        curve = lipschitz_lower_bound(x, y, backend=backend, n_jobs=2)
        np.testing.assert_allclose(curve.radius, whole.radius, rtol=1e-12)
        np.testing.assert_allclose(curve.distance, whole.distance, rtol=1e-12)
        both = [lipschitz_lower_bound(x[::4], y[::4], kind="segments", backend=b) for b in BACKENDS]
        np.testing.assert_array_equal(both[0].distance, both[1].distance)


def test_points_and_segments_that_touch_are_named():
    x = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, -1.0], [1.0, 1.0], [9.0, 9.0]])
    crossing = lipschitz_lower_bound(x, [0, 0, 1, 1, 1], kind="segments")
    assert isinstance(crossing.value, torch.Tensor)  # tensors in, tensors out
    assert isinstance(crossing.at(torch.tensor([0.0, 3.0])), torch.Tensor)
    assert crossing.interval(np.inf) == (np.inf, np.inf)
    assert crossing.at(1.9) < np.inf
    assert crossing.at(2.0) == np.inf
    assert crossing.witness.first[-1].tolist() == [0, 1]
    assert crossing.witness.second[-1].tolist() == [2, 3]
    for angle in (1e-2, 1e-4, 1e-6):  # nearly parallel, and crossing all the same
        x_shape = np.array([[0, 0], [1, angle], [0, angle], [1, 0]])
        assert lipschitz_lower_bound(x_shape, [0, 0, 1, 1], kind="segments").at(np.inf) == np.inf
    same = lipschitz_lower_bound(x[[0, 1, 0]], [0, 0, 1])
    assert same.value.tolist() == [np.inf]
    assert same.witness.first[0].tolist() == [0, 0]
    assert same.witness.second[0].tolist() == [2, 2]


def test_an_interrupted_search_narrows_and_goes_on(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    y = rng.integers(3, size=45)
    x = rng.normal(size=(45, 9)) + 2 * rng.normal(size=(3, 9))[y]
    bands = segment_search._bands

    def more_bands(found):
        edges = np.linspace(1, bands(found)[-1][1], 7).astype(int)
        return list(itertools.pairwise(edges.tolist()))

    monkeypatch.setattr(segment_search, "_bands", more_bands)
    whole = lipschitz_lower_bound(x, y, kind="segments")
    clock = iter(np.arange(0, 1000.0, 1.0))
    monkeypatch.setattr(bound.time, "monotonic", lambda: next(clock))
    file, seen = tmp_path / "place.npz", []
    for _ in range(40):
        curve = lipschitz_lower_bound(x, y, kind="segments", time_limit=5, checkpoint=file)
        low, high = curve.interval(np.inf)
        assert low <= whole.at(np.inf) <= high
        for radius in (0.3, 1.0, 2.0, 4.0):
            low, high = curve.interval(radius)
            assert low <= whole.at(radius) * (1 + 1e-12)
            assert whole.at(radius) <= high * (1 + 1e-12)
        seen.append(curve.exact_below)
        if curve.exact:
            break
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    np.testing.assert_array_equal(curve.distance, whole.distance)
    with pytest.raises(ValueError, match="belongs to other data"):
        lipschitz_lower_bound(x + 1, y, kind="segments", checkpoint=file)
    file.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="cannot be read"):
        lipschitz_lower_bound(x, y, kind="segments", checkpoint=file)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (np.zeros((3, 2)), [0, 1], {}, "labels must hold the class of each sample"),
        (np.zeros((3, 2)), [0, 0, 0], {}, "at least 2 classes, got 1"),
        (np.array([[0.0], [np.nan]]), [0, 1], {}, "x must be finite, but row 1 is not"),
        (np.zeros((2, 2)), [0, 1], {"kind": "segmnt"}, "did you mean 'segment'"),
        (np.zeros((2, 2)), [0, 1], {"backend": "cuda"}, "backend must be one of"),
        (np.zeros((2, 2)), [0, 1], {"n_jobs": 0}, "n_jobs must be a whole number >= 1"),
        (np.zeros((2, 2)), [0, 1], {"time_limit": -1}, "time_limit must be >= 0"),
    ],
)
def test_mistakes_are_named(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        lipschitz_lower_bound(x, y, **options)


def test_a_radius_out_of_range_is_named():
    curve = lipschitz_lower_bound(np.array([[0.0], [1.0], [3.0]]), [0, 1, 0])
    with pytest.raises(ValueError, match="radius must be >= 0"):
        curve.at(-1)


@pytest.mark.parametrize(("kind", "total"), [("point", 12), ("segment", 4 * 3 + 3 * 6)])
def test_progress_counts_pairs_and_triples(kind, total):
    x = np.random.default_rng(0).normal(size=(7, 2))
    progress = list(lipschitz_lower_bound_steps(x, [0, 0, 0, 0, 1, 1, 1], kind=kind, backend="torch"))
    assert progress[-1] == (total, total)
