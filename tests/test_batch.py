"""What a mixed batch does with losses, targets and accuracy."""

import functools
import math

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from torch import nn

from localmixup import ExponentialGraph, LocalMixup, MixedBatch, MixPlan, ThresholdGraph, ess_ratio


def batch_of(targets, partner_targets, lam, weights=None, inputs=None):
    lam = torch.as_tensor(lam)
    weights = torch.ones_like(lam) if weights is None else torch.as_tensor(weights)
    return MixedBatch(torch.zeros(len(lam), 1) if inputs is None else inputs, targets, partner_targets, lam, weights)


@pytest.fixture
def batch():
    g = torch.Generator().manual_seed(0)
    targets = torch.randint(3, (2, 6), generator=g)
    return batch_of(targets[0], targets[1], torch.rand(6, generator=g), torch.rand(6, generator=g))


@pytest.mark.parametrize("reduction", ["weighted_mean", "mean", "sum"])
def test_loss_agrees_with_a_loop(batch, reduction):
    scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    slow = [
        float(lam) * reference.cross_entropy(row, a) + (1 - float(lam)) * reference.cross_entropy(row, b)
        for row, a, b, lam in zip(scores, batch.targets, batch.partner_targets, batch.lam, strict=True)
    ]
    expected = reference.weighted_loss(slow, batch.weights.tolist(), reduction)
    for criterion in (
        F.cross_entropy,
        nn.CrossEntropyLoss(reduction="none"),
        lambda o, y: F.cross_entropy(o, y, reduction="none"),
    ):
        assert float(batch.loss(criterion, scores, reduction=reduction)) == pytest.approx(expected, rel=1e-5)
    each = batch.loss(F.cross_entropy, scores, reduction="none")
    np.testing.assert_allclose(each, np.array(slow) * batch.weights.numpy(), rtol=1e-5)


def test_mixing_losses_equals_mixing_targets_for_cross_entropy(batch):
    scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    soft = F.cross_entropy(scores, batch.soft_targets(3), reduction="none") * batch.weights
    torch.testing.assert_close(batch.loss(F.cross_entropy, scores, reduction="none"), soft)
    smooth = functools.partial(F.cross_entropy, label_smoothing=0.1)
    assert batch.loss(smooth, scores) > 0


def test_reduction_of_the_mixer_travels_with_its_batches():
    x, y = torch.randn(8, 2), torch.randint(3, (8,))
    scores = torch.randn(8, 3)
    for reduction in ("weighted_mean", "mean", "sum", "none"):
        mix = LocalMixup(ExponentialGraph(1.0), reduction=reduction)
        for batch in (mix(x, y), mix.plan(x, y).apply(x, y), mix(x, y, features=x), mix.eval()(x, y)):
            own = batch.loss(F.cross_entropy, scores)
            assert torch.equal(own, batch.loss(F.cross_entropy, scores, reduction=reduction))
            _, targets, partner_targets, lam, weights = batch
            assert weights.shape == lam.shape == targets.shape == partner_targets.shape == (8,)


def test_averaged_losses_are_refused(batch):
    scores = torch.randn(6, 3)
    why = "a weight applied after the mean does nothing"
    for criterion, message in [
        (nn.CrossEntropyLoss(), "criterion must have reduction='none', got reduction='mean'"),
        (nn.MSELoss(reduction="sum"), "criterion must have reduction='none', got reduction='sum'"),
        (functools.partial(F.cross_entropy, reduction="mean"), "got reduction='mean'"),
        (lambda o, y: F.cross_entropy(o, y), r"criterion must return 6 losses, got shape \(\)"),
        (lambda o, y: torch.zeros(3), r"criterion must return 6 losses, got shape \(3,\)"),
    ]:
        with pytest.raises(ValueError, match=message) as caught:
            batch.loss(criterion, scores)
        assert why in str(caught.value)
    with pytest.raises(ValueError, match="reduction must be one of"):
        batch.loss(F.cross_entropy, scores, reduction="avg")


