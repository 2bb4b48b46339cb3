"""One run: data, model, method and seed in, a record's contents out. The one visible training loop of the lab."""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from localmixup.batch import effective_sample_size
from localmixup.lab.augmentation import augment
from localmixup.lab.dataset import Prepared, split_validation
from localmixup.lab.methods import METHODS, Batch, Method
from localmixup.lab.models import build_model
from localmixup.lab.specs import RunSpec

REGION_SIDE = 120  # of the grid of predictions kept for two-dimensional data
REGION_MARGIN = 0.3
_CURVE_POINTS = 60


class Outcome(NamedTuple):
    """What a finished run leaves behind.

    Attributes:
        validation_error: error in percent, or RMSE in the target's unit, on the validation split after training.
        test_error: the same on the test split; looked at by nobody before the end.
        train_seconds: time of the loop, its evaluations left out.
        mixed_share: share of the counted samples whose two ends differ, as drawn.
        effective_sample_size: mean over the updates.
        mean_weight: mean weight of a sample.
        curve: for each evaluation update, mean training loss since the last, and validation error.
        regions: for two-dimensional data the predictions on a grid, packed; else None.
    """

    validation_error: float
    test_error: float
    train_seconds: float
    mixed_share: float
    effective_sample_size: float
    mean_weight: float
    curve: list[tuple[int, float, float]]
    regions: str | None


def train(spec: RunSpec, prepared: Prepared, *, device: str = "cpu") -> Outcome:
    """Train one model and measure it.

    The same specification gives the same result on the same machine: every draw has its own seeded generator.

    Args:
        spec: the run.
        prepared: the data of that run, standardised and with the test set split off.
        device: `"cpu"` or `"cuda"`.
    """
    settings = spec.training
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision=settings.precision)
    order, draws, crops = (torch.Generator().manual_seed(3 * spec.seed + k) for k in range(3))
    rows, validation_rows = split_validation(prepared, spec.seed)
    x, y = prepared.x[rows].to(accelerator.device), prepared.y[rows].to(accelerator.device)
    x_val, y_val = (part[validation_rows].to(accelerator.device) for part in (prepared.x, prepared.y))

    torch.manual_seed(spec.seed)
    model = build_model(settings.model, tuple(x.shape[1:]), prepared.outputs)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.updates)
    model, optimizer, schedule = accelerator.prepare(model, optimizer, schedule)
    method = METHODS[spec.method.method](spec.method, settings, prepared.task, draws)

    every = max(-(-len(x) // settings.batch_size), -(-settings.updates // _CURVE_POINTS))
    curve, losses, shares, seconds, started = [], [], [], 0.0, time.perf_counter()
    for update, batch in enumerate(_batches(method, spec, x, y, order, crops), start=1):
        mixed = method.mixed(batch)
        loss = method.loss(model, mixed)
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
        shares.append(_shares(batch, mixed))
        if update % every == 0 or update == settings.updates:
            mean_loss = float(torch.stack(losses).float().mean())
            seconds += time.perf_counter() - started
            curve.append((update, mean_loss, error(model, x_val, y_val, prepared)))
            losses, started = [], time.perf_counter()

    # by the reckoning of eq. (3) a sample counts its weight, so the shares of the updates are weighed by theirs
    weight, moved, size = torch.stack(shares).double().cpu().T
    return Outcome(
        validation_error=curve[-1][2],
        test_error=error(model, prepared.x_test, prepared.y_test, prepared, device=accelerator.device),
        train_seconds=seconds,
        mixed_share=float(moved.sum() / weight.sum().clamp_min(1e-12)),
        effective_sample_size=float(size.mean()),
        mean_weight=float(weight.mean()),
        curve=curve,
        regions=_regions(model, prepared, accelerator.device) if x.shape[1:] == (2,) else None,
    )


def error(model: nn.Module, x: Tensor, y: Tensor, prepared: Prepared, *, device: torch.device | None = None) -> float:
    """Error rate in percent, or RMSE in the unit of the target.

    Args:
        model: in any mode; it is put back.
        x: inputs, shape `(n, ...)`.
        y: targets, shape `(n,)`.
        prepared: tells the task and the unit.
        device: where to compute; default where `x` is.
    """
    outputs, y = _predict(model, x, device), y.to(device or y.device)
    if prepared.task == "regression":
        return float((outputs[:, 0].double() - y.double()).square().mean().sqrt() * prepared.y_scale)
    return float((outputs.argmax(dim=1) != y).double().mean() * 100)


@torch.no_grad()
def _predict(model: nn.Module, x: Tensor, device: torch.device | None = None) -> Tensor:
    was_training = model.training
    model.eval()
    outputs = torch.cat([model(part.to(device or x.device)).float() for part in torch.split(x, 1024)])
    model.train(was_training)
    return outputs


def _batches(
    method: Method, spec: RunSpec, x: Tensor, y: Tensor, order: torch.Generator, crops: torch.Generator
) -> Iterator[Batch]:
    """As many batches as there are updates, each image augmented by itself."""
    settings = spec.training

    def take(rows: Tensor) -> Tensor:
        return augment(x[rows], settings.augmentation, crops)

    if settings.pairs == "set":
        pairs = method.pairs(x, y)
        for _ in range(settings.updates):
            first, second = (rows.to(x.device) for rows in pairs.sample(settings.batch_size))
            inputs = take(first)
            # a sample with itself is one image, not two crops of it
            itself = (first == second).view(-1, *(1,) * (x.ndim - 1))
            yield Batch(inputs, y[first], torch.where(itself, inputs, take(second)), y[second])
        return
    # pairs that the graph leaves out do not count: more are drawn, so that as many count as for every other method
    size = min(len(x), round(settings.batch_size / (spec.method.kept_share or 1.0)))
    waiting = torch.zeros(0, dtype=torch.int64)
    for _ in range(settings.updates):
        if len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(len(x), generator=order)])
        rows, waiting = waiting[:size].to(x.device), waiting[size:]
        yield Batch(take(rows), y[rows])


