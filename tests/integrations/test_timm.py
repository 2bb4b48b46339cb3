"""`TimmLocalMixup`: the arguments and the loop of timm, the distribution of its draws, and exact weights."""

import importlib.util
import math
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from localmixup import CompleteGraph, ExponentialGraph, IdentityGraph, KNNGraph, LocalMixup, ThresholdGraph
from localmixup.integrations.timm import TimmLocalMixup

GRAPHS = [ExponentialGraph(decay=0.1), ThresholdGraph(radius=17.0), KNNGraph(n_neighbors=3), CompleteGraph()]


class SoftTargetCrossEntropy(torch.nn.Module):
    """The formula of timm's loss, the mean over the batch of `-sum_k t_k log p_k`."""

    def forward(self, scores, target):
        return (-target * F.log_softmax(scores, dim=-1)).sum(dim=-1).mean()


def batch_of(n, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, 8, 6, generator=generator, dtype=torch.float64).to(dtype)
    return x, torch.randint(5, (n,), generator=generator)


def seeded(graph, seed=1, **options):
    return TimmLocalMixup(graph, num_classes=5, generator=torch.Generator().manual_seed(seed), **options)


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: type(g).__name__)
@pytest.mark.parametrize("mode", ["batch", "pair", "elem"])
@pytest.mark.parametrize("cutmix_alpha", [0.0, 1.0])
@pytest.mark.parametrize("criterion", [SoftTargetCrossEntropy(), F.cross_entropy], ids=["timm", "torch"])
def test_an_unchanged_loop_trains_with_the_weighted_mean(graph, mode, cutmix_alpha, criterion):
    options = {"mode": mode, "cutmix_alpha": cutmix_alpha, "label_smoothing": 0.1}
    x, y = batch_of(13, torch.float64)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 5)).double()
    inputs, target = seeded(graph, **options)(x, y)
    batch = seeded(graph, **options).mix(x, y)
    assert torch.equal(inputs, batch.inputs)
    ours = criterion(model(inputs), target)

    def smoothed(outputs, targets):
        return F.cross_entropy(outputs, targets, label_smoothing=0.1, reduction="none")

    exact = batch.loss(smoothed, model(batch.inputs))
    assert ours.item() == pytest.approx(exact.item(), abs=1e-6)
    for one, other in zip(
        torch.autograd.grad(ours, model.parameters()), torch.autograd.grad(exact, model.parameters()), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


@given(n=st.integers(1, 9), mode=st.sampled_from(["batch", "pair", "elem"]), seed=st.integers(0, 10**6))
def test_rows_equal_those_of_a_slow_loop(n, mode, seed):
    x, y = batch_of(n, seed=seed)
    mixup_fn = seeded(ExponentialGraph(decay=0.1), seed, mode=mode, label_smoothing=0.2)
    batch = mixup_fn.mix(x, y)
    inputs, target = seeded(ExponentialGraph(decay=0.1), seed, mode=mode, label_smoothing=0.2)(x, y)
    weights = [math.exp(-0.1 * float((x[i] - x[n - 1 - i]).norm())) for i in range(n)]
    for i in range(n):
        j, lam = n - 1 - i, float(batch.lam[i])
        row = np.full(5, 0.2 / 5)
        row[y[i]] += 0.8 * lam
        row[y[j]] += 0.8 * (1 - lam)
        np.testing.assert_allclose(target[i], row * n * weights[i] / sum(weights), atol=2e-5)
        np.testing.assert_allclose(inputs[i], lam * x[i] + (1 - lam) * x[j], atol=2e-5)
    lam = batch.lam[torch.arange(n) != n // 2] if n % 2 else batch.lam  # the middle sample meets itself
    if mode == "batch":
        assert len(set(lam.tolist())) <= 1
    if mode == "pair":
        assert torch.equal(batch.lam, batch.lam.flip(0))
    if mode == "elem":
        assert len(set(lam.tolist())) == len(lam)


def test_arguments_have_the_names_and_positions_of_timm():
    recipe = {
        "mixup_alpha": 0.8, "cutmix_alpha": 1.0, "cutmix_minmax": None, "prob": 1.0, "switch_prob": 0.5,
        "mode": "batch", "label_smoothing": 0.1, "num_classes": 5,
    }  # fmt: skip
    assert TimmLocalMixup(CompleteGraph(), **recipe).cutmix_alpha == 1.0
    positional = TimmLocalMixup(CompleteGraph(), 0.8, 1.0, None, 0.9, 0.4, "elem", False, 0.2, 7)
    assert positional.mix_prob == 0.9
    assert positional.switch_prob == 0.4
    assert (positional.mode, positional.correct_lam, positional.num_classes) == ("elem", False, 7)
    assert TimmLocalMixup(CompleteGraph()).label_smoothing == 0.1
    assert TimmLocalMixup(CompleteGraph()).num_classes == 1000


def test_mixup_enabled_false_only_smooths():
    x, y = batch_of(7)
    mixup_fn = seeded(ThresholdGraph(radius=0.1), label_smoothing=0.1)
    mixup_fn.mixup_enabled = False
    inputs, target = mixup_fn(x, y)
    assert torch.equal(inputs, x)
    torch.testing.assert_close(target, 0.9 * F.one_hot(y, 5) + 0.02)


def test_the_arguments_are_not_changed():
    x, y = batch_of(8)
    before = x.clone(), y.clone()
    seeded(CompleteGraph(), cutmix_alpha=1.0, mode="elem")(x, y)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("cutmix_alpha", [0.0, 1.0])
def test_odd_batches_and_batches_of_one(n, cutmix_alpha):
    x, y = batch_of(n)
    inputs, target = seeded(ExponentialGraph(decay=1.0), cutmix_alpha=cutmix_alpha)(x, y)
    assert inputs.shape == x.shape
    assert target.shape == (n, 5)
    assert target.isfinite().all()
    if n == 1:
        torch.testing.assert_close(inputs, x)
        torch.testing.assert_close(target.sum(), torch.tensor(1.0))


def test_the_loss_is_a_differentiable_zero_if_no_pair_counts():
    x, y = batch_of(8)
    inputs, target = seeded(IdentityGraph())(x, y)
    scores = inputs.flatten(1)[:, :5].requires_grad_()
    loss = F.cross_entropy(scores, target)
    loss.backward()
    assert loss.item() == 0
    assert not scores.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_inputs_keep_their_dtype_and_rows_their_precision(dtype):
    x, y = batch_of(8, dtype)
    inputs, target = seeded(ExponentialGraph(decay=0.1), cutmix_alpha=1.0)(x, y)
    assert inputs.dtype == dtype
    assert target.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert target.sum().item() == pytest.approx(8, rel=1e-5)


def test_one_generator_state_gives_one_batch_and_no_global_state_changes():
    x, y = batch_of(8)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    mixup_fn = seeded(CompleteGraph(), cutmix_alpha=1.0, mode="elem", prob=0.5, outside="unmix")
    first, second = mixup_fn(x, y), mixup_fn(x, y)
    again = seeded(CompleteGraph(), cutmix_alpha=1.0, mode="elem", prob=0.5, outside="unmix")(x, y)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], second[0])
    assert torch.equal(torch.get_rng_state(), state)


