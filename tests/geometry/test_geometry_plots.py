"""Pictures show the numbers that they are made from, and touch no state of pyplot."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from geometry_data import rings
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import localmixup
from localmixup import ExponentialGraph, KNNGraph, ThresholdGraph
from localmixup.geometry import class_shapes, intrusion, lipschitz_lower_bound, plots
from localmixup.graphs.fit import sample_distances


@pytest.fixture(scope="module")
def report():
    return intrusion(*rings(80), exhaustive=False, n_samples=1500)


@pytest.fixture
def axes():
    return Figure().add_subplot()


@pytest.mark.parametrize("name", ["threshold", "exponential", "knn"])
def test_rates_are_drawn_in_percent(report, axes, name):
    curves = plots.rate_curves(report, name)
    plots.draw_rates(axes, report, curves, suggested=float(curves.values[30]))
    drawn = {line.get_label(): line for line in axes.get_lines()}
    for label, rates in curves.lines.items():
        joint = f"intrusion and {label.replace('intrusion', 'contradiction')}"
        line = drawn[label] if label in drawn else drawn[joint]
        np.testing.assert_allclose(line.get_ydata(), [100 * rate.value for rate in rates])
    assert drawn["suggested"].get_xdata()[0] == curves.values[30]
    every = report.rates(KNNGraph(79))["within"].intrusion.value
    nearly = curves.lines["intrusion, within-class pairs"][0 if name == "exponential" else -1].value
    assert nearly == pytest.approx(every, abs=0.02)  # at one end of the axis nearly all pairs count


def test_two_lines_that_coincide_are_one_line_with_both_names(axes):
    x, _ = rings(80)
    three = intrusion(x, np.arange(80) % 3, exhaustive=False, n_samples=1500)  # within a class both are the same event
    curves = plots.rate_curves(three, "threshold")
    between = [curves.lines[f"{what}, between-class pairs"] for what in ("intrusion", "contradiction")]
    assert any(one.value != other.value for one, other in zip(*between, strict=True) if one.value == one.value)
    plots.draw_rates(axes, three, curves)
    lines = [line for line in axes.get_lines() if "pairs" in line.get_label()]
    assert [line.get_label() for line in lines] == [
        "intrusion and contradiction, within-class pairs", "intrusion, between-class pairs",
        "contradiction, between-class pairs",
    ]  # fmt: skip
    for k, one in enumerate(lines):
        for other in lines[k + 1 :]:
            assert not np.allclose(one.get_ydata(), other.get_ydata(), equal_nan=True)


def test_rates_of_hardly_any_sample_are_left_out(report):
    curves = plots.rate_curves(report, "threshold", [1e-9, 7.0])
    low, high = curves.lines["intrusion, within-class pairs"]
    assert np.isnan(low.value)
    assert high.value > 0.1


def test_plot_methods_draw_on_given_or_new_axes(report, axes):
    curve = lipschitz_lower_bound(np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 1.0]]), [0, 0, 1])
    assert curve.plot(axes) is axes
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata()[:2], curve.value)
    assert curve.plot().get_ylabel() == "Q(D)"
    assert report.plot().get_xlabel() == "radius"
    assert class_shapes(*rings(40), loops=False)[0].plot().get_xlabel() == "radius"


def test_infinite_steps_are_left_out(axes):
    curve = lipschitz_lower_bound(torch.tensor([[0.0], [2.0], [1.0]]), [0, 0, 1])
    assert curve.value.tolist() == [1.0, np.inf]
    plots.draw_lipschitz(axes, curve)
    assert np.isfinite(axes.get_lines()[0].get_ydata()[0])
    assert np.isnan(axes.get_lines()[0].get_ydata()[-1])


def test_the_class_matrix_is_written_into_its_cells(report, axes):
    plots.draw_class_matrix(axes, report, ["ring", "disc"])
    assert [t.get_text() for t in axes.texts] == [f"{100 * v:.0f}" for v in report.class_matrix().ravel()]


def contrast(one, other):
    """The ratio of WCAG 2.2 between two colours: (lighter + 0.05) / (darker + 0.05)."""
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (one, other)]
    light = sorted(float(channels @ [0.2126, 0.7152, 0.0722]) for channels in linear)
    return (light[1] + 0.05) / (light[0] + 0.05)


class Matrix:
    """A report whose class matrix holds given shares."""

    def __init__(self, shares):
        self.classes, self.shares = np.arange(len(shares)), np.asarray(shares)

    def class_matrix(self, graph=None):
        return self.shares


@pytest.mark.parametrize("top", [0.002, 0.3, 1.0])
def test_the_numbers_of_the_class_matrix_can_be_read_on_their_cells(axes, top):
    assert contrast(np.ones(3), np.array([0xFC, 0x8C, 0x59]) / 255) == pytest.approx(2.3, abs=0.1)
    plots.draw_class_matrix(axes, Matrix(np.linspace(0, top, 400).reshape(20, 20)))
    (image,) = axes.get_images()
    assert len(axes.texts) == 400
    assert {text.get_color() for text in axes.texts} == ({"black", "white"} if top > 0.01 else {"black"})
    for text in axes.texts:
        column, row = text.get_position()
        cell = np.array(image.to_rgba(image.get_array()[row, column])[:3])
        assert contrast(np.array(to_rgb(text.get_color())), cell) >= 4.5


def test_virtual_samples_are_drawn_where_the_graph_keeps_pairs(report, axes):
    plots.draw_virtual_samples(axes, report, ThresholdGraph(0.5), count=300)
    grey, crosses, real = (np.asarray(c.get_offsets()) for c in axes.collections)
    assert (len(grey) + len(crosses), len(real)) == (300, 80)
    radius = np.linalg.norm(grey, axis=1)
    assert ((radius < 1.3) | (radius > 2.9)).all()  # near pairs are mixed within the disc and along the ring


def test_distances_weights_and_kept_shares():
    x, y = rings(60)
    sample = sample_distances(torch.from_numpy(x), y)
    axes = Figure().add_subplot()
    plots.draw_distances(axes, sample, {"decay": ExponentialGraph(0.5), "neighbours": KNNGraph(share=0.5)})
    heights = [bar.get_height() for bar in axes.patches]
    assert sum(heights[:60]) == pytest.approx(1, abs=0.01)
    weights = {line.get_label(): line for line in axes.figure.axes[1].get_lines()}
    np.testing.assert_allclose(weights["decay"].get_ydata(), np.exp(-0.5 * weights["decay"].get_xdata()))
    assert weights["neighbours"].get_ydata().mean() == pytest.approx(0.5, abs=0.01)
    axes = Figure().add_subplot()
    plots.draw_kept(axes, sample)
    line = axes.get_lines()[0]
    np.testing.assert_allclose(
        line.get_ydata(), [(sample.distances.numpy() <= r).mean() for r in line.get_xdata()], atol=1e-12
    )
    axes = Figure().add_subplot()
    plots.draw_evenness(axes, sample, [1e-6, 1.0], {"paper": 1e-3})
    assert axes.get_lines()[0].get_ydata()[0] == pytest.approx(1, abs=1e-4)  # all weights are equal: mixup


def test_no_file_imports_pyplot_which_has_global_state():
    source = Path(localmixup.__file__).parent
    imports = re.compile(r"^\s*(import|from) matplotlib.*pyplot", re.MULTILINE)
    assert not [path for path in source.rglob("*.py") if imports.search(path.read_text())]