def _shares(batch: Batch, mixed: Any) -> Tensor:
    """Mean weight, mean weight of those whose ends differ, and effective sample size of one update."""
    if batch.partner_inputs is None:
        moved = (mixed.inputs != batch.inputs).flatten(1).any(dim=1)
    else:
        moved = (batch.partner_inputs != batch.inputs).flatten(1).any(dim=1)
    weights = mixed.weights
    return torch.stack([weights.mean(), (weights * moved).mean(), effective_sample_size(weights)])


def _regions(model: nn.Module, prepared: Prepared, device: torch.device) -> str:
    """Predicted classes, or values as hundredths of their range, on a grid over the data, as base64 text."""
    low, high = region_box(prepared.x)
    axes = [torch.linspace(low[k], high[k], REGION_SIDE) for k in range(2)]
    grid = torch.cartesian_prod(*axes)
    outputs = _predict(model, grid.to(device)).cpu()
    values = outputs.argmax(1) if prepared.task == "classification" else outputs[:, 0].mul(25).add(100).clamp(0, 255)
    return base64.b64encode(zlib.compress(values.to(torch.uint8).numpy().tobytes())).decode()


def region_box(x: Tensor) -> tuple[list[float], list[float]]:
    """The corners of the grid of `Outcome.regions`.

    Args:
        x: two-dimensional inputs, shape `(m, 2)`.
    """
    low, high = x.amin(0) - REGION_MARGIN, x.amax(0) + REGION_MARGIN
    return low.tolist(), high.tolist()


def unpack_regions(packed: str) -> np.ndarray:
    """The grid of `Outcome.regions`, shape `(side, side)`, first axis first.

    Args:
        packed: from `Outcome.regions`.
    """
    values = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=np.uint8)
    return values.reshape(REGION_SIDE, REGION_SIDE)
