"""The benchmark from its suite to the page, with trainings of a few steps."""

import json
from contextlib import closing

import numpy as np
import pytest
from scipy import stats

from localmixup.lab.analysis.attribution import AS_FAR, AS_OFTEN
from localmixup.lab.benchmark.client import Job, benchmark
from localmixup.lab.data.prepared import prepare
from localmixup.lab.data.resampling import resampled_rows
from localmixup.lab.data.suite import load_set
from localmixup.lab.runs.store import Store


def finished(job):
    events, work = [], benchmark(job)
    while True:
        try:
            events.append(next(work))
        except StopIteration as end:
            return end.value, events


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return Job("wine,diabetes", 100, 3, tmp_path_factory.mktemp("out"), jobs=1, updates=4)


@pytest.fixture(scope="module")
def found(job):
    return finished(job)[0]


def test_every_arm_is_judged_on_every_set(found, job):
    result, page = found
    assert [one.name for one in result.sets] == ["wine", "diabetes"]
    for one in result.sets:
        assert one.train_rows == 100
        assert [len(arm.errors) for arm in one.arms] == [3] * len(one.arms)
        assert {arm.label for arm in one.arms} >= {AS_OFTEN, AS_FAR, "LocalMixup()", "recommend", "RegMixup"}
        assert one.reference in ("vanilla", "mixup")
    assert "LocalMixup()" in page.read_text()
    assert json.loads((job.out / "benchmark.json").read_text())["size"] == 100
    assert "| wine *" in (job.out / "benchmark.md").read_text()


def test_the_primary_contrast_is_the_mean_difference(found):
    for one in found[0].sets:
        effect = one.effect("LocalMixup()", one.reference)
        gaps = np.array(one.arm("LocalMixup()").errors) - np.array(one.arm(one.reference).errors)
        assert effect.mean == pytest.approx(gaps.mean())


def test_the_widest_interval_is_that_of_nadeau_and_bengio(found):
    wine = found[0].sets[0]
    assert wine.name == "wine"
    # a fifth of the 178 rows chooses, and a quarter of the others judges
    judged, tested = 178 - 36, wine.test_rows
    gaps = np.array(wine.arm("LocalMixup()").errors) - np.array(wine.arm("vanilla").errors)
    error = np.sqrt(gaps.var(ddof=1) * (1 / 3 + (tested / judged) / (1 - tested / judged)))
    effect = wine.effect("LocalMixup()", "vanilla")
    low, high = effect.widest_interval()
    half = max(error, effect.error) * stats.t.ppf(0.975, 2)
    assert (low, high) == pytest.approx((gaps.mean() - half, gaps.mean() + half))


def test_again_nothing_is_trained(found, job):
    with closing(Store(job.out / "results.sqlite")) as store:
        runs = store.count()
    again, _ = finished(job)
    assert again == (found[0], job.out / "report.html")
    with closing(Store(job.out / "results.sqlite")) as store:
        assert store.count() == runs == sum(one.trainings for one in found[0].sets)


def test_no_row_that_judges_trains_or_chooses():
    data = load_set("diabetes")
    prepared = prepare(data, hold_out=False)
    chooses = resampled_rows(prepared, "choose", 10_000, most=100).validation
    for seed in range(5):
        rows = resampled_rows(prepared, "judge", seed, most=100)
        assert len(rows.train) == 100
        assert not set(rows.test) & (set(rows.train) | set(chooses))
        whole = resampled_rows(prepared, "judge", seed)
        assert set(rows.train) <= set(whole.train)
        assert np.array_equal(rows.test, whole.test)
