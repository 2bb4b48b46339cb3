"""What both estimators share: parameters, seeds, the training loop and when it stops."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from localmixup._mixup import LocalMixup
from localmixup._settings import SETTINGS
from localmixup._validate import ArgumentError
from localmixup.graphs import CompleteGraph, LocalityGraph
from localmixup.graphs.registry import GRAPHS
from localmixup.integrations._counts import PairCounts
from localmixup.integrations._recipe import own_recipe, recipe_of, refuse_settings
from localmixup.integrations.sklearn._checks import check_parameters, checked_weights, layer_sizes
from localmixup.integrations.sklearn._network import (
    TrainingRows,
    distinct_rows,
    exact_outputs,
    make_network,
    mean_loss,
    threads_for,
    train_epoch,
)

_KEPT_SHARE = 0.5  # of a graph that is given by its name


class LocalMixupMLP(BaseEstimator, ABC):  # type: ignore[misc]
    """A multi-layer perceptron trained with Local Mixup. Subclasses define the targets, the loss and the score.

    `LocalMixupClassifier` describes the parameters.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        *,
        graph: Any = None,
        kept_share: float | None = None,
        mixup_alpha: float | None = None,
        prob: float | None = None,
        per_sample: bool | None = None,
        pairing: str | None = None,
        outside: str | None = None,
        recipe: Any = None,
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
        self.mixup_alpha = mixup_alpha
        self.prob = prob
        self.per_sample = per_sample
        self.pairing = pairing
        self.outside = outside
        self.recipe = recipe
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
        """Train the network; with `warm_start=True` continue the previous training.

        Args:
            X: finite inputs, an array or a DataFrame of shape `(n, d)`.
            y: targets, shape `(n,)`, or `(n, q)` for several values.
            sample_weight: how much each row counts, >= 0, shape `(n,)`. Only ratios matter; a row of weight 0 is
                treated as absent.

        Returns:
            The estimator itself.

        Raises:
            ValueError: a parameter or the data are invalid, or the training diverged.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool, classes: Any = None) -> Any:
        check_parameters(self, incremental)
        continues = (incremental or self.warm_start) and hasattr(self, "network_")
        X, y = self._validated(X, y, reset=not continues)
        weights = checked_weights(sample_weight, len(X))
        kept = weights > 0
        targets = self._encoded(y[kept], reset=not continues, classes=classes)
        X, targets, weights = distinct_rows(X[kept], targets, weights[kept])
        if not continues:
            self._start(X, targets, weights)
        rows = TrainingRows(
            torch.from_numpy(self._scaler.transform(X)).float(),
            self._target_tensor(targets),
            torch.from_numpy(weights).float(),
        )
        if not (incremental and continues):
            self.graph_ = self._make_graph(rows.x)
        for group in self._optimizer.param_groups:
            group.update(lr=float(self.learning_rate_init), weight_decay=float(self.weight_decay))
        with threads_for(self.network_, self._batch_rows(len(rows))):
            self._train(rows, 1 if incremental else self.max_iter, incremental)
        return self

    def _start(self, X: Any, targets: Any, weights: Any) -> None:
        """Create a new network. The inputs keep the scale of the first rows, because the network has learned it."""
        # a single draw, so that nothing else is shared with the caller's generator
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        self._random_state = check_random_state(seed)
        self._scaler = StandardScaler().fit(X, sample_weight=weights)
        sizes = [X.shape[1], *layer_sizes(self.hidden_layer_sizes), self._start_targets(targets, weights)]
        self.network_ = make_network(sizes, torch.Generator().manual_seed(self._seed()))
        self._optimizer = torch.optim.AdamW(self.network_.parameters(), lr=1e-3, fused=True)
        self._mix: LocalMixup | None = None
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] = []

    def _seed(self) -> int:
        return int(self._random_state.randint(2**31 - 1))

    def _train(self, rows: TrainingRows, max_iter: int, incremental: bool) -> None:
        """Train until the score no longer improves, for at most `max_iter` epochs."""
        rows, validation = self._split(rows)
        batch_size = self._batch_rows(len(rows))
        order, draws = torch.Generator(), torch.Generator()
        mix, counts = self._make_mix(draws, batch_size), PairCounts()
        best, best_weights, stale = -np.inf, None, 0
        for epoch in range(1, max_iter + 1):
            # new seeds in each epoch, so that two warm-started fits of 5 epochs equal one of 10
            order.manual_seed(self._seed())
            draws.manual_seed(self._seed())
            train_epoch(
                self.network_, self._optimizer, rows, mix, self._losses,
                batch_size=batch_size, generator=order, counts=counts,
            )  # fmt: skip
            score = self._record(epoch, rows, validation)
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
                    f"the loss still improved after max_iter={max_iter} epochs: increase max_iter or tol",
                    ConvergenceWarning,
                    stacklevel=4,
                )
        self.loss_ = self.loss_curve_[-1]
        counted = counts.take()
        self.mean_weight_, self.mixed_share_ = counted["mean_weight"], counted["mixed_share"]
        if best_weights is not None:
            self.best_validation_score_ = best
            self.network_.load_state_dict(best_weights)

    def _record(self, epoch: int, rows: TrainingRows, validation: TrainingRows | None) -> float:
        """Record the results of an epoch, and return the score that decides when to stop (larger is better)."""
        loss = mean_loss(self.network_, rows, self._losses)
        if not np.isfinite(loss):
            raise ArgumentError(
                f"learning_rate_init must be smaller: the loss is not finite after {epoch} epochs, "
                f"got {self.learning_rate_init}"
            )
        self.n_iter_ = epoch
        self.loss_curve_.append(loss)
        score, message = -loss, f"Iteration {epoch}, loss = {loss:.8f}"
        if validation is not None:
            score = self._score_of(validation)
            self.validation_scores_.append(score)
            message += f", validation score = {score:.6f}"
        if self.verbose:
            print(message)
        return score

    def _split(self, rows: TrainingRows) -> tuple[TrainingRows, TrainingRows | None]:
        """Return the rows to train on, and with early stopping the rows held out."""
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

    def _settings(self) -> dict[str, Any]:
        """Return the settings of the mixing; the graph may still be a name."""
        names = ("graph", "kept_share", "mixup_alpha", "prob", "per_sample", "pairing", "outside")
        given = {name: getattr(self, name) for name in names}
        if self.recipe is not None:
            refuse_settings(given, LocalMixupMLP)
            recipe = recipe_of(self.recipe)
            return {name: getattr(recipe, name) for name in SETTINGS}
        given.pop("kept_share")
        if given["outside"] is None:
            given["outside"] = "discard" if given["graph"] is None else "unmix"
        return given

    def _make_graph(self, x: Tensor) -> Any:
        if self.recipe is not None:
            return own_recipe(self.recipe).graph
        if self.graph is None:
            return LocalMixup().graph
        if not isinstance(self.graph, str):
            return copy.deepcopy(
                self.graph
            )  # parameters stay as they were given, and an adaptive graph follows the data
        graph_type = GRAPHS[self.graph]
        if graph_type.parameter is None:
            return graph_type()
        kept_share = _KEPT_SHARE if self.kept_share is None else self.kept_share
        if len(x) < 2 or kept_share == 1:
            return CompleteGraph()
        return graph_type.fit(x, kept_share=kept_share)

    def _make_mix(self, generator: torch.Generator, batch_size: int) -> LocalMixup:
        settings = {**self._settings(), "graph": self.graph_, "generator": generator}
        defaults = LocalMixup() if self.graph is None else LocalMixup(self.graph_)
        settings = {name: getattr(defaults, name) if value is None else value for name, value in settings.items()}
        if self._mix is None or self._mix.graph is not self.graph_:
            self._mix = LocalMixup(**settings) if self.recipe is None else own_recipe(self.recipe, generator)
            self._mix.graph = self.graph_
            if isinstance(self.graph, str):
                self._mix._notice.silence()
        else:  # the same object in all calls of partial_fit, so that it warns only once
            for name, value in settings.items():
                setattr(self._mix, name, value)
        # with a graph that keeps no pair, outside="discard" would leave nothing to train on
        keeps_none = isinstance(self.graph_, LocalityGraph) and self.graph_.is_vanilla(batch_size)
        return self._mix.train(not keeps_none and (self.recipe is None or recipe_of(self.recipe).training))

    def _outputs(self, X: Any) -> Any:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return exact_outputs(self.network_, self._scaler.transform(X))

    @abstractmethod
    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        """Check the data; return float64 inputs of shape `(n, d)` and the targets."""

    @abstractmethod
    def _encoded(self, y: Any, *, reset: bool, classes: Any) -> Any:
        """Return the targets as numbers."""

    @abstractmethod
    def _start_targets(self, targets: Any, weights: Any) -> int:
        """Learn the scale or the classes of the first targets, and return the number of outputs."""

    @abstractmethod
    def _target_tensor(self, targets: Any) -> Tensor:
        """Return the targets as the loss expects them."""

    @abstractmethod
    def _losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return one loss per sample, shape `(n,)`."""

    @abstractmethod
    def _score_of(self, rows: TrainingRows) -> float:
        """Return the score for early stopping; larger is better."""
