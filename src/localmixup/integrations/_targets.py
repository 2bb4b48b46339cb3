"""Weights that travel in the targets, for loops that carry inputs and soft targets only.

Soft cross-entropy, `-sum_k t_k log p_k` averaged over the batch, is linear in the target. A row multiplied by
`n w_i / sum(w)` therefore makes its mean the weighted mean `sum(w l) / sum(w)`, to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from localmixup._batch import MixedBatch
from localmixup._validate import ArgumentError


def weighted_targets(batch: MixedBatch, num_classes: int, *, label_smoothing: float = 0.0) -> Tensor:
    """Soft targets of a mixed batch, smoothed, and then each row multiplied by `n w_i / sum(w)`.

    Args:
        batch: targets are class indices, shape `(n,)`, or probabilities, shape `(n, c)`.
        num_classes: number of classes c.
        label_smoothing: share of the target that is spread over all classes, in [0, 1].

    Returns:
        Shape `(n, c)`. Its rows sum to 1 on average over the batch; all are zero where no sample counts.
    """
    targets = batch.soft_targets(num_classes)
    if label_smoothing:
        targets = (1 - label_smoothing) * targets + label_smoothing / num_classes
    return (targets * shares(batch.weights)[:, None]).to(targets.dtype)


def shares(weights: Tensor) -> Tensor:
    """Weights divided by their mean, `n w / sum(w)`; zeros stay zeros.

    Args:
        weights: shape `(n,)`.

    >>> shares(torch.tensor([1.0, 0.5, 0.0]))
    tensor([2., 1., 0.])
    """
    return len(weights) * (weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny))


def check_carries_weights(loss: Callable[[Tensor, Tensor], Tensor], num_classes: int) -> None:
    """See by trial that a loss turns weighted target rows into the weighted mean of the losses.

    Args:
        loss: called with scores and targets, shape `(n, c)` each; returns a scalar.
        num_classes: number of classes c.

    Raises:
        ValueError: it does not: binary cross-entropy, a loss that smooths its targets itself, a sum.
    """
    scores = 2 * torch.arange(2.0 * num_classes).sin().view(2, num_classes)
    targets = scores.flip(0).softmax(dim=1)
    factors = torch.tensor([[0.5], [1.5]])
    with torch.no_grad():
        carried = loss(scores, targets * factors)
        rows = torch.stack([loss(scores[i : i + 1], targets[i : i + 1]).reshape(-1) for i in range(2)])
    expected = (rows * factors).mean()
    if carried.ndim or not torch.allclose(carried, expected, rtol=1e-4):
        name = getattr(loss, "__name__", type(loss).__name__)
        raise ArgumentError(
            f"loss must be linear in the target and averaged over the batch, as soft cross-entropy is, so that weights "
            f"can travel in the rows of the target; {name} is not. Binary cross-entropy also has the term "
            f"(1 - t) log(1 - p), which a row multiplied by its weight turns into another one; label smoothing inside "
            f"the loss adds what is not weighted. Smooth before (label_smoothing of the mixup), or use "
            f"outside='unmix', where every sample counts 1 and any loss serves, or MixedBatch.loss"
        )
