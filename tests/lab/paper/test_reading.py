"""From records to lines: means, paired differences and agreement, against numbers worked out by hand."""

import math

import pytest
import sqlalchemy as sa
from scipy import stats

from localmixup.lab.analysis.statistics import Difference, Mean
from localmixup.lab.paper import ITEMS
from localmixup.lab.paper.reading import (
    ArmResult,
    Reading,
    Reported,
    agreement,
    effect,
    groups,
    locality,
    reported,
    sign_sentence,
    table_of,
)
from localmixup.lab.paper.table1 import chosen
from localmixup.lab.runs.spec import Arm, DataSpec, MethodSpec, TrainingSpec
from localmixup.lab.runs.store import Store
from localmixup.lab.runs.train import Outcome

TRAINING = TrainingSpec(model="mlp", updates=20, pairs="batch")


def outcome(error, validation=1.0):
    return Outcome(validation, error, 0.5, 1.0, 0.9, 0.8, [(20, 0.5, validation)], None)


def arm(label, method="mixup", **changes):
    values = {"item": "table1", "protocol": "controlled", "scale": "cpu", "panel": "cifar10", "label": label}
    spec = MethodSpec(method=method, **changes.pop("parameters", {}))
    data = DataSpec(name="cifar10", fingerprint="f")
    return Arm(**{**values, "data": data, "training": TRAINING, "method": spec, **changes})


@pytest.fixture
def store():
    opened = Store("sqlite://")
    near, far = {"parameter": 1.0}, {"parameter": 9.0}
    arms = {
        arm("vanilla", "vanilla"): ([10.0, 11.0, 12.0, 13.0], 1.0),
        arm("mixup"): ([9.0, 10.5, 11.0, 12.5], 1.0),
        arm("local mixup, near", "local-exponential", parameters=near): ([8.0, 9.0, 10.5, 11.0], 3.0),
        arm("local mixup, far", "local-exponential", parameters=far): ([9.5, 9.0, 10.5, 11.0], 2.0),
        arm("scaled", parameters={"loss_scale": 0.5}, control_of="local mixup, near"): ([9.0, 9.0, 9.5, 9.9], 2.0),
    }
    for one, (errors, validation) in arms.items():
        opened.add_arm(one, 5)
        for seed, error in enumerate(errors):
            opened.add(one.run(seed), outcome(error, validation))
    return opened


def test_lines_hold_means_differences_and_what_is_missing(store):
    (group,) = groups(Reading(store).of("table1")).values()
    table = table_of(group, lambda r: Reported(4.13, 0.03) if r.arm.label == "mixup" else None, full_runs=4)
    by_label = {line.label: line for line in table.lines}
    near = by_label["local mixup, near"]
    errors = [8.0, 9.0, 10.5, 11.0]
    half = stats.sem(errors) * stats.t.ppf(0.975, 3)
    assert near.ours == pytest.approx((9.625, 9.625 - half, 9.625 + half))
    assert (near.runs, near.wanted) == (4, 5)
    assert set(near.differences) == {"vanilla", "mixup", "scaled"}
    plain = stats.ttest_rel(errors, [10.0, 11.0, 12.0, 13.0]).pvalue
    d = near.differences["vanilla"]
    assert d.mean == pytest.approx(9.625 - 11.5)
    assert d.p > plain  # Holm over the six different tests of the table
    assert d.p <= 6 * plain
    assert by_label["mixup"].agreement == "another size: not compared"
    assert table.size == "NOT full size: scale cpu"
    assert table.difference("local mixup, near", "vanilla") == d
    assert table.difference("local mixup, near", "nobody") is None
    assert by_label["scaled"].control_of == "local mixup, near"
    assert not by_label["scaled"].differences


def test_full_size_means_all_runs(store):
    full = [
        ArmResult(r.arm.model_copy(update={"scale": "full"}), r.wanted, r.records) for r in Reading(store).of("table1")
    ]
    stated = Reported(4.13, 0.03)
    assert table_of(full, lambda r: stated, full_runs=5).size == "NOT full size: 4 of 5 runs"
    table = table_of(full, lambda r: stated, full_runs=4)
    assert table.size == "full size"
    assert table.line("mixup").agreement == "no overlap: ours is 6.62 higher"


