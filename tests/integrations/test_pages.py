"""The change that each page shows, applied to the lines that it shows: both programs run, and only the new one mixes.

What surrounds the lines in the peer's own example is written here in a few words, with the same names; a name that
neither defines is an error, and so is a name of this library that the page does not import. Every run is seeded.
`pytest -s` shows the losses of both.
"""

import importlib.util
import logging
import re
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

DOCS = Path(__file__).parents[2] / "docs"
X = torch.randn(96, 1, 8, 8, generator=torch.Generator().manual_seed(0))
Y = torch.arange(96) % 10


def segments(page, number=0):
    """The diff of a page: for each part between "..." the lines before and after, as two texts."""
    block = re.findall(r"```diff\n(.*?)```", (DOCS / page).read_text(), re.S)[number]
    parts = [part.splitlines() for part in re.split(r"^\.\.\.\n", block, flags=re.M)]
    return [
        tuple("\n".join(line[1:] for line in part if not line.startswith(sign)) for sign in ("+", "-"))
        for part in parts
    ]


def run(program, names):
    exec(compile(program, "page", "exec"), names)
    return names


def needs(*packages):
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


@pytest.fixture
def record():
    def recorded(name, before, after, mixed_share=None):
        for losses in (before, after):
            assert len(losses) > 0
            assert all(torch.isfinite(torch.tensor(float(loss))) for loss in losses)
        # equal losses would mean that nothing was mixed; 1e-4 is far above rounding
        assert abs(float(before[-1]) - float(after[-1])) > 1e-4
        assert mixed_share is None or 0 < mixed_share < 0.35
        print(f"{name}: before {float(before[-1]):.4f} after {float(after[-1]):.4f}")

    return recorded


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def test_the_quickstart_of_pytorch(record):
    ((before, after),) = segments("pytorch.md")
    rest = "\n        loss.backward()\n        optimizer.step()\n        optimizer.zero_grad()\n        losses.append(loss.item())\n"
    losses = []
    for program in (before, after):
        model = network()
        names = {"device": "cpu", "losses": [], "torch": torch, "nn": nn}
        run(program + rest, names)
        loader = DataLoader(TensorDataset(X, Y), batch_size=64)
        names["train"](loader, model, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=1e-3))
        losses.append(names["losses"])
    record("quickstart", *losses)


def test_mixing_in_the_workers_of_the_quickstart(record):
    ((_, after),) = segments("pytorch.md", 1)
    model = network()
    body = "\n        loss = mixed.loss(nn.CrossEntropyLoss(), model(mixed.inputs))\n"
    body += "        losses.append(loss.item())\n        unmixed.append(loss_of(model(mixed.inputs), mixed.targets).item())\n"
    head, loop = after.split("\n\n")
    program = f"{head}\nif True:\n  dataloader = train_dataloader\n  if True:\n{loop}{body}"
    names = {"DataLoader": DataLoader, "training_data": TensorDataset(X, Y), "torch": torch, "losses": []}
    names |= {"device": "cpu", "model": model, "nn": nn, "unmixed": [], "loss_of": F.cross_entropy}
    run(program, names)
    # the labels of the partners count
    record("workers", names["unmixed"], names["losses"])


TIMM = """
{imports}
def main(args):
    mixup_fn = None
    num_aug_splits, mixup_active = 0, True
    mixup_args = dict(mixup_alpha=args.mixup, cutmix_alpha=args.cutmix, label_smoothing=args.smoothing, num_classes=10)
    if True:
{build}
    if args.naflex_loader:
        mixup_fn = None  # images of several sizes are mixed elsewhere
    if True:
        if True:
{loss}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(2):
        for input, target in DataLoader(TensorDataset(X, Y), batch_size=16):
            if args.naflex_loader: target = (1 - args.smoothing) * F.one_hot(target, 10) + args.smoothing / 10
            input, target = step(args, input, target, mixup_fn)
            loss = train_loss_fn(model(input), target)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        if True:
            identity(
{log}

def step(args, input, target, mixup_fn):
    if True:
{mix}
    return input, target
"""


