"""What a plan and a mixed batch do: targets, accuracy, shares, zero weights, devices, mistakes."""

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from helpers import generator
from torch import nn

from localmixup import MixedBatch, MixPlan, ThresholdGraph, ess_ratio


def batch_of(targets, partner_targets, lam, weights=None):
    lam = torch.as_tensor(lam)
    weights = torch.ones_like(lam) if weights is None else torch.as_tensor(weights)
    return MixedBatch(torch.zeros(len(lam), 1), targets, partner_targets, lam, weights)


def plan_of(n=6):
    g = generator()
    return MixPlan(torch.randperm(n, generator=g), torch.rand(n, generator=g), torch.rand(n, generator=g))


# ---- losses ----------------------------------------------------------------------------------------------------------


def test_weights_that_are_all_zero_give_a_differentiable_zero():
    outputs = torch.randn(4, 3, requires_grad=True)
    y = torch.tensor([0, 1, 2, 0])
    batch = batch_of(y, y.flip(0), torch.rand(4), torch.zeros(4))
    for criterion in (F.cross_entropy, nn.CrossEntropyLoss(weight=torch.rand(3))):
        for reduction in ("weighted_mean", "mean", "sum"):
            loss = batch.loss(criterion, outputs, reduction=reduction)
            loss.backward()
            assert loss.item() == 0
            assert (outputs.grad == 0).all()
    assert float(batch.accuracy(outputs)) == 0


def test_a_batch_of_ignored_labels_gives_a_differentiable_zero():
    outputs = torch.randn(4, 3, requires_grad=True)
    y = torch.full((4,), -100)
    loss = batch_of(y, y, torch.rand(4)).loss(nn.CrossEntropyLoss(), outputs)
    loss.backward()
    assert loss.item() == 0
    assert (outputs.grad == 0).all()


def test_the_smallest_weights_give_numbers():
    y = torch.tensor([0, 1, 2, 0])
    batch = batch_of(y, y, torch.rand(4), torch.full((4,), 1e-42))  # what an exponential graph leaves of far pairs
    assert torch.isfinite(batch.loss(F.cross_entropy, torch.randn(4, 3)))
    assert torch.isfinite(batch.accuracy(torch.randn(4, 3)))


def test_far_pairs_have_no_gradient():
    # unlike the code that the authors published, which multiplies an averaged loss with the weights
    x, y = torch.tensor([[0.0], [0.1], [50.0], [90.0]]), torch.tensor([0, 0, 1, 1])
    partner = torch.tensor([1, 0, 3, 2])
    plan = MixPlan(partner, torch.full((4,), 0.5), ThresholdGraph(1.0).pair_weights(x, partner))
    outputs = torch.randn(4, 2, requires_grad=True)
    plan.apply(x, y).loss(F.cross_entropy, outputs).backward()
    assert (outputs.grad[2:] == 0).all()
    assert (outputs.grad[:2] != 0).all()


def test_several_targets_are_carried_along():
    plan = MixPlan(torch.tensor([1, 0]), torch.tensor([0.25, 0.5]), torch.ones(2))
    batch = plan.apply(torch.zeros(2, 1), {"kind": torch.tensor([3, 4]), "size": torch.tensor([[0.0], [1.0]])})
    assert batch.partner_targets["kind"].tolist() == [4, 3]

    def both(outputs, targets):
        return F.mse_loss(outputs, targets["size"], reduction="none").squeeze(1) + targets["kind"]

    assert batch.loss(both, torch.zeros(2, 1), reduction="none").tolist() == [3 * 0.25 + 5 * 0.75, 5 * 0.5 + 3 * 0.5]
    with pytest.raises(ValueError, match="soft_targets needs one tensor of targets, got dict"):
        batch.soft_targets()


