"""The mixins in a real `Trainer.fit`: compared with a plain loop, resumed, on several ranks, and what stays unmixed."""

import functools
import os
import runpy
import warnings

import pytest
import torch
import torch.nn.functional as F
from _ranks_script import EXAMPLES, run_once
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from localmixup import (
    CompleteGraph,
    ExponentialGraph,
    LearnedMetric,
    LocalMixup,
    ManifoldLocalMixup,
    MixedBatch,
    MixingSchedule,
    ThresholdGraph,
)
from localmixup.distributed import DistributedLocalMixup
from localmixup.integrations.lightning import LocalMixupDataModule, LocalMixupMixin

L = pytest.importorskip("lightning")
from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: E402

pytestmark = [
    # advice of Lightning that does not fit tiny data
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*you have no `val_dataloader`.*"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval.*"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty.*"),
    # caused by Lightning itself
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    # a loader without state, as described in the documentation
    pytest.mark.filterwarnings("ignore:.*resuming from a checkpoint that ended before the epoch ended.*"),
]
N, BATCH = 40, 10


def data():
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(N, 4, generator=generator), torch.arange(N) % 3)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


class Plain(L.LightningModule):
    """A module that keeps what each step receives."""

    def __init__(self, seed=0, reduction="weighted_mean"):
        super().__init__()
        self.net = network(seed)
        self.reduction = reduction
        self.seen = []
        self.evaluated = []

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        self.seen.append(batch)
        return batch.loss(F.cross_entropy, self(batch.inputs), reduction=self.reduction)

    def validation_step(self, batch, batch_idx):
        self.evaluated.append(batch)
        return batch[0].sum()

    test_step = predict_step = validation_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Mixed(LocalMixupMixin, Plain):
    def __init__(self, mix=None, seed=0, reduction="weighted_mean"):
        super().__init__(seed, reduction)
        self.mix = exponential() if mix is None else mix

    def training_step(self, batch, batch_idx):
        step = self.mixed_step(batch, F.cross_entropy, reduction=self.reduction)
        self.seen.append(step.batch)
        return step.loss


