"""The specification of a run, as frozen values: equal specifications train the same run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

PROTOCOL = 1  # raised when the same specification would train another model


class Frozen(BaseModel):
    """A frozen, hashable value that keeps infinity in its JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class MethodSpec(Frozen):
    """A method with its parameters.

    Attributes:
        method: a key of `localmixup.lab.methods.METHODS`.
        parameter: radius, decay or number of neighbours of its graph, in the unit of the standardised data.
        kept_share: share of pairs that the parameter was fitted to keep.
        mixed_share: share of samples that are mixed at all; None for what the graph gives.
        loss_scale: factor of the loss, for the control with the scaled loss.
        options: further options of the method, by name, sorted; its class lists them with their defaults.
    """

    method: str
    parameter: float | None = None
    kept_share: float | None = None
    mixed_share: float | None = None
    loss_scale: float = 1.0
    options: tuple[tuple[str, float | str], ...] = ()


class TrainingSpec(Frozen):
    """The settings that all methods of a comparison share.

    Attributes:
        model: a key of `localmixup.lab.models.MODELS`.
        pairs: `"set"`: pairs drawn from the whole training set; `"batch"`: from the batch, with the weights of eq. (3).
        first_ends: of pairs of the set: `"row sums"`, in proportion to the row sums of W, as eq. (3) says; `"uniform"`,
            every sample equally often.
        updates: number of optimiser steps.
        batch_size: counted samples per update.
        optimizer: a key of `localmixup.lab.runs.optimizers.OPTIMIZERS`.
        learning_rate: learning rate at the start.
        schedule: a key of `localmixup.lab.runs.optimizers.SCHEDULES`.
        milestones: shares of the updates after which the schedule `"step"` lowers the learning rate.
        step_factor: factor of the learning rate at a milestone of the schedule `"step"`.
        weight_decay: of the optimiser.
        augmentation: a key of `localmixup.lab.data.augmentation.AUGMENTATIONS`.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`, one draw per update.
        reduction: of the weighted loss: `"mean"`, sum(w l) / n, eq. (3) up to a constant; `"weighted_mean"`,
            sum(w l) / sum(w); `"sum"`.
        precision: `"no"` (float32), `"bf16"` or `"fp16"`.
        validation_share: of the pool, held out of training; 0 trains on all of it and chooses nothing.
        resample: which rows a run gets. `"none"`: each seed holds `validation_share` of the pool out. `"choose"` and
            `"judge"`: the two stages of `localmixup compare`, see `localmixup.lab.data.resampling`; `validation_share`
            does not count.
        train_rows: of a resample, train on a random part with at most so many rows; None for all.
        keep: `"last"`, the weights after the last update, or `"best"`, those of the lowest validation error.
        curve_points: approximate number of evaluations; 1 evaluates the end only.
        measure: what else is measured after training: names of `localmixup.lab.data.corruptions`, as `"gaussian 0.01"`.
        train_error: whether the curve also holds the error on the training data.
        regions: whether the predictions on a grid are kept, for two-dimensional data.
        standardise: by which rows tables are standardised and their missing values filled: `"pool"`, all rows that are
            not in the test set; `"run"`, the training rows of each run.
    """

    model: str
    pairs: Literal["set", "batch"] = "set"
    first_ends: Literal["row sums", "uniform"] = "row sums"
    updates: int
    batch_size: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    milestones: tuple[float, ...] = ()
    step_factor: float = 0.1
    weight_decay: float = 1e-2
    augmentation: str = "none"
    mixup_alpha: float = 1.0
    reduction: Literal["mean", "weighted_mean", "sum"] = "mean"
    precision: Literal["no", "bf16", "fp16"] = "no"
    validation_share: float = 0.2
    resample: Literal["none", "choose", "judge"] = "none"
    train_rows: int | None = None
    keep: Literal["last", "best"] = "last"
    curve_points: int = 60
    measure: tuple[str, ...] = ()
    train_error: bool = False
    regions: bool = True
    standardise: Literal["pool", "run"] = "pool"


class DataSpec(Frozen):
    """Which data, and how they are split.

    Attributes:
        name: name of the data set, as the user gave it.
        fingerprint: key of the contents of the data.
        train_size: number of rows used for training and validation; None for all.
        split_seed: seed of the test split.
    """

    name: str
    fingerprint: str
    train_size: int | None = None
    split_seed: int = 0


class RunSpec(Frozen):
    """One training: data, training, method and seed."""

    data: DataSpec
    training: TrainingSpec
    method: MethodSpec
    seed: int
    protocol: int = PROTOCOL

    @cached_property
    def key(self) -> str:
        """The key of its record in the store, equal for equal specifications only.

        The name of the data does not count, and neither do default values: a new setting whose default is what was
        done before changes no key.
        """
        return key_of(self, leave_out={"data": {"name"}})


def key_of(value: Frozen, leave_out: Mapping[str, Any] | None = None) -> str:
    """Return a key of the contents of a specification.

    Args:
        value: the specification.
        leave_out: fields that do not count, as in pydantic's `exclude`.
    """
    content = value.model_dump(mode="json", exclude_defaults=True, exclude=leave_out)
    if isinstance(value, RunSpec):
        content["protocol"] = value.protocol
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]