class SoftTargetCrossEntropy(nn.Module):
    def forward(self, x, target):
        return (-target * F.log_softmax(x, dim=-1)).sum(dim=-1).mean()


def losses_of_timm(state, *, prefetcher=False, naflex=False):
    """Train with the script before (0) or after (1) the change of the page."""
    imports, build, loss, mix, log = (part[state] for part in segments("timm.md"))
    program = TIMM.format(imports=imports, build=build, loss=loss, mix=mix, log=log)
    names = {"torch": torch, "DataLoader": DataLoader, "TensorDataset": TensorDataset, "X": X, "Y": Y, "losses": []}
    names |= {
        "SoftTargetCrossEntropy": SoftTargetCrossEntropy,
        "model": network(),
        "identity": lambda **_: None,
        "F": F,
    }
    # `device` and `model_dtype` are arguments of timm's train_one_epoch
    names |= {"_logger": logging.getLogger("train"), "device": "cpu", "model_dtype": None, "batch_size_reference": 0}
    if state == 0:
        from timm.data import Mixup

        names |= {"Mixup": Mixup}
    args = types.SimpleNamespace(mixup=0.8, cutmix=1.0, smoothing=0.1, num_classes=10, mixup_switch_prob=0.5)
    args.prefetcher, args.naflex_loader = prefetcher, naflex
    run(program, names)["main"](args)
    return names["losses"]


@pytest.mark.parametrize("prefetcher", [False, True])
def test_the_script_of_timm(record, prefetcher, caplog):
    with caplog.at_level(logging.INFO):
        after = losses_of_timm(1, prefetcher=prefetcher)
        shares = [float(share) for share in re.findall(r"'mean_weight': 1.0, 'mixed_share': ([0-9.]+)", caplog.text)]
        assert len(shares) == 2
        caplog.clear()
        plain = losses_of_timm(1, prefetcher=prefetcher, naflex=True)  # without mixup_fn
    assert "Pairs" not in caplog.text
    record("timm, plain", plain, after, min(shares))
    if not prefetcher and importlib.util.find_spec("timm"):
        np.random.seed(0)  # noqa: NPY002  # what timm draws from
        record("timm", losses_of_timm(0), after, min(shares))


def test_the_example_of_torchvision(record):
    needs("torchvision")
    parts = segments("torchvision.md")
    losses = []
    for state in (0, 1):
        from torchvision.transforms import v2

        program = "\n".join(part[state] for part in parts)
        program += "\n    losses.append(F.cross_entropy(model(images), labels).item())\n"
        names = {"v2": v2, "NUM_CLASSES": 10, "dataloader": DataLoader(TensorDataset(X, Y), batch_size=32), "F": F}
        names |= {"model": network(), "losses": []}
        losses.append(run(program, names)["losses"])
    used = [names[name].counted()["mixed_share"] for name in ("mixup", "cutmix") if names[name]._counts]
    record("torchvision", *losses, mixed_share=max(used))


