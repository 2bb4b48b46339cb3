"""`LocalMixupTrainer` in the real `Trainer`, compared with loops over single samples that replay its plans."""

import copy
import importlib.util
import os
import runpy
import warnings

import pytest
import torch
import torch.nn.functional as F
from _ranks_script import EXAMPLES, run_once

from localmixup import (
    AdaptiveExponentialGraph,
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    LocalMixup,
    ThresholdGraph,
)

if importlib.util.find_spec("transformers") is None:
    pytest.skip("transformers is not installed", allow_module_level=True)

import transformers as hf

from localmixup._random import seeded_generator
from localmixup.distributed import DistributedLocalMixup
from localmixup.integrations.transformers import LocalMixupTrainer, embedding_features

# announcements of transformers that do not concern these tests
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


class PlainForImageClassification(hf.ViTForImageClassification):
    """A forward without **kwargs, for which transformers scales the loss differently."""

    def forward(self, pixel_values=None, labels=None):
        return super().forward(pixel_values=pixel_values, labels=labels)


def vit(cls=hf.ViTForImageClassification, **changes):
    torch.manual_seed(0)
    config = hf.ViTConfig(**SIZES, image_size=8, patch_size=4, num_channels=1, **{"num_labels": 3, **changes})
    return cls(config)


def bert(**changes):
    torch.manual_seed(0)
    config = hf.BertConfig(**SIZES, vocab_size=30, max_position_embeddings=32, **{"num_labels": 3, **changes})
    return hf.BertForSequenceClassification(config)


