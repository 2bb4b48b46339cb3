"""Arms with made-up outcomes, so that tables can be checked against numbers worked out by hand."""

from localmixup.lab.analysis.arms import ArmResult
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.outcome import Outcome
from localmixup.lab.runs.spec import DataSpec, MethodSpec, TrainingSpec
from localmixup.lab.runs.store import Record

TRAINING = TrainingSpec(model="mlp", updates=20, pairs="batch")


def result(label, errors, *, method=None, validation=1.0, control_of=None, training=TRAINING, **outcome):
    """An arm and its runs: one error per seed, None for a run that is not finished."""
    spec = method or MethodSpec(method="mixup", options=(("label", label),))
    arm = Arm(
        item="table1", protocol="controlled", scale="cpu", panel="toys", label=label, control_of=control_of,
        data=DataSpec(name="toys", fingerprint="f"), training=training, method=spec,
    )  # fmt: skip
    values = {"mixed_share": 0.9, "ess_ratio": 0.8, "mean_weight": 0.7, **outcome}
    records = {
        seed: Record(arm.run(seed), Outcome(validation, error, 1.0, curve=[], regions=None, **values), {}, "2026")
        for seed, error in enumerate(errors)
        if error is not None
    }
    return ArmResult(arm, len(errors), records)
