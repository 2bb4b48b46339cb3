"""What the two estimators of `localmixup.integrations.sklearn` share: parameters, training, stopping, seeds."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError, check_choice, check_integer, check_number
from localmixup.graphs.base import CompleteGraph, ExponentialGraph, IdentityGraph, KNNGraph, ThresholdGraph
from localmixup.graphs.fit import calibrate
from localmixup.integrations._torch_mlp import (
    TrainingRows,
    distinct_rows,
    exact_outputs,
    make_network,
    mean_loss,
    threads_for,
    train_epoch,
)

_CALIBRATED: dict[str, Any] = {"exponential": ExponentialGraph, "threshold": ThresholdGraph, "knn": KNNGraph}
_GIVEN = {"exponential": "decay", "threshold": "radius", "knn": "n_neighbors"}
_ENDS: dict[str, Any] = {"complete": CompleteGraph, "none": IdentityGraph}
GRAPHS = (*_CALIBRATED, *_ENDS)


class LocalMixupMLP(BaseEstimator, ABC):  # type: ignore[misc]
    """A multi-layer perceptron trained with Local Mixup; the targets, the loss and the score are left to its heirs.

    The parameters are described where they are used, in `localmixup.integrations.sklearn`.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        *,
        graph: Any = "exponential",
        kept_share: float = 0.5,
        decay: float | None = None,
        radius: float | None = None,
        n_neighbors: int | None = None,
        mixup_alpha: float = 1.0,
        prob: float = 1.0,
        per_sample: bool = False,
        pairing: str = "permutation",
        outside: str = "unmix",
        reduction: str = "weighted_mean",
        learning_rate_init: float = 1e-3,
        weight_decay: float = 1e-4,
        batch_size: Any = "auto",
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.graph = graph
        self.kept_share = kept_share
        self.decay = decay
        self.radius = radius
        self.n_neighbors = n_neighbors
        self.mixup_alpha = mixup_alpha
        self.prob = prob
        self.per_sample = per_sample
        self.pairing = pairing
        self.outside = outside
        self.reduction = reduction
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train; with `warm_start=True` go on from the last training.

        Args:
            X: inputs, shape `(n, d)`, an array or a DataFrame, finite.
            y: targets, shape `(n,)`; values also `(n, q)`.
            sample_weight: how much each row counts, shape `(n,)`, >= 0; only ratios matter, and 0 is as if the row
                were not there.

        Returns:
            The estimator itself.

        Raises:
            ValueError: a parameter or the data is not as it should be, or the training diverged.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    # ---- training ----------------------------------------------------------------------------------------------

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool, classes: Any = None) -> Any:
        self._check_parameters(incremental)
        goes_on = (incremental or self.warm_start) and hasattr(self, "network_")
        X, y = self._validated(X, y, reset=not goes_on)
        weights = _checked_weights(sample_weight, len(X))
        kept = weights > 0
        targets = self._encoded(y[kept], reset=not goes_on, classes=classes)
        X, targets, weights = distinct_rows(X[kept], targets, weights[kept])
        if not goes_on:
            self._start(X, targets, weights)
        rows = TrainingRows(
            torch.from_numpy(self._scaler.transform(X)).float(),
            self._target_tensor(targets),
            torch.from_numpy(weights).float(),
        )
        if not (incremental and goes_on):
            self.graph_ = self._make_graph(rows.x)
        for group in self._optimizer.param_groups:
            group.update(lr=float(self.learning_rate_init), weight_decay=float(self.weight_decay))
        with threads_for(self.network_, self._batch_rows(len(rows))):
            self._train(rows, 1 if incremental else self.max_iter, incremental)
        return self

    def _start(self, X: Any, targets: Any, weights: Any) -> None:
        """A new network; the scale of the data is that of the first rows, since the network's inputs must not shift."""
        # one draw, so that the state of the caller's generator is all that ever is shared with it
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        self._random_state = check_random_state(seed)
        self._scaler = StandardScaler().fit(X, sample_weight=weights)
        sizes = [X.shape[1], *_layer_sizes(self.hidden_layer_sizes), self._start_targets(targets, weights)]
        self.network_ = make_network(sizes, torch.Generator().manual_seed(self._seed()))
        self._optimizer = torch.optim.AdamW(self.network_.parameters(), lr=1e-3, fused=True)
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] = []

    def _seed(self) -> int:
        return int(self._random_state.randint(2**31 - 1))

    def _train(self, rows: TrainingRows, max_iter: int, incremental: bool) -> None:
        """Epochs until nothing improves any more, or `max_iter`."""
        rows, validation = self._split(rows)
        order, draws = torch.Generator(), torch.Generator()
        mix, batch_size = self._make_mix(draws), self._batch_rows(len(rows))
        best, best_weights, stale = -np.inf, None, 0
        for epoch in range(1, max_iter + 1):
            # seeds anew each epoch: two trainings of 5 epochs with warm_start are one of 10
            order.manual_seed(self._seed())
            draws.manual_seed(self._seed())
            train_epoch(self.network_, self._optimizer, rows, mix, self._losses, batch_size=batch_size, generator=order)
            loss = mean_loss(self.network_, rows, self._losses)
            if not np.isfinite(loss):
                raise ArgumentError(
                    f"the loss is no longer finite after {epoch} epochs: learning_rate_init must be smaller, "
                    f"got {self.learning_rate_init}"
                )
            score = -loss if validation is None else self._score_of(validation)
            self.n_iter_ = epoch
            self.loss_curve_.append(loss)
            if validation is not None:
                self.validation_scores_.append(score)
            if self.verbose:
                told = "" if validation is None else f", validation score = {score:.6f}"
                print(f"Iteration {epoch}, loss = {loss:.8f}{told}")
            stale = 0 if score >= best + self.tol else stale + 1
            if score > best:
                best = score
                if validation is not None:
                    best_weights = {name: value.clone() for name, value in self.network_.state_dict().items()}
            if stale >= self.n_iter_no_change:
                break
        else:
            if not incremental:
                warnings.warn(
                    f"max_iter={max_iter} epochs were trained and the loss still improved: raise max_iter, or tol",
                    ConvergenceWarning,
                    stacklevel=4,
                )
        self.loss_ = self.loss_curve_[-1]
        if best_weights is not None:
            self.best_validation_score_ = best
            self.network_.load_state_dict(best_weights)

    def _split(self, rows: TrainingRows) -> tuple[TrainingRows, TrainingRows | None]:
        """Rows to train on and rows to stop by."""
        if not self.early_stopping:
            return rows, None
        kept, held_out = train_test_split(
            np.arange(len(rows)),
            test_size=self.validation_fraction,
            random_state=self._seed(),
            stratify=rows.y.numpy() if rows.y.ndim == 1 else None,
        )
        if len(held_out) < 2:
            raise ArgumentError(
                f"validation_fraction must hold out 2 distinct rows or more, got {self.validation_fraction} "
                f"of {len(rows)}"
            )
        return rows.take(torch.from_numpy(kept)), rows.take(torch.from_numpy(held_out))

    def _batch_rows(self, n: int) -> int:
        return min(n, 200 if isinstance(self.batch_size, str) else self.batch_size)

    def _make_graph(self, x: Tensor) -> Any:
        """The graph, its parameter as given or such that it keeps `kept_share` of the pairs."""
        if not isinstance(self.graph, str):
            return self.graph
        if self.graph in _ENDS:
            return _ENDS[self.graph]()
        graph_type, given = _CALIBRATED[self.graph], getattr(self, _GIVEN[self.graph])
        if given is not None:
            return graph_type(given)
        if len(x) < 2:
            return CompleteGraph()
        population = max(2, self._batch_rows(len(x)))
        return calibrate(x, graph_type, kept_share=self.kept_share, population=population).graph

    def _make_mix(self, generator: torch.Generator) -> LocalMixup:
        mix = LocalMixup(
            self.graph_,
            mixup_alpha=self.mixup_alpha,
            prob=self.prob,
            per_sample=self.per_sample,
            pairing=self.pairing,
            outside=self.outside,
            reduction=self.reduction,
            generator=generator,
        )
        return mix.train(not (isinstance(self.graph, str) and self.graph == "none"))

    def _check_parameters(self, incremental: bool) -> None:
        """What neither the graph nor `LocalMixup` checks."""
        _layer_sizes(self.hidden_layer_sizes)
        if isinstance(self.graph, str):
            check_choice("graph", self.graph, GRAPHS)
        check_choice("reduction", self.reduction, ("weighted_mean", "mean", "sum"))
        for name in ("learning_rate_init", "validation_fraction"):
            value = check_number(name, getattr(self, name), low=0)
            if value == 0 or (name == "validation_fraction" and value >= 1):
                allowed = "> 0" if name == "learning_rate_init" else "between 0 and 1, neither of them"
                raise ArgumentError(f"{name} must be {allowed}, got {value}")
        check_number("weight_decay", self.weight_decay, low=0)
        check_number("tol", self.tol, low=0)
        check_integer("max_iter", self.max_iter, low=1)
        check_integer("n_iter_no_change", self.n_iter_no_change, low=1)
        if isinstance(self.batch_size, str):
            check_choice("batch_size", self.batch_size, ("auto",))
        else:
            check_integer("batch_size", self.batch_size, low=1, meaning="or 'auto': 200, or all rows if fewer")
        if incremental and self.early_stopping:
            raise ArgumentError("early_stopping must be False for partial_fit, which trains one epoch, got True")

    def _outputs(self, X: Any) -> Any:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return exact_outputs(self.network_, self._scaler.transform(X))

    # ---- what the two differ in ----------------------------------------------------------------------------------

    @abstractmethod
    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        """Inputs `(n, d)`, float64, and targets, checked."""

    @abstractmethod
    def _encoded(self, y: Any, *, reset: bool, classes: Any) -> Any:
        """Targets as numbers."""

    @abstractmethod
    def _start_targets(self, targets: Any, weights: Any) -> int:
        """Take the measure of the first targets; returns the number of outputs."""

    @abstractmethod
    def _target_tensor(self, targets: Any) -> Tensor:
        """Targets as the loss takes them."""

    @abstractmethod
    def _losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """One loss a sample, shape `(n,)`."""

    @abstractmethod
    def _score_of(self, rows: TrainingRows) -> float:
        """The score to stop early by; more is better."""


def _layer_sizes(given: Any) -> tuple[int, ...]:
    """`hidden_layer_sizes` as a tuple; one number is one layer, none of them a linear model."""
    sizes = [given] if hasattr(given, "__index__") else given
    if not isinstance(sizes, (tuple, list, np.ndarray)):
        raise ArgumentError(f"hidden_layer_sizes must be a whole number or a sequence of them, got {given!r}")
    return tuple(check_integer("hidden_layer_sizes", size, low=1) for size in sizes)


def _checked_weights(sample_weight: Any, n: int) -> Any:
    """Weights as an array of shape `(n,)`, float64; ones where none are given."""
    if sample_weight is None:
        return np.ones(n)
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape != (n,):
        raise ArgumentError(f"sample_weight must have one number a row, shape {(n,)}, got shape {weights.shape}")
    if weights.min() < 0:
        raise ArgumentError(f"sample_weight must be >= 0 (0 is as if the row were not there), got {weights.min():g}")
    if not weights.any():
        raise ArgumentError("sample_weight must be above zero for one row at least, got zeros only")
    return weights
