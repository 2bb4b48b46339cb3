"""Pictures of the closed forms show their numbers."""

import numpy as np
from matplotlib.figure import Figure

from localmixup import ThresholdGraph
from localmixup.theory import line, linear_model, plots, ring


def lines_of(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_line_optima_and_samples_are_drawn():
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.0, 1.0, 0.0, 3.0])
    axes = Figure().add_subplot()
    plots.draw_line_optima(axes, x, y, (1.0, np.inf))
    query = axes.get_lines()[0].get_xdata()
    expected = line.mixup_optimum(x, y, query, graph=ThresholdGraph(1.0))
    np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), expected)
    assert {"radius 1", "mixup", "eq. (1)"} <= set(lines_of(axes))


def test_bias_variance_and_bounds_are_drawn():
    y = np.random.default_rng(0).normal(size=12)
    left, right = Figure().subplots(1, 2)
    plots.draw_bias_and_variance(left, y, [1, 3, 9])
    variance = lines_of(left)["variance of f_K over the inputs"].get_ydata()
    np.testing.assert_allclose(variance, [ring.prediction_variance(y, reach=K) for K in (1, 3, 9)])
    plots.draw_iid_variance(right, [1, 12])
    drawn = lines_of(right)
    np.testing.assert_allclose(drawn["16 / K^2 (paper)"].get_ydata(), [16, 16 / 144])
    np.testing.assert_allclose(drawn["exact"].get_ydata(), [1, ring.iid_variance(reach=12)])


def test_linear_fits_are_drawn_and_least_squares_is_named():
    x, y = np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.0, 1.0, 0.0, 3.0])
    axes = Figure().add_subplot()
    plots.draw_linear_fits(axes, x, y, (0, 1, 4))
    drawn = lines_of(axes)
    assert {"radius 0: least squares", "radius 1", "radius 4 (mixup): least squares"} <= set(drawn)
    intercept, slope = linear_model.mixup_coefficients(x, y, (np.abs(x[:, None] - x) <= 1).astype(float))
    ends = drawn["radius 1"].get_xdata()
    np.testing.assert_allclose(drawn["radius 1"].get_ydata(), intercept + slope * ends)
