"""The networks that can be trained, by name.

A model is an `nn.Sequential`. Its children, run one after another, are its forward pass, and the points between them
are those where hidden layers can be mixed. Its last child is the linear head, so that `model[:-1](x)` are the
penultimate features, shape `(n, features)`.

A model of the user's own is named by `own.adopt_model` and made by `build_model` like the others.

To add a model, write a function `(shape, outputs) -> nn.Sequential` in a new file here, and add a line to `MODELS` and
one to `_FOR_ANY_SHAPE` or `_FOR_IMAGES`.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from localmixup._validate import ArgumentError, check_choice
from localmixup.lab.models.dense import mlp, mlp3_softmax, mlp_leaky
from localmixup.lab.models.densenet import densenet_bc
from localmixup.lab.models.lenet import lenet5, lenet5_conv3
from localmixup.lab.models.mnist_cnn import mnist_cnn
from localmixup.lab.models.own import Factory as Factory
from localmixup.lab.models.own import adopt_model, build_own, is_own
from localmixup.lab.models.own import plain_name as plain_name
from localmixup.lab.models.resnet import preact_resnet18, resnet14, resnet18

MODELS = {
    "mlp": "fully connected, two hidden layers of 100, ReLU (section 5.1)",
    "mlp3-softmax": "the authors' spiral network: three hidden layers of 100; its defect: a softmax too many",
    "mlp-leaky": "C-Mixup's network for tables: fully connected, two hidden layers of 128, leaky ReLU of slope 0.1",
    "lenet5": "LeNet-5 with ReLU and max pooling: two convolutions, three dense layers",
    "lenet5-conv3": "LeNet-5 with a third convolution; on 32 x 32 pixels the same network as lenet5 (section 5.2)",
    "resnet": "ResNet-14: three stages of two residual blocks, 16, 32 and 64 channels, batch normalisation",
    "resnet18": "ResNet-18 for small images: four stages of two residual blocks, 64 to 512 channels",
    "preact-resnet18": "ResNet-18 for small images, with normalisation and ReLU before each convolution",
    "densenet-bc": "DenseNet-BC for small images: growth 12, blocks of 6, 12, 24 and 16 layers, compression 0.5",
    "mnist-cnn": "AdaMixUp's MNIST network: four convolutions of 32 channels, a dense layer of 512, dropout 0.5",
}
"""Every model by its name on the command line, with a description."""

_Builder = Callable[[tuple[int, ...], int], nn.Sequential]
_FOR_ANY_SHAPE: dict[str, _Builder] = {"mlp": mlp, "mlp3-softmax": mlp3_softmax, "mlp-leaky": mlp_leaky}
_FOR_IMAGES: dict[str, _Builder] = {
    "lenet5": lenet5,
    "lenet5-conv3": lenet5_conv3,
    "resnet": resnet14,
    "resnet18": resnet18,
    "preact-resnet18": preact_resnet18,
    "densenet-bc": densenet_bc,
    "mnist-cnn": mnist_cnn,
}


def pick_model(shape: tuple[int, ...]) -> str:
    """The model for inputs of a shape: MLP for tables and tiny images, LeNet-5 for gray images, ResNet for colour.

    >>> pick_model((64,)), pick_model((1, 28, 28)), pick_model((3, 32, 32))
    ('mlp', 'lenet5', 'resnet')
    """
    if len(shape) != 3 or min(shape[1:]) < 16:
        return "mlp"
    return "lenet5" if shape[0] == 1 else "resnet"


def choose_model(model: str | Factory | None, shape: tuple[int, ...], outputs: int) -> str:
    """Return the name of the model to train, after checking that it can be made for these data.

    Args:
        model: a key of `MODELS`; `"package.module:factory"` or a factory of the user's own, see `adopt_model`; None
            picks by the shape.
        shape: of one input.
        outputs: number of classes, or of values.

    Raises:
        ArgumentError: no such model, or one that does not suit the data.
    """
    if model is None:
        return pick_model(shape)
    if not isinstance(model, str) or is_own(model):
        return adopt_model(model, shape, outputs)
    build_model(model, shape, outputs)
    return model


def describe_model(name: str) -> str:
    """Return a model in words.

    Args:
        name: from `choose_model`.

    >>> describe_model("nets:make@3f1c9a2b7d04e8aa")
    'your own, nets:make'
    """
    return f"your own, {plain_name(name)}" if is_own(name) else MODELS[name]


def build_model(name: str, shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """A network with fresh weights from the global random state.

    Args:
        name: from `choose_model`.
        shape: of one input.
        outputs: number of classes, or of values.

    Returns:
        A model whose last child is its linear head; see the top of this file. One of the user's own may have none.

    Raises:
        ValueError: no such model, an image network for inputs that are not images or too small, or a softmax over one
            output.

    >>> import torch
    >>> model = build_model("lenet5", (1, 28, 28), outputs=10)
    >>> model[:-1](torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 84])
    """
    if is_own(name):
        return build_own(name, shape, outputs)
    if check_choice("model", name, MODELS) in _FOR_ANY_SHAPE:
        return _FOR_ANY_SHAPE[name](shape, outputs)
    if len(shape) != 3 or min(shape[1:]) < 16:
        raise ArgumentError(f"model {name!r} needs images of at least 16 x 16 pixels, got inputs of shape {shape}")
    return _FOR_IMAGES[name](shape, outputs)
