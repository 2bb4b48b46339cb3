"""Linear models against numerical integration over lam, reference numbers, and least squares."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from localmixup import ExponentialGraph
from localmixup.theory import linear_model

REFERENCE = json.loads((Path(__file__).parents[1] / "theory_reference.json").read_text())


def integrated(x, y, W, beta, intercept):
    """Weighted least squares over all ordered pairs and 20 nodes of Gauss-Jacobi quadrature for lam."""
    from scipy.special import roots_jacobi

    nodes, g = roots_jacobi(20, beta[1] - 1, beta[0] - 1)
    lam, g = (nodes + 1) / 2, g / g.sum()
    rows, targets = [], []
    x = x.reshape(len(x), -1)
    for i in range(len(x)):
        for j in range(len(x)):
            for share, weight in zip(lam, g, strict=True):
                mixed = share * x[i] + (1 - share) * x[j]
                root = np.sqrt(W[i, j] * weight)
                rows.append(root * (np.concatenate([[1.0], mixed]) if intercept else mixed))
                targets.append(root * (share * y[i] + (1 - share) * y[j]))
    return np.linalg.lstsq(np.array(rows), np.array(targets), rcond=None)[0]


@pytest.mark.parametrize("case", REFERENCE["linear"], ids=lambda c: c["name"])
def test_reference_numbers_of_linear_models(case):
    x, y, W = (np.array(case[k]) for k in ("x", "y", "W"))
    options = {"beta": tuple(case["beta_ab"]), "intercept": case["intercept"]}
    found = linear_model.mixup_coefficients(x, y, W, **options)
    np.testing.assert_allclose(found, case["coef"], rtol=1e-10, atol=1e-12)
    same = np.allclose(case["coef"], case["ols"], atol=1e-9)
    assert linear_model.is_least_squares(x, W, y=y, **options) == same


@pytest.mark.parametrize(("beta", "intercept"), [((1.0, 1.0), True), ((0.4, 0.4), False), ((2.0, 0.7), True)])
def test_coefficients_are_those_of_the_integral(beta, intercept):
    rng = np.random.default_rng(5)
    x, y, W = rng.normal(size=(6, 2)), rng.normal(size=6), rng.uniform(size=(6, 6))
    found = linear_model.mixup_coefficients(x, y, W, beta=beta, intercept=intercept)
    np.testing.assert_allclose(found, integrated(x, y, W, beta, intercept), rtol=1e-9)


def test_when_it_is_least_squares():
    angle = 2 * np.pi * np.arange(7) / 7
    polygon = np.column_stack([np.cos(angle), np.sin(angle)])
    near = (np.linalg.norm(polygon[:, None] - polygon, axis=2) < 1.0).astype(float)
    x = np.array([0.0, 1.0, 2.0, 4.0])
    local = (np.abs(x[:, None] - x) <= 1).astype(float)
    assert linear_model.is_least_squares(polygon, near)
    assert linear_model.is_least_squares(x, np.ones((4, 4)), beta=(0.3, 0.3))
    assert linear_model.is_least_squares(x, np.eye(4))
    assert not linear_model.is_least_squares(x, np.ones((4, 4)), intercept=False)
    assert not linear_model.is_least_squares(x, local)
    assert linear_model.is_least_squares(x, local, y=3 * x + 1)


def test_offsets_and_units_do_not_matter():
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.0, 1.0, 0.0, 3.0])
    near = (np.abs(x[:, None] - x) <= 1).astype(float)
    intercept, slope = linear_model.mixup_coefficients(x, y, near)
    for offset, unit in ((1e4, 1.0), (1.7e9, 86400.0), (0.0, 1e-8)):
        found = linear_model.mixup_coefficients(unit * x + offset, y, near)
        assert found[1] * unit == pytest.approx(slope, rel=1e-6)
        assert found[0] + found[1] * offset == pytest.approx(intercept, rel=1e-5)
    two = np.column_stack([x, 1e-8 * x**2])
    found = linear_model.mixup_coefficients(two, x + 2 * x**2, near)
    np.testing.assert_allclose(found, [0, 1, 2e8], rtol=1e-6, atol=1e-9)


def test_kinds_and_mistakes():
    x, y = torch.randn(5, 2), torch.randn(5, 3)
    found = linear_model.mixup_coefficients(x, y, ExponentialGraph(1.0).matrix(x))
    assert isinstance(found, torch.Tensor)
    assert found.shape == (3, 3)
    with pytest.raises(ValueError, match="must have the same number of rows, got 5, 5 and 4"):
        linear_model.mixup_coefficients(x, y, np.ones((4, 4)))
    with pytest.raises(ValueError, match="W must be square with entries >= 0"):
        linear_model.mixup_coefficients(x, y, -np.ones((5, 5)))
