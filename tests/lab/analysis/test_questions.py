"""The choice among candidates, the questions, and the levels at which they are answered."""

import numpy as np
import pytest

from localmixup.lab.analysis.questions import (
    LOCAL,
    MIXUP,
    VANILLA,
    Choice,
    Judged,
    choose,
    contrasts_of,
    first_lowest,
    levels_of,
    margin_of,
)  # fmt: skip
from localmixup.lab.analysis.resampled import Design, Measured
from localmixup.lab.analysis.statistics import holm

DESIGN = Design(0.25, 400)


def judged(mean, nll=0.5, *, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    return Judged(Measured(mean + noise * rng.normal(size=8)), Measured(nll + 0.01 * rng.normal(size=8)))


def test_the_lowest_error_chooses_and_the_milder_of_equal_ones():
    assert first_lowest([2.0, 1.0, 1.0 + 1e-12, 3.0]) == 1
    assert first_lowest([float("nan"), 2.0]) == 1
    assert first_lowest([float("nan"), float("inf")]) == 0
    assert choose(1.0, [1.0, 2.0], [1.0]) == Choice(0, 0, VANILLA, MIXUP)
    assert choose(2.0, [2.0, 1.0], [3.0, 0.5]) == Choice(1, 1, MIXUP, LOCAL)


@pytest.mark.parametrize(
    ("choice", "pairs"),
    [
        (Choice(0, 0, VANILLA, LOCAL), {"locality": (LOCAL, VANILLA), "mixup": (MIXUP, VANILLA), "calibration": (LOCAL, VANILLA)}),
        (Choice(0, 0, MIXUP, MIXUP), {"locality": (LOCAL, MIXUP), "mixup": (MIXUP, VANILLA), "calibration": (MIXUP, VANILLA)}),
        (
            Choice(0, 0, MIXUP, LOCAL),
            {"locality": (LOCAL, MIXUP), "mixup": (MIXUP, VANILLA), "mixing": (LOCAL, VANILLA), "calibration": (LOCAL, VANILLA)},
        ),
    ],
)  # fmt: skip
def test_each_question_has_one_contrast_which_the_choice_sets(choice, pairs):
    arms = {VANILLA: judged(5), MIXUP: judged(4, seed=1), LOCAL: judged(3, 0.3, seed=2)}
    found = contrasts_of(arms, choice, DESIGN, "%")
    assert {question: (c.one, c.other) for question, c in found.items()} == pairs
    assert found["calibration"].unit == "nll"
    without = {label: Judged(arm.error) for label, arm in arms.items()}
    assert "calibration" not in contrasts_of(without, choice, DESIGN, "RMSE")


def test_an_interval_leaves_out_zero_where_the_corrected_p_value_is_below_five_percent():
    rng = np.random.default_rng(0)
    for seed in range(200):
        means = rng.normal(5, 0.6, size=3)
        arms = {
            label: judged(m, rng.normal(0.5, 0.02), seed=3 * seed + k)
            for k, (label, m) in enumerate(zip((VANILLA, MIXUP, LOCAL), means, strict=True))
        }
        for c in contrasts_of(arms, Choice(0, 0, MIXUP, LOCAL), DESIGN, "%").values():
            assert (c.low > 0 or c.high < 0) == (c.p < 0.05) == (c.shown != 0)
            assert c.better + c.equal + c.worse == pytest.approx(1)
            assert c.low < c.mean < c.high


def test_levels_are_those_of_holm():
    rng = np.random.default_rng(1)
    for _ in range(500):
        p_values = (rng.random(4) ** 3).tolist()
        levels = levels_of(p_values)
        assert [p < level for p, level in zip(p_values, levels, strict=True)] == [p < 0.05 for p in holm(p_values)]


def test_margins():
    assert margin_of("%", 3.0) == 0.3
    assert margin_of("%", 40.0) == 2.0
    assert margin_of("RMSE", 40.0) == 1.0
    assert margin_of("nll", 0.2) == pytest.approx(0.01)
