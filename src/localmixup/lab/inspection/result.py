"""The result of an inspection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from localmixup.geometry import ClassShape, IntrusionReport, LipschitzCurve, Suggestion
from localmixup.graphs.fit import DistanceSample
from localmixup.lab.data.dataset import DataSet

LIPSCHITZ_SAMPLES = 1000
"""Largest number of samples per class for Q(D): the search grows with the cube of it."""


@dataclass(frozen=True)
class Inspection:
    """What was measured.

    Attributes:
        data: the data set as read.
        inputs: standardised inputs, shape `(m, ...)`, as `compare` mixes them.
        features: what distances are measured on, shape `(m, d)`.
        space: what the features are, in words.
        sample: distances of random pairs.
        report: intrusion; None for regression.
        suggestion: how local mixup should be; None for regression.
        curve: Q(D) on at most `LIPSCHITZ_SAMPLES` samples per class; None for regression.
        curve_rows: indices of those samples.
        shapes: shape of each class; of all samples for regression.
        verdict: one or two sentences.
        settings: settings of the measurement, by name.
    """

    data: DataSet
    inputs: Tensor
    features: Tensor
    space: str
    sample: DistanceSample
    report: IntrusionReport | None
    suggestion: Suggestion | None
    curve: LipschitzCurve | None
    curve_rows: np.ndarray
    shapes: list[ClassShape]
    verdict: str
    settings: dict[str, Any]