# ---- soft targets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "targets",
    [
        torch.randn(6, generator=generator()),
        torch.randn(6, 2, 3, generator=generator()),
        torch.softmax(torch.randn(6, 5, generator=generator()), 1),
        torch.rand(6, 5, generator=generator()) < 0.5,
    ],
    ids=["values", "tensor", "soft", "labels"],
)
def test_soft_targets_of_values_are_mixed(targets):
    plan = plan_of()
    mixed = plan.apply(torch.zeros(6, 2), targets).soft_targets()
    np.testing.assert_allclose(mixed, reference.mixed(targets, plan.partner, plan.lam), atol=1e-6)


@pytest.mark.parametrize("shape", [(6,), (6, 4, 3)])
def test_mixing_targets_is_mixing_losses_for_the_cross_entropy(shape):
    plan, y = plan_of(), torch.randint(5, shape, generator=generator())
    batch = plan.apply(torch.zeros(6, 2), y)
    outputs = torch.randn(6, 5, *shape[1:], generator=generator(1))
    soft = F.cross_entropy(outputs, batch.soft_targets(5), reduction="none")
    soft = soft if soft.ndim == 1 else soft.flatten(1).mean(1)
    torch.testing.assert_close(batch.loss(F.cross_entropy, outputs, reduction="none"), soft * batch.weights)


def test_soft_targets_check_the_classes():
    batch = batch_of(torch.tensor([0, 2]), torch.tensor([1, 1]), [0.5, 0.5])
    with pytest.raises(ValueError, match="soft_targets needs num_classes"):
        batch.soft_targets()
    with pytest.raises(ValueError, match="num_classes=2 allows classes 0 to 1, got 0 to 2"):
        batch.soft_targets(2)


# ---- accuracy --------------------------------------------------------------------------------------------------------


def test_accuracy_counts_both_ends():
    batch = batch_of(torch.tensor([0, 1, 2]), torch.tensor([1, 1, 0]), [0.75, 0.5, 0.25], [1.0, 1.0, 0.5])
    outputs = F.one_hot(torch.tensor([0, 1, 0]), 3).float()
    assert float(batch.accuracy(outputs)) == pytest.approx((0.75 + 1.0 + 0.5 * 0.75) / 2.5)
    hot = batch._replace(
        targets=F.one_hot(batch.targets, 3).float(), partner_targets=F.one_hot(batch.partner_targets, 3).float()
    )
    assert float(hot.accuracy(outputs)) == pytest.approx(float(batch.accuracy(outputs)))
    column = batch._replace(targets=batch.targets[:, None], partner_targets=batch.partner_targets[:, None])
    assert float(column.accuracy(outputs)) == pytest.approx(float(batch.accuracy(outputs)))
    masks = batch_of(torch.zeros(2, 4, 4, dtype=torch.long), torch.ones(2, 4, 4, dtype=torch.long), [0.75, 0.25])
    assert float(masks.accuracy(torch.stack([torch.ones(2, 4, 4), torch.zeros(2, 4, 4)], 1))) == 0.5


@pytest.mark.parametrize("ignored", [-100, 3])
def test_accuracy_leaves_ignored_labels_out(ignored):
    batch = batch_of(torch.tensor([0, ignored, 2]), torch.tensor([ignored, 1, 0]), [0.75, 0.5, 0.25], [1.0, 0.5, 1.0])
    outputs = F.one_hot(torch.tensor([0, 1, 0]), 3).float()
    counted = 0.75 + 0.5 * 0.5 + 1.0
    assert float(batch.accuracy(outputs, ignore_index=ignored)) == pytest.approx((0.75 + 0.25 + 0.75) / counted)
    masks = batch_of(torch.tensor([[0, 0, ignored, 1]]), torch.tensor([[0, 0, ignored, 1]]), [0.5])
    flat = torch.stack([torch.ones(1, 4), torch.zeros(1, 4)], dim=1)
    assert float(masks.accuracy(flat, ignore_index=ignored)) == pytest.approx(2 / 3)