def test_prob_applies_to_a_batch_or_to_an_element():
    x, y = batch_of(8)
    mixup_fn = seeded(CompleteGraph(), prob=0.25, label_smoothing=0.0)
    unmixed = [torch.equal(mixup_fn(x, y)[0], x) for _ in range(400)]
    assert np.mean(unmixed) == pytest.approx(0.75, abs=0.1)
    mixup_fn = seeded(ThresholdGraph(radius=0.0), prob=0.25, mode="elem")
    weights = torch.stack([mixup_fn.mix(x, y).weights for _ in range(400)])
    # unmixed samples have weight 1, mixed ones 0, because they are all too far apart
    assert weights.mean().item() == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("mode", ["batch", "pair", "elem"])
def test_cutmix_pastes_a_box_of_the_partner_and_lam_is_the_remaining_area(mode):
    n = 9
    x = torch.arange(float(n)).view(n, 1, 1, 1).expand(n, 2, 32, 24).contiguous()
    mixup_fn = seeded(ExponentialGraph(decay=0.001), mixup_alpha=0.0, cutmix_alpha=1.0, mode=mode)
    batch = mixup_fn.mix(x, torch.arange(n) % 5)
    pasted = batch.inputs[:, 0] != x[:, 0]
    assert ((batch.inputs == x) | (batch.inputs == x.flip(0))).all()
    share = pasted.float().mean(dim=(1, 2))
    off = torch.arange(n) != n // 2
    torch.testing.assert_close(1 - batch.lam[off], share[off])
    for i in torch.nonzero(pasted.flatten(1).any(1)).flatten():
        rows, columns = pasted[i].any(1), pasted[i].any(0)
        assert torch.equal(pasted[i], rows[:, None] & columns[None, :])
        for line in (rows, columns):
            at = torch.nonzero(line).flatten()
            assert at[-1] - at[0] + 1 == len(at)
    if mode == "batch":
        moved = pasted[off]
        assert (moved == moved[0]).all()


