"""The training loop against a plain loop that is written here, and each run of a stack against the run alone."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from localmixup import CompleteGraph, ExponentialGraph, IdentityGraph, LocalMixup, ThresholdGraph
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.generators import digits
from localmixup.lab.data.prepared import prepare, split_validation
from localmixup.lab.data.sources import load
from localmixup.lab.methods import METHODS, Local
from localmixup.lab.models import MODELS, build_model
from localmixup.lab.runs.engine import stack_key
from localmixup.lab.runs.evaluate import unpack_regions
from localmixup.lab.runs.loop import train
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec

DATA = DataSpec(name="data", fingerprint="x")
PLAIN = {
    "model": "mlp", "pairs": "batch", "batch_size": 20, "optimizer": "adam", "learning_rate": 1e-3, "schedule": "constant",
    "weight_decay": 0.0, "updates": 30, "curve_points": 1, "regions": False,
}  # fmt: skip


def spec(method, seed=0, **training):
    method = {"method": method} if isinstance(method, str) else method
    return RunSpec(
        data=DATA, training=TrainingSpec(**{**PLAIN, **training}), method=MethodSpec(**method), seed=seed
    )  # fmt: skip


@pytest.fixture(scope="module")
def spirals():
    return prepare(load("spirals-gaussian"))


@pytest.fixture(scope="module")
def table():
    """A regression table of four columns."""
    x = torch.randn(150, 4, generator=torch.Generator().manual_seed(0))
    return prepare(DataSet("plane", "table", x.numpy(), (50 + 10 * x.sum(dim=1)).numpy()))


@pytest.fixture(scope="module")
def images():
    """Digits enlarged to 16 x 16 pixels."""
    x, y = digits()
    large = F.interpolate(torch.from_numpy(x[:200]).float(), size=(16, 16)).to(torch.uint8).numpy()
    return prepare(DataSet("large", "image", large, y[:200], class_names=tuple("0123456789")))


# ---- a plain loop -------------------------------------------------------------------------------------------------

GRAPHS = {
    "vanilla": lambda parameter: IdentityGraph(),
    "mixup": lambda parameter: CompleteGraph(),
    "local-threshold": ThresholdGraph,
    "local-exponential": ExponentialGraph,
}


def plain_loop(run, prepared):
    """One network, LocalMixup, torch's optimiser and scheduler; every pair goes through the network."""
    settings = run.training
    rows = torch.from_numpy(split_validation(prepared, run.seed, settings.validation_share)[0])
    x, y = prepared.x[rows], prepared.y[rows]
    order, draws = (torch.Generator().manual_seed(3 * run.seed + k) for k in range(2))
    mix = LocalMixup(
        GRAPHS[run.method.method](run.method.parameter), mixup_alpha=settings.mixup_alpha,
        prob=1.0 if run.method.mixed_share is None else run.method.mixed_share, generator=draws,
    )  # fmt: skip
    torch.manual_seed(run.seed)
    model = build_model(settings.model, tuple(x.shape[1:]), prepared.outputs)
    optimizer = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimizer](
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = {
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0),
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.updates),
        "step": lambda: torch.optim.lr_scheduler.MultiStepLR(
            optimizer, [round(m * settings.updates) for m in settings.milestones], settings.step_factor
        ),
    }[settings.schedule]()
    size = round(settings.batch_size / (run.method.kept_share or 1))
    waiting, losses = torch.zeros(0, dtype=torch.int64), []
    for _ in range(settings.updates):
        while len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(len(y), generator=order)])
        taken, waiting = waiting[:size], waiting[size:]
        batch = mix(x[taken], y[taken])
        if run.method.method == "vanilla":
            batch = batch._replace(inputs=x[taken], partner_targets=y[taken], weights=torch.ones(size))
        loss = run.method.loss_scale * batch.loss(
            F.cross_entropy, model(batch.inputs), reduction=settings.reduction
        )  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    outputs = model(prepared.x_test).argmax(dim=1)
    return losses, float((outputs != prepared.y_test).double().mean()) * 100


