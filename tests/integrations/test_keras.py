"""`LocalMixupDataset` in a real `model.fit` with the installed backends: exact weights, workers, errors."""

import contextlib
import importlib.util
import io
import json
import os
import pickle
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch
import torch.nn.functional as F

from localmixup import CompleteGraph, ExponentialGraph, KNNGraph, LocalMixup, ThresholdGraph

EXAMPLE = Path(__file__).parents[2] / "examples" / "keras_fit.py"


@pytest.fixture(scope="module")
def dataset_class(tmp_path_factory):
    """The class, with Keras on PyTorch in this process."""
    if not importlib.util.find_spec("keras"):
        pytest.skip("keras is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        from localmixup.integrations.keras import LocalMixupDataset

        yield LocalMixupDataset


def data(m=50):
    generator = np.random.default_rng(0)
    return generator.normal(size=(m, 6)).astype(np.float32), np.arange(m) % 3


FIT = """
import json, keras, numpy as np, torch
import torch.nn.functional as F
from localmixup import ExponentialGraph, ThresholdGraph
from localmixup.integrations.keras import LocalMixupDataset

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
found = {"backend": keras.backend.backend()}

def one_step(y, num_classes, loss, criterion):
    x = rng.normal(size=(40, 6)).astype("float32")
    data, again = (
        LocalMixupDataset(x, y, ExponentialGraph(decay=0.5), num_classes=num_classes, batch_size=40, seed=3) for _ in "12"
    )
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    before = torch.tensor(keras.ops.convert_to_numpy(model.weights[0]), requires_grad=True)
    model.compile(loss=loss, optimizer=keras.optimizers.SGD(1.0))
    seen = model.fit(data, epochs=1, verbose=0).history["loss"][0]
    for _ in range(data.epoch - 1):
        again.on_epoch_end()
    batch = again.mixed_batch(0)
    exact = batch.loss(criterion, batch.inputs @ before)
    (gradient,) = torch.autograd.grad(exact, before)
    step = before.detach().numpy() - keras.ops.convert_to_numpy(model.weights[0])
    return seen, exact.item(), float(abs(step - gradient.numpy()).max()), float(batch.weights.std())

found["classes"] = one_step(
    np.arange(40) % 3, 3, keras.losses.CategoricalCrossentropy(from_logits=True), F.cross_entropy
)
found["several labels"] = one_step(
    rng.integers(0, 2, (40, 3)), None, keras.losses.BinaryCrossentropy(from_logits=True), F.binary_cross_entropy_with_logits
)

y = np.arange(300) % 3
x = {k: rng.normal(size=(300, 4)).astype("float32") + 3 * np.eye(3, 4, dtype="float32")[y] for k in "ab"}
inputs = {name: keras.Input((4,), name=name) for name in "ab"}
hidden = keras.layers.Dense(16, activation="relu")(keras.layers.Concatenate()([inputs["a"], inputs["b"]]))
model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(0.01), weighted_metrics=["accuracy"])
data = LocalMixupDataset(
    x, y, ThresholdGraph(radius=4.0), num_classes=3, batch_size=64, seed=0, workers=2, outside="unmix"
)
fit = model.fit(data, validation_data=(x, np.eye(3)[y]), epochs=8, verbose=0)
found["accuracy"] = fit.history["val_accuracy"][-1]
print(json.dumps(found))
"""


def check_fit(printed, backend):
    """Check a step on classes, a step on several labels, and training on several inputs with workers."""
    found = json.loads(printed.splitlines()[-1])
    assert found["backend"] == backend
    for kind in ("classes", "several labels"):
        seen, exact, difference, spread = found[kind]
        assert spread > 0.01
        assert seen == pytest.approx(exact, abs=2e-6)
        assert difference < 2e-6
    assert found["accuracy"] > 0.95


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_fit_with_pytorch_trains_with_the_weighted_mean_and_learns(dataset_class):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(FIT, "fit", "exec"), {})
    check_fit(printed.getvalue(), "torch")


@pytest.mark.skipif(not importlib.util.find_spec("keras"), reason="keras is not installed")
@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="jax is not installed")
def test_fit_with_jax_trains_with_the_weighted_mean_and_learns(tmp_path):
    """In a process of its own, because Keras reads the backend when it is imported."""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", FIT], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    check_fit(done.stdout, "jax")