def test_cutmix_minmax_bounds_the_sides():
    x, y = torch.rand(64, 1, 40, 20, generator=torch.Generator().manual_seed(0)), torch.zeros(64, dtype=torch.long)
    batch = seeded(CompleteGraph(), mixup_alpha=0.0, cutmix_minmax=(0.2, 0.8), mode="elem").mix(x, y)
    changed = batch.inputs[:, 0] != x[:, 0]
    heights, widths = changed.any(2).sum(1), changed.any(1).sum(1)
    assert heights.min() >= 8
    assert heights.max() < 32
    assert widths.min() >= 4
    assert widths.max() < 16
    torch.testing.assert_close(1 - batch.lam, changed.float().mean(dim=(1, 2)))


def test_cutmix_minmax_reaches_every_corner():
    x, y = (
        torch.arange(2.0).view(2, 1, 1, 1).expand(2, 1, 4, 4).repeat(100, 1, 1, 1),
        torch.zeros(200, dtype=torch.long),
    )
    batch = seeded(CompleteGraph(), mixup_alpha=0.0, cutmix_minmax=(0.5, 0.5), mode="elem").mix(x, y)
    changed = batch.inputs[:, 0] != x[:, 0]
    counts = changed.sum(0)
    # of 9 positions of the box each corner is covered by one; 6 standard deviations are 28
    for corner in (counts[0, 0], counts[0, 3], counts[3, 0], counts[3, 3]):
        assert abs(int(corner) - 200 / 9) < 20


def test_a_radius_far_too_small_warns_once():
    x, y = batch_of(32)
    mixup_fn = seeded(ThresholdGraph(radius=1e-6))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(5):
            mixup_fn(x, y)
    (warning,) = caught
    assert warning.category is UserWarning
    assert "hardly any pair counts" in str(warning.message)


def test_without_correct_lam_the_target_keeps_the_drawn_lam():
    x, y = torch.rand(64, 1, 10, 10, generator=torch.Generator().manual_seed(0)), torch.zeros(64, dtype=torch.long)
    lams = {}
    for correct in (True, False):
        mixup_fn = seeded(CompleteGraph(), mixup_alpha=0.0, cutmix_alpha=1.0, mode="elem", correct_lam=correct)
        batch = mixup_fn.mix(x, y)
        area = (batch.inputs != x).float().mean(dim=(1, 2, 3))
        lams[correct] = (batch.lam - (1 - area)).abs().max().item()
    assert lams[True] < 1e-6
    assert lams[False] > 0.05


def test_switch_prob_is_the_share_of_cutmix():
    x, y = batch_of(500)
    batch = seeded(CompleteGraph(), cutmix_alpha=1.0, switch_prob=0.3, mode="elem").mix(x, y)
    values = (batch.inputs == x) | (batch.inputs == x.flip(0))
    assert values.flatten(1).all(1).float().mean().item() == pytest.approx(0.3, abs=0.07)


def test_unmix_gives_every_sample_weight_1():
    x, y = batch_of(400)
    batch = seeded(ExponentialGraph(decay=0.05), outside="unmix").mix(x, y)
    weights = ExponentialGraph(decay=0.05).pair_weights(x, torch.arange(399, -1, -1))
    assert (batch.weights == 1).all()
    mixed = (batch.inputs != x).flatten(1).any(1).float().mean()
    assert mixed.item() == pytest.approx(weights.mean().item(), abs=0.1)
    _, target = seeded(ExponentialGraph(decay=0.05), outside="unmix")(x, y)
    torch.testing.assert_close(target.sum(1), torch.ones(400))


def bce(outputs, target):
    return F.binary_cross_entropy_with_logits(outputs, target)


def test_check_loss_refuses_binary_cross_entropy():
    mixup_fn = seeded(ExponentialGraph(decay=1.0))
    for loss in (SoftTargetCrossEntropy(), F.cross_entropy, torch.nn.CrossEntropyLoss(weight=torch.rand(5))):
        mixup_fn.check_loss(loss)
    for loss in (
        bce,
        torch.nn.BCEWithLogitsLoss(),
        torch.nn.CrossEntropyLoss(label_smoothing=0.1),
        torch.nn.CrossEntropyLoss(reduction="sum"),
        torch.nn.CrossEntropyLoss(reduction="none"),
        torch.nn.MSELoss(),
    ):
        with pytest.raises(ValueError, match=r"linear in the target.*Binary cross-entropy also has the term"):
            mixup_fn.check_loss(loss)
    seeded(ExponentialGraph(decay=1.0), outside="unmix").check_loss(bce)