NEAR = {"method": "local-threshold", "parameter": 0.6, "kept_share": 0.083}
PLAIN_CASES = {
    "vanilla": ("vanilla", {}),
    "mixup": ("mixup", {"reduction": "sum"}),
    "mixup, another alpha": ("mixup", {"mixup_alpha": 0.4}),
    "mixup, a third of it": ({"method": "mixup", "mixed_share": 0.3}, {"schedule": "step", "milestones": (0.5,)}),
    "mixup, scaled": ({"method": "mixup", "loss_scale": 0.25}, {"weight_decay": 0.1}),
    "threshold": (NEAR, {"reduction": "weighted_mean"}),
    "threshold, mean": (NEAR, {"reduction": "mean"}),
    "nothing kept": ({"method": "local-threshold", "parameter": 1e-6}, {"reduction": "weighted_mean"}),
    "exponential": (
        {"method": "local-exponential", "parameter": 1.0, "kept_share": 0.3},
        {"optimizer": "adamw", "weight_decay": 0.01, "schedule": "cosine"},
    ),
    "another network": (NEAR, {"model": "mlp-leaky"}),
    "two softmaxes": ("mixup", {"model": "mlp3-softmax"}),
}


@pytest.mark.filterwarnings("ignore:.*pair:UserWarning")
@pytest.mark.parametrize("case", list(PLAIN_CASES))
def test_the_loop_is_the_plain_loop(case, spirals):
    method, settings = PLAIN_CASES[case]
    run = spec(method, seed=3, **settings)
    (outcome,) = train([run], spirals)
    losses, test_error = plain_loop(run, spirals)
    # the mean of all updates: a plan that differed in one pair would show
    assert outcome.curve[-1][1] == pytest.approx(np.mean(losses), abs=1e-4)
    assert outcome.test_error == pytest.approx(test_error, abs=0.51)  # two of 400 on the boundary


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*pair:UserWarning")
def test_final_errors_have_the_same_distribution(spirals):
    """200 runs each. After some hundred updates the same run differs by rounding; its law must not.

    Two-sample Kolmogorov-Smirnov and Student's test at p = 0.001 each: together they fail once in 500 draws of seeds.
    """
    runs = [spec(NEAR, seed=seed, updates=400) for seed in range(200)]
    ours = [o.test_error for k in range(0, 200, 40) for o in train(runs[k : k + 40], spirals)]
    plain = [plain_loop(run.model_copy(update={"seed": run.seed + 1000}), spirals)[1] for run in runs]
    assert stats.ks_2samp(ours, plain).pvalue > 0.001
    assert stats.ttest_ind(ours, plain).pvalue > 0.001


# ---- a stack ------------------------------------------------------------------------------------------------------

STACKED = [name for name, method in METHODS.items() if method.stacks and name != "cutmix"]
# a method that needs one source of pairs; the others are tried with both
ONE_SOURCE = {"recipe": "batch", "same-displacement": "batch", "same-displacement-of-set": "set"}
NEIGHBORS = ("local-knn", "same-displacement-of-set")
STACKED_WITH_PAIRS = [
    (name, pairs) for name in STACKED for pairs in ("set", "batch") if ONE_SOURCE.get(name, pairs) == pairs
]  # fmt: skip


@pytest.mark.parametrize(("name", "pairs"), STACKED_WITH_PAIRS)
def test_a_run_of_a_stack_is_that_run_alone(name, pairs, prepared):
    local = issubclass(METHODS[name], Local)
    method = {"method": name, **({"parameter": 3.0 if name in NEIGHBORS else 0.7} if local else {})}
    settings = {"pairs": pairs, "batch_size": 12, "updates": 70}  # more than one chunk of draws
    runs = [spec(method, seed=seed, **settings) for seed in range(3)]
    others = [spec({"method": "mixup", "loss_scale": 0.5}, seed=9, **settings)]
    if stack_key(others[0], prepared) == stack_key(runs[0], prepared):
        runs = [*others, *runs]
    assert len({stack_key(run, prepared) for run in runs}) == 1
    together, (alone,) = train(runs, prepared), train(runs[-1:], prepared)
    assert together[-1].curve[0][1] == pytest.approx(alone.curve[0][1], abs=1e-4)
    for share in ("mixed_share", "ess_ratio", "mean_weight"):
        assert getattr(together[-1], share) == pytest.approx(getattr(alone, share), abs=1e-4), share
    assert together[-1].parameters == alone.parameters
    assert len({outcome.curve[0] for outcome in together}) == len(runs)


