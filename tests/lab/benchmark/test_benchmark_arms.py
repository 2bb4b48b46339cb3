"""What the arms of the benchmark are."""

import pytest
import torch

from localmixup.graphs.fit import sample_distances
from localmixup.lab.analysis.benchmark_labels import CLASSICAL, NEAR, OF_SET, OF_SET_AS_FAR, UNTOUCHED
from localmixup.lab.analysis.questions import VANILLA
from localmixup.lab.benchmark.arms import arms_of, training_of
from localmixup.lab.benchmark.suite import MEMBERS, is_large_enough, members
from localmixup.lab.data.suite import SUITE
from localmixup.lab.methods.recipe import config_of


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_tuned_arm_has_eight_candidates_and_all_share_the_training(task):
    sample = sample_distances(torch.randn(60, 4, generator=torch.Generator().manual_seed(0)))
    arms = arms_of(training_of(100), sample, 100, task)
    untuned = {VANILLA, CLASSICAL, UNTOUCHED, NEAR, OF_SET, OF_SET_AS_FAR}
    assert {label: len(of) for label, of in arms.items()} == {label: 1 if label in untuned else 8 for label in arms}
    for of in arms.values():
        assert len({(c.training, c.method) for c in of}) == len(of)
        for c in of:
            shared = ("model", "updates", "batch_size", "learning_rate", "weight_decay", "schedule", "train_rows")
            assert {name: getattr(c.training, name) for name in shared} == {
                name: getattr(training_of(100), name) for name in shared
            }
    assert config_of(arms[UNTOUCHED][0].method)["prob"] == 0.15


def test_the_nearest_of_the_set_and_its_controls_differ_in_the_partners_only():
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    arms = arms_of(training_of(100), sample_distances(x), 200, "classification")
    ((near,), (control,), (as_far,)) = arms[NEAR], arms[OF_SET], arms[OF_SET_AS_FAR]
    assert near.training == control.training == as_far.training
    assert as_far.method == near.method.model_copy(update={"method": "same-displacement-of-set"})
    assert near.training.pairs == "set"
    assert near.method.method == "local-knn"
    assert near.method.parameter == 2  # 1 % of 200 samples
    assert (control.method.method, near.method.mixed_share, control.method.mixed_share) == ("mixup", 0.3, 0.3)


def test_the_suite_is_as_the_protocol_says():
    kinds = [member.kind for member in MEMBERS.values()]
    assert len(kinds) == 28
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "table": 13, "image": 4, "features": 3, "control": 4, "regression": 4,
    }  # fmt: skip
    assert sum(member.untouched for member in MEMBERS.values()) == 13
    for member in MEMBERS.values():
        assert (SUITE[member.name].task == "regression") == (member.kind == "regression")
    assert len(members("small")) == 5
    with pytest.raises(ValueError, match=r"--suite must be all, small, or names with commas of .*, got wines"):
        members("wine,wines")
    assert not is_large_enough(400, 300)
    assert is_large_enough(600, 300)