def test_a_loss_that_was_checked_still_serves_validation():
    x, y = batch_of(8)
    mixup_fn, loss, scores = seeded(ExponentialGraph(decay=1.0)), torch.nn.CrossEntropyLoss(), torch.eye(8, 5)
    for _ in range(3):
        mixup_fn.check_loss(loss)
    assert len(loss._forward_pre_hooks) == 1
    message = r"shape \(8, 5\) of the scores, got torch.int64 of shape \(8,\): this batch was never mixed"
    for call in (
        lambda: loss(scores, y),
        lambda: loss(scores, target=y),
        lambda: loss(input=scores, target=y),
        lambda: loss(target=y, input=scores),
    ):
        with pytest.raises(ValueError, match=message):
            call()
        for guard in (torch.no_grad, torch.inference_mode):
            with guard():
                assert call().item() == pytest.approx(F.cross_entropy(scores, y).item())
    assert loss(input=scores, target=mixup_fn(x, y)[1]).isfinite()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated", "ignore:.*torch.jit.script.* is not supported")
def test_a_scripted_loss_is_checked_too():
    mixup_fn = seeded(ExponentialGraph(decay=1.0))
    mixup_fn.check_loss(torch.jit.script(torch.nn.CrossEntropyLoss()))
    with pytest.raises(ValueError, match="linear in the target"):
        mixup_fn.check_loss(torch.jit.script(torch.nn.BCEWithLogitsLoss()))


def test_integers_that_are_no_one_hot_labels_are_not_averaged():
    x, y = batch_of(8)
    assert torch.equal(seeded(CompleteGraph())(x, F.one_hot(y, 5))[1], seeded(CompleteGraph())(x, y)[1])
    with pytest.raises(
        ValueError, match=r"target of shape .* must be one-hot or soft labels, got torch.int64 from 0 to 2"
    ):
        seeded(CompleteGraph())(x, 2 * F.one_hot(y, 5))


def test_binary_cross_entropy_works_with_the_mixed_batch_or_with_unmix():
    x, y = batch_of(8)
    outputs = torch.randn(8, 5, generator=torch.Generator().manual_seed(2))

    def one_hot_bce(scores, targets):
        return F.binary_cross_entropy_with_logits(scores, F.one_hot(targets, 5).float(), reduction="none")

    batch = seeded(ExponentialGraph(decay=0.1)).mix(x, y)
    rows = F.binary_cross_entropy_with_logits(outputs, batch.soft_targets(5), reduction="none").mean(1)
    expected = (batch.weights * rows).sum() / batch.weights.sum()
    torch.testing.assert_close(batch.loss(one_hot_bce, outputs), expected)
    options = {"outside": "unmix", "label_smoothing": 0.0}
    batch, (_, target) = (f(x, y) for f in (seeded(GRAPHS[0], **options).mix, seeded(GRAPHS[0], **options)))
    torch.testing.assert_close(batch.loss(one_hot_bce, outputs), bce(outputs, target))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "half"}, "mode must be one of 'batch', 'pair', 'elem', got 'half'"),
        ({"mixup_alpha": -1}, "mixup_alpha must be >= 0"),
        ({"mixup_alpha": 0}, "one of mixup_alpha, cutmix_alpha, cutmix_minmax must be on"),
        ({"cutmix_alpha": math.nan}, "cutmix_alpha must be >= 0"),
        ({"cutmix_minmax": (0.8, 0.2)}, "cutmix_minmax must be two shares"),
        ({"cutmix_minmax": (0.8,)}, "cutmix_minmax must be two shares"),
        ({"prob": 1.5}, "prob must be between 0 and 1, got 1.5"),
        ({"switch_prob": -0.1}, "switch_prob must be between 0 and 1"),
        ({"label_smoothing": 2}, "label_smoothing must be between 0 and 1"),
        ({"num_classes": 0}, "num_classes must be a whole number >= 1"),
        ({"outside": "drop"}, "outside must be one of"),
        ({"generator": 3}, "generator must be a torch.Generator"),
    ],
)
def test_arguments_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TimmLocalMixup(CompleteGraph(), **options)


