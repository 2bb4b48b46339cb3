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

from localmixup._batch import MixedBatch
from localmixup._mixup import LocalMixup
from localmixup._optional import require
from localmixup._random import seeded_generator
from localmixup._validate import ArgumentError, check_flag, check_integer
from localmixup.graphs import LocalityGraph
from localmixup.integrations._recipe import settings_of_recipe
from localmixup.integrations._targets import relative_weights


class _MixedBatches:
    """Mixed batches of a data set, new ones in each epoch: a `keras.utils.PyDataset` for `model.fit`.

    Keras computes `sum(w l) / n`. The sample weights are therefore multiplied by `n / sum(w)`, which gives the weighted
    mean of eq. (3). Since they are passed beside the targets, any loss works, including binary cross-entropy. The
    targets are mixed: for cross-entropies this equals mixing the losses, and for a squared error it does so up to a
    constant. Pass validation data to `fit` as usual.

    Args:
        x: inputs, shape `(m, ...)`, or a tuple, list or dict of such arrays; floating point.
        y: class indices, shape `(m,)`, together with `num_classes`; or one-hot, soft or multi-label targets or values
            to regress, shape `(m, ...)`.
        graph: how much a pair counts, from `localmixup.graphs`.
        recipe: a whole recipe instead of `graph`, `mixup_alpha`, `prob`, `per_sample`, `pairing` and `outside`: a
            `LocalMixup`, its configuration, or the path of `local_mixup.json`, which the commands write.
        num_classes: number of classes if `y` holds class indices. They become one-hot, so the loss must be
            `"categorical_crossentropy"`, not the sparse one.
        batch_size: samples per batch; the last batch may be smaller.
        shuffle: draw a new order in each epoch.
        seed: seed of the order and the mixing, an integer >= 0. The same seed gives the same epochs with any number of
            workers. If None, one is drawn.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`, > 0.
        prob: share of the samples that are mixed at all.
        per_sample: draw one `lam` per sample instead of one per batch.
        pairing: how partners are chosen, see `LocalMixup`.
        outside: `"discard"`, a pair counts its weight; `"unmix"`, a sample stays unmixed with probability 1 - W, and
            all samples have weight 1.
        workers: see `keras.utils.PyDataset`.
        use_multiprocessing: see `keras.utils.PyDataset`.
        max_queue_size: see `keras.utils.PyDataset`.

    Raises:
        ValueError: an argument is out of range, or the arrays differ in their first dimension.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        graph: LocalityGraph | None = None,
        *,
        recipe: Any = None,
        num_classes: int | None = None,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        mixup_alpha: float | None = None,
        prob: float | None = None,
        per_sample: bool | None = None,
        pairing: str | None = None,
        outside: str = "discard",
        workers: int = 1,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
    ) -> None:
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
        self.mix = LocalMixup(**settings_of_recipe(recipe, settings, _MixedBatches))
        self.x = tree_map(np.asarray, x)
        self._classes = None if num_classes is None else check_integer("num_classes", num_classes, low=1)
        self.y = _mixable_targets(np.asarray(y), self._classes)
        _check_arrays(tree_leaves(self.x), self.y)
        self.batch_size = check_integer("batch_size", batch_size, low=1)
        self.shuffle = check_flag("shuffle", shuffle)
        self.seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        check_integer("seed", self.seed, low=0)
        self.epoch = 0
        self._order = self._new_order()

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return -(-len(self.y) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        """Return one batch of the epoch.

        Args:
            index: number of the batch, from 0.

        Returns:
            Mixed inputs, mixed targets and weights, shape `(n,)`, whose mean is 1 (0 if no sample counts).
        """
        batch = self.mixed_batch(index)
        weights = relative_weights(batch.weights).float()
        return tree_map(Tensor.numpy, batch.inputs), batch.soft_targets(self._classes).numpy(), weights.numpy()

    def mixed_batch(self, index: int) -> MixedBatch:
        """Return one batch as PyTorch tensors, with both sets of targets and the weights W.

        Args:
            index: number of the batch, from 0.

        Raises:
            IndexError: there is no such batch.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"index must be >= 0 and < {len(self)}, got {index}")
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        x = tree_map(lambda array: torch.from_numpy(array[rows]), self.x)
        # one generator per batch, because workers may ask for batches in any order or at the same time
        mix = copy.copy(self.mix)
        mix.generator = seeded_generator(self.seed, self.epoch, index + 1)
        return mix(x, torch.from_numpy(self.y[rows]))

    def on_epoch_end(self) -> None:
        """Start the next epoch, with a new order and new partners. Keras calls this."""
        self.epoch += 1
        self._order = self._new_order()

    def _new_order(self) -> Any:
        if not self.shuffle:
            return np.arange(len(self.y))
        return np.random.default_rng([self.seed, self.epoch, 0]).permutation(len(self.y))


def _mixable_targets(y: Any, num_classes: int | None) -> Any:
    """Return class indices as int64 and all other targets as floating point numbers."""
    if num_classes is not None:
        if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
            raise ArgumentError(
                f"y must hold class indices of shape (m,) if num_classes is given, got {y.dtype} of shape {y.shape}"
            )
        if len(y) and not 0 <= y.min() <= y.max() < num_classes:
            raise ArgumentError(
                f"num_classes={num_classes} allows classes 0 to {num_classes - 1}, got {y.min()} to {y.max()}"
            )
        return y.astype(np.int64)
    if np.issubdtype(y.dtype, np.floating):
        return y
    if y.ndim < 2:
        raise ArgumentError(
            f"num_classes must be given for class indices, got None and y of {y.dtype} "
            "(values to regress and binary labels must be floating point)"
        )
    return y.astype(np.float32)


def _check_arrays(inputs: list[Any], y: Any) -> None:
    sizes = {array.shape[:1] for array in (*inputs, y)}
    if len(sizes) != 1 or sizes == {()}:
        shapes = ", ".join(str(array.shape) for array in (*inputs, y))
        raise ArgumentError(f"x and y must have the same first dimension, got shapes {shapes}")
    for array in inputs:
        if not np.issubdtype(array.dtype, np.floating):
            raise ArgumentError(f"x must be floating point to be mixed, got {array.dtype}: use .astype('float32')")


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
