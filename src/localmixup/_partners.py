"""Who is mixed with whom: the pairings of `LocalMixup`, and the draw of the mixing coefficient.

Every function draws from the generator that it is given, or from the global one of the device if that is None, and
always the same amount, whatever the graph: so that graphs can be compared on the same draws.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from localmixup._shapes import Float, Int
from localmixup._validate import ArgumentError

PAIRINGS = ("permutation", "flip", "within_class", "between_class", "neighbors")


def draw_lam(
    count: int, mixup_alpha: float, *, dtype: torch.dtype, device: torch.device, generator: torch.Generator | None
) -> Float[Tensor, "k"]:
    """Draw mixing coefficients from `Beta(mixup_alpha, mixup_alpha)` (definition 2.1).

    Args:
        count: how many.
        mixup_alpha: the parameter of the Beta distribution, > 0; `inf` gives 1/2.
        dtype: of the result.
        device: of the result; also of the generator, where one is given.
        generator: source of the draws.

    Returns:
        Coefficients in [0, 1], shape `(count,)`.
    """
    if mixup_alpha == 1:
        return torch.rand(count, dtype=dtype, device=device, generator=generator)
    if mixup_alpha == math.inf:
        return torch.full((count,), 0.5, dtype=dtype, device=device)
    # Beta as a ratio of Gammas, G(a) = G(a + 1) U^(1/a), in logarithms: for a small `mixup_alpha` both Gammas underflow
    shape = torch.full((2, count), mixup_alpha + 1, dtype=torch.float64, device=device)
    gammas = torch._standard_gamma(shape, generator=generator)
    uniform = torch.rand(2, count, dtype=torch.float64, device=device, generator=generator)
    logs = gammas.log() + torch.log1p(-uniform) / mixup_alpha
    return torch.sigmoid(logs[0] - logs[1]).to(dtype)


def permutation(n: int, *, device: torch.device, generator: torch.Generator | None) -> Int[Tensor, "n"]:
    """A uniformly random permutation, as in the paper; a sample may meet itself."""
    return torch.randperm(n, device=device, generator=generator)


def flip(n: int, *, device: torch.device) -> Int[Tensor, "n"]:
    """Sample i with sample n - 1 - i; nothing is drawn."""
    return torch.arange(n - 1, -1, -1, device=device)


def classes_of(targets: Tensor | None, n: int) -> Int[Tensor, "n"]:
    """The class of every sample, from class indices or from one-hot or soft labels.

    Args:
        targets: class indices, shape `(n,)` or `(n, 1)`, or probabilities, shape `(n, c)`.
        n: number of samples.

    Raises:
        ValueError: there are no targets, or they do not say one class a sample.

    >>> classes_of(torch.tensor([[0.0, 1.0], [0.9, 0.1]]), 2)
    tensor([1, 0])
    """
    allowed = (
        "pairing by class needs targets that hold one class a sample: indices of shape (n,) or probabilities (n, c)"
    )
    if not isinstance(targets, Tensor):
        raise ArgumentError(f"{allowed}, got {type(targets).__name__}")
    if targets.ndim == 2 and targets.shape == (n, 1) and not targets.is_floating_point():
        targets = targets[:, 0]
    if targets.ndim == 1 and not targets.is_floating_point() and len(targets) == n:
        return targets.long()
    if targets.ndim == 2 and len(targets) == n and targets.shape[1] > 1:
        rows = targets.float()
        if torch.compiler.is_compiling() or bool(((rows.sum(1) - 1).abs() < 1e-3).all() and (rows >= 0).all()):
            return rows.argmax(dim=1)
        raise ArgumentError(f"{allowed}, got rows that do not sum to 1 (several labels a sample?)")
    raise ArgumentError(f"{allowed}, got {targets.dtype} of shape {tuple(targets.shape)}")


def within_class(classes: Int[Tensor, "n"], *, generator: torch.Generator | None) -> Int[Tensor, "n"]:
    """A partner of the same class, uniform among the others of the class; a class of one sample meets itself.

    Args:
        classes: class of each sample, shape `(n,)`.
        generator: source of the draws.
    """
    order, start, size, position = _by_class(classes, generator)
    # in the random order within the class each sample takes the next one, the last the first
    following = start + (position - start + 1) % size
    return torch.empty_like(order).scatter_(0, order, order[following])


def between_class(classes: Int[Tensor, "n"], *, generator: torch.Generator | None) -> Int[Tensor, "n"]:
    """A partner of another class, uniform among those; where there is one class only, the sample itself.

    Args:
        classes: class of each sample, shape `(n,)`.
        generator: source of the draws.
    """
    n = len(classes)
    order, start, size, _ = _by_class(classes, generator)
    uniform = torch.rand(n, device=classes.device, generator=generator, dtype=torch.float64)
    # sorted by class, and taken round in a ring, all other classes stand behind one's own
    steps = (uniform * (n - size)).long().clamp_max((n - size - 1).clamp_min(0))
    chosen = order[(start + size + steps) % n]
    return torch.empty_like(order).scatter_(0, order, torch.where(size < n, chosen, order))


def neighbors(weights: Float[Tensor, "n n"], *, generator: torch.Generator | None) -> Int[Tensor, "n"]:
    """A partner drawn with probability proportional to the row of W, the sample itself included.

    Args:
        weights: W, ones on the diagonal, shape `(n, n)`.
        generator: source of the draws.
    """
    return torch.multinomial(weights, 1, generator=generator).squeeze(1)


def _by_class(classes: Int[Tensor, "n"], generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Samples in random order within their class, and for each place there the start and size of its class."""
    n = len(classes)
    shuffled = torch.randperm(n, device=classes.device, generator=generator)
    order = shuffled[classes[shuffled].argsort(stable=True)]
    ordered = classes[order]
    start = torch.searchsorted(ordered, ordered)
    size = torch.searchsorted(ordered, ordered, right=True) - start
    return order, start, size, torch.arange(n, device=classes.device)
