"""Numbers and effects in words."""

import math

import pytest

from localmixup.lab.analysis.statistics import Difference
from localmixup.lab.analysis.wording import difference_cell, difference_text, effect, locality, no_effect, not_excluded


def test_an_effect_is_judged_by_the_corrected_p_value():
    # a raw interval without zero, but a p-value that does not survive the correction
    assert locality(Difference(-1.0, -2.0, -0.1, 0.2)) == (
        "no effect of locality is shown, up to 2.00 points are not excluded"
    )
    assert locality(Difference(-1.0, -2.0, -0.1, 0.02)) == "locality helps"
    assert locality(Difference(4.0, 3.75, 4.25, 0.001)) == "locality harms"
    # all differences equal: no interval, but a p-value
    assert effect(Difference(-10.8, math.nan, math.nan, 0.03)) == -1
    assert effect(Difference(-10.8, math.nan, math.nan, math.nan)) == 0


@pytest.mark.parametrize(
    ("d", "cell", "text", "still"),
    [
        (Difference(0.5, 0.1, 0.9, 0.0312), "+0.50 (0.031)", "+0.50 points (95 % +0.10 to +0.90, p = 0.031)", "0.90"),
        (Difference(-1.0, -2.5, 0.5, 1.0), "-1.00 (1)", "-1.00 points (95 % -2.50 to +0.50, p = 1)", "2.50"),
        (Difference(2.0, math.nan, math.nan, 0.25), "+2.00 (0.25)", "+2.00 points (p = 0.25)", ""),
        (Difference(2.0, math.nan, math.nan, math.nan), "+2.00", "+2.00 points (one run: no test)", ""),
        (None, "", "not compared", ""),
    ],
)
def test_a_difference_in_a_cell_and_in_words(d, cell, text, still):
    assert difference_cell(d) == cell
    assert difference_text(d) == text
    assert not_excluded(d) == (f"up to {still} points are not excluded" if still else "")


def test_units_other_than_percent_are_named():
    d = Difference(0.01, -0.02, 0.04, 0.6)
    assert difference_text(d, "RMSE", 3) == "+0.010 RMSE (95 % -0.020 to +0.040, p = 0.6)"
    assert no_effect("difference", d, "RMSE", 3) == "no difference is shown, up to 0.040 RMSE are not excluded"
