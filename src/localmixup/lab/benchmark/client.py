"""The whole benchmark: every data set of a suite, then what they say together."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from localmixup._validate import ArgumentError
from localmixup.lab.analysis.benchmarked import SetResult
from localmixup.lab.benchmark.arms import UPDATES
from localmixup.lab.benchmark.measure import Work, measure
from localmixup.lab.benchmark.suite import SIZES, Member, is_large_enough, members
from localmixup.lab.comparison.timing import duration
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.suite import load_set
from localmixup.lab.errors import DataMissingError
from localmixup.lab.files import check_writable, make_folder, write_file
from localmixup.lab.report.benchmark_page import write_benchmark
from localmixup.lab.runs.events import Event, Note
from localmixup.lab.runs.store import Store, versions

RESAMPLES = 10
"""How many resamples judge."""


class Benchmark(BaseModel):
    """What the benchmark found.

    Attributes:
        suite: which sets were asked for.
        size: rows that a run trained on at most.
        resamples: number of resamples that judge.
        sets: what was found on each set.
        missing: sets that could not be read, with the reason.
        versions: of the software.
    """

    model_config = ConfigDict(frozen=True)

    suite: str
    size: int
    resamples: int
    sets: list[SetResult]
    missing: dict[str, str]
    versions: dict[str, str]


_Usable = tuple[Member, DataSet]


@dataclass(frozen=True)
class Job:
    """What the user asked for.

    Attributes:
        suite: see `localmixup.lab.benchmark.suite.members`.
        size: rows that a run trains on at most, one of `SIZES`.
        resamples: number of resamples that judge.
        out: folder of the results.
        jobs: number of processes.
        backend: see `localmixup.lab.runs.engine.run`.
        scheduler: see there.
        store: URL of the store; by default a file in `out`.
        data_root: folder of the named data sets.
        updates: steps of every training; the protocol's by default.
    """

    suite: str = "all"
    size: int = SIZES[-1]
    resamples: int = RESAMPLES
    out: Path = Path("localmixup-results/benchmark")
    jobs: int | None = None
    backend: str = "loky"
    scheduler: str | None = None
    store: str | None = None
    data_root: Path | None = None
    updates: int = UPDATES


def benchmark(job: Job) -> Generator[Event, None, tuple[Benchmark, Path]]:
    """Train every arm on every set, and write the page. Runs that are in the store are not repeated.

    Args:
        job: what is asked for.

    Yields:
        What happens.

    Returns:
        What was found, and the path of the page.

    Raises:
        ArgumentError: something in the job is wrong, or no set could be read.
    """
    wanted = members(job.suite)
    check_writable(job.out)
    out = make_folder(job.out)
    missing: dict[str, str] = {}
    usable = yield from _read(wanted, job, missing)
    sets: list[SetResult] = []
    took, of = 0.0, 0.0
    with closing(Store(job.store or out / "results.sqlite")) as store:
        work = Work(store, job.jobs, job.backend, job.scheduler, job.updates)
        for place, (member, data) in enumerate(usable):
            ahead = sum(_effort(other) for _, other in usable[place:])
            left = f"; about {duration(took / of * ahead)} left" if of else ""
            yield Note(
                f"{place + 1} of {len(usable)}: {member.name}, {len(data.x):,} rows of {data.x[0].size} values{left}"
            )
            stored, begun = store.count(), time.monotonic()
            sets.append((yield from measure(member, data, job.size, job.resamples, work)))
            if store.count() > stored:  # a set whose runs were stored before says nothing about the time
                took, of = took + time.monotonic() - begun, of + _effort(data)
    if not sets:
        raise ArgumentError(f"--suite {job.suite}: none of its sets could be used at a size of {job.size}")
    found = Benchmark(
        suite=job.suite, size=job.size, resamples=job.resamples, sets=sets, missing=missing, versions=versions()
    )
    write_file(out / "benchmark.json", found.model_dump_json(indent=1))
    page = out / "report.html"
    write_benchmark(page, out / "benchmark.md", found.sets, found.size, found.resamples)
    return found, page


def _read(wanted: Sequence[Member], job: Job, missing: dict[str, str]) -> Generator[Event, None, list[_Usable]]:
    """Read every set before the first training, so that what is missing is known at once.

    Args:
        wanted: the sets.
        job: what is asked for.
        missing: gets the sets that cannot be read, with the reason.

    Returns:
        The sets that can be used.
    """
    found = []
    for member in wanted:
        try:
            data = load_set(member.name, data_root=job.data_root)
        except (ArgumentError, DataMissingError) as error:
            missing[member.name] = str(error)
            yield Note(f"{member.name} is left out: {error}")
            continue
        if is_large_enough(len(data.x), job.size):
            found.append((member, data))
        else:
            yield Note(f"{member.name} is left out: its {len(data.x):,} rows are too few for a size of {job.size}")
    return found


def _effort(data: DataSet) -> float:
    """Return how long a set takes, as a multiple of a narrow table: roughly, by what was measured on two cores."""
    return 1 + float(data.x[0].size) / 300
