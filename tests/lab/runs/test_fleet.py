"""A fleet trains the very runs that the plain loop trains, faster."""

import numpy as np
import pytest
import torch
from scipy import stats

from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.sources import load
from localmixup.lab.runs import fleet
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.train import train

DATA = DataSpec(name="spirals", fingerprint="x")
CASES = {
    "vanilla": ({"method": "vanilla"}, {}),
    "mixup": ({"method": "mixup"}, {"reduction": "sum"}),
    "mixup, a third of it": ({"method": "mixup", "mixed_share": 0.3}, {"schedule": "step", "milestones": (0.5,)}),
    "mixup, scaled": ({"method": "mixup", "loss_scale": 0.25}, {"weight_decay": 0.1}),
    "threshold": ({"method": "local-threshold", "parameter": 0.6, "kept_share": 0.083}, {"reduction": "weighted_mean"}),
    "nothing kept": ({"method": "local-threshold", "parameter": 1e-6}, {"reduction": "weighted_mean"}),
    "exponential": (
        {"method": "local-exponential", "parameter": 1.0, "kept_share": 0.3},
        {"optimizer": "adamw", "weight_decay": 0.01, "schedule": "cosine"},
    ),
    "published": ({"method": "published-spirals", "parameter": 1.0, "kept_share": 0.2}, {"model": "mlp3-softmax"}),
}


@pytest.fixture(scope="module")
def spirals():
    return prepare(load("spirals-gaussian"))


def spec(case, *, seed=0, **training):
    method, settings = CASES[case]
    plain = {"optimizer": "adam", "learning_rate": 1e-3, "schedule": "constant", "weight_decay": 0.0, "updates": 30}
    settings = {"model": "mlp", "pairs": "batch", "batch_size": 20, **plain, **settings, **training}
    return RunSpec(data=DATA, training=TrainingSpec(**settings), method=MethodSpec(**method), seed=seed)


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("updates", [1, 7, 30])
def test_a_run_of_a_fleet_is_that_run_alone(case, updates, spirals):
    one = spec(case, seed=3, updates=updates, regions=False)
    assert fleet.can_train(one, spirals)
    (ours,) = fleet.train_many([one], spirals)
    alone = train(one, spirals)
    # the mean loss of all updates: one plan that differed in one pair would show
    assert ours.curve[-1][1] == pytest.approx(alone.curve[-1][1], abs=1e-4)
    assert ours.curve[-1][0] == updates
    for name in ("mixed_share", "effective_sample_size", "mean_weight"):
        assert getattr(ours, name) == pytest.approx(getattr(alone, name), abs=1e-6), name
    assert ours.parameters == alone.parameters
    assert ours.test_error == pytest.approx(alone.test_error, abs=0.51)  # two of 400 on the edge
    assert ours.validation_error == pytest.approx(alone.validation_error, abs=0.7)


def test_weights_agree_after_thirty_updates(spirals):
    from localmixup.lab.models import build_model

    one = spec("exponential", seed=5, regions=True)
    ours, alone = fleet.train_many([one], spirals)[0], train(one, spirals)
    from localmixup.lab.runs.train import unpack_regions

    assert (unpack_regions(ours.regions) != unpack_regions(alone.regions)).mean() < 0.001
    torch.manual_seed(5)
    model = build_model("mlp", (2,), 2)
    before = [p.detach().clone() for p in model.parameters()]
    network = fleet._Network(model)
    network.write(model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_other_runs_do_not_matter(spirals):
    several = [spec("threshold", seed=seed) for seed in range(4)]
    together = fleet.train_many(several, spirals)
    assert together[2]._replace(train_seconds=0) == fleet.train_many(several[2:3], spirals)[0]._replace(train_seconds=0)
    assert len({outcome.curve[0] for outcome in together}) == 4


def test_curves_hold_what_the_plain_loop_holds(spirals):
    one = spec("threshold", updates=150, curve_points=4, train_error=True)
    ours, alone = fleet.train_many([one], spirals)[0], train(one, spirals)
    assert [point[0] for point in ours.curve] == [point[0] for point in alone.curve]
    assert len(ours.train_errors) == len(alone.train_errors) == len(ours.curve)


def test_no_validation_part_means_nan(spirals):
    outcome = fleet.train_many([spec("mixup", validation_share=0.0)], spirals)[0]
    assert np.isnan(outcome.validation_error)
    assert np.isnan(train(spec("mixup", validation_share=0.0), spirals).validation_error)


@pytest.mark.parametrize(
    ("method", "training"),
    [
        ({"method": "local-knn", "parameter": 5}, {}),
        ({"method": "mixup"}, {"mixup_alpha": 0.5}),
        ({"method": "mixup"}, {"pairs": "set"}),
        ({"method": "mixup"}, {"optimizer": "nesterov"}),
        ({"method": "mixup"}, {"keep": "best"}),
        ({"method": "local-exponential", "parameter": float("inf")}, {}),
        ({"method": "local-threshold", "parameter": 1.0, "mixed_share": 0.5}, {}),
        ({"method": "within-class"}, {}),
    ],
)
def test_what_a_fleet_cannot_do_goes_to_the_plain_loop(method, training, spirals):
    one = RunSpec(
        data=DATA,
        training=TrainingSpec(**{"model": "mlp", "pairs": "batch", "optimizer": "adam", "updates": 5, **training}),
        method=MethodSpec(**method),
        seed=0,
    )
    assert not fleet.can_train(one, spirals)


@pytest.mark.slow
def test_final_errors_have_the_same_distribution(spirals):
    """200 runs each: beyond some hundred updates the same run differs by rounding, its law must not.

    Two-sample Kolmogorov-Smirnov and Student's test at p = 0.001 each: together they fail once in 500 draws of seeds.
    """
    several = [spec("threshold", seed=seed, updates=400, curve_points=1, regions=False) for seed in range(200)]
    ours = [outcome.test_error for outcome in fleet.train_many(several, spirals)]
    alone = [train(one.model_copy(update={"seed": one.seed + 1000}), spirals).test_error for one in several]
    assert stats.ks_2samp(ours, alone).pvalue > 0.001
    assert stats.ttest_ind(ours, alone).pvalue > 0.001
