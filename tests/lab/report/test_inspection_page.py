"""The page of an inspection: every figure and table, with the numbers of the measurements."""

import matplotlib.figure
import numpy as np
import pytest
from made_up_pages import images, make_inspection, read_page, rings

from localmixup import CompleteGraph
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.inspection import coincident, percent
from localmixup.lab.report.inspection_figures import class_figure, lipschitz_figure
from localmixup.lab.report.inspection_page import HEAD, rows, worst_rows, write_inspection

ALWAYS = ["distances", "evenness", "kept", "shape"]


@pytest.fixture
def write(tmp_path):
    def write(found):
        write_inspection(tmp_path / "inspection.html", found)
        return read_page(tmp_path / "inspection.html")

    return write


def test_the_page_holds_every_figure_with_its_numbers(write):
    found = rings()
    page = write(found)
    rates = ["rates-radius", "rates-decay", "rates-n_neighbors"]
    assert set(page.tables) == {*rates, "plane", "classes", "lipschitz", *ALWAYS}
    matrix = 100 * found.report.class_matrix(CompleteGraph())
    assert [row[1:] for row in page.tables["classes"][1:]] == [[f"{v:.0f}" for v in row] for row in matrix]
    assert page.tables["classes"][0][1:] == list(found.data.class_names)
    curve = found.curve
    assert page.tables["lipschitz"][1] == ["0", f"{curve.value[0]:.4g}"]
    assert float(page.tables["lipschitz"][-1][1]) == pytest.approx(curve.value[-1], rel=1e-3)
    # the last value of n_neighbors keeps all pairs, which is classical mixup
    last = page.tables["rates-n_neighbors"][-1]
    mixup = found.report.rates(CompleteGraph())
    assert last[0] == "159"
    assert last[1] == percent(mixup["within"].intrusion.value)
    assert last[4] == percent(mixup["between"].contradiction.value)
    assert page.tables["kept"][5][1] == f"{found.sample.quantile(0.5):.4g}"
    assert [row[0] for row in page.tables["shape"][1:]] == list(found.data.class_names)
    assert "".join(page.texts).count(found.data.name) > 5


def test_the_table_holds_mixup_and_the_suggested_graphs():
    found = rings()
    table = rows(found)
    mixup = found.report.rates(CompleteGraph())["all"]
    assert all(len(row) == len(HEAD) for row in table)
    assert table[0][:2] == ["mixup, all pairs", "100.0 %"]
    assert table[0][2].startswith(f"{percent(mixup.intrusion.value)} (")
    assert [row[0].split()[0] for row in table[1:]] == [g.parameter for g in found.suggestion.graphs.values()]
    listed = worst_rows(found)
    assert 0 < len(listed) <= 6
    for first, second, lam, *_ in listed:
        assert first != second
        assert 0 <= float(lam) <= 1


def test_the_colours_of_the_class_matrix_start_at_zero():
    found = rings()
    canvas = matplotlib.figure.Figure()
    class_figure(found).draw(canvas)
    assert canvas.axes[0].images[0].get_clim()[0] == 0


def test_images_show_the_worst_pairs(write):
    found = make_inspection(images())
    page = write(found)
    worst = [name for name in page.tables if name.startswith("worst")]
    assert worst == [f"worst-{k}" for k in range(len(worst))]
    assert 0 < len(worst) <= 6
    assert "nearest: " in "".join(page.texts)
    assert worst_rows(found) == []


def test_regression_gets_the_figures_that_need_no_classes(write):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)).astype(np.float32)
    found = make_inspection(DataSet("houses", "table", x, rng.normal(size=40).astype(np.float32)))
    assert list(write(found).tables) == ALWAYS
    assert rows(found) == []
    assert lipschitz_figure(found) is None


def test_coincident_samples_of_two_classes_are_named(write):
    x = np.repeat(np.arange(10, dtype=np.float32), 4)[:, None]
    found = make_inspection(DataSet("twins", "table", x, np.arange(40) % 2, class_names=("a", "b")))
    page = write(found)
    assert page.tables["lipschitz"][1] == ["0", "inf"]
    assert coincident(found)[1:] in "".join(page.texts)
