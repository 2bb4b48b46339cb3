"""`LocalMixupTransform`: what torchvision documents and tests for `v2.MixUp`, and exact weights."""

import importlib.util
import pickle
import runpy
import subprocess
import sys
import warnings
from collections import namedtuple
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, default_collate

from localmixup import CompleteGraph, ExponentialGraph, IdentityGraph, KNNGraph, LocalMixup, ThresholdGraph
from localmixup.integrations.torchvision import LocalCutMixTransform, LocalMixupTransform, find_labels

CLASSES, N = 5, 12
GRAPHS = [ExponentialGraph(decay=0.1), ThresholdGraph(radius=14.5), KNNGraph(n_neighbors=4), CompleteGraph()]


class Images(Dataset):
    """Images with labels as indices or one-hot."""

    def __init__(self, one_hot=False):
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randn(N, 3, 7, 5, generator=generator)
        self.labels = torch.arange(N) % CLASSES
        if one_hot:
            self.labels = F.one_hot(self.labels, CLASSES)

    def __len__(self):
        return N

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


def batch_of(dtype=torch.float32):
    data = Images()
    return data.images.to(dtype), data.labels


def seeded(graph, seed=1, **options):
    options = {"num_classes": CLASSES, **options}
    return LocalMixupTransform(graph, generator=torch.Generator().manual_seed(seed), **options)


def check(images, labels):
    assert images.shape == (N, 3, 7, 5)
    assert labels.shape == (N, CLASSES)
    # with v2.MixUp each row sums to 1; here it sums to the weight, whose mean is 1
    assert labels.sum(1).mean().item() == pytest.approx(1, rel=1e-5)
    assert (images != Images().images).any()


