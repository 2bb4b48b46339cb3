"""What a finished run leaves behind."""

from __future__ import annotations

from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """What a finished run leaves behind.

    Attributes:
        validation_error: error in percent, or RMSE in the unit of the target, on the validation split after training;
            NaN without one.
        test_error: the same on the test split, which is used for nothing else.
        train_seconds: time of the training, without the evaluations; of a stack, its share.
        mixed_share: share of the counted samples whose two ends differ, as drawn.
        ess_ratio: Kish's effective sample size over the batch size, mean over the updates.
        mean_weight: mean weight of a sample.
        curve: of each evaluation, the update, the mean training loss since the last one, and the validation error.
        regions: for two-dimensional data the predictions on a grid, packed; else None.
        train_errors: error on the training data at the points of the curve, where asked for.
        measured: test error under each corruption that was asked for.
        parameters: number of trained parameters, companions of the model included.
        scores: what else was measured on the test rows of a run that judges, by the names of
            `localmixup.lab.runs.scores`.
        row_losses: of a run that judges, the loss of every test row, packed; by the measures `"error"` (0 or 1, or the
            squared error of the standardised target) and `"nll"`.
    """

    validation_error: float
    test_error: float
    train_seconds: float
    mixed_share: float
    ess_ratio: float
    mean_weight: float
    curve: list[tuple[int, float, float]]
    regions: str | None
    train_errors: list[float] = []  # noqa: RUF012
    measured: dict[str, float] = {}  # noqa: RUF012
    parameters: int = 0
    scores: dict[str, float] = {}  # noqa: RUF012
    row_losses: dict[str, str] = {}  # noqa: RUF012


def outcome_from_json(content: dict[str, Any]) -> Outcome:
    """Return the outcome that a store holds.

    Args:
        content: the fields by name. Stores of version 0.1.0 say `effective_sample_size` for `ess_ratio`.

    Raises:
        TypeError: a field is missing or unknown.
    """
    fields = {{"effective_sample_size": "ess_ratio"}.get(name, name): value for name, value in content.items()}
    fields["curve"] = [tuple(point) for point in fields.get("curve", [])]
    return Outcome(**fields)
