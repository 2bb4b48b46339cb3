"""What holds for all methods beyond the paper's own: they train, repeat, and leave global randomness alone."""

import pytest
import torch
from localmixup.lab.runs.train import train

from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import prepare
from localmixup.lab.methods import METHODS, Batch
from localmixup.lab.models import build_model
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec

PARAMETERS = {
    "local-threshold": 1.0,
    "local-exponential": 1.0,
    "local-knn": 3,
    "published-spirals": 1.0,
    "published-cifar": 1.0,
}
OTHERS = [name for name in METHODS if name != "cutmix"]


def run(name, prepared, pairs, **options):
    settings = TrainingSpec(model="mlp", updates=60, batch_size=16, learning_rate=0.01, pairs=pairs, **options)
    spec = MethodSpec(method=name, parameter=PARAMETERS.get(name))
    data = DataSpec(name="blobs", fingerprint="x")
    return train(RunSpec(data=data, training=settings, method=spec, seed=0), prepared)


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("name", OTHERS)
def test_it_learns_and_repeats(name, pairs, prepared):
    first, again = (run(name, prepared, pairs) for _ in range(2))
    # two classes 3.5 deviations apart, so an error of 4 % at best; one that learns nothing errs half the time
    assert first.test_error < 25
    assert first._replace(train_seconds=0) == again._replace(train_seconds=0)
    assert 0 < first.mean_weight <= 1
    assert 0 < first.effective_sample_size <= 1 + 1e-6


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_half_of_the_samples_of_adamixup_are_mixed(pairs, prepared):
    assert run("adamixup", prepared, pairs).mixed_share == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("name", [n for n in OTHERS if n not in ("within-class", "between-class")])
def test_it_learns_values(name, pairs):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=g)
    y = 50 + 10 * x.sum(dim=1)
    ready = prepare(DataSet("plane", "table", x.numpy(), y.numpy()))
    assert run(name, ready, pairs).test_error < 17 * 0.8  # the deviation of y is 17


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("name", list(METHODS))
def test_images_pass_and_neither_they_nor_the_global_state_are_touched(name, pairs, make, batch_of):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(12, 1, 16, 16, generator=g), torch.arange(12) % 3
    model = build_model("resnet", (1, 16, 16), 3)
    method = make(name, parameter=PARAMETERS.get(name))
    companion = method.companion(model, x)
    batch = batch_of(method, pairs, x, y)
    before = [None if part is None else part.clone() for part in batch]
    state = torch.random.get_rng_state()
    loss, mixed = method.step(model, batch)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(a is b or torch.equal(a, b) for a, b in zip(Batch(*before), batch, strict=True))
    assert loss.ndim == 0
    assert torch.isfinite(loss)
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert mixed.inputs.shape == batch.inputs.shape
    assert all(len(part) == len(batch.inputs) for part in mixed)
    assert companion is None or name == "adamixup"


@pytest.mark.parametrize("name", list(METHODS))
def test_an_unknown_option_is_named(name, make):
    with pytest.raises(ValueError, match=f"options of {name} must be of .*, got colour"):
        make(name, parameter=PARAMETERS.get(name), colour=1.0)
