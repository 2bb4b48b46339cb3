"""`LocalMixupDataset`: Local Mixup for `model.fit`, as triples `(x, y, sample_weight)` of NumPy arrays.

Keras is imported when `LocalMixupDataset` is first accessed. Any of its backends works, since it only receives NumPy
arrays.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from localmixup._batch import MixedBatch, MixPlan
from localmixup._mixup import LocalMixup
from localmixup._optional import require
from localmixup._random import seeded_generator
from localmixup._validate import ArgumentError, check_flag, check_integer, check_number, refuse_unknown
from localmixup.graphs import LocalityGraph
from localmixup.integrations._counts import PairCounts, WorkerNotice
from localmixup.integrations._keras_arrays import (
    check_arrays,
    check_pasted,
    check_sample_weight,
    dense_array,
    keras_triple,
    mixable_targets,
    pasted,
)
from localmixup.integrations._recipe import own_recipe, refuse_settings

if TYPE_CHECKING:
    from typing import Never

_ARGUMENTS = (
    "x", "y", "graph", "recipe", "num_classes", "batch_size", "shuffle", "seed", "sample_weight", "mixup_alpha", "prob",
    "per_sample", "pairing", "outside", "cutmix_prob", "workers", "use_multiprocessing", "max_queue_size",
)  # fmt: skip
_SIMILAR = {"alpha": "mixup_alpha", "class_weight": "sample_weight", "metric": "graph", "radius": "graph"}


class _MixedBatches:
    """Mixed batches of a data set, new ones in each epoch: a `keras.utils.PyDataset` for `model.fit`.

    Keras computes `sum(w l) / n`. The sample weights are therefore multiplied by `n / sum(w)`, which gives the weighted
    mean of eq. (3). Since they are passed beside the targets, any loss works, including binary cross-entropy. The
    targets are mixed: for cross-entropies this equals mixing the losses, and for a squared error it does so up to a
    constant. Pass validation data to `fit` as usual.

    Args:
        x: inputs, shape `(m, ...)`, or a tuple, list or dict of such arrays; floating point.
        y: class indices, shape `(m,)` or `(m, 1)`, together with `num_classes`; or one-hot, soft or multi-label targets
            or values to regress, shape `(m, ...)`, floating point or only 0 and 1; or a tuple, list or dict of such for
            a model with several outputs.
        graph: how much a pair counts, from `localmixup.graphs`.
        recipe: a whole recipe instead of `graph`, `mixup_alpha`, `prob`, `per_sample`, `pairing` and `outside`: a
            `LocalMixup`, its configuration, or the path of `local_mixup.json`, which the commands write. A `LocalMixup`
            is copied, in `.eval()` mode too, in which nothing is mixed: later changes of it are not followed.
        num_classes: number of classes of class indices. They become one-hot, so the loss must be
            `"categorical_crossentropy"`, not the sparse one. With several outputs: a number for all that hold class
            indices, or a dict, tuple or list with one entry per output, None for those that hold none.
        batch_size: samples per batch; the last batch may be smaller.
        shuffle: draw a new order in each epoch.
        seed: seed of the order and the mixing, an integer >= 0. The same seed gives the same epochs with any number of
            workers. If None, one is drawn, from the generator of the recipe if it has one.
        sample_weight: weights of the samples, shape `(m,)`, >= 0. The two labels of a mixed sample count with the
            weights of their own rows, exactly for cross-entropies. In place of `class_weight` of `fit`, which Keras
            refuses beside weights, give `np.take(class_weights, y)`.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`, > 0.
        prob: share of the samples that are mixed at all.
        per_sample: draw one `lam` per sample instead of one per batch.
        pairing: how partners are chosen, see `LocalMixup`.
        outside: `"discard"`, a pair counts its weight; `"unmix"`, a sample stays unmixed with probability 1 - W, and
            all samples have weight 1.
        cutmix_prob: share of the batches, in [0, 1], in which boxes are pasted instead of images mixed (CutMix). Images
            have the layout of `keras.config.image_data_format()`. Targets of three or more dimensions are masks of the
            height and width of the images, with or without channels, and get the same boxes.
        workers: see `keras.utils.PyDataset`.
        use_multiprocessing: see `keras.utils.PyDataset`.
        max_queue_size: see `keras.utils.PyDataset`.

    Raises:
        ValueError: an argument is unknown or out of range, or the arrays differ in their first dimension.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        graph: LocalityGraph | None = None,
        *,
        recipe: Any = None,
        num_classes: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        sample_weight: Any = None,
        mixup_alpha: float | None = None,
        prob: float | None = None,
        per_sample: bool | None = None,
        pairing: str | None = None,
        outside: str = "discard",
        cutmix_prob: float = 0.0,
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
        **unknown: Never,
    ) -> None:
        refuse_unknown("LocalMixupDataset", unknown, _ARGUMENTS, _SIMILAR)
        super().__init__(  # type: ignore[call-arg]
            workers=workers, use_multiprocessing=use_multiprocessing, max_queue_size=max_queue_size
        )
        settings: dict[str, Any] = {
            "graph": graph,
            "mixup_alpha": mixup_alpha,
            "prob": prob,
            "per_sample": per_sample,
            "pairing": pairing,
            "outside": outside,
        }
        if recipe is None:
            self.mix = LocalMixup(**settings)
        else:
            refuse_settings(settings, _MixedBatches)
            self.mix = own_recipe(recipe)
        self.x = tree_map(lambda array: dense_array(array, "x"), x)
        self.y, self._classes = mixable_targets(y, num_classes)
        self._m = check_arrays(tree_leaves(self.x), tree_leaves(self.y))
        self.sample_weight = check_sample_weight(sample_weight, self._m)
        self.batch_size = check_integer("batch_size", batch_size, low=1)
        self.shuffle = check_flag("shuffle", shuffle)
        self.cutmix_prob = check_number("cutmix_prob", cutmix_prob, low=0, high=1)
        self._last = False
        if self.cutmix_prob:
            self._last = require("keras", extra="keras").config.image_data_format() == "channels_last"
            check_pasted(tree_leaves(self.x), tree_leaves(self.y), self._last)
            if self.sample_weight is not None and any(target.ndim > 2 for target in tree_leaves(self.y)):
                raise ArgumentError(
                    "sample_weight must be None for masks with cutmix_prob > 0, whose pixels come from two samples"
                )
        self.seed = _drawn_seed(self.mix.generator) if seed is None else seed
        self.mix.generator = None  # each batch has its own
        check_integer("seed", self.seed, low=0)
        self.epoch = 0
        self._counts = PairCounts(workers=use_multiprocessing)
        self._notice = WorkerNotice() if use_multiprocessing else None
        self._order = self._new_order()

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return -(-self._m // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        """Return one batch of the epoch.

        Args:
            index: number of the batch, from 0.

        Returns:
            Mixed inputs, mixed targets, and weights, shape `(n,)`, or `(n, 1, ...)` for targets of three or more
            dimensions, whose mean is 1 (0 if no sample counts) unless there are weights of the samples. With several
            outputs, the weights of each.
        """
        batch, plan, rows = self._draw(index)
        self._counts.add_plan(plan)
        own = None if self.sample_weight is None else torch.from_numpy(self.sample_weight[rows])
        targets, weights = keras_triple(batch, plan, self._classes, own)
        return tree_map(Tensor.numpy, batch.inputs), targets, weights

    def mixed_batch(self, index: int) -> MixedBatch:
        """Return one batch as PyTorch tensors, with both sets of targets and the weights W.

        Args:
            index: number of the batch, from 0.

        Raises:
            IndexError: there is no such batch.
        """
        return self._draw(index)[0]

    def counted(self) -> dict[str, float]:
        """Return how much the pairs counted since the last call.

        To see it beside the loss of each epoch, pass to `fit`
        `callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(data.counted()))]`.

        Returns:
            `mean_weight`, the mean weight W of the samples, and `mixed_share`, the share of the counted ones that were
            mixed. A mean weight near 0 means that the graph keeps hardly any pair.

        Raises:
            ValueError: no batch was drawn since the last call, neither in this process nor in its workers.
        """
        return self._counts.take()

    def _draw(self, index: int) -> tuple[MixedBatch, MixPlan, Any]:
        """Return one batch, the plan that it was mixed by, and the rows of the data that are in it."""
        if not 0 <= index < len(self):
            raise IndexError(f"index must be >= 0 and < {len(self)}, got {index}")
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        x, y = (tree_map(lambda array: torch.from_numpy(array[rows]), arrays) for arrays in (self.x, self.y))
        # one generator per batch, because workers may ask for batches in any order or at the same time
        mix = copy.copy(self.mix)
        mix.generator = seeded_generator(self.seed, self.epoch, index + 1)
        plan = mix.plan(x, y) if self._notice is None else self._notice.plan(mix, x, y)
        if not self.cutmix_prob or float(torch.rand(1, generator=mix.generator)) >= self.cutmix_prob:
            return plan.apply(x, y), plan, rows
        return pasted(plan, x, y, self._last, mix.generator), plan, rows

    def on_epoch_end(self) -> None:
        """Start the next epoch, with a new order and new partners. Keras calls this."""
        self.epoch += 1
        self._order = self._new_order()

    def _new_order(self) -> Any:
        if not self.shuffle:
            return np.arange(self._m)
        return np.random.default_rng([self.seed, self.epoch, 0]).permutation(self._m)


def _drawn_seed(generator: torch.Generator | None) -> int:
    """Return a seed that is drawn from the generator, or from the operating system if there is none."""
    if generator is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(torch.randint(2**31, (1,), device=generator.device, generator=generator))


if TYPE_CHECKING:

    class LocalMixupDataset(_MixedBatches):
        """See `_MixedBatches`."""


def __getattr__(name: str) -> Any:
    """Create `LocalMixupDataset` when it is first accessed."""
    if name != "LocalMixupDataset":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    keras = require("keras", extra="keras")
    members = {"__module__": __name__, "__doc__": _MixedBatches.__doc__}
    globals()[name] = made = type(name, (_MixedBatches, keras.utils.PyDataset), members)
    return made
