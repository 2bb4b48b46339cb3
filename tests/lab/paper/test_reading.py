"""From a store to groups and tables beside the paper's numbers."""

import math

import pytest
import sqlalchemy as sa

from localmixup.lab.analysis.arms import ArmResult
from localmixup.lab.analysis.statistics import Difference, Mean
from localmixup.lab.analysis.table import Table, table_of
from localmixup.lab.paper import ITEMS
from localmixup.lab.paper.figure7 import shown_better
from localmixup.lab.paper.reading import Reading, paper_table, reported, sign_sentence
from localmixup.lab.paper.section import Reported, agreement
from localmixup.lab.paper.table1 import chosen
from localmixup.lab.runs.database import DIGESTS, RUNS, digest_of
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.outcome import Outcome
from localmixup.lab.runs.spec import DataSpec, MethodSpec, TrainingSpec
from localmixup.lab.runs.store import Record, Store

TRAINING = TrainingSpec(model="mlp", updates=20, pairs="batch")
PRINTED = {"mixup": Reported(4.13, 0.03)}


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
    yield opened
    opened.close()


def test_arms_are_in_the_order_of_the_numbers_in_their_labels(store):
    for k in (10, 1, 5):
        near = arm(f"batch, K = {k}", "local-knn", parameters={"parameter": float(k)})
        store.add_arm(near, 5)
        store.add(near.run(0), outcome(9.0))
    labels = [r.arm.label for r in Reading(store).of("table1")]
    assert labels[:2] == ["vanilla", "mixup"]
    assert [label for label in labels if label.startswith("batch")] == [f"batch, K = {k}" for k in (1, 5, 10)]


def test_the_validation_split_chooses_not_the_test_set(store):
    (group,) = Reading(store).groups("table1")
    assert chosen(group).arm.label == "local mixup, far"


def test_a_control_is_never_chosen(store):
    control = arm("local mixup, near: random partners", parameters={"loss_scale": 0.7}, control_of="local mixup, near")
    store.add_arm(control, 1)
    store.add(control.run(0), outcome(9.0, 0.5))  # the lowest validation error
    (group,) = Reading(store).groups("table1")
    assert chosen(group).arm.label == "local mixup, far"


def test_a_control_follows_the_arm_it_belongs_to_and_both_ends_come_first(store):
    (group,) = Reading(store).groups("table1")
    assert list(group.by_label) == ["vanilla", "mixup", "local mixup, far", "local mixup, near", "scaled"]


def test_full_size_means_all_runs(store):
    (group,) = Reading(store).groups("table1")
    table = paper_table(group.results, PRINTED, full_runs=4)
    assert table.size == "NOT full size: scale cpu"
    assert [row[4:6] for row in table.cells()][1] == ["4 of 5", "another size: not compared"]
    full = [ArmResult(r.arm.model_copy(update={"scale": "full"}), r.wanted, r.records) for r in group.results]
    assert paper_table(full, PRINTED, full_runs=5).size == "NOT full size: 4 of 5 runs"
    table = paper_table(full, PRINTED, full_runs=4)
    assert table.size == "full size"
    assert [row[5] for row in table.cells()] == ["", "no overlap: ours is 6.62 higher", "", "", ""]
    assert table.cells()[1][2:4] == ["4.13 ± 0.03", "10.75 ± 2.3"]


def test_arms_of_other_data_or_of_older_recipes_are_not_mixed_in(store):
    """Two fingerprints of one data set, and a recipe that has changed: what was run last counts."""
    other = DataSpec(name="cifar10", fingerprint="another copy")
    old = arm("mixup", training=TRAINING.model_copy(update={"updates": 19}))
    foreign = arm("vanilla", "vanilla", data=other)
    for one in (old, foreign):
        store.add_arm(one, 1)
        store.add(one.run(0), outcome(99.0))
    with store._engine.begin() as connection:
        for one in (old, foreign):
            key = one.run(0).key
            (row,) = connection.execute(sa.select(RUNS).where(RUNS.c.key == key)).mappings()
            earlier = {**row, "finished": "2020-01-01T00:00:00+00:00"}
            connection.execute(RUNS.update().where(RUNS.c.key == key).values(**earlier))
            connection.execute(DIGESTS.update().where(DIGESTS.c.key == key).values(digest=digest_of(earlier)))
    (group,) = Reading(store).groups("table1")
    assert len(group.results) == 5
    assert all(max(r.errors) < 20 for r in group.results)


