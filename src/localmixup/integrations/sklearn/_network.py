"""The network behind the estimators and its training on tensors, without scikit-learn.

Every draw comes from a generator that is passed in; the global random state is neither read nor changed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from localmixup._mixup import LocalMixup
from localmixup.integrations._counts import PairCounts

Criterion = Callable[[Tensor, Tensor], Tensor]
"""Maps outputs `(n, q)` and targets to one loss per sample, shape `(n,)`."""

_BLOCK_ROWS = 65_536  # rows that pass through the network at once outside training
_WORTH_THREADS = 2**24  # multiplications in the largest layer of one step: about a millisecond


class TrainingRows(NamedTuple):
    """A training set.

    Attributes:
        x: standardised inputs, float32, shape `(n, d)`.
        y: class indices, int64, shape `(n,)`, or standardised values, float32, shape `(n, q)`.
        sample_weight: how much each row counts, with mean 1, float32, shape `(n,)`.
    """

    x: Tensor
    y: Tensor
    sample_weight: Tensor

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def take(self, rows: Tensor) -> TrainingRows:
        """Return some of the rows, in the order of their indices `rows`."""
        return TrainingRows(*(tensor[rows] for tensor in self))


def distinct_rows(x: Any, targets: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Merge rows that are equal in input and target, and sort the rows by their values.

    A merged row has the sum of the weights. A row of weight 2 and a row that occurs twice are therefore the same
    training set, to the last bit, and the order of the rows does not matter.

    Args:
        x: inputs, float64, shape `(n, d)`.
        targets: shape `(n,)` or `(n, q)`.
        sample_weight: > 0, shape `(n,)`.

    Returns:
        Inputs, targets and weights of the `m <= n` distinct rows; the weights have mean 1.

    >>> x, y, w = distinct_rows(np.array([[2.0], [5.0], [2.0]]), np.array([0, 1, 0]), np.ones(3))
    >>> x.tolist(), y.tolist(), [round(v, 4) for v in w.tolist()]
    ([[2.0], [5.0]], [0, 1], [1.3333, 0.6667])
    """
    both = np.column_stack([x, targets]).astype(np.float64) + 0.0  # turns -0.0 into 0.0
    as_bytes = np.ascontiguousarray(both).view(f"V{both.itemsize * both.shape[1]}").ravel()
    _, first, place = np.unique(as_bytes, return_index=True, return_inverse=True)
    total = np.bincount(place, weights=sample_weight)
    return x[first] + 0.0, targets[first], total / total.mean()


def make_network(sizes: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Return linear layers with ReLU between them, initialised as in scikit-learn (Glorot uniform, biases too).

    Args:
        sizes: number of inputs, of units in each hidden layer, and of outputs.
        generator: source of the draws.

    >>> make_network([2, 3, 1], torch.Generator().manual_seed(0))[0].weight.shape
    torch.Size([3, 2])
    """
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layer = nn.Linear(n_in, n_out, device="meta").to_empty(device="cpu")
        bound = math.sqrt(6 / (n_in + n_out))
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@contextmanager
def threads_for(network: nn.Module, batch_size: int) -> Iterator[None]:
    """Use one thread for steps that are too small to be shared, and restore the number of threads at the end.

    Threads wait for each other many times in a step. With other work on the same cores, a fit on two threads took up to
    20 times as long as on one.

    Args:
        network: the network to train.
        batch_size: rows per step.
    """
    threads = torch.get_num_threads()
    largest = max(parameter.numel() for parameter in network.parameters())
    if threads == 1 or batch_size * largest > _WORTH_THREADS:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: TrainingRows,
    mix: LocalMixup,
    criterion: Criterion,
    *,
    batch_size: int,
    generator: torch.Generator,
    counts: PairCounts,
) -> None:
    """Train on all rows once, in random order, in batches whose sizes differ by at most one.

    The loss of a mixed sample is `w (lam s_i l(y_i) + (1 - lam) s_j l(y_j))`: eq. (3), with each of the two losses
    multiplied by the sample weight of the row that its target belongs to.

    Args:
        network: the network, trained in place.
        optimizer: updates the network's parameters.
        rows: the training set.
        mix: draws the plans; in `.eval()` mode nothing is mixed.
        criterion: one loss per sample.
        batch_size: largest number of rows in a batch.
        generator: source of the order.
        counts: the pairs of all batches are added to it.
    """

    def weighted(outputs: Tensor, targets: tuple[Tensor, Tensor]) -> Tensor:
        y, sample_weight = targets
        return sample_weight * criterion(outputs, y)

    # of equal size, because in a small last batch every partner would be among the nearest
    shuffled = rows.take(torch.randperm(len(rows), generator=generator))
    n_batches = math.ceil(len(rows) / batch_size)
    for x, y, sample_weight in zip(*(tensor.tensor_split(n_batches) for tensor in shuffled), strict=True):
        plan = mix.plan(x, y)
        counts.add_plan(plan)
        batch = plan.apply(x, (y, sample_weight))
        loss = batch.loss(weighted, network(batch.inputs))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def mean_loss(network: nn.Module, rows: TrainingRows, criterion: Criterion) -> float:
    """Return the mean loss of unmixed rows, weighted by their sample weights.

    Args:
        network: maps standardised inputs to outputs.
        rows: at least one row.
        criterion: one loss per sample.
    """
    total = 0.0
    with torch.inference_mode():
        for x, y, sample_weight in zip(*(torch.split(tensor, _BLOCK_ROWS) for tensor in rows), strict=True):
            total += float((sample_weight * criterion(network(x), y)).sum(dtype=torch.float64))
    return total / float(rows.sample_weight.sum(dtype=torch.float64))


def exact_outputs(network: nn.Sequential, x: Any) -> Any:
    """Return outputs computed in float64, so that those of a row do not depend on the other rows.

    Args:
        network: from `make_network`.
        x: standardised inputs, a float64 array of shape `(n, d)`.

    Returns:
        A float64 array of shape `(n, q)`.
    """
    with torch.inference_mode():
        found = []
        for hidden in torch.split(torch.from_numpy(x), _BLOCK_ROWS):
            for layer in network:
                if isinstance(layer, nn.Linear):
                    hidden = F.linear(hidden, layer.weight.double(), layer.bias.double())
                else:
                    hidden = layer(hidden)
            found.append(hidden)
        return torch.cat(found).numpy()
