"""The draws of the runs of a stack: which pairs each update mixes, how, and what they count.

A run draws from generators of its own, made from its seed, several updates at a time, so that its draws are the same
alone and in any stack. What is drawn are indices and numbers; distances are measured for a whole chunk at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from localmixup.lab.data.augmentation import augment
from localmixup.lab.data.prepared import Prepared, split_validation
from localmixup.lab.methods import METHODS, Batch
from localmixup.lab.runs.spec import MethodSpec, RunSpec, TrainingSpec

CHUNK = 64
"""Updates that are drawn at once. Part of the draws: another number gives other pairs of the set."""


class Inputs(NamedTuple):
    """Inputs as they lie on the device: standardised, or, on a GPU, as pixels that are standardised when taken."""

    x: Tensor
    mean: Tensor | None = None
    scale: Tensor | None = None

    def take(self, rows: Tensor) -> Tensor:
        """Return the inputs of some rows, shape `(n, ...)`."""
        taken = self.x.index_select(0, rows)
        return taken if self.mean is None or self.scale is None else (taken.float() - self.mean) * self.scale


def inputs_on(device: torch.device, prepared: Prepared) -> Inputs:
    """Return the inputs of the pool on a device."""
    if device.type == "cpu" or prepared.pixels is None:
        return Inputs(prepared.x.to(device))
    pixels = prepared.pixels.to(device, memory_format=torch.channels_last)
    return Inputs(pixels, prepared.mean.to(device), prepared.scale.to(device))


class Draws(NamedTuple):
    """Pairs of S updates of one run.

    Attributes:
        rows: rows of the pool, shape `(S, B)`.
        partner_rows: in the same shape.
        lam: share of the sample itself, shape `(S, B)`.
        weights: how much each pair counts, shape `(S, B)`.
        partner: for pairs of the batch, the place of each partner in it, shape `(S, B)`; else None.
        choices: what the method drew beside the pairs, shape `(S, ...)`, or None.
        images: where inputs are augmented, those of the samples and of their partners, shape `(B, ...)` each; S is 1.
    """

    rows: Tensor
    partner_rows: Tensor
    lam: Tensor
    weights: Tensor
    partner: Tensor | None
    choices: Tensor | None
    images: tuple[Tensor, Tensor] | None = None


class Run:
    """One run with its split of the pool, its method and its generators.

    Args:
        spec: the run.
        prepared: its data.
        inputs: the inputs of the pool on the device.
        targets: the targets of the pool on the device.

    Attributes:
        rows: rows of the pool that it trains on, shape `(m,)`.
        validation_rows: rows of the pool that are held out.
        method: draws the pairs.
        size: pairs drawn in an update.
        chunk: updates drawn at once.
    """

    def __init__(self, spec: RunSpec, prepared: Prepared, inputs: Inputs, targets: Tensor) -> None:
        self.spec, self.training, self.inputs, self.targets = spec, spec.training, inputs, targets
        self.order, draws, self.crops = (torch.Generator().manual_seed(3 * spec.seed + k) for k in range(3))
        self.rows, self.validation_rows = map(
            torch.from_numpy, split_validation(prepared, spec.seed, spec.training.validation_share)
        )
        self.method = METHODS[spec.method.method](spec.method, spec.training, prepared.task, draws)
        of_set = spec.training.pairs == "set"
        self.size = spec.training.batch_size if of_set else drawn_size(spec.training, spec.method, len(self.rows))
        self.chunk = CHUNK if spec.training.augmentation == "none" else 1
        self.source = self.method.pairs(prepared.x[self.rows], prepared.y[self.rows]) if of_set else None
        self.waiting = self.rows[:0]

    def draw(self, updates: int) -> Draws:
        """Draw the pairs of the next updates, on the device of the inputs."""
        drawn = self._of_batch(updates) if self.source is None else self._of_set(updates)
        shape, choices = (updates, self.size), self.method.choices(updates)
        return drawn._replace(
            rows=drawn.rows.view(shape),
            partner_rows=drawn.partner_rows.view(shape),
            lam=drawn.lam.view(shape),
            weights=drawn.weights.view(shape),
            choices=None if choices is None else choices.to(drawn.lam.device),
        )

    def _of_batch(self, updates: int) -> Draws:
        count, device = updates * self.size, self.targets.device
        while len(self.waiting) < count:
            self.waiting = torch.cat([self.waiting, self.rows[torch.randperm(len(self.rows), generator=self.order)]])
        rows, self.waiting = self.waiting[:count].to(device), self.waiting[count:]
        x = augment(self.inputs.take(rows), self.training.augmentation, self.crops)
        plan = self.method.plan(x, self.targets[rows], self.size)
        partner = plan.partner.view(updates, self.size)
        first = torch.arange(0, count, self.size, device=device)
        images = None if self.training.augmentation == "none" else (x, x[plan.partner])
        return Draws(rows, rows[plan.partner], plan.lam, plan.weights, partner - first[:, None], None, images)

    def _of_set(self, updates: int) -> Draws:
        assert self.source is not None
        counts = [self.size] * updates if self.method.by_batch else [updates * self.size]
        drawn = [self.source.sample(count) for count in counts]
        first, second = (self.rows[torch.cat(ends)].to(self.targets.device) for ends in zip(*drawn, strict=True))
        lam = self.method.lam(updates).repeat_interleave(self.size).to(first.device)
        x, other = (augment(self.inputs.take(k), self.training.augmentation, self.crops) for k in (first, second))
        if self.training.augmentation == "none":
            return Draws(first, second, lam, self.method.set_weights(x, other), None, None)
        # a sample with itself is one image, not two crops of it
        itself = (first == second).view(-1, *(1,) * (x.ndim - 1))
        other = torch.where(itself, x, other)
        return Draws(first, second, lam, self.method.set_weights(x, other), None, None, (x, other))


def drawn_size(training: TrainingSpec, method: MethodSpec, rows: int) -> int:
    """Return the number of pairs of the batch to draw so that `training.batch_size` of them count on average.

    Pairs that the graph leaves out do not count: more are drawn, so that as many count as for every other method.

    Args:
        training: has the number that shall count.
        method: has the share that its graph keeps.
        rows: number of training rows, the most that can be drawn.
    """
    return min(rows, round(training.batch_size / (method.kept_share or 1.0)))


def batches(draws: Sequence[Draws], inputs: Inputs, targets: Tensor, scale: Tensor, *, drop: bool) -> Iterator[Batch]:
    """Yield the updates of a chunk, each with the pairs of all runs.

    Args:
        draws: of every run, each with as many updates and pairs.
        inputs: of the pool.
        targets: of the pool.
        scale: factor of the loss of each run, shape `(R,)`.
        drop: leave out pairs of weight zero. Runs with fewer pairs than others get pairs of weight zero instead.
    """
    rows, partner_rows, lam, weights = (torch.stack(parts, dim=1) for parts in list(zip(*draws, strict=True))[:4])
    partner, choices = (_together(draws, name) for name in ("partner", "choices"))
    moved = (rows != partner_rows) & (lam < 1)
    found = shares(moved, weights)
    runs, size = rows.shape[1:]
    counts = [size] * len(rows)
    if drop and draws[0].images is None and not bool((weights > 0).all()):
        places, counts = counted_places(weights)
        in_use = torch.arange(places.shape[2], device=places.device) < (weights > 0).sum(dim=2, keepdim=True)
        rows, partner_rows, lam, moved, weights = (
            t.gather(2, places) for t in (rows, partner_rows, lam, moved, weights)
        )
        weights, partner = weights * in_use, None
    pairs = (rows, partner_rows, targets[rows], targets[partner_rows], lam, weights, moved)
    for k, (count, *of_k) in enumerate(zip(counts, *(t.unbind() for t in pairs), strict=True)):
        first, second, *rest = of_k if count == rows.shape[2] else (t[:, :count] for t in of_k)
        if draws[0].images is None:
            shape = (runs, count, *inputs.x.shape[1:])
            x, other = (inputs.take(t.reshape(-1)).view(shape) for t in (first, second))
        else:
            images = [d.images for d in draws if d.images is not None]
            x, other = (torch.stack([of_run[end] for of_run in images]) for end in (0, 1))
        own_targets, other_targets, lam_k, weights_k, moved_k = rest
        yield Batch(
            x, other, own_targets, other_targets, lam_k, weights_k, size, scale, moved_k, found[k],
            partner=None if partner is None else partner[k], choices=None if choices is None else choices[k],
        )  # fmt: skip


def _together(draws: Sequence[Draws], name: str) -> Tensor | None:
    values = [getattr(one, name) for one in draws]
    return None if values[0] is None else torch.stack(values, dim=1)


def counted_places(weights: Tensor) -> tuple[Tensor, list[int]]:
    """Return where the pairs are whose weight is not zero.

    Args:
        weights: shape `(S, R, B)`.

    Returns:
        Their places in the last dimension, in order, filled up with place 0, shape `(S, R, K)`; and for each of the S
        updates the number of places that are needed for the run with the most pairs, at least 1.

    >>> counted_places(torch.tensor([[[0.0, 1.0, 0.5], [0.0, 0.0, 1.0]]]))
    (tensor([[[1, 2],
             [2, 0]]]), [2])
    """
    counted = weights > 0
    counts = counted.sum(dim=2).amax(dim=1).clamp_min(1).tolist()
    places = torch.zeros(*weights.shape[:2], max(counts), dtype=torch.int64, device=weights.device)
    update, run, place = counted.nonzero(as_tuple=True)
    places[update, run, counted.cumsum(dim=2)[counted] - 1] = place
    return places, counts


def shares(moved: Tensor, weights: Tensor) -> Tensor:
    """Return the mean weight, the mean weight of the pairs whose ends differ, and Kish's effective size over B.

    Args:
        moved: whether the two ends of each pair differ, shape `(..., B)`.
        weights: how much each pair counts, in the same shape.

    Returns:
        Shape `(..., 3)`, float64.
    """
    weights = weights.double()
    square = weights.sum(dim=-1).square()
    ess = square / (weights.shape[-1] * weights.square().sum(dim=-1)).clamp_min(1e-300)
    return torch.stack([weights.mean(dim=-1), (weights * moved).mean(dim=-1), ess], dim=-1)