def test_triples_are_the_mixed_batch(dataset_class):
    x, y = data()
    made = dataset_class(x, y, ExponentialGraph(decay=0.5), num_classes=3, batch_size=16, seed=0)
    assert len(made) == 4
    assert [len(made[i][1]) for i in range(4)] == [16, 16, 16, 2]
    model = torch.nn.Linear(6, 3)
    for i in range(4):
        inputs, targets, weights = made[i]
        assert {type(a) for a in (inputs, targets, weights)} == {np.ndarray}
        assert inputs.dtype == targets.dtype == weights.dtype == np.float32
        assert weights.mean() == pytest.approx(1, rel=1e-5)
        np.testing.assert_allclose(targets.sum(1), 1, rtol=1e-5)
        batch = made.mixed_batch(i)
        outputs = model(batch.inputs)
        rows = -(torch.from_numpy(targets) * outputs.log_softmax(1)).sum(1)
        ours = (torch.from_numpy(weights) * rows).sum() / len(rows)
        assert ours.item() == pytest.approx(batch.loss(F.cross_entropy, outputs).item(), abs=1e-6)
        assert np.array_equal(inputs, batch.inputs.numpy())


def test_each_epoch_takes_every_sample_once_in_a_new_order(dataset_class):
    x, _ = data()
    values = np.arange(50.0, dtype=np.float32)
    made = dataset_class(x, values, CompleteGraph(), batch_size=16, prob=0.0, seed=0)
    epochs = []
    for _ in range(2):
        epochs.append(np.concatenate([made[i][1] for i in range(len(made))]))
        made.on_epoch_end()
    for epoch in epochs:
        assert sorted(epoch) == list(values)
    assert not np.array_equal(*epochs)
    still = dataset_class(x, values, CompleteGraph(), batch_size=16, prob=0.0, shuffle=False)
    assert np.array_equal(np.concatenate([still[i][1] for i in range(4)]), values)


def test_a_seed_gives_the_same_batches_in_any_order_and_no_global_state_changes(dataset_class):
    x, y = data()
    state = torch.get_rng_state()

    def made(seed):
        return dataset_class(x, y, KNNGraph(n_neighbors=3), num_classes=3, batch_size=16, seed=seed, per_sample=True)

    first, second = made(5), made(5)
    forward = [first[i] for i in range(4)]
    backward = [second[i] for i in reversed(range(4))][::-1]
    for one, other in zip(forward, backward, strict=True):
        for a, b in zip(one, other, strict=True):
            assert np.array_equal(a, b)
    copy = pickle.loads(pickle.dumps(first))
    assert np.array_equal(copy[1][0], first[1][0])
    first.on_epoch_end()
    assert not np.array_equal(first[0][0], forward[0][0])
    assert not np.array_equal(made(6)[0][0], forward[0][0])
    assert not np.array_equal(made(None)[0][0], made(None)[0][0])
    assert torch.equal(torch.get_rng_state(), state)


def test_targets_of_every_kind(dataset_class):
    x, y = data()
    eye = np.eye(3, dtype=np.float32)
    one = dataset_class(x, y, CompleteGraph(), num_classes=3, seed=0)[0]
    for targets in (eye[y], eye[y].astype(int), eye[y].astype(bool)):
        other = dataset_class(x, targets, CompleteGraph(), seed=0)[0]
        np.testing.assert_allclose(one[1], other[1], atol=1e-7)
    values = dataset_class(x, x[:, 0], CompleteGraph(), seed=0)[0]
    np.testing.assert_allclose(values[1], values[0][:, 0], atol=1e-6)
    masks = dataset_class(x, np.stack([eye[y]] * 4, axis=1), CompleteGraph(), seed=0)[0]
    assert masks[1].shape == (32, 4, 3)
    inputs, _, _ = dataset_class((x, {"twice": 2 * x}), y, CompleteGraph(), num_classes=3, seed=0)[0]
    np.testing.assert_allclose(2 * inputs[0], inputs[1]["twice"], rtol=1e-6)


def test_the_data_are_not_changed(dataset_class):
    x, y = data()
    before = x.copy()
    for graph in (CompleteGraph(), ThresholdGraph(radius=2.0)):
        made = dataset_class(x, y, graph, num_classes=3, shuffle=False)
        made[0]
    assert np.array_equal(x, before)


