"""`LocalMixupDataset`: Local Mixup for `model.fit`, as triples `(x, y, sample_weight)` of NumPy arrays.

Keras is imported when the class is first asked for, and any of its backends serves: what reaches it is NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from localmixup._batch import MixedBatch
from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError, check_integer
from localmixup.graphs.base import LocalityGraph
from localmixup.integrations._targets import shares


class _MixedBatches:
    """Batches of a data set, mixed anew each epoch: a `keras.utils.PyDataset` for `model.fit`.

    Keras computes `sum(w l) / n`; the weights are multiplied by `n / sum(w)`, so that what it trains with is the
    weighted mean of eq. (3). They stand beside the targets, so any loss serves, binary cross-entropy too. Targets are
    mixed: for cross-entropies that is mixing the losses, for a squared error it is so up to a constant. Validation
    data is given to `fit` as it is.

    Args:
        x: inputs, shape `(m, ...)`, or a tuple, list or dict of such; floating point.
        y: class indices, shape `(m,)`, with `num_classes`; or one-hot, soft or several labels, or values to regress,
            shape `(m, ...)`.
        graph: how much a pair counts, from `localmixup.graphs`.
        num_classes: for class indices, which become one-hot: use `"categorical_crossentropy"`, not the sparse one.
        batch_size: samples a batch; the last may be smaller.
        shuffle: draw a new order each epoch.
        seed: of the order and the mixing, a whole number >= 0: the same seed gives the same epochs with any number of
            workers. None draws one.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`, > 0.
        prob: share of the samples that are mixed at all.
        per_sample: draw one `lam` a sample rather than one a batch.
        pairing: who meets whom, see `LocalMixup`.
        outside: `"discard"`, a pair counts its weight; `"unmix"`, with probability 1 - W the sample stays as it is,
            and all count 1.
        **workers: `workers`, `use_multiprocessing`, `max_queue_size` of `keras.utils.PyDataset`.

    Raises:
        ValueError: an argument is out of range, or arrays are not alike in their first dimension.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        graph: LocalityGraph,
        *,
        num_classes: int | None = None,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        mixup_alpha: float = 1.0,
        prob: float = 1.0,
        per_sample: bool = False,
        pairing: str = "permutation",
        outside: str = "discard",
        **workers: Any,
    ) -> None:
        super().__init__(**workers)
        self.graph = graph
        self._settings: dict[str, Any] = {
            "mixup_alpha": mixup_alpha,
            "prob": prob,
            "per_sample": per_sample,
            "pairing": pairing,
            "outside": outside,
        }
        LocalMixup(graph, **self._settings)  # so that a mistake is told here, not from a worker
        self.x = tree_map(np.asarray, x)
        self._classes = None if num_classes is None else check_integer("num_classes", num_classes, low=1)
        self.y = _targets(np.asarray(y), num_classes)
        sizes = {a.shape[:1] for a in tree_leaves(self.x)} | {self.y.shape[:1]}
        if len(sizes) != 1 or sizes == {()}:
            shapes = ", ".join(str(a.shape) for a in [*tree_leaves(self.x), self.y])
            raise ArgumentError(f"x and y must have the same first dimension, got shapes {shapes}")
        for array in tree_leaves(self.x):
            if not np.issubdtype(array.dtype, np.floating):
                raise ArgumentError(f"x must be floating point to be mixed, got {array.dtype}: use .astype('float32')")
        self.batch_size = check_integer("batch_size", batch_size, low=1)
        self.shuffle = bool(shuffle)
        self.seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        check_integer("seed", self.seed, low=0)
        self.epoch = 0
        self._order = self._new_order()

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self.y) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        """One batch of the epoch.

        Args:
            index: which, from 0.

        Returns:
            Mixed inputs, mixed targets, and weights, shape `(n,)`, whose mean is 1 (0 where no sample counts).
        """
        batch = self.mixed_batch(index)
        weights = shares(batch.weights).float()
        return tree_map(Tensor.numpy, batch.inputs), batch.soft_targets(self._classes).numpy(), weights.numpy()

    def mixed_batch(self, index: int) -> MixedBatch:
        """The batch in PyTorch's tensors, both sets of targets and the weights W.

        Args:
            index: which, from 0.

        Raises:
            IndexError: there is no such batch.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"index must be >= 0 and < {len(self)}, got {index}")
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        # a generator of its own for each batch: workers may ask for batches in any order, or at once
        state = np.random.SeedSequence([self.seed, self.epoch, index + 1]).generate_state(1, np.uint64)[0]
        mix = LocalMixup(self.graph, **self._settings, generator=torch.Generator().manual_seed(int(state) % 2**63))
        x = tree_map(lambda array: torch.from_numpy(array[rows]), self.x)
        batch: MixedBatch = mix(x, torch.from_numpy(self.y[rows]))
        return batch

    def on_epoch_end(self) -> None:
        """Go on to the next epoch: a new order, new partners; Keras calls it."""
        self.epoch += 1
        self._order = self._new_order()

    def _new_order(self) -> Any:
        if not self.shuffle:
            return np.arange(len(self.y))
        return np.random.default_rng([self.seed, self.epoch, 0]).permutation(len(self.y))


def _targets(y: Any, num_classes: int | None) -> Any:
    """Targets that can be mixed: class indices as int64, all else as floating point."""
    if num_classes is not None:
        if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
            raise ArgumentError(
                f"y must hold class indices of shape (m,) where num_classes is given, got {y.dtype} of shape {y.shape}"
            )
        if len(y) and not 0 <= y.min() <= y.max() < num_classes:
            raise ArgumentError(
                f"num_classes={num_classes} allows classes 0 to {num_classes - 1}, got {y.min()}, {y.max()}"
            )
        return y.astype(np.int64)
    if np.issubdtype(y.dtype, np.floating):
        return y
    if y.ndim < 2:
        raise ArgumentError(
            f"num_classes must be given for class indices, got None and y of {y.dtype} "
            "(values to regress, or binary labels, must be floating point)"
        )
    return y.astype(np.float32)


if TYPE_CHECKING:

    class LocalMixupDataset(_MixedBatches):
        """See `_MixedBatches`."""


def __getattr__(name: str) -> Any:
    """`LocalMixupDataset`, made when it is first asked for."""
    if name != "LocalMixupDataset":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import keras  # type: ignore[import-untyped,unused-ignore]
    except ModuleNotFoundError as error:
        if error.name != "keras":
            raise  # Keras is there, but not the backend that it is set to
        raise ImportError("LocalMixupDataset needs Keras: pip install 'localmixup[keras]'", name="keras") from error
    members = {"__module__": __name__, "__doc__": _MixedBatches.__doc__}
    made = type(name, (_MixedBatches, keras.utils.PyDataset), members)
    globals()[name] = made
    return made
