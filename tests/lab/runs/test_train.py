"""One run: what it trains, and that it is the same every time."""

import pytest
import torch
import torch.nn.functional as F

from localmixup.lab.data.augmentation import augment
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.generators import digits
from localmixup.lab.data.prepared import prepare
from localmixup.lab.methods import METHODS, Batch, Method
from localmixup.lab.models import MODELS
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.train import _Inputs, error, train, unpack_regions

DATA = DataSpec(name="blobs", fingerprint="x")
SPECS = [
    MethodSpec(method="vanilla"),
    MethodSpec(method="mixup"),
    MethodSpec(method="mixup", mixed_share=0.5),
    MethodSpec(method="mixup", loss_scale=0.25),
    MethodSpec(method="local-threshold", parameter=0.7, kept_share=0.2),
    MethodSpec(method="local-exponential", parameter=2.0, kept_share=0.2),
    MethodSpec(method="local-knn", parameter=5, kept_share=0.2),
    MethodSpec(method="within-class"),
    MethodSpec(method="between-class"),
]


def run(spec, prepared, *, seed=0, **options):
    settings = TrainingSpec(**{"model": "mlp", "updates": 60, "batch_size": 16, "learning_rate": 0.01, **options})
    return train(RunSpec(data=DATA, training=settings, method=spec, seed=seed), prepared)


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.method}-{s.mixed_share}-{s.loss_scale}")
def test_every_method_learns_and_repeats(spec, pairs, prepared):
    first, again = (run(spec, prepared, pairs=pairs) for _ in range(2))
    assert first.test_error < 25
    assert first._replace(train_seconds=0) == again._replace(train_seconds=0)
    assert run(spec, prepared, pairs=pairs, seed=1).curve != first.curve
    assert first.curve[-1][0] == 60
    assert first.curve[-1][2] == first.validation_error
    assert unpack_regions(first.regions).max() == 1
    if spec.method == "vanilla":
        assert first.mixed_share == 0
    if pairs == "set":
        assert first.mean_weight == 1
        assert first.effective_sample_size == pytest.approx(1)
    if spec.mixed_share == 0.5:
        assert first.mixed_share == pytest.approx(0.5, abs=0.06)  # four standard errors of 960 draws


def test_the_ends_of_the_local_range_are_the_other_methods(prepared):
    everything = MethodSpec(method="local-threshold", parameter=1e9)
    nothing = MethodSpec(method="local-knn", parameter=0)
    for local, end in ((everything, MethodSpec(method="mixup")), (nothing, MethodSpec(method="vanilla"))):
        a, b = run(local, prepared), run(end, prepared)
        assert a.mixed_share == pytest.approx(b.mixed_share, abs=0.02)
        assert a.test_error == pytest.approx(b.test_error, abs=9)
    assert run(nothing, prepared).curve == run(MethodSpec(method="vanilla"), prepared).curve


# those that do no more than mix the inputs; the others have tests of their own in methods/
PLAIN = [name for name, method in METHODS.items() if (method.step, method.loss) == (Method.step, Method.loss)]


@pytest.mark.parametrize("name", PLAIN)
def test_loss_is_that_of_its_mixed_batch(name):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(20, 1, 2, 2, generator=g), torch.arange(20) % 2  # images, which all methods take
    settings = TrainingSpec(model="mlp", updates=1)
    spec = MethodSpec(method=name, parameter=3, loss_scale=0.5)
    method = METHODS[name](spec, settings, "classification", torch.Generator().manual_seed(1))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    first, second = method.pairs(x, y).sample(8)
    if name == "within-class":
        assert torch.equal(y[first], y[second])
    if name == "between-class":
        assert (y[first] != y[second]).all()
    for batch in (Batch(x, y), Batch(x[first], y[first], x[second], y[second])):
        mixed = method.mixed(batch)
        each = [
            float(w) * float(lam * F.cross_entropy(o[None], a[None]) + (1 - lam) * F.cross_entropy(o[None], b[None]))
            for o, a, b, lam, w in zip(
                model(mixed.inputs).detach(),
                mixed.targets,
                mixed.partner_targets,
                mixed.lam,
                mixed.weights,
                strict=True,
            )
        ]
        assert method.loss(model, mixed).item() == pytest.approx(0.5 * sum(each) / len(each), rel=1e-5)


def test_error_is_counted_right(prepared):
    class Always(torch.nn.Module):
        def forward(self, x):
            return torch.tensor([[0.0, 1.0]]).expand(len(x), 2)

    wrong = float((prepared.y_test == 0).double().mean()) * 100
    assert error(Always(), prepared.x_test, prepared.y_test, prepared) == pytest.approx(wrong)


def test_regression_reports_rmse_in_the_unit_of_the_target():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=g)
    y = 50 + 10 * x.sum(dim=1)
    ready = prepare(DataSet("plane", "table", x.numpy(), y.numpy()))
    outcome = run(MethodSpec(method="vanilla"), ready, updates=400)
    assert outcome.test_error < 4  # a fifth of the spread of 17
    mean_only = error(torch.nn.Sequential(torch.nn.Flatten(), Zero()), ready.x_test, ready.y_test, ready)
    assert mean_only == pytest.approx(float((ready.y_test * ready.y_scale).square().mean().sqrt()), rel=1e-5)


class Zero(torch.nn.Module):
    def forward(self, x):
        return x[:, :1] * 0


