"""From judged arms to the comparison: questions, decision, recipe, attribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localmixup import LocalMixup
from localmixup.lab.analysis.arms import validation_error
from localmixup.lab.analysis.attribution import AS_FAR, AS_OFTEN
from localmixup.lab.analysis.compared import Arms
from localmixup.lab.analysis.comparison import Candidate, Comparison
from localmixup.lab.analysis.decisions import Decision, decide
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA, Contrast, contrasts_of
from localmixup.lab.analysis.remarks import of_probabilities, of_recipe, of_unasked
from localmixup.lab.analysis.resampled import difference_of
from localmixup.lab.analysis.wording import decimals_of
from localmixup.lab.comparison.candidates import read_recipe, vanilla_config
from localmixup.lab.comparison.stages import CHOOSING, CORE, Chosen, Runner, settings_of
from localmixup.lab.data.resampling import resampled_rows
from localmixup.lab.methods.recipe import config_of, recipe_spec
from localmixup.lab.runs.store import versions


def comparison_of(
    runner: Runner, chosen: Chosen, arms: Arms, *, notes: Sequence[str] = (), recipe: Path | None = None
) -> Comparison:
    """Return everything that was found.

    Args:
        runner: has the data and the training.
        chosen: what the rows that choose chose.
        arms: what the rows that judge show.
        notes: for the reader.
        recipe: the file with a recipe of the user.
    """
    contrasts = contrasts_of({label: arms.judged(label) for label in CORE}, chosen.choice, arms.design, arms.unit)
    decision = decide(contrasts, chosen.choice)
    decimals = decimals_of(arms.unit, max(max(result.errors) for result in arms.results.values()))
    attribution, controls = arms.against(LOCAL, (AS_OFTEN, AS_FAR), decimals)
    used, candidates = decision.use in CORE, _candidates(chosen)

    def config(label: str) -> dict[str, Any]:
        return config_of(chosen.spec(label))

    return Comparison(
        decision=decision,
        recipe=config(decision.use) if used else vanilla_config(),
        front=config(decision.front),
        contrasts=contrasts,
        attribution=attribution,
        remarks=[
            told
            for told in (
                _of_probabilities(decision, contrasts, arms),
                of_unasked(decision.use, contrasts, arms.difference(LOCAL, VANILLA), arms.unit, decimals),
                _of_recipe(recipe, candidates, arms),
            )
            if told
        ],
        controls=controls,
        rows=arms.table(),
        candidates=candidates,
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


def _of_probabilities(decision: Decision, contrasts: Mapping[str, Contrast], arms: Arms) -> str:
    """Return how good the probabilities are of what is used; empty where the question is about that arm already."""
    asked = contrasts.get("calibration")
    if asked is None or decision.use not in (MIXUP, LOCAL) or asked.one == decision.use:
        return ""
    mine, theirs = arms.judged(decision.use).nll, arms.judged(VANILLA).nll
    if mine is None or theirs is None:
        return ""
    values = float(mine.values.mean()), float(theirs.values.mean())
    return of_probabilities(decision.use, values, difference_of(mine, theirs, arms.design))


def _of_recipe(recipe: Path | None, candidates: Sequence[Candidate], arms: Arms) -> str:
    """Return what became of the recipe of the user, or of the recommended one."""
    config = LocalMixup().to_config() if recipe is None else read_recipe(recipe)
    name = "LocalMixup() as it stands" if recipe is None else f"The recipe of {recipe}"
    decimals = decimals_of(arms.unit, max(c.validation_error for c in candidates))
    return of_recipe(name, candidates, recipe_spec(config), arms.unit, decimals)


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
