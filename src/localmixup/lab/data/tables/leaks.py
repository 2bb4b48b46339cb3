"""Columns that tell the target alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from localmixup.lab.data.tables.usable import Used

_ROWS = 5000  # looked at
_NEARLY_ALL = 0.9995


def leaking(parts: Sequence[Used], y: np.ndarray, classes: int) -> list[str]:
    """Return the names of the columns each of which tells the target by itself.

    For classes: a tree with one leaf for each class, or for each value of a column with few, makes no mistake. For a
    quantity: the column has the same order or the opposite one.

    Args:
        parts: what the columns have become.
        y: the targets.
        classes: number of classes; 0 for a quantity.
    """
    rows = np.arange(len(y))
    if len(y) > _ROWS:
        rows = np.random.default_rng(0).permutation(len(y))[:_ROWS]
    targets = y[rows]
    return [
        part.column.name
        for part in parts
        if part.values.shape[1] and _tells(np.nan_to_num(part.values[rows], nan=-1e12), targets, classes)
    ]


def _tells(values: np.ndarray, targets: np.ndarray, classes: int) -> bool:
    if not classes:
        return values.shape[1] == 1 and _same_order(values[:, 0], targets)
    if values.shape[1] == 1 and len(np.unique(values[:500])) < min(classes, len(np.unique(targets[:500]))):
        return False
    from sklearn.tree import DecisionTreeClassifier

    leaves = max(2, 2 * classes if values.shape[1] == 1 else values.shape[1])
    largest = np.bincount(targets).max() / len(targets)
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=2, random_state=0).fit(values, targets)
    right = float((tree.predict(values) == targets).mean())
    return bool(right >= 1 - (1 - _NEARLY_ALL) * (1 - largest))


def _same_order(values: np.ndarray, targets: np.ndarray) -> bool:
    from scipy.stats import spearmanr

    if min(len(np.unique(values)), len(np.unique(targets))) < 10:
        return False
    return bool(abs(spearmanr(values, targets).statistic) > _NEARLY_ALL)