def mix_up(ds_one, ds_two, alpha=0.2):
    """The function of Keras' example, with PyTorch in place of TensorFlow."""
    (images_one, labels_one), (images_two, labels_two) = ds_one, ds_two
    share = torch.distributions.Beta(alpha, alpha).sample((len(images_one),))
    x_l, y_l = share.view(-1, 1, 1, 1), share.view(-1, 1)
    return images_one * x_l + images_two * (1 - x_l), labels_one * y_l + labels_two * (1 - y_l)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_the_example_of_keras(record, monkeypatch, tmp_path):
    needs("keras")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    import keras

    class Mapped(keras.utils.PyDataset):
        """Two shuffled data sets side by side, as `tf.data.Dataset.zip(...)`, and what `map` makes of their batches."""

        def __init__(self, images, labels, function=None):
            super().__init__()
            self.images, self.labels, self.function = images, labels, function

        def map(self, function, num_parallel_calls):
            return Mapped(self.images, self.labels, function)

        def __len__(self):
            return len(self.images) // 16

        def __getitem__(self, i):
            if i >= len(self):
                raise IndexError
            ends = (torch.randperm(len(self.images))[:16] for _ in "12")
            return self.function(*((self.images[rows], self.labels[rows]) for rows in ends))

    images, labels = X.movedim(1, -1), F.one_hot(Y, 10).float()
    parts, losses = segments("keras.md"), []
    for state, rate in ((0, None), (1, None), (1, 0.0)):
        keras.utils.set_random_seed(0)
        layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
        shown, nothing = [], lambda *_, **__: None
        names = {"keras": keras, "val_samples": 16, "BATCH_SIZE": 16, "EPOCHS": 2, "AUTO": None, "mix_up": mix_up}
        names |= {"x_train": images.numpy(), "y_train": labels.numpy(), "train_ds": Mapped(images[16:], labels[16:])}
        names |= {"model": keras.Sequential(layers), "val_ds": (images[:16].numpy(), labels[:16].numpy())}
        names["plt"] = types.SimpleNamespace(figure=nothing, subplot=nothing, axis=nothing, imshow=shown.append)
        program = "\n".join(part[state] for part in parts)
        # the same program without mixing
        run(program if rate is None else program.replace("LocalMixup(mixup", f"LocalMixup(prob={rate}, mixup"), names)
        assert [image.shape for image in shown] == [(8, 8)] * 9
        history = names["model"].history.history
        losses.append(history["loss"])
        if state == 1:
            assert len(names["train_ds_mu"].y) == 80  # without the rows of the validation
            assert history["mean_weight"] == [1.0, 1.0]
            assert (max(history["mixed_share"]) > 0) == (rate is None)
            shares = history["mixed_share"] if rate is None else shares
    record("keras", losses[0], losses[1], max(shares))
    record("keras, plain", losses[2], losses[1])


class Backbone(nn.Module):
    def __init__(self, hidden_dim=128):
        super().__init__()
        self.l1, self.l2 = nn.Linear(64, hidden_dim), nn.Linear(hidden_dim, 10)

    def forward(self, x):
        return self.l2(torch.relu(self.l1(x.flatten(1))))


LIGHTNING = """
    def forward(self, x):
        return self.backbone(x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)
"""


@pytest.mark.parametrize("number", [0, 1], ids=["module", "data module"])
@pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*is smaller than the logging interval.*")
@pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*")
def test_the_example_of_lightning(record, number, tmp_path):
    needs("lightning")
    import lightning as L

    losses = []
    for state in (0, 1):
        torch.manual_seed(0)
        names = {
            "LightningModule": L.LightningModule,
            "LightningDataModule": L.LightningDataModule,
            "torch": torch,
            "F": F,
        }
        names |= {"Backbone": Backbone}
        if number == 0:
            run("\n".join(part[state] for part in segments("lightning.md")) + LIGHTNING, names)
            data = {"train_dataloaders": DataLoader(TensorDataset(X, Y), batch_size=32)}
            model = names["LitClassifier"]()
        else:
            ((before, after),) = segments("lightning.md", 1)
            *imports, data_module, module = (before, after)[state].strip().split("\n\n")
            run("\n".join(imports), names)
            loader = "\n    def train_dataloader(self):\n        return loader\n"
            names["loader"] = DataLoader(TensorDataset(X, Y), batch_size=32)
            end = '\n        self.log("train_loss", loss, on_epoch=True)\n        return loss\n'
            build = "\n    def __init__(self):\n        super().__init__()\n        self.backbone = Backbone()\n"
            run(data_module + loader + "\n" + module + end + build + LIGHTNING, names)
            data, model = {"datamodule": names["MyDataModule"]()}, names["LitClassifier"]()
        trainer = L.Trainer(
            max_epochs=1, logger=False, accelerator="cpu", enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, default_root_dir=tmp_path,
        )  # fmt: skip
        trainer.fit(model, **data)
        assert ("mean_weight" in trainer.callback_metrics) == (state == 1)
        losses.append([trainer.callback_metrics["train_loss_epoch"]])
    record("lightning", *losses, mixed_share=float(trainer.callback_metrics["mixed_share"]))


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")
def test_the_example_of_the_trainer(record, tmp_path):
    needs("transformers")
    import transformers as hf

    config = hf.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, image_size=8, patch_size=4,
        num_channels=1, num_labels=10,
    )  # fmt: skip
    rows = [{"pixel_values": x, "label": int(y)} for x, y in zip(X, Y, strict=True)] * 3
    losses = []
    for state in (0, 1):
        torch.manual_seed(0)
        args = hf.TrainingArguments(
            output_dir=str(tmp_path), max_steps=4, report_to=[], save_strategy="no", remove_unused_columns=False,
            disable_tqdm=True, use_cpu=True, logging_steps=4, per_device_train_batch_size=16,
        )  # fmt: skip
        names = {"model": hf.ViTForImageClassification(config), "training_args": args, "compute_metrics": None}
        names |= {
            "food": {"train": rows, "test": rows},
            "data_collator": hf.default_data_collator,
            "image_processor": None,
        }
        for part in segments("transformers.md"):
            run(part[state], names)
        names["trainer"].train()
        (log,) = (log for log in names["trainer"].state.log_history if "loss" in log)
        assert ("mean_weight" in log) == (state == 1)
        losses.append([log["loss"]])
    (calibrating,) = (
        b for b in re.findall(r"```python\n(.*?)```", (DOCS / "transformers.md").read_text(), re.S) if "fit(" in b
    )
    names = {name: value for name, value in names.items() if not name.startswith("LocalMixup")}
    run(calibrating, names)
    assert names["recipe"].graph.radius > 0
    record("transformers", *losses, mixed_share=log["mixed_share"])


