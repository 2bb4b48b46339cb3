"""The draws of the runs of a stack: which pairs each update mixes, how, and what they count.

A run draws from generators of its own, made from its seed, several updates at a time, so that its draws are the same
alone and in any stack. What is drawn are indices and numbers; distances are measured for a whole chunk at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from localmixup.lab.data.augmentation import augment
from localmixup.lab.data.prepared import Prepared, split_validation
from localmixup.lab.data.resampling import resampled_rows
from localmixup.lab.data.standard import Standard, side_by_side
from localmixup.lab.methods import METHODS, Batch
from localmixup.lab.methods.base import PairSource, shares
from localmixup.lab.runs.spec import MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.standards import standard_of

CHUNK = 64
"""Updates that are drawn at once. Part of the draws: another number gives other pairs of the set."""


_WHOLE_VALUES = 8_000_000
"""Inputs of fewer values than this are standardised once for each run, larger ones whenever rows are taken."""


class Inputs(NamedTuple):
    """Inputs as they lie on the device: standardised, or as they were read, to be standardised when taken.

    Attributes:
        x: shape `(m, ...)`.
        mean: of the channels of pixels, which lie as they were read on a GPU.
        scale: likewise.
        standard: of a run, or of the runs of a stack, for tables that each run standardises by its training rows.
        offset: where the inputs of each run of a stack begin in `x`, shape `(R, 1)`; None where they share them.
    """

    x: Tensor
    mean: Tensor | None = None
    scale: Tensor | None = None
    standard: Standard | None = None
    offset: Tensor | None = None

    def take(self, rows: Tensor) -> Tensor:
        """Return the inputs of some rows.

        Args:
            rows: shape `(n,)`; of the R runs of a stack `(R, n)`.

        Returns:
            Shape `(n, ...)` or `(R, n, ...)`.
        """
        places = rows if self.offset is None else rows + self.offset
        taken = self.x.index_select(0, places.reshape(-1)).view(*rows.shape, *self.x.shape[1:])
        if self.standard is not None:
            return self.standard.apply(taken)
        return taken if self.mean is None or self.scale is None else (taken.float() - self.mean) * self.scale


def inputs_on(device: torch.device, prepared: Prepared, standardise: str = "pool") -> Inputs:
    """Return the inputs of the pool on a device.

    Args:
        device: of the networks.
        prepared: the data.
        standardise: see `TrainingSpec`; with `"run"` the inputs are as they were read, and a run adds its standard.
    """
    if standardise == "run" and prepared.raw is not None:
        return Inputs(prepared.raw.to(device))
    if device.type == "cpu" or prepared.pixels is None:
        return Inputs(prepared.x.to(device))
    pixels = prepared.pixels.to(device, memory_format=torch.channels_last)
    return Inputs(pixels, prepared.mean.to(device), prepared.scale.to(device))


class Draws(NamedTuple):
    """Pairs of S updates of one run, up to K in each.

    Attributes:
        rows: rows of the pool, shape `(S, K)`.
        partner_rows: in the same shape.
        lam: share of the sample itself, shape `(S, K)`.
        weights: how much each pair counts, shape `(S, K)`; 0 where an update has fewer than K pairs.
        counts: number of pairs of each update, shape `(S,)`.
        partner: for pairs of the batch, the place of each partner in it, shape `(S, K)`; else None.
        choices: what the method drew beside the pairs, shape `(S, ...)`, or None.
        images: where inputs are augmented, those of the samples and of their partners, shape `(K, ...)` each; S is 1.
    """

    rows: Tensor
    partner_rows: Tensor
    lam: Tensor
    weights: Tensor
    counts: Tensor
    partner: Tensor | None = None
    choices: Tensor | None = None
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
        test_rows: rows of the pool that it is tested on; empty where the data have a test set.
        standard: what it standardises its inputs and targets by; None where the pool is standardised.
        method: draws the pairs.
        size: pairs drawn in an update.
        chunk: updates drawn at once.
    """

    def __init__(self, spec: RunSpec, prepared: Prepared, inputs: Inputs, targets: Tensor) -> None:
        self.spec, self.training, self.inputs, self.targets = spec, spec.training, inputs, targets
        self.order, draws, self.crops = (torch.Generator().manual_seed(3 * spec.seed + k) for k in range(3))
        self.rows, self.validation_rows, self.test_rows = map(torch.from_numpy, _rows_of(spec, prepared))
        self.standard = None
        if spec.training.standardise == "run" and prepared.raw is not None and prepared.raw_y is not None:
            self.standard = standard_of(prepared, self.rows)
            standard = self.standard.inputs.to(inputs.x.device)
            whole = inputs.x.numel() <= _WHOLE_VALUES
            self.inputs = Inputs(standard.apply(inputs.x)) if whole else inputs._replace(standard=standard)
            if prepared.task == "regression":
                y = (prepared.raw_y.double() - self.standard.centre) / self.standard.unit
                self.targets = y.float().to(targets.device)
        self.method = METHODS[spec.method.method](spec.method, spec.training, prepared.task, draws)
        of_set = spec.training.pairs == "set"
        self.size = spec.training.batch_size if of_set else drawn_size(spec.training, spec.method, len(self.rows))
        self.chunk = CHUNK if spec.training.augmentation == "none" else 1
        self.source = self._pairs_of_set(prepared) if of_set else None
        self.waiting = self.rows[:0]

    def _pairs_of_set(self, prepared: Prepared) -> PairSource:
        if self.standard is None:
            return self.method.pairs(prepared.x[self.rows], prepared.y[self.rows])
        rows = self.rows.to(self.targets.device)
        return self.method.pairs(self.inputs.take(rows).cpu(), self.targets[rows].cpu())

    def draw(self, updates: int, *, drop: bool) -> Draws:
        """Draw the pairs of the next updates, on the device of the inputs.

        Args:
            updates: how many.
            drop: leave out pairs of weight zero.
        """
        drawn = self._of_batch(updates) if self.source is None else self._of_set(updates)
        if (choices := self.method.choices(updates)) is not None:
            drawn = drawn._replace(choices=choices.to(drawn.lam.device))
        if drop and drawn.images is None:
            return without_zeros(drawn)
        return drawn

    def _of_batch(self, updates: int) -> Draws:
        count, device = updates * self.size, self.targets.device
        while len(self.waiting) < count:
            self.waiting = torch.cat([self.waiting, self.rows[torch.randperm(len(self.rows), generator=self.order)]])
        rows, self.waiting = self.waiting[:count].to(device), self.waiting[count:]
        x = augment(self.inputs.take(rows), self.training.augmentation, self.crops)
        plan = self.method.plan(x, self.targets[rows], self.size)
        first = torch.arange(0, count, self.size, device=device)
        images = None if self.training.augmentation == "none" else (x, x[plan.partner])
        return self._shaped(rows, rows[plan.partner], plan.lam, plan.weights)._replace(
            partner=plan.partner.view(updates, self.size) - first[:, None], images=images
        )

    def _of_set(self, updates: int) -> Draws:
        assert self.source is not None
        device = self.targets.device
        counts = [self.size] * updates if self.method.by_batch else [updates * self.size]
        drawn = [self.source.sample(count) for count in counts]
        first, second = (torch.cat(ends) for ends in zip(*drawn, strict=True))
        second, lam = self.method.moved_in_set(first, second, self.method.lam(updates).repeat_interleave(self.size))
        first, second, lam = self.rows[first].to(device), self.rows[second].to(device), lam.to(device)
        if self.training.augmentation == "none" and not self.method.weighs_set:
            return self._shaped(first, second, lam, torch.ones(len(first), device=first.device))
        x, other = (augment(self.inputs.take(k), self.training.augmentation, self.crops) for k in (first, second))
        # a sample with itself is one image, not two crops of it
        other = torch.where((first == second).view(-1, *(1,) * (x.ndim - 1)), x, other)
        found = self._shaped(first, second, lam, self.method.set_weights(x, other))
        return found if self.training.augmentation == "none" else found._replace(images=(x, other))

    def _shaped(self, rows: Tensor, partner_rows: Tensor, lam: Tensor, weights: Tensor) -> Draws:
        updates = len(rows) // self.size
        counts = torch.full((updates,), self.size, device=rows.device)
        shape = (updates, self.size)
        return Draws(rows.view(shape), partner_rows.view(shape), lam.view(shape), weights.view(shape), counts)


