"""The recipes of docs/skorch.md and docs/fastai.md in the real frameworks: exact losses, and only training is mixed."""

import ast
import copy
import importlib.util
import math
import pickle
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from localmixup import CompleteGraph, ExponentialGraph, LocalMixup, ThresholdGraph

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name):
    """Load an example as a registered module, so that its classes can be pickled."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def skorch_net():
    pytest.importorskip("skorch", exc_type=ModuleNotFoundError)
    yield load("skorch_net")
    del sys.modules["skorch_net"]


@pytest.fixture(scope="module")
def fastai_learner():
    # not importorskip, because an error inside an installed fastai must not be skipped
    if importlib.util.find_spec("fastai") is None:
        pytest.skip(
            "fastai is not installed (it needs torchvision, which cannot be installed beside the CPU build of PyTorch)"
        )
    yield load("fastai_learner")
    del sys.modules["fastai_learner"]


def definitions(code):
    """The definitions in a piece of code by name, without docstrings and comments."""
    found = {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            body = [
                part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
            for part in ast.walk(node):
                if isinstance(part, ast.FunctionDef):
                    part.returns = None
                    for argument in part.args.args:
                        argument.annotation = None
            found[node.name] = [ast.unparse(part) for part in body]
    return found


@pytest.mark.parametrize(
    ("page", "example", "names"),
    [
        ("skorch.md", "skorch_net.py", ["local_mixup", "LocalMixupMixin"]),
        ("fastai.md", "fastai_learner.py", ["LocalMixupCallback"]),
    ],
)
def test_the_code_on_the_page_equals_the_example(page, example, names):
    text = (EXAMPLES.parent / "docs" / page).read_text()
    block = re.search(r"```python\n(.*?)```", text, re.S).group(1)
    shown = definitions(re.sub(r"^(>>>|\.\.\.) ?", "", block, flags=re.M))
    runs = definitions((EXAMPLES / example).read_text())
    for name in names:
        assert shown[name] == runs[name]


def data(m=40, d=4, c=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(m, d, generator=generator), torch.arange(m) % c


def slow_epoch(model, x, y, batch_size, radius, generator, lr, loss):
    """Train for one epoch by eq. (3), one sample at a time; return the losses and sizes of the batches."""
    draws = LocalMixup(CompleteGraph(), generator=generator)
    found = []
    for rows in torch.arange(len(x)).split(batch_size):
        partner, lam, _ = draws.plan(x[rows], y[rows])
        total, weights = 0.0, 0.0
        for i, j, own in zip(range(len(rows)), partner.tolist(), lam.tolist(), strict=True):
            a, b = x[rows[i]], x[rows[j]]
            if (a - b).square().sum().sqrt() > radius:
                continue
            outputs = model((own * a + (1 - own) * b)[None])[0]
            total = total + own * loss(outputs, y[rows[i]]) + (1 - own) * loss(outputs, y[rows[j]])
            weights += 1
        value = total / weights
        gradients = torch.autograd.grad(value, list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter -= lr * gradient
        found.append((value.item(), len(rows)))
    return found


def counted_by_hand(mix, x, y, batch_size):
    """The mean weight, and the share of the counted samples that are mixed, of one epoch in the order of the data."""
    weights, mixed = [], []
    for rows in torch.arange(len(x)).split(batch_size):
        plan = mix.plan(x[rows], y[rows])
        weights += plan.weights.tolist()
        mixed += [
            w for i, (j, w) in enumerate(zip(plan.partner.tolist(), plan.weights.tolist(), strict=True)) if i != j
        ]
    return sum(weights) / len(weights), sum(mixed) / sum(weights)


# ---- skorch --------------------------------------------------------------------------------------------------------


class Probabilities(torch.nn.Module):
    """A classifier with fixed initial weights that returns probabilities, as skorch expects."""

    def __init__(self, inputs=4, outputs=3):
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)
        with torch.no_grad():
            self.linear.weight.copy_(torch.arange(inputs * outputs).view(outputs, inputs).sin())
            self.linear.bias.zero_()

    def forward(self, x):
        return self.linear(x).softmax(-1)


def make_net(skorch_net, seed=3, **arguments):
    settings = {
        "criterion__reduction": "none", "batch_size": 16, "lr": 0.5, "max_epochs": 2, "train_split": None, "verbose": 0,
        "mix__radius": 2.5, "mix__generator": torch.Generator().manual_seed(seed), **arguments,
    }  # fmt: skip
    return skorch_net.LocalMixupNet(Probabilities, **settings)


def test_skorch_history_and_weights_equal_those_of_a_slow_loop(skorch_net):
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    (x, y), (x_valid, y_valid) = data(), data(20, seed=1)
    net = make_net(skorch_net, train_split=predefined_split(Dataset(x_valid, y_valid)))
    net.fit(x, y)

    model, generator = Probabilities(), torch.Generator().manual_seed(3)
    eps = torch.finfo(torch.float32).eps  # skorch adds it to the probabilities
    for epoch in range(2):
        batches = slow_epoch(model, x, y, 16, 2.5, generator, 0.5, lambda p, t: -torch.log(p[t] + eps))
        expected = sum(value * size for value, size in batches) / 40
        seen = net.history[epoch, "batches", :3, "train_loss"]
        assert seen == pytest.approx([value for value, _ in batches], abs=1e-5)
        assert net.history[epoch, "train_loss"] == pytest.approx(expected, abs=1e-5)
        with torch.no_grad():
            p = model(x_valid)
        assert net.history[epoch, "valid_loss"] == pytest.approx(
            F.nll_loss(torch.log(p + eps), y_valid).item(), abs=1e-5
        )
        assert net.history[epoch, "valid_acc"] == pytest.approx((p.argmax(1) == y_valid).float().mean().item())
    torch.testing.assert_close(net.module_.linear.weight, model.linear.weight, rtol=0, atol=1e-5)
    with torch.no_grad():
        np.testing.assert_allclose(net.predict_proba(x_valid), model(x_valid), atol=1e-5)
    assert not net.mix_.training


@pytest.mark.parametrize("options", [{}, {"mix__prob": 0.5}, {"mix__outside": "unmix"}, {"mix__prob": 0.0}])
def test_skorch_counts_the_pairs_of_the_last_epoch(skorch_net, options):
    x, y = data()
    net = make_net(skorch_net, **options).fit(x, y)
    settings = {name.removeprefix("mix__"): value for name, value in options.items()}
    mix = LocalMixup(ThresholdGraph(2.5), generator=torch.Generator().manual_seed(3), **settings)
    for epoch in range(2):
        mean_weight, mixed_share = counted_by_hand(mix, x, y, 16)
        assert net.history[epoch, "mixed_share"] == pytest.approx(mixed_share, abs=1e-6)
    assert net.mean_weight_ == pytest.approx(mean_weight, abs=1e-6)
    assert net.mixed_share_ == pytest.approx(mixed_share, abs=1e-6)


def test_skorch_grid_search_over_the_radius(skorch_net):
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from skorch import NeuralNetClassifier

    x, y = (t.numpy() for t in data(90))
    grid = {"localmixupnet__mix__radius": [0.0, 2.0, math.inf], "localmixupnet__module__outputs": [3, 5]}
    net = make_net(skorch_net, mix__outside="unmix", lr=0.1)
    search = GridSearchCV(make_pipeline(StandardScaler(), net), grid, cv=3, error_score="raise").fit(x, y)
    best = search.best_estimator_[-1]
    assert best.mix_.graph == ThresholdGraph(search.best_params_["localmixupnet__mix__radius"])
    assert best.module_.linear.out_features == search.best_params_["localmixupnet__module__outputs"]

    # with radius 0 and outside="unmix" nothing is mixed, which is exactly a net without the recipe
    plain = NeuralNetClassifier(Probabilities, batch_size=16, lr=0.1, max_epochs=2, train_split=None, verbose=0)
    expected = cross_val_score(make_pipeline(StandardScaler(), plain), x, y, cv=3)
    assert search.cv_results_["params"][0] == {name: values[0] for name, values in grid.items()}
    found = [search.cv_results_[f"split{i}_test_score"][0] for i in range(3)]
    assert found == pytest.approx(expected.tolist(), abs=1e-12)
    losses = {}
    for radius in (0.0, 2.0, math.inf):
        losses[radius] = (
            make_net(skorch_net, mix__outside="unmix", mix__radius=radius).fit(x, y).history[:, "train_loss"]
        )
    plain = NeuralNetClassifier(Probabilities, batch_size=16, lr=0.5, max_epochs=2, train_split=None, verbose=0)
    assert losses[0.0] == pytest.approx(plain.fit(x, y).history[:, "train_loss"], abs=1e-6)
    assert len({round(values[-1], 4) for values in losses.values()}) == 3


def test_skorch_continues_after_pickling_saving_and_new_settings(skorch_net, tmp_path):
    x, y = data()
    net = make_net(skorch_net).fit(x, y)
    twins = [pickle.loads(pickle.dumps(net)), copy.deepcopy(net)]
    files = {name: str(tmp_path / name) for name in ("f_params", "f_optimizer", "f_mix")}
    net.save_params(**files)
    loaded = make_net(skorch_net, seed=99).initialize()
    loaded.load_params(**files)
    expected = net.partial_fit(x, y).history[-2:, "train_loss"]
    for other in (*twins, loaded):
        assert other.partial_fit(x, y).history[-2:, "train_loss"] == pytest.approx(expected, abs=1e-6)

    weight = net.module_.linear.weight.detach().clone()
    net.set_params(mix__radius=0.5)
    assert net.mix_.graph == ThresholdGraph(0.5)
    assert torch.equal(net.module_.linear.weight, weight)
    with pytest.raises(ValueError, match="radius must be >= 0"):
        net.set_params(mix__radius=-1.0)


def test_skorch_regression_and_several_inputs(skorch_net):
    from skorch import NeuralNetRegressor

    class Regressor(skorch_net.LocalMixupMixin, NeuralNetRegressor):
        pass

    class Sum(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4, 1)

        def forward(self, a, b):
            return self.linear(torch.cat([a, b], dim=1))

    x, _ = data()
    target = x.sum(1, keepdim=True)
    net = Regressor(
        Sum, criterion__reduction="none", batch_size=40, lr=0.0, max_epochs=1, train_split=None, verbose=0,
        mix__radius=2.5, mix__generator=torch.Generator().manual_seed(3),
    )  # fmt: skip
    inputs = {"a": x[:, :1].numpy(), "b": x[:, 1:].numpy()}
    net.fit(inputs, target.numpy())
    generator = torch.Generator().manual_seed(3)
    batches = slow_epoch(net.module_.linear, x, target[:, 0], 40, 2.5, generator, 0.0, lambda p, t: (p[0] - t) ** 2)
    assert net.history[0, "train_loss"] == pytest.approx(batches[0][0], abs=1e-5)
    assert net.predict(inputs).shape == (40, 1)


def test_skorch_warns_once_about_a_radius_far_too_small(skorch_net):
    net = make_net(skorch_net, mix__radius=1e-6)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.fit(*data(200))
    assert sum("hardly any pair counts" in str(warning.message) for warning in caught) == 1


def test_skorch_refuses_a_criterion_that_averages(skorch_net):
    x, y = data()
    with pytest.raises(ValueError, match=r"criterion must return 16 losses, got shape \(\)"):
        make_net(skorch_net, criterion__reduction="mean").fit(x, y)
    with pytest.raises(TypeError, match="radius"):
        skorch_net.LocalMixupNet(Probabilities, criterion__reduction="none", verbose=0).fit(x, y)


def test_the_skorch_example_runs_and_leaves_nothing(skorch_net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    errors = skorch_net.main(epochs=30)
    # the seed is fixed
    assert errors["local mixup"] < errors["mixup"] / 2
    assert not list(tmp_path.iterdir())


# ---- fastai --------------------------------------------------------------------------------------------------------


def silent(test):
    """Ignore the warnings that importing fastai causes with pandas 3 and with torch 2.14."""
    for message in ("ignore:The 'mode.chained_assignment' option is deprecated", "ignore:.*torch.jit.*:FutureWarning"):
        test = pytest.mark.filterwarnings(message)(test)
    return test


def learner(fastai_learner, mix, train, valid, model, loss_func, lr=0.5, cbs=(), bs=16):
    from fastai.basics import SGD, DataLoader, DataLoaders, Learner

    dls = DataLoaders(DataLoader(train, bs=bs), DataLoader(valid, bs=64))
    callbacks = [fastai_learner.LocalMixupCallback(mix), *cbs]
    return Learner(dls, model, loss_func=loss_func, opt_func=SGD, lr=lr, wd=0.0, moms=(0.0, 0.0, 0.0), cbs=callbacks)


def recorder():
    from fastai.callback.core import Callback

    class Record(Callback):
        order = 50

        def __init__(self):
            self.seen, self.inputs = {True: [], False: []}, {True: [], False: []}

        def after_batch(self):
            self.seen[self.training].append(self.learn.loss.item())
            self.inputs[self.training].append(self.x)

    return Record()


def rows(*tensors):
    return list(zip(*tensors, strict=True))


@silent
@pytest.mark.parametrize("kind", ["module", "flat", "function"])
def test_fastai_losses_and_weights_equal_those_of_a_slow_loop(fastai_learner, kind):
    from fastai.losses import CrossEntropyLossFlat

    loss_func = {"module": torch.nn.CrossEntropyLoss(), "flat": CrossEntropyLossFlat(), "function": F.cross_entropy}[
        kind
    ]
    (x, y), (x_valid, y_valid) = data(), data(20, seed=1)
    record, model = recorder(), torch.nn.Linear(4, 3)
    twin = copy.deepcopy(model)
    mix = LocalMixup(ThresholdGraph(2.5), generator=torch.Generator().manual_seed(3))
    learn = learner(fastai_learner, mix, rows(x, y), rows(x_valid, y_valid), model, loss_func, cbs=[record])
    with learn.no_logging():
        learn.fit(2)

    generator = torch.Generator().manual_seed(3)
    for epoch in range(2):
        batches = slow_epoch(twin, x, y, 16, 2.5, generator, 0.5, F.cross_entropy)
        assert record.seen[True][3 * epoch :][:3] == pytest.approx([value for value, _ in batches], abs=1e-5)
        with torch.no_grad():
            expected = F.cross_entropy(twin(x_valid), y_valid).item()
        assert learn.recorder.values[epoch][1] == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(model.weight, twin.weight, rtol=0, atol=1e-5)
    assert learn.loss_func is loss_func
    assert getattr(loss_func, "reduction", "mean") == "mean"
    assert torch.equal(record.inputs[False][0], x_valid)
    with torch.no_grad():
        predictions, targets = learn.get_preds(act=lambda p: p)
        torch.testing.assert_close(predictions, model(x_valid))
    assert torch.equal(targets, y_valid)


@silent
@pytest.mark.parametrize("options", [{}, {"prob": 0.5}, {"outside": "unmix"}, {"prob": 0.0}])
def test_fastai_counts_the_pairs_of_each_epoch(fastai_learner, options, capsys):
    x, y = data()
    mix, again = (LocalMixup(ThresholdGraph(2.5), generator=torch.Generator().manual_seed(3), **options) for _ in "12")
    learn = learner(fastai_learner, mix, rows(x, y), rows(x, y), torch.nn.Linear(4, 3), torch.nn.CrossEntropyLoss())
    with learn.no_logging():
        learn.fit(2)
    printed = re.findall(r"mean weight (.*), share of the counted samples that are mixed (.*)", capsys.readouterr().out)
    expected = [counted_by_hand(again, x, y, 16) for _ in range(2)]
    assert [tuple(map(float, values)) for values in printed] == [pytest.approx(pair, abs=6e-4) for pair in expected]


@silent
def test_fastais_own_mixup_differs_as_the_page_says():
    """Its share of the sample itself is never below 1/2, and a permutation may keep a sample."""
    if importlib.util.find_spec("fastai") is None:
        pytest.skip("fastai is not installed")
    from fastai.basics import SGD, DataLoader, DataLoaders, Learner
    from fastai.callback.core import Callback
    from fastai.callback.mixup import MixUp

    class Watch(Callback):
        run_valid, order = False, 50

        def __init__(self):
            self.shares, self.loss_funcs, self.alone = [], [], 0

        def after_pred(self):
            self.shares.append(self.mix_up.lam)
            self.loss_funcs.append(self.learn.loss_func)
            self.alone += int((self.mix_up.yb1[0] == self.y).sum())

    x, y = torch.randn(64, 4), torch.arange(64)
    dls = DataLoaders(DataLoader(rows(x, y), bs=16), DataLoader(rows(x, y), bs=16))
    loss_func, watch = torch.nn.CrossEntropyLoss(), Watch()
    loss_func.y_int = True
    learn = Learner(dls, torch.nn.Linear(4, 64), loss_func=loss_func, opt_func=SGD, cbs=[MixUp(1.0), watch])
    with learn.no_logging():
        learn.fit(4)
    shares = torch.cat(watch.shares)
    assert len(shares.unique()) > 200  # one per sample
    assert 0.5 <= shares.min() < 0.55
    assert watch.alone > 0
    assert all(used is not loss_func for used in watch.loss_funcs)
    assert learn.loss_func is loss_func


@silent
def test_fastai_tensor_types_several_inputs_and_dense_targets(fastai_learner):
    from fastai.losses import CrossEntropyLossFlat, MSELossFlat
    from fastai.torch_core import TensorCategory, TensorImage, TensorMask

    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(16, 2, 4, 4, generator=generator), torch.arange(16) % 3
    masks, values = torch.randint(3, (16, 4, 4), generator=generator), torch.randn(16, generator=generator)

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(32, 1)

        def forward(self, a, b):
            return self.linear(torch.cat([a.flatten(1), b.flatten(1)], dim=1))

    classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32, 3))
    cases = [
        ((TensorImage(images), TensorCategory(labels)), classifier, torch.nn.CrossEntropyLoss(), F.cross_entropy),
        (
            (TensorImage(images), TensorMask(masks)),
            torch.nn.Conv2d(2, 3, 1),
            CrossEntropyLossFlat(axis=1),
            F.cross_entropy,
        ),
        ((images[:, :1], images[:, 1:], values), Two(), MSELossFlat(), lambda p, t, **k: F.mse_loss(p[:, 0], t, **k)),
    ]
    for tensors, model, loss_func, criterion in cases:
        record = recorder()
        mix = LocalMixup(ExponentialGraph(0.3), generator=torch.Generator().manual_seed(3))
        learn = learner(fastai_learner, mix, rows(*tensors), rows(*tensors), model, loss_func, lr=0.0, cbs=[record])
        with learn.no_logging():
            learn.fit(1)
        *xs, y = (t.as_subclass(torch.Tensor) for t in tensors)
        plan = LocalMixup(ExponentialGraph(0.3), generator=torch.Generator().manual_seed(3)).plan(tuple(xs))
        with torch.no_grad():
            outputs = model(*plan.mix(tuple(xs)))
            own, other = (criterion(outputs, t, reduction="none").view(16, -1).mean(1) for t in (y, y[plan.partner]))
        expected = (plan.weights * (plan.lam * own + (1 - plan.lam) * other)).sum() / plan.weights.sum()
        assert plan.weights.std() > 0.01
        assert record.seen[True] == pytest.approx([expected.item()], abs=1e-5)


@silent
def test_fastai_keeps_its_loss_if_training_is_interrupted(fastai_learner):
    from fastai.callback.core import Callback, CancelFitException
    from fastai.losses import CrossEntropyLossFlat

    class Stop(Callback):
        error = None

        def before_backward(self):
            if self.error:
                raise self.error

    x, y = data()
    loss_func, stop = CrossEntropyLossFlat(), Stop()
    mix = LocalMixup(CompleteGraph())
    learn = learner(fastai_learner, mix, rows(x, y), rows(x, y), torch.nn.Linear(4, 3), loss_func, cbs=[stop])
    with learn.no_logging():
        stop.error = CancelFitException()
        learn.fit(1)
        stop.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            learn.fit(1)
        stop.error = None
        assert learn.loss_func is loss_func
        assert loss_func.reduction == "mean"
        assert learn.validate()[0] == pytest.approx(F.cross_entropy(learn.model(x), y).item(), abs=1e-5)
        learn.fit(1)


@silent
def test_the_fastai_example_runs_and_leaves_nothing(fastai_learner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    errors = fastai_learner.main()
    # chance is 90; which graph is better is not tested
    assert max(errors.values()) < 20
    assert not list(tmp_path.iterdir())