@pytest.mark.parametrize("dtype", [torch.long, torch.float32, torch.bool])
@pytest.mark.parametrize("outputs", [(4,), (4, 1)])
@pytest.mark.parametrize("targets", [(4,), (4, 1)])
def test_accuracy_understands_one_logit(dtype, outputs, targets):
    y, other = torch.tensor([0, 1, 1, 0]), torch.tensor([0, 0, 1, 1])
    batch = batch_of(y.to(dtype).view(targets), other.to(dtype).view(targets), [0.75] * 4)
    logits = torch.tensor([-2.0, 0.5, -0.1, 3.0]).view(outputs)
    assert float(batch.accuracy(logits)) == pytest.approx((1.0 + 0.75 + 0.0 + 0.25) / 4)


@pytest.mark.parametrize("ignored", [-100, -1, 255, 1])
@pytest.mark.parametrize("dtype", [torch.long, torch.float32])
def test_accuracy_of_one_logit_leaves_the_ignored_label_out(ignored, dtype):
    y, other = torch.tensor([0, ignored, 1, 0]), torch.tensor([ignored, 0, 1, 1])
    batch = batch_of(y.to(dtype), other.to(dtype), [0.75, 0.5, 0.25, 1.0])
    logits = torch.tensor([-2.0, -0.5, -0.1, 3.0])
    right, counted = 0.0, 0.0
    for i, lam in enumerate([0.75, 0.5, 0.25, 1.0]):
        for label, share in ((int(y[i]), lam), (int(other[i]), 1 - lam)):
            right += share * (label != ignored and (logits[i] > 0) == (label == 1))
            counted += share * (label != ignored)
    assert float(batch.accuracy(logits, ignore_index=ignored)) == pytest.approx(float(right) / counted)


@pytest.mark.parametrize("labels", [(3, 1, 4, 5), (3, 4, 5)])
@pytest.mark.parametrize("dtype", [torch.long, torch.float32, torch.bool])
def test_accuracy_of_a_mask_with_one_channel_is_that_of_its_pixels(labels, dtype):
    g = torch.Generator().manual_seed(0)
    y, other = (torch.randint(2, labels, generator=g).to(dtype) for _ in range(2))
    batch = batch_of(y, other, [0.75, 0.5, 0.25], [1.0, 0.5, 0.25])
    logits = torch.randn(3, 1, 4, 5, generator=g)
    flat = batch_of(
        y.flatten(), other.flatten(), torch.tensor([0.75, 0.5, 0.25]).repeat_interleave(20).tolist(),
        torch.tensor([1.0, 0.5, 0.25]).repeat_interleave(20).tolist(),
    )  # fmt: skip
    assert float(batch.accuracy(logits)) == pytest.approx(float(flat.accuracy(logits.flatten())))


def test_accuracy_of_several_labels_counts_each():
    labels = batch_of(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]]), [0.5])
    assert float(labels.accuracy(torch.tensor([[1.0, 1.0, -1.0]]))) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(
    ("targets", "outputs", "message"),
    [
        (torch.tensor([0.3, 1.0]), torch.randn(2, 1), "accuracy needs labels 0 and 1 for one logit .*; for regression"),
        (
            torch.tensor([-0.3, -2.0]),
            torch.randn(2, 1),
            "accuracy needs labels 0 and 1 for one logit .*; for regression",
        ),
        (torch.randn(3, 2) + 9, torch.randn(3, 2), "accuracy needs targets that are classes; for regression"),
        (
            torch.tensor([0, 1, 2]),
            torch.randn(3),
            "accuracy needs labels 0 and 1 for one logit .* and labels from 0 to 2",
        ),
        (torch.tensor([-1, 1]), torch.randn(2, 1), r"labels from -1 to 1; convert -1 and 1 by \(y > 0\)"),
        (torch.tensor([-1.0, -1.0]), torch.randn(2), r"labels from -1 to -1; convert -1 and 1 by"),
        (torch.tensor([0, -5]), torch.randn(2), r"\(or ignore_index, -100\), got .* from -5 to 0; for regression"),
        (
            torch.full((2, 1, 3, 3), 2.0),
            torch.randn(2, 1, 3, 3),
            "labels 0 and 1 .* labels from 2 to 2; for regression",
        ),
        (torch.tensor([0, 1, 2]), torch.randn(3, 4, 2), r"accuracy needs class scores of shape \(n, c, ...\) and"),
        ({"y": torch.zeros(3)}, torch.randn(3, 2), "accuracy needs one tensor of targets .*, got dict and Tensor"),
    ],
)
def test_accuracy_refuses_what_has_no_classes(targets, outputs, message):
    with pytest.raises(ValueError, match=message):
        batch_of(targets, targets, [0.5] * len(outputs)).accuracy(outputs)


