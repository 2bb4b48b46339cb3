"""The page of an inspection: every figure and table, with the numbers of the measurements."""

import matplotlib.figure
import numpy as np
import pytest
from made_up_pages import images, make_inspection, read_page, rings

from localmixup import CompleteGraph
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.inspection import coincident, percent
from localmixup.lab.report.inspection_figures import class_figure, lipschitz_figure
from localmixup.lab.report.inspection_page import HEAD, HEAD_OF_TARGETS, rows, worst_rows, write_inspection

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
    assert set(page.tables) == {"shares", "rates-radius", "plane", "classes", "lipschitz", *ALWAYS}
    matrix = 100 * found.report.class_matrix(CompleteGraph())
    assert [row[1:] for row in page.tables["classes"][1:]] == [[f"{v:.0f}" for v in row] for row in matrix]
    assert page.tables["classes"][0][1:] == list(found.data.class_names)
    curve = found.curve
    assert page.tables["lipschitz"][1] == ["0", f"{curve.value[0]:.4g}"]
    assert float(page.tables["lipschitz"][-1][1]) == pytest.approx(curve.value[-1], rel=1e-3)
    # all other samples of the batch as partners are classical mixup
    mixup = found.regions.rates(CompleteGraph())
    assert page.tables["shares"][-1] == ["100 %", percent(mixup["within"].value), percent(mixup["all"].value)]
    assert page.tables["kept"][5][1] == f"{found.sample.quantile(0.5):.4g}"
    assert [row[0] for row in page.tables["shape"][1:]] == list(found.data.class_names)
    assert "".join(page.texts).count(found.data.name) > 5


def test_the_decision_and_the_code_stand_before_the_contents(write):
    found = rings()
    text = "".join(write(found).texts)
    places = [
        text.index(part) for part in (found.verdict.first_line, "mix = LocalMixup(", "On this page", "Details for")
    ]
    assert places == sorted(places)


def test_the_table_holds_the_recipes_and_mixup():
    found = rings()
    table = rows(found)
    assert all(len(row) == len(HEAD) for row in table)
    assert found.verdict.word == "harmful"
    assert table[0][0].endswith("(the mildest, if you mix)")
    within = found.regions.rates(CompleteGraph())["within"].value
    assert table[-1][0] == "mixup of all samples"
    assert table[-1][2] == percent(within)
    listed = worst_rows(found)
    assert 0 < len(listed) <= 6
    for first, second, lam, *_ in listed:
        assert first != second
        assert lam.endswith(" %")


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
    assert " look most like '" in "".join(page.texts)
    assert worst_rows(found) == []


def test_regression_gets_the_figures_that_need_no_classes(write):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)).astype(np.float32)
    found = make_inspection(DataSet("houses", "table", x, rng.normal(size=40).astype(np.float32)))
    assert sorted(write(found).tables) == sorted(ALWAYS)
    assert all(len(row) == len(HEAD_OF_TARGETS) for row in rows(found))
    assert lipschitz_figure(found) is None


def test_coincident_samples_of_two_classes_are_named(write):
    x = np.repeat(np.arange(10, dtype=np.float32), 4)[:, None]
    found = make_inspection(DataSet("twins", "table", x, np.arange(40) % 2, class_names=("a", "b")))
    page = write(found)
    assert page.tables["lipschitz"][1] == ["0", "inf"]
    assert coincident(found)[1:] in "".join(page.texts)
