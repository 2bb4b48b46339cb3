"""The choice on validation data, and the controls of a local method."""

import math

import pytest
from made_up import result

from localmixup.lab.analysis.arms import best_on_validation, matched_controls, results_of
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

SET = TrainingSpec(model="mlp", updates=20, pairs="set")


def test_the_validation_split_chooses_not_the_test_set():
    near = result("near", [1.0, 1.0], validation=3.0)
    far = result("far", [9.0, 9.0], validation=2.0)
    without = result("without", [0.0, 0.0], validation=math.nan)
    assert best_on_validation([near, far, without]) is far
    assert best_on_validation([far, far.labelled("again")]) is far


def test_results_hold_the_runs_that_are_finished():
    whole = result("a", [1.0, None, 3.0])
    records = {record.spec.key: record for record in whole.records.values()}
    (found,) = results_of([whole.arm], range(3), records)
    assert found == whole
    assert found.errors == [1.0, 3.0]
    assert found.mean("test_error") == 2.0
    assert math.isnan(result("b", [None]).mean("test_error"))


@pytest.mark.parametrize(
    ("training", "mixed_share", "drawn", "same_share"),
    [
        # of a random permutation of 64, one sample meets itself on average: 63/64 is all of them
        (TrainingSpec(model="mlp", updates=20, pairs="batch"), None, 63 / 64, None),
        (TrainingSpec(model="mlp", updates=20, pairs="batch"), None, 0.63, 0.64),
        (TrainingSpec(model="mlp", updates=20, pairs="batch"), None, 1.0, None),
        (SET, 0.5, 0.49, 0.5),
        (SET, 1.0, 0.99, None),
    ],
)
def test_controls_mix_as_often_and_scale_as_much(training, mixed_share, drawn, same_share):
    method = MethodSpec(method="local-threshold", parameter=1.0, mixed_share=mixed_share)
    local = result("local", [1.0, 2.0], method=method, training=training, mixed_share=drawn, mean_weight=0.4321)
    share, scaled = matched_controls(local)
    assert share == MethodSpec(method="mixup", mixed_share=same_share)
    assert scaled == MethodSpec(method="mixup", loss_scale=0.432)
