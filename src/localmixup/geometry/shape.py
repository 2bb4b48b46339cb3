"""The shape of each class: persistent homology as a hint for the radius (the paper's future work, section 6).

H0: the edges of a minimum spanning tree are the radii at which clusters of a class join; at its longest edge the class
becomes one piece. H1: a loop that is born early and dies late is a hole that mixup bridges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from localmixup._arrays import as_tensor
from localmixup._distances import as_features
from localmixup._validate import ArgumentError, check_integer


class ClassShape(NamedTuple):
    """The shape of one class.

    Attributes:
        label: of the class.
        n_samples: of the class.
        n_used: how many of them were looked at, drawn at random.
        merges: edges of the minimum spanning tree in ascending order, shape `(n_used - 1,)`: the H0 deaths.
        loops: births and deaths of the most persistent loops, the most persistent first, shape `(l, 2)`; None where
            gudhi is not installed or was not asked for.
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


def class_shapes(
    x: Any,
    labels: Any = None,
    *,
    max_samples: int = 2000,
    max_loop_samples: int = 120,
    loops: bool = True,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> list[ClassShape]:
    """Persistent homology of every class.

    Args:
        x: samples, shape `(m, ...)`, finite.
        labels: class of each sample, shape `(m,)`; None takes all samples as one.
        max_samples: samples of a class for H0, beyond which a random part is taken.
        max_loop_samples: the same for H1.
        loops: look for loops where gudhi is installed.
        seed: of the parts.
        progress: called with the number of classes finished and their number in all.

    Raises:
        ValueError: labels of another length, values that are not finite.

    >>> class_shapes(torch.tensor([[0.0], [1.0], [5.0]]), loops=False)[0].merges
    array([1., 4.])
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import pdist

    features = as_features(as_tensor(x)).cpu()
    given = labels.detach().cpu() if isinstance(labels, Tensor) else labels
    codes = np.zeros(len(features), dtype=int) if given is None else np.asarray(given)
    if codes.shape != (len(features),):
        raise ArgumentError(f"labels must have one class a sample, shape {(len(features),)}, got {codes.shape}")
    if not bool(torch.isfinite(features).all()):
        raise ArgumentError("x must be finite")
    check_integer("max_samples", max_samples, low=2)
    rng = np.random.default_rng(check_integer("seed", seed, low=0))
    found = []
    classes = np.unique(codes)
    for done, label in enumerate(classes):
        rows = np.flatnonzero(codes == label)
        used = np.sort(rng.permutation(rows)[:max_samples])
        points = features[torch.from_numpy(used)].double().numpy()
        # heights of single linkage are the edges of the minimum spanning tree
        merges = linkage(pdist(points), "single")[:, 2] if len(points) > 1 else np.zeros(0)
        bars = _loops(points[np.sort(rng.permutation(len(points))[:max_loop_samples])]) if loops else None
        found.append(ClassShape(label.item(), len(rows), len(used), merges, bars))
        if progress:
            progress(done + 1, len(classes))
    return found


def _loops(points: np.ndarray, *, most: int = 5) -> np.ndarray | None:
    """The most persistent bars of H1 of the Rips filtration, in units of distance."""
    try:
        import gudhi
    except ImportError:
        return None
    if len(points) < 4:
        return np.zeros((0, 2))
    tree = gudhi.RipsComplex(points=points).create_simplex_tree(max_dimension=1)
    tree.collapse_edges()
    tree.expansion(2)
    tree.compute_persistence()
    bars: np.ndarray = np.asarray(tree.persistence_intervals_in_dimension(1)).reshape(-1, 2)
    bars = bars[np.isfinite(bars[:, 1])]
    return np.asarray(bars[np.argsort(bars[:, 0] - bars[:, 1])][:most])
