"""The page of a comparison: the decision and the code first, then every figure and table with its numbers."""

import matplotlib.figure
import pytest
from made_up_pages import NASTY, images, make_comparison, read_page

from localmixup.lab.data.prepared import prepare
from localmixup.lab.report.comparison_figures import choice_figures, error_figure
from localmixup.lab.report.comparison_page import (
    answers,
    balanced_accuracy,
    cells,
    code_of,
    code_title,
    head,
    write_comparison,
)


@pytest.fixture
def write(tmp_path):
    def write(comparison, records, data, prepared):
        path = tmp_path / "report.html"
        write_comparison(path, comparison, records, data, prepared)
        assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
        return read_page(path)

    return write


def axes_of(figure):
    canvas = matplotlib.figure.Figure(figsize=figure.size)
    figure.draw(canvas)
    return canvas.axes[0]


def test_balanced_accuracy_stands_beside_accuracy_where_they_differ():
    comparison, _ = make_comparison()
    assert balanced_accuracy(comparison) == ""  # not measured
    shares = {"vanilla": 0.5, "mixup": 0.96, "local mixup": 0.923}
    rows = [
        row.model_copy(update={"scores": {"balanced_accuracy": shares.get(row.label, 0.1)}}) for row in comparison.rows
    ]
    assert balanced_accuracy(comparison.model_copy(update={"rows": rows})) == (
        "Accuracy and balanced accuracy, which counts every class the same: vanilla 88.8 and 50.0 %; mixup 96.7 and "
        "96.0 %; local mixup 92.0 and 92.3 %."
    )
    even = [
        row.model_copy(update={"scores": {"balanced_accuracy": 1 - row.error.mean / 100}}) for row in comparison.rows
    ]
    assert balanced_accuracy(comparison.model_copy(update={"rows": even})) == ""


def test_the_page_begins_with_the_decision_and_the_code_and_holds_every_figure(blobs, prepared, write):
    comparison, records = make_comparison(NASTY)
    page = write(comparison, records, blobs, prepared)
    assert list(page.tables) == ["errors", "regions-0", "regions-1", "regions-2", "choice-local-mixup", "curves"]
    assert page.tables["errors"][1:] == [
        ["vanilla", "11.17", "10, 11, 12.5"],
        ["mixup", "3.333", "0, 1, 9"],
        ["local mixup", "8", "7, 8, 9"],
        ["control: at the same share", "9.25", "9, 9.5, 9.25"],
    ]
    assert page.tables["choice-local-mixup"][1:] == [
        ["near (chosen)", "8", "0 to 27.87"],
        ["wide", "12", "0 to 41.81"],
        ["diverged", "inf", ""],
    ]
    assert page.tables["curves"][1:3] == [["vanilla", "10", "40"], ["vanilla", "20", "30"]]
    text = "".join(page.texts)
    places = [text.index(part) for part in (
        f"{NASTY}: Use local mixup", f"Because of {NASTY}.", "mix = LocalMixup()", "What was measured",
        "The questions and their answers", "Nearness helps.",
    )]  # fmt: skip
    assert places == sorted(places)
    assert "mixup: 3.33 % error" in text


def test_where_nothing_can_be_told_the_code_tries_what_was_ahead(blobs, prepared, write):
    comparison, records = make_comparison(use="unclear")
    assert "CompleteGraph(), prob=0.25" in code_of(comparison)
    assert (
        code_title(comparison)
        == "To try mixup all the same, in your training loop (local mixup did no better on the rows that choose):"
    )
    text = "".join(write(comparison, records, blobs, prepared).texts)
    assert "that recipe mixes nothing" in text
    used, _ = make_comparison()
    assert code_title(used) == "In your training loop:"
    assert "mix = LocalMixup()" in code_of(used)


def test_regression_has_no_regions_and_no_abbreviations(blobs, prepared, write):
    comparison, records = make_comparison(unit="RMSE")
    page = write(comparison, records, blobs, prepared._replace(task="regression", y=prepared.y.float()))
    assert list(page.tables) == ["errors", "choice-local-mixup", "curves"]
    assert page.tables["errors"][0][1] == "mean error (root mean square)"
    assert "RMSE" not in "".join(page.texts).split("The whole specification")[0]


def test_the_table_is_that_of_the_comparison():
    comparison, _ = make_comparison()
    assert head(comparison) == [
        "method", "test error, %", "difference from vanilla", "negative log-likelihood", "samples mixed",
        "seconds per training", "settings",
    ]  # fmt: skip
    rows = [cells(row, comparison) for row in comparison.rows]
    assert rows[0] == ["vanilla", "11.17 ± 3.1", "", "0.25", "50 %", "1.2", "so local"]
    assert rows[2][:3] == ["local mixup", "8.00 ± 2.5", "-3.17 (-4.00 to -2.00)"]
    assert answers(comparison)[0][1:] == [
        "local mixup 8.00, vanilla 11.17", "-3.17 (-4.00 to -1.00; 97.5 %)", "0.004", "90 %", "10 %", "0 %", "1.50",
    ]  # fmt: skip


def test_errors_start_at_zero_or_above():
    comparison, _ = make_comparison()
    axes = axes_of(error_figure(comparison))
    assert axes.get_xlim()[0] >= 0
    labels = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
    assert labels == [row.label for row in comparison.rows]
    assert axes.yaxis_inverted()


def test_candidates_are_sorted_and_leave_out_what_diverged():
    comparison, records = make_comparison()
    (figure,) = choice_figures(comparison, records)
    axes = axes_of(figure)
    assert axes.get_xlim()[0] == 0
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[:2] == [8.0, 12.0]
    assert widths[2] != widths[2]
    assert axes.patches[1].get_facecolor() != axes.patches[0].get_facecolor()
    low, high = (part.get_xdata() for part in axes.lines)
    assert list(low[:2]) == [0, 0]  # an error is never negative
    share = 4.302653 / 3**0.5  # Student's quantile of two degrees of freedom; the errors of 8 are 0, 8 and 16
    assert list(high[:2]) == pytest.approx([8 * (1 + share), 12 * (1 + share)])


def test_mixed_images_run_from_near_to_far(write):
    comparison, records = make_comparison()
    page = write(comparison, records, images(), prepare(images()))
    assert [name for name in page.tables if name.startswith("strip")] == [f"strip-{k}" for k in range(7)]
