"""Local Mixup for scikit-learn: a multi-layer perceptron as a classifier and as a regressor.

Used as `sklearn.neural_network.MLPClassifier` is, but trained on mixed pairs that a locality graph weighs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data
from torch import Tensor

from localmixup._validate import ArgumentError, check_choice
from localmixup.integrations._sklearn_base import LocalMixupMLP
from localmixup.integrations._torch_mlp import TrainingRows

_PAIRINGS_OF_VALUES = ("permutation", "flip", "neighbors")


class LocalMixupClassifier(ClassifierMixin, LocalMixupMLP):  # type: ignore[misc]
    """A multi-layer perceptron classifier trained with Local Mixup (Baena, Drumetz, Gripon, 2024).

    Inputs are standardised inside, and locality is measured on the standardised inputs. Rows that are equal in input
    and target count as one row with their weights summed, so that a weight of 2 and a row given twice are the same.

    Args:
        hidden_layer_sizes: units of each hidden layer, ReLU between them; `()` is a linear model.
        graph: which pairs are near: `"exponential"`, `"threshold"`, `"knn"`; `"complete"` is classical mixup and
            `"none"` training without mixing; or a graph of `localmixup.graphs`, which is used as it is.
        kept_share: how local, in (0, 1] and without units: the mean weight of the pairs that an exponential graph is
            to have on the training data; the share of pairs that a threshold graph keeps; of a neighbour graph, the
            neighbours as a share of the batch. 1 is classical mixup, towards 0 less and less is mixed.
        decay: of `graph="exponential"`, in one over standardised distance, instead of `kept_share`.
        radius: of `graph="threshold"`, a standardised distance, instead of `kept_share`.
        n_neighbors: of `graph="knn"`, within a batch, instead of `kept_share`. A parameter of another graph than the
            chosen one is not looked at, so that grids can be crossed.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`, > 0.
        prob: share of the samples that are mixed at all, in [0, 1].
        per_sample: draw one `lam` a sample rather than one a batch.
        pairing: `"permutation"`, `"flip"`, `"within_class"`, `"between_class"`, `"neighbors"`; see `LocalMixup`.
        outside: what becomes of a pair in as far as the graph leaves it out. `"unmix"` (another default than that of
            `LocalMixup`): the sample stays as it is and counts 1, so that no row is lost and the ends of the range are
            exactly plain training and classical mixup. `"discard"`: it counts W, eq. (3) of the paper.
        reduction: `"weighted_mean"`, `"mean"` or `"sum"`; they differ with `outside="discard"` only, but for the sum.
        learning_rate_init: of AdamW, > 0.
        weight_decay: of AdamW, >= 0.
        batch_size: rows a batch; `"auto"` is 200, or all rows if fewer.
        max_iter: epochs at most.
        tol: an epoch improves where the loss falls by this much (or the score rises, with early stopping).
        n_iter_no_change: epochs in a row without improvement after which training stops.
        early_stopping: hold out `validation_fraction` of the rows, stop by the score on them, and keep the weights
            that had the best one.
        validation_fraction: in (0, 1).
        warm_start: `fit` goes on from the last training: network, optimizer, seeds and the scale of the inputs.
        random_state: a seed, a `RandomState` or None. The same seed and data give the same model; neither NumPy's
            global random state (unless this is None) nor PyTorch's is touched.
        verbose: print a line an epoch.

    Attributes:
        classes_: the labels, in order.
        network_: the trained `torch.nn.Sequential`, from standardised inputs to one score a class.
        graph_: the locality graph used, its parameter in standardised distance.
        n_iter_: epochs of the last call of `fit` or `partial_fit`.
        loss_curve_: after each epoch, the loss on the training rows as they are, nothing mixed, so that curves of
            different graphs compare.
        loss_: the last of them.
        validation_scores_: accuracy on the rows held out, after each epoch; with early stopping only.
        best_validation_score_: the best of them; with early stopping only.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, where a DataFrame has them.

    >>> from sklearn.datasets import make_moons
    >>> X, y = make_moons(300, noise=0.1, random_state=0)
    >>> model = LocalMixupClassifier(graph="threshold", kept_share=0.1, learning_rate_init=0.01, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.95)
    True
    """

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> LocalMixupClassifier:
        """Train one epoch on some rows. Scale and graph are those of the first call, whose rows should be typical.

        Args:
            X: inputs, shape `(n, d)`.
            y: labels, shape `(n,)`.
            classes: all labels there will be; needed in the first call.
            sample_weight: how much each row counts, shape `(n,)`, >= 0.

        Returns:
            The estimator itself.

        Raises:
            ValueError: as `fit`; no `classes` in the first call, or others later.
        """
        first = not hasattr(self, "network_")
        if classes is None and first:
            raise ArgumentError("classes must hold all labels in the first call of partial_fit, got None")
        if classes is not None and not first and not np.array_equal(np.unique(classes), self.classes_):
            raise ArgumentError(f"classes must be those of the first call, {list(self.classes_)}, got {list(classes)}")
        fitted: LocalMixupClassifier = self._fit(X, y, sample_weight, incremental=True, classes=classes)
        return fitted

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class, in the order of `classes_`, shape `(n, c)`.

        Args:
            X: inputs, shape `(n, d)`.
        """
        return torch.from_numpy(self._outputs(X)).softmax(dim=1).numpy()

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithm of `predict_proba`, accurate where a probability underflows.

        Args:
            X: inputs, shape `(n, d)`.
        """
        return torch.from_numpy(self._outputs(X)).log_softmax(dim=1).numpy()

    def predict(self, X: Any) -> Any:
        """The most probable label of each row, shape `(n,)`.

        Args:
            X: inputs, shape `(n, d)`.
        """
        best = self._outputs(X).argmax(axis=1)  # first, for it sees whether there are classes
        return self.classes_[best]

    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        X, y = validate_data(self, X, y, dtype=np.float64, reset=reset)
        check_classification_targets(y)
        return X, y

    def _encoded(self, y: Any, *, reset: bool, classes: Any) -> Any:
        if reset:
            self.classes_ = np.unique(y if classes is None else classes)
            if len(self.classes_) < 2:
                raise ArgumentError(f"y must hold two classes or more, got one class: {self.classes_[0]!r}")
        unknown = set(np.unique(y).tolist()) - set(self.classes_.tolist())
        if unknown:
            raise ArgumentError(f"y must hold the classes {list(self.classes_)} only, got also {sorted(unknown)}")
        return np.searchsorted(self.classes_, y)

    def _start_targets(self, targets: Any, weights: Any) -> int:
        return len(self.classes_)

    def _target_tensor(self, targets: Any) -> Tensor:
        return torch.from_numpy(targets).long()

    def _losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(outputs, y, reduction="none")

    def _score_of(self, rows: TrainingRows) -> float:
        with torch.inference_mode():
            best = self.network_(rows.x).argmax(dim=1)
        return float(accuracy_score(rows.y.numpy(), best.numpy(), sample_weight=rows.sample_weight.numpy()))


class LocalMixupRegressor(RegressorMixin, LocalMixupMLP):  # type: ignore[misc]
    """A multi-layer perceptron regressor trained with Local Mixup; one target or several.

    Inputs and targets are standardised inside; the loss is the squared error of the standardised targets.

    Parameters and attributes are those of `LocalMixupClassifier` without `classes_`; the score of early stopping is
    R^2, and `pairing` is `"permutation"`, `"flip"` or `"neighbors"`.

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> bool(LocalMixupRegressor(early_stopping=True, random_state=0).fit(X, y).score(X, y) > 0.4)
    True
    """

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> LocalMixupRegressor:
        """Train one epoch on some rows. Scale and graph are those of the first call, whose rows should be typical.

        Args:
            X: inputs, shape `(n, d)`.
            y: values, shape `(n,)` or `(n, q)`.
            sample_weight: how much each row counts, shape `(n,)`, >= 0.

        Returns:
            The estimator itself.

        Raises:
            ValueError: as `fit`.
        """
        fitted: LocalMixupRegressor = self._fit(X, y, sample_weight, incremental=True)
        return fitted

    def predict(self, X: Any) -> Any:
        """The value of each row, shape `(n,)`, or `(n, q)` where `y` was such.

        Args:
            X: inputs, shape `(n, d)`.
        """
        outputs = self._outputs(X)
        values = self._target_scaler.inverse_transform(outputs)
        return values if self._has_columns else values[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        check_choice("pairing", self.pairing, _PAIRINGS_OF_VALUES)
        X, y = validate_data(self, X, y, dtype=np.float64, reset=reset, multi_output=True, y_numeric=True)
        return X, y.astype(np.float64)

    def _encoded(self, y: Any, *, reset: bool, classes: Any) -> Any:
        columns = y.reshape(len(y), -1)
        if reset:
            self._has_columns = y.ndim > 1
        elif columns.shape[1] != self._target_scaler.n_features_in_:
            expected = self._target_scaler.n_features_in_
            raise ArgumentError(f"y must hold {expected} values a row as before, got {columns.shape[1]}")
        return columns

    def _start_targets(self, targets: Any, weights: Any) -> int:
        self._target_scaler = StandardScaler().fit(targets, sample_weight=weights)
        return int(targets.shape[1])

    def _target_tensor(self, targets: Any) -> Tensor:
        return torch.from_numpy(self._target_scaler.transform(targets)).float()

    def _losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(outputs, y, reduction="none").mean(dim=1)

    def _score_of(self, rows: TrainingRows) -> float:
        with torch.inference_mode():
            values = self.network_(rows.x)
        return float(r2_score(rows.y.numpy(), values.numpy(), sample_weight=rows.sample_weight.numpy()))