def of_stack(runs: Sequence[Run]) -> tuple[Inputs, Tensor]:
    """Return the inputs and the targets of the runs of a stack, from which `batches` takes its rows.

    Args:
        runs: of the stack.
    """
    first = runs[0]
    inputs, targets = first.inputs, first.targets
    if first.standard is None:
        return inputs, targets
    if standards := [run.inputs.standard for run in runs if run.inputs.standard is not None]:
        inputs = inputs._replace(standard=side_by_side(standards))
    else:
        rows = len(inputs.x)
        inputs = Inputs(
            torch.cat([run.inputs.x for run in runs]),
            offset=rows * torch.arange(len(runs), device=inputs.x.device)[:, None],
        )
        for run, own in zip(runs, torch.split(inputs.x, rows), strict=True):
            run.inputs = run.inputs._replace(x=own)  # the same values, held once
    return inputs, torch.stack([run.targets for run in runs]) if targets.is_floating_point() else targets


def _rows_of(spec: RunSpec, prepared: Prepared) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if spec.training.resample != "none":
        return resampled_rows(
            prepared, spec.training.resample, spec.seed, split_seed=spec.data.split_seed, most=spec.training.train_rows
        )
    train, validation = split_validation(prepared, spec.seed, spec.training.validation_share)
    return train, validation, train[:0]