@pytest.mark.parametrize("name", ["crop", "crop-flip"])
def test_augmentation_moves_every_image_by_itself(name):
    images = torch.arange(16.0).view(1, 1, 4, 4).repeat(200, 2, 1, 1)
    moved = augment(images, name, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    assert len(moved.flatten(1).unique(dim=0)) > 5, "all images share one crop"
    padded = F.pad(images[0], (1, 1, 1, 1))
    crops = [padded[:, i : i + 4, j : j + 4] for i in range(3) for j in range(3)]
    if name == "crop-flip":
        crops += [crop.flip(2) for crop in crops]
    for image in moved:
        assert any(torch.equal(image, crop) for crop in crops)
    assert augment(images, "none", torch.Generator()) is images


def test_the_published_augmentation_moves_all_images_of_a_batch_alike():
    images = torch.arange(2 * 3 * 16.0).view(2, 3, 4, 4).repeat(20, 1, 1, 1)
    generator = torch.Generator().manual_seed(0)
    moves = set()
    for _ in range(300):
        moved = augment(images, "crop-flip-batch", generator)
        assert moved.shape == images.shape
        found = []
        for flip in (False, True):
            for i in range(3):
                for j in range(3):
                    crop = F.pad(images, (1, 1, 1, 1))[:, :, i : i + 4, j : j + 4]
                    if torch.equal(moved, crop.flip(3) if flip else crop):
                        found.append((flip, i, j))
        assert len(found) == 1, "the images do not share one crop and one flip"
        moves.add(found[0])
    assert len(moves) == 18  # of 300 batches all of the 18 moves come but once in a million seeds


def test_images_train_with_augmentation_on_every_model():
    x, y = digits()
    big = torch.nn.functional.interpolate(torch.from_numpy(x[:200]).float(), size=(16, 16)).to(torch.uint8).numpy()
    ready = prepare(DataSet("big", "image", big, y[:200], class_names=tuple("0123456789")))
    for model in MODELS:
        for pairs in ("set", "batch"):
            outcome = run(SPECS[4], ready, model=model, updates=2, batch_size=4, augmentation="crop-flip", pairs=pairs)
            assert 0 <= outcome.test_error <= 100
            assert outcome.regions is None


@pytest.fixture(scope="module")
def small_digits():
    x, y = digits()
    big = torch.nn.functional.interpolate(torch.from_numpy(x[:300]).float(), size=(16, 16)).to(torch.uint8).numpy()
    return prepare(DataSet("big", "image", big, y[:300], class_names=tuple("0123456789")))


def test_pixels_on_the_device_are_the_standardised_images(small_digits):
    rows = torch.tensor([5, 0, 17])
    taken = _Inputs(small_digits.pixels, small_digits.mean, small_digits.scale).take(rows)
    assert small_digits.pixels.dtype == torch.uint8
    assert torch.allclose(taken, small_digits.x[rows], atol=1e-5)


def test_corruptions_are_measured_on_images_in_zero_to_one(small_digits):
    """No noise changes nothing, and noise of a whole range leaves chance: nine errors in ten."""
    names = ("gaussian 0", "gaussian 0.05", "gaussian 100")
    outcome = run(
        MethodSpec(method="vanilla"), small_digits, model="lenet5", updates=60, measure=names, learning_rate=2e-3
    )
    assert outcome.measured["gaussian 0"] == outcome.test_error
    assert outcome.test_error < 50
    assert outcome.measured["gaussian 100"] > 70
    assert list(outcome.measured) == list(names)


def test_the_best_model_on_the_validation_split_can_be_kept(prepared):
    settings = {"updates": 200, "learning_rate": 0.3, "schedule": "constant", "weight_decay": 0.0, "curve_points": 20}
    last, best = (run(MethodSpec(method="mixup"), prepared, keep=keep, **settings) for keep in ("last", "best"))
    assert last.curve == best.curve
    assert best.validation_error == min(point[2] for point in best.curve)
    assert last.validation_error == last.curve[-1][2]


def test_training_on_the_whole_pool_has_no_validation_error(prepared):
    outcome = run(MethodSpec(method="mixup"), prepared, validation_share=0.0, train_error=True)
    assert outcome.validation_error != outcome.validation_error
    assert len(outcome.train_errors) == len(outcome.curve)
    assert outcome.train_errors[-1] < 25


def test_parameters_of_companions_are_counted(prepared):
    plain = run(MethodSpec(method="mixup"), prepared, updates=1).parameters
    assert plain == 2 * 100 + 100 + 100 * 100 + 100 + 100 * 2 + 2
    assert run(MethodSpec(method="adamixup"), prepared, updates=1).parameters > 2 * plain - 1000


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "nesterov"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_optimisers_and_schedules_by_name(name, schedule, prepared):
    rate = 0.05 if name in ("sgd", "nesterov") else 0.01
    settings = {"optimizer": name, "schedule": schedule, "milestones": (0.5,), "learning_rate": rate}
    assert run(MethodSpec(method="vanilla"), prepared, **settings).test_error < 25


def test_an_unknown_optimiser_is_named(prepared):
    with pytest.raises(ValueError, match=r"optimizer must be one of .* got 'adamm'; did you mean 'adam"):
        run(MethodSpec(method="vanilla"), prepared, optimizer="adamm")