# ---- exact -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: type(g).__name__)
@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("pairing", ["permutation", "flip", "roll", "between_class", "neighbors"])
def test_an_unchanged_loop_trains_with_the_weighted_mean(graph, per_sample, pairing):
    x, y = batch_of(torch.float64)
    options = {"per_sample": per_sample, "pairing": pairing}
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(105, CLASSES)).double()
    images, labels = seeded(graph, **options)(x, y)
    batch = LocalMixup(graph, generator=torch.Generator().manual_seed(1), **options)(x, y)
    torch.testing.assert_close(images, batch.inputs, atol=1e-12, rtol=0)
    ours, exact = F.cross_entropy(model(images), labels), batch.loss(F.cross_entropy, model(batch.inputs))
    assert ours.item() == pytest.approx(exact.item(), abs=1e-6)
    gradients = [torch.autograd.grad(loss, model.parameters()) for loss in (ours, exact)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_the_complete_graph_is_mixup_with_rows_that_sum_to_one():
    images, labels = seeded(CompleteGraph())(*batch_of())
    torch.testing.assert_close(labels.sum(-1), torch.ones(N))
    check(images, labels)


@pytest.mark.parametrize("one_hot", [False, True])
def test_labels_may_be_indices_or_one_hot_or_soft(one_hot):
    x, y = batch_of()
    expected = seeded(GRAPHS[0])(x, y)[1]
    for labels in (F.one_hot(y, CLASSES), F.one_hot(y, CLASSES).float()):
        for num_classes in (None, CLASSES):
            torch.testing.assert_close(seeded(GRAPHS[0], num_classes=num_classes)(x, labels)[1], expected)
    for labels in (y.to(torch.int32), y.to(torch.uint8)):
        torch.testing.assert_close(seeded(GRAPHS[0])(x, labels)[1], expected)
    soft = F.one_hot(y, CLASSES).double() * 0.9 + 0.02
    out = seeded(GRAPHS[0], num_classes=None)(x, soft)[1]
    assert out.dtype == torch.float64
    torch.testing.assert_close(out.float(), 0.9 * expected + 0.02 * expected.sum(1, keepdim=True))


# ---- the structures that v2.MixUp takes ---------------------------------------------------------------------------


@pytest.mark.parametrize("one_hot", [False, True])
def test_the_structures_of_a_data_loader(one_hot):
    loader = DataLoader(Images(one_hot), batch_size=N)
    mix = seeded(GRAPHS[0])
    images, labels = next(iter(loader))
    out = mix(images, labels)
    assert isinstance(out, tuple)
    check(*out)
    packed = next(iter(loader))
    assert isinstance(packed, list)
    out = mix(packed)
    assert isinstance(out, list)
    check(*out)
    for collate in (
        mix.collate_fn,
        lambda samples: mix(default_collate(samples)),
        lambda samples: mix(*default_collate(samples)),
    ):
        check(*next(iter(DataLoader(Images(one_hot), batch_size=N, collate_fn=collate))))


@pytest.mark.parametrize("key", ["labels", "label", "LaBeL", "LABELS", "my_label_key"])
def test_dicts_with_a_key_like_label(key):
    x, y = batch_of()
    out = seeded(GRAPHS[0])({"imgs": x, key: y, "n": 3, "name": "batch"})
    assert list(out) == ["imgs", key, "n", "name"]
    assert (out["n"], out["name"]) == (3, "batch")
    check(out["imgs"], out[key])
    images, target = seeded(GRAPHS[0])(x, {"boxes": None, key: y})
    assert target["boxes"] is None
    check(images, target[key])


def test_the_key_labels_takes_precedence():
    x, y = batch_of()
    out = seeded(GRAPHS[0])({"label_names": "abc", "x": x, "Labels": y})
    assert out["label_names"] == "abc"
    check(out["x"], out["Labels"])


def test_a_function_finds_labels_in_any_tree():
    x, y = batch_of()
    batch = {"imgs": x, "target": {"classes": y, "some_other_key": "this passes through"}}
    mix = seeded(GRAPHS[0], labels_getter=lambda b: b["target"]["classes"])
    out = mix(batch)
    check(out["imgs"], out["target"]["classes"])
    assert out["target"]["some_other_key"] == "this passes through"
    assert batch["target"]["classes"] is y
    pair = namedtuple("Sample", "image label")
    out = seeded(GRAPHS[0])(pair(x, y))
    assert type(out) is pair
    check(out.image, out.label)


def test_only_the_first_plain_tensor_is_an_image_and_labels_may_come_first():
    x, y = batch_of()
    ids, more = torch.arange(N), torch.ones(N, 2)
    out = seeded(GRAPHS[0])(x, y, ids, {"more": more, "list": [more, 7]})
    check(out[0], out[1])
    assert out[2] is ids
    assert out[3]["more"] is more
    assert out[3]["list"][0] is more
    out = seeded(GRAPHS[0])({"labels": y, "image": x})
    check(out["image"], out["labels"])


def test_the_arguments_are_not_changed():
    x, y = batch_of()
    tree = {"image": x, "labels": y}
    seeded(CompleteGraph())(tree)
    assert torch.equal(tree["image"], Images().images)
    assert torch.equal(tree["labels"], Images().labels)


def tv_tensor(name):
    """A class like torchvision's tv_tensors: a subclass of Tensor whose operations return plain tensors."""

    def plain(cls, function, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            out = function(*args, **(kwargs or {}))
        return out.as_subclass(torch.Tensor) if isinstance(out, torch.Tensor) else out

    members = {"__torch_function__": classmethod(plain), "__module__": f"torchvision.tv_tensors._{name.lower()}"}
    return type(name, (torch.Tensor,), members)


def test_images_and_videos_of_torchvision_keep_their_type_and_plain_tensors_pass():
    x, y = batch_of()
    image, video = tv_tensor("Image"), tv_tensor("Video")
    extra = torch.randn(N, 3)
    out = seeded(GRAPHS[0])({"extra": extra, "img": x.as_subclass(image), "labels": y})
    assert out["extra"] is extra
    assert type(out["img"]) is image
    check(out["img"].as_subclass(torch.Tensor), out["labels"])
    clip = torch.randn(N, 2, 3, 4, 4)
    out = seeded(GRAPHS[0])(clip.as_subclass(video), y)
    assert type(out[0]) is video
    assert out[0].shape == clip.shape
    # several images share one plan
    out = seeded(CompleteGraph())({"a": x.as_subclass(image), "b": (2 * x).as_subclass(image), "labels": y})
    torch.testing.assert_close(out["b"].as_subclass(torch.Tensor), 2 * out["a"].as_subclass(torch.Tensor))


# ---- the errors of v2.MixUp ----------------------------------------------------------------------------------------


def test_the_documented_errors():
    x, y = batch_of()
    mix = seeded(GRAPHS[0])
    for name in ("Mask", "BoundingBoxes", "KeyPoints"):
        with pytest.raises(ValueError, match=f"does not support PIL images, .* got a {name}"):
            mix(x.as_subclass(tv_tensor(name)), y)
    with pytest.raises(ValueError, match="no key contains 'label' among 'img', 'nothing_else'"):
        mix({"img": x, "nothing_else": 3})
    with pytest.raises(ValueError, match=r"class indices of shape \(n,\) or probabilities .* got a tensor of shape"):
        mix(x)
    with pytest.raises(ValueError, match="labels_getter='default'; got str"):
        mix(x, "not a tensor")
    with pytest.raises(ValueError, match=r"batch with 4 dimensions .* got a tensor of shape \(1, 1, 12, 3, 7, 5\)"):
        mix(x[None, None], y)
    with pytest.raises(ValueError, match=r"4 dimensions .* got a tensor of shape \(12, 7, 5\)"):
        mix(x[:, 0], y)
    with pytest.raises(ValueError, match=r"5 .*tv_tensors.Video, got a video"):
        mix(x.as_subclass(tv_tensor("Video")), y)
    with pytest.raises(ValueError, match="same batch size, got 12 and 11"):
        mix(x, y[1:])
    with pytest.raises(ValueError, match=r"c = num_classes = 5, got shape \(12, 6\)"):
        mix(x, F.one_hot(y, 6))
    with pytest.raises(ValueError, match=r"got a tensor of shape \(2, 3, 4\)"):
        mix(x, torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match="num_classes must be given for labels that are class indices"):
        seeded(GRAPHS[0], num_classes=None)(x, y)
    with pytest.raises(ValueError, match="num_classes=3 allows classes 0 to 2, got 0 to 4"):
        seeded(GRAPHS[0], num_classes=3)(x, y)
    with pytest.raises(ValueError, match="labels_getter must be 'default' or a callable, got 'labels'"):
        seeded(GRAPHS[0], labels_getter="labels")


def test_a_pil_image_is_refused():
    image = pytest.importorskip("PIL.Image").new("RGB", (4, 4))
    with pytest.raises(ValueError, match="does not support PIL images"):
        seeded(GRAPHS[0])(image, torch.zeros(1, dtype=torch.long))


def test_our_own_errors():
    x, y = batch_of()
    with pytest.raises(ValueError, match="without labels nothing can carry the weights"):
        seeded(GRAPHS[0], labels_getter=None)
    with pytest.raises(ValueError, match="labels must be a tensor, got NoneType"):
        seeded(GRAPHS[0], labels_getter=lambda _: None)(x, y)
    with pytest.raises(ValueError, match="must return a tensor from the inputs"):
        seeded(GRAPHS[0], labels_getter=lambda b: b[1] + 0)(x, y)
    with pytest.raises(ValueError, match=r"shape \(n,\) must be class indices, got torch.float32"):
        seeded(GRAPHS[0])(x, y.float())
    with pytest.raises(ValueError, match=r"floating point.*uint8"):
        seeded(GRAPHS[0])(x.to(torch.uint8), y)
    with pytest.raises(ValueError, match="batch of images in addition to the labels"):
        seeded(GRAPHS[0])({"labels": y})
    for alpha in (-1.0, 0.0):
        with pytest.raises(ValueError, match=r"^alpha must be > 0 .*, got -?[01]"):
            seeded(GRAPHS[0], alpha=alpha)
    with pytest.raises(ValueError, match="pairing must be one of"):
        seeded(GRAPHS[0], pairing="next")


def test_check_loss_refuses_binary_cross_entropy():
    mix = seeded(GRAPHS[0])
    mix.check_loss(F.cross_entropy)
    mix.check_loss(nn.CrossEntropyLoss())
    seeded(GRAPHS[0], num_classes=None).check_loss(F.cross_entropy)
    for loss in (F.binary_cross_entropy_with_logits, nn.CrossEntropyLoss(label_smoothing=0.1)):
        with pytest.raises(
            ValueError, match=r"linear in the target.*also has the term.*use label_smoothing of LocalMixupTransform"
        ):
            mix.check_loss(loss)
    for mix in (seeded(GRAPHS[0], outside="unmix"), seeded(None)):
        mix.check_loss(F.binary_cross_entropy_with_logits)


def test_labels_are_smoothed_before_the_weights_act():
    x, y = batch_of(torch.float64)
    model = nn.Sequential(nn.Flatten(), nn.Linear(105, CLASSES)).double()
    images, labels = seeded(GRAPHS[0], label_smoothing=0.1)(x, y)
    batch = LocalMixup(GRAPHS[0], generator=torch.Generator().manual_seed(1), pairing="roll")(x, y)
    smoothed = nn.CrossEntropyLoss(label_smoothing=0.1)
    torch.testing.assert_close(F.cross_entropy(model(images), labels), batch.loss(smoothed, model(batch.inputs)))


def test_partners_are_those_of_v2_mixup():
    x, y = torch.arange(4.0).view(4, 1, 1, 1), torch.arange(4)
    images, labels = LocalMixupTransform(CompleteGraph(), num_classes=4)(x, y)
    lam = labels.diagonal()[:, None, None, None]
    torch.testing.assert_close(images, lam * x + (1 - lam) * x.roll(1, 0))


@pytest.mark.parametrize("graph", [ThresholdGraph(radius=14.5), KNNGraph(n_neighbors=4)], ids=repr)
def test_local_cutmix_pastes_the_sample_before_and_weighs_the_pair(graph):
    generator = torch.Generator().manual_seed(1)
    mix = LocalCutMixTransform(graph, num_classes=CLASSES, per_sample=True, generator=generator)
    x, y = batch_of()
    images, labels = mix(x, y)
    pasted = (images != x).any(1)
    weights = graph.pair_weights(x, torch.arange(N).roll(1))
    for i in range(N):
        box = pasted[i]
        assert torch.equal(images[i], torch.where(box, x[i - 1], x[i]))
        rows, columns = box.any(1).nonzero().flatten(), box.any(0).nonzero().flatten()
        assert box.sum() == len(rows) * len(columns)  # one rectangle
        share = float(box.float().mean())
        row = torch.zeros(CLASSES)
        row[y[i]] += 1 - share
        row[y[i - 1]] += share
        torch.testing.assert_close(labels[i], row * N * weights[i] / weights.sum())
    assert pasted.any()


def test_local_cutmix_gives_all_images_of_a_structure_the_same_boxes():
    x, y = batch_of()
    image = tv_tensor("Image")
    out = LocalCutMixTransform(CompleteGraph(), num_classes=CLASSES)(
        {"a": x.as_subclass(image), "b": (2 * x).as_subclass(image), "labels": y}
    )
    torch.testing.assert_close(out["b"].as_subclass(torch.Tensor), 2 * out["a"].as_subclass(torch.Tensor))
    assert type(out["a"]) is image


@pytest.mark.parametrize("transform", [LocalMixupTransform, LocalCutMixTransform])
def test_the_pairs_that_count_are_counted(transform):
    x, y = batch_of()
    mix = transform(GRAPHS[1], num_classes=CLASSES)
    weights = GRAPHS[1].pair_weights(x, torch.arange(N).roll(1))
    for _ in range(3):
        mix(x, y)
    counted = mix.counted()
    assert counted == {"mean_weight": pytest.approx(float(weights.mean())), "mixed_share": 1.0}
    with pytest.raises(ValueError, match="no batch was mixed since the pairs were last counted"):
        mix.counted()


class Far(Dataset):
    """Samples of which each is its own neighbour only."""

    def __len__(self):
        return 256

    def __getitem__(self, i):
        return torch.full((1, 2, 2), float(i)), i % CLASSES


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_the_pairs_of_workers_are_counted_and_one_of_them_warns_once(persistent, capfd):
    """A radius that keeps the pairs of neighbours in an unshuffled batch only."""
    mix = LocalMixupTransform(ThresholdGraph(radius=2.0), num_classes=CLASSES, pairing="roll")
    loader = DataLoader(Far(), batch_size=32, collate_fn=mix.collate_fn, num_workers=2, persistent_workers=persistent)
    for _ in range(3):
        labels = torch.cat([labels for _, labels in loader])
        assert len(labels) == 256
        # of the 32 samples of a batch the first meets the last
        assert mix.counted() == {"mean_weight": 31 / 32, "mixed_share": 1.0}
    tiny = LocalMixupTransform(ThresholdGraph(radius=1e-6), num_classes=CLASSES)
    loader = DataLoader(Far(), batch_size=32, collate_fn=tiny.collate_fn, num_workers=2, persistent_workers=persistent)
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: print(message, file=sys.stderr)
        for _ in range(3):
            list(loader)
            assert tiny.counted()["mean_weight"] == 0.0
        del loader
    assert capfd.readouterr().err.count("hardly any pair counts") == 1


@pytest.mark.parametrize("transform", [LocalMixupTransform, LocalCutMixTransform])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_images_and_labels_that_are_not_dense_are_refused(transform):
    mix, (images, labels) = transform(CompleteGraph(), num_classes=CLASSES), batch_of()
    nested = torch.nested.nested_tensor([torch.zeros(3, 4, 4)] * N)
    for odd, name in ((images.to_sparse(), "torch.sparse_coo: call x.to_dense"), (nested, "a nested tensor: pad it")):
        with pytest.raises(ValueError, match=f"images must be a dense tensor, got {name}"):
            mix(odd, labels)
        with pytest.raises(ValueError, match=f"images must be a dense tensor, got {name}"):
            mix({"images": odd, "labels": labels})
    with pytest.raises(ValueError, match=r"labels must be a dense tensor, got torch.sparse_coo"):
        mix(images, F.one_hot(labels, CLASSES).to_sparse())


@pytest.mark.parametrize("labels", [torch.arange(2 * N).view(N, 2), torch.arange(N)[:, None], -torch.eye(N).long()])
def test_class_indices_of_several_labels_are_not_averaged(labels):
    with pytest.raises(ValueError, match=r"labels of shape .* must be one-hot or soft labels, got torch.int64 from"):
        LocalMixupTransform(CompleteGraph())(batch_of()[0], labels)


# ---- a module, workers, generators ---------------------------------------------------------------------------------


def test_a_module_that_eval_switches_off():
    x, y = batch_of()
    mix = seeded(GRAPHS[0])
    assert isinstance(mix, nn.Module)
    assert not list(mix.parameters())
    assert "alpha=1" in repr(mix)
    images, labels = nn.Sequential(mix.eval())((x, y))
    assert torch.equal(images, x)
    torch.testing.assert_close(labels, F.one_hot(y, CLASSES).float())
    check(*mix.train()(x, y))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_small_batches(n):
    x, y = batch_of()
    images, labels = seeded(ExponentialGraph(decay=1.0))(x[:n], y[:n])
    assert images.shape == (n, 3, 7, 5)
    assert labels.shape == (n, CLASSES)
    assert labels.isfinite().all()


def test_the_loss_is_zero_if_no_pair_counts():
    x, y = batch_of()
    images, labels = seeded(IdentityGraph(), pairing="flip")(x, y)
    assert F.cross_entropy(images.flatten(1)[:, :CLASSES], labels).item() == 0


def test_a_radius_far_too_small_warns_once():
    x, y = batch_of()
    mix = seeded(ThresholdGraph(radius=1e-6))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(10):
            mix(x, y)
    (warning,) = caught
    assert warning.category is UserWarning
    assert "hardly any pair counts" in str(warning.message)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_images_keep_their_dtype(dtype):
    images, labels = seeded(ExponentialGraph(decay=0.1))(*batch_of(dtype))
    assert images.dtype == dtype
    assert labels.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def test_one_generator_state_gives_one_batch_and_no_global_state_changes():
    x, y = batch_of()
    state = torch.get_rng_state()
    mix = seeded(CompleteGraph(), per_sample=True)
    first, second, again = mix(x, y), mix(x, y), seeded(CompleteGraph(), per_sample=True)(x, y)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], second[0])
    assert torch.equal(torch.get_rng_state(), state)
    copy = pickle.loads(pickle.dumps(mix))
    assert torch.equal(copy(x, y)[0], mix(x, y)[0])