def test_the_validation_split_chooses_not_the_test_set(store):
    (group,) = groups(Reading(store).of("table1")).values()
    assert chosen(group).arm.label == "local mixup, far"


def test_differences_pair_the_seeds_that_both_have(store):
    results = {r.arm.label: r for r in Reading(store).of("table1")}
    mixup, vanilla = results["mixup"], results["vanilla"]
    del vanilla.records[1]
    table = table_of([vanilla, mixup], full_runs=4)
    assert table.difference("mixup", "vanilla").mean == pytest.approx((9 - 10 + 11 - 12 + 12.5 - 13) / 3)


def test_arms_of_other_data_or_of_older_recipes_are_not_mixed_in(store):
    """Two fingerprints of one data set, and a recipe that has changed: what was run last counts."""
    other = DataSpec(name="cifar10", fingerprint="another copy")
    old = arm("mixup", training=TRAINING.model_copy(update={"updates": 19}))
    foreign = arm("vanilla", "vanilla", data=other)
    for one in (old, foreign):
        store.add_arm(one, 1)
        store.add(one.run(0), outcome(99.0))
    engine = store._engine
    with engine.begin() as connection:
        for one in (old, foreign):
            statement = "update localmixup_runs set finished = '2020-01-01T00:00:00+00:00' where key = :key"
            connection.execute(sa.text(statement), {"key": one.run(0).key})
    (group,) = groups(Reading(store).of("table1")).values()
    assert len(group) == 5
    assert all(max(r.errors) < 20 for r in group)


def test_what_was_asked_for_and_not_finished_is_said(store):
    store.add_arm(arm("local mixup, new", "local-exponential", parameters={"parameter": 2.0}), 5)
    missing = " ".join(ITEMS["table1"].missing(Reading(store)))
    assert "controlled: 10 of 30 runs are not finished" in missing
    assert "controlled: not at full size" in missing
    assert "paper: not run" in missing
    assert "controlled: not run on cifar100, fashion_mnist, svhn" in missing


def test_agreement_needs_overlap():
    ours = Mean(5.0, 4.8, 5.2)
    assert agreement(Reported(4.7, 0.1), ours) == "intervals overlap"
    assert agreement(Reported(4.69, 0.1), ours) == "no overlap: ours is 0.31 higher"
    assert agreement(Reported(5.1, math.nan), ours) == "intervals overlap"
    assert agreement(Reported(6.0, math.nan), Mean(5.0, math.nan, math.nan)) == "no overlap: ours is 1 lower"


@pytest.mark.parametrize(
    ("d", "words"),
    [
        (Difference(-0.5, -0.9, -0.1, 0.01), "the same sign, the paper's value within our interval"),
        (Difference(-2.0, -2.5, -1.5, 0.01), "the same sign, of another size"),
        (Difference(0.5, 0.1, 0.9, 0.01), "the opposite sign, of another size"),
        (Difference(-0.1, -0.5, 0.3, 0.5), "no difference is shown here"),
        # a raw interval without zero, but a p-value that does not survive Holm
        (Difference(-0.5, -0.9, -0.1, 0.12), "no difference is shown here"),
    ],
)
def test_signs_and_sizes(d, words):
    assert sign_sentence("local against mixup", -0.4, d).endswith(f"{words}.")


def test_the_papers_numbers_are_those_of_its_tables():
    values = reported()
    assert values["table1_error_percent"]["local_mixup"]["cifar10"] == [4.03, 0.03]
    assert values["table2_gaussian_noise_error_percent_cifar10"]["mixup"] == [5.75, 12.28, 23.60, 37.00]
    assert values["adamixup_comparison_error_percent"]["mnist"]["adamixup"] == [0.49, 0.03]


def test_locality_is_judged_by_the_corrected_p_value():
    assert locality(Difference(-1.0, -2.0, -0.1, 0.2)) == "no effect of locality is shown"
    assert locality(Difference(-1.0, -2.0, -0.1, 0.02)) == "locality helps"
    assert locality(Difference(4.0, 3.75, 4.25, 0.001)) == "locality harms"
    # all differences equal: no interval, but a p-value
    assert effect(Difference(-10.8, math.nan, math.nan, 0.03)) == -1
    assert effect(Difference(-10.8, math.nan, math.nan, math.nan)) == 0