def test_what_was_asked_for_and_not_finished_is_listed(store):
    store.add_arm(arm("local mixup, new", "local-exponential", parameters={"parameter": 2.0}), 5)
    missing = " ".join(ITEMS["table1"].missing(Reading(store)))
    assert "controlled: 10 of 30 runs are not finished" in missing
    assert "controlled: not at full size" in missing
    assert "paper: not run" in missing
    assert "controlled: not run on cifar100, fashion_mnist, svhn" in missing


def test_runs_of_two_arms_are_counted_once(store):
    store.add_arm(arm("mixup", item="adamixup"), 4)
    assert (Reading(store).runs, len(Reading(store).records)) == (20, 20)


def test_agreement_needs_overlap():
    ours = Mean(5.0, 4.8, 5.2)
    assert agreement(Reported(4.7, 0.1), ours) == "intervals overlap"
    assert agreement(Reported(4.69, 0.1), ours) == "no overlap: ours is 0.31 higher"
    assert agreement(Reported(5.1), ours) == "intervals overlap"
    assert agreement(Reported(6.0), Mean(5.0, math.nan, math.nan)) == "no overlap: ours is 1 lower"


@pytest.mark.parametrize(
    ("d", "words"),
    [
        (Difference(-0.5, -0.9, -0.1, 0.01), "the same sign, the paper's value within our interval"),
        (Difference(-2.0, -2.5, -1.5, 0.01), "the same sign, of another size"),
        (Difference(0.5, 0.1, 0.9, 0.01), "the opposite sign, of another size"),
        (Difference(-0.1, -0.5, 0.3, 0.5), "no difference is shown, up to 0.50 points are not excluded"),
        # a raw interval without zero, but a p-value that does not survive Holm
        (Difference(-0.5, -0.9, -0.1, 0.12), "no difference is shown, up to 0.90 points are not excluded"),
    ],
)
def test_signs_and_sizes(store, d, words):
    (group,) = Reading(store).groups("table1")
    rows = [row.model_copy(update={"differences": {"vanilla": d}}) for row in table_of(group.results).rows]
    sentence = sign_sentence(Table(rows=rows, unit="%"), "mixup", "vanilla", -0.4)
    assert sentence.startswith("mixup against vanilla: the paper -0.40, ours ")
    assert sentence.endswith(f"{words}.")


def test_decays_whose_three_seeds_agree_by_chance_are_not_shown_to_be_better():
    def result(label, errors):
        one = arm(label, "local-exponential", parameters={"parameter": float(label)})
        return ArmResult(one, 3, {k: Record(one.run(k), outcome(e), {}, "") for k, e in enumerate(errors)})

    mixup = result("0", [17.0, 17.5, 18.0])
    lucky = result("1", [16.93, 17.43, 17.92])  # .07 better, with a deviation of .006
    others = [result(str(k), [17.0 + 0.01 * k, 17.9, 17.6]) for k in range(2, 6)]
    clear = result("6", [7.0, 7.2, 8.1])
    assert table_of([mixup.labelled("mixup"), lucky]).difference("1", "mixup").p < 0.01
    assert shown_better([lucky, *others], mixup) == 0
    assert shown_better([lucky, *others, clear], mixup) == 1
    assert shown_better([ArmResult(lucky.arm, 1, {0: lucky.records[0]})], mixup) == 0


def test_the_papers_numbers_are_those_of_its_tables():
    values = reported()
    assert values["table1_error_percent"]["local_mixup"]["cifar10"] == [4.03, 0.03]
    assert values["table2_gaussian_noise_error_percent_cifar10"]["mixup"] == [5.75, 12.28, 23.60, 37.00]
    assert values["adamixup_comparison_error_percent"]["mnist"]["adamixup"] == [0.49, 0.03]
