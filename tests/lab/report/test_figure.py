"""Figures as SVG and PNG: what a browser and a screen reader get."""

import base64
import io
import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

from localmixup.lab.report.figure import INK, Figure, Series, chart
from localmixup.lab.report.svg import inline_svg

NASTY = "</script><script>alert(1)</script> <!-- $x^ & \"b\" 'c' \x01 日本"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def nasty():
    series = [
        Series(NASTY, [1.0, 10.0, 100.0], [1.0, 2.0, 3.0], [-1.0, 1.5, 2.5], [3.0, 2.5, 3.5]),
        Series("points", [1.0, 50.0], [2.0, 2.5], kind="points"),
        Series("steps", [1.0, 50.0], [1.0, 0.5], kind="steps"),
        Series("long", np.linspace(1, 90, 60), np.linspace(1, 3, 60), np.zeros(60), np.ones(60) * 4, kind="dashed"),
    ]
    return chart("nasty", NASTY, "x (units)", "error (%)", series, log_x=True, at_least=0.0)


@pytest.fixture(scope="module")
def svg(nasty):
    return nasty.svg()


def ids(svg):
    return [e.get("id") for e in ElementTree.fromstring(svg).iter() if e.get("id")]


def references(svg):
    return re.findall(r'(?:href="#|url\(#)([^")]+)', svg)


def test_the_svg_is_one_labelled_image_that_fills_its_container(svg):
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == NASTY.replace("\x01", "")
    assert root.get("style") == "width: 100%; height: auto"
    assert root.get("viewBox") == "0 0 432 273.6"
    assert root.get("width") is None


def test_text_is_text_and_hostile_names_are_inert(svg):
    root = ElementTree.fromstring(svg)
    texts = {"".join(e.itertext()) for e in root.iter(f"{SVG}text")}
    assert {"x (units)", "error (%)", NASTY.replace("\x01", ""), "points", "1", "10", "100"} <= texts
    assert "<!--" not in svg
    assert "<script" not in svg
    assert "</script" not in svg
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
        "svg",
        "g",
        "defs",
        "path",
        "use",
        "text",
        "clipPath",
        "rect",
    }
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_ink_follows_the_page_and_the_background_is_transparent(svg):
    assert INK not in svg
    assert "currentColor" in svg
    assert "#ffffff" not in svg
    assert "#000000" not in svg
    assert "<style" not in svg


def test_ids_are_unique_on_a_page_of_several_figures(svg):
    other = chart("other", "t", "x (units)", "error (%)", [Series("a", [1, 10, 100], [1, 2, 3])], log_x=True).svg()
    found = ids(svg) + ids(other)
    assert len(found) == len(set(found)) > 4
    assert set(references(svg)) == set(ids(svg))
    assert set(references(other)) == set(ids(other))
    assert all(name.startswith(("nasty-", "other-")) for name in found)


def settings():
    """All settings of matplotlib but the backend, since a look at that one loads pyplot."""
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}


def test_the_same_figure_gives_the_same_bytes_whatever_the_user_has_set(nasty, svg):
    png = nasty.png()
    before = settings()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert nasty.svg() == svg
        assert nasty.png() == png
    assert settings() == before


def test_the_png_has_the_size_and_the_title_on_white(nasty):
    image = Image.open(io.BytesIO(nasty.png()))
    assert image.size == (660, 418)
    pixels = np.asarray(image.convert("L"))
    assert pixels[0, 0] == 255
    untitled = Figure("nasty", "", "", nasty.draw, [], [])
    assert not np.array_equal(pixels, np.asarray(Image.open(io.BytesIO(untitled.png())).convert("L")))


def test_a_table_row_for_every_value_and_intervals_cut_at_the_smallest_possible_value(nasty):
    assert nasty.head == ["", "x (units)", "error (%)", "95 % interval"]
    assert nasty.rows[:5] == [
        [NASTY, "1", "1", "0 to 3"],
        [NASTY, "10", "2", "1.5 to 2.5"],
        [NASTY, "100", "3", "2.5 to 3.5"],
        ["points", "1", "2", ""],
        ["points", "50", "2.5", ""],
    ]
    assert len(nasty.rows) == 3 + 2 + 2 + 60


def drawn(figure):
    canvas = matplotlib.figure.Figure(figsize=figure.size)
    figure.draw(canvas)
    return canvas.axes[0]


def test_no_error_bar_reaches_below_the_smallest_possible_value(nasty):
    axes = drawn(nasty)
    assert axes.get_ylim()[0] == 0
    ends = [segment[:, 1] for bars in axes.containers for segment in bars.lines[2][0].get_segments()]
    np.testing.assert_allclose(ends, [[0, 3], [1.5, 2.5], [2.5, 3.5]])


@pytest.mark.parametrize(
    ("x", "labels"), [([1e-3, 1e3], ["0.001", "1", "1000"]), ([0.2, 5.0], ["0.2", "0.5", "1", "2", "5"])]
)
def test_a_logarithmic_axis_has_plain_numbers(x, labels):
    root = ElementTree.fromstring(chart("log", "t", "x", "y", [Series("a", x, [0, 0])], log_x=True).svg())
    assert set(labels) <= {text.text for text in root.iter(f"{SVG}text")}


def test_bars_have_the_width_of_their_spacing():
    axes = drawn(chart("bars", "t", "x", "y", [Series("a", [0.0, 0.5, 1.0], [1, 2, 3], kind="bars")]))
    assert [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in axes.patches] == [
        (-0.25, 0.5, 1),
        (0.25, 0.5, 2),
        (0.75, 0.5, 3),
    ]


def test_a_large_picture_takes_a_quarter_of_the_space_and_looks_the_same():
    y, x = np.mgrid[:300, :300]
    noise = np.random.default_rng(0).integers(0, 60, size=(300, 300))
    pixels = np.stack([x // 2 + noise, np.full_like(x, 90), y // 2 + noise, np.where(x < 30, 0, 255)], axis=2).astype(
        np.uint8
    )
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    (image,) = ElementTree.fromstring(
        inline_svg(f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{uri}"/></svg>'.encode(), "a", "b")
    )
    found = image.get("href")
    assert len(found) < len(uri) / 3
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(found.partition(",")[2]))).convert("RGBA")).astype(int)
    assert (shown[:, :30, 3] == 0).all()
    assert np.abs(shown[:, 30:] - pixels[:, 30:]).mean() < 8


def test_fonts_are_those_of_the_page_whichever_matplotlib_writes_them():
    for font in (
        "font-size: 9px; font-family: 'DejaVu Sans', 'Arial', sans-serif",
        "font: 9px 'DejaVu Sans', sans-serif",
    ):
        svg = f'<svg xmlns="http://www.w3.org/2000/svg"><text style="{font}; fill: {INK}">a</text></svg>'
        (text,) = ElementTree.fromstring(inline_svg(svg.encode(), "a", "b")).iter(f"{SVG}text")
        assert text.get("style") == "font-size: 9px; fill: currentColor"


def test_thousands_of_points_become_one_image():
    x = np.linspace(0, 1, 5000)
    svg = chart("many", "t", "x", "y", [Series("a", x, x**2, kind="points")]).svg()
    assert svg.count("<use") < 50
    assert "data:image/png;base64," in svg
    assert len(svg) < 60_000
    ElementTree.fromstring(svg)
