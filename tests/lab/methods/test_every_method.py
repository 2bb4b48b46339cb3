"""What holds for all methods: their draws, their losses on images, and that they learn."""

import math

import pytest
import torch
import torch.nn.functional as F

from localmixup import CompleteGraph, ExponentialGraph, KNNGraph, LocalMixup, ThresholdGraph
from localmixup.lab.methods import METHODS
from localmixup.lab.methods.base import Method
from localmixup.lab.models import build_model
from localmixup.lab.runs.loop import train
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec

PARAMETERS = {
    "local-threshold": 2.0, "local-exponential": 1.0, "local-knn": 3, "published-spirals": 1.0, "published-cifar": 1.0,
    "same-displacement-of-set": 3,
}  # fmt: skip
LOCAL = {
    "mixup": CompleteGraph(), "local-threshold": ThresholdGraph(2.0), "local-exponential": ExponentialGraph(1.0),
    "local-knn": KNNGraph(3), "published-spirals": ThresholdGraph(1.0),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*pair:UserWarning")
@pytest.mark.parametrize("name", list(LOCAL))
def test_plans_of_a_chunk_are_those_of_local_mixup_batch_by_batch(name, make, points):
    x, y = points
    mix = LocalMixup(LOCAL[name], generator=torch.Generator().manual_seed(4))
    plan = make(name, parameter=PARAMETERS.get(name), seed=4).plan(x, y, size=4)
    for start in range(0, 12, 4):
        part = slice(start, start + 4)
        alone = mix.plan(x[part])
        assert torch.equal(plan.partner[part] - start, alone.partner)
        torch.testing.assert_close(plan.lam[part], alone.lam)
        torch.testing.assert_close(plan.weights[part], alone.weights)


@pytest.mark.parametrize("name", ["within-class", "between-class"])
def test_partners_by_class(name, make, points, draw):
    for pairs in ("batch", "set"):
        batch = draw(make(name), pairs, *points)
        assert ((batch.targets == batch.partner_targets) == (name == "within-class")).all()
        assert batch.moved.all()


# methods that only mix the inputs; the others are tested in files of their own
IN_BATCH = ("recipe", "feature-recipe", "same-displacement")
IN_SET = ("same-displacement-of-set",)


def cases(names):
    """Every method with every source of pairs that it knows."""
    unknown = {"set": IN_BATCH, "batch": IN_SET}
    return [(name, pairs) for name in names for pairs in ("set", "batch") if name not in unknown[pairs]]


PLAIN = [n for n, m in METHODS.items() if (m.losses, m.reduced) == (Method.losses, Method.reduced)]


@pytest.mark.parametrize(("name", "pairs"), cases(PLAIN))
def test_the_loss_is_that_of_the_mixed_samples(name, pairs, make, points, network, draw, step, same_gradients):
    method = make(name, parameter=PARAMETERS.get(name), loss_scale=0.5, pairs=pairs)
    batch = draw(method, pairs, *points)
    loss, weights = step(method, network, batch)
    slow = 0.0
    rows = (t[0] for t in (batch.inputs, batch.partner_inputs, batch.targets, batch.partner_targets, batch.lam))
    for own, other, a, b, lam, weight in zip(*rows, weights, strict=True):
        output = network((lam * own + (1 - lam) * other)[None])
        slow = slow + weight * (lam * F.cross_entropy(output, a[None]) + (1 - lam) * F.cross_entropy(output, b[None]))
    slow = 0.5 * slow / batch.size
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5)
    same_gradients(loss, slow, network)


@pytest.mark.parametrize(("name", "pairs"), cases(METHODS))
def test_images_pass_and_neither_they_nor_the_global_state_change(name, pairs, make, draw, step):
    x, y = torch.randn(12, 1, 16, 16, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3
    model = build_model("resnet", (1, 16, 16), 3)
    method = make(name, parameter=PARAMETERS.get(name), pairs=pairs)
    companion = method.companion(model, x)
    batch = draw(method, pairs, x, y)
    before, state = (batch.inputs.clone(), batch.partner_inputs.clone()), torch.random.get_rng_state()
    loss, weights = step(method, model, batch)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(batch.inputs, before[0])
    assert torch.equal(batch.partner_inputs, before[1])
    assert torch.isfinite(loss)
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert weights.shape == batch.lam.shape[1:]
    assert companion is None or name == "adamixup"


@pytest.mark.parametrize(("name", "pairs"), cases(name for name in METHODS if name != "cutmix"))
def test_it_learns(name, pairs, prepared):
    training = TrainingSpec(model="mlp", updates=60, batch_size=16, learning_rate=0.01, pairs=pairs)
    parameter = {**PARAMETERS, "local-threshold": 0.7}.get(name)
    method, data = MethodSpec(method=name, parameter=parameter), DataSpec(name="blobs", fingerprint="x")
    (outcome,) = train([RunSpec(data=data, training=training, method=method, seed=0)], prepared)
    # two classes 3.5 deviations apart, so an error of 4 % at best; one that learns nothing errs half the time
    assert outcome.test_error < 25
    assert 0 < outcome.mean_weight <= 1
    assert 0 < outcome.ess_ratio <= 1 + 1e-6
    if name == "vanilla":
        assert outcome.mixed_share == 0
    if name == "adamixup":  # half of the samples, of which one in 8 or 77 meets itself
        assert outcome.mixed_share == pytest.approx(0.5, abs=0.08)
    if pairs == "set" and name.startswith(("local", "mixup")):
        assert outcome.mean_weight == outcome.ess_ratio == 1


def test_the_mixed_share_is_that_of_the_specification(prepared):
    data, shares = DataSpec(name="blobs", fingerprint="x"), {}
    for pairs in ("set", "batch"):
        training = TrainingSpec(model="mlp", updates=100, batch_size=16, pairs=pairs)
        spec = MethodSpec(method="mixup", mixed_share=0.5)
        shares[pairs] = train([RunSpec(data=data, training=training, method=spec, seed=0)], prepared)[0].mixed_share
    # 4.5 standard errors of 1600 draws; in a batch one of 16 permuted samples meets itself
    assert shares["set"] == pytest.approx(0.5, abs=4.5 * 0.5 / math.sqrt(1600))
    assert shares["batch"] == pytest.approx(0.5 * 15 / 16, abs=4.5 * 0.5 / math.sqrt(1600))


@pytest.mark.parametrize("name", list(METHODS))
def test_an_unknown_option_is_named(name, make):
    with pytest.raises(ValueError, match=f"options of {name} must be of .*, got colour"):
        make(name, parameter=PARAMETERS.get(name), colour=1.0)