def test_any_kind_of_criterion_serves(batch):
    import dataclasses
    import gc
    import weakref

    @dataclasses.dataclass
    class Focal:
        gamma: float = 0.0

        def __call__(self, outputs, targets):
            losses = F.cross_entropy(outputs, targets, reduction="none")
            return losses * (1 - torch.exp(-losses)) ** self.gamma

    scores = torch.randn(6, 3)
    torch.testing.assert_close(batch.loss(Focal(), scores), batch.loss(F.cross_entropy, scores))
    held = torch.zeros(3)
    watched = weakref.ref(held)
    batch.loss(lambda o, y, held=held: F.cross_entropy(o + held, y, reduction="none"), scores)
    del held
    gc.collect()
    assert watched() is None, "a criterion was kept alive"


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_broadcast_targets_are_refused():
    values = batch_of(torch.zeros(4, 1), torch.zeros(4, 1), [0.5] * 4)
    with pytest.raises(ValueError, match=r"were broadcast to \(4, 4\)"):
        values.loss(F.mse_loss, torch.zeros(4))


def test_one_sample_is_not_taken_for_an_averaged_loss():
    one = batch_of(torch.tensor([1]), torch.tensor([1]), [0.5])
    assert one.loss(F.cross_entropy, torch.zeros(1, 3)) == pytest.approx(math.log(3))


def test_all_weights_zero_is_a_differentiable_zero():
    scores = torch.randn(4, 3, requires_grad=True)
    batch = batch_of(torch.zeros(4, dtype=torch.long), torch.zeros(4, dtype=torch.long), torch.rand(4), torch.zeros(4))
    for reduction in ("weighted_mean", "mean", "sum"):
        loss = batch.loss(F.cross_entropy, scores, reduction=reduction)
        loss.backward()
        assert loss.item() == 0
        assert (scores.grad == 0).all()
    tiny = batch._replace(weights=torch.full((4,), 1e-42))  # what an exponential graph leaves of far pairs
    assert torch.isfinite(tiny.loss(F.cross_entropy, scores.detach()))
    assert torch.isfinite(tiny.accuracy(scores))
    assert float(batch.accuracy(scores)) == 0


@pytest.mark.parametrize(
    ("criterion", "outputs", "targets"),
    [
        (F.mse_loss, (6,), torch.randn(6)),
        (F.mse_loss, (6, 1), torch.randn(6, 1)),
        (F.l1_loss, (6, 2, 3), torch.randn(6, 2, 3)),
        (F.binary_cross_entropy_with_logits, (6, 5), torch.rand(6, 5).round()),
        (F.cross_entropy, (6, 5), torch.softmax(torch.randn(6, 5), 1)),
        (F.cross_entropy, (6, 5), F.one_hot(torch.arange(6) % 5, 5).float()),
        (F.cross_entropy, (6, 5, 4, 4), torch.randint(5, (6, 4, 4))),
    ],
    ids=["values", "column", "tensor", "labels", "soft", "one-hot", "mask"],
)
def test_every_kind_of_target(criterion, outputs, targets):
    g = torch.Generator().manual_seed(0)
    plan = MixPlan(torch.tensor([1, 0, 3, 2, 4, 0]), torch.rand(6, generator=g), torch.rand(6, generator=g))
    batch = plan.apply(torch.zeros(6, 2), targets)
    predicted = torch.randn(outputs, generator=g)
    each = []
    for i in range(6):
        ends = [criterion(predicted[i : i + 1], targets[j : j + 1]) for j in (i, int(plan.partner[i]))]
        each.append(float(plan.lam[i] * ends[0] + (1 - plan.lam[i]) * ends[1]))
    expected = reference.weighted_loss(each, plan.weights.tolist(), "weighted_mean")
    assert float(batch.loss(criterion, predicted)) == pytest.approx(expected, rel=1e-5)
    soft = batch.soft_targets(5)
    assert soft.shape == predicted.shape
    if targets.is_floating_point():
        np.testing.assert_allclose(soft, reference.mixed(targets, plan.partner, plan.lam), atol=1e-6)


