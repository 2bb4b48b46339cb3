"""The result of an inspection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from localmixup.geometry import ClassShape, IntrusionReport, LipschitzCurve, RegionReport, TargetReport
from localmixup.graphs.fit import DistanceSample
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.inspection.suggestions import Suggested
from localmixup.lab.inspection.verdict import Verdict

LIPSCHITZ_SAMPLES = 1000
"""Largest number of samples for Q(D): the search grows with the cube of it."""


@dataclass(frozen=True)
class Inspection:
    """What was measured.

    Attributes:
        data: the data set as read.
        rows: rows of the data that were measured, shape `(m,)`.
        inputs: their standardised inputs, shape `(m, ...)`, as `compare` mixes them.
        targets: their targets, shape `(m,)`: classes, or standardised values.
        scale: what the raw inputs were multiplied by, per column or channel.
        features: what distances are measured on, shape `(m, d)`.
        space: what the features are, in words.
        measured_on_inputs: whether they are the standardised inputs.
        sample: distances of random pairs.
        report: intrusion; None for regression.
        regions: class regions of a classifier, on which the verdict rests; None for regression.
        target_report: the gap of mixed targets; None for classification.
        verdict: whether mixup is safe.
        suggestions: recipes, the one to take first.
        mixup: classical mixup of all samples, for comparison.
        curve: Q(D) on at most `LIPSCHITZ_SAMPLES` samples; None for regression.
        curve_rows: indices of those samples among the measured ones.
        shapes: shape of each class; of all samples for regression.
        settings: settings of the measurement, by name.
    """

    data: DataSet
    rows: np.ndarray
    inputs: Tensor
    targets: np.ndarray
    scale: np.ndarray
    features: Tensor
    space: str
    measured_on_inputs: bool
    sample: DistanceSample
    report: IntrusionReport | None
    regions: RegionReport | None
    target_report: TargetReport | None
    verdict: Verdict
    suggestions: list[Suggested]
    mixup: Suggested
    curve: LipschitzCurve | None
    curve_rows: np.ndarray
    shapes: list[ClassShape]
    settings: dict[str, Any]

    @property
    def total(self) -> int:
        """Number of rows of the data."""
        return len(self.data.x)

    @property
    def taken(self) -> Suggested:
        """The suggestion to take."""
        return next(one for one in self.suggestions if one.take)

    def class_of(self, row: int) -> str:
        """Return the name of the class of a measured row.

        Args:
            row: its place among the measured ones.
        """
        return self.data.class_names[int(self.targets[row])]