def images(m=10):
    x = torch.randn(m, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return [{"pixel_values": x[i], "labels": i % 3} for i in range(m)]


def texts(m=8, length=6, side="right"):
    generator = torch.Generator().manual_seed(1)
    rows = []
    for i in range(m):
        size = 2 + i * 3 % (length - 1)
        ids = torch.randint(3, 30, (size,), generator=generator)
        types = (torch.arange(size) >= size // 2).long()
        padding = torch.zeros(length - size, dtype=torch.long)
        parts = {"input_ids": (ids, padding), "attention_mask": (torch.ones_like(ids), padding)}
        parts["token_type_ids"] = (types, padding)
        row = {k: torch.cat(v if side == "right" else v[::-1]) for k, v in parts.items()}
        rows.append({**row, "labels": i % 3})
    return rows


def arguments(folder, **changes):
    settings = {
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 4,
        "learning_rate": 0.5,
        "optim": "sgd",
        "lr_scheduler_type": "constant",
        "max_grad_norm": 0.0,
        "train_sampling_strategy": "sequential",
        "num_train_epochs": 2,
        "logging_steps": 1,
        "save_strategy": "no",
    }
    fixed = {"use_cpu": True, "report_to": "none", "disable_tqdm": True, "dataloader_pin_memory": False}
    return hf.TrainingArguments(output_dir=str(folder), **fixed, **{**settings, **changes})


def trainer_of(folder, model, mix, data=None, cls=LocalMixupTrainer, **changes):
    own = {key: changes.pop(key) for key in ("criterion", "features", "compute_loss_func") if key in changes}
    if cls is LocalMixupTrainer:
        own["recipe"] = mix
    return cls(model=model, args=arguments(folder, **changes), train_dataset=data, eval_dataset=data, **own)


def seeded(graph, seed=0, **options):
    return LocalMixup(graph, generator=torch.Generator().manual_seed(seed), **options)


def batch_of(rows):
    return hf.default_data_collator(rows)


def losses_of(trainer):
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def assert_same_weights(model, other, atol=2e-6):
    for (name, a), b in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=atol, rtol=0, msg=lambda text, name=name: f"{name}: {text}")


def slow_loss(model, batch, plan):
    """`sum(w l)` of a batch of images, one sample at a time."""
    total = 0.0
    for i, j in enumerate(plan.partner.tolist()):
        lam, x, y = plan.lam[i], batch["pixel_values"], batch["labels"]
        logits = model(pixel_values=(lam * x[i] + (1 - lam) * x[j])[None]).logits
        own, other = F.cross_entropy(logits, y[i, None]), F.cross_entropy(logits, y[j, None])
        total = total + plan.weights[i] * (lam * own + (1 - lam) * other)
    return total


def slow_training(model, data, mix, steps_of, *, size=4, epochs=2, lr=0.5):
    """Train by the formula with `steps_of` batches per update; return the loss of each update."""
    losses, optimizer = [], torch.optim.SGD(model.parameters(), lr=lr)
    batches = [batch_of(data[i : i + size]) for i in range(0, len(data), size)]
    for _ in range(epochs):
        for start in range(0, len(batches), steps_of):
            update = batches[start : start + steps_of]
            plans = [mix.plan(batch["pixel_values"], batch["labels"]) for batch in update]
            total = torch.cat([plan.weights for plan in plans]).sum()
            loss = sum(slow_loss(model, batch, plan) for batch, plan in zip(update, plans, strict=True)) / total
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


# ---- images ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [hf.ViTForImageClassification, PlainForImageClassification])
@pytest.mark.parametrize("accumulated", [1, 2, 3])
def test_training_is_the_formula_over_accumulated_batches(cls, accumulated, tmp_path):
    """Batches of 4, 4 and 2, so that the last batch and the last update are smaller."""
    model, slow = vit(cls), vit(cls)
    # one case with every option that changes the weights
    options = {"per_sample": True, "prob": 0.7} if accumulated == 2 else {}
    graph = ExponentialGraph(decay=0.2)
    trainer = trainer_of(tmp_path, model, seeded(graph, **options), images(), gradient_accumulation_steps=accumulated)
    assert trainer.model_accepts_loss_kwargs == (cls is hf.ViTForImageClassification)
    trainer.train()
    mix = seeded(graph, **options)
    losses = slow_training(slow, images(), mix, accumulated)
    assert_same_weights(model, slow)
    assert losses_of(trainer) == pytest.approx(losses, abs=2e-6)
    assert torch.equal(trainer.mix.generator.get_state(), mix.generator.get_state())


def ignoring(rows):
    """A third of the labels ignored, among them two of the first batch of four."""
    return [{**row, "labels": -100 if i in (1, 2, 7, 11) else row["labels"]} for i, row in enumerate(rows)]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("column", [False, True])
def test_unmixed_it_ignores_labels_as_the_plain_trainer_does(smoothing, column, tmp_path):
    rows = ignoring(images(12))
    if column and not smoothing:
        rows = [{**row, "labels": torch.tensor([row["labels"]])} for row in rows]
    models = []
    for mix, trainer_class in ((seeded(CompleteGraph(), prob=0.0), LocalMixupTrainer), (None, hf.Trainer)):
        trainer = trainer_of(tmp_path, vit(), mix, rows, trainer_class, label_smoothing_factor=smoothing)
        trainer.train()
        models.append((trainer.model, losses_of(trainer)))
    assert_same_weights(models[0][0], models[1][0])
    assert models[0][1] == pytest.approx(models[1][1], abs=1e-5)


def test_a_batch_without_labels_has_loss_zero_where_the_plain_trainer_has_nan(tmp_path):
    batch = batch_of([{**row, "labels": -100} for row in images(4)])
    losses = {}
    for mix, trainer_class in ((seeded(CompleteGraph()), LocalMixupTrainer), (None, hf.Trainer)):
        model = vit().train()
        loss = trainer_of(tmp_path, model, mix, None, trainer_class).compute_loss(model, batch)
        loss.backward()
        losses[trainer_class] = loss.item()
    assert losses[LocalMixupTrainer] == 0
    assert losses[hf.Trainer] != losses[hf.Trainer]


@pytest.mark.parametrize("accumulated", [1, 3])
@pytest.mark.parametrize("criterion", [None, torch.nn.CrossEntropyLoss(weight=torch.tensor([0.5, 1.0, 3.0]))])
def test_ignored_labels_and_class_weights_are_divided_out_over_accumulated_batches(accumulated, criterion, tmp_path):
    """The loss of the first update, one sample and one label at a time."""
    rows, graph, model = ignoring(images(12)), ExponentialGraph(decay=0.2), vit()
    slow, mix = copy.deepcopy(model), seeded(graph, per_sample=True)
    trainer = trainer_of(
        tmp_path, model, seeded(graph, per_sample=True), rows, criterion=criterion, max_steps=1,
        gradient_accumulation_steps=accumulated,
    )  # fmt: skip
    trainer.train()
    class_weights = [1.0, 1.0, 1.0] if criterion is None else criterion.weight.tolist()
    total = size = 0.0
    for k in range(accumulated):
        batch = batch_of(rows[4 * k : 4 * k + 4])
        x, y = batch["pixel_values"], batch["labels"].tolist()
        plan = mix.plan(x, batch["labels"])
        for i, j in enumerate(plan.partner.tolist()):
            lam, weight = float(plan.lam[i]), float(plan.weights[i])
            logits = slow(pixel_values=(lam * x[i] + (1 - lam) * x[j])[None]).logits[0]
            for share, label in ((lam, y[i]), (1 - lam, y[j])):
                if label != -100:
                    total = total - weight * share * class_weights[label] * logits.log_softmax(0)[label]
                    size += weight * share * class_weights[label]
    loss = total / size
    assert losses_of(trainer) == pytest.approx([loss.item()], abs=1e-5)
    gradients = torch.autograd.grad(loss, list(slow.parameters()), allow_unused=True)
    with torch.no_grad():
        for parameter, gradient in zip(slow.parameters(), gradients, strict=True):
            if gradient is not None:
                parameter -= 0.5 * gradient
    assert_same_weights(model, slow, atol=5e-6)


def test_it_logs_how_much_counts(tmp_path):
    graph, options = ThresholdGraph(radius=11.0), {"prob": 0.5}
    trainer = trainer_of(tmp_path, vit(), seeded(graph, **options), images(), num_train_epochs=1, logging_steps=2)
    trainer.train()
    (entry,) = [entry for entry in trainer.state.log_history if "loss" in entry]
    mix, weights, moved = seeded(graph, **options), [], []
    for rows in (images()[:4], images()[4:8]):
        batch = batch_of(rows)
        plan = mix.plan(batch["pixel_values"], batch["labels"])
        weights += plan.weights.tolist()
        moved += [i != j for i, j in enumerate(plan.partner.tolist())]
    assert 0 < sum(weights) < 8
    assert entry["mean_weight"] == pytest.approx(sum(weights) / 8)
    assert entry["mixed_share"] == pytest.approx(
        sum(w for w, m in zip(weights, moved, strict=True) if m) / sum(weights)
    )


def test_a_radius_far_too_small_warns_once(tmp_path):
    mix = seeded(ThresholdGraph(radius=1e-6))
    trainer = trainer_of(tmp_path, vit(), mix, images(40), per_device_train_batch_size=20)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.train()
    assert sum("ThresholdGraph" in str(w.message) for w in caught) == 1


@pytest.mark.parametrize("cls", [hf.ViTForImageClassification, PlainForImageClassification])
def test_unmixed_it_is_the_plain_trainer(cls, tmp_path):
    """With dropout, so that mixing must not draw from the global generator."""
    runs = [(seeded(CompleteGraph(), prob=0.0), LocalMixupTrainer), (None, hf.Trainer)]
    models = []
    for mix, trainer_class in runs:
        model = vit(cls, hidden_dropout_prob=0.1)
        trainer = trainer_of(tmp_path, model, mix, images(), trainer_class, train_sampling_strategy="random")
        trainer.train()
        models.append((model, losses_of(trainer)))
    assert_same_weights(models[0][0], models[1][0])
    assert models[0][1] == pytest.approx(models[1][1], abs=1e-5)


def test_the_plain_trainer_multiplies_by_accumulated_batches_as_the_page_says(tmp_path):
    """If this fails, transformers has fixed it and the page no longer needs to warn about it."""
    shown = {}
    for trainer_class, mix in ((hf.Trainer, None), (LocalMixupTrainer, seeded(CompleteGraph(), prob=0.0))):
        for accumulated in (1, 2):
            steps = {"gradient_accumulation_steps": accumulated, "learning_rate": 0.0, "num_train_epochs": 1}
            trainer = trainer_of(tmp_path, bert(), mix, texts(), trainer_class, **steps)
            trainer.train()
            shown[trainer_class, accumulated] = sum(losses_of(trainer)) / len(losses_of(trainer))
    assert shown[hf.Trainer, 2] == pytest.approx(2 * shown[hf.Trainer, 1], rel=0.1)
    assert shown[LocalMixupTrainer, 2] == pytest.approx(shown[LocalMixupTrainer, 1], rel=0.05)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_evaluation_and_prediction_equal_those_of_the_plain_trainer(smoothing, tmp_path):
    found = []
    for trainer_class in (LocalMixupTrainer, hf.Trainer):
        mix = seeded(CompleteGraph())
        trainer = trainer_of(tmp_path, vit(), mix, images(), trainer_class, label_smoothing_factor=smoothing)
        trainer.compute_metrics = lambda p: {"accuracy": float((p.predictions.argmax(-1) == p.label_ids).mean())}
        metrics = trainer.evaluate()
        found.append((metrics["eval_loss"], metrics["eval_accuracy"], trainer.predict(images()).predictions.tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({}, torch.tensor([0, 1, 2, 1])),
        ({"problem_type": "single_label_classification"}, torch.tensor([0, 1, 2, 1], dtype=torch.int32).long()),
        ({"num_labels": 1}, torch.tensor([0.5, -1.0, 2.0, 3.0])),
        ({"num_labels": 1}, torch.tensor([[0.5], [-1.0], [2.0], [3.0]])),
        ({"problem_type": "regression"}, torch.randn(4, 3, generator=torch.Generator().manual_seed(0))),
        ({}, torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])),
    ],
    ids=["classes", "classes by config", "value", "column", "values", "several labels"],
)
@pytest.mark.filterwarnings("ignore:Label smoothing is not compatible")
def test_the_loss_is_the_models_own(changes, labels, tmp_path):
    """Unmixed it is the loss that transformers computes, and mixed it is made of two such losses."""
    batch = {"pixel_values": batch_of(images(4))["pixel_values"], "labels": labels}
    model = vit(**changes)
    trainer = trainer_of(tmp_path, model, seeded(CompleteGraph()))
    trainer.mix.eval()
    model.train()
    loss, outputs = trainer.compute_loss(model, batch, return_outputs=True)
    assert "labels" in batch
    theirs = vit(**changes).train()(**batch)
    assert loss.item() == pytest.approx(theirs.loss.item(), abs=1e-6)
    assert torch.equal(outputs.logits, theirs.logits)
    trainer.mix.train()
    plan = copy.deepcopy(trainer.mix).plan(batch["pixel_values"], labels)
    mixed = plan.mix(batch["pixel_values"])
    own, other = (vit(**changes)(pixel_values=mixed, labels=to).loss.item() for to in (labels, plan.partner_of(labels)))
    lam = plan.lam[0].item()
    assert trainer.compute_loss(model, batch).item() == pytest.approx(lam * own + (1 - lam) * other, abs=1e-6)


