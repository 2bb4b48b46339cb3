"""Every kind of criterion: an unmixed batch has PyTorch's own mean, a mixed one agrees with a loop."""

import dataclasses
import functools
import gc
import math
import weakref

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from helpers import generator
from torch import nn

from localmixup import CompleteGraph, LocalMixup, MixedBatch, MixPlan

N, C = 8, 5
CLASS_WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.1, 4.0])
PLAN = MixPlan(
    torch.tensor([1, 0, 3, 2, 4, 0, 7, 5]), torch.rand(N, generator=generator(2)), torch.rand(N, generator=generator(3))
)


def classes(*shape, ignored=None):
    y = torch.randint(C, (N, *shape), generator=generator(4))
    if ignored is not None:
        y[0], y[3] = ignored, ignored
        if shape:
            y[5, : shape[0] // 2] = ignored
    return y


def scores(*shape):
    return torch.randn(N, *shape, generator=generator(5))


def focal(outputs, targets, gamma=2.0):
    losses = F.cross_entropy(outputs, targets, reduction="none")
    return losses * (1 - torch.exp(-losses)) ** gamma


log_scores = F.log_softmax(scores(C), 1)
soft = torch.softmax(scores(C) * 2, 1)
labels = torch.rand(N, C, generator=generator(6)).round()
weighted = {"weight": CLASS_WEIGHTS}

# criterion, the same criterion with PyTorch's own mean, outputs, targets
CASES = {
    "function": (F.cross_entropy, F.cross_entropy, scores(C), classes()),
    "module": (nn.CrossEntropyLoss(), F.cross_entropy, scores(C), classes()),
    "module without reduction": (nn.CrossEntropyLoss(reduction="none"), F.cross_entropy, scores(C), classes()),
    "lambda": (lambda o, y: F.cross_entropy(o, y, reduction="none"), F.cross_entropy, scores(C), classes()),
    "class weights": (nn.CrossEntropyLoss(**weighted), nn.CrossEntropyLoss(**weighted), scores(C), classes()),
    "class weights, no reduction": (
        nn.CrossEntropyLoss(**weighted, reduction="none"), nn.CrossEntropyLoss(**weighted), scores(C), classes(),
    ),
    "partial class weights": (
        functools.partial(F.cross_entropy, **weighted), nn.CrossEntropyLoss(**weighted), scores(C), classes(),
    ),
    "ignored": (nn.CrossEntropyLoss(), F.cross_entropy, scores(C), classes(ignored=-100)),
    "ignore_index": (
        nn.CrossEntropyLoss(ignore_index=2), nn.CrossEntropyLoss(ignore_index=2), scores(C), classes(ignored=2),
    ),
    "partial ignore_index and weights": (
        functools.partial(F.cross_entropy, ignore_index=7, **weighted),
        functools.partial(F.cross_entropy, ignore_index=7, **weighted), scores(C), classes(ignored=7),
    ),
    "label smoothing": (
        nn.CrossEntropyLoss(label_smoothing=0.1), nn.CrossEntropyLoss(label_smoothing=0.1), scores(C), classes(),
    ),
    "label smoothing and class weights": (
        nn.CrossEntropyLoss(label_smoothing=0.1, **weighted), nn.CrossEntropyLoss(label_smoothing=0.1, **weighted),
        scores(C), classes(),
    ),
    "soft labels": (nn.CrossEntropyLoss(), F.cross_entropy, scores(C), soft),
    "soft labels and class weights": (
        nn.CrossEntropyLoss(**weighted), nn.CrossEntropyLoss(**weighted), scores(C), soft,
    ),
    "masks": (nn.CrossEntropyLoss(), F.cross_entropy, scores(C, 4, 3), classes(4, 3)),
    "masks, weights and ignored pixels": (
        nn.CrossEntropyLoss(ignore_index=9, **weighted), nn.CrossEntropyLoss(ignore_index=9, **weighted),
        scores(C, 4, 3), classes(4, 3, ignored=9),
    ),
    "nll": (nn.NLLLoss(**weighted), nn.NLLLoss(**weighted), log_scores, classes()),
    "nll function": (F.nll_loss, F.nll_loss, log_scores, classes(ignored=-100)),
    "several labels": (nn.BCEWithLogitsLoss(), F.binary_cross_entropy_with_logits, scores(C), labels),
    "several labels, weights": (
        nn.BCEWithLogitsLoss(pos_weight=CLASS_WEIGHTS), nn.BCEWithLogitsLoss(pos_weight=CLASS_WEIGHTS),
        scores(C), labels,
    ),
    "one logit": (nn.BCEWithLogitsLoss(), F.binary_cross_entropy_with_logits, scores(), labels[:, 0]),
    "regression": (nn.MSELoss(), F.mse_loss, scores(), scores(1)[:, 0] * 2),
    "regression, column": (F.mse_loss, F.mse_loss, scores(1), scores(1) * 2),
    "regression, tensor": (nn.SmoothL1Loss(beta=0.5), nn.SmoothL1Loss(beta=0.5), scores(2, 3), scores(2, 3) * 2),
    "partial": (functools.partial(F.huber_loss, delta=0.5), nn.HuberLoss(delta=0.5), scores(2), scores(2) * 2),
    "kl divergence": (
        nn.KLDivLoss(reduction="batchmean"), nn.KLDivLoss(reduction="batchmean"), log_scores, soft,
    ),
    "own function": (focal, lambda o, y: focal(o, y).mean(), scores(C), classes()),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_unmixed_batch_has_the_mean_of_pytorch(name):
    criterion, torchs_own, outputs, targets = CASES[name]
    batch = MixedBatch(outputs, targets, targets, torch.ones(N), torch.ones(N))
    expected = torchs_own(outputs, targets)
    torch.testing.assert_close(batch.loss(criterion, outputs), expected)
    torch.testing.assert_close(batch.loss(criterion, outputs, reduction="mean"), expected)


def _ends(name, i):
    """The sum of the losses of one sample with each of its two targets, and what each counts."""
    _, torchs_own, outputs, targets = CASES[name]
    for j in (i, int(PLAN.partner[i])):
        target = targets[j : j + 1]
        count = 1.0
        if not target.is_floating_point():
            ignored = {"ignore_index": 2, "partial ignore_index and weights": 7}.get(
                name, 9 if "pixels" in name else -100
            )
            weights = CLASS_WEIGHTS if "weights" in name or name == "nll" else torch.ones(C)
            kept = target[target != ignored].flatten()
            count = float(weights[kept].sum()) / max(1, target.numel())
        loss = 0.0 if count == 0 else float(torchs_own(outputs[i : i + 1], target)) * count
        yield loss, count


@pytest.mark.parametrize("name", CASES)
def test_a_mixed_batch_agrees_with_a_loop(name):
    criterion, _, outputs, targets = CASES[name]
    batch = PLAN.apply(torch.zeros(N, 2), targets)
    losses, counts = [], []
    for i, lam in enumerate(PLAN.lam.tolist()):
        (own, own_count), (other, other_count) = _ends(name, i)
        losses.append(lam * own + (1 - lam) * other)
        counts.append(lam * own_count + (1 - lam) * other_count)
    weights = PLAN.weights.tolist()
    total = math.fsum(w * loss for w, loss in zip(weights, losses, strict=True))
    expected = {
        "weighted_mean": total / math.fsum(w * c for w, c in zip(weights, counts, strict=True)),
        "mean": total / math.fsum(counts),
        "sum": total,
    }
    for reduction, value in expected.items():
        assert float(batch.loss(criterion, outputs, reduction=reduction)) == pytest.approx(value, rel=1e-5)
    single = batch.loss(criterion, outputs, reduction="none")
    np.testing.assert_allclose(single, np.array(weights) * losses, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("reduction", ["weighted_mean", "mean", "sum"])
def test_the_loss_of_the_paper_agrees_with_a_loop_without_pytorch(reduction):
    outputs, y = scores(C), classes()
    single = [
        lam * reference.cross_entropy(row, y[i]) + (1 - lam) * reference.cross_entropy(row, y[PLAN.partner[i]])
        for i, (row, lam) in enumerate(zip(outputs, PLAN.lam.tolist(), strict=True))
    ]
    expected = reference.weighted_loss(single, PLAN.weights.tolist(), reduction)
    batch = PLAN.apply(torch.zeros(N, 2), y)
    assert float(batch.loss(nn.CrossEntropyLoss(), outputs, reduction=reduction)) == pytest.approx(expected, rel=1e-5)


def test_a_module_keeps_its_reduction():
    criterion = nn.CrossEntropyLoss()
    PLAN.apply(torch.zeros(N, 2), classes()).loss(criterion, scores(C))
    assert criterion.reduction == "mean"


class Opaque(nn.Module):
    """A loss module that averages by itself, as many repositories have one."""

    def forward(self, outputs, targets):
        return F.cross_entropy(outputs, targets)


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        (Opaque(), r"criterion must return 8 losses, got shape \(\): .* after the mean has no effect.* `reduction`"),
        (lambda o, y: F.cross_entropy(o, y), r"criterion must return 8 losses, got shape \(\)"),
        (lambda o, y: torch.zeros(3), r"criterion must return 8 losses, got shape \(3,\)"),
        (functools.partial(F.cross_entropy, reduction="sum"), "criterion must not have reduction='sum'"),
        (nn.MSELoss(reduction="sum"), r"must not have reduction='sum': .* batch.loss\(..., reduction='sum'\)"),
        (lambda o, y: "0.5", "criterion must return a tensor of 8 losses, got str"),
        ("cross_entropy", "criterion must be a function such as F.cross_entropy, got 'cross_entropy'"),
    ],
)
def test_a_criterion_that_cannot_give_one_loss_per_sample_is_refused_with_the_remedy(criterion, message):
    with pytest.raises(ValueError, match=message):
        PLAN.apply(torch.zeros(N, 2), classes()).loss(criterion, scores(C))


def test_a_single_sample_is_not_taken_for_an_averaged_loss():
    one = MixedBatch(torch.zeros(1, 1), torch.tensor([1]), torch.tensor([1]), torch.tensor([0.5]), torch.ones(1))
    for criterion in (F.cross_entropy, nn.CrossEntropyLoss()):
        assert one.loss(criterion, torch.zeros(1, 3)) == pytest.approx(math.log(3))


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_targets_that_would_be_broadcast_are_refused():
    batch = MixedBatch(torch.zeros(4, 1), torch.zeros(4, 1), torch.zeros(4, 1), torch.ones(4), torch.ones(4))
    with pytest.raises(ValueError, match=r"outputs of shape \(4,\) and targets of shape \(4, 1\) were broadcast to"):
        batch.loss(F.mse_loss, torch.zeros(4))


def test_a_callable_object_serves_and_no_criterion_is_kept_alive():
    @dataclasses.dataclass
    class Focal:
        gamma: float

        def __call__(self, outputs, targets):
            return focal(outputs, targets, self.gamma)

    batch, outputs = PLAN.apply(torch.zeros(N, 2), classes()), scores(C)
    torch.testing.assert_close(batch.loss(Focal(0.0), outputs), batch.loss(F.cross_entropy, outputs))
    held = torch.zeros(C)
    watched = weakref.ref(held)
    batch.loss(lambda o, y, held=held: F.cross_entropy(o + held, y, reduction="none"), outputs)
    del held
    gc.collect()
    assert watched() is None


def test_a_compiled_criterion_is_asked_like_the_one_that_was_compiled():
    criterion = nn.CrossEntropyLoss(weight=CLASS_WEIGHTS, ignore_index=2, label_smoothing=0.1)
    batch, outputs = PLAN.apply(torch.zeros(N, 2), classes()), scores(C)
    wanted = batch.loss(criterion, outputs)
    assert torch.equal(batch.loss(torch.compile(criterion, backend="eager"), outputs), wanted)
    assert criterion.reduction == "mean"
    plain = batch.loss(F.cross_entropy, outputs)
    assert torch.equal(batch.loss(torch.compile(F.cross_entropy, backend="eager"), outputs), plain)


def test_batchmean_of_a_function_is_that_of_the_module():
    targets, outputs = scores(C).softmax(dim=1), scores(C).flip(0).log_softmax(dim=1)
    batch = MixPlan(torch.arange(N), torch.ones(N), torch.ones(N)).apply(torch.zeros(N, 2), targets)
    wanted = F.kl_div(outputs, targets, reduction="batchmean")
    for criterion in (nn.KLDivLoss(reduction="batchmean"), functools.partial(F.kl_div, reduction="batchmean")):
        torch.testing.assert_close(batch.loss(criterion, outputs), wanted)


@pytest.mark.parametrize(
    "criterion", [nn.CrossEntropyLoss(), F.cross_entropy, functools.partial(F.cross_entropy, label_smoothing=0.1)]
)
def test_numbers_are_no_classes(criterion):
    scores, numbers = torch.randn(8, 3), torch.arange(8).float() % 3
    batch = LocalMixup(CompleteGraph())(torch.randn(8, 2), numbers)
    with pytest.raises(ValueError, match=r"targets must be class indices, shape \(8,\), .* call \.long\(\)"):
        batch.loss(criterion, scores)
    shares = scores.softmax(dim=1)
    probabilities = LocalMixup(CompleteGraph())(torch.randn(8, 2), shares)
    assert probabilities.loss(criterion, scores).isfinite()