# ---- the two values --------------------------------------------------------------------------------------------------


def test_shares_of_a_plan():
    plan = MixPlan(torch.tensor([1, 1, 0, 3]), torch.rand(4), torch.tensor([0.5, 1.0, 0.0, 1.0]))
    assert float(plan.mixed_share) == pytest.approx(0.5 / 2.5)
    assert float(plan.ess_ratio) == pytest.approx(2.5**2 / (4 * 2.25))
    assert float(ess_ratio(torch.full((5,), 1e-30))) == pytest.approx(1.0)
    assert float(ess_ratio(torch.zeros(5))) == 0.0
    assert float(ess_ratio(torch.zeros(0))) == 0.0


def test_a_batch_and_a_plan_move_to_a_device():
    plan = plan_of(2)
    batch = plan.apply((torch.zeros(2, 1), {"a": torch.ones(2)}), {"y": torch.arange(2)})
    moved = batch.to("meta", non_blocking=True)
    assert type(moved) is MixedBatch
    assert {moved.inputs[1]["a"].device.type, moved.targets["y"].device.type, moved.lam.device.type} == {"meta"}
    assert plan.to(torch.device("meta")).partner.device.type == "meta"
    with pytest.raises(ValueError, match=r"value must be on the device of the plan, cpu, got meta: use plan\.to"):
        plan.mix(torch.zeros(2, 3, device="meta"))


def test_unpacking_a_batch_as_two_names_the_way_to_write_it():
    batch = plan_of(6).apply(torch.zeros(6, 1), torch.arange(6))
    with pytest.raises(
        ValueError, match=r"cannot be unpacked into 2 values: write batch = mix\(x, y\), then batch\.loss"
    ):
        _x, _y = batch
    inputs, targets, partner_targets, lam, weights = batch
    assert [inputs, targets, partner_targets, lam, weights] == list(batch) == [*batch]
    assert tuple(batch) == tuple(batch._replace())


def test_swapped_arguments_of_the_loss_are_named_without_printing_the_tensor():
    batch = plan_of(6).apply(torch.zeros(6, 1), torch.arange(6))
    with pytest.raises(ValueError, match=r"the order is batch\.loss\(criterion, outputs\)") as caught:
        batch.loss(torch.zeros(6, 3), F.cross_entropy)
    assert "a tensor of shape (6, 3)" in str(caught.value)
    assert "0." not in str(caught.value)
    with pytest.raises(ValueError, match="reduction must be one of 'weighted_mean', 'mean', 'sum', 'none', got 'avg'"):
        batch.loss(F.cross_entropy, torch.zeros(6, 3), reduction="avg")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda plan: plan.mix(torch.zeros(5, 2)), r"value must hold 6 samples as the plan does, got shape \(5, 2\)"),
        (lambda plan: plan.apply(torch.zeros(6, 2), torch.zeros(5)), r"targets must hold 6 samples .* \(5,\)"),
        (lambda plan: plan.mix({"a": [torch.zeros(())]}), r"value must hold 6 samples .* got shape \(\)"),
        (lambda plan: plan.mix(torch.zeros(6, dtype=torch.long)), "must be floating point to be mixed"),
        (lambda plan: plan.mix([None]), r"value\[0\] must be a tensor, or a tuple, list or dict .*, got NoneType"),
    ],
)
def test_what_does_not_belong_to_a_plan_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(plan_of(6))
