"""The shape of each class by persistent homology, as a hint for the radius (the paper's future work, section 6).

H0: the edges of a minimum spanning tree are the radii at which clusters of a class join; at the longest edge the class
becomes one piece. H1: a loop that is born early and dies late is a hole that mixup fills.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np
import torch

from localmixup._arrays import as_tensor
from localmixup._optional import require
from localmixup._validate import check_integer
from localmixup.geometry._inputs import check_samples
from localmixup.geometry._progress import Progress, run_to_end


class ClassShape(NamedTuple):
    """The shape of one class.

    Attributes:
        label: the class.
        n_samples: number of its samples.
        n_used: how many of them were used, drawn at random.
        merges: edges of the minimum spanning tree in ascending order, the deaths in H0, shape `(n_used - 1,)`.
        loops: births and deaths of the most persistent loops, the most persistent first, shape `(l, 2)`; None if loops
            were not computed.
    """

    label: Any
    n_samples: int
    n_used: int
    merges: np.ndarray
    loops: np.ndarray | None

    @property
    def connected_at(self) -> float:
        """The radius at which the class is one piece; 0 for a class of one sample."""
        return float(self.merges[-1]) if len(self.merges) else 0.0

    def plot(self, ax: Any = None) -> Any:
        """Draw into how many pieces the class falls at each radius.

        Args:
            ax: matplotlib axes to draw on; by default those of a new figure.

        Returns:
            The axes.
        """
        from localmixup._plotting import axes_or_new
        from localmixup.geometry.plots import draw_shapes

        ax = axes_or_new(ax)
        draw_shapes(ax, [self])
        return ax


def class_shapes(
    x: Any,
    labels: Any = None,
    *,
    max_samples: int = 2000,
    max_loop_samples: int = 120,
    loops: bool | None = None,
    seed: int = 0,
) -> list[ClassShape]:
    """Compute the persistent homology of every class. See `class_shapes_steps` for a version that reports its progress.

    Args:
        x: samples, shape `(m, ...)`, finite.
        labels: class of each sample, shape `(m,)`; None treats all samples as one class.
        max_samples: number of samples of a class for H0; larger classes are sampled at random.
        max_loop_samples: the same for H1.
        loops: look for loops, which needs gudhi; None does so if it is installed.
        seed: seed of the samples.

    Raises:
        ArgumentError: labels of another length, or values that are not finite.
        ModuleNotFoundError: scipy is not installed, or gudhi with `loops=True`.

    >>> class_shapes(torch.tensor([[0.0], [1.0], [5.0]]), loops=False)[0].merges
    array([1., 4.])
    """
    steps = class_shapes_steps(
        x, labels, max_samples=max_samples, max_loop_samples=max_loop_samples, loops=loops, seed=seed
    )
    return run_to_end(steps)


def class_shapes_steps(
    x: Any,
    labels: Any = None,
    *,
    max_samples: int = 2000,
    max_loop_samples: int = 120,
    loops: bool | None = None,
    seed: int = 0,
) -> Generator[Progress, None, list[ClassShape]]:
    """Do the work of `class_shapes` step by step; same arguments.

    Yields:
        The number of classes finished.

    Returns:
        One shape per class.
    """
    samples = as_tensor(x)
    features, codes = check_samples(samples, np.zeros(len(samples), int) if labels is None else labels, min_classes=1)
    check_integer("max_samples", max_samples, low=2)
    rng = np.random.default_rng(check_integer("seed", seed, low=0))
    if loops is None:
        loops = importlib.util.find_spec("gudhi") is not None
    found, classes = [], np.unique(codes)
    for done, label in enumerate(classes, start=1):
        rows = np.flatnonzero(codes == label)
        used = np.sort(rng.permutation(rows)[:max_samples])
        points = features[torch.from_numpy(used)].double().numpy()
        part = points[np.sort(rng.permutation(len(points))[:max_loop_samples])]
        found.append(
            ClassShape(
                label.item(), len(rows), len(used), _spanning_tree_edges(points), _loops(part) if loops else None
            )
        )
        yield Progress(done, len(classes))
    return found


def _spanning_tree_edges(points: np.ndarray) -> np.ndarray:
    """Return the edges of the minimum spanning tree in ascending order: the heights of single linkage."""
    if len(points) < 2:
        return np.zeros(0)
    distances = require("scipy.spatial.distance", "geometry").pdist(points)
    return np.asarray(require("scipy.cluster.hierarchy", "geometry").linkage(distances, "single")[:, 2])


def _loops(points: np.ndarray, *, most: int = 5) -> np.ndarray:
    """Return the most persistent bars of H1 of the Rips filtration, in units of distance."""
    gudhi = require("gudhi", "geometry")
    if len(points) < 4:
        return np.zeros((0, 2))
    tree = gudhi.RipsComplex(points=points).create_simplex_tree(max_dimension=1)
    tree.collapse_edges()
    tree.expansion(2)
    tree.compute_persistence()
    bars = np.asarray(tree.persistence_intervals_in_dimension(1)).reshape(-1, 2)
    bars = bars[np.isfinite(bars[:, 1])]
    return np.asarray(bars[np.argsort(bars[:, 0] - bars[:, 1])][:most])
