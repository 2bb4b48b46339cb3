"""Who is mixed with whom: the pairings of `LocalMixup`, and the draw of the mixing coefficient.

Every function draws from the generator it is given, or from the global one if that is None. How much is drawn does not
depend on the graph, so that graphs can be compared on the same draws.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from localmixup._shapes import Float, Int
from localmixup._validate import ArgumentError

PAIRINGS = ("permutation", "flip", "roll", "within_class", "between_class", "neighbors")


def draw_uniform(
    shape: tuple[int, ...], *, dtype: torch.dtype, device: torch.device, generator: torch.Generator | None
) -> Tensor:
    """Draw uniformly from [0, 1). Without a generator none is passed on, which `torch.compile` would not understand.

    Args:
        shape: of the result.
        dtype: of the result.
        device: of the result, and of the generator if there is one.
        generator: source of the draws; None for the global one.
    """
    if generator is None:
        return torch.rand(shape, dtype=dtype, device=device)
    return torch.rand(shape, dtype=dtype, device=device, generator=generator)


def draw_permutation(n: int, *, device: torch.device, generator: torch.Generator | None) -> Tensor:
    """Draw a permutation of n numbers, as `draw_uniform` does.

    Args:
        n: how many.
        device: of the result, and of the generator if there is one.
        generator: source of the draws; None for the global one.
    """
    if generator is None:
        return torch.randperm(n, device=device)
    return torch.randperm(n, device=device, generator=generator)


def draw_lam(
    count: int, mixup_alpha: float, *, dtype: torch.dtype, device: torch.device, generator: torch.Generator | None
) -> Float[Tensor, "k"]:
    """Draw mixing coefficients from `Beta(mixup_alpha, mixup_alpha)` (definition 2.1).

    Args:
        count: number of draws.
        mixup_alpha: parameter of the Beta distribution, > 0; `inf` gives 1/2.
        dtype: dtype of the result.
        device: device of the result, and of the generator if there is one.
        generator: source of the draws.

    Returns:
        Coefficients in [0, 1], shape `(count,)`.
    """
    if mixup_alpha == 1:
        return draw_uniform((count,), dtype=dtype, device=device, generator=generator)
    if mixup_alpha > 1e300:
        return torch.full((count,), 0.5, dtype=dtype, device=device)
    # a ratio of Gammas, G(a) = G(a + 1) U^(1/a), in logarithms: for a small `mixup_alpha` both Gammas underflow
    shape = torch.full((2, count), mixup_alpha + 1, dtype=torch.float64, device=device)
    gammas = torch._standard_gamma(shape, generator=generator)
    uniform = draw_uniform((2, count), dtype=torch.float64, device=device, generator=generator)
    logs = gammas.log() + torch.log1p(-uniform) / max(mixup_alpha, 1e-300)
    difference = (logs[0] - logs[1]).nan_to_num_(0.0)
    return torch.sigmoid(difference).to(dtype)


def permutation(n: int, *, device: torch.device, generator: torch.Generator | None) -> Int[Tensor, "n"]:
    """Draw a uniformly random permutation, as in the paper; a sample may meet itself."""
    return draw_permutation(n, device=device, generator=generator)


def flip(n: int, *, device: torch.device) -> Int[Tensor, "n"]:
    """Pair sample i with sample n - 1 - i; nothing is drawn."""
    return torch.arange(n - 1, -1, -1, device=device)


def roll(n: int, *, device: torch.device) -> Int[Tensor, "n"]:
    """Pair each sample with the one before it, and the first with the last; nothing is drawn."""
    return torch.arange(n, device=device).roll(1)


def classes_of(targets: Any, n: int) -> Int[Tensor, "n"]:
    """Return the class of each sample, from class indices or from one-hot or soft labels.

    Args:
        targets: class indices, shape `(n,)` or `(n, 1)`, or probabilities, shape `(n, c)`.
        n: number of samples.

    Raises:
        ValueError: there are no targets, or they do not give one class per sample.

    >>> classes_of(torch.tensor([[0.0, 1.0], [0.9, 0.1]]), 2)
    tensor([1, 0])
    """
    allowed = "pairing by class needs targets with one class per sample: indices of shape (n,) or probabilities (n, c)"
    if not isinstance(targets, Tensor):
        raise ArgumentError(f"{allowed}, got {type(targets).__name__}")
    labels: Tensor = targets
    if labels.ndim == 2 and labels.shape == (n, 1) and not labels.is_floating_point():
        labels = labels[:, 0]
    if labels.ndim == 1 and not labels.is_floating_point() and len(labels) == n:
        return labels.long()
    if labels.ndim == 2 and len(labels) == n and labels.shape[1] > 1:
        rows = labels.float()
        if torch.compiler.is_compiling() or bool(((rows.sum(1) - 1).abs() < 1e-3).all() and (rows >= 0).all()):
            return rows.argmax(dim=1)
        raise ArgumentError(f"{allowed}, got rows that do not sum to 1 (several labels per sample?)")
    raise ArgumentError(f"{allowed}, got {labels.dtype} of shape {tuple(labels.shape)}")


def within_class(classes: Int[Tensor, "n"], *, generator: torch.Generator | None) -> Int[Tensor, "n"]:
    """Draw a partner of the same class, uniformly among the others; the only sample of a class meets itself.

    Args:
        classes: class of each sample, shape `(n,)`.
        generator: source of the draws.
    """
    order, start, size, position = _by_class(classes, generator)
    # in the random order within the class each sample takes the next one, and the last takes the first
    following = start + (position - start + 1) % size
    return torch.empty_like(order).scatter_(0, order, order[following])


def between_class(classes: Int[Tensor, "n"], *, generator: torch.Generator | None) -> Int[Tensor, "n"]:
    """Draw a partner of another class, uniformly; the sample itself if there is only one class.

    Args:
        classes: class of each sample, shape `(n,)`.
        generator: source of the draws.
    """
    n = len(classes)
    order, start, size, _ = _by_class(classes, generator)
    uniform = draw_uniform((n,), device=classes.device, generator=generator, dtype=torch.float64)
    # sorted by class and closed to a ring, all other classes follow the class of the sample
    steps = (uniform * (n - size)).long().clamp_max((n - size - 1).clamp_min(0))
    chosen = order[(start + size + steps) % n]
    return torch.empty_like(order).scatter_(0, order, torch.where(size < n, chosen, order))


def _by_class(classes: Int[Tensor, "n"], generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return samples sorted by class in random order, and for each place the start and size of its class."""
    n = len(classes)
    shuffled = draw_permutation(n, device=classes.device, generator=generator)
    order = shuffled[classes[shuffled].argsort(stable=True)]
    ordered = classes[order]
    start = torch.searchsorted(ordered, ordered)
    size = torch.searchsorted(ordered, ordered, right=True) - start
    return order, start, size, torch.arange(n, device=classes.device)