class Repeated(Images):
    """The same batch of N again and again, so that only the draws differ."""

    def __len__(self):
        return 4 * N

    def __getitem__(self, i):
        return super().__getitem__(i % N)


def test_workers_draw_differently_and_reproducibly():
    def epoch():
        generator = torch.Generator().manual_seed(3)
        mix = seeded(GRAPHS[0])
        loader = DataLoader(Repeated(), batch_size=N, collate_fn=mix.collate_fn, num_workers=2, generator=generator)
        return list(loader)

    first, again = epoch(), epoch()
    for (images, labels), (images_again, labels_again) in zip(first, again, strict=True):
        check(images, labels)
        assert torch.equal(images, images_again)
        assert torch.equal(labels, labels_again)
    for i in range(4):
        for j in range(i):
            assert not torch.equal(first[i][0], first[j][0])


def torchvision_works():
    if not importlib.util.find_spec("torchvision"):
        return False
    return (
        subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not torchvision_works(), reason="torchvision has no build for CPU torch")
def test_against_torchvision_itself():
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    x, y = batch_of()
    for tree in ((x, y), [x, y], {"img": tv_tensors.Image(x), "labels": y, "rest": "a"}):
        theirs, ours = v2.MixUp(num_classes=CLASSES)(tree), seeded(CompleteGraph())(tree)
        assert torch.utils._pytree.tree_structure(theirs) == torch.utils._pytree.tree_structure(ours)
        for one, other in zip(*(torch.utils._pytree.tree_leaves(t) for t in (theirs, ours)), strict=True):
            assert type(one) is type(other)
            assert not isinstance(one, torch.Tensor) or (one.shape, one.dtype) == (other.shape, other.dtype)
    with pytest.raises(ValueError, match="does not support"):
        seeded(CompleteGraph())(tv_tensors.Mask(x), y)
    chosen = v2.RandomChoice([seeded(CompleteGraph()), LocalCutMixTransform(CompleteGraph(), num_classes=CLASSES)])
    check(*chosen(x, y))


