"""How good predictions are beyond their error: probabilities, classes, and the loss of every row."""

from __future__ import annotations

import base64
import math
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 15
"""Bins of confidence in the calibration error."""

NAMES = {
    "nll": "negative log-likelihood",
    "brier": "Brier score",
    "calibration": "calibration error",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "auroc": "area under the ROC curve",
    "mae": "mean absolute error",
    "r2": "R squared",
}
"""What each score is called."""


def scores_of(outputs: Tensor, targets: Tensor, task: str, unit: float = 1.0) -> dict[str, float]:
    """Return the scores of one run on its test rows.

    Args:
        outputs: of the network, shape `(n, c)`.
        targets: shape `(n,)`.
        task: `"classification"` or `"regression"`.
        unit: of the standardised targets of a regression.

    Returns:
        For classes: negative log-likelihood in nats, Brier score (halved for two classes, as scikit-learn does),
        calibration error, and macro F1 and balanced accuracy over the classes that occur, all in their own unit; for
        two classes the area under the ROC curve. For values: mean absolute error in the unit of the target, and R
        squared. NaN where the outputs are not finite or a score does not exist.
    """
    if task == "regression":
        return _of_values(outputs[:, 0].double().numpy(), targets.double().numpy(), unit)
    names = ["nll", "brier", "calibration", "balanced_accuracy", "macro_f1"]
    if outputs.shape[1] == 2:
        names.append("auroc")
    if not torch.isfinite(outputs).all():
        return dict.fromkeys(names, math.nan)
    return dict(zip(names, _of_classes(outputs, targets.numpy()), strict=True))


def _of_classes(outputs: Tensor, targets: np.ndarray) -> list[float]:
    from sklearn.metrics import f1_score, log_loss, recall_score, roc_auc_score

    count = outputs.shape[1]
    p = outputs.double().softmax(dim=1).numpy()
    answers, present = p.argmax(axis=1), np.unique(targets)
    squares = np.square(p - np.eye(count)[targets]).sum(axis=1).mean() / (2 if count == 2 else 1)
    macro = {"labels": present, "average": "macro", "zero_division": 0.0}
    found = [
        float(log_loss(targets, p, labels=np.arange(count))),
        float(squares),
        calibration_error(p, targets),
        float(recall_score(targets, answers, **macro)),
        float(f1_score(targets, answers, **macro)),
    ]
    if count == 2:
        found.append(float(roc_auc_score(targets, p[:, 1])) if len(present) == 2 else math.nan)
    return found


def _of_values(outputs: np.ndarray, targets: np.ndarray, unit: float) -> dict[str, float]:
    from sklearn.metrics import mean_absolute_error, r2_score

    if not np.isfinite(outputs).all():
        return {"mae": math.nan, "r2": math.nan}
    r2 = float(r2_score(targets, outputs)) if len(targets) > 1 else math.nan
    return {"mae": float(mean_absolute_error(targets, outputs)) * unit, "r2": r2}


def calibration_error(p: np.ndarray, targets: np.ndarray) -> float:
    """Return the expected calibration error: how far confidence and accuracy are apart, over 15 equal bins.

    Args:
        p: probabilities, shape `(n, c)`.
        targets: classes, shape `(n,)`.

    Returns:
        A share in [0, 1].
    """
    confidence, hit = p.max(axis=1), p.argmax(axis=1) == targets
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(place, weights=confidence - hit, minlength=BINS)).sum() / len(p))


def row_losses(outputs: Tensor, targets: Tensor, task: str) -> dict[str, str]:
    """Return the losses of every test row of one run, packed.

    Args:
        outputs: of the network, shape `(n, c)`.
        targets: shape `(n,)`.
        task: `"classification"` or `"regression"`.
    """
    if task == "regression":
        return {"error": pack((outputs[:, 0].double() - targets.double()).square().numpy())}
    wrong = (outputs.argmax(dim=1) != targets).double()
    nll = F.cross_entropy(outputs.double(), targets, reduction="none")
    return {"error": pack(wrong.numpy()), "nll": pack(nll.numpy())}


def pack(values: np.ndarray) -> str:
    """Return numbers as text, with three digits each.

    >>> unpack(pack(np.array([0.0, 1.0, 0.125])))
    array([0.   , 1.   , 0.125])
    """
    largest = np.finfo(np.float16).max
    return base64.b64encode(zlib.compress(values.clip(-largest, largest).astype(np.float16).tobytes())).decode()


def unpack(text: str) -> np.ndarray:
    """Return the numbers of `pack`, shape `(n,)`, float64."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.float16).astype(np.float64)