def test_the_weights_are_zero_if_no_pair_counts(dataset_class):
    x, y = data(8)
    _, _, weights = dataset_class(x, y, ThresholdGraph(radius=0.0), num_classes=3, pairing="flip", seed=0)[0]
    assert not weights.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_classes": None}, r"num_classes must be given for class indices, got None"),
        ({"num_classes": 2}, "num_classes=2 allows classes 0 to 1, got 0 to 2"),
        ({"num_classes": 0}, "num_classes must be a whole number >= 1"),
        (
            {"y": np.zeros((50, 4))},
            r"class indices of shape \(m,\) or \(m, 1\), or labels of shape \(m, 3\),.*got float64",
        ),
        ({"y": {"a": np.arange(50)}, "num_classes": {"b": 3}}, r"an entry for each output, \['a'\], got \['b'\]"),
        ({"sample_weight": np.ones(49)}, r"sample_weight must hold 50 finite weights >= 0, .* got shape \(49,\)"),
        ({"sample_weight": -np.ones(50)}, "got shape .* and values from -1 to -1"),
        ({"sample_weight": {0: 1.0, 1: 2.0}}, r"one per sample, got dict: for weights of classes give np.take"),
        ({"sample_weight": "balanced"}, "one per sample, got str"),
        ({"cutmix_prob": 2}, "cutmix_prob must be between 0 and 1"),
        ({"x": scipy.sparse.csr_matrix(np.eye(50))}, r"x must be dense arrays of numbers, got csr_matrix: .*toarray"),
        ({"y": scipy.sparse.csr_matrix(np.eye(50))}, r"y must be dense arrays of numbers, got csr_matrix: .*toarray"),
        ({"x": None}, "x must be dense arrays of numbers, got NoneType"),
        ({"x": np.zeros((50, 6), np.longdouble)}, "x must be float16, float32 or float64, got"),
        ({"y": np.zeros((50, 3), np.longdouble)}, "y must be float16, float32 or float64, got"),
        ({"x": list(np.zeros((50, 6)))}, r"got shapes (\(6,\), ){4}... \(51 arrays\): .* one array, np.stack\(rows\)"),
        ({"y": list(np.zeros((50, 3))), "num_classes": None}, r"got shapes \(50, 6\), .*one array, np.stack\(rows\)"),
        (
            {"recipe": "nothing.json", "graph": None},
            "recipe must be a dict or the path of a JSON file, got nothing.json",
        ),
        ({"recipe": 3, "graph": None}, "recipe must be a LocalMixup, .*got int"),
        ({"y": np.zeros(49, int)}, r"same first dimension, got shapes \(50, 6\), \(49,\)"),
        ({"x": np.zeros((50, 6), np.uint8)}, r"x must be floating point to be mixed, got uint8"),
        ({"graph": ThresholdGraph}, "graph must be a graph"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1"),
        ({"shuffle": 1}, "shuffle must be True or False"),
        ({"seed": -1}, "seed must be a whole number >= 0"),
        ({"mixup_alpha": 0}, "mixup_alpha must be > 0"),
        ({"outside": "drop"}, "outside must be one of"),
    ],
)
def test_errors_name_the_argument(dataset_class, change, message):
    x, y = data()
    arguments = {"x": x, "y": y, "graph": CompleteGraph(), "num_classes": 3, **change}
    with pytest.raises(ValueError, match=message):
        dataset_class(**arguments)


@pytest.mark.parametrize(
    ("y", "num_classes"),
    [
        (np.arange(200).reshape(50, 4) % 3, None),  # four labels per sample
        (np.arange(800).reshape(50, 4, 4) % 3, None),  # a class map
        (np.arange(800).reshape(50, 4, 4, 1).astype(np.uint8) % 3, None),
        (np.arange(100).reshape(50, 2) % 3, 2),  # as wide as one-hot labels of two classes
        (-np.eye(3, dtype=int)[np.arange(50) % 3], 3),
        ({"map": np.arange(800).reshape(50, 4, 4) % 3, "value": np.zeros(50)}, None),
        (np.full((50, 3), "1"), None),
        (np.ones((50, 3), complex), None),
    ],
)
def test_numbers_that_mean_classes_are_not_averaged(dataset_class, y, num_classes):
    with pytest.raises(ValueError, match=r"y of shape .* must be floating point, or hold only 0 and 1,.* one-hot"):
        dataset_class(data()[0], y, CompleteGraph(), num_classes=num_classes)


