"""One run: data, model, method and seed in, a record's contents out. The one visible training loop of the lab."""

from __future__ import annotations

import base64
import math
import time
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from localmixup._batch import effective_sample_size
from localmixup.lab.data.augmentation import augment
from localmixup.lab.data.corruptions import corrupt, parse
from localmixup.lab.data.prepared import Prepared, split_validation
from localmixup.lab.methods import METHODS, Batch, Method
from localmixup.lab.models import build_model
from localmixup.lab.runs.optimizers import build_optimizer
from localmixup.lab.runs.spec import MethodSpec, RunSpec, TrainingSpec

REGION_SIDE = 120  # of the grid of predictions kept for two-dimensional data
REGION_MARGIN = 0.3
_COMPILED_UPDATES = 2000  # on a GPU, a network for images that is trained for longer is compiled first


class Outcome(NamedTuple):
    """What a finished run leaves behind.

    Attributes:
        validation_error: error in percent, or RMSE in the target's unit, on the validation split after training; NaN
            without one.
        test_error: the same on the test split; looked at by nobody before the end.
        train_seconds: time of the loop, its evaluations left out.
        mixed_share: share of the counted samples whose two ends differ, as drawn.
        effective_sample_size: mean over the updates.
        mean_weight: mean weight of a sample.
        curve: for each evaluation update, mean training loss since the last, and validation error.
        regions: for two-dimensional data the predictions on a grid, packed; else None.
        train_errors: error on the training data at the points of the curve, where asked for.
        measured: test error under each corruption that was asked for.
        parameters: number of trained parameters, companions of the model included.
    """

    validation_error: float
    test_error: float
    train_seconds: float
    mixed_share: float
    effective_sample_size: float
    mean_weight: float
    curve: list[tuple[int, float, float]]
    regions: str | None
    train_errors: list[float] = []  # noqa: RUF012
    measured: dict[str, float] = {}  # noqa: RUF012
    parameters: int = 0


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
    rows, validation_rows = split_validation(prepared, spec.seed, settings.validation_share)
    inputs, y = _inputs(prepared, rows, accelerator.device), prepared.y[rows].to(accelerator.device)
    x_val, y_val = prepared.x[validation_rows], prepared.y[validation_rows]

    torch.manual_seed(spec.seed)
    model = build_model(settings.model, tuple(prepared.x.shape[1:]), prepared.outputs)
    method = METHODS[spec.method.method](spec.method, settings, prepared.task, draws)
    companion = method.companion(model, prepared.x[rows[:2]])
    trained = nn.ModuleList([model] if companion is None else [model, companion])
    optimizer, schedule = build_optimizer(settings, trained.parameters())
    trained, optimizer, schedule = accelerator.prepare(trained, optimizer, schedule)
    if accelerator.device.type == "cuda" and inputs.x.ndim == 4:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if settings.updates >= _COMPILED_UPDATES:
            model.compile()

    every = max(-(-len(rows) // settings.batch_size), -(-settings.updates // settings.curve_points))
    curve, train_errors, losses, shares, seconds, started = [], [], [], [], 0.0, time.perf_counter()
    best: tuple[float, dict[str, Tensor]] | None = None
    for update, batch in enumerate(_batches(method, spec, inputs, y, order, crops), start=1):
        with accelerator.autocast():
            loss, mixed = method.step(model, batch)
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
        shares.append(_shares(batch, mixed))
        if update % every == 0 or update == settings.updates:
            mean_loss = float(torch.stack(losses).float().mean())
            seconds += time.perf_counter() - started
            curve.append((update, mean_loss, error(model, x_val, y_val, prepared, device=accelerator.device)))
            if settings.train_error:
                train_errors.append(error(model, prepared.x[rows], y, prepared, device=accelerator.device))
            if settings.keep == "best" and (best is None or curve[-1][2] < best[0]):
                best = curve[-1][2], {name: value.clone() for name, value in model.state_dict().items()}
            losses, started = [], time.perf_counter()

    if best is not None:
        model.load_state_dict(best[1])
    # by the reckoning of eq. (3) a sample counts its weight, so the shares of the updates are weighed by theirs
    weight, moved, size = torch.stack(shares).double().cpu().T
    return Outcome(
        validation_error=curve[-1][2] if best is None else best[0],
        test_error=error(model, prepared.x_test, prepared.y_test, prepared, device=accelerator.device),
        train_seconds=seconds,
        mixed_share=float(moved.sum() / weight.sum().clamp_min(1e-12)),
        effective_sample_size=float(size.mean()),
        mean_weight=float(weight.mean()),
        curve=curve,
        regions=pack_regions(model, prepared, accelerator.device) if wants_regions(settings, prepared) else None,
        train_errors=train_errors,
        measured={
            name: _corrupted_error(model, name, spec.seed, prepared, accelerator.device) for name in settings.measure
        },
        parameters=sum(p.numel() for p in trained.parameters() if p.requires_grad),
    )


class _Inputs(NamedTuple):
    """Training inputs as they lie on the device: standardised, or, on a GPU, as pixels that each batch standardises."""

    x: Tensor
    mean: Tensor | None = None
    scale: Tensor | None = None

    def take(self, rows: Tensor) -> Tensor:
        taken = self.x[rows]
        return taken if self.mean is None or self.scale is None else (taken.float() - self.mean) * self.scale


def _inputs(prepared: Prepared, rows: np.ndarray, device: torch.device) -> _Inputs:
    if device.type == "cpu" or prepared.pixels is None:
        return _Inputs(prepared.x[rows].to(device))
    pixels = prepared.pixels[rows].to(device, memory_format=torch.channels_last)
    return _Inputs(pixels, prepared.mean.to(device), prepared.scale.to(device))


def _corrupted_error(model: nn.Module, corruption: str, seed: int, prepared: Prepared, device: torch.device) -> float:
    """Test error on images that are brought to [0, 1], corrupted, and standardised again."""
    name, severity = parse(corruption)
    # a channel that is the same everywhere was standardised to zero, and stays at its value
    images = (torch.where(prepared.scale > 0, prepared.x_test / prepared.scale, 0.0) + prepared.mean) / 255
    worse = corrupt(images, name, severity, torch.Generator().manual_seed(seed))
    return error(model, (worse * 255 - prepared.mean) * prepared.scale, prepared.y_test, prepared, device=device)


def error(model: nn.Module, x: Tensor, y: Tensor, prepared: Prepared, *, device: torch.device | None = None) -> float:
    """Error rate in percent, or RMSE in the unit of the target.

    Args:
        model: in any mode; it is put back.
        x: inputs, shape `(n, ...)`.
        y: targets, shape `(n,)`.
        prepared: tells the task and the unit.
        device: where to compute; default where `x` is.
    """
    if not len(x):
        return math.nan
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
    method: Method, spec: RunSpec, inputs: _Inputs, y: Tensor, order: torch.Generator, crops: torch.Generator
) -> Iterator[Batch]:
    """As many batches as there are updates, each image augmented by itself."""
    settings = spec.training

    def take(rows: Tensor) -> Tensor:
        return augment(inputs.take(rows), settings.augmentation, crops)

    if settings.pairs == "set":
        pairs = method.pairs(inputs.take(torch.arange(len(y), device=y.device)), y)
        for _ in range(settings.updates):
            first, second = (rows.to(y.device) for rows in pairs.sample(settings.batch_size))
            own = take(first)
            # a sample with itself is one image, not two crops of it
            itself = (first == second).view(-1, *(1,) * (own.ndim - 1))
            yield Batch(own, y[first], torch.where(itself, own, take(second)), y[second])
        return
    # pairs that the graph leaves out do not count: more are drawn, so that as many count as for every other method
    size = enlarged_batch(spec.training, spec.method, len(y))
    waiting = torch.zeros(0, dtype=torch.int64)
    for _ in range(settings.updates):
        if len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(len(y), generator=order)])
        rows, waiting = waiting[:size].to(y.device), waiting[size:]
        yield Batch(take(rows), y[rows])


