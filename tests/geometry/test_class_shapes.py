"""Persistent homology of classes against Prim's algorithm and shapes that are known."""

import numpy as np
import pytest
import torch
from geometry_data import rings

from localmixup.geometry import class_shapes


def edges_by_prim(points):
    """Edges of a minimum spanning tree, found one by one."""
    inside, edges = {0}, []
    while len(inside) < len(points):
        outside = [j for j in range(len(points)) if j not in inside]
        best = min((float(np.linalg.norm(points[i] - points[j])), j) for i in inside for j in outside)
        edges.append(best[0])
        inside.add(best[1])
    return sorted(edges)


def test_merges_are_the_edges_of_the_minimum_spanning_tree():
    x, y = rings(60)
    for shape in class_shapes(torch.from_numpy(x), y, loops=False):
        np.testing.assert_allclose(shape.merges, edges_by_prim(x[y == shape.label]), rtol=1e-6)
        assert (shape.n_samples, shape.n_used, shape.loops) == (30, 30, None)
        assert shape.connected_at == shape.merges[-1]


def test_a_ring_has_a_loop_and_a_disc_has_none():
    pytest.importorskip("gudhi")
    ring, disc = class_shapes(*rings(120), max_loop_samples=60)
    assert ring.loops[0, 1] - ring.loops[0, 0] > 2
    assert len(disc.loops) == 0 or disc.loops[0, 1] - disc.loops[0, 0] < 0.8


def test_large_classes_are_sampled_and_single_samples_are_connected():
    x, y = rings(60)
    part = class_shapes(x, y, max_samples=10, loops=False)[0]
    assert (part.n_samples, part.n_used, len(part.merges)) == (30, 10, 9)
    assert class_shapes(np.zeros((1, 2)), loops=False)[0].connected_at == 0
    with pytest.raises(ValueError, match="labels must hold the class of each sample"):
        class_shapes(x, y[:3])