def test_integers_of_zero_and_one_are_masks(dataset_class):
    x, _ = data()
    masks = np.random.default_rng(0).integers(0, 2, (50, 4, 4))
    for given in (masks, masks.astype(bool), masks.astype(np.uint8), masks.astype(np.float32)):
        batch = dataset_class(x, given, CompleteGraph(), seed=0, per_sample=True).mixed_batch(0)
        made = dataset_class(x, given, CompleteGraph(), seed=0, per_sample=True)[0][1]
        expected = [lam * a + (1 - lam) * b for a, b, lam in zip(*batch[1:4], strict=True)]
        np.testing.assert_allclose(made, torch.stack(expected), atol=1e-6)
        assert set(np.unique(made)) - {0.0, 1.0}


def test_the_classes_of_outputs_may_come_in_another_order(dataset_class):
    x, y = data()
    labels = {"a": y, "b": x[:, 0], "c": y % 2}
    found = [
        dataset_class(x, labels, CompleteGraph(), num_classes=classes, seed=0)[0][1]
        for classes in ({"a": 3, "b": None, "c": 2}, {"c": 2, "b": None, "a": 3})
    ]
    for name, width in (("a", 3), ("c", 2)):
        assert found[1][name].shape == (32, width)
        assert np.array_equal(found[0][name], found[1][name])


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_arrays_of_another_byte_order_give_the_same_batches(dataset_class, kind):
    x, y = data()
    x = x.astype(kind)
    expected = dataset_class(x, x[:, :2], CompleteGraph(), seed=0)[0]
    found = dataset_class(x.astype(f">{kind}"), x[:, :2].astype(f">{kind}"), CompleteGraph(), seed=0)[0]
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    labels = dataset_class(x, y.astype(">i4"), CompleteGraph(), num_classes=3, seed=0)[0][1]
    assert np.array_equal(labels, dataset_class(x, y, CompleteGraph(), num_classes=3, seed=0)[0][1])


def test_a_seed_that_is_left_out_comes_from_the_generator_of_the_recipe(dataset_class):
    x, y = data()

    def made(seed):
        recipe = LocalMixup(CompleteGraph(), generator=torch.Generator().manual_seed(seed))
        return dataset_class(x, y, recipe=recipe, num_classes=3)[0][0]

    assert np.array_equal(made(1), made(1))
    assert not np.array_equal(made(1), made(2))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_the_pairs_of_processes_are_counted_in_every_epoch(dataset_class):
    import keras

    x, y = data(60)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer="sgd")
    found = {}
    for processes in (False, True):
        made = dataset_class(
            x, y, CompleteGraph(), num_classes=3, seed=0, workers=2, use_multiprocessing=processes, pairing="roll"
        )
        counts = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, d=made: logs.update(d.counted()))
        found[processes] = model.fit(made, epochs=3, verbose=0, callbacks=[counts]).history
    for name in ("mean_weight", "mixed_share"):
        assert found[True][name] == found[False][name] == [1.0, 1.0, 1.0]


def test_unknown_arguments_and_batches(dataset_class):
    x, y = data()
    with pytest.raises(TypeError, match="LocalMixupDataset has no argument 'radius': did you mean 'graph'"):
        dataset_class(x, y, CompleteGraph(), radius=1.0)
    with pytest.raises(TypeError, match="has no argument 'class_weight': did you mean 'sample_weight'"):
        dataset_class(x, y, CompleteGraph(), class_weight={0: 1.0})
    with pytest.raises(IndexError, match="index must be >= 0 and < 2, got 2"):
        dataset_class(x, y, CompleteGraph(), num_classes=3)[2]