def test_batches_that_cannot_be_mixed_are_named():
    x, y = batch_of(4)
    mixup_fn = seeded(CompleteGraph())
    with pytest.raises(ValueError, match=r"graph must be a graph"):
        TimmLocalMixup(ThresholdGraph)
    with pytest.raises(ValueError, match=r"floating point.*uint8.*\.float"):
        mixup_fn((x * 9).to(torch.uint8), y)
    for target in (y[:3], y.float(), y[:, None], F.one_hot(y, 6)):
        with pytest.raises(ValueError, match="target must hold 4 class indices"):
            mixup_fn(x, target)
    with pytest.raises(ValueError, match="num_classes=5 allows classes 0 to 4"):
        mixup_fn(x, y + 5)
    with pytest.raises(ValueError, match=r"shape \(n, ..., h, w\) for CutMix"):
        seeded(CompleteGraph(), cutmix_alpha=1.0)(x.flatten(1), y)


@pytest.mark.skipif(not importlib.util.find_spec("timm"), reason="timm needs torchvision, which the project never has")
def test_against_timm_itself():
    from timm.data import Mixup
    from timm.loss import BinaryCrossEntropy
    from timm.loss import SoftTargetCrossEntropy as TheirLoss

    x, y = batch_of(8)
    theirs, ours = Mixup(num_classes=5, label_smoothing=0.1), seeded(CompleteGraph(), label_smoothing=0.1)
    theirs.mixup_enabled = ours.mixup_enabled = False
    for one, other in zip(theirs(x.clone(), y), ours(x, y), strict=True):
        torch.testing.assert_close(one, other)
    ours.check_loss(TheirLoss())
    with pytest.raises(ValueError, match="linear in the target"):
        ours.check_loss(BinaryCrossEntropy())


def test_the_example_runs():
    path = Path(__file__).parents[2] / "examples" / "timm_loop.py"
    errors = runpy.run_path(str(path))["main"]()
    # chance is 90; which graph is better is not tested
    assert max(errors.values()) < 20


def test_arguments_of_a_wrong_type_are_named():
    with pytest.raises(ValueError, match=r"cutmix_minmax must be two shares, .* got 3"):
        TimmLocalMixup(CompleteGraph(), cutmix_minmax=3)
    mixup_fn = TimmLocalMixup(CompleteGraph(), num_classes=2)
    with pytest.raises(ValueError, match="x must be a tensor, got ndarray"):
        mixup_fn(torch.zeros(2, 3).numpy(), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="target must be a tensor, got list"):
        mixup_fn(torch.zeros(2, 3), [0, 1])


def test_one_hot_and_soft_labels_are_mixed_as_class_indices_are():
    x, y = batch_of(9)
    expected = seeded(GRAPHS[0], cutmix_alpha=1.0)(x, y)[1]
    for labels in (F.one_hot(y, 5), F.one_hot(y, 5).double(), F.one_hot(y, 5).bool()):
        torch.testing.assert_close(seeded(GRAPHS[0], cutmix_alpha=1.0)(x, labels)[1].float(), expected)


def test_several_labels_per_sample_are_smoothed_towards_a_half():
    x, _ = batch_of(8)
    labels = torch.randint(2, (8, 5), generator=torch.Generator().manual_seed(3))
    options = {"outside": "unmix", "multi_label": True, "label_smoothing": 0.2}
    _, target = seeded(CompleteGraph(), **options)(x, labels)
    lam = seeded(CompleteGraph(), **options).mix(x, labels).lam[:, None]
    smooth = labels * 0.8 + 0.1
    torch.testing.assert_close(target, lam * smooth + (1 - lam) * smooth.flip(0))
    seeded(None, multi_label=True).check_loss(bce)
    with pytest.raises(ValueError, match="multi_label=True needs outside='unmix' or a recipe with pairing='neighbors'"):
        seeded(CompleteGraph(), multi_label=True)
    with pytest.raises(ValueError, match=r"target must hold labels of shape \(8, 5\), got torch.int64"):
        seeded(None, multi_label=True)(x, labels[:, 0])


