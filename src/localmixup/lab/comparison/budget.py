"""How long a comparison will take, said before it starts, and how many resamples fit into a budget."""

from __future__ import annotations

from collections.abc import Generator

from localmixup.lab.comparison.candidates import vanilla_config
from localmixup.lab.comparison.job import FEWEST, Job
from localmixup.lab.comparison.stages import CHOOSING, CORE, Grids, Runner
from localmixup.lab.comparison.timing import duration, seconds_for
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.events import Event, Note
from localmixup.lab.runs.spec import RunSpec

CONTROLS = 2
_TRIED = 10  # resamples of which the time is taken
_MOST = 200


def announced(job: Job, runner: Runner, grids: Grids) -> Generator[Event, None, int]:
    """Say how long it will take, and return the number of resamples.

    Args:
        job: has the number of resamples, or a budget.
        runner: has the data.
        grids: the candidates.
    """
    choosing = runner.runs((runner.arm("choose", label, s) for label, of in grids.specs.items() for s in of), CHOOSING)
    if job.budget is None:
        if left := _left(runner, choosing):
            judging = _judging(runner, grids, job.resamples)
            parts = (left, judging)
            seconds = sum(seconds_for(specs, runner.prepared, jobs=job.jobs, device=job.device) for specs in parts)
            yield Note(
                f"{len(left)} trainings choose and {len(judging)} judge, in {job.resamples} resamples: "
                f"about {duration(seconds)} of training"
            )
        return job.resamples
    first = seconds_for(_left(runner, choosing), runner.prepared, jobs=job.jobs, device=job.device)
    each = seconds_for(_judging(runner, grids, _TRIED), runner.prepared, jobs=job.jobs, device=job.device) / _TRIED
    resamples = max(FEWEST, min(_MOST, int((job.budget - first) / max(each, 1e-3))))
    seconds = first + each * resamples
    fits = "fit into" if seconds <= job.budget else "are the fewest allowed and take longer than"
    yield Note(f"{resamples} resamples {fits} the budget of {duration(job.budget)}: about {duration(seconds)}")
    return resamples


def _judging(runner: Runner, grids: Grids, resamples: int) -> list[RunSpec]:
    """Trainings that last as long as those that will judge, before it is known what is chosen."""
    specs = [*(grids.specs[label][-1] for label in CORE), *[recipe_spec(vanilla_config())] * CONTROLS]
    further = [of[0] for label, of in grids.specs.items() if label not in CORE]
    arms = [runner.arm("judge", str(k), spec) for k, spec in enumerate([*specs, *further])]
    return runner.runs(arms, range(resamples))


def _left(runner: Runner, specs: list[RunSpec]) -> list[RunSpec]:
    done = runner.store.get(specs)
    return [spec for spec in specs if spec.key not in done]
