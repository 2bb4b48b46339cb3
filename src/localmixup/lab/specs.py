"""What a run is, as frozen values: the same specification always means the same result."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict

PROTOCOL = 1  # raised when the same specification would train another model


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MethodSpec(_Frozen):
    """A method with its parameters.

    Attributes:
        method: a key of `localmixup.lab.methods.METHODS`.
        parameter: radius, decay or number of neighbours of its graph, in the unit of the standardised data.
        kept_share: the share of pairs that the parameter was calibrated to keep.
        mixed_share: share of samples that are mixed at all; None as the graph gives it.
        loss_scale: factor of the loss, for the control with the scaled loss.
    """

    method: str
    parameter: float | None = None
    kept_share: float | None = None
    mixed_share: float | None = None
    loss_scale: float = 1.0


class TrainingSpec(_Frozen):
    """What every method of a comparison has in common.

    Attributes:
        model: a key of `localmixup.lab.models.MODELS`.
        pairs: `"set"`: pairs drawn from the whole training set; `"batch"`: from the batch, with the weights of eq. (3).
        updates: number of steps of the optimiser.
        batch_size: counted samples an update.
        learning_rate: of AdamW, falling to zero along a cosine.
        weight_decay: of AdamW.
        augmentation: a key of `localmixup.lab.augmentation.AUGMENTATIONS`, applied to each image by itself.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`, one draw an update.
        precision: `"no"` (float32), `"bf16"` or `"fp16"`.
    """

    model: str
    pairs: Literal["set", "batch"] = "set"
    updates: int
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    augmentation: str = "none"
    mixup_alpha: float = 1.0
    precision: Literal["no", "bf16", "fp16"] = "no"


class DataSpec(_Frozen):
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


class RunSpec(_Frozen):
    """One training: data, training, method and seed."""

    data: DataSpec
    training: TrainingSpec
    method: MethodSpec
    seed: int
    protocol: int = PROTOCOL

    @cached_property
    def key(self) -> str:
        """The key of its record in the store: equal for equal specifications only. The data's name is left out."""
        content = self.model_dump(mode="json")
        del content["data"]["name"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]
