"""Checks of the estimators' parameters and sample weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array

from localmixup._validate import ArgumentError, check_choice, check_integer, check_number
from localmixup.graphs.registry import GRAPHS

# standardised inputs do not change during training, so a graph that follows their scale is of no use; the number of
# candidates is no share of the pairs
_NAMES = tuple(name for name in GRAPHS if name not in ("adaptive", "nearest-of"))


def check_parameters(model: Any, incremental: bool) -> None:
    """Check the parameters of an estimator that neither the graph nor `LocalMixup` checks.

    Args:
        model: the estimator.
        incremental: whether `partial_fit` was called.

    Raises:
        ValueError: a parameter is out of range.
    """
    layer_sizes(model.hidden_layer_sizes)
    if isinstance(model.graph, str):
        check_choice("graph", model.graph, _NAMES)
    if model.kept_share is not None and not (model.graph is None and model.recipe is not None):
        check_number("kept_share", model.kept_share, low=0, high=1)
        if not isinstance(model.graph, str):
            raise ArgumentError(
                "kept_share must be left out unless graph is the name of one that is fitted, such as "
                f"graph='threshold', got kept_share={model.kept_share} and graph={model.graph!r}"
            )
    for name in ("learning_rate_init", "validation_fraction"):
        value = check_number(name, getattr(model, name), low=0)
        if value == 0 or (name == "validation_fraction" and value >= 1):
            allowed = "> 0" if name == "learning_rate_init" else "between 0 and 1, both excluded"
            raise ArgumentError(f"{name} must be {allowed}, got {value}")
    check_number("weight_decay", model.weight_decay, low=0)
    check_number("tol", model.tol, low=0)
    check_integer("max_iter", model.max_iter, low=1)
    check_integer("n_iter_no_change", model.n_iter_no_change, low=1)
    if isinstance(model.batch_size, str):
        check_choice("batch_size", model.batch_size, ("auto",))
    else:
        check_integer("batch_size", model.batch_size, low=1, meaning="or 'auto': 200, or all rows if fewer")
    if incremental and model.early_stopping:
        raise ArgumentError("early_stopping must be False for partial_fit, which trains one epoch, got True")


def layer_sizes(given: Any) -> tuple[int, ...]:
    """Return `hidden_layer_sizes` as a tuple. A single number is one layer; an empty tuple is a linear model.

    Args:
        given: a whole number or a sequence of them.

    Raises:
        ValueError: it is something else, or a size is below 1.

    >>> layer_sizes(100)
    (100,)
    """
    sizes = [given] if hasattr(given, "__index__") else given
    if not isinstance(sizes, (tuple, list, np.ndarray)):
        raise ArgumentError(f"hidden_layer_sizes must be a whole number or a sequence of them, got {given!r}")
    return tuple(check_integer("hidden_layer_sizes", size, low=1) for size in sizes)


def checked_weights(sample_weight: Any, n: int) -> Any:
    """Return the sample weights as a float64 array of shape `(n,)`; ones if there are none.

    Args:
        sample_weight: weights >= 0, shape `(n,)`, or None.
        n: number of rows.

    Raises:
        ValueError: the weights have another shape, are negative or not finite, or are all zero.

    >>> checked_weights(None, 2).tolist()
    [1.0, 1.0]
    """
    if sample_weight is None:
        return np.ones(n)
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape != (n,):
        raise ArgumentError(f"sample_weight must have one number per row, shape {(n,)}, got shape {weights.shape}")
    if weights.min() < 0:
        raise ArgumentError(f"sample_weight must be >= 0 (0 means the row is absent), got {weights.min():g}")
    if not weights.any():
        raise ArgumentError("sample_weight must be above zero for at least one row, got only zeros")
    return weights
