"""What a run is, as frozen values: the same specification always means the same result."""

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
        kept_share: the share of pairs that the parameter was calibrated to keep.
        mixed_share: share of samples that are mixed at all; None as the graph gives it.
        loss_scale: factor of the loss, for the control with the scaled loss.
        options: what else the method takes, by name, in the order of the names; its class lists them with defaults.
    """

    method: str
    parameter: float | None = None
    kept_share: float | None = None
    mixed_share: float | None = None
    loss_scale: float = 1.0
    options: tuple[tuple[str, float | str], ...] = ()


class TrainingSpec(Frozen):
    """What every method of a comparison has in common.

    Attributes:
        model: a key of `localmixup.lab.models.MODELS`.
        pairs: `"set"`: pairs drawn from the whole training set; `"batch"`: from the batch, with the weights of eq. (3).
        updates: number of steps of the optimiser.
        batch_size: counted samples an update.
        optimizer: a key of `localmixup.lab.runs.optimizers.OPTIMIZERS`.
        learning_rate: at the start.
        schedule: a key of `localmixup.lab.runs.optimizers.SCHEDULES`.
        milestones: shares of the updates after which the schedule `"step"` lowers the learning rate.
        step_factor: what the schedule `"step"` multiplies the learning rate with at a milestone.
        weight_decay: of the optimiser.
        augmentation: a key of `localmixup.lab.data.augmentation.AUGMENTATIONS`.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`, one draw an update.
        reduction: of the weighted loss: `"mean"`, sum(w l) / n, eq. (3) up to a constant; `"weighted_mean"`,
            sum(w l) / sum(w); `"sum"`.
        precision: `"no"` (float32), `"bf16"` or `"fp16"`.
        validation_share: of the pool, held out of training; 0 trains on all of it and chooses nothing.
        keep: `"last"`: the model after the last update; `"best"`: that of the lowest validation error on the curve.
        curve_points: evaluations on the way, about; 1 evaluates the end only.
        measure: what else is measured after training: names of `localmixup.lab.data.corruptions`, as `"gaussian 0.01"`.
        train_error: whether the curve also holds the error on the training data.
        regions: whether the predictions on a grid are kept, for two-dimensional data.
    """

    model: str
    pairs: Literal["set", "batch"] = "set"
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
    keep: Literal["last", "best"] = "last"
    curve_points: int = 60
    measure: tuple[str, ...] = ()
    train_error: bool = False
    regions: bool = True


class DataSpec(Frozen):
    """Which data, split how.

    Attributes:
        name: as the user called them.
        fingerprint: of their contents.
        train_size: rows used for training and validation; None for all.
        split_seed: of the test split.
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
        """The key of its record in the store: equal for equal specifications only.

        The data's name is left out, and so is what has its default value: a setting that is added later, with the
        default that everything had before, changes no key.
        """
        return key_of(self, leave_out={"data": {"name"}})


def key_of(value: Frozen, leave_out: Mapping[str, Any] | None = None) -> str:
    """A key of the contents of a specification.

    Args:
        value: the specification.
        leave_out: what does not count, as in pydantic's `exclude`.
    """
    content = value.model_dump(mode="json", exclude_defaults=True, exclude=leave_out)
    if isinstance(value, RunSpec):
        content["protocol"] = value.protocol
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]
