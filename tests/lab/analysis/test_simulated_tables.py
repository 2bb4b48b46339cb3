"""Whole tables with a known truth: how often a decision is wrong, and how often the right one is made."""

import math

import pytest
from simulated_tables import DATA, NULLS, TRUTHS, simulate

TABLES = 300


@pytest.mark.slow
@pytest.mark.parametrize("resamples", [5, 10, 20])
@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("truth", NULLS)
def test_at_most_five_of_a_hundred_tables_make_a_wrong_claim(truth, kind, resamples):
    wrong, local, _ = simulate(DATA[kind], TRUTHS[truth], resamples, TABLES)
    # 3.5 standard deviations of a test that is wrong in exactly 5 %
    assert max(wrong, local) < 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / TABLES)


@pytest.mark.slow
@pytest.mark.parametrize(("truth", "use"), [("local mixup helps by 2 points", "local mixup"), ("mixup and local mixup help by 3 points", "mixup")])  # fmt: skip
def test_a_true_difference_is_found(truth, use):
    wrong, _, uses = simulate(DATA["as digits, test rows drawn anew"], TRUTHS[truth], 10, 100)
    assert uses[use] > 0.5
    assert wrong < 0.15