class Data(L.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(data(), batch_size=BATCH)

    val_dataloader = test_dataloader = predict_dataloader = train_dataloader


class MixedData(LocalMixupDataModule, Data):
    def __init__(self, mix=None):
        super().__init__()
        self.mix = exponential() if mix is None else mix


def trainer(epochs=1, **options):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    quiet |= {"enable_checkpointing": False, "accelerator": "cpu", "num_sanity_val_steps": 0, "limit_val_batches": 0}
    return L.Trainer(max_epochs=epochs, **{**quiet, **options})


def fit(model, datamodule=None, epochs=1, ckpt_path=None, **options):
    used = trainer(epochs, **options)
    used.fit(model, datamodule=Data() if datamodule is None else datamodule, ckpt_path=ckpt_path)
    return used


def by_hand(mix, epochs=1, accumulate=1, reduction="weighted_mean"):
    """The same training in a plain loop: its mixed batches and its network."""
    net, seen = network(), []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(epochs):
        for i, (x, y) in enumerate(DataLoader(data(), batch_size=BATCH)):
            batch = mix(x, y)
            seen.append(batch)
            (batch.loss(F.cross_entropy, net(batch.inputs), reduction=reduction) / accumulate).backward()
            if (i + 1) % accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
    return seen, net


def assert_same(batches, others):
    assert len(batches) == len(others)
    for one, other in zip(batches, others, strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a, b)


def assert_same_weights(model, other):
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def kinds():
    return pytest.mark.parametrize("where", ["module", "datamodule"])


def made(where, mix, seed=0, reduction="weighted_mean"):
    """A module and a data module, one of which mixes."""
    if where == "module":
        return Mixed(mix, seed, reduction), Data()
    return Plain(seed, reduction), MixedData(mix)


def exponential():
    return LocalMixup(ExponentialGraph(decay=0.5), generator=seeded(1))


# ---- what is trained with ----------------------------------------------------------------------------------------


@kinds()
@pytest.mark.parametrize("accumulate", [1, 2])
def test_fit_is_the_plain_loop_to_the_last_bit(where, accumulate):
    model, datamodule = made(where, exponential())
    fit(model, datamodule, epochs=2, accumulate_grad_batches=accumulate)
    seen, net = by_hand(exponential(), 2, accumulate)
    assert_same(model.seen, seen)
    assert_same_weights(model.net, net)
    assert min(batch.weights.min() for batch in seen) < 0.5
    assert not torch.equal(seen[0].lam, seen[4].lam)


@kinds()
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_other_reductions(where, reduction):
    model, datamodule = made(where, exponential(), reduction=reduction)
    fit(model, datamodule)
    assert_same_weights(model.net, by_hand(exponential(), reduction=reduction)[1])


@kinds()
def test_a_radius_far_too_small_warns_once(where, monkeypatch):
    monkeypatch.setitem(globals(), "BATCH", N)  # the warning needs some hundred pairs
    model, datamodule = made(where, LocalMixup(ThresholdGraph(radius=1e-6)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, datamodule, epochs=3)
    assert sum("ThresholdGraph" in str(w.message) for w in caught) == 1


def test_manual_optimization():
    class Manual(Mixed):
        automatic_optimization = False

        def training_step(self, batch, batch_idx):
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(self.mixed_loss(batch, F.cross_entropy))
            optimizer.step()

    model = Manual()
    fit(model)
    assert_same_weights(model.net, by_hand(exponential())[1])


def test_a_custom_forward_pass_instead_of_the_step():
    class Own(Mixed):
        def training_step(self, batch, batch_idx):
            mixed = self.mixed(batch)
            return mixed.loss(F.cross_entropy, self.net(mixed.inputs))

    model = Own()
    fit(model)
    assert_same_weights(model.net, by_hand(exponential())[1])


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_half_precision(precision):
    model, wide = Mixed(), Mixed()
    losses = []
    model.on_train_batch_end = lambda outputs, batch, i: losses.append(outputs["loss"])
    fit(model, precision=precision)
    fit(wide)
    for batch, other in zip(model.seen, wide.seen, strict=True):
        assert batch.weights.dtype == batch.lam.dtype == torch.float32
        assert torch.equal(batch.lam, other.lam)
        torch.testing.assert_close(batch.weights, other.weights, atol=0.01, rtol=0)
    assert losses[0].dtype == torch.float32
    assert losses[0].item() == pytest.approx(
        wide.seen[0].loss(F.cross_entropy, network()(wide.seen[0].inputs)).item(), rel=0.02
    )


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_a_compiled_module_trains_as_the_plain_one():
    model = Mixed()
    fit(torch.compile(model, backend="eager"))
    assert_same_weights(model.net, by_hand(exponential())[1])


def test_batches_mixed_by_the_loader_are_not_mixed_again():
    mix = exponential()

    class Collated(Data):
        def train_dataloader(self):
            return DataLoader(data(), batch_size=BATCH, collate_fn=mix.collate_fn)

    class CollatedTwice(LocalMixupDataModule, Collated):
        def __init__(self):
            super().__init__()
            self.mix = mix

    seen, net = by_hand(exponential())
    for datamodule in (Collated(), CollatedTwice()):
        mix.generator.manual_seed(1)
        model = Mixed()
        fit(model, datamodule)
        assert_same(model.seen, seen)
        assert_same_weights(model.net, net)


class Dicts(torch.utils.data.Dataset):
    def __len__(self):
        return N

    def __getitem__(self, i):
        x, y = data()[i]
        return {"image": x, "label": y, "name": f"sample {i}"}


@kinds()
def test_dicts_with_inputs_and_targets_overridden(where):
    def inputs_and_targets(self, batch):
        return batch["image"], batch["label"]

    class DictData(Data):
        def train_dataloader(self):
            return DataLoader(Dicts(), batch_size=BATCH)

    class DictModel(Mixed):
        pass

    class MixedDictData(MixedData):
        train_dataloader = DictData.train_dataloader

    DictModel.inputs_and_targets = MixedDictData.inputs_and_targets = inputs_and_targets
    model, datamodule = (DictModel(), DictData()) if where == "module" else (Plain(), MixedDictData())
    fit(model, datamodule)
    assert_same(model.seen, by_hand(exponential())[0])


# ---- checkpoint and resume ---------------------------------------------------------------------------------------


def mixes(given):
    """The mix of a run, and the mix of the run that resumes it, whose seed must not matter."""
    graph = ThresholdGraph(radius=2.5)
    seeds = (seeded(1), seeded(77)) if given else (None, None)
    return [LocalMixup(graph, generator=generator, per_sample=True, prob=0.9) for generator in seeds]


@kinds()
@pytest.mark.parametrize("given", [True, False], ids=["generator", "no generator"])
def test_a_resumed_run_equals_one_that_never_stopped(where, given, tmp_path):
    first, second = mixes(given)
    torch.manual_seed(5)
    whole, datamodule = made(where, mixes(given)[0])
    fit(whole, datamodule, epochs=4)

    torch.manual_seed(5)
    half, datamodule = made(where, first)
    fit(half, datamodule, epochs=2).save_checkpoint(tmp_path / "half.ckpt")

    torch.manual_seed(6)
    resumed, datamodule = made(where, second, seed=6)
    fit(resumed, datamodule, epochs=4, ckpt_path=tmp_path / "half.ckpt")

    assert len(whole.seen) == 16
    assert_same([*half.seen, *resumed.seen], whole.seen)
    assert_same_weights(resumed.net, whole.net)


@kinds()
def test_resume_inside_an_epoch(where, tmp_path):
    """After two of four batches: the loader has no state and starts again, while the plans continue."""

    def keep():
        each = ModelCheckpoint(dirpath=tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
        return {"enable_checkpointing": True, "callbacks": [each]}

    whole, datamodule = made(where, mixes(True)[0])
    fit(whole, datamodule, epochs=2, **keep())
    resumed, datamodule = made(where, mixes(True)[1])
    fit(resumed, datamodule, epochs=2, ckpt_path=tmp_path / "step=2.ckpt", **keep())
    assert len(resumed.seen) == 6
    for one, other in zip(resumed.seen, whole.seen[2:], strict=True):
        assert torch.equal(one.lam, other.lam)


def test_a_missing_generator_is_seeded_from_that_of_pytorch_and_no_global_state_changes():
    lams = []
    for seed in (3, 3, 4):
        model = Mixed(LocalMixup(CompleteGraph()), seed=seed)
        state = torch.get_rng_state()
        model.mixed_loss(data().tensors, F.cross_entropy)
        assert torch.equal(torch.get_rng_state(), state)
        fit(model)
        lams.append([float(batch.lam[0]) for batch in model.seen])
    assert lams[0] == lams[1] != lams[2]
    assert lams[0] != [float(b.lam[0]) for b in by_hand(LocalMixup(CompleteGraph(), generator=seeded(3)))[0]]


def test_checkpoints_load_with_and_without_the_mixin(tmp_path):
    class WithHyperparameters(Mixed):
        def __init__(self, seed=0, mixup_alpha=1.0):
            super().__init__(LocalMixup(CompleteGraph(), mixup_alpha=mixup_alpha), seed)
            self.save_hyperparameters()

    fit(trained := WithHyperparameters(mixup_alpha=0.3)).save_checkpoint(tmp_path / "mixed.ckpt")
    loaded = WithHyperparameters.load_from_checkpoint(tmp_path / "mixed.ckpt")
    assert loaded.mix.mixup_alpha == 0.3
    assert torch.equal(loaded.mix.generator.get_state(), trained.mix.generator.get_state())
    assert_same_weights(loaded, trained)

    # a checkpoint of a run without Local Mixup has no state of a generator
    datamodule = Data()
    datamodule.__class__.__qualname__, name = "MixedData", Data.__qualname__
    try:
        plain = Plain()
        plain.training_step = lambda batch, batch_idx: F.cross_entropy(plain(batch[0]), batch[1])
        fit(plain, datamodule).save_checkpoint(tmp_path / "plain.ckpt")
    finally:
        Data.__qualname__ = name
    for where in ("module", "datamodule"):
        resumed, datamodule = made(where, LocalMixup(CompleteGraph()), seed=9)
        fit(resumed, datamodule, epochs=2, ckpt_path=tmp_path / "plain.ckpt")
        assert len(resumed.seen) == 4


def test_a_schedule_follows_the_epochs_and_resumes(tmp_path):
    class Scheduled(Mixed):
        def __init__(self):
            super().__init__(LocalMixup(ThresholdGraph(radius=4.0), generator=seeded(1)))
            self.schedule = MixingSchedule(self.mix, total_steps=4, off_share=0.25, radius=(4.0, 2.0))
            self.used = []

        def on_train_epoch_start(self):
            while self.schedule.steps_done < self.current_epoch:
                self.schedule.step()
            self.used.append((self.mix.graph.radius, self.mix.prob))

    fit(whole := Scheduled(), epochs=4)
    assert whole.used == [(4.0, 1.0), (3.0, 1.0), (2.0, 1.0), (2.0, 0.0)]
    fit(Scheduled(), epochs=2).save_checkpoint(tmp_path / "half.ckpt")
    fit(resumed := Scheduled(), epochs=4, ckpt_path=tmp_path / "half.ckpt")
    assert resumed.used == whole.used[2:]
    assert_same(resumed.seen, whole.seen[8:])


# ---- features and hidden layers ----------------------------------------------------------------------------------


class Learned(Mixed):
    def __init__(self, seed=0):
        super().__init__(seed=seed)
        self.mix = LearnedMetric(self.net, mean_weight=0.5, moving_average=0.9)


class Manifold(Mixed):
    def __init__(self, seed=0):
        super().__init__(seed=seed)
        self.mix = ManifoldLocalMixup(self.net, ["input", "0", "1"])


@pytest.mark.parametrize("kind", [Learned, Manifold])
def test_learned_metric_and_hidden_layers_train_and_resume(kind, tmp_path):
    fit(whole := kind(), epochs=4)
    fit(half := kind(), epochs=2).save_checkpoint(tmp_path / "half.ckpt")
    fit(resumed := kind(seed=9), epochs=4, ckpt_path=tmp_path / "half.ckpt")
    assert_same([*half.seen, *resumed.seen], whole.seen)
    assert_same_weights(resumed, whole)
    assert len({tuple(b.inputs.shape) for b in whole.seen}) == (2 if kind is Manifold else 1)

    state = whole.mix.mix.generator.get_state()
    trainer(limit_val_batches=None).validate(whole, Data(), verbose=False)
    assert torch.equal(whole.mix.mix.generator.get_state(), state)


def test_hidden_layers_are_mixed_as_in_a_plain_loop():
    model = Manifold()
    model.mix.mix.generator = seeded(2)
    fit(model)
    net = network()
    manifold = ManifoldLocalMixup(net, ["input", "0", "1"], generator=seeded(2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for x, y in DataLoader(data(), batch_size=BATCH):
        outputs, batch = manifold(x, y)
        optimizer.zero_grad()
        batch.loss(F.cross_entropy, outputs).backward()
        optimizer.step()
    assert_same_weights(model.net, net)


# ---- metrics -----------------------------------------------------------------------------------------------------


def test_training_accuracy_under_mixing():
    from torchmetrics import MeanMetric

    class Logged(Mixed):
        def __init__(self):
            super().__init__()
            self.train_acc = MeanMetric()
            self.all = []

        def training_step(self, batch, batch_idx):
            loss, outputs, mixed = self.mixed_step(batch, F.cross_entropy)
            self.train_acc(mixed.accuracy(outputs), weight=mixed.weights.sum())
            self.log("weighted", self.train_acc, on_step=False, on_epoch=True)
            self.log("mean of batches", mixed.accuracy(outputs), on_step=False, on_epoch=True)
            self.all.append((outputs.detach(), *mixed[1:]))
            return loss

    model = Logged()
    used = fit(model)
    hits, weights = [], []
    for outputs, targets, partner_targets, lam, weight in model.all:
        for i in range(len(weight)):
            guess = outputs[i].argmax()
            hits.append(lam[i] * (guess == targets[i]) + (1 - lam[i]) * (guess == partner_targets[i]))
            weights.append(weight[i])
    hits, weights = torch.stack(hits), torch.stack(weights)
    assert used.callback_metrics["weighted"].item() == pytest.approx(
        float((hits * weights).sum() / weights.sum()), abs=1e-6
    )
    each = [float((h * w).sum() / w.sum()) for h, w in zip(hits.split(BATCH), weights.split(BATCH), strict=True)]
    assert used.callback_metrics["mean of batches"].item() == pytest.approx(sum(each) / len(each), abs=1e-6)


def test_lightning_finds_the_batch_size_of_a_mixed_batch():
    class Odd(MixedData):
        def train_dataloader(self):
            return DataLoader(data(), batch_size=30)

    class Logged(Plain):
        def training_step(self, batch, batch_idx):
            self.log("size", float(len(batch.weights)), on_step=False, on_epoch=True)
            return super().training_step(batch, batch_idx)

    # the mean over batches of 30 and of 10, weighted by these numbers
    assert fit(Logged(), Odd()).callback_metrics["size"].item() == pytest.approx((30 * 30 + 10 * 10) / 40)


# ---- what stays unmixed ------------------------------------------------------------------------------------------


@kinds()
def test_sanity_check_validation_test_and_prediction_are_as_they_are(where):
    model, datamodule = made(where, LocalMixup(CompleteGraph(), generator=seeded(1)))
    fit(model, datamodule, num_sanity_val_steps=2, limit_val_batches=None)
    assert len(model.evaluated) == 2 + 4
    assert all(isinstance(batch, MixedBatch) for batch in model.seen)
    mix = (model if where == "module" else datamodule).mix
    state = mix.generator.get_state()
    used = trainer(limit_val_batches=None)
    used.validate(model, datamodule, verbose=False)
    used.test(model, datamodule, verbose=False)
    used.predict(model, datamodule)
    x, y = data().tensors
    for i, batch in enumerate(model.evaluated[2:]):
        assert type(batch) is list
        rows = slice(i % 4 * BATCH, (i % 4 + 1) * BATCH)
        assert torch.equal(batch[0], x[rows])
        assert torch.equal(batch[1], y[rows])
    assert len(model.evaluated) == 2 + 4 + 3 * 4
    assert torch.equal(mix.generator.get_state(), state)


def test_the_step_in_validation_is_the_loss_of_the_samples_as_they_are():
    losses = []

    class Validated(Mixed):
        def validation_step(self, batch, batch_idx):
            losses.append((self.mixed_loss(batch, F.cross_entropy), F.cross_entropy(self(batch[0]), batch[1])))

    model = Validated()
    state = model.mix.generator.get_state()
    trainer(limit_val_batches=None).validate(model, Data(), verbose=False)
    assert len(losses) == 4
    for ours, plain in losses:
        assert ours.item() == pytest.approx(plain.item(), abs=1e-6)
    assert torch.equal(model.mix.generator.get_state(), state)


def test_a_callback_cannot_replace_a_batch():
    """The reason why there is no callback: the batch that it returns is ignored."""
    mix, mixed = LocalMixup(CompleteGraph(), generator=seeded(1)), []

    class Replacing(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            batch = mix(*batch)
            mixed.append(batch)
            return batch

    class Receiving(Plain):
        def training_step(self, batch, batch_idx):
            self.seen.append(batch)
            return F.cross_entropy(self(batch[0]), batch[1])

    model = Receiving()
    fit(model, callbacks=[Replacing()])
    assert len(mixed) == len(model.seen) == 4
    x, _ = data().tensors
    assert torch.equal(torch.cat([batch[0] for batch in model.seen]), x)
    assert not torch.equal(torch.cat([batch.inputs for batch in mixed]), x)


# ---- errors ------------------------------------------------------------------------------------------------------


def test_the_mixin_must_come_first():
    with pytest.raises(TypeError, match="LocalMixupMixin must come before LightningModule in the bases of Wrong"):

        class Wrong(L.LightningModule, LocalMixupMixin):
            pass

    with pytest.raises(TypeError, match="LocalMixupDataModule must come before LightningDataModule in the bases of"):

        class WrongData(Data, LocalMixupDataModule):
            pass


def test_errors_say_what_to_do():
    x, y = data().tensors
    model = Mixed()
    for batch, got in (((x, y, y), "a tuple of 3"), ({"x": x, "y": y}, "a dict of 2"), (x, "a Tensor")):
        with pytest.raises(ValueError, match=rf"batch must be a pair \(inputs, targets\), got {got}: override inputs_"):
            model.mixed_loss(batch, F.cross_entropy)
    with pytest.raises(ValueError, match="criterion must not have reduction='sum'"):
        model.mixed_loss((x, y), nn.CrossEntropyLoss(reduction="sum"))
    with pytest.raises(ValueError, match="use mixed_step or mixed_loss, not mixed"):
        Manifold().mixed((x, y))
    with pytest.raises(ValueError, match="set it as mix of the LightningModule instead"):
        fit(Plain(), MixedData(ManifoldLocalMixup(network(), ["0"])))
    del model.mix
    with pytest.raises(ValueError, match=r"Mixed.mix must be a LocalMixup .*, got None: set self.mix = LocalMixup"):
        model.mixed_loss((x, y), F.cross_entropy)


# ---- several ranks -----------------------------------------------------------------------------------------------


def rank_mix(kind, resuming):
    if kind in ("gathered", "ranks"):
        return DistributedLocalMixup(ExponentialGraph(decay=0.5), gather=kind == "gathered", seed=9 if resuming else 1)
    # the seeds differ between the ranks, where that of rank 0 must be used
    return LocalMixup(ExponentialGraph(decay=0.5), generator=seeded(7 if resuming else 1 + int(os.environ["RANK"])))


def train_on_ranks(folder):
    """Train as one of two ranks, see `_ranks_script.py`: four epochs, or two of them, resumed from a checkpoint."""

    def run(kind, epochs, ckpt_path=None):
        resuming = ckpt_path is not None
        where = "datamodule" if kind == "datamodule" else "module"
        model, datamodule = made(where, rank_mix(kind, resuming), seed=int(resuming))
        used = fit(model, datamodule, epochs, ckpt_path, strategy="ddp", devices=2)
        assert used.world_size == 2
        return used, model

    found = {}
    for kind in ("module", "datamodule", "ranks", "gathered"):
        _, whole = run(kind, 3)
        used, half = run(kind, 2)
        path = folder / f"{kind}.ckpt"
        used.save_checkpoint(path)
        _, resumed = run(kind, 3, path)
        for name, model in (("whole", whole), ("resumed", resumed), ("half", half)):
            found[kind, name] = [tuple(batch) for batch in model.seen], [p.detach() for p in model.net.parameters()]
    return found


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of the two ranks found."""
    return [found["lightning"] for found in run_once(tmp_path_factory)]


def loss_of_all(step, net):
    """The weighted mean over the mixed samples of all ranks, one sample at a time."""
    total = weight_of_all = 0.0
    for inputs, targets, partner_targets, lam, weights in step:
        for i in range(len(weights)):
            outputs = net(inputs[i : i + 1])
            own, other = (F.cross_entropy(outputs, t[i : i + 1]) for t in (targets, partner_targets))
            total = total + weights[i] * (lam[i] * own + (1 - lam[i]) * other)
            weight_of_all = weight_of_all + weights[i]
    return total / weight_of_all


def check_weighted_mean(ranks, kind):
    """Compare with one process that trains on the mixed batches of both ranks."""
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    steps = list(zip(*(found[kind, "whole"][0] for found in ranks), strict=True))
    assert len(steps) == 6
    for step in steps:
        # so that the mean of the ranks' means would be a different loss
        assert abs(step[0][4].sum() - step[1][4].sum()) > 1e-3
        optimizer.zero_grad()
        loss_of_all(step, net).backward()
        optimizer.step()
    for found in ranks:
        for ours, exact in zip(found[kind, "whole"][1], net.parameters(), strict=True):
            torch.testing.assert_close(ours, exact.detach(), atol=1e-5, rtol=1e-5)


def check_draws(ranks, kind):
    one, other = (torch.stack([batch[3] for batch in found[kind, "whole"][0]]) for found in ranks)
    if kind == "gathered":
        assert torch.equal(one, other)  # one lam for the whole batch
        return
    assert not (one == other).any()
    for found in ranks:  # as with DistributedLocalMixup, from the generator of rank 0
        assert_same(found[kind, "whole"][0], found["ranks", "whole"][0])


def check_resume(ranks, kind):
    for found in ranks:
        whole, half, resumed = (found[kind, name] for name in ("whole", "half", "resumed"))
        assert_same([*half[0], *resumed[0]], whole[0])
        for a, b in zip(whole[1], resumed[1], strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("kind", ["module", "datamodule", "ranks", "gathered"])
def test_two_ranks_train_as_one_draw_differently_and_resume_from_the_checkpoint_of_rank_0(ranks, kind):
    check_weighted_mean(ranks, kind)
    check_draws(ranks, kind)
    check_resume(ranks, kind)


# ---- the example -------------------------------------------------------------------------------------------------


def test_the_example_runs_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")  # restored after the test, because the example changes it
    monkeypatch.setenv("PL_SEED_WORKERS", "0")
    errors = runpy.run_path(str(EXAMPLES / "lightning_module.py"))["main"](epochs=4)
    # chance is 90; which graph is better is not tested
    assert max(errors.values()) < 20
    assert not list(tmp_path.iterdir())


def counted_by_hand(mix):
    """The mean weight, and the share of the counted samples that are mixed, one sample at a time."""
    weights, mixed = [], []
    for x, y in DataLoader(data(), batch_size=BATCH):
        plan = mix.plan(x, y)
        weights += plan.weights.tolist()
        mixed += [
            w for i, (j, w) in enumerate(zip(plan.partner.tolist(), plan.weights.tolist(), strict=True)) if i != j
        ]
    return sum(weights) / len(weights), sum(mixed) / sum(weights)


@pytest.mark.parametrize("where", ["module", "datamodule"])
@pytest.mark.parametrize(
    ("graph", "options"),
    [
        (None, {}),
        (ThresholdGraph(2.5), {}),
        (ThresholdGraph(2.0), {"pairing": "flip", "prob": 0.6}),
        (ThresholdGraph(2.5), {"outside": "unmix"}),
        (CompleteGraph(), {"prob": 0.0}),
        (LocalMixup().graph, {"pairing": "neighbors", "prob": 0.5}),
    ],
)
def test_what_counts_is_logged_for_each_epoch(where, graph, options):
    class Logging(Plain):
        def training_step(self, batch, batch_idx):
            size = batch.weights.sum()
            self.log("mean_weight", batch.weights.mean(), on_step=False, on_epoch=True, batch_size=len(batch.weights))
            self.log("mixed_share", self.trainer.datamodule.mixed_share, on_step=False, on_epoch=True, batch_size=size)
            return super().training_step(batch, batch_idx)

    mix, again = (LocalMixup(graph, generator=seeded(3), **options) for _ in "12")
    model, datamodule = (Mixed(mix), None) if where == "module" else (Logging(), MixedData(mix))
    used = fit(model, datamodule, limit_val_batches=1)
    mean_weight, mixed_share = counted_by_hand(again)
    assert float(used.callback_metrics["mean_weight"]) == pytest.approx(mean_weight, abs=1e-6)
    assert float(used.callback_metrics["mixed_share"]) == pytest.approx(mixed_share, abs=1e-6)


@pytest.mark.parametrize("model", [Learned, Manifold])
def test_the_share_of_features_and_hidden_layers_is_logged(model):
    used = fit(model())
    assert 0.5 < float(used.callback_metrics["mixed_share"]) <= 1  # a permutation has one fixed point on average


def test_a_batch_that_came_mixed_has_no_share():
    mix = LocalMixup(CompleteGraph(), generator=seeded(0))
    used, loader = trainer(), DataLoader(data(), batch_size=BATCH)
    used.fit(Mixed(), DataLoader(data(), batch_size=BATCH, collate_fn=mix.collate_fn), loader)
    assert float(used.callback_metrics["mean_weight"]) == 1.0
    assert "mixed_share" not in used.callback_metrics


@pytest.mark.parametrize("criterion", [F.cross_entropy, nn.CrossEntropyLoss(), functools.partial(F.cross_entropy)])
@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_classes_as_floating_point_numbers_are_refused_with_a_reason(criterion, shape):
    model, (x, y) = Mixed(), data().tensors
    message = (
        r"targets must be class indices, shape \(40,\), or probabilities .*\(40, 3\), .*got torch.float32 of shape"
    )
    with pytest.raises(ValueError, match=message):
        model.mixed_loss((x, y.float().view(shape)), criterion)
    assert model.mixed_loss((x, F.one_hot(y, 3).float()), criterion).isfinite()
