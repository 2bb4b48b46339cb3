"""From the name of the data to the decision and the page: choose on some rows, judge on others, hand over."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from localmixup._validate import ArgumentError
from localmixup.lab.analysis.comparison import Comparison
from localmixup.lab.comparison.budget import announced
from localmixup.lab.comparison.candidates import read_recipe
from localmixup.lab.comparison.job import Job, further_training, training_of
from localmixup.lab.comparison.stages import Runner, choose_arms, judge_arms
from localmixup.lab.comparison.verdict import comparison_of
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.description import describe
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.sources import load
from localmixup.lab.files import as_path, cannot_write, check_writable, make_folder, write_file
from localmixup.lab.handover import RECIPE_FILE, write_recipe
from localmixup.lab.models import plain_name
from localmixup.lab.report.comparison_page import write_comparison
from localmixup.lab.runs.events import Event, Note, Read
from localmixup.lab.runs.spec import DataSpec
from localmixup.lab.runs.store import Record, Store

MOST_ROWS = 50_000
"""Rows of a table that are used where the user does not say: more than the usual number of updates can see."""

EVERYTHING = 1000  # columns or classes that the page names

Found = tuple[Comparison, dict[str, Record]]


def compare(job: Job) -> Generator[Event, None, tuple[Comparison, Path]]:
    """Compare vanilla training, mixup and local mixup on a data set, and write the page.

    Args:
        job: what is asked for. All of it is checked before the first run.

    Yields:
        What happens: the data were read, a stage begins, a run is finished.

    Returns:
        What was found, and the path of the page.

    Raises:
        ArgumentError: something in the job is wrong.
    """
    check_writable(job.out)
    data = load(job.source, target=job.target, task=job.task, data_root=job.data_root, reading=job.reading)
    return (yield from compare_data(job, data))


def compare_data(job: Job, data: DataSet) -> Generator[Event, None, tuple[Comparison, Path]]:
    """Compare on a data set in memory; see `compare`.

    Args:
        job: what is asked for; its `source` is not read.
        data: the data.
    """
    note = ""
    if job.train_size is None and data.kind != "image" and len(data.x) > MOST_ROWS:
        job = replace(job, train_size=MOST_ROWS)
        note = f"{MOST_ROWS:,} random rows of {len(data.x):,} are used; --train-size takes more"
    training = training_of(job, data)
    yield Read(data.name, describe(data), plain_name(training.model), tuple(data.notes))
    if note:
        yield Note(note)
    prepared = prepare(data, train_size=job.train_size, hold_out=False)
    spec = DataSpec(name=data.name, fingerprint=data.fingerprint, train_size=job.train_size)
    if job.recipe is not None:
        read_recipe(job.recipe)
    with _opened(job) as store:
        runner = Runner(
            spec, prepared, training, further_training(training, data), store, jobs=job.jobs, device=job.device,
            backend=job.backend, scheduler=job.scheduler,
        )  # fmt: skip
        notes = (*describe(data, most=EVERYTHING), *data.notes, *filter(None, [note]))
        comparison, records = yield from compare_arms(job, runner, notes=notes)
    out = make_folder(job.out)
    page = out / "report.html"
    try:
        write_file(out / "comparison.json", comparison.model_dump_json(indent=1))
        write_recipe(out / RECIPE_FILE, comparison.recipe)
        write_comparison(page, comparison, records, data, prepared)
    except OSError as error:
        raise ArgumentError(f"{cannot_write('--out', job.out, error)}; all runs are stored") from None
    return comparison, page


@contextmanager
def _opened(job: Job) -> Iterator[Store]:
    """Open the store; if the work fails before the first run is stored, no new file and no new folder is left."""
    if job.store:
        with closing(Store(job.store)) as store:
            yield store
        return
    out = as_path(job.out, "--out")
    made = [path for path in (out, *out.parents) if not path.exists()]
    path = make_folder(out) / "results.sqlite"
    is_new, runs = not path.exists(), 0
    try:
        with closing(Store(path, called=f"--out {job.out}")) as store:
            try:
                yield store
            finally:
                runs = store.count()
    except ArgumentError:
        if is_new and not runs:
            path.unlink(missing_ok=True)
            for folder in made:
                with suppress(OSError):  # it holds something else
                    folder.rmdir()
        raise


def compare_arms(job: Job, runner: Runner, *, notes: tuple[str, ...] = ()) -> Generator[Event, None, Found]:
    """Choose, judge and decide.

    Args:
        job: says which further methods, how many resamples, and which recipe.
        runner: trains.
        notes: for the reader.

    Returns:
        What was found, and the records behind it by key.
    """
    grids = runner.grids(job)
    if grids.note:
        yield Note(grids.note)
    resamples = yield from announced(job, runner, grids)
    chosen = yield from choose_arms(runner, grids)
    arms = yield from judge_arms(runner, chosen, range(resamples))
    comparison = comparison_of(runner, chosen, arms, notes=[*notes, *filter(None, [grids.note])], recipe=job.recipe)
    results = [*arms.results.values(), *(result for of_arm in chosen.candidates.values() for result in of_arm)]
    return comparison, {record.spec.key: record for result in results for record in result.records.values()}