def test_label_smoothing_equals_that_of_the_plain_trainer(tmp_path):
    batch, losses = batch_of(images(6)), []
    for trainer_class in (LocalMixupTrainer, hf.Trainer):
        model = vit()
        trainer = trainer_of(tmp_path, model, seeded(IdentityGraph()), cls=trainer_class, label_smoothing_factor=0.2)
        if trainer_class is LocalMixupTrainer:
            trainer.mix.eval()
        model.train()
        losses.append(trainer.compute_loss(model, dict(batch)).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_a_custom_criterion_and_custom_features(tmp_path):
    batch, seen = batch_of(images(6)), []

    def features(inputs):
        seen.append((sorted(inputs), torch.is_grad_enabled()))
        return inputs["pixel_values"].mean(dim=(1, 2, 3))

    def criterion(logits, labels):
        return (logits.softmax(1) - F.one_hot(labels, 3)).square().sum(1)

    graph, model = ExponentialGraph(decay=4.0), vit()
    trainer = trainer_of(tmp_path, model, seeded(graph), features=features, criterion=criterion)
    model.train()
    loss = trainer.compute_loss(model, batch)
    assert seen == [(["pixel_values"], False)]
    plan = seeded(graph).plan(features(batch), batch["labels"])
    mixed = plan.apply(batch["pixel_values"], batch["labels"])
    assert loss.item() == pytest.approx(mixed.loss(criterion, model(mixed.inputs).logits).item(), abs=1e-6)
    whole = seeded(graph).plan(batch["pixel_values"], batch["labels"])
    assert not torch.allclose(plan.weights, whole.weights)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_loss_is_a_differentiable_zero_if_no_sample_counts(tmp_path):
    model = vit()
    trainer = trainer_of(tmp_path, model, seeded(ThresholdGraph(radius=0.0), pairing="flip"))
    model.train()
    loss = trainer.compute_loss(model, batch_of(images(4)))
    loss.backward()
    assert loss.item() == 0
    assert not model.classifier.weight.grad.any()


def test_bfloat16(tmp_path):
    runs = {}
    for bf16 in (False, True):
        model = vit()
        trainer = trainer_of(tmp_path, model, seeded(ExponentialGraph(decay=0.2)), images(), bf16=bf16)
        trainer.train()
        runs[bf16] = losses_of(trainer)
        assert model.classifier.weight.dtype == torch.float32
    assert runs[True] != runs[False]
    assert runs[True] == pytest.approx(runs[False], rel=0.05)


def test_a_model_in_half_precision_and_a_compiled_model(tmp_path):
    model = vit().to(torch.bfloat16)
    trainer = trainer_of(tmp_path, model, seeded(CompleteGraph()))
    model.train()
    batch = batch_of(images(4))
    batch["pixel_values"] = batch["pixel_values"].bfloat16()
    loss = trainer.compute_loss(model, batch)
    assert loss.dtype == torch.float32
    whole, model = [], vit()
    for called in (model, torch.compile(model, backend="eager")):
        trainer = trainer_of(tmp_path, model, seeded(CompleteGraph()))
        called.train()
        whole.append(trainer.compute_loss(called, batch_of(images(4))).item())
    assert whole[0] == pytest.approx(whole[1], abs=1e-6)


# ---- texts -------------------------------------------------------------------------------------------------------


def text_model(name):
    torch.manual_seed(0)
    common = {"vocab_size": 30, "num_labels": 3, "pad_token_id": 0}
    if name == "distilbert":
        none = {"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0}
        config = hf.DistilBertConfig(dim=16, n_layers=1, n_heads=2, hidden_dim=16, **none, **common)
        return hf.DistilBertForSequenceClassification(config)
    if name == "gpt2":
        none = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        config = hf.GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=32, **none, **common)
        return hf.GPT2ForSequenceClassification(config)
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    kind = {"bert": "Bert", "roberta": "Roberta", "llama": "Llama"}[name]
    config = getattr(hf, f"{kind}Config")(**SIZES, max_position_embeddings=32, **none, **common)
    return getattr(hf, f"{kind}ForSequenceClassification")(config)


def slow_text_loss(model, rows, plan, side):
    """`sum(w l) / sum(w)` from single pairs without padding, each as long as the longer of its two texts."""

    def trimmed(row):
        keep = row["attention_mask"] == 1
        return {k: row[k][keep] for k in ("input_ids", "token_type_ids")}

    def placed(values, length):
        front, behind = (0, length - len(values)) if side == "right" else (length - len(values), 0)
        return torch.cat(
            [values.new_zeros(front, *values.shape[1:]), values, values.new_zeros(behind, *values.shape[1:])]
        )

    embedding, total = model.get_input_embeddings(), 0.0
    for i, j in enumerate(plan.partner.tolist()):
        own, other = trimmed(rows[i]), trimmed(rows[j])
        length = max(len(own["input_ids"]), len(other["input_ids"]))
        lam = plan.lam[i]
        x, x_other = (placed(embedding(r["input_ids"]), length) for r in (own, other))
        inputs = {"inputs_embeds": (lam * x + (1 - lam) * x_other)[None]}
        if model.config.model_type == "bert":
            types = own if len(own["input_ids"]) == length else None
            if types is None:
                there = placed(torch.ones_like(own["input_ids"]), length).bool()
                both = (placed(r["token_type_ids"], length) for r in (own, other))
                inputs["token_type_ids"] = torch.where(there, *both)[None]
            else:
                inputs["token_type_ids"] = own["token_type_ids"][None]
        logits = model(**inputs).logits
        l_own, l_other = (F.cross_entropy(logits, torch.tensor([rows[k]["labels"]])) for k in (i, j))
        total = total + plan.weights[i] * (lam * l_own + (1 - lam) * l_other)
    return total / plan.weights.sum()


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("bert", "right"),
        ("roberta", "right"),
        ("distilbert", "right"),
        ("gpt2", "right"),
        ("llama", "right"),
        ("llama", "left"),
    ],
)
def test_texts_are_mixed_as_if_there_were_no_padding(name, side, tmp_path):
    rows, graph = texts(side=side), ExponentialGraph(decay=5.0)
    if name != "bert":
        rows = [{k: v for k, v in row.items() if k != "token_type_ids"} | {"token_type_ids": None} for row in rows]
    batch = batch_of([{k: v for k, v in row.items() if v is not None} for row in rows])
    rows = [{**row, "token_type_ids": torch.zeros_like(row["input_ids"])} if name != "bert" else row for row in rows]
    model, slow = text_model(name).train(), text_model(name).train()
    trainer = trainer_of(tmp_path, model, seeded(graph, per_sample=True))
    loss = trainer.compute_loss(model, batch)
    loss.backward()
    means = torch.stack(
        [slow.get_input_embeddings()(row["input_ids"][row["attention_mask"] == 1]).mean(0).detach() for row in rows]
    )
    torch.testing.assert_close(embedding_features(model, batch), means, atol=1e-7, rtol=1e-6)
    plan = seeded(graph, per_sample=True).plan(means, batch["labels"])
    assert plan.weights.std() > 0.01
    exact = slow_text_loss(slow, rows, plan, side)
    exact.backward()
    assert loss.item() == pytest.approx(exact.item(), abs=2e-6)
    ours, theirs = (m.get_input_embeddings().weight.grad for m in (model, slow))
    assert theirs.abs().max() > 1e-3
    torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=0)