def test_a_radius_far_too_small_warns_once(dataset_class):
    x, y = data(500)
    made = dataset_class(x, y, ThresholdGraph(radius=1e-6), num_classes=3, seed=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            for i in range(len(made)):
                made[i]
            made.on_epoch_end()
    (warning,) = caught
    assert warning.category is UserWarning
    assert "hardly any pair counts" in str(warning.message)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_the_example_runs(dataset_class):
    errors = runpy.run_path(str(EXAMPLE))["main"](epochs=4)
    # chance is 90; which graph is better is not tested
    assert max(errors.values()) < 20


def test_labels_of_one_column_and_one_hot_labels_are_those_of_class_indices(dataset_class):
    x, y = data()
    expected = dataset_class(x, y, ExponentialGraph(decay=0.5), num_classes=3, seed=0)[0]
    for labels in (y[:, None], np.eye(3)[y], np.eye(3, dtype=int)[y]):
        for one, other in zip(
            expected, dataset_class(x, labels, ExponentialGraph(decay=0.5), num_classes=3, seed=0)[0], strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("kind", [dict, tuple])
def test_several_outputs_share_one_plan(dataset_class, kind):
    x, y = data()
    labels = {"class": y, "value": x[:, 0]}
    single = dataset_class(x, y, ExponentialGraph(decay=0.5), num_classes=3, seed=0)[0]
    for num_classes in (3, {"class": 3, "value": None} if kind is dict else (3, None)):
        given = labels if kind is dict else tuple(labels.values())
        inputs, targets, weights = dataset_class(
            x, given, ExponentialGraph(decay=0.5), num_classes=num_classes, seed=0
        )[0]
        classes, values = targets.values() if kind is dict else targets
        np.testing.assert_allclose(classes, single[1], atol=1e-6)
        np.testing.assert_allclose(values, inputs[:, 0], atol=1e-5)
        for each in weights.values() if kind is dict else weights:
            np.testing.assert_allclose(each, single[2], atol=1e-6)


def test_weights_of_the_samples_act_on_their_own_labels(dataset_class):
    x, y = data()
    own = np.random.default_rng(1).random(50).astype(np.float32)
    own[:5] = 0
    made = dataset_class(
        x, y, ExponentialGraph(decay=0.5), num_classes=3, seed=0, sample_weight=own, shuffle=False, per_sample=True
    )
    inputs, targets, weights = made[0]
    batch, plan, _ = made._draw(0)
    scores = torch.nn.Linear(6, 3)(torch.from_numpy(inputs)).detach()
    theirs = -(torch.from_numpy(targets) * scores.log_softmax(1)).sum(1) * torch.from_numpy(weights)
    total = 0.0
    for i in range(32):
        j, lam = int(plan.partner[i]), float(plan.lam[i])
        one, other = (F.cross_entropy(scores[i], torch.tensor(y[k])) for k in (i, j))
        total += float(batch.weights[i]) * (lam * own[i] * one + (1 - lam) * own[j] * other)
    assert float(theirs.mean()) == pytest.approx(float(total / batch.weights.sum()), rel=1e-5)


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_cutmix_pastes_boxes_in_the_layout_of_keras(dataset_class, layout, monkeypatch):
    import keras

    monkeypatch.setattr(keras.config, "image_data_format", lambda: layout)
    shape = (40, 12, 10, 2) if layout == "channels_last" else (40, 2, 12, 10)
    x = np.broadcast_to(np.arange(40, dtype=np.float32).reshape(-1, 1, 1, 1), shape).copy()
    made = dataset_class(
        x, np.arange(40), CompleteGraph(), num_classes=40, batch_size=40, shuffle=False, cutmix_prob=1.0, seed=1
    )
    images, labels, _ = made[0]
    assert images.shape == shape
    channel = images[..., 0] if layout == "channels_last" else images[:, 0]
    boxes = channel != np.arange(40)[:, None, None]
    for i, box in enumerate(boxes):
        assert box.sum() == box.any(1).sum() * box.any(0).sum()  # one rectangle
        for k in set(np.unique(channel[i]).astype(int)):
            assert labels[i, k] == pytest.approx((channel[i] == k).mean(), abs=1e-6)
    assert boxes.any()
    with pytest.raises(ValueError, match=r"x must be images of shape .* for cutmix_prob > 0, got 2 dimensions"):
        dataset_class(x[:, 0, 0], np.arange(40), num_classes=40, cutmix_prob=1.0)


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_cutmix_pastes_the_box_of_the_image_into_its_masks(dataset_class, layout, channels, monkeypatch):
    """Images and masks hold the number of their sample in each pixel, and labels say the same."""
    import keras

    monkeypatch.setattr(keras.config, "image_data_format", lambda: layout)
    last = layout == "channels_last"

    def numbers(c):
        shape = (40, 12, 10) if c is None else (40, 12, 10, c) if last else (40, c, 12, 10)
        own = np.arange(40, dtype=np.float32).reshape(-1, *(1,) * (len(shape) - 1))
        return np.broadcast_to(own, shape).copy()

    y = {"mask": numbers(channels), "class": np.arange(40)}
    made = dataset_class(
        numbers(2), y, CompleteGraph(), num_classes=40, batch_size=40, shuffle=False, cutmix_prob=1.0, seed=1
    )
    images, targets, weights = made[0]
    image = images[..., :1] if last else images[:, :1]
    if channels is None:
        image = image.reshape(40, 12, 10)
    assert (image != np.arange(40).reshape(-1, *(1,) * (image.ndim - 1))).any()
    assert targets["mask"].shape == numbers(channels).shape
    assert np.array_equal(targets["mask"], np.broadcast_to(image, targets["mask"].shape))
    flat = image.reshape(40, -1)
    for i in range(40):
        for k in set(flat[i].astype(int)):
            assert targets["class"][i, k] == pytest.approx((flat[i] == k).mean(), abs=1e-6)
    assert weights["mask"].shape == (40, *(1,) * (targets["mask"].ndim - 2))
    assert weights["class"].shape == (40,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros((8, 5, 6, 1), "f4")}, r"masks of the height and width of x, \(6, 5\),.* \(8, 5, 6, 1\)"),
        ({"y": np.zeros((8, 4, 3), "f4")}, r"masks of the height and width of x"),
        ({"y": np.zeros((8, 1, 6, 5, 1), "f4")}, r"masks of the height and width of x"),
        ({"y": np.zeros((8, 6, 5, 1), "f4"), "sample_weight": np.ones(8)}, "sample_weight must be None for masks"),
        ({"x": (np.zeros((8, 6, 5, 1), "f4"), np.zeros((8, 3, 5, 1), "f4"))}, "x must have one height and width"),
        ({"x": np.zeros((8, 6, 5), "f4")}, r"x must be images of shape .* got 3 dimensions"),
    ],
)
def test_what_cannot_be_pasted_is_refused_at_once(dataset_class, change, message):
    arguments = {"x": np.zeros((8, 6, 5, 1), "f4"), "y": np.zeros((8, 2), "f4"), "cutmix_prob": 0.5, **change}
    with pytest.raises(ValueError, match=message):
        dataset_class(graph=CompleteGraph(), **arguments)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