def enlarged_batch(training: TrainingSpec, method: MethodSpec, rows: int) -> int:
    """Samples drawn an update, such that `training.batch_size` of them count on average where pairs are of the batch.

    Args:
        training: tells how many shall count.
        method: tells the share that its graph keeps.
        rows: of the training data, at most so many are drawn.
    """
    return min(rows, round(training.batch_size / (method.kept_share or 1.0)))


def _shares(batch: Batch, mixed: Any) -> Tensor:
    """Mean weight, mean weight of those whose ends differ, and effective sample size of one update."""
    if batch.partner_inputs is None:
        moved = (mixed.inputs != batch.inputs).flatten(1).any(dim=1)
    else:
        moved = (batch.partner_inputs != batch.inputs).flatten(1).any(dim=1)
    weights = mixed.weights
    return torch.stack([weights.mean(), (weights * moved).mean(), effective_sample_size(weights)])


def wants_regions(settings: TrainingSpec, prepared: Prepared) -> bool:
    """Whether a run keeps its predictions on a grid.

    Args:
        settings: of the run.
        prepared: its data.
    """
    return settings.regions and prepared.x.shape[1:] == (2,)


def pack_regions(model: nn.Module, prepared: Prepared, device: torch.device | None = None) -> str:
    """Predicted classes, or values as hundredths of their range, on a grid over the data, as base64 text.

    Args:
        model: trained.
        prepared: two-dimensional data.
        device: where to compute; default the CPU.
    """
    low, high = region_box(prepared.x)
    axes = [torch.linspace(low[k], high[k], REGION_SIDE) for k in range(2)]
    grid = torch.cartesian_prod(*axes)
    outputs = _predict(model, grid, device).cpu()
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
