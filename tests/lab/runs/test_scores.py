"""Scores of predictions, against scikit-learn, torchmetrics and sums by hand."""

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics

from localmixup.lab.runs.scores import NAMES, calibration_error, pack, row_losses, scores_of, unpack


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_classes_are_those_of_scikit_learn(classes):
    generator = torch.Generator().manual_seed(classes)
    outputs, y = torch.randn(60, classes, generator=generator), torch.arange(60) % classes
    found = scores_of(outputs, y, "classification")
    p = outputs.double().softmax(1).numpy()
    assert found["nll"] == pytest.approx(metrics.log_loss(y, p))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, p.argmax(1)))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(y, p.argmax(1), average="macro"))
    by_hand = sum((p[k, c] - int(y[k] == c)) ** 2 for k in range(60) for c in range(classes)) / 60
    assert found["brier"] == pytest.approx(float(by_hand) / (2 if classes == 2 else 1))
    if classes == 2:
        assert found["auroc"] == pytest.approx(metrics.roc_auc_score(y, p[:, 1]))
    assert set(found) <= set(NAMES)
    assert ("auroc" in found) == (classes == 2)


def test_the_calibration_error_is_that_of_torchmetrics():
    with warnings.catch_warnings(action="ignore"):
        functional = pytest.importorskip("torchmetrics.functional.classification")
    generator = torch.Generator().manual_seed(0)
    p, y = torch.randn(500, 3, generator=generator).mul(2).softmax(1), torch.arange(500) % 3
    expected = functional.multiclass_calibration_error(p, y, num_classes=3, n_bins=15, norm="l1")
    assert calibration_error(p.numpy(), y.numpy()) == pytest.approx(float(expected), abs=1e-6)


def test_scores_of_values_have_the_unit_of_the_target():
    outputs, y = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([0.0, 2.0, 3.0])
    found = scores_of(outputs, y, "regression", 6.0)
    assert found["mae"] == pytest.approx(6 / 3)
    assert found["r2"] == pytest.approx(metrics.r2_score(y, outputs[:, 0]))


def test_what_diverged_and_classes_that_are_missing_give_no_error():
    lost = scores_of(torch.full((4, 2), math.nan), torch.tensor([0, 1, 0, 1]), "classification")
    assert all(math.isnan(value) for value in lost.values())
    one = scores_of(torch.randn(4, 2), torch.zeros(4, dtype=torch.int64), "classification")
    assert math.isnan(one["auroc"])
    assert math.isfinite(one["nll"])


def test_the_losses_of_rows_add_up_to_the_scores():
    outputs, y = torch.randn(40, 3), torch.arange(40) % 3
    packed = row_losses(outputs, y, "classification")
    assert unpack(packed["nll"]).mean() == pytest.approx(scores_of(outputs, y, "classification")["nll"], rel=1e-3)
    assert unpack(packed["error"]).mean() == pytest.approx(float((outputs.argmax(1) != y).double().mean()))
    assert unpack(row_losses(outputs[:, :1], outputs[:, 0] + 0.5, "regression")["error"]) == pytest.approx(
        0.25, rel=1e-3
    )
    assert len(pack(np.zeros(10_000))) < 200