def without_zeros(draws: Draws) -> Draws:
    """Leave out the pairs of weight zero. The others keep their order.

    >>> row = torch.tensor([[4, 5, 6], [7, 8, 9]])
    >>> lam = torch.full((2, 3), 0.5)
    >>> weights = torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]])
    >>> kept = without_zeros(Draws(row, row, lam, weights, torch.tensor([3, 3])))
    >>> kept.rows, kept.weights, kept.counts
    (tensor([[5, 6],
            [7, 7]]), tensor([[1.0000, 0.5000],
            [1.0000, 0.0000]]), tensor([2, 1]))
    """
    counted = draws.weights > 0
    counts = counted.sum(dim=1)
    most = int(counts.max())
    if most == counted.shape[1]:
        return draws
    update, place = counted.nonzero(as_tuple=True)
    slot = torch.arange(len(update), device=update.device) - (counts.cumsum(0) - counts)[update]
    places = counted.new_zeros(len(counts), max(1, most), dtype=torch.int64)
    places[update, slot] = place
    rows, partner_rows, lam, weights = (t.gather(1, places) for t in _pairs(draws))
    # places beyond the last pair hold the first sample of the batch, which must not count
    weights = weights * (torch.arange(places.shape[1], device=places.device) < counts[:, None])
    return Draws(rows, partner_rows, lam, weights, counts, choices=draws.choices)


def _pairs(draws: Draws) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return draws.rows, draws.partner_rows, draws.lam, draws.weights


def drawn_size(training: TrainingSpec, method: MethodSpec, rows: int) -> int:
    """Return the number of pairs of the batch to draw so that `training.batch_size` of them count on average.

    Pairs that the graph leaves out do not count: more are drawn, so that as many count as for every other method.

    Args:
        training: has the number that shall count.
        method: has the share that its graph keeps.
        rows: number of training rows, the most that can be drawn.
    """
    return min(rows, round(training.batch_size / (method.kept_share or 1.0)))


def batches(draws: Sequence[Draws], inputs: Inputs, targets: Tensor, scale: Tensor, size: int) -> Iterator[Batch]:
    """Yield the updates of a chunk, each with the pairs of all runs.

    A run with fewer pairs than others gets pairs of weight zero in addition.

    Args:
        draws: of every run, each with as many updates.
        inputs: of the pool; with the standards of the runs side by side if each has its own.
        targets: of the pool, shape `(m,)`; or those of each run, shape `(R, m)`.
        scale: factor of the loss of each run, shape `(R,)`.
        size: number of pairs that each run has drawn for an update.
    """
    rows, partner_rows, lam, weights = (_together(parts) for parts in zip(*map(_pairs, draws), strict=True))
    partner, choices = (_stacked(parts) for parts in ([d.partner for d in draws], [d.choices for d in draws]))
    counts = torch.stack([d.counts for d in draws]).amax(dim=0).clamp_min(1).tolist()
    moved = (rows != partner_rows) & (lam < 1)
    pairs = (rows, partner_rows, _targets_of(targets, rows), _targets_of(targets, partner_rows), lam, weights, moved)
    found = shares(moved, weights, size)
    for k, (count, *of_k) in enumerate(zip(counts, *(t.unbind() for t in pairs), strict=True)):
        first, second, *rest = of_k if count == rows.shape[2] else (t[:, :count] for t in of_k)
        if draws[0].images is None:
            x, other = inputs.take(first), inputs.take(second)
        else:
            images = [d.images for d in draws if d.images is not None]
            x, other = (torch.stack([of_run[end] for of_run in images]) for end in (0, 1))
        own_targets, other_targets, lam_k, weights_k, moved_k = rest
        yield Batch(
            x, other, own_targets, other_targets, lam_k, weights_k, size, scale, moved_k, found[k],
            partner=None if partner is None else partner[k], choices=None if choices is None else choices[k],
        )  # fmt: skip


def _targets_of(targets: Tensor, rows: Tensor) -> Tensor:
    """Return the targets of rows of shape `(S, R, K)`."""
    if targets.ndim == 1:
        return targets[rows]
    return targets[torch.arange(len(targets), device=rows.device)[:, None], rows]


def _together(parts: Sequence[Tensor]) -> Tensor:
    """Put the `(S, K)` of all runs side by side, filled up with zeros, shape `(S, R, K)`."""
    most = max(part.shape[1] for part in parts)
    return torch.stack([F.pad(part, (0, most - part.shape[1])) for part in parts], dim=1)


def _stacked(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.stack(there, dim=1) if len(there) == len(parts) else None
