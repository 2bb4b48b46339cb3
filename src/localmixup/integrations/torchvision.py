"""`LocalMixupTransform` and `LocalCutMixTransform`, called like torchvision's `v2.MixUp` and `v2.CutMix`.

torchvision is not imported. Its classes are recognised by the name of the module that defines them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.data import default_collate, get_worker_info

from localmixup._batch import MixedBatch, MixPlan
from localmixup._inputs import batch_size
from localmixup._interpolate import check_dense, check_mixable
from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError, check_integer, check_number
from localmixup.extras.cutmix import cutmix
from localmixup.graphs import LocalityGraph
from localmixup.integrations._counts import PairCounts, WorkerNotice
from localmixup.integrations._recipe import own_recipe, refuse_settings
from localmixup.integrations._targets import (
    check_carries_weights,
    floating_labels,
    needs_weights,
    weighted_targets,
)

LabelsGetter = Callable[[Any], Any]


class LocalMixupTransform(nn.Module):
    """Local Mixup in place of `v2.MixUp`: `images, labels = transform(images, labels)`.

    The returned labels are soft, and row i is multiplied by `n w_i / sum(w)`. With an unchanged
    `F.cross_entropy(outputs, labels)` this is exactly the weighted mean of eq. (3). Binary cross-entropy cannot use
    weights in this form; `check_loss` detects that.

    As there, the partner is the sample before in the batch, so shuffle the data. Differences: anything that is not an
    image is left alone wherever it stands, and labels may come before the images; in `.eval()` mode, in which
    `v2.MixUp` still mixes, images are returned unmixed, with one-hot labels without weights.

    Args:
        graph: how much a pair counts, from `localmixup.graphs`.
        recipe: a whole recipe instead of `graph`, `alpha`, `prob`, `per_sample`, `pairing` and `outside`: a
            `LocalMixup`, its configuration, or the path of `local_mixup.json`, which the commands write. A `LocalMixup`
            is copied, in `.eval()` mode too, in which nothing is mixed: later changes of it are not followed.
        alpha: `lam ~ Beta(alpha, alpha)`, > 0.
        num_classes: number of classes; None if the labels are one-hot or soft already.
        labels_getter: where the labels are. `"default"`: the second of several inputs, or, in a dict (which may be that
            second input), the value whose key is "labels" or otherwise contains "label", in any case of letters.
            Alternatively a function that takes the inputs and returns the tensor of labels in them.
        prob: share of the samples that are mixed at all.
        per_sample: draw one `lam` per sample instead of one per batch.
        pairing: how partners are chosen, see `LocalMixup`. Default with a graph: `"roll"`.
        outside: `"discard"`, a pair counts its weight; `"unmix"`, a sample stays unmixed with probability 1 - W, and
            all samples have weight 1, so that any loss works.
        label_smoothing: share of each label that is spread over all classes, in [0, 1]. Smooth here instead of in the
            loss, which would add a term without the weight.
        generator: source of all draws; DataLoader workers derive their own generators from it. Default: that of the
            recipe, or PyTorch's.

    Raises:
        ValueError: an argument is out of range.

    >>> from localmixup import ThresholdGraph
    >>> generator = torch.Generator().manual_seed(0)
    >>> transform = LocalMixupTransform(ThresholdGraph(radius=2.0), num_classes=2, generator=generator)
    >>> images, labels = transform(torch.tensor([0.0, 1.0, 9.0]).view(3, 1, 1, 1), torch.tensor([0, 1, 1]))
    >>> labels.sum(dim=1)  # only the second sample has a near partner
    tensor([0., 3., 0.])
    """

    def __init__(
        self,
        graph: LocalityGraph | None = None,
        *,
        recipe: Any = None,
        alpha: float | None = None,
        num_classes: int | None = None,
        labels_getter: LabelsGetter | str | None = "default",
        prob: float | None = None,
        per_sample: bool | None = None,
        pairing: str | None = None,
        outside: str = "discard",
        label_smoothing: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.label_smoothing = check_number("label_smoothing", label_smoothing, low=0, high=1)
        if alpha is not None and check_number("alpha", alpha, low=-math.inf) <= 0:
            raise ArgumentError(f"alpha must be > 0 (for vanilla training use prob=0 or IdentityGraph()), got {alpha}")
        self.num_classes = None if num_classes is None else check_integer("num_classes", num_classes, low=1)
        if labels_getter != "default" and not callable(labels_getter):
            reason = "; without labels nothing can carry the weights" if labels_getter is None else ""
            raise ArgumentError(f"labels_getter must be 'default' or a callable, got {labels_getter!r}{reason}")
        self._labels_getter: LabelsGetter = labels_getter if callable(labels_getter) else find_labels
        settings: dict[str, Any] = {
            "graph": graph,
            "alpha": alpha,
            "prob": prob,
            "per_sample": per_sample,
            "pairing": pairing,
            "outside": outside,
        }
        if recipe is None:
            settings["mixup_alpha"] = settings.pop("alpha")
            if graph is not None and pairing is None:
                settings["pairing"] = "roll"
            self.mixup = LocalMixup(**settings, generator=generator)
        else:
            refuse_settings(settings, LocalMixupTransform)
            self.mixup = own_recipe(recipe, generator)
        self.alpha = self.mixup.mixup_alpha
        self._counts, self._notice = PairCounts(workers=True), WorkerNotice()

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return f"alpha={self.alpha:g}, num_classes={self.num_classes}"

    def forward(self, *inputs: Any) -> Any:
        """Mix a batch. The arguments are not changed.

        Args:
            *inputs: images and labels, or one or more tuples, lists or dicts that hold them, possibly nested. The
                images are all `tv_tensors.Image` and `Video`, or, if there are none, the first plain tensor that is not
                the labels: floating point, shape `(n, c, h, w)`, or `(n, t, c, h, w)` for a `Video`. Labels are class
                indices, shape `(n,)`, or one-hot or soft labels, shape `(n, c)`.

        Returns:
            The same structure and types, with mixed images and labels of shape `(n, c)`; everything else unchanged.

        Raises:
            ValueError: no labels are found, or images or labels are not as described.
        """
        structure = inputs if len(inputs) > 1 else inputs[0]
        leaves, spec = tree_flatten(structure)
        _refuse_unmixable(leaves)
        labels = self._labels_getter(structure)
        classes = self._classes(labels)
        at_labels = [i for i, leaf in enumerate(leaves) if leaf is labels]
        if not at_labels:
            raise ArgumentError("labels_getter must return a tensor from the inputs, got a different one")
        at_images = _where_images(leaves, labels)
        images = tuple(_plain_image(leaves[i], len(classes)) for i in at_images)
        batch_size(images, classes, None)  # names what cannot be mixed
        plan = self._plan(images[0] if len(images) == 1 else images, classes)
        self._counts.add_plan(plan)
        batch = self._made_by(plan, images, classes)
        for i, mixed in zip(at_images, batch.inputs, strict=True):
            leaves[i] = mixed.as_subclass(type(leaves[i]))
        num_classes = self.num_classes if classes.ndim == 1 else classes.shape[1]
        assert num_classes is not None
        soft = weighted_targets(batch, num_classes, label_smoothing=self.label_smoothing)
        for i in at_labels:
            leaves[i] = soft
        return tree_unflatten(leaves, spec)

    def _plan(self, images: Any, classes: Tensor) -> MixPlan:
        worker = get_worker_info()
        if worker is None:
            return self.mixup.plan(images, classes)
        return self._notice.plan(self.mixup, images, classes, quiet=worker.id > 0)

    def _made_by(self, plan: MixPlan, images: tuple[Tensor, ...], classes: Tensor) -> MixedBatch:
        return plan.apply(images, classes)

    def counted(self) -> dict[str, float]:
        """Return how much the pairs counted since the last call, for the log of an epoch.

        Returns:
            `mean_weight`, the mean weight of the samples, and `mixed_share`, the share of the counted ones that were
            mixed. A mean weight near 0 means that the graph keeps hardly any pair.

        Raises:
            ValueError: nothing was mixed since the last call, neither in this process nor in its DataLoader workers.
        """
        return self._counts.take()

    def collate_fn(self, samples: list[Any]) -> Any:
        """Collate samples and mix them: `DataLoader(data, collate_fn=transform.collate_fn)`, also in workers.

        Args:
            samples: what the data set returns, `(image, label)` pairs or dicts.
        """
        return self(default_collate(samples))

    def check_loss(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Check by trial that a loss respects the weights. With `outside="unmix"` or `pairing="neighbors"` any passes.

        Args:
            loss: called with scores and soft labels, shape `(n, c)` each; returns a scalar.

        Raises:
            ValueError: it does not, for example because it is binary cross-entropy.
        """
        if needs_weights(self.mixup):
            check_carries_weights(loss, self.num_classes or 3, f"use label_smoothing of {type(self).__name__}")

    def _classes(self, labels: Any) -> Tensor:
        """Return labels as class indices, shape `(n,)`, or probabilities, shape `(n, c)`."""
        if not isinstance(labels, Tensor):
            raise ArgumentError(f"labels must be a tensor, got {type(labels).__name__}")
        check_dense(labels, "labels")
        if labels.ndim not in (1, 2):
            raise ArgumentError(
                "labels must be class indices of shape (n,) or probabilities of shape (n, num_classes), "
                f"but got a tensor of shape {tuple(labels.shape)}"
            )
        if labels.ndim == 2:
            if self.num_classes not in (None, labels.shape[1]):
                raise ArgumentError(
                    f"labels of shape (n, c) must have c = num_classes = {self.num_classes}, "
                    f"got shape {tuple(labels.shape)} (num_classes may be None for such labels)"
                )
            return floating_labels(labels, "labels", torch.float32)
        if labels.is_floating_point():
            raise ArgumentError(f"labels of shape (n,) must be class indices, got {labels.dtype}")
        if self.num_classes is None:
            raise ArgumentError("num_classes must be given for labels that are class indices, got None")
        return labels.long()


