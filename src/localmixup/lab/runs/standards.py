"""How a stack of runs sees the data: as the pool was standardised, or each by its own training rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from localmixup.lab.data.prepared import Prepared
from localmixup.lab.data.standard import Standard, fit, side_by_side


class RunStandard(NamedTuple):
    """What one run measured on its training rows.

    Attributes:
        inputs: of the inputs.
        centre: mean of the targets of a regression, in their own unit; 0 for classes.
        unit: their standard deviation; 1 for classes.
    """

    inputs: Standard
    centre: float = 0.0
    unit: float = 1.0


def standard_of(prepared: Prepared, rows: Tensor) -> RunStandard:
    """Measure the training rows of a run.

    Args:
        prepared: has `raw` and `raw_y`.
        rows: of the pool, shape `(k,)`.
    """
    assert prepared.raw is not None
    assert prepared.raw_y is not None
    inputs = fit(prepared.raw[rows].numpy(), prepared.gaps, prepared.categories)
    if prepared.task == "classification":
        return RunStandard(inputs)
    y = prepared.raw_y[rows].double()
    return RunStandard(inputs, float(y.mean()), float(y.std(correction=0)) or 1.0)


class Standards(NamedTuple):
    """The standards of the runs of a stack.

    Attributes:
        inputs: side by side.
        factor: what the outputs of each run are multiplied by to be in the unit of the pool, shape `(R, 1, 1)`.
        shift: what is added then, in the same shape.
    """

    inputs: Standard
    factor: Tensor | None = None
    shift: Tensor | None = None

    def outputs(self, outputs: Tensor) -> Tensor:
        """Return the outputs of the networks in the unit of the targets of the pool, shape `(R, n, c)`."""
        if self.factor is None or self.shift is None:
            return outputs
        return outputs * self.factor.to(outputs.device) + self.shift.to(outputs.device)


def together(standards: Sequence[RunStandard], prepared: Prepared, device: torch.device) -> Standards:
    """Return the standards of the runs of a stack.

    Args:
        standards: one for each run.
        prepared: the data.
        device: of the networks.
    """
    inputs = side_by_side([standard.inputs for standard in standards]).to(device)
    if prepared.task == "classification":
        return Standards(inputs)
    assert prepared.raw_y is not None
    y = prepared.raw_y.double()
    centre, unit = float(y.mean()), prepared.y_scale
    factor = torch.tensor([standard.unit / unit for standard in standards])
    shift = torch.tensor([(standard.centre - centre) / unit for standard in standards])
    return Standards(inputs, factor.view(-1, 1, 1).float(), shift.view(-1, 1, 1).float())