@pytest.mark.filterwarnings("ignore")  # of fastai, which uses what torch and pandas deprecate
def test_the_script_of_fastai(record):
    needs("fastai")
    from fastai import basics

    def m(n_out, act_cls, sa, sym, pool):
        return network()

    callback = re.search(r"```python\n(.*?)```", (DOCS / "fastai.md").read_text(), re.S).group(1)
    losses = []
    for state in (0, 1):
        names = {}
        run("from fastai.basics import *", names)
        run(callback, names)
        train = list(zip(X, Y, strict=True))
        names["dls"] = basics.DataLoaders(basics.DataLoader(train, bs=16), basics.DataLoader(train, bs=16))
        names |= {"m": m, "act_fn": None, "sa": 0, "sym": 0, "pool": None, "opt_func": basics.Adam, "mixup": 0.4}
        names |= {"epochs": 1, "lr": 1e-2, "top_k_accuracy": basics.accuracy}
        first, second = (part[state] for part in segments("fastai.md"))
        # the script steps over its schedule with a method of fastai's callbacks
        run(first + "\nfrom fastai.callback.schedule import *\nif True:\n" + second, names)
        losses.append([names["learn"].recorder.values[-1][0]])
    record("fastai", *losses, mixed_share=names["cbs"].mixed_share)


@pytest.mark.filterwarnings("ignore")  # of skorch, which sees that its module has a softmax without a dimension
def test_the_readme_of_skorch(record):
    needs("skorch")
    from sklearn.datasets import make_classification
    from sklearn.model_selection import GridSearchCV
    from skorch import NeuralNetClassifier

    x, y = make_classification(100, 20, n_informative=10, random_state=0)
    page = (DOCS / "skorch.md").read_text()
    mixin = re.sub(r"^(>>>|\.\.\.) ?", "", re.search(r"```python\n(.*?)```", page, re.S).group(1), flags=re.M)

    class MyModule(nn.Module):
        def __init__(self, num_units=10):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(20, num_units), nn.ReLU(), nn.Linear(num_units, 2), nn.Softmax(-1))

        def forward(self, X):
            return self.layers(X)

    losses = []
    for state in (0, 1):
        torch.manual_seed(0)
        names = {"X": x.astype("float32"), "y": y.astype("int64"), "MyModule": MyModule, "GridSearchCV": GridSearchCV}
        names["NeuralNetClassifier"] = NeuralNetClassifier
        run(mixin, names)
        program = "\n".join(part[state] for part in segments("skorch.md"))
        run(program.replace("verbose=2", "verbose=0").replace("max_epochs=10,", "max_epochs=10, verbose=0,"), names)
        losses.append(names["net"].history[:, "train_loss"])
    assert names["net"].mean_weight_ == 1.0
    # a sample meets a near one in three of ten pairs
    assert 0.2 < names["net"].mixed_share_ < 0.4
    record("skorch", *losses)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning")