@pytest.mark.parametrize("cutmix_prob", [0.0, 1.0])
def test_fit_weighs_masks_by_sample(dataset_class, cutmix_prob):
    """A batch as large as a mask is wide: weights of shape `(n,)` would act on its columns."""
    import keras

    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 8, 8, 2)).astype("f4")
    x[8:] *= 3  # so that the pairs differ in their weights
    y = np.eye(3, dtype="f4")[rng.integers(0, 3, (16, 8, 8))]
    arguments = {"cutmix_prob": cutmix_prob, "batch_size": 8, "seed": 3}
    made, again = (dataset_class(x, y, ExponentialGraph(decay=0.05), **arguments) for _ in "12")
    model = keras.Sequential([keras.Input((8, 8, 2)), keras.layers.Dense(3)])
    kernel = torch.tensor(keras.ops.convert_to_numpy(model.weights[0]))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, optimizer=keras.optimizers.SGD(0.0), weighted_metrics=["accuracy"])
    seen = model.fit(made, epochs=1, verbose=0).history["loss"][0]
    for _ in range(made.epoch - 1):
        again.on_epoch_end()
    exact = []
    for k in range(2):
        batch, total = again.mixed_batch(k), 0.0
        for i in range(8):
            scores = torch.log_softmax(batch.inputs[i] @ kernel, -1)
            target = batch.lam[i] * batch.targets[i] + (1 - batch.lam[i]) * batch.partner_targets[i]
            total += float(batch.weights[i] * -(target * scores).sum(-1).mean())
        exact.append(total / float(batch.weights.sum()))
        assert batch.weights.std() > 0.05
    assert seen == pytest.approx(np.mean(exact), abs=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_fit_with_several_outputs_logs_how_many_pairs_counted(dataset_class):
    import keras

    x, y = data(60)
    inputs = keras.Input((6,))
    outputs = {
        "class": keras.layers.Dense(3, activation="softmax", name="class")(inputs),
        "value": keras.layers.Dense(1, name="value")(inputs),
    }
    model = keras.Model(inputs, outputs)
    model.compile(loss={"class": "categorical_crossentropy", "value": "mse"}, optimizer="sgd")
    graph = ThresholdGraph(radius=3.0)
    made = dataset_class(x, {"class": y, "value": x[:, :1]}, graph, num_classes=3, seed=0, pairing="roll")
    counts = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(made.counted()))
    history = model.fit(made, epochs=2, verbose=0, callbacks=[counts]).history
    near = torch.cdist(torch.from_numpy(x), torch.from_numpy(x)) <= 3.0
    expected = float((near.sum() - 60) / (60 * 59))
    assert history["mean_weight"][0] == pytest.approx(expected, abs=0.2)
    assert history["mixed_share"][0] == 1.0
    assert np.isfinite(history["loss"]).all()
