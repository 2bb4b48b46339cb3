"""The two stages of a comparison: trainings that choose between candidates, and trainings that judge the chosen."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from localmixup.graphs.fit import DistanceSample, sample_distances
from localmixup.lab.analysis.arms import ArmResult, results_of, validation_error
from localmixup.lab.analysis.attribution import AS_FAR, AS_OFTEN
from localmixup.lab.analysis.compared import Arms
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA, Choice, choose, first_lowest
from localmixup.lab.analysis.resampled import Design
from localmixup.lab.comparison.candidates import candidates, describe, random_partners, vanilla_config
from localmixup.lab.comparison.grid import grid_of
from localmixup.lab.comparison.job import Job
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.data.resampling import Rows, overlap, resampled_rows, rows_that_can_judge
from localmixup.lab.methods import LOCAL as WITH_GRAPHS
from localmixup.lab.methods import METHODS
from localmixup.lab.methods.graphs import describe_spec
from localmixup.lab.methods.recipe import config_of, recipe_spec
from localmixup.lab.runs.engine import run
from localmixup.lab.runs.events import Event
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Store

CHOOSING = tuple(range(10_000, 10_004))
"""Seeds that choose. Those that judge count from 0 and never reach them."""

CORE = (VANILLA, MIXUP, LOCAL)


class Grids(NamedTuple):
    """What is compared: candidates by the label of their arm, and a remark."""

    specs: dict[str, list[MethodSpec]]
    note: str = ""


class Chosen(NamedTuple):
    """What the rows that choose chose.

    Attributes:
        candidates: every candidate with its runs, by the label of its arm.
        places: place of the chosen candidate of each arm.
        choice: among the three arms.
    """

    candidates: dict[str, list[ArmResult]]
    places: dict[str, int]
    choice: Choice

    def spec(self, label: str) -> MethodSpec:
        """Return the chosen candidate of an arm."""
        return self.candidates[label][self.places[label]].arm.method

    def mixed_share(self, label: str) -> float:
        """Return the share of the samples that the chosen candidate of an arm was seen to mix."""
        return self.candidates[label][self.places[label]].mean("mixed_share")


class Runner:
    """Trains the arms of a comparison.

    Args:
        data: which data.
        prepared: the data themselves.
        training: of the three arms and their controls.
        further: of further methods.
        store: where records are kept.
        jobs: number of processes.
        device: `"cpu"` or `"cuda"`.
        backend: see `localmixup.lab.runs.engine.run`.
        scheduler: see there.
    """

    def __init__(
        self, data: DataSpec, prepared: Prepared, training: TrainingSpec, further: TrainingSpec, store: Store, *,
        jobs: int | None = None, device: str = "cpu", backend: str = "loky", scheduler: str | None = None,
    ) -> None:  # fmt: skip
        self.data, self.prepared, self.training, self.further, self.store = data, prepared, training, further, store
        self.jobs, self.device, self.backend, self.scheduler = jobs, device, backend, scheduler

    def grids(self, job: Job) -> Grids:
        """Return the candidates of everything that is asked for.

        Args:
            job: names further methods and the recipe of the user.

        Raises:
            ArgumentError: the file with the recipe is wrong.
        """
        mixup, local, note = candidates(job.recipe)
        found = {
            VANILLA: [recipe_spec(vanilla_config())],
            MIXUP: [recipe_spec(config) for config in mixup],
            LOCAL: [recipe_spec(config) for config in local],
        }
        rows = resampled_rows(self.prepared, "choose", CHOOSING[0])
        sample = distances_that_choose(self.prepared, rows) if set(job.methods) & set(WITH_GRAPHS) else None
        for method in job.methods:
            found[METHODS[method].title] = (
                [MethodSpec(method=method)]
                if sample is None
                else grid_of(method, sample, len(rows.train), self.further)
            )
        return Grids(found, note)

    def arm(self, stage: str, label: str, spec: MethodSpec) -> Arm:
        """Return an arm of a stage.

        Args:
            stage: `"choose"` or `"judge"`.
            label: of the arm.
            spec: its method.
        """
        of_library = "config" in dict(spec.options)
        update: dict[str, object] = {"resample": stage, "validation_share": 0.0} | (
            {"curve_points": 1} if stage == "judge" else {}
        )
        if self.prepared.raw is not None:
            update["standardise"] = "run"
        training = (self.training if of_library else self.further).model_copy(update=update)
        return Arm(
            item="compare", protocol="compare", scale="full", panel=self.data.name, label=label, data=self.data,
            training=training, method=spec,
        )  # fmt: skip

    def runs(self, arms: Iterable[Arm], seeds: Sequence[int]) -> list[RunSpec]:
        """Return all runs of some arms."""
        return [arm.run(seed) for arm in arms for seed in seeds]

    def train(self, title: str, arms: Sequence[Arm], seeds: Sequence[int]) -> Generator[Event, None, list[ArmResult]]:
        """Train arms with every seed.

        Args:
            title: of the stage.
            arms: what is trained.
            seeds: one run each.
        """
        records = yield from run(
            self.runs(arms, seeds), self.prepared, self.store, jobs=self.jobs, device=self.device, title=title,
            backend=self.backend, scheduler=self.scheduler,
        )  # fmt: skip
        return results_of(arms, seeds, records)


def distances_that_choose(prepared: Prepared, rows: Rows) -> DistanceSample:
    """Return distances of the rows that choose, none of which ever judges.

    Args:
        prepared: the data.
        rows: of a run that chooses.
    """
    chooses = rows.validation
    labels = prepared.y.numpy()[chooses] if prepared.task == "classification" else None
    return sample_distances(prepared.x[chooses], labels)


def choose_arms(runner: Runner, grids: Grids) -> Generator[Event, None, Chosen]:
    """Train every candidate and choose by the mean error on the rows that choose.

    Args:
        runner: trains.
        grids: the candidates.
    """
    arms = [runner.arm("choose", label, spec) for label, specs in grids.specs.items() for spec in specs]
    results = yield from runner.train("choosing between candidates", arms, CHOOSING)
    found: dict[str, list[ArmResult]] = {}
    for result in results:
        found.setdefault(result.arm.label, []).append(result)
    errors = {label: [validation_error(result) for result in of_arm] for label, of_arm in found.items()}
    choice = choose(errors[VANILLA][0], errors[MIXUP], errors[LOCAL])
    places = {label: first_lowest(of_arm) for label, of_arm in errors.items()}
    return Chosen(found, places, choice)


def judge_arms(runner: Runner, chosen: Chosen, seeds: Sequence[int]) -> Generator[Event, None, Arms]:
    """Train what was chosen, and the controls of local mixup, on fresh resamples.

    Args:
        runner: trains.
        chosen: by `choose_arms`.
        seeds: of the resamples.
    """
    specs = {label: chosen.spec(label) for label in chosen.candidates}
    specs = {**{label: specs[label] for label in CORE}, **controls_of(runner, chosen), **specs}
    arms = [runner.arm("judge", label, spec) for label, spec in specs.items()]
    results = yield from runner.train("judging on fresh resamples", arms, seeds)
    controls = (AS_OFTEN, AS_FAR)
    return Arms(
        results={result.arm.label: result for result in results},
        settings={label: settings_of(spec) for label, spec in specs.items()},
        kinds={label: "arm" if label in CORE else "control" if label in controls else "further" for label in specs},
        tests=[_tests(runner.prepared, seed) for seed in seeds],
        design=Design(overlap(runner.prepared), rows_that_can_judge(runner.prepared)),
        unit="%" if runner.prepared.task == "classification" else "RMSE",
    )


def _tests(prepared: Prepared, seed: int) -> np.ndarray:
    drawn = resampled_rows(prepared, "judge", seed).test
    return drawn if len(drawn) else np.arange(len(prepared.x_test))


def controls_of(runner: Runner, chosen: Chosen) -> Mapping[str, MethodSpec]:
    """Return the two matched controls of local mixup, by label."""
    config = config_of(chosen.spec(LOCAL))
    as_often = random_partners(config, chosen.mixed_share(LOCAL), runner.training.batch_size)
    return {AS_OFTEN: recipe_spec(as_often), AS_FAR: recipe_spec(config, method="same-displacement")}


def settings_of(spec: MethodSpec) -> str:
    """Return the parameters of an arm in words."""
    if spec.method == "same-displacement":
        return f"random partners, moved as far as with {describe(config_of(spec))}"
    return describe(config_of(spec)) if spec.method == "recipe" else describe_spec(spec)