def test_texts_without_a_mask_count_as_unpadded(tmp_path):
    rows = [{"input_ids": row["input_ids"].clamp_min(1), "labels": row["labels"]} for row in texts()]
    full = [{**row, "attention_mask": torch.ones_like(row["input_ids"])} for row in rows]
    losses = []
    for data in (rows, full):
        model = text_model("bert").train()
        trainer = trainer_of(tmp_path, model, seeded(CompleteGraph()))
        losses.append(trainer.compute_loss(model, batch_of(data)).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-7)


def test_unmixed_texts_train_like_the_plain_trainer_and_the_embedding_is_trained(tmp_path):
    models = []
    for mix, trainer_class in [(seeded(CompleteGraph(), prob=0.0), LocalMixupTrainer), (None, hf.Trainer)]:
        model = bert()
        trainer = trainer_of(tmp_path, model, mix, texts(), trainer_class, neftune_noise_alpha=5.0)
        trainer.train()
        models.append(model)
    assert_same_weights(*models)
    assert not torch.equal(models[0].get_input_embeddings().weight, bert().get_input_embeddings().weight)


def test_distances_ignore_what_only_exists_in_training():
    model, batch = text_model("bert").train(), batch_of(texts())
    before = embedding_features(model, batch)
    embedding = model.get_input_embeddings()
    embedding.register_forward_hook(lambda module, args, output: output + 1 if module.training else output)
    assert torch.equal(embedding_features(model, batch), before)
    assert embedding.training
    assert not before.requires_grad


