"""One data set of the benchmark: choose settings and learning rates on some rows, judge on others."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import NamedTuple

from localmixup import recommend
from localmixup.geometry import class_regions, target_gap
from localmixup.lab.analysis.arms import ArmResult, results_of, validation_error
from localmixup.lab.analysis.attribution import AS_FAR, AS_OFTEN
from localmixup.lab.analysis.benchmark_labels import CLASSICAL, NEAR, OF_SET, OF_SET_AS_FAR, RECOMMENDED, UNTOUCHED
from localmixup.lab.analysis.benchmarked import ArmOnSet, Effect, SetResult
from localmixup.lab.analysis.compared import judged_of
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA, Judged, first_lowest, margin_of
from localmixup.lab.analysis.resampled import Design, covariance_bound, difference_of
from localmixup.lab.benchmark.arms import RATES, UPDATES, Candidate, arms_of, training_of
from localmixup.lab.benchmark.suite import POOL, Member
from localmixup.lab.comparison.candidates import random_partners
from localmixup.lab.comparison.stages import CHOOSING, distances_that_choose, settings_of
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import Prepared, prepare
from localmixup.lab.data.resampling import Rows, overlap, resampled_rows, rows_that_can_judge
from localmixup.lab.inspection.verdict import verdict_on_classes, verdict_on_targets
from localmixup.lab.methods.recipe import config_of, recipe_spec
from localmixup.lab.runs.engine import run
from localmixup.lab.runs.events import Event
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec
from localmixup.lab.runs.store import Record, Store

SEEDS = CHOOSING[:2]
"""Seeds that choose."""


class Work(NamedTuple):
    """How runs are trained and kept.

    Attributes:
        store: where records are kept.
        jobs: number of processes.
        backend: see `localmixup.lab.runs.engine.run`.
        scheduler: see there.
        updates: steps of every training.
    """

    store: Store
    jobs: int | None = None
    backend: str = "loky"
    scheduler: str | None = None
    updates: int = UPDATES


class _Set(NamedTuple):
    """A data set with what belongs to it."""

    data: DataSet
    prepared: Prepared
    spec: DataSpec
    size: int
    work: Work

    def rows(self, stage: str, seed: int) -> Rows:
        """The rows of one run."""
        return resampled_rows(self.prepared, stage, seed, most=self.size)

    def run(self, candidate: Candidate, stage: str, seed: int) -> RunSpec:
        """One run."""
        training = candidate.training.model_copy(update={"resample": stage})
        return RunSpec(data=self.spec, training=training, method=candidate.method, seed=seed)

    def train(self, title: str, specs: list[RunSpec]) -> Generator[Event, None, dict[str, Record]]:
        """Train runs that are not stored yet."""
        return (
            yield from run(
                specs, self.prepared, self.work.store, jobs=self.work.jobs, backend=self.work.backend,
                scheduler=self.work.scheduler, title=f"{self.data.name}: {title}",
            )
        )  # fmt: skip


def measure(member: Member, data: DataSet, size: int, resamples: int, work: Work) -> Generator[Event, None, SetResult]:
    """Train every arm on one data set.

    Args:
        member: which set.
        data: the set.
        size: rows that a run trains on at most.
        resamples: number of resamples that judge.
        work: how runs are trained and kept.
    """
    prepared = prepare(data, train_size=min(POOL, len(data.x)), hold_out=False)
    spec = DataSpec(name=data.name, fingerprint=data.fingerprint, train_size=min(POOL, len(data.x)))
    one = _Set(data, prepared, spec, size, work)
    chosen, counted = yield from _choose(one)
    winner = min((UNTOUCHED, LOCAL), key=lambda label: chosen[label].error)
    judging = {label: of.candidate for label, of in chosen.items()} | _controls(chosen[winner])
    seeds = range(resamples)
    specs = [one.run(candidate, "judge", seed) for candidate in judging.values() for seed in seeds]
    records = yield from one.train("judging", specs)
    results = {label: _result(one, label, candidate, "judge", seeds, records) for label, candidate in judging.items()}
    return _found(one, member, chosen, results, winner, counted + len({spec.key for spec in specs}))


class _Chosen(NamedTuple):
    """What the rows that choose chose for an arm: candidate, mean error there, and the share of mixed samples."""

    candidate: Candidate
    error: float
    mixed_share: float


def _choose(one: _Set) -> Generator[Event, None, tuple[dict[str, _Chosen], int]]:
    """Choose a candidate for every arm at the middle learning rate, then its learning rate."""
    rows = one.rows("choose", SEEDS[0])
    sample = distances_that_choose(one.prepared, rows)
    training = training_of(one.size, one.work.updates)
    arms = arms_of(training, sample, len(rows.train), one.prepared.task)
    arms[RECOMMENDED] = [Candidate(training, _recommended(one, rows))]
    specs = _specs(one, arms)
    records = yield from one.train("choosing settings", specs)
    rated = {}
    for label, of in arms.items():
        best, _ = _lowest(one, of, records)
        rated[label] = [best, *(best.with_training(learning_rate=rate) for rate in RATES if rate != RATES[1])]
    more = _specs(one, rated)
    records |= yield from one.train("choosing learning rates", more)
    found = {}
    for label, of in rated.items():
        best, result = _lowest(one, of, records)
        found[label] = _Chosen(best, validation_error(result), result.mean("mixed_share"))
    return found, len({spec.key for spec in (*specs, *more)})


def _specs(one: _Set, arms: Mapping[str, Sequence[Candidate]]) -> list[RunSpec]:
    return [one.run(candidate, "choose", seed) for of in arms.values() for candidate in of for seed in SEEDS]


def _lowest(one: _Set, of: Sequence[Candidate], records: Mapping[str, Record]) -> tuple[Candidate, ArmResult]:
    """Return the candidate with the lowest mean error on the rows that choose, the first of equal ones."""
    results = [_result(one, "", candidate, "choose", SEEDS, records) for candidate in of]
    place = first_lowest([validation_error(result) for result in results])
    return of[place], results[place]


def _recommended(one: _Set, rows: Rows) -> MethodSpec:
    """Ask `recommend` about the rows that choose: no row that it sees judges."""
    x, y = one.prepared.x[rows.validation].flatten(1), one.prepared.y[rows.validation]
    return recipe_spec(recommend(x, y, task=one.prepared.task, batch_size=training_of(one.size).batch_size))


def _controls(winner: _Chosen) -> dict[str, Candidate]:
    """Return the two matched controls of a local arm; see `localmixup.lab.analysis.attribution`."""
    candidate, config = winner.candidate, config_of(winner.candidate.method)
    as_often = random_partners(config, winner.mixed_share, candidate.training.batch_size)
    specs = {AS_OFTEN: recipe_spec(as_often), AS_FAR: recipe_spec(config, method="same-displacement")}
    return {label: candidate._replace(method=spec) for label, spec in specs.items()}


def _result(
    one: _Set, label: str, candidate: Candidate, stage: str, seeds: Sequence[int], records: Mapping[str, Record]
) -> ArmResult:
    arm = Arm(
        item="benchmark", protocol="benchmark", scale=str(one.size), panel=one.data.name, label=label, data=one.spec,
        training=candidate.training.model_copy(update={"resample": stage}), method=candidate.method,
    )  # fmt: skip
    return results_of([arm], seeds, records)[0]


def _found(
    one: _Set, member: Member, chosen: Mapping[str, _Chosen], results: Mapping[str, ArmResult], winner: str,
    trainings: int,
) -> SetResult:  # fmt: skip
    prepared = one.prepared
    unit = "%" if prepared.task == "classification" else "RMSE"
    seeds = sorted(next(iter(results.values())).records)
    tests = [one.rows("judge", seed).test for seed in seeds]
    design = Design(overlap(prepared), rows_that_can_judge(prepared))
    judged = {label: judged_of(result, tests, unit) for label, result in results.items()}
    reference = (VANILLA, MIXUP)[first_lowest([chosen[VANILLA].error, chosen[MIXUP].error])]
    pairs = dict.fromkeys((label, VANILLA) for label in results if label != VANILLA)
    main = (UNTOUCHED, RECOMMENDED, LOCAL, NEAR)
    pairs |= dict.fromkeys((label, other) for label in main for other in (reference, MIXUP))
    pairs |= dict.fromkeys((winner, control) for control in (AS_OFTEN, AS_FAR))
    pairs |= dict.fromkeys([(UNTOUCHED, CLASSICAL), (NEAR, UNTOUCHED), (OF_SET_AS_FAR, UNTOUCHED)])
    pairs |= dict.fromkeys([(NEAR, OF_SET), (NEAR, OF_SET_AS_FAR), (OF_SET_AS_FAR, OF_SET)])
    effects = [effect for pair in pairs for effect in _effects(*pair, judged, design, unit)]
    return SetResult(
        name=member.name, kind=member.kind, untouched=member.untouched, task=prepared.task, unit=unit,
        columns=prepared.x[0].numel(), classes=prepared.outputs if unit == "%" else 0,
        train_rows=len(one.rows("judge", 0).train), test_rows=len(tests[0]),
        arms=[_arm(label, result, chosen.get(label)) for label, result in results.items()],
        reference=reference, winner=winner, effects=effects, verdict=_word(prepared), trainings=trainings,
    )  # fmt: skip


def _effects(
    one: str, other: str, judged: Mapping[str, Judged], design: Design, unit: str
) -> Generator[Effect, None, None]:
    for measure, name in (("error", unit), ("nll", "nll")):
        mine, theirs = getattr(judged[one], measure), getattr(judged[other], measure)
        if mine is None or theirs is None:
            continue
        grain = 100 / design.rows if name == "%" else 0.0
        found = difference_of(mine, theirs, design, grain=grain)
        margin = margin_of(name, float(theirs.values.mean()))
        bound = math.sqrt(found.between / found.resamples + covariance_bound(found.between, design))
        yield Effect(
            one=one, other=other, measure=measure, mean=found.mean, error=found.error, bound=max(bound, found.error),
            df=found.df, resamples=found.resamples, margin=margin,
        )  # fmt: skip


def _arm(label: str, result: ArmResult, chosen: _Chosen | None) -> ArmOnSet:
    outcomes = [record.outcome for _, record in sorted(result.records.items())]
    settings = settings_of(result.arm.method)
    if result.arm.method.method in ("c-mixup", "k-mixup"):
        settings += f", mixup_alpha {result.arm.training.mixup_alpha:g}"
    return ArmOnSet(
        label=label,
        settings=settings,
        learning_rate=result.arm.training.learning_rate,
        method=result.arm.method,
        choosing_error=None if chosen is None else chosen.error,
        errors=result.errors,
        scores={name: sum(o.scores[name] for o in outcomes) / len(outcomes) for name in outcomes[0].scores},
        mixed_share=result.mean("mixed_share"),
    )


def _word(prepared: Prepared) -> str:
    """Return what `localmixup inspect` says about the set."""
    x, y = prepared.x.flatten(1), prepared.y.numpy()
    if prepared.task == "classification":
        return verdict_on_classes(class_regions(x, y)).word
    return verdict_on_targets(target_gap(x, y)).word
