"""CutMix along a plan, against a loop over pixels."""

import math

import pytest
import torch
from helpers import generator, seeded
from hypothesis import given
from hypothesis import strategies as st

from localmixup import CompleteGraph, ExponentialGraph, MixPlan, cutmix, cutmix_masks


def pasted(plan, images, seed):
    """Paste one image at a time, one pixel at a time, with the box of the paper's code.

    A box of odd side has its centre in the middle. timm's does, too.
    """
    n, (height, width) = len(images), images.shape[-2:]
    points = torch.rand(2, n, generator=generator(seed))
    result, shares = images.clone(), []
    for i in range(n):
        ratio = math.sqrt(1 - float(plan.lam[i]))
        cut_height, cut_width = int(height * ratio), int(width * ratio)
        row, column = int(points[0, i] * height), int(points[1, i] * width)
        replaced = 0
        for r in range(max(0, row - cut_height // 2), min(height, row + (cut_height + 1) // 2)):
            for c in range(max(0, column - cut_width // 2), min(width, column + (cut_width + 1) // 2)):
                result[i, ..., r, c] = images[plan.partner[i], ..., r, c]
                replaced += 1
        shares.append(1 - replaced / (height * width))
    return result, torch.tensor(shares)


@given(
    st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31), st.booleans(),
    st.sampled_from([torch.float32, torch.uint8, torch.float16]), st.booleans(),
)  # fmt: skip
def test_cutmix_agrees_with_a_loop_over_pixels(n, height, width, seed, per_sample, dtype, last):
    images = (torch.rand(n, 2, height, width, generator=generator(1)) * 255).to(dtype)
    images = images.to(memory_format=torch.channels_last) if last else images
    y = torch.arange(n)
    plan = seeded(ExponentialGraph(1e-2), seed, per_sample=per_sample, prob=0.8).plan(images, y)
    given = images.clone()
    batch = cutmix(plan, given, y, generator(seed))
    expected, lam = pasted(plan, images, seed)
    assert torch.equal(batch.inputs, expected)
    assert torch.equal(given, images)
    assert batch.inputs.dtype == dtype
    assert batch.inputs.stride() == images.stride()
    torch.testing.assert_close(batch.lam, lam, atol=1e-6, rtol=0)
    assert batch.lam.dtype == torch.float32
    assert torch.equal(batch.weights, plan.weights)
    assert torch.equal(batch.partner_targets, y[plan.partner])
    untouched = plan.lam == 1
    assert (batch.lam[untouched] == 1).all()
    assert torch.equal(batch.inputs[untouched], images[untouched])


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_images_with_gradients_keep_their_memory_format_and_get_them(form):
    images = torch.rand(6, 3, 8, 6, generator=generator()).contiguous(memory_format=form).requires_grad_()
    plan = seeded(CompleteGraph(), per_sample=True).plan(images, torch.arange(6))
    batch = cutmix(plan, images, torch.arange(6), generator(1))
    assert batch.inputs.stride() == images.stride()
    scale = torch.rand(6, 3, 8, 6, generator=generator(2))
    (batch.inputs * scale).sum().backward()
    expected, _ = pasted(plan, torch.arange(images.numel()).view(6, 3, 8, 6), 1)  # from where each pixel comes
    gradient = torch.zeros(images.numel()).index_add_(0, expected.flatten(), scale.flatten())
    torch.testing.assert_close(images.grad.flatten(), gradient)


@pytest.mark.parametrize("side", [3, 5, 32])
def test_the_share_of_a_box_is_that_of_the_paper(side):
    # away from the borders nothing is cut off: floor(sqrt(1 - lam) side)^2 pixels, also for an odd side
    lam = torch.linspace(0, 1, 200)
    plan = MixPlan(torch.arange(200).flip(0), lam, torch.ones(200))
    images = torch.arange(200.0)[:, None, None].expand(200, side, side)
    largest = torch.ones(200)
    for seed in range(20):
        largest = torch.minimum(largest, cutmix(plan, images, torch.arange(200), generator(seed)).lam)
    expected = 1 - ((1 - lam.double()).sqrt() * side).floor().square() / side**2
    small = (1 - lam).sqrt() < 0.6  # larger boxes hardly ever lie inside
    torch.testing.assert_close(largest[small], expected[small].float(), atol=1e-5, rtol=0)


def test_gray_images_videos_and_empty_batches():
    y = torch.arange(4)
    plan = seeded(CompleteGraph()).plan(torch.zeros(4, 1), y)
    for shape in ((4, 8, 6), (4, 3, 5, 8, 6)):
        images = torch.randn(shape, generator=generator())
        batch = cutmix(plan, images, {"class": y}, generator(3))
        expected, lam = pasted(plan, images, 3)
        assert torch.equal(batch.inputs, expected)
        torch.testing.assert_close(batch.lam, lam, atol=1e-6, rtol=0)
        assert torch.equal(batch.partner_targets["class"], plan.partner)
    empty = seeded(CompleteGraph()).plan(torch.zeros(0, 1))
    assert cutmix(empty, torch.zeros(0, 3, 4, 4), y[:0]).inputs.shape == (0, 3, 4, 4)
    unmixed = seeded(CompleteGraph()).eval().plan(images, y)
    assert torch.equal(cutmix(unmixed, images, y).inputs, images)


def test_only_the_given_generator_is_touched():
    before = torch.random.get_rng_state()
    plan = MixPlan(torch.tensor([1, 0]), torch.tensor([0.5, 0.5]), torch.ones(2))
    images = torch.randn(2, 1, 9, 9, generator=generator())
    one, two = (cutmix(plan, images, torch.arange(2), generator(5)).inputs for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("shape", [(2, 3), (3, 3, 8, 8)])
def test_what_is_not_a_batch_of_images_of_the_plan_is_refused(shape):
    plan = MixPlan(torch.tensor([1, 0]), torch.ones(2), torch.ones(2))
    with pytest.raises(ValueError, match=r"images must have shape \(2, ..., height, width\), got"):
        cutmix(plan, torch.zeros(shape), torch.arange(2))


def test_masks_are_pasted_with_the_box_of_their_image():
    y, n = torch.arange(6), 6
    images = torch.randn(n, 3, 8, 7, generator=generator())
    masks = torch.randint(4, (n, 8, 7), generator=generator(1))
    plan = seeded(ExponentialGraph(0.1), per_sample=True).plan(images, y)
    batch = cutmix_masks(plan, images, masks, generator(3))
    expected, _ = pasted(plan, images, 3)
    expected_masks, _ = pasted(plan, masks, 3)
    assert torch.equal(batch.inputs, expected)
    assert torch.equal(batch.targets, expected_masks)
    assert batch.targets.dtype == torch.int64
    # a loop: the loss of each sample, the mean of its pixels, weighted
    scores = torch.randn(n, 4, 8, 7, generator=generator(2))
    losses = [torch.nn.functional.cross_entropy(scores[i : i + 1], expected_masks[i : i + 1]) for i in range(n)]
    slow = sum(w * loss for w, loss in zip(plan.weights, losses, strict=True)) / plan.weights.sum()
    torch.testing.assert_close(batch.loss(torch.nn.CrossEntropyLoss(), scores), slow)
    with pytest.raises(ValueError, match=r"must have the same height and width, got \(8, 7\) and \(8, 6\)"):
        cutmix_masks(plan, images, masks[..., :6])


def test_several_images_get_the_same_boxes():
    images = torch.randn(4, 3, 8, 7, generator=generator())
    plan = seeded(CompleteGraph()).plan(images)
    batch = cutmix(plan, {"a": images, "b": (2 * images[:, :1]).double()}, torch.arange(4), generator(3))
    torch.testing.assert_close(batch.inputs["b"], 2 * batch.inputs["a"][:, :1].double())
    assert torch.equal(batch.inputs["a"], cutmix(plan, images, torch.arange(4), generator(3)).inputs)


@pytest.mark.parametrize("rows", [4, 12])
def test_targets_of_another_batch_are_refused(rows):
    plan = MixPlan(torch.arange(8).flip(0), torch.full((8,), 0.5), torch.ones(8))
    with pytest.raises(ValueError, match="targets must hold 8 samples as the plan does"):
        cutmix(plan, torch.zeros(8, 1, 4, 4), torch.arange(rows), generator(1))