# ---- checkpoints -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [2, 3], ids=["in the middle of an epoch", "at its end"])
def test_a_resumed_training_continues_with_the_same_pairs(stop, tmp_path):
    """24 texts, three updates of two batches per epoch, with dropout, shuffling and a graph that has a state."""
    settings = {
        "gradient_accumulation_steps": 2,
        "max_steps": 6,
        "save_strategy": "steps",
        "save_steps": stop,
        "train_sampling_strategy": "random",
        "lr_scheduler_type": "linear",
    }

    def trainer(folder):
        return trainer_of(folder, bert(), seeded(AdaptiveExponentialGraph(), seed=4), texts(24), **settings)

    whole = trainer(tmp_path / "whole")
    whole.train()
    resumed = trainer(tmp_path / "resumed")
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / f"checkpoint-{stop}"))
    assert_same_weights(whole.model, resumed.model, atol=0)
    assert torch.equal(whole.mix.graph.scale, resumed.mix.graph.scale)
    (tmp_path / "whole" / f"checkpoint-{stop}" / "local_mixup_state.pth").unlink()
    fresh = trainer(tmp_path / "fresh")
    fresh.train(resume_from_checkpoint=str(tmp_path / "whole" / f"checkpoint-{stop}"))
    with pytest.raises(AssertionError):
        assert_same_weights(whole.model, fresh.model)


