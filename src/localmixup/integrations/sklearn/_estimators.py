"""`LocalMixupClassifier` and `LocalMixupRegressor`."""

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
from localmixup.integrations.sklearn._base import LocalMixupMLP
from localmixup.integrations.sklearn._network import TrainingRows

_PAIRINGS_WITHOUT_CLASSES = ("permutation", "flip", "roll", "neighbors")


class LocalMixupClassifier(ClassifierMixin, LocalMixupMLP):  # type: ignore[misc]
    """A multi-layer perceptron classifier trained with Local Mixup (Baena, Drumetz, Gripon, 2024).

    Inputs are standardised inside, and distances are measured on the standardised inputs. Rows that are equal in input
    and target are merged and their weights added, so that a weight of 2 equals a row given twice.

    Args:
        hidden_layer_sizes: units of each hidden layer, with ReLU in between; `()` is a linear model.
        graph: which pairs count as near: None for the recommended recipe, `LocalMixup()`; `"exponential"`,
            `"threshold"` or `"knn"`; `"complete"` for classical mixup or `"identity"` for training without mixing; or a
            graph of `localmixup`, used as it is.
        kept_share: how local a graph that is given by its name is, in (0, 1], without units, by default 0.5: the mean
            weight of the pairs for an exponential graph, the share of the pairs that a threshold graph keeps, or the
            neighbours as a share of the other samples in the batch. 1 is classical mixup; the smaller, the less is
            mixed.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`, > 0; None, as for the next three, for the default of
            `LocalMixup`.
        prob: share of the samples that are mixed at all, in [0, 1].
        per_sample: draw one `lam` per sample instead of one per batch.
        pairing: `"permutation"`, `"flip"`, `"roll"`, `"within_class"`, `"between_class"` or `"neighbors"`; see
            `LocalMixup`.
        outside: what to do with pairs that the graph considers too far apart. `"unmix"` (with a graph, unlike in
            `LocalMixup`, the default): the sample stays unmixed with weight 1, so that no row is lost and the ends of
            the range are exactly plain training and classical mixup. `"discard"`: the pair counts W, eq. (3) of the
            paper.
        recipe: a whole recipe instead of `graph`, `kept_share`, `mixup_alpha`, `prob`, `per_sample`, `pairing` and
            `outside`: a `LocalMixup`, its configuration, or the path of `local_mixup.json`, which the commands write. A
            `LocalMixup` is copied by `fit`, in `.eval()` mode too, in which nothing is mixed. Its generator is not
            used: all draws follow from `random_state`.
        learning_rate_init: learning rate of AdamW, > 0.
        weight_decay: weight decay of AdamW, >= 0.
        batch_size: rows per batch; `"auto"` is 200, or all rows if fewer.
        max_iter: largest number of epochs.
        tol: an epoch counts as an improvement if the loss falls by at least this much, or with early stopping the score
            rises by at least this much.
        n_iter_no_change: stop after this many epochs in a row without improvement.
        early_stopping: hold out `validation_fraction` of the rows, stop by the score on them, and keep the weights with
            the best score.
        validation_fraction: share of the rows to hold out, in (0, 1).
        warm_start: `fit` continues the previous training, with the same network, optimizer, seeds and scale of inputs.
        random_state: a seed, a `RandomState` or None. The same seed and data give the same model. PyTorch's global
            random state is not touched, and NumPy's only if this is None.
        verbose: print one line per epoch.

    Attributes:
        classes_: the labels, sorted.
        network_: the trained `torch.nn.Sequential`, from standardised inputs to one score per class.
        graph_: the graph in use, with its parameter in standardised distance.
        mean_weight_: mean weight of the pairs in the last call of `fit` or `partial_fit`, in [0, 1], without the sample
            weights. Near 0, the graph keeps hardly any pair.
        mixed_share_: share of the counted samples that were mixed in that call, in [0, 1].
        n_iter_: number of epochs of the last call of `fit` or `partial_fit`.
        loss_curve_: loss on the unmixed training rows after each epoch, which is comparable between graphs.
        loss_: the last value of `loss_curve_`.
        validation_scores_: accuracy on the held out rows after each epoch, with early stopping only.
        best_validation_score_: the largest of them, with early stopping only.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns, if the inputs are a DataFrame.

    >>> from sklearn.datasets import make_moons
    >>> X, y = make_moons(300, noise=0.1, random_state=0)
    >>> model = LocalMixupClassifier(graph="threshold", kept_share=0.1, learning_rate_init=0.01, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.95)
    True
    """

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> LocalMixupClassifier:
        """Train for one epoch on some rows. The first call sets the scale and the graph, so its rows should be typical.

        Args:
            X: inputs, shape `(n, d)`.
            y: labels, shape `(n,)`.
            classes: all labels that will occur; required in the first call.
            sample_weight: how much each row counts, >= 0, shape `(n,)`.

        Returns:
            The estimator itself.

        Raises:
            ValueError: as for `fit`; `classes` is missing in the first call, or differs in a later one.
        """
        first = not hasattr(self, "network_")
        if classes is None and first:
            raise ArgumentError("classes must hold all labels in the first call of partial_fit, got None")
        if classes is not None and not first and not np.array_equal(np.unique(classes), self.classes_):
            raise ArgumentError(f"classes must be those of the first call, {list(self.classes_)}, got {list(classes)}")
        fitted: LocalMixupClassifier = self._fit(X, y, sample_weight, incremental=True, classes=classes)
        return fitted

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, in the order of `classes_`, shape `(n, c)`.

        Args:
            X: inputs, shape `(n, d)`.
        """
        return torch.from_numpy(self._outputs(X)).softmax(dim=1).numpy()

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithm of `predict_proba`, accurate even where a probability underflows.

        Args:
            X: inputs, shape `(n, d)`.
        """
        return torch.from_numpy(self._outputs(X)).log_softmax(dim=1).numpy()

    def predict(self, X: Any) -> Any:
        """Return the most probable label of each row, shape `(n,)`.

        Args:
            X: inputs, shape `(n, d)`.
        """
        best = self._outputs(X).argmax(axis=1)  # before classes_, because it checks that the model is fitted
        return self.classes_[best]

    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        X, y = validate_data(self, X, y, dtype=np.float64, reset=reset)
        check_classification_targets(y)
        return X, y

    def _encoded(self, y: Any, *, reset: bool, classes: Any) -> Any:
        if reset:
            self.classes_ = np.unique(y if classes is None else classes)
            if len(self.classes_) < 2:
                raise ArgumentError(f"y must hold at least two classes, got one class: {self.classes_[0]!r}")
        unknown = set(np.unique(y).tolist()) - set(self.classes_.tolist())
        if unknown:
            raise ArgumentError(f"y must hold only the classes {list(self.classes_)}, got also {sorted(unknown)}")
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
    """A multi-layer perceptron regressor trained with Local Mixup, for one or several targets.

    Inputs and targets are standardised inside, and the loss is the squared error of the standardised targets.

    Parameters and attributes are those of `LocalMixupClassifier` without `classes_`. Early stopping uses R^2 as the
    score, and `pairing` must be `"permutation"`, `"flip"`, `"roll"` or `"neighbors"`.

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> bool(LocalMixupRegressor(early_stopping=True, random_state=0).fit(X, y).score(X, y) > 0.4)
    True
    """

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> LocalMixupRegressor:
        """Train for one epoch on some rows. The first call sets the scale and the graph, so its rows should be typical.

        Args:
            X: inputs, shape `(n, d)`.
            y: values, shape `(n,)` or `(n, q)`.
            sample_weight: how much each row counts, >= 0, shape `(n,)`.

        Returns:
            The estimator itself.

        Raises:
            ValueError: as for `fit`.
        """
        fitted: LocalMixupRegressor = self._fit(X, y, sample_weight, incremental=True)
        return fitted

    def predict(self, X: Any) -> Any:
        """Return the predicted values, shape `(n,)`, or `(n, q)` if `y` had that shape.

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
        check_choice("pairing", self._settings()["pairing"] or "neighbors", _PAIRINGS_WITHOUT_CLASSES)
        X, y = validate_data(self, X, y, dtype=np.float64, reset=reset, multi_output=True, y_numeric=True)
        return X, y.astype(np.float64)

    def _encoded(self, y: Any, *, reset: bool, classes: Any) -> Any:
        columns = y.reshape(len(y), -1)
        if reset:
            self._has_columns = y.ndim > 1
        elif columns.shape[1] != self._target_scaler.n_features_in_:
            expected = self._target_scaler.n_features_in_
            raise ArgumentError(f"y must hold {expected} values per row as before, got {columns.shape[1]}")
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