@pytest.mark.skipif(not torchvision_works(), reason="torchvision has no build for CPU torch")
def test_the_box_has_the_place_that_v2_cutmix_draws():
    """An even side in the middle of the image: where neither rounds nor cuts off, both paste the same share."""
    from torchvision.transforms import v2

    x, y = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 1, 32, 32).repeat(200, 1, 1, 1), torch.zeros(400).long()
    torch.manual_seed(0)
    ours = LocalCutMixTransform(CompleteGraph(), num_classes=2, per_sample=True)(x, y)[0]
    theirs = torch.cat([v2.CutMix(num_classes=2)(x[:2], y[:2])[0] for _ in range(400)])
    shares = [
        float((images != base).float().mean()) for images, base in ((ours, x), (theirs, x[:2].repeat(400, 1, 1, 1)))
    ]
    # theirs loses a row and a column of a box of odd side; the standard error of a mean of 400 is 0.013
    assert shares[0] == pytest.approx(shares[1], abs=0.05)


def test_find_labels_takes_what_the_rule_says():
    x, y = batch_of()
    assert find_labels((x, y)) is y
    assert find_labels([x, {"Label": y}]) is y
    assert find_labels({"a_label": x, "labels": y}) is y


def test_the_example_runs():
    path = Path(__file__).parents[2] / "examples" / "torchvision_collate.py"
    errors = runpy.run_path(str(path))["main"](epochs=4)
    # chance is 90; which graph is better is not tested
    assert max(errors.values()) < 20