def test_several_targets_are_carried_along():
    plan = MixPlan(torch.tensor([1, 0]), torch.tensor([0.25, 0.5]), torch.ones(2))
    batch = plan.apply(torch.zeros(2, 1), {"kind": torch.tensor([3, 4]), "size": torch.tensor([[0.0], [1.0]])})
    assert batch.partner_targets["kind"].tolist() == [4, 3]

    def both(outputs, targets):
        return F.mse_loss(outputs, targets["size"], reduction="none").squeeze(1) + targets["kind"]

    assert batch.loss(both, torch.zeros(2, 1), reduction="none").tolist() == [3 * 0.25 + 5 * 0.75, 5 * 0.5 + 3 * 0.5]
    with pytest.raises(ValueError, match="soft_targets needs one tensor of targets, got dict"):
        batch.soft_targets()


def test_soft_targets_check_the_classes(batch):
    with pytest.raises(ValueError, match="soft_targets needs num_classes"):
        batch.soft_targets()
    with pytest.raises(ValueError, match="num_classes=2 allows classes 0 to 1"):
        batch.soft_targets(2)
    assert torch.allclose(batch.soft_targets(3).sum(1), torch.ones(6))


def test_accuracy_counts_both_ends():
    batch = batch_of(torch.tensor([0, 1, 2]), torch.tensor([1, 1, 0]), [0.75, 0.5, 0.25], [1.0, 1.0, 0.5])
    scores = F.one_hot(torch.tensor([0, 1, 0]), 3).float()
    assert float(batch.accuracy(scores)) == pytest.approx((0.75 + 1.0 + 0.5 * 0.75) / 2.5)
    hot = batch._replace(
        targets=F.one_hot(batch.targets, 3).float(), partner_targets=F.one_hot(batch.partner_targets, 3).float()
    )
    assert float(hot.accuracy(scores)) == pytest.approx(float(batch.accuracy(scores)))
    masks = batch_of(torch.zeros(2, 4, 4, dtype=torch.long), torch.ones(2, 4, 4, dtype=torch.long), [0.75, 0.25])
    assert float(masks.accuracy(torch.stack([torch.ones(2, 4, 4), torch.zeros(2, 4, 4)], 1))) == 0.5
    labels = batch_of(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]]), [0.5])
    assert float(labels.accuracy(torch.tensor([[1.0, 1.0, -1.0]]))) == pytest.approx((1 + 2 / 3) / 2)


def test_accuracy_refuses_regression():
    values = batch_of(torch.randn(3), torch.randn(3), [0.5] * 3)
    with pytest.raises(ValueError, match="accuracy needs targets that are classes"):
        values.accuracy(torch.randn(3, 1))
    with pytest.raises(ValueError, match="accuracy needs class scores"):
        batch_of(torch.zeros(3, dtype=torch.long), torch.zeros(3, dtype=torch.long), [0.5] * 3).accuracy(torch.randn(3))


def test_shares_of_a_plan():
    plan = MixPlan(torch.tensor([1, 1, 0, 3]), torch.rand(4), torch.tensor([0.5, 1.0, 0.0, 1.0]))
    assert float(plan.mixed_share) == pytest.approx(0.5 / 2.5)
    assert float(plan.ess_ratio) == pytest.approx(2.5**2 / (4 * 2.25))
    assert float(ess_ratio(torch.full((5,), 1e-30))) == pytest.approx(1.0)
    assert float(ess_ratio(torch.zeros(5))) == 0.0
    assert float(ess_ratio(torch.zeros(0))) == 0.0


def test_gradient_of_the_paper_differs_from_the_published_one():
    # the authors' code multiplies an averaged loss with the weights: far pairs keep their gradient
    x, y = torch.tensor([[0.0], [0.1], [50.0], [90.0]]), torch.tensor([0, 0, 1, 1])
    plan = MixPlan(
        torch.tensor([1, 0, 3, 2]),
        torch.full((4,), 0.5),
        ThresholdGraph(1.0).pair_weights(x, torch.tensor([1, 0, 3, 2])),
    )
    scores = torch.randn(4, 2, requires_grad=True)
    plan.apply(x, y).loss(F.cross_entropy, scores).backward()
    assert (scores.grad[2:] == 0).all()
    assert (scores.grad[:2] != 0).all()
