"""Errors of a stack of runs, and what their networks predict on a grid."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from localmixup.lab.data.corruptions import corrupt, parse
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.runs.network import Network
from localmixup.lab.runs.scores import row_losses, scores_of
from localmixup.lab.runs.standards import Standards

REGION_SIDE = 120
"""Side of the grid of predictions that is kept for two-dimensional data."""
REGION_MARGIN = 0.3
"""Margin of that grid around the data."""
_ROWS = 1024  # evaluated at once, of all runs together


def errors(
    network: Network,
    x: Tensor,
    y: Tensor,
    prepared: Prepared,
    rows: Tensor | None = None,
    standards: Standards | None = None,
) -> list[float]:
    """Return the error of every run: in percent, or the RMSE in the unit of the target.

    Args:
        network: in any mode, which is kept.
        x: inputs, shape `(m, ...)`.
        y: targets, shape `(m,)`.
        prepared: has the task and the unit of the target.
        rows: the rows that each run is evaluated on, shape `(R, n)`; None for all rows.
        standards: see `predict`.

    Returns:
        R numbers; NaN where there are no rows.
    """
    if not len(x) or (rows is not None and not rows.shape[1]):
        return [math.nan] * network.runs
    device = next(network.parameters()).device
    targets = (y.expand(network.runs, -1) if rows is None else y[rows.to(y.device)]).to(device)
    return _errors_of(predict(network, x, rows, standards), targets, prepared)


def _errors_of(outputs: Tensor, targets: Tensor, prepared: Prepared) -> list[float]:
    if prepared.task == "regression":
        squares = (outputs[..., 0].double() - targets.double()).square()
        return (squares.mean(dim=1).sqrt() * prepared.y_scale).tolist()
    return ((outputs.argmax(dim=2) != targets).double().mean(dim=1) * 100).tolist()


class Tested(NamedTuple):
    """What one run shows on its test rows: see `Outcome`."""

    error: float
    scores: dict[str, float]
    row_losses: dict[str, str]


def test(
    network: Network, prepared: Prepared, rows: Tensor, *, judges: bool, standards: Standards | None
) -> list[Tested]:
    """Test every run.

    Args:
        network: in any mode, which is kept.
        prepared: the data.
        rows: the rows of the pool that each run is tested on, shape `(R, n)`; none where the data have a test set.
        judges: measure all scores, and on a test set the loss of every row, beside the error.
        standards: see `predict`.
    """
    own_set = len(prepared.x_test) > 0
    pool, test_set = prepared.x, prepared.x_test
    if standards is not None and prepared.raw is not None and prepared.raw_test is not None:
        pool, test_set = prepared.raw, prepared.raw_test
    if not judges or not (own_set or rows.shape[1]):
        found = errors(network, test_set, prepared.y_test, prepared, None, standards)
        return [Tested(error, {}, {}) for error in found]
    x, targets = test_set, prepared.y_test.expand(network.runs, -1)
    if not own_set:
        x, targets = pool, prepared.y[rows]
    outputs, targets = predict(network, x, None if own_set else rows, standards).cpu(), targets.cpu()
    found = _errors_of(outputs, targets, prepared)
    return [
        Tested(
            found[r],
            scores_of(outputs[r], targets[r], prepared.task, prepared.y_scale),
            row_losses(outputs[r], targets[r], prepared.task),
        )
        for r in range(network.runs)
    ]


@torch.no_grad()
def predict(network: Network, x: Tensor, rows: Tensor | None = None, standards: Standards | None = None) -> Tensor:
    """Return the outputs of every run, shape `(R, n, c)`, float32, in the unit of the targets of the pool.

    Args:
        network: in any mode, which is kept.
        x: inputs, shape `(m, ...)`.
        rows: the rows of each run, shape `(R, n)`; None for all rows.
        standards: of runs that standardise by their own training rows; `x` is as it was read.
    """
    was_training = network.training
    network.eval()
    found = [network(part).float() for part in _parts(network, x, rows, standards)]
    network.train(was_training)
    outputs = torch.cat(found, dim=1)
    return outputs if standards is None else standards.outputs(outputs)


def _parts(network: Network, x: Tensor, rows: Tensor | None, standards: Standards | None) -> Iterator[Tensor]:
    device, size = next(network.parameters()).device, max(128, _ROWS // network.runs)
    if rows is None:
        for part in torch.split(x, size):
            here = part.to(device)
            yield here.expand(network.runs, *part.shape) if standards is None else standards.inputs.apply(here)
    else:
        for some in torch.split(rows.to(x.device), size, dim=1):
            here = x[some].to(device)
            yield here if standards is None else standards.inputs.apply(here)


def corrupted_errors(network: Network, corruption: str, seeds: list[int], prepared: Prepared) -> list[float]:
    """Return the test error of every run on images that are brought to [0, 1], corrupted, and standardised again.

    Args:
        network: the networks of the runs.
        corruption: a name of `localmixup.lab.data.corruptions` with its severity.
        seeds: of the runs; each corrupts the images with its own draws.
        prepared: has the test images.
    """
    name, severity = parse(corruption)
    # a channel that is the same everywhere was standardised to zero, and stays at its value
    images = (torch.where(prepared.scale > 0, prepared.x_test / prepared.scale, 0.0) + prepared.mean) / 255
    found = []
    for run, seed in enumerate(seeds):
        worse = corrupt(images, name, severity, torch.Generator().manual_seed(seed))
        x = (worse * 255 - prepared.mean) * prepared.scale
        found.append(errors(network, x, prepared.y_test, prepared)[run])
    return found


def regions(network: Network, prepared: Prepared, standards: Standards | None = None) -> list[str]:
    """Return, for every run, its predictions on a grid over two-dimensional data, as base64 text.

    Classes are kept as they are, values as hundredths of their range.

    Args:
        network: the networks of the runs.
        prepared: the data.
        standards: see `predict`.
    """
    low, high = region_box(prepared.x)
    grid = torch.cartesian_prod(*(torch.linspace(low[k], high[k], REGION_SIDE) for k in range(2)))
    if standards is not None:  # the runs standardise it themselves
        grid = torch.where(prepared.scale > 0, grid / prepared.scale, 0.0).double() + prepared.mean
    outputs = predict(network, grid, None, standards).cpu()
    values = outputs.argmax(2) if prepared.task == "classification" else outputs[..., 0].mul(25).add(100).clamp(0, 255)
    return [base64.b64encode(zlib.compress(run.numpy().tobytes())).decode() for run in values.to(torch.uint8)]


def region_box(x: Tensor) -> tuple[list[float], list[float]]:
    """Return the lower and the upper corner of the grid of `Outcome.regions`.

    Args:
        x: two-dimensional inputs, shape `(m, 2)`.
    """
    low, high = x.amin(0) - REGION_MARGIN, x.amax(0) + REGION_MARGIN
    return low.tolist(), high.tolist()


def unpack_regions(packed: str) -> np.ndarray:
    """Return the grid of `Outcome.regions`, shape `(side, side)`, first axis first.

    Args:
        packed: from `Outcome.regions`.
    """
    values = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=np.uint8)
    return values.reshape(REGION_SIDE, REGION_SIDE)