@pytest.mark.parametrize("name", ["mixup", "local-exponential", "c-mixup", "manifold-local"])
def test_a_stack_learns_regression(name, table):
    """RMSE in the unit of the target, whose standard deviation is 20."""
    method = {"method": name, "parameter": 1.0} if name == "local-exponential" else {"method": name}
    runs = [spec(method, seed=seed, pairs="set", updates=250, learning_rate=1e-2) for seed in range(2)]
    together, (alone,) = train(runs, table), train(runs[1:], table)
    assert together[1].curve[0] == pytest.approx(alone.curve[0], rel=0.05)  # 250 updates of rounding
    assert max(o.test_error for o in together) < 6


def test_the_kept_weights_are_the_best_of_each_run(spirals):
    settings = {"updates": 600, "learning_rate": 0.1, "curve_points": 12, "train_error": True, "regions": True}
    runs = {keep: [spec("mixup", seed=k, keep=keep, **settings) for k in range(3)] for keep in ("last", "best")}
    last, best = (train(runs[keep], spirals) for keep in ("last", "best"))
    for a, b in zip(last, best, strict=True):
        assert a.curve == b.curve
        assert len(a.train_errors) == len(a.curve) > 5
        assert a.validation_error == a.curve[-1][2]
        assert b.validation_error == min(point[2] for point in b.curve)
    assert any(a.test_error != b.test_error for a, b in zip(last, best, strict=True))
    assert unpack_regions(best[0].regions).shape == (120, 120)
    # the kept weights give the kept error again: the grid of the best network is another than that of the last
    assert any(a.regions != b.regions for a, b in zip(last, best, strict=True))


def test_without_a_validation_part_there_is_no_error_on_it(spirals):
    (outcome,) = train([spec("mixup", validation_share=0.0, keep="best")], spirals)
    assert np.isnan(outcome.validation_error)
    assert outcome.test_error < 60


# ---- stacks of one ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", list(MODELS))
def test_every_model_trains_on_augmented_images(model, images):
    for pairs in ("set", "batch"):
        method = {"method": "local-threshold", "parameter": 9.0, "kept_share": 0.5}
        settings = {"pairs": pairs, "updates": 2, "batch_size": 4, "augmentation": "crop-flip", "model": model}
        (outcome,) = train([spec(method, **settings)], images)
        assert np.isfinite(outcome.curve[0][1])
        assert outcome.regions is None
        shape = tuple(images.x.shape[1:])
        assert outcome.parameters == sum(p.numel() for p in build_model(model, shape, 10).parameters())


def test_corruptions_are_measured_on_images_in_zero_to_one(images):
    """No noise changes nothing, and noise of a whole range leaves chance: nine errors in ten."""
    names = ("gaussian 0", "gaussian 0.05", "gaussian 100")
    settings = {"model": "lenet5", "updates": 60, "measure": names, "learning_rate": 3e-3}
    (outcome,) = train([spec("vanilla", **settings)], images)
    assert outcome.measured["gaussian 0"] == outcome.test_error < 50
    assert outcome.measured["gaussian 100"] > 70
    assert list(outcome.measured) == list(names)


def test_companions_are_trained_and_counted(prepared):
    plain, more = (train([spec(name, updates=5)], prepared)[0].parameters for name in ("mixup", "adamixup"))
    assert plain == 2 * 100 + 100 + 100 * 100 + 100 + 100 * 2 + 2
    assert more > 2 * plain - 1000
    with pytest.raises(ValueError, match="adamixup must be trained alone, got 2"):
        train([spec("adamixup", seed=k) for k in range(2)], prepared)


def test_half_precision_trains(prepared):
    wide, half = (train([spec("mixup", precision=p)], prepared)[0].curve[0][1] for p in ("no", "bf16"))
    assert half != wide
    assert half == pytest.approx(wide, abs=0.05)
