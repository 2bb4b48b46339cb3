"""Rows, paired differences and the family of tests, against numbers worked out by hand."""

import pytest
from made_up import result
from scipy import stats

from localmixup.lab.analysis.table import Table, table_of
from localmixup.lab.runs.spec import MethodSpec

VANILLA, MIXUP = [10.0, 11.0, 12.0, 13.0], [9.0, 10.5, 11.0, 12.5]
NEAR, SCALED = [8.0, 9.0, 10.5, 11.0], [9.0, 9.0, 9.5, 9.9]


def p(a, b):
    return stats.ttest_rel(a, b).pvalue


@pytest.fixture
def group():
    local = MethodSpec(method="local-threshold", parameter=1.25, kept_share=0.05, mixed_share=0.5)
    return [
        result("vanilla", VANILLA), result("mixup", MIXUP), result("near", NEAR, method=local),
        result("near: scaled", SCALED, control_of="near"),
    ]  # fmt: skip


def test_a_row_holds_what_came_out(group):
    row = table_of(group).row("near")
    half = stats.sem(NEAR) * stats.t.ppf(0.975, 3)
    assert row.error == pytest.approx((9.625, 9.625 - half, 9.625 + half))
    assert (row.errors, row.wanted, row.mixed_share, row.ess_ratio, row.mean_weight) == (NEAR, 4, 0.9, 0.8, 0.7)
    assert row.chosen == "radius 1.25 (nearest 5 % of pairs), 50 % mixed"
    assert row.keys == [record.spec.key for record in group[2].records.values()]
    assert [row.marked_label for row in table_of(group).rows][2:] == ["near", "↳ control: scaled"]


def test_every_row_is_compared_with_the_baselines_and_its_controls(group):
    table = table_of(group)
    compared = {row.label: set(row.differences) for row in table.rows}
    assert compared == {
        "vanilla": {"mixup"}, "mixup": {"vanilla"}, "near": {"vanilla", "mixup", "near: scaled"}, "near: scaled": set()
    }  # fmt: skip
    assert table.difference("near", "vanilla").mean == pytest.approx(9.625 - 11.5)
    assert table.difference("mixup", "vanilla").mean == -table.difference("vanilla", "mixup").mean
    assert table.difference("near", "nobody") is None
    assert [row.label for row in table.controls_of("near")] == ["near: scaled"]


def test_p_values_are_corrected_over_the_four_tests_of_the_table(group):
    table = table_of(group)
    plain = sorted(
        [(p(MIXUP, VANILLA), "mixup", "vanilla"), (p(NEAR, VANILLA), "near", "vanilla"),
         (p(NEAR, MIXUP), "near", "mixup"), (p(NEAR, SCALED), "near", "near: scaled")]
    )  # fmt: skip
    least = 0.0
    for factor, (value, label, other) in zip((4, 3, 2, 1), plain, strict=True):
        least = max(least, min(1.0, factor * value))
        assert table.difference(label, other).p == pytest.approx(least)


def test_a_control_that_is_a_baseline_counts_as_one_test_unless_labels_are_asked_for(group):
    double = group[1].labelled("near: as often", control_of="near")
    apart, together = table_of([*group, double], by_label=True), table_of([*group, double])
    for one, tests in ((apart, 5), (together, 4)):
        assert one.difference("near", "near: as often").mean == one.difference("near", "mixup").mean
        assert one.difference("near", "vanilla").p == pytest.approx(tests * p(NEAR, VANILLA))


def test_a_method_that_ended_up_as_a_baseline_is_not_compared_with_it(group):
    table = table_of([*group, group[0].labelled("chosen")])
    assert set(table.row("chosen").differences) == {"mixup"}


def test_differences_pair_the_seeds_that_both_have(group):
    del group[0].records[1]
    assert table_of(group).difference("mixup", "vanilla").mean == pytest.approx((9 - 10 + 11 - 12 + 12.5 - 13) / 3)


def test_what_is_measured_and_how_arms_are_described_can_be_set(group):
    table = table_of(group, measure=lambda record: record.outcome.mean_weight, chosen=lambda r: r.arm.label.upper())
    assert table.row("near").error == pytest.approx((0.7, 0.7, 0.7))
    assert table.row("near").chosen == "NEAR"


def test_a_table_in_words(group):
    table = table_of(group, unit="RMSE", decimals=3)
    assert table.against("near", "vanilla").startswith("-1.875 RMSE (95 % ")
    assert table.against("near", "nobody") == "not compared"
    assert Table.model_validate_json(table.model_dump_json()) == table