def test_the_example_of_scikit_learn(record):
    losses = []
    for state in (0, 1):
        names = run("\n".join(part[state] for part in segments("sklearn.md")), {})
        losses.append(names["clf"].loss_curve_)
    record("sklearn", *losses, mixed_share=names["clf"].mixed_share_)


def test_the_tutorial_of_distributed_data_parallel(record):
    losses = []
    for state in (0, 1):
        imports, body = (part[state] for part in segments("distributed.md"))
        head = "class Trainer:\n    def __init__(self, model, optimizer):\n"
        head += "        self.gpu_id, self.model, self.optimizer = 0, model, optimizer\n"
        model = network()
        # one process on a CPU has no device to name
        names = {"torch": torch, "DDP": lambda module, device_ids: module}
        run(
            imports
            + "\n"
            + head
            + body.replace("loss.backward()", "self.losses.append(loss.item())\n        loss.backward()"),
            names,
        )
        trainer = names["Trainer"](model, torch.optim.SGD(model.parameters(), lr=0.1))
        trainer.losses = []
        for x, y in DataLoader(TensorDataset(X, Y), batch_size=32):
            trainer._run_batch(x, y)
        losses.append(trainer.losses)
    record("distributed", *losses)


def test_the_example_of_accelerate(record):
    needs("accelerate")
    from accelerate import Accelerator

    losses = []
    for state in (0, 1):
        imports, body = (part[state] for part in segments("distributed.md", 1))
        model = network()
        names = {
            "torch": torch,
            "model": model,
            "accelerator": Accelerator(cpu=True),
            "num_epochs": 1,
            "seed": 0,
            "losses": [],
        }
        names |= {
            "mean": 0.0,
            "std": 1.0,
            "train_dataloader": [{"image": x, "label": y} for x, y in zip(X.split(32), Y.split(32), strict=True)],
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run(f"{imports}\nif True:\n{body}\n            losses.append(loss.item())\n", names)
        losses.append(names["losses"])
    record("accelerate", *losses)


def mixup_data(x, y, alpha):
    lam, index = float(torch.distributions.Beta(alpha, alpha).sample()), torch.randperm(len(x))
    return lam * x + (1 - lam) * x[index], y, y[index], lam


def mixup_criterion(criterion, outputs, y_a, y_b, lam):
    return lam * criterion(outputs, y_a) + (1 - lam) * criterion(outputs, y_b)


def test_the_loop_of_the_migration_page(record):
    losses = []
    for state in (0, 1):
        model = network()
        names = {"inputs": X, "targets": Y, "net": model, "criterion": nn.CrossEntropyLoss()}
        if state == 0:
            names |= {"mixup_data": mixup_data, "mixup_criterion": mixup_criterion}
        run("\n".join(part[state] for part in segments("migration.md", 0)), names)
        losses.append([names["loss"].item()])
    with torch.no_grad():
        record("migration", [F.cross_entropy(network()(X), Y).item()], losses[1])
    record("migration", *losses)


@pytest.mark.parametrize(("number", "name"), [(1, "mixup_fn"), (2, "mixup")])
def test_the_lines_of_the_migration_page_mix(number, name):
    ((_, after),) = segments("migration.md", number)
    torch.manual_seed(0)
    mix = run(after, {})[name]
    x, target = mix(X, Y)
    assert x.shape == X.shape
    assert len(target) == len(Y)
    assert torch.allclose(target.sum(dim=1), torch.ones(len(Y)))
    # 15 % of the samples are mixed, to four standard errors of their number
    mixed = (x != X).flatten(1).any(dim=1).float().mean()
    assert 0 < mixed <= 0.15 + 4 * (0.15 * 0.85 / len(X)) ** 0.5
    if name == "mixup_fn":  # a pasted pixel is one of another image
        pasted = sum(bool(torch.isin(mix(X, Y)[0], X).all()) for _ in range(40))
        assert 5 < pasted < 35