class LocalCutMixTransform(LocalMixupTransform):
    """Local CutMix in place of `v2.CutMix`: a box of the partner is pasted, and the pair counts what the graph says.

    Arguments and differences are those of `LocalMixupTransform`. Unlike in `v2.CutMix` each sample has a box of its
    own, in the place that `v2.CutMix` would draw, and a box of odd side keeps its last row and column. All images of a
    structure get the same boxes and must have the same height and width.

    >>> from localmixup import CompleteGraph
    >>> transform = LocalCutMixTransform(CompleteGraph(), num_classes=2, generator=torch.Generator().manual_seed(1))
    >>> images = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    >>> pasted, labels = transform(images, torch.tensor([0, 1]))
    >>> bool((labels[:, 1] == pasted.mean(dim=(1, 2, 3))).all())  # a label is the share of the area
    True
    """

    def _made_by(self, plan: MixPlan, images: tuple[Tensor, ...], classes: Tensor) -> MixedBatch:
        itself = torch.arange(len(classes), device=plan.partner.device)
        # a sample that is its own partner shows no box
        plan = plan._replace(lam=torch.where(plan.partner == itself, 1.0, plan.lam))
        return cutmix(plan, images, classes, self.mixup._random(plan.partner.device)[0])


def find_labels(inputs: Any) -> Any:
    """Return the labels by torchvision's rule, see `labels_getter`.

    Args:
        inputs: a dict that holds the labels, or a tuple or list whose second item is the labels or such a dict.

    Raises:
        ValueError: there is neither a dict nor a tensor as second item, or no key of the dict contains "label".

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
    """Return the name of the torchvision class of a value, such as "Image"; empty for other values."""
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
                f"LocalMixupTransform does not support PIL images, bounding boxes, masks and key points, got a {kind} "
                "(localmixup.cutmix_masks pastes masks)"
            )


def _where_images(leaves: list[Any], labels: Tensor) -> list[int]:
    """Return the indices of what is mixed: all images and videos of torchvision, or the first plain tensor."""
    typed = [i for i, leaf in enumerate(leaves) if _torchvision_kind(leaf)]
    plain = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf is not labels]
    if not plain:
        raise ArgumentError("inputs must hold a batch of images in addition to the labels, got no other tensor")
    return typed or plain[:1]


def _plain_image(image: Tensor, n: int) -> Tensor:
    check_mixable(image, "images")
    video = _torchvision_kind(image) == "Video"
    if image.ndim != (5 if video else 4):
        raise ArgumentError(
            "images must be a batch with 4 dimensions (n, c, h, w), or 5 (n, t, c, h, w) for tv_tensors.Video, "
            f"got a {'video' if video else 'tensor'} of shape {tuple(image.shape)}"
        )
    if image.shape[0] != n:
        raise ArgumentError(f"images and labels must have the same batch size, got {image.shape[0]} and {n}")
    return image.as_subclass(Tensor)
