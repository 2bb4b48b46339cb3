"""`LocalMixUp`, called as `torchvision.transforms.v2.MixUp` is: a batch of images and labels in, the same out.

torchvision is not imported. What is torchvision's is known by the module that its class comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.data import default_collate

from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError, check_integer, check_number
from localmixup.graphs.base import LocalityGraph
from localmixup.integrations._targets import check_carries_weights, weighted_targets

LabelsGetter = Callable[[Any], Any]


class LocalMixUp(nn.Module):
    """Local Mixup as `v2.MixUp`: `images, labels = LocalMixUp(graph, num_classes=10)(images, labels)`.

    The labels that come out are soft, and each row is multiplied by `n w_i / sum(w)`: through an unchanged
    `F.cross_entropy(outputs, labels)` that is exactly the weighted mean of eq. (3). Binary cross-entropy cannot carry
    the weights so; `check_loss` tells.

    What differs from `v2.MixUp`: partners are a random permutation, not the next in the batch; what is not an image
    passes untouched wherever it stands, and labels may stand before the images; in `.eval()` mode, where `v2.MixUp`
    mixes still, images pass unmixed, with labels one-hot and unweighted.

    Args:
        graph: how much a pair counts, from `localmixup.graphs`.
        alpha: `lam ~ Beta(alpha, alpha)`, > 0.
        num_classes: number of classes; None if labels are one-hot or soft already.
        labels_getter: where the labels are. `"default"`: the second of several inputs, or, of a dict (which may be
            that second input), the value whose key is "labels", else contains "label", in any case of letters.
            Or a function that takes the inputs and returns the tensor of labels in them.
        prob: share of the samples that are mixed at all.
        per_sample: draw one `lam` a sample rather than one a batch.
        pairing: who meets whom, see `LocalMixup`.
        outside: `"discard"`, a pair counts its weight; `"unmix"`, with probability 1 - W the sample stays as it is,
            and all count 1, so that any loss serves.
        generator: source of all draws; split among DataLoader workers.

    Raises:
        ValueError: an argument is out of range.

    >>> from localmixup import ThresholdGraph
    >>> mix = LocalMixUp(ThresholdGraph(radius=2.0), num_classes=2, generator=torch.Generator().manual_seed(0))
    >>> images, labels = mix(torch.tensor([0.0, 1.0, 9.0]).view(3, 1, 1, 1), torch.tensor([0, 1, 1]))
    >>> labels.sum(dim=1)  # only the second has a near partner, here itself
    tensor([0., 3., 0.])
    """

    def __init__(
        self,
        graph: LocalityGraph,
        *,
        alpha: float = 1.0,
        num_classes: int | None = None,
        labels_getter: LabelsGetter | str | None = "default",
        prob: float = 1.0,
        per_sample: bool = False,
        pairing: str = "permutation",
        outside: str = "discard",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.alpha = check_number("alpha", alpha, low=-math.inf)
        if self.alpha <= 0:
            raise ArgumentError(f"alpha must be > 0 (for vanilla training use prob=0 or IdentityGraph()), got {alpha}")
        self.num_classes = None if num_classes is None else check_integer("num_classes", num_classes, low=1)
        if labels_getter != "default" and not callable(labels_getter):
            reason = "; without labels there is nothing that could carry the weights" if labels_getter is None else ""
            raise ArgumentError(f"labels_getter must be 'default' or a callable, got {labels_getter!r}{reason}")
        self._labels_getter: LabelsGetter = labels_getter if callable(labels_getter) else find_labels
        self.mixup = LocalMixup(
            graph,
            mixup_alpha=self.alpha,
            prob=prob,
            per_sample=per_sample,
            pairing=pairing,
            outside=outside,
            generator=generator,
        )

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        return f"alpha={self.alpha:g}, num_classes={self.num_classes}"

    def forward(self, *inputs: Any) -> Any:
        """Mix a batch; nothing of the caller's is changed.

        Args:
            *inputs: images and labels, or one or more tuples, lists or dicts, nested too, that hold them. Images are
                all `tv_tensors.Image` and `Video`, or, where there is none, the first plain tensor that is not the
                labels: shape `(n, c, h, w)`, a `Video` `(n, t, c, h, w)`, floating point. Labels are class indices,
                shape `(n,)`, or one-hot or soft, shape `(n, c)`.

        Returns:
            The same structure and types, images mixed, labels of shape `(n, c)`; all else untouched.

        Raises:
            ValueError: no labels are found, or images or labels are not as above.
        """
        structure = inputs if len(inputs) > 1 else inputs[0]
        leaves, spec = tree_flatten(structure)
        _refuse_unmixable(leaves)
        labels = self._labels_getter(structure)
        classes = self._classes(labels)
        at_labels = [i for i, leaf in enumerate(leaves) if leaf is labels]
        if not at_labels:
            raise ArgumentError("labels_getter must return a tensor that is itself in the inputs, got another one")
        at_images = _where_images(leaves, labels)
        images = tuple(_plain_image(leaves[i], len(classes)) for i in at_images)
        batch = self.mixup(images[0] if len(images) == 1 else images, classes)
        for i, mixed in zip(at_images, [batch.inputs] if len(images) == 1 else batch.inputs, strict=True):
            leaves[i] = mixed.as_subclass(type(leaves[i]))
        num_classes = self.num_classes if classes.ndim == 1 else classes.shape[1]
        assert num_classes is not None
        soft = weighted_targets(batch, num_classes)
        for i in at_labels:
            leaves[i] = soft
        return tree_unflatten(leaves, spec)

    def collate_fn(self, samples: list[Any]) -> Any:
        """Collate samples and mix them: `DataLoader(data, collate_fn=mix.collate_fn)`, workers included.

        Args:
            samples: what the data set returns, `(image, label)` or a dict of such.
        """
        return self(default_collate(samples))

    def check_loss(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        """See by trial that a loss trains with the weights; with `outside="unmix"` there are none, and any loss does.

        Args:
            loss: called with scores and soft labels, shape `(n, c)` each; returns a scalar.

        Raises:
            ValueError: it does not, as binary cross-entropy.
        """
        if self.mixup.outside != "unmix":
            check_carries_weights(loss, self.num_classes or 3)

    def _classes(self, labels: Any) -> Tensor:
        """Labels as class indices, shape `(n,)`, or probabilities, shape `(n, c)`."""
        if not isinstance(labels, Tensor):
            raise ArgumentError(f"labels must be a tensor, got {type(labels).__name__}")
        if labels.ndim not in (1, 2):
            raise ArgumentError(
                "labels must be class indices of shape (n,) or probabilities of shape (n, num_classes), "
                f"but got a tensor of shape {tuple(labels.shape)}"
            )
        if labels.ndim == 2:
            if self.num_classes not in (None, labels.shape[1]):
                raise ArgumentError(
                    f"labels of shape (n, c) must have c = num_classes = {self.num_classes}, "
                    f"got shape {tuple(labels.shape)} (num_classes may be None for them)"
                )
            return labels if labels.is_floating_point() else labels.float()
        if labels.is_floating_point():
            raise ArgumentError(f"labels of shape (n,) must be class indices, got {labels.dtype}")
        if self.num_classes is None:
            raise ArgumentError("num_classes must be given for labels that are class indices, got None")
        return labels.long()


def find_labels(inputs: Any) -> Any:
    """Where the labels are by torchvision's rule, see `labels_getter`.

    Args:
        inputs: a tuple or list whose second item is the labels, or a dict that holds them; or such a dict.

    Raises:
        ValueError: there is no dict and no second item that is a tensor, or no key of the dict contains "label".

    >>> find_labels({"image": 1, "Label": 2})
    2
    """
    found = inputs[1] if isinstance(inputs, (tuple, list)) and len(inputs) > 1 else inputs
    if isinstance(found, Tensor) and not _torchvision_kind(found):
        return found
    if not isinstance(found, Mapping):
        raise ArgumentError(
            "inputs must be a dict, or a tuple whose second item is a tensor or a dict, when labels_getter='default'; "
            f"got {type(found).__name__}"
        )
    keys = [key for key in found if isinstance(key, str)]
    for key in [k for k in keys if k.lower() == "labels"] + [k for k in keys if "label" in k.lower()]:
        return found[key]
    raise ArgumentError(
        f"inputs hold no labels: no key contains 'label' among {', '.join(map(repr, found))}; "
        "give a function as labels_getter"
    )


def _torchvision_kind(value: Any) -> str:
    """Name of the class of torchvision that a value is of, such as "Image"; empty for all else."""
    for kind in type(value).__mro__:
        if kind.__module__.partition(".")[0] == "torchvision":
            return kind.__name__
    return ""


def _refuse_unmixable(leaves: list[Any]) -> None:
    for leaf in leaves:
        kind = _torchvision_kind(leaf) if isinstance(leaf, Tensor) else ""
        if any(base.__module__.partition(".")[0] == "PIL" for base in type(leaf).__mro__):
            kind = "PIL image"
        if kind not in ("", "Image", "Video"):
            raise ArgumentError(
                f"LocalMixUp does not support PIL images, bounding boxes, masks and key points, got a {kind}"
            )


def _where_images(leaves: list[Any], labels: Tensor) -> list[int]:
    """Indices of what is mixed: all images and videos of torchvision, else the first plain tensor."""
    typed = [i for i, leaf in enumerate(leaves) if _torchvision_kind(leaf)]
    plain = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf is not labels]
    if not plain:
        raise ArgumentError("inputs must hold a batch of images beside the labels, got no other tensor")
    return typed or plain[:1]


def _plain_image(image: Tensor, n: int) -> Tensor:
    video = _torchvision_kind(image) == "Video"
    if image.ndim != (5 if video else 4):
        raise ArgumentError(
            "images must be a batch with 4 dimensions (n, c, h, w), or 5 (n, t, c, h, w) for tv_tensors.Video, "
            f"got a {'video' if video else 'tensor'} of shape {tuple(image.shape)}"
        )
    if image.shape[0] != n:
        raise ArgumentError(f"images and labels must have the same batch size, got {image.shape[0]} and {n}")
    return image.as_subclass(Tensor)
