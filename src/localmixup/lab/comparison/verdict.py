"""From judged arms to the comparison: questions, decision, recipe, attribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localmixup.lab.analysis.arms import validation_error
from localmixup.lab.analysis.attribution import AS_FAR, AS_OFTEN
from localmixup.lab.analysis.compared import Arms
from localmixup.lab.analysis.comparison import Candidate, Comparison
from localmixup.lab.analysis.decisions import decide
from localmixup.lab.analysis.questions import LOCAL, contrasts_of
from localmixup.lab.analysis.wording import decimals_of
from localmixup.lab.comparison.candidates import vanilla_config
from localmixup.lab.comparison.stages import CHOOSING, CORE, Chosen, Runner, settings_of
from localmixup.lab.data.resampling import resampled_rows
from localmixup.lab.methods.recipe import config_of
from localmixup.lab.runs.store import versions


def comparison_of(runner: Runner, chosen: Chosen, arms: Arms, *, notes: Sequence[str] = ()) -> Comparison:
    """Return everything that was found.

    Args:
        runner: has the data and the training.
        chosen: what the rows that choose chose.
        arms: what the rows that judge show.
        notes: for the reader.
    """
    contrasts = contrasts_of({label: arms.judged(label) for label in CORE}, chosen.choice, arms.design, arms.unit)
    decision = decide(contrasts, chosen.choice)
    decimals = decimals_of(arms.unit, max(max(result.errors) for result in arms.results.values()))
    attribution, controls = arms.against(LOCAL, (AS_OFTEN, AS_FAR), decimals)
    used = decision.use in CORE

    def config(label: str) -> dict[str, Any]:
        return config_of(chosen.spec(label))

    return Comparison(
        decision=decision,
        recipe=config(decision.use) if used else vanilla_config(),
        front=config(decision.front),
        contrasts=contrasts,
        attribution=attribution,
        controls=controls,
        rows=arms.table(),
        candidates=_candidates(chosen),
        unit=arms.unit,
        decimals=decimals,
        task=runner.prepared.task,
        data=runner.data,
        training=runner.training,
        resamples=len(next(iter(arms.results.values())).records),
        sizes=_sizes(runner),
        own_test_set=len(runner.prepared.x_test) > 0,
        notes=list(notes),
        versions=versions(),
    )


def _sizes(runner: Runner) -> dict[str, int]:
    judge = resampled_rows(runner.prepared, "judge", 0)
    choose = resampled_rows(runner.prepared, "choose", CHOOSING[0])
    return {
        "train": len(judge.train),
        "choose": len(choose.validation),
        "test": len(judge.test) or len(runner.prepared.x_test),
    }


def _candidates(chosen: Chosen) -> list[Candidate]:
    return [
        Candidate(
            label=label,
            settings=settings_of(result.arm.method),
            spec=result.arm.method,
            validation_error=validation_error(result),
            chosen=place == chosen.places[label],
            keys=[record.spec.key for _, record in sorted(result.records.items())],
        )
        for label, results in chosen.candidates.items()
        for place, result in enumerate(results)
    ]
