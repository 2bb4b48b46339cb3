"""The networks: what every one promises, and that each is the one it is named for."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from localmixup.lab.models import MODELS, build_model, pick_model

DENSE = ("mlp", "mlp3-softmax", "mlp-leaky")
IMAGES = [name for name in MODELS if name not in DENSE]


def size(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 16, 16), (1, 19, 33)])
def test_the_children_are_the_forward_pass_and_the_last_is_the_linear_head(name, shape):
    torch.manual_seed(0)
    model = build_model(name, shape, 7).eval()
    assert type(model) is nn.Sequential
    assert len(model) >= 3
    x = torch.randn(4, *shape)
    hidden = x
    for child in model:
        assert hidden.shape[0] == 4
        hidden = child(hidden)
    assert torch.equal(hidden, model(x))
    assert hidden.shape == (4, 7)

    head = model[-1] if name != "mlp3-softmax" else model[-1][0]
    assert type(head) is nn.Linear
    features = model[:-1](x)
    assert features.shape == (4, head.in_features)
    scores = features @ head.weight.T + head.bias
    expected = scores.softmax(dim=1) if name == "mlp3-softmax" else scores
    assert torch.allclose(model(x), expected, atol=1e-5)
    # each image by itself
    assert torch.allclose(model(x)[2:3], model(x[2:3]), atol=1e-5)


@pytest.mark.parametrize("name", list(MODELS))
def test_every_parameter_is_trained(name):
    torch.manual_seed(0)
    model = build_model(name, (1, 28, 28), 5)
    F.cross_entropy(model(torch.randn(8, 1, 28, 28)), torch.arange(8) % 5).backward()
    without = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "shape", "known"),
    [
        # LeCun et al. 1998 with full connections between the convolutions
        ("lenet5", (1, 28, 28), 61_706),
        ("lenet5-conv3", (1, 28, 28), 61_706),
        # the first convolution sees two more channels
        ("lenet5-conv3", (3, 32, 32), 61_706 + 2 * 6 * 25),
        # ResNet-20 with 1 x 1 shortcuts has 272,474, among them one more block a stage
        ("resnet", (3, 32, 32), 272_474 - sum(18 * c**2 + 4 * c for c in (16, 32, 64))),
        # kuangliu/pytorch-cifar: ResNet18, PreActResNet18 and densenet_cifar
        ("resnet18", (3, 32, 32), 11_173_962),
        ("preact-resnet18", (3, 32, 32), 11_171_146),
        ("densenet-bc", (3, 32, 32), 1_000_618),
        # the figure that the paper gives for CIFAR-10, in truth of the MNIST network
        ("mnist-cnn", (1, 28, 28), 836_522),
        # a table of two features
        ("mlp", (2,), 2 * 100 + 100 + 100 * 100 + 100 + 100 * 10 + 10),
        ("mlp3-softmax", (2,), 2 * 100 + 100 + 2 * (100 * 100 + 100) + 100 * 10 + 10),
        ("mlp-leaky", (2,), 2 * 128 + 128 + 128 * 128 + 128 + 128 * 10 + 10),
    ],
)
def test_known_sizes(name, shape, known):
    assert size(build_model(name, shape, 10)) == known


def test_densenet_has_the_size_that_its_formula_gives():
    growth, channels, total = 12, 24, 3 * 24 * 9
    for k, length in enumerate((6, 12, 24, 16)):
        for _ in range(length):
            total += 2 * channels + channels * 4 * growth + 2 * 4 * growth + 4 * growth * growth * 9
            channels += growth
        if k < 3:
            total += 2 * channels + channels * (channels // 2)
            channels //= 2
    assert size(build_model("densenet-bc", (3, 32, 32), 10)) == total + 2 * channels + channels * 10 + 10


def layers(model):
    """The layers that do something, one after another."""
    return [m for m in model.modules() if not isinstance(m, nn.Sequential)]


def test_weights_of_a_seed_are_those_of_the_layers_made_one_after_another():
    # stored results stand on these
    def flat_mlp():
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 7)
        )

    def flat_lenet5():
        return nn.Sequential(
            *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 7)),
        )

    x = torch.randn(3, 1, 28, 28)
    for name, flat in (("mlp", flat_mlp), ("lenet5", flat_lenet5)):
        torch.manual_seed(5)
        expected = flat()(x)
        torch.manual_seed(5)
        assert torch.equal(build_model(name, (1, 28, 28), 7)(x), expected)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28)])
def test_the_third_convolution_of_lenet5_is_its_first_dense_layer_at_32_pixels(shape):
    models = []
    for name in ("lenet5", "lenet5-conv3"):
        torch.manual_seed(1)
        models.append(build_model(name, shape, 7))
    x = torch.randn(3, *shape)
    assert torch.allclose(models[0](x), models[1](x), atol=1e-6)


def test_mlp3_softmax_cannot_reach_a_loss_of_zero():
    model = build_model("mlp3-softmax", (2,), 2)
    assert [m.out_features for m in layers(model) if isinstance(m, nn.Linear)] == [100, 100, 100, 2]
    model[-1][0].weight.data.zero_()
    model[-1][0].bias.data = torch.tensor([1000.0, 0.0])
    loss = F.cross_entropy(model(torch.randn(5, 2)), torch.zeros(5, dtype=torch.int64))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-5)
    with pytest.raises(ValueError, match=r"'mlp3-softmax' must be >= 2 .*, got 1"):
        build_model("mlp3-softmax", (2,), 1)


def test_mlp_leaky_lets_a_tenth_through():
    torch.manual_seed(0)
    model, x = build_model("mlp-leaky", (3,), 1), torch.randn(50, 3)
    (w1, b1, w2, b2, w3, b3) = model.parameters()
    hidden = x @ w1.T + b1
    hidden = torch.where(hidden > 0, hidden, 0.1 * hidden) @ w2.T + b2
    expected = torch.where(hidden > 0, hidden, 0.1 * hidden) @ w3.T + b3
    assert torch.allclose(model(x), expected, atol=1e-5)


def normalised(x, norm):
    """Batch normalisation by its formula, with the running moments set to what they are not at the start."""
    shape = (1, -1, 1, 1)
    mean, var = norm.running_mean.view(shape), norm.running_var.view(shape)
    return (x - mean) / (var + 1e-5).sqrt() * norm.weight.view(shape) + norm.bias.view(shape)


def own_moments(model):
    g = torch.Generator().manual_seed(2)
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.copy_(0.1 * torch.randn(m.num_features, generator=g))
            m.running_var.copy_(torch.rand(m.num_features, generator=g) + 0.5)
            m.weight.data.copy_(torch.rand(m.num_features, generator=g) + 0.5)
            m.bias.data.copy_(0.1 * torch.randn(m.num_features, generator=g))
    return model.eval()


def parts(model):
    """Convolutions and normalisations in the order in which they were made."""
    kept = layers(model)
    return iter([m for m in kept if isinstance(m, nn.Conv2d)]), iter([m for m in kept if isinstance(m, nn.BatchNorm2d)])


@torch.no_grad()
@pytest.mark.parametrize(("name", "widths"), [("resnet", (16, 32, 64)), ("resnet18", (64, 128, 256, 512))])
def test_residual_networks_against_their_formula(name, widths):
    torch.manual_seed(0)
    model = own_moments(build_model(name, (3, 16, 16), 4))
    convolutions, norms = parts(model)

    def step(x, stride, padding):
        return normalised(F.conv2d(x, next(convolutions).weight, stride=stride, padding=padding), next(norms))

    x = torch.randn(2, 3, 16, 16)
    hidden = step(x, 1, 1).relu()
    for k in range(2 * len(widths)):
        stride = 2 if k % 2 == 0 and k > 0 else 1
        change = step(step(hidden, stride, 1).relu(), 1, 1)
        hidden = (change + (step(hidden, 2, 0) if stride == 2 else hidden)).relu()
    assert hidden.shape == (2, widths[-1], 2 ** (5 - len(widths)), 2 ** (5 - len(widths)))
    assert torch.allclose(model[:-1](x), hidden.mean(dim=(2, 3)), atol=1e-4, rtol=1e-4)
    assert next(convolutions, None) is None


@torch.no_grad()
def test_the_preactivated_network_against_its_formula():
    torch.manual_seed(0)
    model = own_moments(build_model("preact-resnet18", (3, 16, 16), 4))
    convolutions, norms = parts(model)
    x = torch.randn(2, 3, 16, 16)
    hidden = F.conv2d(x, next(convolutions).weight, padding=1)
    for k in range(8):
        stride = 2 if k in (2, 4, 6) else 1
        active = normalised(hidden, next(norms)).relu()
        change = F.conv2d(active, next(convolutions).weight, stride=stride, padding=1)
        change = F.conv2d(normalised(change, next(norms)).relu(), next(convolutions).weight, padding=1)
        hidden = change + (F.conv2d(active, next(convolutions).weight, stride=2) if stride == 2 else hidden)
    assert torch.allclose(model[:-1](x), hidden.mean(dim=(2, 3)), atol=1e-4, rtol=1e-4)
    assert next(convolutions, None) is None
    assert next(norms, None) is None


@torch.no_grad()
def test_densenet_against_its_formula():
    torch.manual_seed(0)
    model = own_moments(build_model("densenet-bc", (1, 28, 28), 4))
    convolutions, norms = parts(model)

    def step(x, padding):
        return F.conv2d(normalised(x, next(norms)).relu(), next(convolutions).weight, padding=padding)

    x = torch.randn(2, 1, 28, 28)
    hidden = F.conv2d(x, next(convolutions).weight, padding=1)
    for k, length in enumerate((6, 12, 24, 16)):
        for _ in range(length):
            hidden = torch.cat([hidden, step(step(hidden, 0), 1)], dim=1)
        if k < 3:
            hidden = F.avg_pool2d(step(hidden, 0), 2)
    assert hidden.shape == (2, 384, 3, 3)
    expected = normalised(hidden, next(norms)).relu().mean(dim=(2, 3))
    assert torch.allclose(model[:-1](x), expected, atol=1e-4, rtol=1e-4)


def test_mnist_cnn_against_its_formula_and_its_dropout():
    torch.manual_seed(0)
    model, x = build_model("mnist-cnn", (1, 28, 28), 10), torch.randn(2, 1, 28, 28)
    c0, c1, c2, c3 = (m for m in layers(model) if isinstance(m, nn.Conv2d))
    hidden = F.max_pool2d(F.conv2d(x, c0.weight, c0.bias, padding=1).relu(), 2)
    hidden = F.conv2d(hidden, c1.weight, c1.bias, padding=1).relu()
    hidden = F.max_pool2d(F.conv2d(hidden, c2.weight, c2.bias, padding=1).relu(), 2)
    hidden = F.conv2d(hidden, c3.weight, c3.bias, padding=1).relu().flatten(1)
    dense = model[-2][0]
    features = (hidden @ dense.weight.T + dense.bias).relu()
    assert torch.allclose(model.eval()[:-1](x), features, atol=1e-4)
    # while training, each of the units that are not zero is kept with probability one half and doubled:
    # of 400 and more, between 35 % and 65 % vanish but once in 10^8 seeds
    noisy = model.train()[:-1](x)
    positive = features > 1e-4
    assert positive.sum() > 400
    vanished = (noisy[positive] == 0).double().mean().item()
    assert 0.35 < vanished < 0.65
    assert torch.allclose(noisy[positive & (noisy != 0)], 2 * features[positive & (noisy != 0)], atol=1e-4)


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("shape", [(5,), (3, 15, 32), (2, 2, 16, 16)])
def test_an_image_network_says_what_it_needs(name, shape):
    with pytest.raises(ValueError, match=rf"'{name}' needs images of at least 16 x 16 pixels, got inputs of shape \("):
        build_model(name, shape, 2)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"model must be one of 'mlp', .*did you mean 'resnet18'"):
        build_model("resnet-18", (3, 32, 32), 2)


def test_every_description_is_one_readable_line():
    for name, description in MODELS.items():
        assert 20 < len(description) < 120, name
        assert "\n" not in description


def test_the_picked_model_fits_its_shape():
    for shape in ((64,), (1, 8, 8), (3, 8, 40), (1, 28, 28), (3, 32, 32), (2, 16, 16)):
        assert build_model(pick_model(shape), shape, 3)(torch.randn(2, *shape)).shape == (2, 3)
