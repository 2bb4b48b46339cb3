"""The page of a comparison: every figure and table, with the numbers of the comparison."""

import matplotlib.figure
import pytest
from made_up_pages import NASTY, images, make_comparison, read_page

from localmixup.graphs.fit import sample_distances
from localmixup.lab.data.prepared import prepare
from localmixup.lab.report.comparison_figures import choice_figures, error_figure
from localmixup.lab.report.comparison_page import cells, head, write_comparison
from localmixup.lab.report.comparison_pictures import strip_figures


@pytest.fixture
def write(tmp_path):
    def write(comparison, records, data, prepared):
        path = tmp_path / "report.html"
        labels = prepared.y.numpy() if prepared.task == "classification" else None
        write_comparison(path, comparison, records, data, prepared, sample_distances(prepared.x, labels))
        assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
        return read_page(path)

    return write


def axes_of(figure):
    canvas = matplotlib.figure.Figure(figsize=figure.size)
    figure.draw(canvas)
    return canvas.axes[0]


def test_the_page_holds_every_figure_with_its_numbers(blobs, prepared, write):
    comparison, records = make_comparison(NASTY)
    page = write(comparison, records, blobs, prepared)
    names = ["errors", "choice-local-threshold", "curves", "distances", "regions-0", "regions-1", "regions-2"]
    assert list(page.tables) == names
    assert page.tables["errors"][1:] == [
        ["vanilla", "11.17", "8.041 to 14.29", "10, 11, 12.5"],
        ["mixup", "3.333", "0 to 15.59", "0, 1, 9"],
        ["local mixup, threshold", "8", "5.516 to 10.48", "7, 8, 9"],
        ["local mixup, threshold: at the same share", "9.25", "8.629 to 9.871", "9, 9.5, 9.25"],
    ]
    chosen = "radius 1.5 (nearest 5 % of pairs), 50 % mixed (chosen)"
    assert [row[1] for row in page.tables["choice-local-threshold"][1:]] == ["11", "8", "inf"]
    assert page.tables["choice-local-threshold"][2][0] == chosen
    assert page.tables["curves"][1:3] == [["vanilla", "10", "40"], ["vanilla", "20", "30"]]
    text = "".join(page.texts)
    assert f"Does Local Mixup help on {NASTY}?" in text
    assert "mixup: 3.33 % error" in text


def test_regression_has_no_regions_and_says_rmse(blobs, prepared, write):
    comparison, records = make_comparison(unit="RMSE", regions=False)
    page = write(comparison, records, blobs, prepared._replace(task="regression", y=prepared.y.float()))
    assert list(page.tables) == ["errors", "choice-local-threshold", "curves", "distances"]
    assert page.tables["errors"][0][1] == "mean RMSE"
    assert page.tables["distances"][1][0] == "all pairs"


def test_the_table_is_that_of_the_comparison():
    comparison, _ = make_comparison()
    names = [
        "method",
        "chosen on validation",
        "test error (95 %)",
        "vs vanilla (p)",
        "vs mixup (p)",
        "mixed",
        "ESS / n",
        "s / run",
    ]
    assert head(comparison) == names
    rows = [cells(row, comparison) for row in comparison.rows]
    assert rows[0] == ["vanilla", "", "11.17 ± 3.1", "", "", "50 %", "0.75", "1.2"]
    assert rows[2][:3] == ["local mixup, threshold", "so local", "8.00 ± 2.5"]
    assert rows[2][3].startswith("-3.17 (0.00")
    assert rows[3][:2] == ["↳ control: at the same share", "so local"]


def test_no_interval_of_an_error_reaches_below_zero():
    comparison, _ = make_comparison()
    assert comparison.row("mixup").error.low < 0
    axes = axes_of(error_figure(comparison))
    assert axes.get_xlim()[0] >= 0
    assert min(x for line in axes.lines for x in line.get_xdata()) == 0
    labels = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
    assert labels == [row.label for row in comparison.rows]
    assert axes.yaxis_inverted()


def test_bars_of_candidates_start_at_zero_and_leave_out_what_diverged():
    comparison, _ = make_comparison()
    (figure,) = choice_figures(comparison)
    axes = axes_of(figure)
    assert axes.get_xlim()[0] == 0
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[:2] == [11.0, 8.0]
    assert widths[2] != widths[2]
    assert axes.patches[1].get_facecolor() != axes.patches[0].get_facecolor()


def test_mixed_images_run_from_near_to_far_with_the_weight_of_the_chosen_graph(write):
    prepared = prepare(images())
    sample = sample_distances(prepared.x)
    comparison, records = make_comparison(radius=sample.quantile(0.4), regions=False)
    figures = strip_figures(comparison, images(), prepared)
    parts = [figure.caption.removeprefix("distance ").split(", weight ") for figure in figures]
    distances = [float(distance) for distance, _ in parts]
    assert len(figures) == 7
    assert distances == sorted(distances)
    assert [weight for _, weight in parts] == ["1", "1", "1", "0", "0", "0", "0"]
    page = write(comparison, records, images(), prepared)
    assert [name for name in page.tables if name.startswith("strip")] == [f"strip-{k}" for k in range(7)]