def test_a_missing_generator_is_seeded_with_the_seed_of_the_trainer(tmp_path):
    states = []
    for seed in (1, 1, 2):
        mix = LocalMixup(CompleteGraph())
        states.append(trainer_of(tmp_path, vit(), mix, seed=seed).mix.generator.get_state())
        assert mix.generator is None  # the recipe of the user may serve another trainer
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


# ---- several processes -------------------------------------------------------------------------------------------


def train_on_ranks(folder):
    """Train as one of two ranks, see `_ranks_script.py`."""
    folder = folder / "transformers"
    mix = LocalMixup(ExponentialGraph(decay=0.2), generator=torch.Generator().manual_seed(5))
    trainer = trainer_of(
        folder, vit(), mix, images(16), gradient_accumulation_steps=2, num_train_epochs=1,
        per_device_train_batch_size=2, save_strategy="steps", save_steps=1,
    )  # fmt: skip
    trainer.train()
    found = {"images": trainer.model.state_dict(), "losses": losses_of(trainer)}
    mix = LocalMixup(ExponentialGraph(decay=5.0))
    trainer = trainer_of(
        folder, text_model("bert"), mix, texts(8), num_train_epochs=1, per_device_train_batch_size=4, seed=3
    )
    trainer.train()
    files = [name for name in os.listdir(folder / "checkpoint-1") if name.startswith("local_mixup")]
    return {**found, "texts": trainer.model.state_dict(), "files": files}