def test_the_recommended_recipe_needs_no_weights_and_allows_cutmix():
    recipe = LocalMixup(prob=0.8, per_sample=True)
    mixup_fn = TimmLocalMixup(recipe=recipe, cutmix_alpha=1.0, num_classes=5, label_smoothing=0.0)
    mixup_fn.check_loss(bce)
    n = 400
    x = torch.arange(float(n)).view(n, 1, 1, 1).expand(n, 1, 16, 16)
    batch = mixup_fn.mix(x, torch.arange(n) % 5)
    assert (batch.weights == 1).all()
    changed = (batch.inputs != x).flatten(1)
    whole = changed.all(1) & (batch.inputs.flatten(1).std(1) == 0)
    # half of the mixed samples are pasted; a box may be empty, and a mixture may have lam near 1
    assert float(whole.float().mean()) == pytest.approx(0.4, abs=0.1)
    cut = changed.any(1) & ~whole
    torch.testing.assert_close(1 - batch.lam[cut], changed[cut].float().mean(1))
    # the partner is near: the nearest of four others, in a line of 400
    partner = batch.inputs.flatten(1)[cut][changed[cut].cumsum(1).eq(1) & changed[cut]]
    assert float((partner - x[cut, 0, 0, 0]).abs().median()) < 60
    with pytest.raises(
        ValueError, match=r"mixup_alpha must not be given without graph, for which LocalMixup\(\) decides"
    ):
        TimmLocalMixup(mixup_alpha=0.8)


def test_a_batch_that_was_never_mixed_is_refused_by_the_loss_and_by_the_count():
    x, y = batch_of(5)
    mixup_fn, criterion = seeded(ThresholdGraph(radius=17.0)), SoftTargetCrossEntropy()
    mixup_fn.check_loss(criterion)
    scores = torch.zeros(5, 5)  # as many classes as samples: without the check a number comes back
    with pytest.raises(
        ValueError, match=r"got torch.int64 of shape \(5,\): this batch was never mixed.*--no-prefetcher"
    ):
        criterion(scores, y)
    with pytest.raises(ValueError, match=r"no batch was mixed .* never called mixup_fn"):
        mixup_fn.counted()
    criterion(scores, mixup_fn(x, y)[1])
    weights = ThresholdGraph(radius=17.0).pair_weights(x, torch.arange(4, -1, -1))
    counted = mixup_fn.counted()
    assert counted["mean_weight"] == pytest.approx(float(weights.mean()))
    # the sample in the middle is its own partner, and counts 1
    assert counted["mixed_share"] == pytest.approx(float((weights.sum() - 1) / weights.sum()))
    mixup_fn.mixup_enabled = False
    mixup_fn(x, y)
    assert mixup_fn.counted() == {"mean_weight": 1.0, "mixed_share": 0.0}


@pytest.mark.skipif(not importlib.util.find_spec("timm"), reason="timm needs torchvision, which the project never has")
@pytest.mark.parametrize("minmax", [None, (0.2, 0.8)])
def test_boxes_have_the_distribution_of_timm(minmax):
    """The rows and columns that a box begins and ends at: two samples of 4,000, errors of 1e-3 at fixed seeds."""
    from scipy.stats import ks_2samp
    from timm.data.mixup import cutmix_bbox_and_lam

    n, (h, w) = 4000, (9, 6)
    rng = np.random.default_rng(0)
    np.random.seed(0)  # noqa: NPY002 (timm draws from it)
    theirs = np.array([(*cutmix_bbox_and_lam((3, h, w), lam, minmax)[0],) for lam in rng.beta(1, 1, n)])
    mixup_fn = seeded(CompleteGraph(), mixup_alpha=0.0, cutmix_alpha=1.0, cutmix_minmax=minmax, mode="elem")
    lam = torch.rand(n, generator=torch.Generator().manual_seed(0))
    rows, columns = mixup_fn._draw_boxes(lam, torch.zeros(n, 3, h, w))
    for one, other in zip((*rows, *columns), theirs.T, strict=True):
        assert ks_2samp(one.numpy(), other).pvalue > 1e-3


@pytest.mark.skipif(not importlib.util.find_spec("timm"), reason="timm needs torchvision, which the project never has")
def test_several_labels_equal_those_of_timm():
    timm_data = pytest.importorskip("timm.data")
    x, _ = batch_of(8)
    labels = torch.randint(2, (8, 5), generator=torch.Generator().manual_seed(3))
    options = {"num_classes": 5, "multi_label": True, "label_smoothing": 0.2}
    if "multi_label" not in timm_data.Mixup.__init__.__code__.co_varnames:
        return  # timm before 1.0.30
    theirs, ours = timm_data.Mixup(**options), TimmLocalMixup(**options)
    theirs.mixup_enabled = ours.mixup_enabled = False
    torch.testing.assert_close(ours(x, labels)[1], theirs(x.clone(), labels)[1])
