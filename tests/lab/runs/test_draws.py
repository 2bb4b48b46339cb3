"""The draws of runs: the same alone and together, and what is left out of a batch."""

import pytest
import torch
from torch.optim import SGD, lr_scheduler

from localmixup.lab.data.augmentation import augment
from localmixup.lab.runs.draws import CHUNK, Inputs, Run, batches, inputs_on, shares
from localmixup.lab.runs.optimizers import build_optimizer, rate_shares
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec


def run_of(prepared, seed=0, pairs="batch", **method):
    training = TrainingSpec(model="mlp", updates=1, batch_size=8, pairs=pairs)
    spec = RunSpec(data=DataSpec(name="d", fingerprint="f"), training=training, method=MethodSpec(**method), seed=seed)
    return Run(spec, prepared, inputs_on(torch.device("cpu"), prepared), prepared.y)


NEAR = {"method": "local-threshold", "parameter": 0.5, "kept_share": 0.25}


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_draws_are_of_the_training_rows_and_repeat(prepared, pairs):
    runs = [run_of(prepared, 3, pairs, **NEAR) for _ in range(2)]
    first, again = (run.draw(CHUNK, drop=False) for run in runs)
    for a, b in zip(first[:5], again[:5], strict=True):
        assert torch.equal(a, b)
    allowed = set(runs[0].rows.tolist())
    assert allowed.isdisjoint(runs[0].validation_rows.tolist())
    assert set(first.rows.flatten().tolist()) | set(first.partner_rows.flatten().tolist()) <= allowed
    other = run_of(prepared, 4, pairs, **NEAR).draw(CHUNK, drop=False)
    assert not torch.equal(first.rows, other.rows)
    if pairs == "batch":  # every row as often as any other, but for the last incomplete pass
        counts = first.rows.flatten().bincount(minlength=96)[runs[0].rows]
        assert counts.max() - counts.min() <= 1
        assert torch.equal(first.partner_rows, first.rows.gather(1, first.partner))


def test_a_batch_holds_the_pairs_that_count_of_every_run(prepared):
    runs, all_of = ([run_of(prepared, seed, **NEAR) for seed in range(3)] for _ in range(2))
    scale = torch.ones(3)
    inputs, y = runs[0].inputs, prepared.y
    kept = batches([run.draw(5, drop=True) for run in runs], inputs, y, scale, 32)
    full = batches([run.draw(5, drop=False) for run in all_of], inputs, y, scale, 32)
    for few, many in zip(kept, full, strict=True):
        torch.testing.assert_close(few.shares, many.shares)
        assert few.lam.shape[1] < many.lam.shape[1] == 32
        counts = (many.weights > 0).sum(dim=1)
        assert few.lam.shape[1] == counts.max()
        for r in range(3):
            counted, n = many.weights[r] > 0, int(counts[r])
            for name in ("inputs", "partner_inputs", "targets", "partner_targets", "lam", "weights", "moved"):
                assert torch.equal(getattr(few, name)[r, :n], getattr(many, name)[r][counted]), name
            assert (few.weights[r, n:] == 0).all()
        assert torch.isfinite(few.inputs).all()


def test_shares_by_hand():
    moved = torch.tensor([[True, True, False]])
    found = shares(moved, torch.tensor([[1.0, 0.5, 1.0]]), 4)[0].tolist()
    assert found == pytest.approx([2.5 / 4, 1.5 / 4, 2.5**2 / (4 * 2.25)])
    assert shares(moved, torch.zeros(1, 3), 3)[0].tolist() == [0, 0, 0]


def test_pixels_on_a_device_are_the_standardised_images():
    pixels = torch.randint(256, (9, 2, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    mean, scale = torch.tensor([100.0, 120.0]).view(1, 2, 1, 1), torch.tensor([0.01, 0.02]).view(1, 2, 1, 1)
    taken = Inputs(pixels, mean, scale).take(torch.tensor([5, 0]))
    torch.testing.assert_close(taken, (pixels[[5, 0]].float() - mean) * scale)


def test_a_sample_with_itself_is_one_augmented_image():
    from localmixup.lab.data.dataset import DataSet
    from localmixup.lab.data.prepared import prepare

    x = torch.randint(256, (40, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)).numpy()
    ready = prepare(DataSet("noise", "image", x, (torch.arange(40) % 2).numpy(), class_names=("a", "b")))
    training = TrainingSpec(model="lenet5", updates=1, batch_size=8, augmentation="crop-flip")
    spec = RunSpec(
        data=DataSpec(name="d", fingerprint="f"), training=training, method=MethodSpec(method="vanilla"), seed=0
    )
    run = Run(spec, ready, inputs_on(torch.device("cpu"), ready), ready.y)
    assert run.chunk == 1
    own, other = run.draw(1, drop=True).images
    assert torch.equal(own, other)
    assert not torch.equal(own, augment(own, "crop-flip", torch.Generator().manual_seed(0)))


# ---- learning rates -----------------------------------------------------------------------------------------------

SCHEDULERS = {
    "constant": lambda optimizer: lr_scheduler.ConstantLR(optimizer, 1.0),
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 40),
    "step": lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [10, 30], gamma=0.2),
}


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_learning_rates_are_those_of_the_schedulers_of_torch(name):
    settings = {"learning_rate": 0.3, "schedule": name, "milestones": (0.25, 0.75), "step_factor": 0.2}
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule, expected = SCHEDULERS[name](optimizer), []
    for _ in range(40):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    shares = rate_shares(TrainingSpec(model="mlp", updates=40, **settings))
    assert [0.3 * share for share in shares] == pytest.approx(expected, abs=1e-9)


def test_unknown_names_are_answered_with_the_known_ones():
    settings = TrainingSpec(model="mlp", updates=1, optimizer="adamm", schedule="cosin")
    with pytest.raises(ValueError, match=r"optimizer must be one of .* got 'adamm'; did you mean 'adam"):
        build_optimizer(settings, [torch.nn.Parameter(torch.zeros(1))])
    with pytest.raises(ValueError, match=r"schedule must be one of .* got 'cosin'; did you mean 'cosine'"):
        rate_shares(settings)


@pytest.mark.parametrize("name", ["sgd", "nesterov"])
def test_momentum(name):
    """Two steps by hand on a constant gradient of 1: 0.1 each time without momentum."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    settings = TrainingSpec(model="mlp", updates=1, optimizer=name, learning_rate=0.1, weight_decay=0.0)
    optimizer = build_optimizer(settings, [parameter])
    for _ in range(2):
        parameter.grad = torch.ones(1)
        optimizer.step()
    first, second = (1.0, 1.9) if name == "sgd" else (1.9, 2.71)
    assert parameter.item() == pytest.approx(-0.1 * (first + second))