def test_two_processes_train_as_one(tmp_path_factory):
    """Batches go to rank 0 and rank 1 in turn, and each rank draws its own plans."""
    ranks = [found["transformers"] for found in run_once(tmp_path_factory)]
    for found in ranks:
        assert set(found["files"]) == {"local_mixup_state_0.pth", "local_mixup_state_1.pth"}

    model, data = vit(), images(16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    graph, losses = ExponentialGraph(decay=0.2), []
    mixes = [LocalMixup(graph, generator=seeded_generator(5, rank)) for rank in range(2)]
    for start in (0, 8):
        batches = [batch_of(data[start + i : start + i + 2]) for i in (0, 2, 4, 6)]
        plans = [mixes[i % 2].plan(batch["pixel_values"], batch["labels"]) for i, batch in enumerate(batches)]
        total = sum(plan.weights.sum() for plan in plans)
        loss = sum(slow_loss(model, batch, plan) for batch, plan in zip(batches, plans, strict=True)) / total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    for found in ranks:
        for name, value in model.state_dict().items():
            torch.testing.assert_close(found["images"][name], value, atol=1e-6, rtol=0)
    assert ranks[0]["losses"] == pytest.approx(losses, abs=1e-6)

    model = text_model("bert").train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    sums, total = 0.0, 0.0
    for rank in range(2):
        rows = texts(8)[4 * rank : 4 * rank + 4]
        mix = LocalMixup(ExponentialGraph(decay=5.0), generator=seeded_generator(3, rank))
        plan = mix.plan(embedding_features(model, batch_of(rows)))
        sums = sums + slow_text_loss(model, rows, plan, "right") * plan.weights.sum()
        total += plan.weights.sum()
    (sums / total).backward()
    optimizer.step()
    for found in ranks:
        for name, value in model.state_dict().items():
            torch.testing.assert_close(found["texts"][name], value, atol=1e-6, rtol=0)


# ---- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mix", "changes", "message"),
    [
        (CompleteGraph(), {}, r"recipe must be a LocalMixup, such as LocalMixup\(KNNGraph.*got CompleteGraph"),
        (DistributedLocalMixup(CompleteGraph()), {}, "recipe must be a LocalMixup.*got DistributedLocalMixup"),
        (LocalMixup(CompleteGraph()), {"compute_loss_func": F.cross_entropy}, "Pass criterion instead"),
        (
            LocalMixup(CompleteGraph()),
            {"criterion": F.cross_entropy, "label_smoothing_factor": 0.1},
            "label_smoothing_factor must be 0 if criterion is given.*got 0.1",
        ),
    ],
)
def test_errors_of_the_constructor(mix, changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        trainer_of(tmp_path, vit(), mix, **changes)


def bart():
    sizes = {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = hf.BartConfig(vocab_size=30, d_model=16, encoder_layers=1, decoder_layers=1, **sizes)
    return hf.BartForSequenceClassification(config)


def xlnet():
    return hf.XLNetForSequenceClassification(hf.XLNetConfig(vocab_size=30, d_model=16, n_layer=1, n_head=2, d_inner=16))


def token_model():
    config = hf.BertConfig(**SIZES, vocab_size=30)
    return hf.BertForTokenClassification(config)


class NotOnceForSequenceClassification(hf.BertForSequenceClassification):
    def forward(self, input_ids=None, labels=None, **inputs):
        self.get_input_embeddings()(input_ids)
        return super().forward(input_ids=input_ids, labels=labels, **inputs)


IMAGES, TEXTS = batch_of(images(6)), batch_of(texts(6))


@pytest.mark.parametrize(
    ("model", "batch", "message"),
    [
        (vit, {**IMAGES, "pixel_values": IMAGES["pixel_values"].byte()}, r"floating point.*pixel_values \(torch.uint8"),
        (vit, {**IMAGES, "bool_masked_pos": torch.ones(6, 4).bool()}, r"floating point.*bool_masked_pos \(torch.bool"),
        (vit, {"pixel_values": IMAGES["pixel_values"]}, r"labels under one name.*got \['pixel_values'\]"),
        (
            vit,
            {**IMAGES, "labels": torch.zeros(6, 2).long()},
            r"one class per sample.*got shapes \(6, 2\) and \(6, 3\)",
        ),
        (
            lambda: vit(num_labels=1),
            {**IMAGES, "labels": torch.zeros(6, 2)},
            r"one value per logit.*\(6, 1\).*\(6, 2\)",
        ),
        (bert, {**TEXTS, **IMAGES}, r"next to input_ids .* only integers.*got pixel_values \(torch.float32"),
        (bert, {**TEXTS, "attention_mask": torch.ones(6, 6, 6).long()}, "next to input_ids .* only integers"),
        (bart, {k: v for k, v in TEXTS.items() if k != "token_type_ids"}, "has an encoder and a decoder"),
        (xlnet, TEXTS, r"unchanged.*shape \(6, 6\); its Embedding received others"),
        (
            token_model,
            {**TEXTS, "labels": TEXTS["input_ids"]},
            "criterion must be given for BertForTokenClassification",
        ),
        (
            lambda: NotOnceForSequenceClassification(bert().config),
            TEXTS,
            "NotOnceForSequenceClassification, which does so 2 times",
        ),
        (lambda: torch.compile(bert(), backend="eager"), TEXTS, "a compiled model does not run the hook"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_errors_of_batches(model, batch, message, tmp_path):
    model = model()
    trainer = trainer_of(tmp_path, getattr(model, "_orig_mod", model), seeded(CompleteGraph()))
    model.train()
    with pytest.raises(ValueError, match=message):
        trainer.compute_loss(model, batch)
    inner = getattr(model, "_orig_mod", model)
    if "input_ids" in batch:
        assert not inner.get_input_embeddings()._forward_hooks


def test_label_smoothing_is_refused_for_regression(tmp_path):
    model = vit(num_labels=1)
    trainer = trainer_of(tmp_path, model, seeded(CompleteGraph()), label_smoothing_factor=0.1)
    model.train()
    with pytest.raises(ValueError, match=r"label_smoothing_factor must be 0 for regression, got 0.1"):
        trainer.compute_loss(model, {**IMAGES, "labels": torch.zeros(6)})


@pytest.mark.parametrize(("name", "epochs"), [("transformers_trainer.py", 3), ("transformers_text.py", 5)])
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")
def test_the_examples_run(name, epochs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    errors = runpy.run_path(str(EXAMPLES / name))["main"](epochs)
    # chance is 90 and 50; which graph is better is not tested
    assert max(errors.values()) < 40
    assert list(tmp_path.iterdir()) == []
